//! Random settings, and random damage to a file.

use std::fmt::Write as _;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::of;
use proptest::prelude::{Just, ProptestConfig, any, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::*;

pub(in crate::settings) fn name() -> impl Generator<Value = String> {
    "[a-z][a-z0-9._-]{0,8}"
}

pub(in crate::settings) fn seconds(from: u64, to: u64) -> impl Generator<Value = Duration> {
    (from * 1_000..=to * 1_000).prop_map(Duration::from_millis)
}

fn policy() -> impl Generator<Value = Policy> {
    let basis = ("[A-Z][a-z ]{0,9}[a-z]", any::<bool>())
        .prop_map(|(name, law)| if law { LegalBasis::Obligation(name) } else { LegalBasis::Contract(name) });
    let ask = prop_oneof![
        Just(AskRule::EveryCall),
        Just(AskRule::WhenUnknown),
        (0u64..4_000).prop_map(|days| AskRule::OlderThan(Duration::from_secs(days * 86_400))),
    ];
    let script = (0u8..16, 1u8..16, 1u8..10, seconds(1, 60), any::<bool>(), ask).prop_map(
        |(yes, by, attempts, timeout, barge_in, ask)| {
            let key = |event: u8| Digit::from_event(event % 16).expect("under 16");
            Script { yes: key(yes), no: key(yes + by), attempts, timeout, barge_in, ask }
        },
    );
    prop_oneof![Just(Policy::Never), basis.prop_map(Policy::Always), script.prop_map(Policy::Consent)]
}

pub(in crate::settings) fn keep() -> impl Generator<Value = Keep> {
    prop_oneof![Just(Keep::Forever), seconds(60, 1 << 31).prop_map(Keep::For)]
}

/// Distinct, in order.
fn skills() -> impl Generator<Value = Vec<String>> {
    btree_set("[a-zé][a-z -]{0,6}[a-z]", 0..4).prop_map(|skills| skills.into_iter().collect())
}

/// Up to three openings a day, which do not overlap.
pub(in crate::settings) fn hours() -> impl Generator<Value = Hours> {
    vec(btree_set(0u16..=24 * 60, 0..6), 7).prop_map(|week| {
        let mut hours = Hours::default();
        for (day, bounds) in DAYS.iter().zip(week) {
            let bounds: Vec<u16> = bounds.into_iter().collect();
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let openings =
                bounds.chunks_exact(2).map(|pair| format!("{}-{}", clock(pair[0]), clock(pair[1])));
            hours.set(day, openings.map(|text| text.parse().expect("hours")).collect()).expect("apart");
        }
        hours
    })
}

fn days() -> impl Generator<Value = Vec<Day>> {
    btree_set((2020i16..2040, 1i8..=12, 1i8..=28), 0..4).prop_map(|days| {
        days.into_iter().map(|(year, month, day)| Day(jiff::civil::date(year, month, day))).collect()
    })
}

pub(in crate::settings) fn queue() -> impl Generator<Value = Queue> {
    let choices = (any::<bool>(), any::<bool>(), any::<bool>(), 0usize..3, any::<u8>());
    let spans = (
        of(seconds(1, 3_600)),
        seconds(1, 600),
        seconds(0, 3_600),
        seconds(1, 86_400),
        of(seconds(10, 3_600)),
        1u32..=3_600,
    );
    let more = (of(keep()), of(keep()), skills(), of(hours()), days());
    ("[a-z]{2,3}", policy(), choices, spans, more).prop_map(|(language, recording, choices, spans, more)| {
        let (retention, file_removal, skills, hours, closed) = more;
        let (override_allowed, destroy_on_withdrawal, drop_call, strategy, priority) = choices;
        let (pause_limit, ring_timeout, wrap_up, max_wait, position_every, service_seconds) = spans;
        Queue {
            retention,
            file_removal,
            skills,
            hours,
            closed,
            when_closed: Overflow::Hangup,
            language: Language(language),
            recording,
            override_allowed,
            pause_limit,
            destroy_on_withdrawal,
            on_recording_failure: if drop_call {
                OnRecordingFailure::DropCall
            } else {
                OnRecordingFailure::Continue
            },
            strategy: [Strategy::LongestIdle, Strategy::RoundRobin, Strategy::RingAll][strategy],
            priority,
            ring_timeout,
            wrap_up,
            max_wait,
            overflow: Overflow::Hangup,
            position_every,
            service_seconds,
        }
    })
}

fn codecs() -> impl Generator<Value = Vec<Codec>> {
    let all = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    prop::sample::subsequence(all, 1..=4).prop_shuffle()
}

fn srtp() -> impl Generator<Value = SrtpPolicy> {
    (0usize..3).prop_map(|n| SrtpPolicy::WORDS[n].1)
}

fn speech() -> impl Generator<Value = (Vec<Codec>, SrtpPolicy, bool, bool)> {
    (codecs(), srtp(), any::<bool>(), any::<bool>())
}

/// Codes none of which begins with another: each has a first key of its own, or is none.
fn phone() -> impl Generator<Value = Phone> {
    let code = |first: char| {
        let keys = |rest: String| rest.chars().map(|key| Digit::try_from(key).expect("a key")).collect();
        of("[0-9*#]{0,3}")
            .prop_map(move |rest| rest.map_or(Vec::new(), |rest| keys(format!("{first}{rest}"))))
    };
    (codecs(), srtp(), code('*'), code('#'), code('5'), 0usize..3).prop_map(
        |(codecs, srtp, three_way, complete, back, media)| Phone {
            codecs,
            srtp,
            codes: Codes { three_way, complete, back },
            media: PhoneMedia::WORDS[media].1,
        },
    )
}

/// Its password and a prefix of its own are put in by [`settings`].
fn outbound() -> impl Generator<Value = Outbound> {
    let server = "sips?:[a-z]{1,9}(\\.[a-z]{2,5})?(:[1-9][0-9]{3})?(;transport=(udp|tcp|tls))?";
    (server, of("[a-z0-9]{1,9}"), any::<bool>(), of("\\+[1-9][0-9]{6,12}")).prop_map(
        |(server, user, register, caller_id)| Outbound {
            server,
            register: register && user.is_some(),
            login: user.map(|user| TrunkLogin { user, password: Redacted(String::new()) }),
            caller_id: caller_id.map(Redacted),
            prefixes: Vec::new(),
        },
    )
}

/// Settings whose references hold: numbers and agents name queues that are there, and each queue may
/// overflow into the one before it.
pub(in crate::settings) fn settings() -> impl Generator<Value = Settings> {
    let queues = btree_map(name(), (queue(), any::<bool>(), any::<bool>()), 1..5);
    let numbers = btree_map("[+]?[0-9]{3,12}", (any::<prop::sample::Index>(), of("[a-z]{2}")), 0..4);
    let agents = btree_map(
        name(),
        ("[^\\p{C}\\p{Z}\"\\\\]{1,9}", vec(any::<prop::sample::Index>(), 0..3), skills(), phone()),
        0..4,
    );
    let trunks =
        btree_map(name(), (any::<bool>(), of(1u32..500), of(1u32..500), speech(), of(outbound())), 0..3);
    (queues, numbers, agents, trunks).prop_map(|(queues, numbers, agents, trunks)| {
        let mut settings = Settings::default();
        let mut before = None;
        for (name, (mut queue, overflows, night)) in queues {
            queue.when_closed = match before.clone().filter(|_| night) {
                Some(id) => Overflow::Queue(id),
                None => Overflow::Hangup,
            };
            queue.overflow = match before.filter(|_| overflows) {
                Some(id) => Overflow::Queue(id),
                None => Overflow::Hangup,
            };
            before = Some(QueueId(name.clone()));
            settings.queues.insert(QueueId(name), Arc::new(queue));
        }
        let ids: Vec<QueueId> = settings.queues.keys().cloned().collect();
        for (dialled, (at, language)) in numbers {
            let number = Number { queue: at.get(&ids).clone(), language: language.map(Language) };
            settings.numbers.insert(dialled, Arc::new(number));
        }
        for (name, (display_name, at, skills, phone)) in agents {
            let queues: std::collections::BTreeSet<QueueId> =
                at.iter().map(|at| at.get(&ids).clone()).collect();
            // By its name, as a password that is there stays when the file names none.
            let has_password = name.len() % 3 != 0;
            let credentials = has_password.then(|| ha1(&name, REALM, &format!("pw: {name}")));
            let display_name = Redacted(display_name);
            let queues = queues.into_iter().collect();
            let agent = Agent { display_name, credentials, queues, skills, phone };
            settings.agents.insert(AgentId(name), Arc::new(agent));
        }
        for (n, (name, (digest, max_calls, calls_per_second, speech, outbound))) in
            trunks.into_iter().enumerate()
        {
            let networks = vec![format!("10.{n}.0.0/16").parse().expect("a network")];
            let digest = digest.then(|| ha1(&format!("trunk/{name}"), REALM, &format!("pw: trunk/{name}")));
            let region = (n == 0).then(|| "FI".to_owned());
            let (codecs, srtp, in_band_digits, release_path) = speech;
            let outbound = outbound.map(|mut outbound: Outbound| {
                let user = outbound.login.as_ref().map(|login| login.user.clone());
                let password = || Redacted(format!("pw: out/{name}"));
                outbound.login = user.map(|user| TrunkLogin { user, password: password() });
                outbound.prefixes.push(format!("+{n}"));
                outbound
            });
            let trunk = Trunk {
                networks,
                digest,
                max_calls,
                calls_per_second,
                region,
                outbound,
                codecs,
                srtp,
                in_band_digits,
                release_path,
            };
            settings.trunks.insert(TrunkId(name), Arc::new(trunk));
        }
        settings
    })
}

/// `mon 08:00-12:00 13:00-14:00, tue …`
fn week_to_toml(week: &str) -> String {
    let days = week.split(", ").filter(|day| *day != "never").map(|day| {
        let (day, openings) = day.split_once(' ').expect("hours");
        let openings: Vec<String> = openings.split(' ').map(|opening| format!("{opening:?}")).collect();
        format!("{day} = [{}]", openings.join(", "))
    });
    format!("{{ {} }}", days.collect::<Vec<_>>().join(", "))
}

/// Settings as an operator would write them.
fn to_toml(settings: &Settings) -> String {
    let mut text = String::new();
    for (kind, name, object) in settings.objects() {
        writeln!(text, "[{kind}.{name:?}]").expect("writes");
        for (attribute, value) in object.attributes() {
            let value = match (attribute, &value) {
                ("password", _) => format!("{:?}", format!("pw: {name}")),
                ("digest.password", _) => format!("{:?}", format!("pw: trunk/{name}")),
                ("outbound.password", _) => format!("{:?}", format!("pw: out/{name}")),
                (
                    "networks" | "queues" | "skills" | "closed" | "codecs" | "outbound.prefixes",
                    Shown::Plain(list),
                ) => {
                    let items: Vec<String> = list
                        .split(", ")
                        .filter(|item| !item.is_empty())
                        .map(|item| format!("{item:?}"))
                        .collect();
                    format!("[{}]", items.join(", "))
                }
                ("legal-basis", Shown::Plain(basis)) => {
                    let (kind, name) = basis.split_once(' ').expect("two parts");
                    format!("{{ {kind} = {name:?} }}")
                }
                ("hours", Shown::Plain(week)) => week_to_toml(week),
                ("overflow" | "when-closed", Shown::Plain(to)) => match to.strip_prefix("queue ") {
                    Some(queue) => format!("{{ queue = {queue:?} }}"),
                    None => format!("{to:?}"),
                },
                ("override-allowed" | "destroy-on-withdrawal" | "consent.barge-in", value) => {
                    value.to_string()
                }
                ("in-band-digits" | "release-path" | "outbound.register", value) => value.to_string(),
                (
                    "priority" | "service-seconds" | "consent.attempts" | "max-calls" | "calls-per-second",
                    value,
                ) => value.to_string(),
                (_, value) => format!("\"{value}\""),
            };
            writeln!(text, "{attribute} = {value}").expect("writes");
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_back_and_applying_twice_changes_nothing(
        wanted in settings(),
        stored in settings(),
    ) {
        let text = to_toml(&wanted);
        let (fresh, _) = applied(&Settings::default(), &text, &OPTIONS);
        prop_assert_eq!(&fresh, &wanted);
        let (over, _) = applied(&stored, &format!("[trunk]\n[queue]\n[number]\n[agent]\n{text}"), &PRUNE);
        prop_assert_eq!(&over, &wanted, "pruned to the file");
        prop_assert_eq!(applied(&over, &text, &PRUNE), (wanted.clone(), vec![]));
        for (kind, _, object) in wanted.objects() {
            let json = object.to_json().expect("JSON");
            prop_assert_eq!(Object::from_json(kind, &json).expect("reads"), object);
        }
    }

    #[test]
    fn no_change_goes_unseen(one in queue(), other in queue()) {
        let of = |queue: &Queue| {
            let mut settings = Settings::default();
            settings.queues.insert("q".into(), Arc::new(queue.clone()));
            settings
        };
        let changes = differences(&of(&one), &of(&other));
        prop_assert_eq!(one != other, changes.iter().any(|change| !change.attributes().is_empty()));
    }

    #[test]
    fn no_text_panics(cut in 0usize..1_200, with in "[\\[\\]{}=.\"'a-z0-9\n]{0,12}", keep in 0usize..1_200) {
        let head: String = FULL.chars().take(cut).collect();
        let tail: String = FULL.chars().skip(keep).collect();
        if let Ok(file) = parse(&format!("{head}{with}{tail}"), "demo.toml", REALM) {
            let _ = check_only(&file);
        }
    }
}

/// The checks without the slow hashing of users' passwords.
fn check_only(file: &ApplyFile) -> usize {
    let mut errors = Vec::new();
    crate::settings::check::check(&Settings::default(), file, &mut errors);
    errors.len()
}

//! Which of two deadlines wins, what a hold does, and that a longer rule never removes sooner.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use ulid::Ulid;

use super::*;
use crate::ids::{CallId, HoldId, QueueId, RecordingId, Redacted};
use crate::settings::{Keep, Settings, System};
use crate::time::Timestamp;

const DAY: u64 = 86_400;

fn days(n: u64) -> Keep {
    Keep::For(Duration::from_secs(n * DAY))
}

fn day(n: i64) -> Timestamp {
    Timestamp::from_micros(n * 86_400_000_000)
}

fn call(queue: &str, ended: i64) -> EndedCall {
    EndedCall {
        id: CallId::new(Ulid(1)),
        queue: queue.into(),
        arrived_at: day(ended) - Duration::from_secs(600),
        ended_at: day(ended),
        from: Some(Redacted("+49301234567".to_owned())),
    }
}

fn recording(n: u128) -> RecordingId {
    RecordingId::new(Ulid(n))
}

fn rules(calls: Keep, recordings: Keep) -> Rules {
    let mut system = System::default();
    system.retention.calls = calls;
    system.retention.recordings = recordings;
    Rules::of(&Settings { system: Some(Arc::new(system)), ..Settings::default() })
}

fn hold(on: HoldOn) -> Hold {
    Hold {
        id: HoldId::new(Ulid(9)),
        on,
        reason: Redacted("case 7".to_owned()),
        by: "user ada".to_owned(),
        at: day(0),
        ends: None,
        released: None,
    }
}

fn actions(rules: &Rules, holds: &Holds, now: i64, rows: Vec<Kept>) -> Vec<Step> {
    plan(rules, holds, day(now), rows).map(|action| action.step).collect()
}

fn whole(ended: i64) -> Kept {
    Kept::Call { call: call("support", ended), recordings: vec![recording(1), recording(2)] }
}

#[test]
fn a_queue_s_word_wins_and_of_two_deadlines_the_earlier() {
    let system = rules(days(100), Keep::Forever);
    let proposed = Proposed {
        queues: [
            (QueueId::from("support"), ProposedQueue { retention: None, file_removal: Some(Some(days(30))) }),
            (QueueId::from("sales"), ProposedQueue { retention: Some(Some(days(10))), file_removal: None }),
        ]
        .into(),
        ..Proposed::default()
    };
    let rules = system.with(&proposed);
    let due = rules.of_queue(&"support".into()).removes_at(day(0)).unwrap();
    assert_eq!((due.at, due.which, due.rule.said), (day(30), Which::FileRemoval, Said::Queue));
    let due = rules.of_queue(&"sales".into()).removes_at(day(0)).unwrap();
    assert_eq!((due.at, due.which, due.rule.said), (day(10), Which::CallData, Said::Queue));
    let due = rules.of_queue(&"gone".into()).removes_at(day(0)).unwrap();
    assert_eq!((due.at, due.which, due.rule.said), (day(100), Which::CallData, Said::System));
    assert_eq!(rules.of_queue(&"support".into()).anonymises_at(day(0)).unwrap().at, day(100));
    let back = Proposed {
        queues: [(QueueId::from("support"), ProposedQueue { retention: None, file_removal: Some(None) })]
            .into(),
        ..Proposed::default()
    };
    assert_eq!(rules.with(&back).of_queue(&"support".into()), system.of_queue(&"support".into()));
    let sentence = rules.of_queue(&"support".into()).sentence(Some(&"support".into()));
    assert_eq!(
        sentence,
        "Recordings of support are removed 30d after the end of the call: automatic file removal (as the queue says) \
         comes before call data (100d); calls are anonymised 100d after their end, as the system says."
    );
}

#[test]
fn recordings_go_before_their_call_and_nothing_before_its_time() {
    let rules = rules(days(30), days(10));
    let none = Holds::default();
    assert_eq!(actions(&rules, &none, 29, vec![whole(0)]), []);
    let all = [Step::Destroy(recording(1)), Step::Destroy(recording(2)), Step::Anonymise];
    assert_eq!(actions(&rules, &none, 30, vec![whole(0)]), all);
    let alone = || vec![Kept::Recording { id: recording(1), call: call("support", 0) }];
    assert_eq!(actions(&rules, &none, 9, alone()), []);
    assert_eq!(actions(&rules, &none, 10, alone()), [Step::Destroy(recording(1))]);
    let first = plan(&rules, &none, day(10), alone()).next().unwrap();
    assert_eq!(first.because.rule(), "retention: automatic file removal 10d (system)");
    assert_eq!(
        first.because.sentence(),
        "the call ended 1970-01-01 00:00 UTC, and automatic file removal is kept 10d by the rules of the system: due \
         1970-01-11 00:00 UTC"
    );
}

#[test]
fn reporting_rows_go_by_their_own_rule() {
    let mut system = System::default();
    system.retention.reporting = days(1_000);
    let rules = Rules::of(&Settings { system: Some(Arc::new(system)), ..Settings::default() });
    let row = || vec![Kept::Anonymous { call: call("support", 0) }];
    assert_eq!(actions(&rules, &Holds::default(), 999, row()), []);
    assert_eq!(actions(&rules, &Holds::default(), 1_000, row()), [Step::Strip]);
}

#[test]
fn holds_are_on_what_they_name_and_end() {
    let rules = rules(days(1), days(1));
    let of = |holds: Vec<Hold>, now| actions(&rules, &Holds::new(holds, day(now)), now, vec![whole(0)]);
    let all = [Step::Destroy(recording(1)), Step::Destroy(recording(2)), Step::Anonymise];
    let span = |since, until| HoldOn::Queue { queue: "support".into(), since: day(since), until: day(until) };
    for on in [
        HoldOn::Call(CallId::new(Ulid(1))),
        HoldOn::Number(Redacted("+49301234567".to_owned())),
        span(-1, 1),
        span(-1, 0),
        span(0, 1),
    ] {
        assert_eq!(of(vec![hold(on)], 5), []);
    }
    // One recording: the other goes, the call stays.
    assert_eq!(of(vec![hold(HoldOn::Recording(recording(1)))], 5), [Step::Destroy(recording(2))]);
    for on in [
        HoldOn::Call(CallId::new(Ulid(2))),
        HoldOn::Number(Redacted("+49301234568".to_owned())),
        HoldOn::Queue { queue: "sales".into(), since: day(-1), until: day(1) },
        span(1, 2),
        span(-3, -2),
    ] {
        assert_eq!(of(vec![hold(on)], 5), all);
    }
    let ends = Hold { ends: Some(day(3)), ..hold(span(-1, 1)) };
    assert_eq!(of(vec![ends.clone()], 2), []);
    assert_eq!(of(vec![ends], 3), all);
    let released = Released { at: day(2), by: "user ada".to_owned() };
    assert_eq!(of(vec![Hold { released: Some(released), ..hold(span(-1, 1)) }], 5), all);
}

#[test]
fn the_spans_of_queue_holds_part_time() {
    let on = |queue: &str, since, until| {
        hold(HoldOn::Queue { queue: queue.into(), since: day(since), until: day(until) })
    };
    let all = [on("support", 20, 30), on("support", 5, 9), on("support", 8, 12), on("sales", 0, 99)];
    let holds = Holds::new(all, day(40));
    let support = QueueId::from("support");
    assert_eq!(holds.spans(&support), [(day(5), day(12)), (day(20), day(30))]);
    let before = |n| Some(Timestamp::from_micros(day(n).as_micros() - 1));
    let end = |n: i64| before(n).unwrap();
    let (free, held) = holds.parts(&support, day(25));
    assert_eq!(free, [(None, end(5)), (Some(day(12)), end(20)), (Some(day(25)), day(25))]);
    assert_eq!(held, [(before(5), day(12)), (before(20), day(25))]);
    assert_eq!(holds.parts(&support, day(1)), (vec![(None, day(1))], vec![]));
    assert_eq!(holds.parts(&"other".into(), day(1)), (vec![(None, day(1))], vec![]));
}

#[test]
fn a_queue_that_goes_is_kept_by_the_system() {
    let own = ProposedQueue { retention: Some(Some(days(3650))), file_removal: None };
    let queue = || QueueId::from("support");
    let long =
        rules(days(90), days(30)).with(&Proposed { queues: [(queue(), own)].into(), ..Proposed::default() });
    let gone = long.with(&Proposed { removed: [queue()].into(), ..Proposed::default() });
    assert_eq!(gone.of_queue(&queue()), gone.of_system());
    assert!(gone.of_queue(&queue()).are_shorter_than(&long.of_queue(&queue())));
    assert!(!long.of_queue(&queue()).are_shorter_than(&gone.of_queue(&queue())));
    assert!(!gone.queues().any(|name| *name == queue()));
}

#[test]
fn each_recording_says_why_it_is_here_or_gone() {
    let rules = rules(days(30), Keep::Forever);
    let fate = Fate::Here(call("support", 0));
    let none = Holds::default();
    let here = why(&rules, &none, day(1), recording(1), &fate);
    assert_eq!(
        here.sentence,
        "It is here until 1970-01-31 00:00 UTC: the call ended 1970-01-01 00:00 UTC, and call data 30d (system) is the \
         earlier of both rules."
    );
    assert_eq!(here.clock, Some(RunningClock { from: day(0), keep: days(30), at: day(30) }));
    let late = why(&rules, &none, day(31), recording(1), &fate);
    assert!(late.sentence.contains("it goes with the next sweep"), "{}", late.sentence);
    let holds = Holds::new([hold(HoldOn::Recording(recording(1)))], day(31));
    let held = why(&rules, &holds, day(31), recording(1), &fate);
    assert_eq!(
        held.sentence,
        "A legal hold of user ada keeps it until it is released; without that it would have gone 1970-01-31 00:00 UTC \
         (call data 30d (system))."
    );
    assert_eq!(held.holds.len(), 1);
    let forever = super::tests::rules(Keep::Forever, Keep::Forever);
    let kept = why(&forever, &none, day(31), recording(1), &fate);
    assert!(kept.sentence.starts_with("It is kept for good") && kept.clock.is_none());
    let gone = Fate::Gone {
        at: day(30),
        rule: "retention: call data 30d (system)".to_owned(),
        by: "system".to_owned(),
        removed_at: Some(day(31)),
    };
    let gone = why(&rules, &none, day(40), recording(1), &gone);
    assert_eq!(
        gone.sentence,
        "It is gone: system destroyed its key 1970-01-31 00:00 UTC (retention: call data 30d (system)); every copy was \
         seen to be gone 1970-02-01 00:00 UTC."
    );
    assert!(why(&rules, &none, day(1), recording(1), &Fate::Running).sentence.contains("goes on"));
}

fn keep() -> impl Strategy<Value = Keep> {
    prop_oneof![1 => Just(Keep::Forever), 4 => (1u64..400).prop_map(days)]
}

fn proposed() -> impl Strategy<Value = Proposed> {
    let own = || prop_oneof![Just(None), Just(Some(None)), keep().prop_map(|keep| Some(Some(keep)))];
    let queue =
        (own(), own()).prop_map(|(retention, file_removal)| ProposedQueue { retention, file_removal });
    (keep(), keep(), keep(), queue).prop_map(|(calls, recordings, reporting, queue)| Proposed {
        calls: Some(calls),
        recordings: Some(recordings),
        reporting: Some(reporting),
        queues: [(QueueId::from("support"), queue)].into(),
        removed: std::collections::BTreeSet::new(),
    })
}

fn everything(ended: i64) -> Vec<Kept> {
    let call = call("support", ended);
    vec![
        Kept::Recording { id: recording(1), call: call.clone() },
        Kept::Call { call: call.clone(), recordings: vec![recording(1), recording(2)] },
        Kept::Anonymous { call },
    ]
}

proptest! {
    #[test]
    fn the_earlier_deadline_removes_a_recording(proposed in proposed(), ended in 0i64..1_000, now in 0i64..2_000) {
        let rules = Rules::of(&Settings::default()).with(&proposed);
        let of = rules.of_queue(&"support".into());
        let ends = [of.calls, of.files].into_iter().filter_map(|rule| rule.ends(day(ended))).min();
        prop_assert_eq!(of.removes_at(day(ended)).map(|due| due.at), ends);
        let rows = vec![Kept::Recording { id: recording(1), call: call("support", ended) }];
        let goes = !actions(&rules, &Holds::default(), now, rows).is_empty();
        prop_assert_eq!(goes, ends.is_some_and(|at| at <= day(now)));
        prop_assert_eq!(cutoff(of.of_recordings().1.keep, day(now)).is_some_and(|at| day(ended) <= at), goes);
    }

    #[test]
    fn a_hold_always_wins(proposed in proposed(), ended in 0i64..1_000, now in 0i64..2_000, which in 0usize..3) {
        let rules = Rules::of(&Settings::default()).with(&proposed);
        let on = match which {
            0 => HoldOn::Call(CallId::new(Ulid(1))),
            1 => HoldOn::Number(Redacted("+49301234567".to_owned())),
            _ => HoldOn::Queue { queue: "support".into(), since: day(0), until: day(2_000) },
        };
        let holds = Holds::new([hold(on)], day(now));
        prop_assert_eq!(actions(&rules, &holds, now, everything(ended)), vec![]);
        let one = Holds::new([hold(HoldOn::Recording(recording(1)))], day(now));
        let left = actions(&rules, &one, now, everything(ended));
        prop_assert!(!left.contains(&Step::Destroy(recording(1))) && !left.contains(&Step::Anonymise), "{:?}", left);
    }

    #[test]
    fn a_longer_rule_never_removes_sooner(
        proposed in proposed(), more in 1u64..400, ended in 0i64..1_000, now in 0i64..2_000,
    ) {
        let longer = |keep: Keep| match keep {
            Keep::For(span) => Keep::For(span + Duration::from_secs(more * DAY)),
            Keep::Forever => Keep::Forever,
        };
        let queues = proposed.queues.iter().map(|(name, queue)| {
            let own = |own: Option<Option<Keep>>| own.map(|own| own.map(longer));
            (name.clone(), ProposedQueue { retention: own(queue.retention), file_removal: own(queue.file_removal) })
        });
        let long = Proposed {
            calls: proposed.calls.map(longer),
            recordings: proposed.recordings.map(longer),
            reporting: proposed.reporting.map(longer),
            queues: queues.collect(),
            removed: proposed.removed.clone(),
        };
        let usual = Rules::of(&Settings::default());
        let (short, long) = (usual.with(&proposed), usual.with(&long));
        let before = actions(&short, &Holds::default(), now, everything(ended));
        for step in actions(&long, &Holds::default(), now, everything(ended)) {
            prop_assert!(before.contains(&step), "{step:?} was not due by the shorter rules");
        }
    }

    #[test]
    fn a_rule_that_is_restored_restores_the_plan(
        before in proposed(), other in proposed(), ended in 0i64..1_000, now in 0i64..2_000,
    ) {
        let first = Rules::of(&Settings::default()).with(&before);
        // Anything in between, then each value as it was.
        let kept = first.of_queue(&"support".into());
        let own = |rule: Rule| Some((rule.said == Said::Queue).then_some(rule.keep));
        let restored = first.with(&other).with(&Proposed {
            queues: [(
                QueueId::from("support"),
                ProposedQueue { retention: own(kept.calls), file_removal: own(kept.files) },
            )]
            .into(),
            ..before
        });
        let none = Holds::default();
        let all = |rules: &Rules| plan(rules, &none, day(now), everything(ended)).collect::<Vec<_>>();
        prop_assert_eq!(all(&first), all(&restored));
    }
}

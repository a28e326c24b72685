//! What a conversation sounds like through the server: PESQ of each codec and of each pair that is converted, on
//! a clean network, with jitter, and with losses. The bar is what the codecs alone make of the same packets.

mod ears;
mod score;
mod wire;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use sayso::media::Codec;
use sayso::media::convert::Converter;
use serde_json::Value;

use self::score::{Judge, Scores, Ticket};
use self::wire::{Arrival, Exchange, RATE, Voice, Weather};
use crate::harness::audio::channels;
use crate::harness::phone::{Phone, SOON};
use crate::harness::server::{HELD_BY_CALLS, Server, password};
use crate::harness::{alone, until};

/// What the server may take away, in MOS-LQO.
const BAR: f64 = 0.1;

/// Calls at a time: few enough that codecs without optimisation keep up too.
const AT_ONCE: usize = if cfg!(debug_assertions) { 4 } else { 8 };
/// See [`measured`].
const ATTEMPTS: usize = 3;

/// Caller and agent, all at once: same codec, forwarded; laws exchanged; converted.
const PAIRS: [(Codec, Codec); 8] = [
    (Codec::Pcma, Codec::Pcma),
    (Codec::Pcmu, Codec::Pcmu),
    (Codec::G722, Codec::G722),
    (Codec::Opus, Codec::Opus),
    (Codec::Pcmu, Codec::Pcma),
    (Codec::Pcma, Codec::G722),
    (Codec::Pcma, Codec::Opus),
    (Codec::G722, Codec::Opus),
];

/// From each phone to the server.
const WEATHERS: [Weather; 4] = [
    Weather { name: "clean", lost_percent: 0, jitter_ms: 0 },
    Weather { name: "30 ms jitter", lost_percent: 0, jitter_ms: 30 },
    Weather { name: "30 ms, 1 % lost", lost_percent: 1, jitter_ms: 30 },
    Weather { name: "30 ms, 5 % lost", lost_percent: 5, jitter_ms: 30 },
];

#[test]
fn speech_through_the_server_is_as_good_as_through_its_codecs() {
    let machine = alone();
    let began = Instant::now();
    let server = Server::start(&settings());
    let clips = [Clip::new("en"), Clip::new("de")];
    let mut calls: Vec<Call> = (0..).zip(PAIRS).map(|(n, pair)| Call::new(&server, n, pair)).collect();
    let mut results = Vec::new();
    for weather in WEATHERS {
        for calls in calls.chunks_mut(AT_ONCE) {
            results.extend(measured(&server, calls, &clips, weather));
        }
    }
    drop(machine);
    let text = tables(&results);
    eprintln!("{text}\nmeasured in {:.0} s", began.elapsed().as_secs_f64());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/quality.md");
    std::fs::write(file, &text).expect("target is writable");
    let faults: Vec<String> = results.iter().flat_map(Outcome::faults).collect();
    assert!(faults.is_empty(), "worse than the codecs alone by more than {BAR}:\n{}", faults.join("\n"));
}

/// Connects the calls, lets all say their clips, ends them and scores both ways. The losses and delays are the
/// same each time; what differs is when the machine had time for the server. So a cell below the bar is
/// measured again: what is the server's fault stays.
fn measured(server: &Server, calls: &mut [Call], clips: &[Clip; 2], weather: Weather) -> Vec<Outcome<f64>> {
    for attempt in 1.. {
        connect(server, calls);
        let (exchanges, late) = wire::talk(&voices(calls, clips, weather));
        hang_up(server, calls);
        let mut judge = Judge::new();
        let mut handed = Vec::new();
        for (call, both) in calls.iter().zip(exchanges.chunks_exact(2)) {
            let tape = (weather.lost_percent == 0).then(|| call.recording(server));
            for way in call.ways(clips, both) {
                handed.push(way.hand_in(&mut judge, weather, tape.as_deref()));
            }
        }
        let scores = judge.scores();
        let outcomes: Vec<_> = handed.into_iter().map(|outcome| outcome.scored(&scores)).collect();
        let faults: Vec<String> = outcomes.iter().flat_map(Outcome::faults).collect();
        if faults.is_empty() || attempt == ATTEMPTS {
            return outcomes;
        }
        let faults = faults.join("\n");
        eprintln!("attempt {attempt}, our own packets up to {late:.0?} late:\n{faults}");
    }
    unreachable!("the last attempt counts")
}

/// A trunk for each codec at an address of its own; a number, a queue and an agent for each call.
fn settings() -> String {
    let mut text = String::new();
    for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
        let word = codec.word();
        let network = network(codec);
        let _ =
            writeln!(text, "[trunk.{word}]\nnetworks = [\"127.0.0.{network}/32\"]\ncodecs = [\"{word}\"]");
    }
    for (n, (_, agent)) in PAIRS.iter().enumerate() {
        let _ = writeln!(
            text,
            "[number.\"+493010{n}\"]\nqueue = \"q{n}\"\n\
             [queue.q{n}]\nlanguage = \"en\"\nwrap-up = \"0s\"\nrecording = \"always\"\n\
             legal-basis = {{ contract = \"test\" }}\n\
             [agent.a{n}]\npassword = \"secret-of-a{n}\"\nqueues = [\"q{n}\"]\ncodecs = [\"{}\"]",
            agent.word()
        );
    }
    text
}

/// The last octet of the address that a codec's trunk calls from.
fn network(codec: Codec) -> u8 {
    match codec {
        Codec::Pcma => 2,
        Codec::Pcmu => 3,
        Codec::G722 => 4,
        Codec::Opus => 5,
    }
}

/// Its usual payload type, and its name in SDP.
fn named(codec: Codec) -> (u8, &'static str) {
    match codec {
        Codec::Pcmu => (0, "PCMU/8000"),
        Codec::Pcma => (8, "PCMA/8000"),
        Codec::G722 => (9, "G722/8000"),
        Codec::Opus => (111, "opus/48000/2"),
    }
}

/// Eight seconds of speech, shipped with the server.
struct Clip {
    language: &'static str,
    wide: Vec<i16>,
    narrow: Vec<i16>,
}

impl Clip {
    fn new(language: &'static str) -> Self {
        let file = format!("prompts/{language}/consent-question.16k.wav");
        let wav = hound::WavReader::open(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        let mut wav = wav.expect("a shipped prompt");
        assert_eq!((wav.spec().sample_rate, wav.spec().channels), (RATE, 1));
        let samples = wav.samples::<i16>().take(8 * RATE as usize);
        let wide: Vec<i16> = samples.collect::<Result<_, _>>().expect("a whole file");
        let mut narrow = Vec::new();
        Converter::new(RATE, 8_000).convert(&wide, &mut narrow);
        Self { language, wide, narrow }
    }

    fn at(&self, rate: u32) -> &[i16] {
        if rate == 8_000 { &self.narrow } else { &self.wide }
    }
}

/// A caller and an agent.
struct Call {
    n: usize,
    caller: Phone,
    agent: Phone,
    /// What each speaks, and the payload type of it in this call.
    codecs: [Codec; 2],
    numbers: [u8; 2],
}

impl Call {
    fn new(server: &Server, n: usize, (speaks, agent_speaks): (Codec, Codec)) -> Self {
        let caller_ip = [127, 0, 0, network(speaks)];
        let mut caller = Phone::new(server.udp, caller_ip, &format!("+493055500{n}"));
        let (number, name) = named(speaks);
        caller.speak(number, name);
        let name = format!("a{n}");
        let mut agent = Phone::new(server.udp, [127, 0, 0, 1], &name);
        agent.register(&password(&name), 3600);
        Self { n, caller, agent, codecs: [speaks, agent_speaks], numbers: [number, 0] }
    }

    fn connect(&mut self) {
        self.caller.call_answered(&format!("+493010{}", self.n));
        let invite = self.agent.rung_within(Duration::from_secs(20));
        let (usual, name) = named(self.codecs[1]);
        let number = number_of(&invite.body, name).unwrap_or(usual);
        self.agent.speak(number, name);
        self.agent.pick_up();
        self.numbers[1] = number;
    }

    /// The caller's way to the agent, and back.
    fn ways<'a>(&self, clips: &'a [Clip; 2], both: &'a [Exchange]) -> [Way<'a>; 2] {
        [(0, 1), (1, 0)].map(|(from, to)| Way {
            caller_speaks: from == 0,
            codecs: (self.codecs[from], self.codecs[to]),
            numbers: (self.numbers[from], self.numbers[to]),
            clip: &clips[from],
            sent: &both[from].sent,
            heard: &both[to].heard,
        })
    }

    /// Both channels of the call's recording.
    fn recording(&self, server: &Server) -> Vec<Vec<i16>> {
        let queue = Value::from(format!("q{}", self.n));
        let sealed = || {
            let rows = server.rows(&["recordings", "list"]);
            // The newest first.
            let row = rows.into_iter().find(|row| row["queue"] == queue)?;
            (row["state"] == "stored").then_some(row)
        };
        let row = until(SOON * 2, "a sealed recording", sealed);
        channels(&server.export(row["id"].as_str().expect("an id")))
    }
}

/// The payload type of a codec in SDP.
fn number_of(body: &[u8], name: &str) -> Option<u8> {
    let text = std::str::from_utf8(body).ok()?;
    let maps = text.lines().filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '));
    maps.filter(|(_, of)| of.eq_ignore_ascii_case(name)).find_map(|(number, _)| number.parse().ok())
}

fn connect(server: &Server, calls: &mut [Call]) {
    std::thread::scope(|scope| {
        let all: Vec<_> = calls.iter_mut().map(|call| scope.spawn(|| call.connect())).collect();
        all.into_iter().for_each(|call| call.join().expect("the call is connected"));
    });
    until(SOON, "all are connected", || {
        let metrics = server.metrics();
        let talking = metrics.named("sayso_calls").find(|s| s.labels.contains("talking"))?;
        (talking.value == calls.len() as f64).then_some(())
    });
}

/// What each caller and agent say, call by call.
fn voices<'a>(calls: &'a [Call], clips: &[Clip; 2], weather: Weather) -> Vec<Voice<'a>> {
    let mut voices = Vec::new();
    for call in calls {
        for (who, phone) in [&call.caller, &call.agent].into_iter().enumerate() {
            let seed = 1 + 2 * call.n as u32 + who as u32;
            let (codec, number) = (call.codecs[who], call.numbers[who]);
            voices.push(Voice {
                socket: &phone.rtp,
                server: phone.audio.expect("the server's SDP named a place for audio"),
                packets: wire::packets(&clips[who].wide, codec, number, weather, seed),
            });
        }
    }
    voices
}

fn hang_up(server: &Server, calls: &mut [Call]) {
    for call in calls {
        call.caller.bye();
        call.agent.take("BYE", SOON);
    }
    server.empty(&HELD_BY_CALLS[..3], SOON);
}

/// One direction of a call.
struct Way<'a> {
    caller_speaks: bool,
    codecs: (Codec, Codec),
    numbers: (u8, u8),
    clip: &'a Clip,
    sent: &'a [Arrival],
    heard: &'a [Arrival],
}

impl Way<'_> {
    /// Narrowband as soon as G.711 has a part in it.
    fn rate(&self) -> u32 {
        self.codecs.0.rate().min(self.codecs.1.rate()).min(RATE)
    }

    /// Hands in what was heard, what the codecs alone make of it, and, with `tape`, what was recorded beside what
    /// the sender's codec makes of it.
    fn hand_in(&self, judge: &mut Judge, weather: Weather, tape: Option<&[Vec<i16>]>) -> Outcome<Ticket> {
        let ((from, to), (number, number_heard)) = (self.codecs, self.numbers);
        let rate = self.rate();
        let through = ears::hear(to, number_heard, self.heard, rate);
        let converted = ears::convert(from, to, number, self.sent);
        let own = ears::hear(to, number, &converted, rate);
        let mut ticket =
            |heard: &[i16], rate| judge.hand_in(self.clip.language, self.clip.at(rate), heard, rate);
        let heard = Pair { server: ticket(&through, rate), own: ticket(&own, rate) };
        let recorded = tape.map(|tape| {
            let own = ears::hear(from, number, self.sent, 8_000);
            let channel = usize::from(!self.caller_speaks);
            Pair { server: ticket(&tape[channel], 8_000), own: ticket(&own, 8_000) }
        });
        let who = if self.caller_speaks { "caller" } else { "agent" };
        let way = format!("{} → {} | {who}", from.word(), to.word());
        let band = if rate == 8_000 { "nb" } else { "wb" };
        Outcome { way, band, weather: weather.name, heard, recorded }
    }
}

/// With the server, and without.
#[derive(Clone, Copy)]
struct Pair<T> {
    server: T,
    own: T,
}

impl Pair<Ticket> {
    fn scored(self, scores: &Scores) -> Pair<f64> {
        Pair { server: scores.of(self.server), own: scores.of(self.own) }
    }
}

impl Pair<f64> {
    fn text(self) -> String {
        format!("{:.2} / {:.2} ({:+.2})", self.server, self.own, self.server - self.own)
    }
}

/// One way in one weather.
struct Outcome<T> {
    way: String,
    band: &'static str,
    weather: &'static str,
    heard: Pair<T>,
    recorded: Option<Pair<T>>,
}

impl Outcome<Ticket> {
    fn scored(self, scores: &Scores) -> Outcome<f64> {
        let Self { way, band, weather, .. } = self;
        let recorded = self.recorded.map(|pair| pair.scored(scores));
        Outcome { way, band, weather, heard: self.heard.scored(scores), recorded }
    }
}

impl Outcome<f64> {
    fn faults(&self) -> Vec<String> {
        let cells = [("heard", Some(self.heard)), ("recorded", self.recorded)];
        let bad = |(what, pair): (&str, Option<Pair<f64>>)| {
            let pair = pair.filter(|pair| pair.server < pair.own - BAR)?;
            Some(format!("{} | {} | {what}: {}", self.way, self.weather, pair.text()))
        };
        cells.into_iter().filter_map(bad).collect()
    }
}

/// Two tables in Markdown: what was heard, what was recorded.
fn tables(results: &[Outcome<f64>]) -> String {
    let heard = table(results, |outcome| Some((outcome.heard, outcome.band)));
    let recorded = table(results, |outcome| Some((outcome.recorded?, "nb")));
    format!(
        "MOS-LQO by PESQ (P.862.1 narrowband, P.862.2 wideband): through the server / by the codecs alone \
         (difference).\n\n{heard}\nThe recording, beside what the speaker's codec makes of it, narrowband:\n\n{recorded}"
    )
}

fn table(
    results: &[Outcome<f64>],
    cell: impl Fn(&Outcome<f64>) -> Option<(Pair<f64>, &'static str)>,
) -> String {
    let weathers: Vec<&str> = WEATHERS
        .iter()
        .map(|weather| weather.name)
        .filter(|name| results.iter().any(|outcome| outcome.weather == *name && cell(outcome).is_some()))
        .collect();
    let mut text = format!("| codecs | speaks | band | {} |\n", weathers.join(" | "));
    let _ = writeln!(text, "|{}", "---|".repeat(3 + weathers.len()));
    for first in results.iter().filter(|outcome| outcome.weather == WEATHERS[0].name) {
        let band = cell(first).map_or("", |(_, band)| band);
        let _ = write!(text, "| {} | {band} |", first.way);
        for outcome in results.iter().filter(|outcome| outcome.way == first.way) {
            if let Some((pair, _)) = cell(outcome) {
                let _ = write!(text, " {} |", pair.text());
            }
        }
        text.push('\n');
    }
    text
}

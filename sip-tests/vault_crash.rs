//! kill -9 at random moments of calls and uploads: at most a quarter of a second of a recording is lost, nothing is
//! there twice, and whatever was begun is ended by the next life of the server.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::audio::RATE;
use crate::harness::faults::Fault;
use crate::harness::server::Server;
use crate::harness::shared;
use crate::harness::vault::{
    ALWAYS, Kept, Line, PACKET, QUARTER, ROOT, Random, Talk, Words, assert_only_what_is_stored, by_caller,
    exported, lost, settings, settled, start, text,
};

/// Lives of each server: 50 kills in all.
const LIVES: u32 = 25;
/// Calls that only talk while another is in the moment of the kill.
const BESIDE: usize = 2;
/// What a call must have said for its recording to be asked for: at its beginning half a second may be missing.
const ENOUGH: usize = RATE;

/// What is going on when the server is killed; how long after its beginning is random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// The agent's phone rings.
    Ringing,
    /// The agent picks up.
    FirstPackets,
    Talk,
    /// The caller hung up.
    End,
    /// A call is over; its recording is on its way to the store.
    Upload,
    /// Somebody destroys a recording of an earlier life.
    Destruction,
}

const MOMENTS: [Moment; 6] =
    [Moment::Ringing, Moment::FirstPackets, Moment::Talk, Moment::End, Moment::Upload, Moment::Destruction];

/// What the test knows of a call.
struct Known {
    moment: Moment,
    words: Words,
    /// How much each had said when the server was killed; `None`: the call was over before.
    at_death: Option<[usize; 2]>,
}

/// Somebody's wish to destroy a recording.
struct Wish {
    recording: String,
    /// The server has said that it is done.
    granted: bool,
}

#[derive(Default)]
struct Ledger {
    calls: Vec<Known>,
    wishes: Vec<Wish>,
    /// Calls of which nothing was said.
    rung: Vec<String>,
}

#[test]
fn killed_25_times_with_a_folder() {
    killed(&Kept::Folder, "folder");
}

#[test]
fn killed_25_times_with_a_bucket() {
    let kept = Kept::s3s();
    // Slow enough that an upload lasts a moment: 1 s of a recording is 32 kB.
    kept.proxy().rate(300_000);
    killed(&kept, "bucket");
}

fn killed(kept: &Kept, what: &str) {
    let _machine = shared();
    let mut random = Random::seeded(what);
    let mut server = start(&settings(1 + BESIDE, |_| ALWAYS.to_owned()), &kept.config("uploads = 2", ""));
    let mut ledger = Ledger::default();
    // Every moment in turn, in an order of chance: 25 lives see each four times at least.
    let mut moments: Vec<Moment> = Vec::new();
    for life in 0..LIVES {
        if moments.is_empty() {
            moments = MOMENTS.to_vec();
        }
        let moment = moments.swap_remove(random.below(moments.len() as u64) as usize);
        live(&mut server, kept, (life, moment), &mut random, &mut ledger);
        server.start_again();
    }
    let rows = settled(&server, Duration::from_secs(150));
    account(&server, kept, &ledger, &rows);
}

/// One life of a server, to its end. All that is waited for is before the moment, so that nothing waits for a server
/// that is dead.
fn live(
    server: &mut Server,
    kept: &Kept,
    (life, moment): (u32, Moment),
    random: &mut Random,
    ledger: &mut Ledger,
) {
    let from = |n: usize| format!("+49305550{life:02}{n}");
    let talk = |server: &Server, n: usize| Talk::of_noise(server, n, &from(n), 100 * life + n as u32);
    if let (Kept::Bucket { proxy, .. }, 0) = (kept, random.below(3)) {
        let faults =
            [Fault::CutRequest(random.below(60_000)), Fault::LoseAnswer, Fault::Answer(503, "SlowDown")];
        proxy.rule("PUT", 1, faults[random.below(3) as usize].clone());
    }
    let mut going_on: Vec<Talk> = (1..=BESIDE).map(|n| talk(server, n)).collect();
    let seconds = 0.6 + random.below(900) as f64 / 1_000.0;
    let (mut over, mut asked) = (None, None);
    match moment {
        Moment::Ringing => {
            ledger.rung.push(Line::ringing(server, 0, &from(0)).from);
            random.moment(Duration::from_millis(300));
        }
        Moment::FirstPackets => {
            going_on.push(talk(server, 0));
            random.moment(Duration::from_millis(400));
        }
        Moment::Talk => {
            going_on.push(talk(server, 0));
            going_on[BESIDE].lasts(seconds);
            random.moment(Duration::from_millis(400));
        }
        Moment::End => {
            going_on.push(talk(server, 0));
            going_on[BESIDE].lasts(seconds + 0.5);
            going_on[BESIDE].say_goodbye();
            random.moment(Duration::from_millis(60));
        }
        Moment::Upload => {
            let talk = talk(server, 0);
            talk.lasts(seconds + 0.5);
            over = Some(talk.hang_up());
            random.moment(Duration::from_millis(900));
        }
        Moment::Destruction => {
            going_on[0].lasts(seconds);
            asked = ask_destruction(server, random);
            random.moment(Duration::from_millis(200));
        }
    }
    // What is said between the count and the kill is not asked for.
    let counts: Vec<[usize; 2]> = going_on.iter().map(Talk::by_now).collect();
    server.kill();
    let going_on = going_on.into_iter().zip(counts).map(|(talk, at_death)| (talk.cut(), Some(at_death)));
    let over = over.map(|words| (words, None));
    ledger.calls.extend(going_on.chain(over).map(|(words, at_death)| Known { moment, words, at_death }));
    ledger.wishes.extend(asked.map(|(recording, stream)| Wish { recording, granted: granted(stream) }));
}

/// Asks for the destruction of a stored recording; the answer may come or not.
fn ask_destruction(server: &Server, random: &mut Random) -> Option<(String, TcpStream)> {
    let rows = server.rows(&["recordings", "list"]);
    let stored: Vec<&Value> = rows.iter().filter(|row| row["state"] == "stored").collect();
    let recording = text(stored.get(random.below(stored.len() as u64) as usize)?, "id");
    let session = Session::open(server.http, ROOT.0, ROOT.1);
    let reason = json!({ "reason": "the caller wants it" });
    let stream = session.start("DELETE", &format!("/recordings/{recording}"), Some(&reason));
    Some((recording, stream))
}

/// Whether the server, dead by now, had answered that the recording is destroyed.
fn granted(mut stream: TcpStream) -> bool {
    let mut answer = Vec::new();
    // A connection that broke without an answer is no answer.
    let _ = stream.read_to_end(&mut answer);
    answer.starts_with(b"HTTP/1.1 202")
}

/// Holds what the server has against what the test knows.
fn account(server: &Server, kept: &Kept, ledger: &Ledger, rows: &[Value]) {
    let bad: Vec<&Value> = rows.iter().filter(|row| row["state"] == "failed").collect();
    assert!(bad.is_empty(), "failed recordings: {bad:#?}");
    assert_only_what_is_stored(server, kept, rows, ".rec");
    server.audit_is_whole();
    let state = |id: &str| rows.iter().find(|row| row["id"] == id).map(|row| text(row, "state"));
    for wish in &ledger.wishes {
        let state = state(&wish.recording).unwrap_or_default();
        let done = state == "removed" || (!wish.granted && state == "stored");
        assert!(done, "{}: destroyed ({}), yet {state}", wish.recording, wish.granted);
    }
    let numbers = server.rows(&["calls", "list"]);
    let numbers: Vec<String> = numbers.iter().map(|call| text(call, "from")).collect();
    let talked = ledger.calls.iter().map(|known| &known.words.from);
    for from in ledger.rung.iter().chain(talked) {
        assert_eq!(numbers.iter().filter(|number| *number == from).count(), 1, "the call of {from}, once");
    }
    let recordings = by_caller(server, rows);
    let mut worst: BTreeMap<Moment, usize> = BTreeMap::new();
    for known in &ledger.calls {
        let none = Vec::new();
        let of_call = recordings.get(&known.words.from).unwrap_or(&none);
        let lost = known.lost(server, of_call);
        let most = worst.entry(known.moment).or_default();
        *most = (*most).max(lost);
    }
    let salvaged = rows.iter().filter(|row| row["salvaged"] == true).count();
    assert!(salvaged > 0, "no kill met a recording: {rows:#?}");
    let told =
        server.rows(&["audit", "list"]).iter().filter(|row| row["action"] == "recording.salvaged").count();
    assert_eq!(told, salvaged, "the audit log tells of each salvage");
    eprintln!(
        "{} calls, {} recordings ({salvaged} salvaged), {} destroyed; lost at most, in samples: {worst:?}",
        numbers.len(),
        rows.len(),
        ledger.wishes.len()
    );
}

impl Known {
    /// Samples of its end that are in no recording, of the worse channel; must be a quarter of a second at most.
    fn lost(&self, server: &Server, recordings: &[Value]) -> usize {
        let Words { from, said, .. } = &self.words;
        let at_death = self.at_death.unwrap_or(said.each_ref().map(Vec::len));
        let recording = match recordings {
            [] => {
                let short = at_death.iter().all(|said| *said < ENOUGH);
                assert!(short, "{from}, {:?}: nothing is recorded of {at_death:?} samples", self.moment);
                return 0;
            }
            [one] => one,
            more => panic!("{from}: recorded more than once: {more:#?}"),
        };
        let state = text(recording, "state");
        if state == "removed" {
            return 0;
        }
        if state == "discarded" {
            let short = at_death.iter().all(|said| *said < ENOUGH);
            assert!(short, "{from}, {:?}: given up with {at_death:?} samples", self.moment);
            return 0;
        }
        assert_eq!(state, "stored", "{from}: {recording}");
        let both = exported(server, recording);
        // Who hung up in order is recorded to the end; who was cut off, but for a quarter of a second.
        let most = if self.at_death.is_some() { QUARTER } else { 2 * PACKET };
        let lost = (0..2).map(|n| {
            let said = &said[n][..at_death[n]];
            let lost = if said.len() < ENOUGH { 0 } else { lost(from, said, &both[n], RATE / 2) };
            assert!(lost <= most, "{from}, {:?}, channel {n}: {lost} samples are lost", self.moment);
            lost
        });
        lost.max().unwrap_or(0)
    }
}

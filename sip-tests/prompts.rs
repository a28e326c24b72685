//! Prompts by API: what is uploaded is what callers hear, on every server of a database; what plays is played to its end;
//! what is no sound changes nothing; an answer is stored with the version that was asked.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::audio::{RATE, seconds_of, tone};
use crate::harness::phone::{Phone, SOON};
use crate::harness::postgres::Cluster;
use crate::harness::rtp::Stream;
use crate::harness::server::{Server, settings};
use crate::harness::{shared, until};

const NUMBER: &str = "+4930100";
const CALLER: &str = "+4930555001";
/// Four seconds of a tone, made by another program.
const MP3: &[u8] = include_bytes!("prompts/1300hz.mp3");
const MP3_HZ: f64 = 1_300.0;
const WAV_HZ: f64 = 900.0;
/// Converting takes seconds in an unoptimised build, on a machine that does other things.
const LATER: Duration = Duration::from_secs(60);

fn with_users(recording: &str) -> String {
    let user =
        "[user.ivr]\npassword = \"secret-of-ivr\"\nmust-change = false\nrole = \"ivr-administrator\"\n";
    format!("{}{user}", settings(recording, &["ada"]))
}

fn wav(hz: f64, seconds: usize) -> Vec<u8> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).expect("memory");
    tone(hz)[..seconds * RATE].iter().for_each(|s| writer.write_sample(*s).expect("memory"));
    writer.finalize().expect("memory");
    file.into_inner()
}

/// Uploads a file to `/prompts/ID`; status and answer.
fn put(http: SocketAddr, who: &Session, prompt: &str, condition: &str, file: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(http).expect("the server accepts");
    stream.set_read_timeout(Some(LATER)).expect("a timeout can be set");
    let head = format!(
        "PUT /api/v1/prompts/{prompt} HTTP/1.1\r\nHost: {http}\r\nX-Sayso: 1\r\nCookie: {}\r\n{condition}\r\n\
         Content-Type: audio/mpeg\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        who.cookie(),
        file.len()
    );
    stream.write_all(head.as_bytes()).expect("the server reads");
    stream.write_all(file).expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in time");
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let body = answer.find('{').map_or("null", |at| &answer[at..]);
    (status, serde_json::from_str(body.trim()).unwrap_or(Value::Null))
}

const NEW: &str = "If-None-Match: *";

fn version_of(answer: &Value) -> String {
    answer["version"].as_str().unwrap_or_else(|| panic!("a version: {answer}")).to_owned()
}

/// What the list says of a prompt.
fn listed(who: &Session, prompt: &str) -> Value {
    let (status, list) = who.ask("GET", "/prompts", None);
    assert_eq!(status, 200, "{list}");
    let found = list.as_array().and_then(|list| list.iter().find(|one| one["id"] == prompt).cloned());
    found.unwrap_or_else(|| panic!("{prompt} in {list}"))
}

fn restore(who: &Session, prompt: &str, version: &str) {
    who.does("POST", &format!("/prompts/{prompt}/restore"), Some(json!({ "version": version })));
}

/// A caller who listens.
struct Caller {
    phone: Phone,
    ear: Stream,
}

impl Caller {
    fn calls(server: &Server) -> Self {
        let mut phone = Phone::new(server.udp, [127, 0, 0, 1], CALLER);
        phone.call_answered(NUMBER);
        let ear = phone.talk(Arc::new(Vec::new()));
        Self { phone, ear }
    }

    fn seconds(&self, hz: f64) -> f64 {
        self.ear.log(|log| seconds_of(hz, &log.heard))
    }

    /// Waits until so much of a tone was heard, and of the other none.
    fn hears(&self, hz: f64, seconds: f64, other: f64, what: &str) {
        until(SOON * 2, what, || (self.seconds(hz) >= seconds).then_some(()));
        assert!(self.seconds(other) < 0.1, "{what}: {} s of {other} Hz, too", self.seconds(other));
    }

    fn leaves(mut self) {
        self.phone.bye();
    }
}

#[test]
fn callers_hear_what_was_uploaded_and_what_plays_is_not_torn() {
    let _machine = shared();
    let server = Server::start(&with_users("recording = \"never\""));
    callers_hear(&server);
    let actions: Vec<Value> = server.rows(&["audit", "list"]);
    let of = |action: &str| actions.iter().filter(|row| row["action"] == action).count();
    assert_eq!((of("prompt.imported"), of("prompt.restored"), of("prompt.removed")), (2, 2, 1));
    server.audit_is_whole();
}

#[test]
fn what_one_server_takes_in_another_of_its_database_plays() {
    let _machine = shared();
    let database = format!("[database]\nurl = {:?}\n", Cluster::shared().database());
    let one = Server::start_with(&with_users("recording = \"never\""), &database);
    let key = one.dir.path().join("data/vault.key");
    let shared_key = format!("{database}[vault]\nkey-file = {key:?}\n");
    let two = Server::start_with(&with_users("recording = \"never\""), &shared_key);
    callers_hear(&one);
    let (here, there) =
        (Session::open(one.http, "ivr", "secret-of-ivr"), Session::open(two.http, "ivr", "secret-of-ivr"));
    let (status, made) = put(one.http, &here, "en~welcome", NEW, MP3);
    assert_eq!(status, 201, "{made}");
    let version = version_of(&made);
    until(SOON, "the other server to have it", || {
        (listed(&there, "en~welcome")["version"] == version).then_some(())
    });
    let caller = Caller::calls(&two);
    caller.hears(MP3_HZ, 3.0, WAV_HZ, "what the other server took in");
    caller.leaves();
}

/// The story of a greeting: WAV, MP3, a bad file, earlier versions, none.
fn callers_hear(server: &Server) {
    let ivr = Session::open(server.http, "ivr", "secret-of-ivr");
    let shipped = listed(&ivr, "en~welcome");
    assert_eq!((&shipped["source"], &shipped["usedBy"]), (&json!("shipped"), &json!(["support"])));

    let (status, made) = put(server.http, &ivr, "en~welcome", NEW, &wav(WAV_HZ, 3));
    assert_eq!(status, 201, "{made}");
    let first = version_of(&made);
    let caller = Caller::calls(server);
    caller.hears(WAV_HZ, 2.7, MP3_HZ, "the WAV that was uploaded");
    caller.leaves();

    // Nobody overwrites what somebody else has put there.
    assert_eq!(put(server.http, &ivr, "en~welcome", NEW, MP3).0, 412);
    assert_eq!(put(server.http, &ivr, "en~welcome", "Accept: */*", MP3).0, 428);
    let (status, made) = put(server.http, &ivr, "en~welcome", &format!("If-Match: \"{first}\""), MP3);
    assert_eq!(status, 200, "{made}");
    let second = version_of(&made);
    let caller = Caller::calls(server);
    caller.hears(MP3_HZ, 3.5, WAV_HZ, "the MP3 that was uploaded");
    caller.leaves();

    // What is no sound is refused, and the old one stays.
    for bad in [&b"this is no sound"[..], &MP3[..60], &wav(WAV_HZ, 3)[..4_000], &[0; 10_000]] {
        let (status, refusal) = put(server.http, &ivr, "en~welcome", &format!("If-Match: \"{second}\""), bad);
        assert_eq!((status, &refusal["title"]), (422, &json!("bad-audio")), "{refusal}");
    }
    assert_eq!(listed(&ivr, "en~welcome")["version"], second);

    // The earlier one again; and while it plays, the later one: it is heard to its end.
    restore(&ivr, "en~welcome", &first);
    let caller = Caller::calls(server);
    caller.hears(WAV_HZ, 0.3, MP3_HZ, "the earlier one begins");
    restore(&ivr, "en~welcome", &second);
    let next = Caller::calls(server);
    caller.hears(WAV_HZ, 2.7, MP3_HZ, "the earlier one to its end");
    next.hears(MP3_HZ, 3.5, WAV_HZ, "the later one, in the next call");
    caller.leaves();
    next.leaves();

    ivr.does("DELETE", "/prompts/en~welcome", None);
    let now = listed(&ivr, "en~welcome");
    assert_eq!((&now["source"], &now["version"]), (&json!("shipped"), &shipped["version"]));
    assert_eq!(now["versions"].as_array().map(Vec::len), Some(2), "versions stay: {now}");
}

#[test]
fn an_answer_is_stored_with_the_question_that_was_heard() {
    let _machine = shared();
    let server =
        Server::start(&with_users("recording = \"consent\"\nconsent = { attempts = 2, timeout = \"20s\" }"));
    let ivr = Session::open(server.http, "ivr", "secret-of-ivr");
    let upload = |prompt: &str, condition: &str, hz: f64| {
        let (status, made) = put(server.http, &ivr, prompt, condition, &wav(hz, 3));
        assert!([200, 201].contains(&status), "{made}");
        version_of(&made)
    };
    upload("en~welcome", NEW, 500.0);
    let first = upload("en~consent-question", NEW, WAV_HZ);
    let second = upload("en~consent-question", &format!("If-Match: \"{first}\""), MP3_HZ);
    restore(&ivr, "en~consent-question", &first);
    let caller = Caller::calls(&server);
    caller.hears(500.0, 0.3, WAV_HZ, "the greeting");
    restore(&ivr, "en~consent-question", &second);
    caller.hears(WAV_HZ, 1.0, MP3_HZ, "the question that was in force when the call came");
    caller.ear.press(1);
    let given = || server.rows(&["consents", "list"]).first().cloned();
    let row = until(SOON, "the answer to be stored", given);
    assert_eq!((&row["answer"], &row["question_sha256"]), (&json!("yes"), &json!(first)), "{row}");
    caller.leaves();
    // Callers who come from now on are asked the other one, and the linter knows that others were asked this one.
    let caller = Caller::calls(&server);
    caller.hears(MP3_HZ, 1.0, WAV_HZ, "the other question");
    caller.leaves();
}

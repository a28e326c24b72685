//! Who may hear a recording, and how: ranges of a real call's audio, the listening log before the first byte, exports
//! that go on where they were stopped, a vCon that others can verify, and nothing after destruction.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _};

use crate::harness::audio::tone;
use crate::harness::phone::SOON;
use crate::harness::server::{SAYSO, Server, text};
use crate::harness::vault::{ALWAYS, Kept, Line, ROOT, Random, settings, settled, start};
use crate::harness::{shared, until};

const SETTLED: Duration = Duration::from_secs(60);

/// A server with one stored recording of a call, and users of three roles.
fn recorded(kept: &Kept, vault: &str) -> (Server, String) {
    let mut text = settings(1, |_| ALWAYS.to_owned());
    for (user, role) in [("lead", "supervisor"), ("clerk", "reporting"), ("ann", "agent")] {
        text.push_str(&format!(
            "\n[user.{user}]\nrole = \"{role}\"\npassword = \"the secret of {user}\"\nmust-change = false\n"
        ));
    }
    let server = start(&text, &kept.config(vault, ""));
    let talk = Line::ringing(&server, 0, "+4930555001").talk([tone(420.0), tone(710.0)]);
    talk.lasts(6.0);
    talk.hang_up();
    let rows = settled(&server, SETTLED);
    assert_eq!((rows.len(), &rows[0]["state"]), (1, &json!("stored")), "{rows:?}");
    let id = rows[0]["id"].as_str().expect("an id").to_owned();
    (server, id)
}

/// A user's session, as a program holds one; bodies are bytes.
struct Reader<'a> {
    server: &'a Server,
    cookie: String,
}

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn title(&self) -> (u16, String) {
        let told: Value = serde_json::from_slice(&self.body).expect("a problem");
        (self.status, told["title"].as_str().expect("a title").to_owned())
    }
}

impl<'a> Reader<'a> {
    fn new(server: &'a Server, user: &str) -> Self {
        let mut reader = Self { server, cookie: String::new() };
        let secret = if user == ROOT.0 { ROOT.1.to_owned() } else { format!("the secret of {user}") };
        let answer = reader.ask("POST", "/session", &[], Some(json!({ "user": user, "password": secret })));
        assert_eq!(answer.status, 200, "log-in of {user}");
        reader.cookie = answer.headers["set-cookie"].split(';').next().expect("a cookie").to_owned();
        reader
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> TcpStream {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} /api/v1{path} HTTP/1.1\r\nHost: {}\r\nX-Sayso: 1\r\nCookie: {}\r\n{more}\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.server.http,
            self.cookie,
            body.len()
        );
        let mut stream = TcpStream::connect(self.server.http).expect("the server accepts");
        stream.set_read_timeout(Some(SOON)).expect("a timeout can be set");
        stream.write_all(request.as_bytes()).expect("the server reads");
        stream
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        answer(self.send(method, path, headers, body))
    }

    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers, None)
    }
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("an answer in time");
    let end = all.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let body = all.split_off(end + 4);
    let head = String::from_utf8(all).expect("text");
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers = fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body }
}

/// The listening log: who listened to what.
fn listened(server: &Server) -> Vec<String> {
    let rows = server.rows(&["audit", "list", "--action", "recording.listened"]);
    rows.iter()
        .rev()
        .map(|row| format!("{} {}", row["who"].as_str().unwrap(), row["what"].as_str().unwrap()))
        .collect()
}

fn slices(kept: &Kept) {
    let (server, id) = recorded(kept, "");
    let wav = std::fs::read(server.export(&id)).expect("the export");
    let before = listened(&server).len();
    let lead = Reader::new(&server, "lead");
    let path = format!("/recordings/{id}/audio");
    let whole = lead.get(&path, &[]);
    assert_eq!((whole.status, whole.headers["content-type"].as_str()), (200, "audio/wav"));
    assert!(whole.body == wav, "{} bytes, the export has {}", whole.body.len(), wav.len());
    let mut random = Random::seeded("ranges");
    for _ in 0..40 {
        let (a, b) = (random.below(wav.len() as u64) as usize, random.below(wav.len() as u64) as usize);
        let (first, last) = (a.min(b), a.max(b));
        let part = lead.get(&path, &[("Range", &format!("bytes={first}-{last}"))]);
        assert_eq!(part.status, 206);
        assert_eq!(part.headers["content-range"], format!("bytes {first}-{last}/{}", wav.len()));
        assert!(part.body == wav[first..=last], "{first}-{last}");
    }
    assert_eq!(listened(&server).len(), before + 1, "one session, one entry: {:?}", listened(&server));
    for user in ["clerk", "ann"] {
        assert_eq!(Reader::new(&server, user).get(&path, &[]).title(), (403, "no-right".into()), "{user}");
    }
    let stranger = Reader { server: &server, cookie: String::new() };
    assert_eq!(stranger.get(&path, &[]).title(), (401, "not-logged-in".into()));
    // Destroyed: nobody hears it any more, and there is a proof.
    let root = Reader::new(&server, ROOT.0);
    let gone = root.ask("DELETE", &format!("/recordings/{id}"), &[], Some(json!({ "reason": "a test" })));
    assert_eq!(gone.status, 202);
    assert_eq!(lead.get(&path, &[]).title(), (410, "destroyed".into()));
    let certificate = until(SETTLED, "the certificate", || {
        let answer = root.get(&format!("/recordings/{id}/certificate"), &[]);
        (answer.status == 200).then_some(answer.body)
    });
    let file = server.dir.path().join("certificate.json");
    std::fs::write(&file, certificate).expect("the folder is writable");
    let output = server.run(&["certificate", "verify"], &[&file]);
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(lead.get(&path, &[]).title(), (410, "destroyed".into()));
    assert_eq!(kept.names(&server), Vec::<String>::new());
}

#[test]
fn ranges_of_a_folder_are_slices_of_the_export() {
    let _machine = shared();
    slices(&Kept::Folder);
}

#[test]
fn ranges_of_a_bucket_are_slices_of_the_export() {
    let _machine = shared();
    slices(&Kept::s3s());
}

#[test]
fn nothing_is_heard_before_the_listening_log_knows() {
    let _machine = shared();
    let (server, id) = recorded(&Kept::Folder, "listening-reason = true");
    let lead = Reader::new(&server, "lead");
    let path = format!("/recordings/{id}/audio");
    assert_eq!(lead.get(&path, &[]).title(), (428, "reason-needed".into()));
    let listening = format!("/recordings/{id}/listening");
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", server.dir.path().join("data/sayso.db").display());
    let database = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut lock = database.block_on(sqlx::AnyConnection::connect(&url)).expect("the database");
    database.block_on(lock.execute("BEGIN IMMEDIATE")).expect("the lock");
    let mut asked = lead.send("POST", &listening, &[], Some(json!({ "reason": "a complaint" })));
    asked.set_read_timeout(Some(Duration::from_millis(800))).expect("a timeout can be set");
    let early = asked.read(&mut [0]);
    assert!(early.is_err(), "an answer came while the entry could not be written");
    assert_eq!(lead.get(&path, &[]).status, 503, "and no audio comes by another way");
    database.block_on(lock.execute("ROLLBACK")).expect("it is given back");
    asked.set_read_timeout(Some(SOON)).expect("a timeout can be set");
    let answered = answer(asked).status;
    assert!([201, 503].contains(&answered), "{answered}");
    let again = lead.ask("POST", &listening, &[], Some(json!({ "reason": "a complaint" })));
    assert_eq!(again.status, 201);
    assert_eq!(lead.get(&path, &[]).status, 200);
    let rows = server.rows(&["audit", "list", "--action", "recording.listened"]);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(rows[0]["class"], "read");
}

#[test]
fn an_export_goes_on_after_a_kill() {
    let _machine = shared();
    let (server, id) = recorded(&Kept::s3s(), "");
    let truth = std::fs::read(server.export(&id)).expect("the export");
    let dir = server.dir.path().join("all");
    let config = server.config();
    let run = || {
        let mut command = Command::new(SAYSO);
        command.args(["recordings", "export", "--queue", "q0", "--to"]).arg(&dir);
        command.arg("--config").arg(&config).stdin(Stdio::null());
        command
    };
    // What a kill in mid-file leaves: as much as was written, the last of it perhaps not what it should be.
    std::fs::create_dir_all(&dir).expect("the folder is writable");
    let out = dir.join(format!("{id}.wav"));
    let draft = dir.join(format!("{id}.wav.{id}.part"));
    let mut half = truth[..truth.len() / 2].to_vec();
    half.extend([0xAA; 100]);
    let options = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft);
    options.and_then(|mut file| file.write_all(&half)).expect("the folder is writable");
    let first = run().output().expect("sayso runs");
    assert!(first.status.success(), "{}", text(&first));
    assert!(text(&first).contains("1 written, 0 were there already"), "{}", text(&first));
    assert!(std::fs::read(&out).expect("the file") == truth && !draft.exists());
    // Done is done, and wrong is written anew.
    let second = run().output().expect("sayso runs");
    assert!(text(&second).contains("0 written, 1 were there already"), "{}", text(&second));
    let mut wrong = truth.clone();
    wrong[1_000] ^= 1;
    std::fs::write(&out, wrong).expect("it is writable");
    let third = run().output().expect("sayso runs");
    assert!(text(&third).contains("1 written, 0 were there already"), "{}", text(&third));
    assert!(std::fs::read(&out).expect("the file") == truth);
    // A kill at any moment leaves no wrong file.
    for _ in 0..5 {
        std::fs::remove_file(&out).expect("it is there");
        let mut child = run().stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sayso runs");
        let begun = || (draft.exists() || out.exists() || child.try_wait().ok()?.is_some()).then_some(());
        until(SOON, "a draft", begun);
        child.kill().expect("it is ours");
        child.wait().expect("it has ended");
        let after = run().output().expect("sayso runs");
        assert!(after.status.success(), "{}", text(&after));
        assert!(std::fs::read(&out).expect("the file") == truth && !draft.exists());
    }
}

#[test]
fn a_vcon_is_verified_by_others() {
    let _machine = shared();
    let (server, id) = recorded(&Kept::Folder, "");
    let truth = std::fs::read(server.export(&id)).expect("the export");
    let file = server.dir.path().join("call.vcon");
    let to = file.to_str().expect("UTF-8").to_owned();
    let words = ["recordings", "export", &id, "--format", "vcon", "--manifest", "--to", &to, "--config"];
    let output = server.run(&words, &[&server.config()]);
    assert!(output.status.success(), "{}", text(&output));
    let signed = std::fs::read_to_string(&file).expect("the vCon");
    let told = sayso::export::verify(&signed, None).expect("it is whole");
    assert_eq!(told["parties"][0]["tel"], "tel:+4930555001");
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let body = told["dialog"][0]["body"].as_str().expect("the audio");
    assert!(engine.decode(body).expect("base64url") == truth);
    // The certificate beside the signature, judged by OpenSSL.
    let outer: Value = serde_json::from_str(&signed).expect("JSON");
    let certificate = outer["signatures"][0]["header"]["x5c"][0].as_str().expect("a certificate");
    let pem = server.dir.path().join("key.pem");
    let text_of = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
    std::fs::write(&pem, text_of).expect("the folder is writable");
    let verified =
        Command::new("openssl").args(["verify", "-check_ss_sig", "-CAfile"]).arg(&pem).arg(&pem).output();
    let verified = verified.expect("openssl is there");
    assert!(verified.status.success(), "{}", text(&verified));
    // And the signature itself.
    let part = |name: &str, bytes: &[u8]| {
        let path = server.dir.path().join(name);
        std::fs::write(&path, bytes).expect("the folder is writable");
        path
    };
    let told = |at: &Value| at.as_str().expect("text").to_owned();
    let signature = &outer["signatures"][0];
    let input = format!("{}.{}", told(&signature["protected"]), told(&outer["payload"]));
    let input = part("input", input.as_bytes());
    let signature = part("signature", &engine.decode(told(&signature["signature"])).expect("base64url"));
    let mut judge = Command::new("openssl");
    judge.args(["pkeyutl", "-verify", "-rawin", "-certin", "-inkey"]).arg(&pem);
    let judged =
        judge.arg("-sigfile").arg(signature).arg("-in").arg(input).output().expect("openssl is there");
    assert!(judged.status.success(), "{}", text(&judged));
    // By the command line, with the installation's key.
    let key = server.run(&["certificate", "key", "--config"], &[&server.config()]);
    let key = String::from_utf8(key.stdout).expect("text").trim().to_owned();
    let beside = server.dir.path().join("call.vcon.json");
    for one in [&file, &beside] {
        let checked = server.run(&["recordings", "verify-export", "--key", &key], &[one]);
        assert!(checked.status.success(), "{}", text(&checked));
        let other = server.run(&["recordings", "verify-export", "--key", &"07".repeat(32)], &[one]);
        assert!(!other.status.success() && text(&other).contains(&key), "{}", text(&other));
        let mode = std::fs::metadata(one).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let manifest = std::fs::read_to_string(beside).expect("the manifest");
    let manifest = sayso::export::Manifest::verify(&manifest, None).expect("it is whole");
    assert_eq!((manifest.recording, manifest.audio.bytes), (id.clone(), signed.len() as u64));
    let exported = server.rows(&["audit", "list", "--action", "recording.exported"]);
    assert_eq!(exported.len(), 2, "{exported:?}");
    // Every chunk, by the command line; then one bit is turned.
    let verify = || server.run(&["recordings", "verify", "--all", "--config"], &[&server.config()]);
    assert!(verify().status.success());
    let object = server.dir.path().join("data/vault/objects").join(Kept::Folder.names(&server).remove(0));
    let mut bytes = std::fs::read(&object).expect("the object");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(&object).expect("it is ours");
    std::fs::write(&object, bytes).expect("it is ours");
    let wrong = verify();
    assert!(!wrong.status.success() && text(&wrong).contains(&id), "{}", text(&wrong));
    let root = Reader::new(&server, ROOT.0);
    assert_eq!(root.get(&format!("/recordings/{id}/audio"), &[]).title(), (500, "damaged".into()));
    let alarms: Value = serde_json::from_slice(&root.get("/alarms", &[]).body).expect("JSON");
    assert_eq!(alarms[0]["kind"], "recording-damaged", "{alarms}");
}

#[test]
fn the_command_line_destroys_with_and_without_a_server() {
    let _machine = shared();
    for running in [true, false] {
        let kept = Kept::Folder;
        let (mut server, id) = recorded(&kept, "");
        if !running {
            server.terminate();
            assert_eq!(server.ended(Duration::from_secs(60)), Some(0));
        }
        let words = ["recordings", "destroy", &id, "--reason", "a test", "--config"];
        let output = server.run(&words, &[&server.config()]);
        assert!(output.status.success(), "running {running}: {}", text(&output));
        assert_eq!(server.rows(&["recordings", "list"])[0]["state"], "removed");
        assert_eq!(kept.names(&server), Vec::<String>::new());
        let show = server.run(&["certificate", "show", &id, "--config"], &[&server.config()]);
        assert!(show.status.success() && text(&show).contains(&id), "{}", text(&show));
    }
}

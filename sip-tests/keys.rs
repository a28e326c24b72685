//! Keys: rotations while calls run and under kill -9, wrong key files, databases from before a rotation, a whole KMS;
//! deletion certificates of a running server, verified without it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sayso::audit::Actor;
use sayso::call::Fact;
use sayso::consent::{Basis, DataKey};
use sayso::ids::{CallId, RecordingId};
use sayso::settings::Language;
use sayso::store::{Change, KekProvider, KekRow, KekState, RecordingChange, Store};
use sayso::time::Clock;
use sayso::vault::{KeySource, Keyring, KnownKek, Provider, WrappedKey};
use serde_json::Value;
use tokio::runtime::Runtime;
use ulid::Ulid;

use crate::harness::audio::{RATE, channels, clips, find, read};
use crate::harness::faults::{Fault, Faults};
use crate::harness::phone::{Phone, SOON};
use crate::harness::rtp::Stream;
use crate::harness::s3::{ACCESS_KEY, S3Server, SECRET_KEY};
use crate::harness::server::{SAYSO, Server, password, settings, text};
use crate::harness::vault::{database, sql};
use crate::harness::{Process, shared, until};

const ALWAYS: &str = "recording = \"always\"\nlegal-basis = { obligation = \"MiFID II\" }";
const NUMBER: &str = "+4930100";
const TALK: Duration = Duration::from_secs(10);

/// A caller and an agent in conversation, recorded.
struct Pair {
    caller: Phone,
    agent: Phone,
    said: Stream,
    answered: Stream,
}

impl Pair {
    fn connected(server: &Server) -> Self {
        let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
        agent.register(&password("ada"), 3600);
        let mut caller = Phone::new(server.udp, [127, 0, 0, 1], "+4930555002");
        caller.call_answered(NUMBER);
        agent.rung_within(Duration::from_secs(20));
        agent.pick_up();
        server.phase("talking");
        let said = caller.talk(Arc::new(read(&clips().caller)));
        let answered = agent.talk(Arc::new(read(&clips().agent)));
        Self { caller, agent, said, answered }
    }

    /// Waits until the caller has said so many seconds more.
    fn talk(&self, seconds: usize) {
        let said = || self.said.log(|log| log.said.len());
        let enough = said() + seconds * RATE;
        until(TALK, "talk", || (said() >= enough).then_some(()));
    }

    /// The caller hangs up; what the caller said.
    fn part(mut self) -> Vec<i16> {
        let (said, _) = (self.said.finish(), self.answered.finish());
        self.caller.bye();
        self.agent.take("BYE", SOON);
        said.said
    }
}

/// A call of two seconds from ring to end; what the caller said.
fn call(server: &Server) -> Vec<i16> {
    let pair = Pair::connected(server);
    pair.talk(2);
    pair.part()
}

/// Waits until so many recordings are stored; their rows, oldest first.
fn stored(server: &Server, count: usize) -> Vec<Value> {
    until(TALK, "recordings to be stored", || {
        let mut rows = server.rows(&["recordings", "list"]);
        rows.reverse();
        (rows.len() == count && rows.iter().all(|row| row["state"] == "stored")).then_some(rows)
    })
}

/// The recording can be read, and holds what the caller said.
fn assert_heard(server: &Server, row: &Value, said: &[i16]) {
    let wav = channels(&server.export(row["id"].as_str().expect("an id")));
    find(&wav[0][RATE / 50..], said).assert("caller", 2, 0.99, 0.3);
}

fn keys(server: &Server, words: &[&str]) -> Output {
    server.run(&[&["keys"], words, &["--config"]].concat(), &[&server.config()])
}

/// Rotates, and all is well.
fn rotate(server: &Server) -> String {
    let output = keys(server, &["rotate"]);
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

/// The keys that are listed: (id, state, recordings), newest first.
fn listed(server: &Server) -> Vec<(String, String, u64)> {
    let row = |row: &Value| {
        let word = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        (word("id"), word("state"), row["recordings"].as_u64().expect("a number"))
    };
    server.rows(&["keys", "list"]).iter().map(row).collect()
}

fn key_file(server: &Server) -> std::path::PathBuf {
    server.dir.path().join("data/vault.key")
}

/// Starts a server that must refuse to start, and say these words.
fn assert_refuses(config: &Path, words: &[&str]) {
    let mut command = Command::new(SAYSO);
    command.arg("serve").arg("--config").arg(config).stdin(Stdio::null());
    let log = config.with_file_name("refusal.log");
    command.stdout(Stdio::null()).stderr(fs::File::create(&log).expect("a file"));
    let code = Process::start("sayso", &mut command).wait(Duration::from_secs(60));
    let said = fs::read_to_string(&log).expect("its log");
    assert_eq!(code, Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn keys_are_rotated_while_calls_run() {
    let _machine = shared();
    let server = Server::start(&settings(ALWAYS, &["ada"]));
    let before = call(&server);
    stored(&server, 1);
    let pair = Pair::connected(&server);
    pair.talk(1);
    let old = fs::read_to_string(key_file(&server)).expect("a key");
    let said = rotate(&server);
    assert!(said.contains("is the new key") && said.contains("2 recordings' keys"), "{said}");
    let new = fs::read_to_string(key_file(&server)).expect("a key");
    assert!(new != old && new.lines().count() == 1, "one key, another one");
    until(SOON, "the server to notice", || server.whole_log().contains("keys changed").then_some(()));
    pair.talk(2);
    let during = pair.part();
    let after = call(&server);
    let rows = stored(&server, 3);
    for (row, said) in rows.iter().zip([before, during, after]) {
        assert_heard(&server, row, &said);
    }
    let [(_, current, by_new), (_, retired, by_old)] = listed(&server).try_into().expect("two keys");
    assert_eq!((current.as_str(), by_new, retired.as_str(), by_old), ("current", 3, "retired", 0));
    let audit = server.rows(&["audit", "list"]);
    for (action, count) in [("kek.made", 2), ("kek.resealed", 1), ("kek.retired", 1), ("kek.removed", 1)] {
        assert_eq!(audit.iter().filter(|row| row["action"] == action).count(), count, "{action}");
    }
    server.audit_is_whole();
    let log = server.whole_log();
    assert!(!log.contains(old.trim()) && !log.contains(new.trim()), "no key in the log");
}

#[test]
fn a_key_file_that_does_not_fit_is_refused_and_so_is_an_older_database() {
    let _machine = shared();
    let mut server = Server::start(&settings(ALWAYS, &["ada"]));
    let said = call(&server);
    let row = stored(&server, 1).remove(0);
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(30)), Some(0));
    let (file, config) = (key_file(&server), server.config());
    let truth = fs::read_to_string(&file).expect("a key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    assert_refuses(&config, &["vault.key", "0644", "chmod 600"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    fs::write(&file, format!("{}\n", "01".repeat(32))).expect("ours");
    assert_refuses(&config, &["vault.key does not hold the key-encryption key", "restore", "backup"]);
    fs::write(&file, "nonsense\n").expect("ours");
    assert_refuses(&config, &["line 1", "64 hexadecimal digits"]);
    fs::remove_file(&file).expect("ours");
    assert_refuses(&config, &["vault.key is missing", "restore it from its backup"]);
    assert!(!file.exists(), "no new key in its place");
    fs::write(&file, &truth).expect("ours");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");

    // The database as a backup has it, from before a rotation: with the new key file it opens nothing.
    let (database, backup) = (server.dir.path().join("data/sayso.db"), server.dir.path().join("backup.db"));
    fs::copy(&database, &backup).expect("a backup");
    assert!(rotate(&server).contains("1 recordings' keys"), "with no server that runs");
    assert_heard(&server, &row, &said);
    for end in ["-wal", "-shm"] {
        // They may be there or not.
        let _ = fs::remove_file(format!("{}{end}", database.display()));
    }
    fs::copy(&backup, &database).expect("restored");
    let id = row["id"].as_str().expect("an id");
    let out = server.dir.path().join("stolen.wav");
    let words = ["recordings", "export", id, "--to", out.to_str().expect("UTF-8"), "--config"];
    let output = server.run(&words, &[&config]);
    assert!(!output.status.success() && text(&output).contains("does not hold"), "{}", text(&output));
    assert!(!out.exists());
    assert_refuses(&config, &["does not hold the key-encryption key"]);
}

/// Recordings that a killed rotation has to do with: enough that it takes a while.
const MANY: u64 = 3_000;

#[test]
fn a_rotation_that_is_killed_goes_on() {
    let _machine = shared();
    let mut server = Server::start(&settings(ALWAYS, &["ada"]));
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(30)), Some(0));
    let runtime = Runtime::new().expect("a runtime");
    let store = runtime.block_on(many(&server));
    let first = runtime.block_on(store.keks()).expect("keys")[0].id.clone();
    let left = || runtime.block_on(store.count_wrapped_by(Some(&first))).expect("a number");
    let lines = || fs::read_to_string(key_file(&server)).expect("it is always there").lines().count();
    let states =
        || runtime.block_on(store.keks()).expect("keys").iter().map(|kek| kek.state).collect::<Vec<_>>();
    let moments: [(&str, &dyn Fn() -> bool); 5] = [
        ("the key is in the file", &|| lines() == 2),
        ("the key is registered", &|| states().len() == 2),
        ("some recordings are sealed anew", &|| left() < MANY),
        ("more of them are", &|| left() < MANY / 2),
        ("the old key is retired", &|| states().contains(&KekState::Retired)),
    ];
    for (what, came) in moments {
        let mut command = Command::new(SAYSO);
        command.args(["keys", "rotate", "--config"]).arg(server.config()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let rotation = Process::start("sayso keys rotate", &mut command);
        until(Duration::from_secs(60), what, || came().then_some(()));
        drop(rotation); // SIGKILL
        runtime.block_on(all_open(&server, &store));
    }
    rotate(&server);
    assert_eq!((left(), lines()), (0, 1));
    assert!(!states().contains(&KekState::Retiring));
    runtime.block_on(all_open(&server, &store));
    runtime.block_on(store.close());
    server.audit_is_whole();
}

/// The server's keys, opened from outside.
async fn keyring(server: &Server, store: &Store) -> Keyring {
    let known: Vec<KnownKek> = store.keks().await.expect("keys").into_iter().map(known_of).collect();
    let source = KeySource { file: key_file(server), kms: None };
    Keyring::open(source, &known, false).await.expect("keys that fit").0
}

fn known_of(row: KekRow) -> KnownKek {
    let provider = match row.provider {
        KekProvider::File => Provider::File,
        KekProvider::Kms => Provider::Kms,
    };
    let state = match row.state {
        KekState::Current => sayso::vault::KekState::Current,
        KekState::Retiring => sayso::vault::KekState::Retiring,
        KekState::Retired => sayso::vault::KekState::Retired,
    };
    let wrapped = row.wrapped.map(|wrapped| wrapped.0);
    KnownKek { id: row.id.parse().expect("an id"), provider, state, wrapped }
}

fn recording(n: u64) -> RecordingId {
    RecordingId::new(Ulid(u128::from(n) + 1))
}

/// The key of recording `n`.
fn data_key(n: u64) -> DataKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    DataKey::new(bytes)
}

/// A database with many recordings.
async fn many(server: &Server) -> Store {
    let url = format!("sqlite:{}", server.dir.path().join("data/sayso.db").display());
    let clock = Clock::start();
    let (store, call) = (Store::open(&url, clock).await.expect("a database"), CallId::new(Ulid(1)));
    let arrived = Fact::Arrived {
        call,
        at: clock.now(),
        from: None,
        dialled: NUMBER.into(),
        trunk: Some("carrier".into()),
        queue: "support".into(),
        language: Language("en".into()),
    };
    store.commit(vec![Change::Fact(arrived)]).await.expect("a call");
    let keyring = keyring(server, &store).await;
    let armed = |n: u64| {
        let wrapped = keyring.wrap(recording(n), &data_key(n));
        Change::Recording(RecordingChange::Armed {
            id: recording(n),
            call,
            basis: Basis::Agreed(clock.now()),
            kek: wrapped.kek().expect("a key").to_string(),
            wrapped_key: wrapped.0,
            spool: "01JD00000000000000000000AA".to_owned(),
            format: "pcm16".to_owned(),
            at: clock.now(),
        })
    };
    for batch in (0..MANY).collect::<Vec<_>>().chunks(500) {
        store.commit(batch.iter().map(|n| armed(*n)).collect()).await.expect("recordings");
    }
    store
}

/// With what is there now, every recording's key opens.
async fn all_open(server: &Server, store: &Store) {
    let keyring = keyring(server, store).await;
    let mut open = 0;
    for kek in store.keks().await.expect("keys") {
        let mut after = None;
        loop {
            let rows = store.recordings_wrapped_by(Some(&kek.id), after, 1_000).await.expect("rows");
            let Some(last) = rows.last() else { break };
            after = Some(last.id);
            for row in rows {
                let wrapped = WrappedKey(row.wrapped_key.expect("a key").0);
                let key = keyring.unwrap(row.id, &wrapped).expect("it opens");
                let n = u64::from_be_bytes(key.bytes()[..8].try_into().expect("8 bytes"));
                assert_eq!(recording(n), row.id, "its own key");
                open += 1;
            }
        }
    }
    assert_eq!(open, MANY);
}

/// A client of KMS, past everything of ours.
fn kms(endpoint: &str) -> aws_sdk_kms::Client {
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(aws_sdk_kms::config::Credentials::new(
            ACCESS_KEY, SECRET_KEY, None, None, "tests",
        ));
    aws_sdk_kms::Client::from_conf(config.build())
}

#[test]
fn kms_holds_the_key_and_may_be_away_later() {
    let _machine = shared();
    let runtime = Runtime::new().expect("a runtime");
    let moto = S3Server::shared_moto();
    let (client, proxy) = (kms(&moto.endpoint()), Faults::start(moto.address()));
    let made = runtime.block_on(client.create_key().send()).expect("a key");
    let key = made.key_metadata.expect("its description").key_id;
    let section = format!(
        "[vault.kms]\nkey-id = {key:?}\nregion = \"us-east-1\"\nendpoint = {:?}\naccess-key-id = {ACCESS_KEY:?}\n\
         secret-access-key = {SECRET_KEY:?}\n",
        proxy.endpoint()
    );
    let mut server = Server::start_with(&settings(ALWAYS, &["ada"]), &section);
    assert!(!key_file(&server).exists(), "KMS holds the key");
    let first = call(&server);
    stored(&server, 1);
    assert!(rotate(&server).contains("1 recordings' keys"));
    until(SOON, "the server to notice", || server.whole_log().contains("keys changed").then_some(()));
    let asked = proxy.seen().len();
    proxy.away(true);
    let second = call(&server);
    let rows = stored(&server, 2);
    proxy.away(false);
    assert_eq!(proxy.seen().len(), asked, "a call asks KMS nothing");
    for (row, said) in rows.iter().zip([&first, &second]) {
        assert_heard(&server, row, said);
    }
    let states: Vec<(String, u64)> = listed(&server).into_iter().map(|(_, state, n)| (state, n)).collect();
    assert_eq!(states, [("current".to_owned(), 2), ("retired".to_owned(), 0)]);
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(30)), Some(0));
    let config = server.config();
    proxy.away(true);
    assert_refuses(&config, &["AWS KMS cannot be reached", &key]);
    proxy.away(false);
    // This server opens with every key, disabled or another; AWS answers so.
    for (code, words) in [
        ("DisabledException", ["cannot be used", "enable it again"]),
        ("IncorrectKeyException", ["AWS KMS does not open the key-encryption key", "check key-id"]),
    ] {
        proxy.rule("POST", 1, Fault::Answer(400, code));
        assert_refuses(&config, &[words[0], words[1], &key]);
        assert!(proxy.all_met(), "it was asked");
        proxy.mend();
    }
    server.start_again();
    for (row, said) in rows.iter().zip([&first, &second]) {
        assert_heard(&server, row, said);
    }
    let log = server.whole_log();
    assert!(!log.contains(SECRET_KEY), "no secret in the log");
    // What KMS is given is not what it made.
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(30)), Some(0));
    let spoil = "UPDATE keks SET wrapped = substr(wrapped, 1, length(wrapped) - 1) WHERE state = 'current'";
    sql(&database(server.dir.path()), spoil);
    assert_refuses(&config, &["AWS KMS does not open the key-encryption key", &key]);
}

#[test]
fn a_certificate_of_the_running_server_is_verified_without_it() {
    let _machine = shared();
    let mut server = Server::start(&settings(ALWAYS, &["ada"]));
    call(&server);
    let id = stored(&server, 1)[0]["id"].as_str().expect("an id").to_owned();
    let config = server.config();
    let show = || server.run(&["certificate", "show", &id, "--config"], &[&config]);
    let none = show();
    assert!(!none.status.success() && text(&none).contains("only what was destroyed"), "{}", text(&none));
    // The order as a retention rule gives it; everything else is the server's.
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let url = format!("sqlite:{}", server.dir.path().join("data/sayso.db").display());
        let clock = Clock::start();
        let store = Store::open(&url, clock).await.expect("a database");
        let id = id.parse().expect("an id");
        let (rule, why) = ("retention".to_owned(), "kept for 30 days".to_owned());
        let gone =
            RecordingChange::Destroyed { id, at: clock.now(), rule, why, by: Actor::User("dpo".into()) };
        store.commit(vec![Change::Recording(gone)]).await.expect("destroyed");
        store.close().await;
    });
    let output =
        until(Duration::from_secs(20), "the certificate", || Some(show()).filter(|o| o.status.success()));
    let away = tempfile::tempdir().expect("a folder");
    let file = away.path().join("certificate.json");
    fs::write(&file, &output.stdout).expect("ours");
    assert_eq!(server.rows(&["certificate", "list"])[0]["recording"], id.as_str());
    let key = server.run(&["certificate", "key", "--config"], &[&config]);
    let key = String::from_utf8(key.stdout).expect("UTF-8").trim().to_owned();
    let with_log =
        server.run(&["certificate", "verify", "--key", &key, "--audit", "--config"], &[&config, &file]);
    let said = text(&with_log);
    assert!(with_log.status.success() && said.contains("The audit log of this database is whole"), "{said}");
    // Without the server, and where there is nothing of it.
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(30)), Some(0));
    let verify = |file: &Path, more: &[&str]| {
        let mut command = Command::new(SAYSO);
        command.args(["certificate", "verify"]).args(more).arg(file).current_dir(away.path());
        command.stdin(Stdio::null()).output().expect("sayso runs")
    };
    let good = verify(&file, &["--key", &key]);
    let said = text(&good);
    assert!(good.status.success(), "{said}");
    for word in
        [id.as_str(), "by the expected key", "retention", "kept for 30 days", "dpo", "found after    nothing"]
    {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
    assert!(said.contains(&format!("{id}.rec")), "what was found before is named: {said}");
    let refused = |output: Output, says: &str| {
        let said = text(&output);
        assert!(!output.status.success() && said.contains(says), "{says:?} is missing in: {said}");
    };
    refused(verify(&file, &["--key", &"ab".repeat(32)]), "signed with the key");
    refused(verify(&away.path().join("absent"), &[]), "absent");
    let issued = fs::read_to_string(&file).expect("ours");
    let changed = away.path().join("changed.json");
    for (from, to, says) in [
        ("30 days", "31 days", "changed after it was signed"),
        ("{\"algorithm\"", "{ \"algorithm\"", "not as it was issued"),
        ("{\"algorithm\"", "", "no deletion certificate"),
    ] {
        fs::write(&changed, issued.replacen(from, to, 1)).expect("ours");
        refused(verify(&changed, &["--key", &key]), says);
    }
    assert!(!issued.contains("+4930555002") && !issued.contains("555002"), "no number of a person in it");
}

//! What must not be read is not: recordings that were tampered with, sealed with another key, or destroyed; and what
//! is destroyed is nowhere, with a certificate that says so.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use aws_sdk_s3::Client;
use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::server::{SAYSO, Server, text as said};
use crate::harness::vault::{
    ALWAYS, Kept, ROOT, Talk, Words, assert_whole, by_caller, database, files, settings, settled, sql, start,
    text, wait, wrapped_key,
};
use crate::harness::{Process, shared, until};

pub(crate) const SETTLED: Duration = Duration::from_secs(60);

/// Calls of two seconds, one after the other; the recordings' rows in the same order.
pub(crate) fn calls(server: &Server, count: u32) -> Vec<(Words, Value)> {
    let words: Vec<Words> = (0..count)
        .map(|n| {
            let talk = Talk::of_noise(server, 0, &format!("+49305550{n:02}"), n);
            talk.lasts(2.0);
            talk.hang_up()
        })
        .collect();
    let rows = settled(server, SETTLED);
    let rows = by_caller(server, &rows);
    words
        .into_iter()
        .map(|words| (rows[&words.from][0].clone(), words))
        .map(|(row, words)| (words, row))
        .collect()
}

pub(crate) fn session(server: &Server) -> Session {
    Session::open(server.http, ROOT.0, ROOT.1)
}

/// Destroys a recording and waits until it is removed.
pub(crate) fn destroy(server: &Server, id: &str) {
    let (status, answer) =
        session(server).ask("DELETE", &format!("/recordings/{id}"), Some(json!({ "reason": "asked to" })));
    assert_eq!(status, 202, "{answer}");
    let rows = settled(server, SETTLED);
    let row = rows.iter().find(|row| row["id"] == id).expect("its row stays");
    assert_eq!(text(row, "state"), "removed", "{row}");
}

/// What `GET /recordings/{id}/audio` gives: the status, what came of the body, and whether that is all of it. The
/// status is 0 when the connection broke before an answer began.
pub(crate) fn listen(session: &Session, id: &str) -> (u16, Vec<u8>, bool) {
    let mut stream = session.start("GET", &format!("/recordings/{id}/audio"), None);
    let mut answer = Vec::new();
    // A connection that breaks is an answer that is not whole.
    let ended = stream.read_to_end(&mut answer).is_ok();
    let Some(split) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return (0, Vec::new(), false);
    };
    let head = String::from_utf8_lossy(&answer[..split]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let body = answer.split_off(split + 4);
    let whole = ended && length.is_none_or(|length| length == body.len());
    (status, body, whole)
}

/// Where chunk `n` of a sealed file begins and ends (SAYSOREC, see the vault's `sealed.rs`).
fn chunk(sealed: &[u8], n: usize) -> std::ops::Range<usize> {
    let size = u32::from_le_bytes(sealed[40..44].try_into().expect("four bytes")) as usize;
    assert!((1..=65_536).contains(&size), "chunks of {size} bytes");
    let long = 4 + size + 16;
    56 + n * long..56 + (n + 1) * long
}

fn without(sealed: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
    [&sealed[..range.start], &sealed[range.end..]].concat()
}

fn flipped(sealed: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = sealed.to_vec();
    bytes[at] ^= 1;
    bytes
}

#[test]
fn what_was_tampered_with_is_refused() {
    let _machine = shared();
    let server = start(&settings(1, |_| ALWAYS.to_owned()), &Kept::Folder.config("", ""));
    let calls = calls(&server, 2);
    let object = |row: &Value| {
        let name = format!("{}.rec", text(row, "id"));
        let names = Kept::Folder.names(&server);
        let found = names.iter().find(|path| path.ends_with(&name)).expect("it is stored");
        server.dir.path().join("data/vault/objects").join(found)
    };
    let (id, path) = (text(&calls[0].1, "id"), object(&calls[0].1));
    let sealed = fs::read(&path).expect("the object");
    let other = fs::read(object(&calls[1].1)).expect("the other object");
    let session = session(&server);
    let (status, right, whole) = listen(&session, &id);
    assert!((status, whole) == (200, true) && right.starts_with(b"RIFF"), "{status}");
    let (second, third) = (chunk(&sealed, 2), chunk(&sealed, 3));
    let swapped =
        [&sealed[..second.start], &sealed[third.clone()], &sealed[second.clone()], &sealed[third.end..]];
    let cases: [(&str, Vec<u8>); 10] = [
        ("a bit of the header", flipped(&sealed, 20)),
        ("a bit of the nonce", flipped(&sealed, 34)),
        ("a bit amid the audio", flipped(&sealed, third.start + 100)),
        ("a bit of the last tag", flipped(&sealed, sealed.len() - 1)),
        ("two chunks swapped", swapped.concat()),
        ("a chunk taken out", without(&sealed, second.clone())),
        ("cut between two chunks", sealed[..third.end].to_vec()),
        ("cut in a chunk", sealed[..third.start + 50].to_vec()),
        ("something at the end", [&sealed[..], &[0; 40]].concat()),
        ("another recording's", other),
    ];
    for (what, bytes) in cases {
        assert_ne!(bytes, sealed, "{what}");
        put(&path, &bytes);
        let out = server.dir.path().join("refused.wav");
        let output = server.try_export(&id, &out);
        assert!(!output.status.success(), "{what}: exported");
        assert!(said(&output).contains(&id), "{what}: {}", said(&output));
        assert!(!out.exists(), "{what}: a file is left");
        let (status, body, whole) = listen(&session, &id);
        let refused = status >= 500 || ([0, 200].contains(&status) && !whole);
        assert!(refused, "{what}: {status}, {} bytes", body.len());
        assert!(status >= 500 || right.starts_with(&body), "{what}: wrong audio was given out");
        eprintln!("{what}: {} | HTTP {status}", said(&output).trim().replace('\n', " "));
    }
    // Nothing of it has harmed the recording, and it was told.
    assert_eq!(server.metrics().alarms(), ["recording-damaged"], "damage raises its alarm and no other");
    put(&path, &sealed);
    assert_eq!(listen(&session, &id), (200, right, true));
    calls.iter().for_each(|(words, row)| assert_whole(&server, row, words));
    server.audit_is_whole();
}

/// Puts other bytes in a file's place, whatever its mode.
fn put(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).expect("the folder is ours");
    fs::write(path, bytes).expect("writable");
}

#[test]
fn a_wrong_key_opens_nothing() {
    let _machine = shared();
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &Kept::Folder.config("", ""));
    let calls = calls(&server, 2);
    let ids = [0, 1].map(|n| text(&calls[n].1, "id"));
    // Another recording's wrapped key.
    let swap = "CREATE TEMP TABLE k AS SELECT id, wrapped_key FROM recordings; UPDATE recordings SET wrapped_key = \
                (SELECT k.wrapped_key FROM k WHERE k.id <> recordings.id); DROP TABLE k";
    sql(&database(server.dir.path()), swap);
    let session = session(&server);
    for id in &ids {
        let output = server.try_export(id, &server.dir.path().join("refused.wav"));
        assert!(!output.status.success() && said(&output).contains(id), "{}", said(&output));
        let (status, ..) = listen(&session, id);
        assert!(status >= 500, "HTTP {status}");
    }
    sql(&database(server.dir.path()), swap);
    calls.iter().for_each(|(words, row)| assert_whole(&server, row, words));
    server.kill();
    // Another key file: the server says so and does not start, and nothing is exported.
    let file = server.dir.path().join("data/vault.key");
    let right = fs::read(&file).expect("the key file");
    fs::write(&file, format!("{}\n", "5a".repeat(32))).expect("writable");
    let mut serve = Command::new(SAYSO);
    serve.args(["serve", "--config"]).arg(server.config()).stdin(Stdio::null()).stdout(Stdio::null());
    let errors = tempfile::NamedTempFile::new().expect("a file");
    serve.stderr(errors.reopen().expect("a file"));
    let code = Process::start("sayso", &mut serve).wait(Duration::from_secs(20));
    let told = fs::read_to_string(errors.path()).expect("text");
    assert!(code.is_some_and(|code| code != 0) && told.contains("vault.key"), "{code:?}: {told}");
    let output = server.try_export(&ids[0], &server.dir.path().join("refused.wav"));
    assert!(!output.status.success() && said(&output).contains("vault.key"), "{}", said(&output));
    fs::write(&file, right).expect("writable");
    server.start_again();
    calls.iter().for_each(|(words, row)| assert_whole(&server, row, words));
}

/// Files below a folder in which a part of a secret stands, as it is or in hexadecimal digits: 16 bytes of it are
/// enough.
fn holding(root: &Path, secret: &[u8]) -> Vec<PathBuf> {
    let parts: Vec<Vec<u8>> = secret
        .chunks_exact(16)
        .flat_map(|part| {
            [part.to_vec(), hex::encode(part).into_bytes(), hex::encode_upper(part).into_bytes()]
        })
        .collect();
    let holds = |path: &PathBuf| {
        let content = fs::read(path).unwrap_or_default();
        parts.iter().any(|part| content.windows(part.len()).any(|there| there == part))
    };
    files(root).into_iter().filter(holds).collect()
}

/// Everything that a server has, copied with its folder.
fn copy_all(from: &Path, to: &Path) {
    for path in files(from) {
        let target = to.join(path.strip_prefix(from).expect("below it"));
        fs::create_dir_all(target.parent().expect("a folder")).expect("writable");
        fs::copy(&path, &target).expect("a copy");
    }
}

#[test]
fn what_is_left_of_a_destroyed_recording_opens_for_nobody() {
    let _machine = shared();
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &Kept::Folder.config("", ""));
    let calls = calls(&server, 2);
    let id = text(&calls[0].1, "id");
    let root = server.dir.path().to_owned();
    let key = wrapped_key(&server, &id).expect("it is stored");
    let sealed_part = &key[key.len() - 48..];
    assert!(!holding(&root, sealed_part).is_empty(), "the search finds what is there");
    // Copies from before: of the object and of the whole vault folder.
    let aside = tempfile::tempdir().expect("a folder");
    copy_all(&root.join("data/vault"), aside.path());
    destroy(&server, &id);
    // As it is, with its write-ahead log: nothing is tidied up by an orderly end.
    server.kill();
    assert_eq!(holding(&root, sealed_part), Vec::<PathBuf>::new(), "the wrapped key is still there");
    // All that the server still has, and the copies back in their places.
    let all = tempfile::tempdir().expect("a folder");
    copy_all(&root, all.path());
    copy_all(aside.path(), &all.path().join("data/vault"));
    let config = fs::read_to_string(server.config()).expect("the configuration");
    let config = config.replace(root.to_str().expect("UTF-8"), all.path().to_str().expect("UTF-8"));
    let file = all.path().join("sayso.toml");
    fs::write(&file, config).expect("writable");
    let object =
        files(&all.path().join("data/vault")).into_iter().find(|path| path.to_string_lossy().contains(&id));
    assert!(object.is_some(), "the sealed object is back");
    let out = all.path().join("out.wav");
    let export = |id: &str| -> Output {
        let words = ["recordings", "export", id, "--to", out.to_str().expect("UTF-8"), "--config"];
        server.run(&words, &[&file])
    };
    let output = export(&id);
    assert!(!output.status.success() && said(&output).contains("destroyed"), "{}", said(&output));
    // Nor with the row made as it was and every key that is left.
    sql(
        &database(all.path()),
        "UPDATE recordings SET state = 'stored', destroyed_at = NULL, removed_at = NULL, wrapped_key = (SELECT \
         wrapped_key FROM recordings AS other WHERE other.wrapped_key IS NOT NULL) WHERE wrapped_key IS NULL",
    );
    let output = export(&id);
    assert!(!output.status.success() && !out.exists(), "{}", said(&output));
    // The other one opens there: it is the key that is missing, not the way.
    let output = export(&text(&calls[1].1, "id"));
    assert!(output.status.success(), "{}", said(&output));
}

/// Everything of a name that a bucket with versions can hold: versions, delete markers, unfinished uploads.
pub(crate) fn traces(client: &Client, bucket: &str, id: &str) -> Vec<String> {
    let of =
        |key: Option<&str>, what: &str| key.filter(|key| key.contains(id)).map(|key| format!("{what} {key}"));
    wait(async {
        let listed = client.list_object_versions().bucket(bucket).send().await.expect("a listing");
        let uploads = client.list_multipart_uploads().bucket(bucket).send().await.expect("a listing");
        let versions = listed.versions().iter().filter_map(|v| of(v.key(), "version"));
        let markers = listed.delete_markers().iter().filter_map(|m| of(m.key(), "delete marker"));
        let uploads = uploads.uploads().iter().filter_map(|u| of(u.key(), "upload"));
        versions.chain(markers).chain(uploads).collect()
    })
}

#[test]
fn a_destroyed_recording_is_nowhere_and_a_certificate_says_so() {
    let _machine = shared();
    let kept = Kept::moto();
    let Kept::Bucket { server: store, bucket, .. } = &kept else { panic!("a bucket") };
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", ""));
    let calls = calls(&server, 2);
    let id = text(&calls[0].1, "id");
    let client = store.client();
    let names = kept.names(&server);
    let name = names.iter().find(|name| name.contains(&id)).expect("it is stored");
    // What others leave in a bucket: a version on top, a delete marker, an upload that was never finished.
    wait(async {
        let body = aws_sdk_s3::primitives::ByteStream::from_static(b"another version");
        client.put_object().bucket(bucket).key(name).body(body).send().await.expect("a version");
        client.delete_object().bucket(bucket).key(name).send().await.expect("a delete marker");
        client.create_multipart_upload().bucket(bucket).key(name).send().await.expect("an upload");
    });
    let before = traces(&client, bucket, &id);
    assert_eq!(before.len(), 4, "{before:#?}");
    let key = wrapped_key(&server, &id).expect("it is stored");
    destroy(&server, &id);
    assert_eq!(traces(&client, bucket, &id), Vec::<String>::new());
    assert_eq!(traces(&client, bucket, &text(&calls[1].1, "id")).len(), 1, "the other is untouched");
    server.kill();
    let named = |path: &PathBuf| path.to_string_lossy().contains(&id);
    let local = files(&server.dir.path().join("data"));
    assert!(!local.iter().any(named), "a file bears its name: {local:#?}");
    assert_eq!(holding(server.dir.path(), &key[key.len() - 48..]), Vec::<PathBuf>::new());
    // Nor is there audio under another name: what is left is a database and keys.
    let spool = files(&server.dir.path().join("data/vault/spool"));
    assert_eq!(spool, Vec::<PathBuf>::new());
    certificate(&server, &id);
    server.start_again();
    assert_whole(&server, &calls[1].1, &calls[1].0);
    let (status, ..) = listen(&session(&server), &id);
    assert_eq!(status, 410);
    server.audit_is_whole();
}

/// A destroyed recording's certificate tells what was found and holds without a server, a database or a
/// configuration; one that was changed does not.
pub(crate) fn certificate(server: &Server, id: &str) {
    let shown = server.run(&["certificate", "show", id, "--config"], &[&server.config()]);
    assert!(shown.status.success(), "{}", said(&shown));
    let certificate: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let it = &certificate["certificate"];
    assert_eq!(it["recording"], id, "{certificate:#}");
    let found = it["found_before"].as_array().map_or(0, Vec::len);
    assert!(found >= 1, "what was found before: {certificate:#}");
    assert_eq!(it["found_after"].as_array().map(Vec::len), Some(0), "{certificate:#}");
    assert!(it["audit"]["n"].is_u64() && it["audit"]["hash"].is_string(), "{certificate:#}");
    let key = server.run(&["certificate", "key", "--config"], &[&server.config()]);
    let key = said(&key).trim().to_owned();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let verify = |text: &str, key: &str| {
        let file = elsewhere.path().join("certificate.json");
        fs::write(&file, text).expect("writable");
        let words = ["certificate", "verify", "certificate.json", "--key", key];
        let mut command = Command::new(SAYSO);
        command.args(words).current_dir(elsewhere.path()).env_clear().output().expect("sayso runs")
    };
    let signed = String::from_utf8(shown.stdout).expect("UTF-8");
    let output = verify(&signed, &key);
    assert!(output.status.success(), "{}", said(&output));
    let another = if id.ends_with('0') { "1" } else { "0" };
    for (changed, what) in [
        (signed.replace("SHA-256 ", "SHA-265 "), "its reason"),
        (signed.replace(id, &format!("{}{another}", &id[..25])), "its recording"),
    ] {
        assert_ne!(changed, signed, "{what}");
        assert!(!verify(&changed, &key).status.success(), "{what} was changed");
    }
    assert!(!verify(&signed, &"0".repeat(64)).status.success(), "another's key");
}

/// What its certificate says was not seen.
fn not_seen(server: &Server, id: &str) -> Vec<String> {
    let shown = server.run(&["certificate", "show", id, "--config"], &[&server.config()]);
    assert!(shown.status.success(), "{}", said(&shown));
    let certificate: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let lines = certificate["certificate"]["not_seen"].as_array().expect("a list");
    lines.iter().map(|line| line.as_str().expect("a text").to_owned()).collect()
}

/// An object that somebody deleted by hand, and one whose bucket is configured no more.
#[test]
fn what_is_not_where_it_was_put_is_certified_as_that() {
    let _machine = shared();
    let kept = Kept::s3s();
    let Kept::Bucket { server: store, bucket, .. } = &kept else { panic!("a bucket") };
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", ""));
    let ids: Vec<String> = calls(&server, 3).iter().map(|(_, row)| text(row, "id")).collect();
    let names = kept.names(&server);
    let name = names.iter().find(|name| name.contains(&ids[1])).expect("it is stored");
    wait(store.client().delete_object().bucket(bucket).key(name).send()).expect("deleted by hand");
    destroy(&server, &ids[1]);
    let line = format!("object recordings/{}", &name["sayso/recordings/".len()..]);
    let told = not_seen(&server, &ids[1]);
    let told =
        told.iter().find(|told| told.starts_with(&line)).unwrap_or_else(|| panic!("{line}: {told:#?}"));
    assert!(told.contains("it was not there before anything was removed"), "{told}");
    assert!(told.contains("of 2 recordings") && told.contains("2 were there"), "{told}");
    // The bucket is another one from now on.
    server.terminate();
    assert_eq!(server.ended(Duration::from_secs(20)), Some(0));
    let config = fs::read_to_string(server.config()).expect("the configuration");
    let other = wait(store.bucket());
    fs::write(
        server.config(),
        config.replace(&format!("bucket = {bucket:?}"), &format!("bucket = {other:?}")),
    )
    .expect("writable");
    server.start_again();
    let (status, answer) = session(&server).ask(
        "DELETE",
        &format!("/recordings/{}", ids[0]),
        Some(json!({ "reason": "asked to" })),
    );
    assert_eq!(status, 202, "{answer}");
    let refused = || {
        let jobs = server.rows(&["jobs", "list"]);
        jobs.iter().find_map(|job| job["error"].as_str().map(str::to_owned))
    };
    let why = until(Duration::from_secs(20), "the job to say why it waits", refused);
    assert!(why.contains(&format!("s3://{bucket}/")) && why.contains("sayso recordings gone"), "{why}");
    let gone = |reason: &str| {
        let words = ["recordings", "gone", &ids[0], "--reason", reason, "--config"];
        server.run(&words, &[&server.config()])
    };
    let output = gone(" ");
    assert!(!output.status.success(), "a reason: {}", said(&output));
    let output = gone("the old bucket was deleted");
    assert!(output.status.success(), "{}", said(&output));
    let told = not_seen(&server, &ids[0]).join("\n");
    assert!(told.contains(&format!("s3://{bucket}/")) && told.contains("said at"), "{told}");
    assert!(!told.contains("deleted"), "a person's words are not kept for good: {told}");
    certified_without_trace(&server, &ids[0]);
    assert_eq!(server.rows(&["audit", "list", "--action", "recording.said-gone"]).len(), 1);
    server.audit_is_whole();
}

/// Its certificate is one, although nothing was found.
fn certified_without_trace(server: &Server, id: &str) {
    let shown = server.run(&["certificate", "show", id, "--config"], &[&server.config()]);
    let file = server.dir.path().join("certificate.json");
    fs::write(&file, &shown.stdout).expect("writable");
    let output = server.run(&["certificate", "verify"], &[&file]);
    assert!(output.status.success(), "{}", said(&output));
}

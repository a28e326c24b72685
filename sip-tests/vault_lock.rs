//! Object Lock, with the running server: what is locked under governance is destroyed in full; what is locked under
//! compliance is noise at once and gone when its lock ends; and where neither could be, the server does not start.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{
    DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockMode, ObjectLockRetention,
    ObjectLockRetentionMode, ObjectLockRule,
};
use serde_json::json;

use crate::harness::server::{SAYSO, Server, text as said};
use crate::harness::vault::{
    ALWAYS, Kept, Words, assert_whole, settings, settled, start, text, wait, wrapped_key,
};
use crate::harness::{Process, shared, until};
use crate::vault_gone::{calls, certificate, destroy, listen, session};

const GOVERNANCE: &str = "object-lock = { mode = \"governance\", days = 1 }";
const COMPLIANCE: &str = "object-lock = { mode = \"compliance\", days = 1, erasure = \"key-only\" }";
/// Long enough to look at what is locked, on a busy machine too.
const LOCKED: Duration = Duration::from_secs(20);
const SETTLED: Duration = Duration::from_secs(60);

/// A server whose bucket locks, with one call recorded: its words, its recording and that one's object.
fn recorded(kept: &Kept, lock: &str) -> (Server, Words, String, String) {
    let server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", lock));
    let (words, row) = calls(&server, 1).remove(0);
    assert_eq!(text(&row, "state"), "stored", "{row}");
    assert_whole(&server, &row, &words);
    let names = kept.names(&server);
    let [name] = names.as_slice() else { panic!("one object: {names:?}") };
    (server, words, text(&row, "id"), name.clone())
}

/// Under what lock an object is, and until when in seconds since 1970.
fn lock_of(kept: &Kept, name: &str) -> (ObjectLockMode, i64) {
    let (client, bucket) = kept.client();
    let head = wait(client.head_object().bucket(bucket).key(name).send()).expect("an object");
    let until = head.object_lock_retain_until_date().expect("it is locked").secs();
    (head.object_lock_mode().expect("it is locked").clone(), until)
}

/// How many versions and delete markers the bucket holds, of whatever name.
fn versions(kept: &Kept) -> usize {
    let (client, bucket) = kept.client();
    let page = wait(client.list_object_versions().bucket(bucket).send()).expect("a listing");
    page.versions().len() + page.delete_markers().len()
}

fn seconds(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    since.as_secs().try_into().expect("seconds")
}

#[test]
fn governance_is_lifted_to_destroy() {
    let _machine = shared();
    let kept = Kept::locking();
    let (server, _, id, name) = recorded(&kept, GOVERNANCE);
    let (mode, until) = lock_of(&kept, &name);
    assert_eq!(mode, ObjectLockMode::Governance);
    let day = until - seconds(SystemTime::now());
    assert!((86_000..=86_400).contains(&day), "locked for {day} s");
    destroy(&server, &id);
    assert_eq!(versions(&kept), 0);
    certificate(&server, &id);
    assert_eq!(server.metrics().alarms(), Vec::<String>::new());
    server.audit_is_whole();
}

#[test]
fn compliance_leaves_noise_until_the_lock_ends() {
    let _machine = shared();
    let kept = Kept::locking();
    let (server, _, id, name) = recorded(&kept, COMPLIANCE);
    let (mode, until_then) = lock_of(&kept, &name);
    assert_eq!(mode, ObjectLockMode::Compliance);
    assert!(until_then - seconds(SystemTime::now()) > 86_000);
    // A day is too long for a test. This store lets a lock be shortened, which S3 would not.
    let end = shorten(&kept, &name);
    let session = session(&server);
    let (status, answer) =
        session.ask("DELETE", &format!("/recordings/{id}"), Some(json!({ "reason": "asked to" })));
    assert_eq!(status, 202, "{answer}");
    // The key goes at once: nobody hears it from now on, whatever the bucket holds.
    assert_eq!(listen(&session, &id).0, 410);
    assert_eq!(wrapped_key(&server, &id), None);
    let out = server.dir.path().join("refused.wav");
    assert!(!server.try_export(&id, &out).status.success() && !out.exists());
    let waits = || (server.metrics().alarms() == ["destruction-waits"]).then_some(());
    until(LOCKED / 2, "the alarm that a destruction waits, and no other", waits);
    let jobs = server.rows(&["jobs", "list"]);
    let [job] = jobs.as_slice() else { panic!("one job: {jobs:#?}") };
    assert_eq!((text(job, "kind"), text(job, "subject")), ("destroy".to_owned(), id.clone()), "{job}");
    let due = DateTime::from_str(&text(job, "due"), DateTimeFormat::DateTime).expect("a time").secs();
    assert!((end..=end + 1).contains(&due), "due {due}, the lock ends {end}: {job}");
    let shown = server.run(&["certificate", "show", &id, "--config"], &[&server.config()]);
    assert!(!shown.status.success(), "a certificate before the end: {}", said(&shown));
    let (status, _) = session.ask("GET", &format!("/recordings/{id}/certificate"), None);
    assert_eq!(status, 404, "a certificate before the end");
    assert_eq!((kept.names(&server), versions(&kept)), (vec![name], 1));
    let row = server.rows(&["recordings", "list"]).remove(0);
    assert_eq!(text(&row, "state"), "destroyed", "{row}");
    assert!(seconds(SystemTime::now()) < end, "too busy a machine: the lock ended before all was looked at");
    // When it ends, the rest goes by itself.
    let row = settled(&server, SETTLED).remove(0);
    assert_eq!(text(&row, "state"), "removed", "{row}");
    assert!(seconds(SystemTime::now()) >= end);
    assert_eq!(versions(&kept), 0);
    certificate(&server, &id);
    let over = || server.metrics().alarms().is_empty().then_some(());
    until(SETTLED, "the alarm to be cleared", over);
    server.audit_is_whole();
}

/// Lets the object's lock end soon; when, in seconds since 1970.
fn shorten(kept: &Kept, name: &str) -> i64 {
    let end = seconds(SystemTime::now() + LOCKED);
    let retention = ObjectLockRetention::builder()
        .mode(ObjectLockRetentionMode::Compliance)
        .retain_until_date(DateTime::from_secs(end));
    let (client, bucket) = kept.client();
    let put = client.put_object_retention().bucket(bucket).key(name).retention(retention.build());
    wait(put.send()).expect("shortened");
    assert_eq!(lock_of(kept, name), (ObjectLockMode::Compliance, end));
    end
}

#[test]
fn a_lock_that_forbids_erasure_stops_the_start() {
    let _machine = shared();
    let kept = Kept::locking();
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", COMPLIANCE));
    server.kill();
    let accepted = fs::read_to_string(server.config()).expect("the configuration");
    // Compliance, and nobody said that noise may stay.
    let whole = accepted.replace(", erasure = \"key-only\"", "");
    let told = refused(&server, &whole);
    for words in ["[vault.s3]", "object-lock", "before its lock ends", "withdrawal", "key-only", "governance"]
    {
        assert!(told.contains(words), "lacks {words}: {told}");
    }
    // No lock of ours, but the bucket's own default.
    by_default(&kept, ObjectLockRetentionMode::Compliance);
    let none = accepted.replace(COMPLIANCE, "");
    assert!(none != accepted && whole != accepted);
    let told = refused(&server, &none);
    for words in ["default retention is compliance", "withdrawal", "governance", "key-only"] {
        assert!(told.contains(words), "lacks {words}: {told}");
    }
    assert_eq!(versions(&kept), 0, "and it left no probe there, which nobody could remove");
    // One that can be lifted is none of those.
    by_default(&kept, ObjectLockRetentionMode::Governance);
    server.start_again();
    server.audit_is_whole();
}

fn by_default(kept: &Kept, mode: ObjectLockRetentionMode) {
    let retention = DefaultRetention::builder().mode(mode).days(2).build();
    let rule = ObjectLockRule::builder().default_retention(retention).build();
    let lock = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule);
    let (client, bucket) = kept.client();
    let put = client.put_object_lock_configuration().bucket(bucket);
    wait(put.object_lock_configuration(lock.build()).send()).expect("set");
}

/// Puts this configuration in place; the server refuses to start with it: what it says.
fn refused(server: &Server, config: &str) -> String {
    fs::write(server.config(), config).expect("writable");
    let mut serve = Command::new(SAYSO);
    serve.args(["serve", "--config"]).arg(server.config()).stdin(Stdio::null()).stdout(Stdio::null());
    let errors = tempfile::NamedTempFile::new().expect("a file");
    serve.stderr(errors.reopen().expect("a file"));
    let code = Process::start("sayso", &mut serve).wait(Duration::from_secs(20));
    let told = fs::read_to_string(errors.path()).expect("text");
    assert!(code.is_some_and(|code| code != 0), "{code:?}: {told}");
    told
}

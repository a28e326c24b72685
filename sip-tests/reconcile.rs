//! Reconciliation: real calls, then things are broken by hand, and the report says exactly that. A clean world says
//! so, and an orphan goes only on an operator's word.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::primitives::ByteStream;
use serde_json::Value;

use crate::harness::phone::SOON;
use crate::harness::server::{Server, rows, text};
use crate::harness::vault::{ALWAYS, Kept, Talk, settings, settled, start, wait};
use crate::harness::{shared, until};

/// The report of a run that was asked for now, with every object read: its first line, and kind and subject of each
/// finding.
fn reconcile(server: &Server) -> (Value, BTreeSet<(String, String)>) {
    let words = ["reconcile", "run", "--everything", "--json", "--limit", "100000", "--config"];
    let output = server.run(&words, &[&server.config()]);
    let mut lines = rows(&output);
    assert!(!lines.is_empty(), "no report: {}", text(&output));
    let report = lines.remove(0);
    assert_eq!(report["state"], "ended", "{}", text(&output));
    assert_eq!(output.status.success(), lines.is_empty(), "the exit code tells: {}", text(&output));
    let word = |row: &Value, key: &str| row[key].as_str().expect("a text").to_owned();
    (report, lines.iter().map(|row| (word(row, "kind"), word(row, "subject"))).collect())
}

/// So many calls of a second and a half, recorded and stored: the names of their objects.
fn recorded(server: &Server, kept: &Kept, calls: u32) -> Vec<String> {
    for n in 0..calls {
        let talk = Talk::of_noise(server, 0, &format!("+4930555{n:03}"), n);
        talk.lasts(1.5);
        talk.hang_up();
    }
    let rows = settled(server, Duration::from_secs(60));
    assert_eq!(rows.len(), calls as usize, "{rows:#?}");
    kept.names(server)
}

fn expected(findings: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    findings.iter().map(|(kind, subject)| ((*kind).to_owned(), (*subject).to_owned())).collect()
}

fn remove(server: &Server, name: &str, report: &Value) -> std::process::Output {
    let report = report["id"].as_str().expect("an id");
    let words =
        ["reconcile", "orphans", "remove", name, "--report", report, "--reason", "a test", "--config"];
    server.run(&words, &[&server.config()])
}

#[test]
fn what_is_broken_in_a_folder_is_in_the_report() {
    let _machine = shared();
    let kept = Kept::Folder;
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", ""));
    let names = recorded(&server, &kept, 3);
    let (report, found) = reconcile(&server);
    assert_eq!(found, expected(&[]), "a world in order says so");
    let counts = &report["counts"];
    assert_eq!(
        (&counts["calls"], &counts["recorded"], &counts["verified"]),
        (&3.into(), &3.into(), &3.into())
    );

    let file = |name: &str| -> PathBuf { server.dir.path().join("data/vault/objects").join(name) };
    let (gone, flipped) = (names[0].as_str(), names[1].as_str());
    std::fs::remove_file(file(gone)).expect("it is there");
    let mut bytes = std::fs::read(file(flipped)).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(file(flipped)).expect("it is there");
    std::fs::write(file(flipped), bytes).expect("written");
    let orphan = "recordings/2026/01/02/forgotten.rec";
    std::fs::create_dir_all(file(orphan).parent().expect("a folder")).expect("made");
    std::fs::write(file(orphan), "nobody's").expect("written");
    let begun = format!(".uploads/{}.01JD00000000000000000000AA.tmp", names[2].replace('/', "!"));
    let begun = file(&begun);
    std::fs::create_dir_all(begun.parent().expect("a folder")).expect("made");
    let old = File::create(&begun).expect("made");
    old.set_modified(SystemTime::now() - Duration::from_secs(2 * 86_400)).expect("set");
    std::fs::write(server.dir.path().join("data/vault/spool/strange.txt"), "?").expect("written");

    let wrong = [
        ("lost", gone),
        ("wrong-content", flipped),
        ("orphan", orphan),
        ("unfinished-upload", &names[2]),
        ("spool-orphan", "strange.txt"),
    ];
    let (report, found) = reconcile(&server);
    assert_eq!(found, expected(&wrong), "{report:#}");
    let rung = |kind: &str| {
        let labels = format!("kind=\"{kind}\"");
        let metrics = server.metrics();
        metrics.named("sayso_alarm").any(|s| s.labels == labels && s.value == 1.0).then_some(())
    };
    until(SOON, "the alarms", || rung("reconciliation").and(rung("recording-lost")));

    // Nobody's word, no removal: neither by a run nor of what is somebody's.
    assert!(file(orphan).exists());
    let refused = remove(&server, &names[2], &report);
    assert!(!refused.status.success() && file(&names[2]).exists(), "{}", text(&refused));
    let removed = remove(&server, orphan, &report);
    assert!(removed.status.success() && !file(orphan).exists(), "{}", text(&removed));
    let audited = server.rows(&["audit", "list", "--action", "orphan.remove"]);
    assert_eq!(audited.len(), 1, "{audited:#?}");

    // Without a server it is done all the same.
    server.kill();
    let (_, found) = reconcile(&server);
    assert_eq!(found, expected(&[wrong[0], wrong[1], wrong[3], wrong[4]]));
    assert_eq!(server.rows(&["reconcile", "list"]).len(), 3);
    server.audit_is_whole();
}

#[test]
fn what_is_broken_in_a_bucket_is_in_the_report() {
    let _machine = shared();
    let kept = Kept::s3s();
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", ""));
    let names = recorded(&server, &kept, 2);
    assert_eq!(reconcile(&server).1, expected(&[]), "a world in order says so");

    let Kept::Bucket { server: s3, bucket, .. } = &kept else { panic!("it is a bucket") };
    let put = |key: &str, body: Vec<u8>| {
        let put = s3.client().put_object().bucket(bucket).key(key).body(ByteStream::from(body));
        wait(put.send()).expect("put");
    };
    let ours = |key: &str| key.strip_prefix("sayso/").expect("the prefix").to_owned();
    let delete = s3.client().delete_object().bucket(bucket).key(&names[0]);
    wait(delete.send()).expect("deleted");
    let get = s3.client().get_object().bucket(bucket).key(&names[1]);
    let mut bytes =
        wait(async { get.send().await.expect("got").body.collect().await }).expect("read").to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    put(&names[1], bytes);
    let orphan = "sayso/recordings/2026/01/02/forgotten.rec";
    put(orphan, b"nobody's".to_vec());
    // A call that ends while the store is away; then the spool's file goes, and the server with it.
    kept.proxy().away(true);
    let talk = Talk::of_noise(&server, 0, "+4930555900", 9);
    talk.lasts(1.5);
    talk.hang_up();
    let finished = until(SOON, "the recording to be whole", || {
        server.rows(&["recordings", "list"]).into_iter().find(|row| row["state"] == "finished")
    });
    server.kill();
    let id = finished["id"].as_str().expect("an id").to_owned();
    let file = server.dir.path().join(format!("data/vault/spool/{id}.rec"));
    std::fs::remove_file(file).expect("it is in the spool");
    kept.proxy().away(false);

    let (lost, flipped, stray) = (ours(&names[0]), ours(&names[1]), ours(orphan));
    let wrong =
        [("lost", lost.as_str()), ("wrong-content", &flipped), ("orphan", &stray), ("spool-lost", &id)];
    let (report, found) = reconcile(&server);
    assert_eq!(found, expected(&wrong), "{report:#}");
    let removed = remove(&server, &stray, &report);
    assert!(removed.status.success(), "{}", text(&removed));
    assert!(!kept.names(&server).iter().any(|name| name == orphan), "it is gone");
    assert_eq!(reconcile(&server).1, expected(&[wrong[0], wrong[1], wrong[3]]));
    server.audit_is_whole();
}

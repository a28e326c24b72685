//! Uploads and destructions outlive the node that is at them: a drain leaves them to the next start, and what is no node's
//! own another one ends.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::faults::Faults;
use crate::harness::postgres::Cluster;
use crate::harness::server::{Server, text as said};
use crate::harness::vault::{ALWAYS, Kept, Talk, files, settings, settled, start, text};
use crate::harness::{shared, until};
use crate::vault_away::assert_all_there;
use crate::vault_gone::{calls, session};

/// For what is done within seconds.
const SOON: Duration = Duration::from_secs(30);
/// A lease lasts a minute without a sign of life.
const LEASE_OVER: Duration = Duration::from_secs(100);

fn jobs(server: &Server) -> Vec<Value> {
    server.rows(&["jobs", "list"])
}

/// SIGTERM with one upload on its way and one call that goes on: the call ends as it likes, the server does not wait for a
/// slow store, and the next start uploads both, once.
#[test]
fn a_drain_leaves_uploads_to_the_next_start() {
    let _machine = shared();
    let kept = Kept::s3s();
    let mut server = start(&settings(2, |_| ALWAYS.to_owned()), &kept.config("", ""));
    // Two seconds of talk take half a minute.
    kept.proxy().rate(2_500);
    let first = Talk::of_noise(&server, 0, "+4930555001", 1);
    first.lasts(2.0);
    let first = first.hang_up();
    until(SOON, "its upload", || (kept.proxy().count("PUT .rec") > 0).then_some(()));
    let second = Talk::of_noise(&server, 1, "+4930555002", 2);
    second.lasts(1.0);
    server.terminate();
    second.lasts(3.0);
    let second = second.hang_up();
    assert_eq!(server.ended(SOON), Some(0), "it ends although the store is slow");
    let waiting = jobs(&server);
    assert_eq!(waiting.len(), 2, "{waiting:#?}");
    for job in &waiting {
        assert_eq!((text(job, "kind").as_str(), &job["leased_until"]), ("upload", &Value::Null), "{job}");
    }
    let rows = server.rows(&["recordings", "list"]);
    assert!(rows.iter().all(|row| row["state"] == "finished"), "{rows:#?}");
    let spooled = files(&server.dir.path().join("data/vault/spool"));
    assert_eq!(spooled.len(), 2, "nothing is let go before it is stored: {spooled:#?}");
    kept.proxy().rate(0);
    server.start_again();
    assert_all_there(&server, &kept, &[first, second]);
}

/// Two servers with one database, one bucket and the same keys. The one that is at a destruction dies: the other takes it
/// over when the lease is over, and no sooner.
#[test]
fn what_a_dead_node_was_destroying_another_ends() {
    let _machine = shared();
    let kept = Kept::s3s();
    let Kept::Bucket { server: store, bucket, .. } = &kept else { panic!("a bucket") };
    let database = format!("[database]\nurl = {:?}\n", Cluster::shared().database());
    let wanted = settings(1, |_| ALWAYS.to_owned());
    let mut one = start(&wanted, &(kept.config("", "") + &database));
    let (_, row) = calls(&one, 1).pop().expect("a recording");
    let (id, spool) = (text(&row, "id"), spool_of(&one));
    // Its store answers nothing from now on, so that it is at it when it dies.
    kept.proxy().rule("GET", 1_000, crate::harness::faults::Fault::Silence);
    let (status, answer) =
        session(&one).ask("DELETE", &format!("/recordings/{id}"), Some(json!({ "reason": "asked to" })));
    assert_eq!(status, 202, "{answer}");
    let held = |server: &Server| {
        let by = jobs(server).iter().find_map(|job| job["leased_by"].as_str().map(str::to_owned));
        by.filter(|by| *by == spool)
    };
    until(SOON, "the destruction to be begun", || held(&one));
    one.kill();
    let keys = one.dir.path().join("data");
    let keys =
        format!("key-file = {:?}\nsigning-key-file = {:?}", keys.join("vault.key"), keys.join("signing.key"));
    let beside =
        Kept::Bucket { server: store, proxy: Faults::start(store.address()), bucket: bucket.clone() };
    let two = start(&wanted, &(beside.config(&keys, "") + &database));
    assert!(held(&two).is_some(), "it is the dead one's until its lease is over: {:#?}", jobs(&two));
    assert_eq!(beside.names(&two).len(), 1, "and the object is there");
    let removed = || {
        let rows = two.rows(&["recordings", "list"]);
        rows.iter().any(|row| row["id"] == id.as_str() && row["state"] == "removed").then_some(())
    };
    until(LEASE_OVER, "the other to end it", removed);
    assert_eq!(beside.names(&two), Vec::<String>::new());
    assert_eq!(settled(&two, SOON).len(), 1);
    let shown = two.run(&["certificate", "show", &id, "--config"], &[&two.config()]);
    assert!(shown.status.success(), "{}", said(&shown));
    let certificate: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let (looked, unseen) =
        (&certificate["certificate"]["looked_in"], &certificate["certificate"]["not_seen"]);
    assert!(looked.to_string().contains(&spool_of(&two)), "{looked}");
    assert!(unseen.to_string().contains(&spool), "the other node's disk was not looked at: {unseen}");
    two.audit_is_whole();
}

/// The id of a server's spool.
fn spool_of(server: &Server) -> String {
    let file = server.dir.path().join("data/vault").join(Path::new("spool.id"));
    std::fs::read_to_string(file).expect("a spool").trim().to_owned()
}

//! The object store goes away, fails and comes back while calls go on, and a disk is lost in mid-call: nobody hears of
//! it, nothing is lost, and who runs the server is told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::api::Session;
use crate::harness::audio::RATE;
use crate::harness::faults::Fault;
use crate::harness::metrics::Metrics;
use crate::harness::server::{Server, text as said};
use crate::harness::vault::{
    ALWAYS, Kept, ROOT, Talk, Words, assert_only_what_is_stored, assert_whole, by_caller, exported, files,
    held, lost, settings, settled, start, text,
};
use crate::harness::{shared, until};

/// How long a store that is back may take: the longest pause between two tries is in it.
const CAUGHT_UP: Duration = Duration::from_secs(90);

/// A call of a few seconds: both heard what the other said.
fn call(server: &Server, n: u32) -> Words {
    let talk = Talk::of_noise(server, 0, &format!("+4930555{n:03}"), n);
    talk.lasts(2.0);
    let words = talk.hang_up();
    for (said, heard) in [(0, 1), (1, 0)] {
        // What the other says first may come before the phone listens.
        let there = held(&words.said[said][RATE / 2..RATE * 3 / 2], &words.heard[heard]);
        assert!(there.iter().all(|there| *there), "call {n}: {there:?}");
    }
    words
}

/// The value of a gauge with this label, zero when it was never set.
fn gauge(metrics: &Metrics, name: &str, label: &str) -> f64 {
    metrics.named(name).filter(|s| s.name == name && s.labels.contains(label)).map(|s| s.value).sum()
}

/// The kinds of alarms that are raised now, as the metrics tell them.
fn alarms(server: &Server) -> Vec<String> {
    server.metrics().alarms()
}

pub(crate) fn assert_all_there(server: &Server, kept: &Kept, words: &[Words]) {
    let rows = settled(server, CAUGHT_UP);
    assert_eq!(rows.len(), words.len(), "{rows:#?}");
    assert!(rows.iter().all(|row| row["state"] == "stored"), "{rows:#?}");
    assert_only_what_is_stored(server, kept, &rows, ".rec");
    let rows = by_caller(server, &rows);
    for words in words {
        let [row] = rows[&words.from].as_slice() else { panic!("{}: one recording", words.from) };
        assert_whole(server, row, words);
    }
    server.audit_is_whole();
}

#[test]
fn the_store_goes_away_while_calls_go_on() {
    let _machine = shared();
    let kept = Kept::s3s();
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("alarm-after = \"1s\"", ""));
    let mut words = vec![call(&server, 1)];
    let rows = settled(&server, CAUGHT_UP);
    assert_eq!(text(&rows[0], "state"), "stored");
    assert_eq!(alarms(&server), Vec::<String>::new());
    kept.proxy().away(true);
    words.extend([call(&server, 2), call(&server, 3)]);
    // A start without the store is a start, and what waits goes on waiting.
    server.kill();
    server.start_again();
    words.push(call(&server, 4));
    // One or the other was tried; the rest need not be, for a store that is known to be away.
    let backlog = || {
        let jobs = server.rows(&["jobs", "list"]);
        let uploads = jobs.iter().filter(|job| job["kind"] == "upload").count();
        let told = jobs.iter().any(|job| !job["error"].is_null() && job["attempts"].as_u64() >= Some(1));
        (uploads == 3 && told).then_some(())
    };
    until(Duration::from_secs(20), "three uploads that wait, and why", backlog);
    let figures = || {
        let metrics = server.metrics();
        let upload = |name: &str| gauge(&metrics, name, "kind=\"upload\"");
        (upload("sayso_jobs_waiting") == 3.0 && upload("sayso_jobs_oldest_seconds") >= 1.0).then_some(())
    };
    until(Duration::from_secs(20), "a backlog in the metrics", figures);
    let session = Session::open(server.http, ROOT.0, ROOT.1);
    let raised = || {
        let (status, list) = session.ask("GET", "/alarms", None);
        assert_eq!(status, 200, "{list}");
        let mut told: Vec<String> =
            list.as_array().expect("a list").iter().map(|a| text(a, "kind")).collect();
        told.sort();
        told.dedup();
        let expected = ["store-away", "upload-backlog"];
        (told == expected && alarms(&server) == expected).then_some(())
    };
    until(Duration::from_secs(20), "the alarms of the store and of what waits for it, and no other", raised);
    let (status, shown) = session.ask("GET", "/jobs", None);
    assert_eq!((status, shown["items"].as_array().map(Vec::len)), (200, Some(3)), "{shown}");
    let waiting = server.rows(&["recordings", "list"]);
    assert_eq!(waiting.iter().filter(|row| row["state"] == "finished").count(), 3, "{waiting:#?}");
    kept.proxy().away(false);
    // Who knows that it is back need not wait for the next try.
    let (status, answer) =
        session.ask("POST", &format!("/jobs/{}/retry", text(&shown["items"][0], "id")), Some(json!({})));
    assert!(status == 204 || status == 404, "{status}: {answer}");
    assert_all_there(&server, &kept, &words);
    // The store itself is asked again each half minute.
    let cleared = || alarms(&server).is_empty().then_some(());
    until(Duration::from_secs(60), "the alarm to be cleared", cleared);
    for action in ["alarm.raised", "alarm.cleared"] {
        let told = || (server.rows(&["audit", "list", "--action", action]).len() >= 2).then_some(());
        until(Duration::from_secs(20), action, told);
    }
}

/// Each fault once at each request of an upload, in turn.
#[test]
fn uploads_outlive_what_stores_do() {
    let _machine = shared();
    let kept = Kept::s3s();
    let server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", ""));
    let faults: [(&str, Fault); 9] = [
        ("PUT", Fault::CutRequest(10_000)),
        ("PUT", Fault::FlipRequest(20_000)),
        ("PUT", Fault::LoseAnswer),
        ("PUT", Fault::Delay(Duration::from_secs(2))),
        ("PUT", Fault::Answer(500, "InternalError")),
        ("PUT", Fault::Answer(503, "ServiceUnavailable")),
        ("PUT", Fault::Answer(503, "SlowDown")),
        ("HEAD", Fault::Answer(503, "SlowDown")),
        ("HEAD", Fault::LoseAnswer),
    ];
    let mut words = Vec::new();
    for (n, (request, fault)) in (0..).zip(faults) {
        // Thrice: the client's own second try does not hide it.
        kept.proxy().rule(request, 3, fault.clone());
        words.push(call(&server, n));
        settled(&server, CAUGHT_UP);
        assert!(kept.proxy().count(request) > 0, "{request} is a request of an upload");
        kept.proxy().mend();
    }
    // A slow store is as good as any other.
    kept.proxy().rate(60_000);
    words.push(call(&server, 90));
    settled(&server, CAUGHT_UP);
    kept.proxy().rate(0);
    assert_all_there(&server, &kept, &words);
}

/// What comes back short or wrong on the way is never given out as a recording; the same object read again is whole.
#[test]
fn what_is_read_short_or_wrong_is_refused() {
    let _machine = shared();
    let kept = Kept::s3s();
    let server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("", ""));
    let words = [call(&server, 1)];
    let id = text(&settled(&server, CAUGHT_UP)[0], "id");
    for fault in [Fault::FlipAnswer(20_000), Fault::Truncate(0), Fault::Answer(503, "SlowDown")] {
        kept.proxy().rule("GET .rec", 50, fault.clone());
        let out = server.dir.path().join("short.wav");
        let output = server.try_export(&id, &out);
        let said = said(&output);
        assert!(!output.status.success(), "{fault:?}: {said}");
        assert!(said.contains(&id), "{fault:?}: it says which: {said}");
        assert!(!out.exists(), "{fault:?}: nothing is left of it");
        kept.proxy().mend();
    }
    // A store that gives a little at a time is asked for the rest.
    kept.proxy().rule("GET .rec", 2, Fault::Truncate(20_000));
    assert_all_there(&server, &kept, &words);
}

/// kill -9, and the spool's disk is gone: what was copied to the store while the call went on is the recording.
#[test]
fn a_disk_lost_in_mid_call_costs_the_last_segment() {
    for kept in [Kept::Folder, Kept::s3s()] {
        lost_disk(&kept);
    }
}

fn lost_disk(kept: &Kept) {
    let _machine = shared();
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("segment = \"5s\"", ""));
    let (words, by_then) = killed_after(&mut server, kept, ".seg/000001");
    let spool = server.dir.path().join("data/vault/spool");
    assert!(!files(&spool).is_empty(), "the recording was in the spool");
    std::fs::remove_dir_all(&spool).expect("the spool is ours");
    server.start_again();
    let rows = settled(&server, CAUGHT_UP);
    let [row] = rows.as_slice() else { panic!("one recording: {rows:#?}") };
    assert_eq!((text(row, "state").as_str(), &row["salvaged"]), ("stored", &Value::Bool(true)), "{row}");
    assert_only_what_is_stored(&server, kept, &rows, ".rec");
    assert_rescued(&server, row, &words, by_then);
    let audit = server.rows(&["audit", "list"]);
    let told =
        audit.iter().find(|row| row["action"] == "recording.salvaged").expect("its salvage is audited");
    assert!(told.to_string().contains("segment"), "what is lost: {told}");
    server.audit_is_whole();
}

/// A call is recorded until the store has this segment; then kill -9. What was said, and how much of it up to then.
fn killed_after(server: &mut Server, kept: &Kept, segment: &str) -> (Words, [usize; 2]) {
    let talk = Talk::of_noise(server, 0, "+4930555001", 1);
    // What is being written has another name.
    let copied = || kept.names(server).iter().any(|name| name.ends_with(segment)).then_some(());
    until(Duration::from_secs(25), "segments in the store", copied);
    // They are there, so what was said up to a moment ago is in them.
    let by_then = talk.by_now();
    server.kill();
    (talk.cut(), by_then)
}

fn assert_rescued(server: &Server, row: &Value, words: &Words, by_then: [usize; 2]) {
    let both = exported(server, row);
    for n in 0..2 {
        let said = &words.said[n][..by_then[n]];
        let lost = lost("rescued", said, &both[n], RATE / 2);
        eprintln!("channel {n}: {lost} samples of {} lost with the disk", said.len());
        // What the last copy took: the server looks each second, and the disk and the store need a moment.
        assert!(lost <= 2 * RATE, "{lost} samples are lost");
    }
}

/// kill -9, and the whole disk is gone, the spool's name with it: another spool takes over by an operator's word.
#[test]
fn a_lost_spool_is_adopted_by_another() {
    let _machine = shared();
    let kept = Kept::s3s();
    let mut server = start(&settings(1, |_| ALWAYS.to_owned()), &kept.config("segment = \"5s\"", ""));
    let vault = server.dir.path().join("data/vault");
    let id = || std::fs::read_to_string(vault.join("spool.id")).expect("a spool").trim().to_owned();
    let old = id();
    let config = server.config();
    let adopt =
        |server: &Server, spool: &str| server.run(&["spools", "adopt", spool, "--config"], &[&config]);
    let own = adopt(&server, &old);
    assert!(!own.status.success() && said(&own).contains("own spool"), "{}", said(&own));
    let (words, by_then) = killed_after(&mut server, &kept, ".seg/000000");
    std::fs::remove_dir_all(&vault).expect("the vault is ours");
    server.start_again();
    let new = id();
    assert_ne!(new, old);
    // Nobody takes it for this node's, and the call is open still.
    let spools = server.rows(&["spools", "list"]);
    let [spool] = spools.as_slice() else { panic!("one spool: {spools:#?}") };
    assert_eq!((text(spool, "spool"), spool["own"].as_bool()), (old.clone(), Some(false)), "{spool}");
    assert_eq!((spool["recordings"].as_u64(), spool["calls"].as_u64()), (Some(1), Some(1)), "{spool}");
    let rows = server.rows(&["recordings", "list"]);
    assert_eq!(text(&rows[0], "state"), "recording");
    let unknown = adopt(&server, "01JD00000000000000000000AA");
    assert!(!unknown.status.success() && said(&unknown).contains("there is no spool"), "{}", said(&unknown));
    let adopted = adopt(&server, &old);
    assert!(adopted.status.success(), "{}", said(&adopted));
    let rows = settled(&server, CAUGHT_UP);
    let [row] = rows.as_slice() else { panic!("one recording: {rows:#?}") };
    assert_eq!((text(row, "state").as_str(), &row["salvaged"]), ("stored", &Value::Bool(true)), "{row}");
    assert_only_what_is_stored(&server, &kept, &rows, ".rec");
    assert_rescued(&server, row, &words, by_then);
    assert_eq!(server.rows(&["spools", "list"]), Vec::<Value>::new(), "nothing waits");
    let audit = server.rows(&["audit", "list"]);
    let told = audit.iter().find(|row| row["action"] == "spool.adopted").expect("it is audited").to_string();
    assert!(told.contains(&old) && told.contains(&new), "{told}");
    server.audit_is_whole();
}

//! The spool's disk is full, or near it: each queue says whether its calls go on or end, nothing is corrupt, and who
//! runs the server is told.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::harness::audio::RATE;
use crate::harness::phone::SOON;
use crate::harness::postgres::Cluster;
use crate::harness::server::{Server, text as said};
use crate::harness::vault::{
    ALWAYS, Kept, Line, Talk, Words, assert_only_what_is_stored, assert_whole, by_caller, exported, files,
    held, settings, settled, start, text,
};
use crate::harness::{Process, shared, until};

/// Queue 0: calls go on without a recording; queue 1: they end.
fn policies(queue: usize) -> String {
    let policy = ["continue", "drop-call"][queue.min(1)];
    format!("{ALWAYS}\non-recording-failure = \"{policy}\"")
}

const SETTLED: Duration = Duration::from_secs(60);

/// Waits until these alarms are raised and no others.
fn alarms(server: &Server, wanted: &[&str]) {
    let raised = || (server.metrics().alarms() == wanted).then_some(());
    until(Duration::from_secs(30), &format!("the alarms {wanted:?} and no others"), raised);
}

/// Waits until each hears the other, a second of it.
fn hear_each_other(talk: &Talk) {
    let heard = |n: usize| {
        let heard = talk.said[1 - n].log(|log| log.heard.clone());
        let said = talk.said[n].log(|log| log.said.clone());
        held(&said, &heard).iter().filter(|there| **there).count()
    };
    until(SOON * 2, "a second of talk both ways", || (heard(0) >= 50 && heard(1) >= 50).then_some(()));
}

#[test]
fn below_the_reserve_no_recording_begins() {
    let _machine = shared();
    let kept = Kept::Folder;
    let config = kept.config("", "");
    let mut server = start(&settings(2, policies), &config);
    let file = server.config();
    let roomy = std::fs::read_to_string(&file).expect("the configuration");
    // More than any disk has: what is free is below it.
    let full = roomy.replace("reserve = \"1MB\"", "reserve = \"9000000000GB\"");
    assert_ne!(full, roomy);
    server.kill();
    std::fs::write(&file, &full).expect("writable");
    server.start_again();
    let talk = Talk::of_noise(&server, 0, "+4930555001", 1);
    hear_each_other(&talk);
    talk.hang_up();
    let line = Line::ringing(&server, 1, "+4930555002");
    dropped(line);
    alarms(&server, &["disk-reserve"]);
    let rows = settled(&server, SETTLED);
    assert!(rows.iter().all(|row| row["state"] != "stored" && row["state"] != "finished"), "{rows:#?}");
    assert_only_what_is_stored(&server, &kept, &rows, ".rec");
    server.audit_is_whole();
    // Room again: the next call is recorded and the alarm is over.
    server.kill();
    std::fs::write(&file, &roomy).expect("writable");
    server.start_again();
    let talk = Talk::of_noise(&server, 1, "+4930555003", 3);
    talk.lasts(2.0);
    let words = talk.hang_up();
    let rows = settled(&server, SETTLED);
    let of_call = by_caller(&server, &rows);
    let [row] = of_call["+4930555003"].as_slice() else { panic!("one recording: {rows:#?}") };
    assert_whole(&server, row, &words);
    alarms(&server, &[]);
}

/// The agent picks up, and the server ends the call.
fn dropped(line: Line) {
    let Line { mut caller, mut agent, .. } = line;
    std::thread::scope(|scope| {
        scope.spawn(move || agent.pick_up());
        caller.take("BYE", SOON * 2);
    });
}

/// Every write past the limit fails in its middle: a file may grow to so many blocks of 512 bytes, 6.4 s of PCM.
/// PostgreSQL keeps what the database has out of the server's own files.
#[test]
fn a_write_that_fails_in_mid_call_spoils_nothing() {
    let _machine = shared();
    let cluster = Cluster::start(&[]);
    let database = format!("[database]\nurl = {:?}\n", cluster.database());
    let mut server = start(&settings(3, policies), &format!("{database}{}", Kept::Folder.config("", "")));
    server.kill();
    server.under = ["sh", "-c", "trap '' XFSZ; ulimit -f 400; exec \"$@\"", "sh"].map(str::to_owned).to_vec();
    server.start_again();
    let spool = server.dir.path().join("data/vault/spool");
    full_in_mid_call(server, &spool, |server| server.under.clear());
}

/// The same with a disk that has no room. It is mounted where only this test's server sees it. A machine that lets
/// nobody mount anything cannot run this test, and the test fails there.
#[test]
fn a_disk_that_is_full_in_mid_call_spoils_nothing() {
    let _machine = shared();
    let config = Kept::Folder.config("", "").replace("1MB", "0B");
    let mut server = start(&settings(3, policies), &config);
    server.kill();
    let spool = server.dir.path().join("data/vault/spool");
    let disk = SmallDisk::mount(&spool);
    server.under = disk.enter();
    server.start_again();
    let seen = PathBuf::from(format!("/proc/{}/root{}", disk.keeper.pid(), spool.display()));
    full_in_mid_call(server, &seen, |_| disk.grow());
}

/// A tmpfs in namespaces of its own, kept by a process.
struct SmallDisk {
    keeper: Process,
    at: PathBuf,
    /// The namespaces, as options of `unshare` and `nsenter`.
    namespaces: &'static [&'static str],
}

impl SmallDisk {
    /// As an ordinary user in a namespace of users, which some machines forbid; else as root.
    fn mount(at: &Path) -> Self {
        let ways = [
            (
                &["--user", "--map-root-user", "--mount"][..],
                &["--user", "--preserve-credentials", "--mount"][..],
            ),
            (&["--mount"], &["--mount"]),
        ];
        ways.into_iter().find_map(|(make, enter)| Self::mount_in(at, make, enter)).unwrap_or_else(|| {
            panic!("nobody may mount a small disk here: run this as root, or allow namespaces of users (see unshare(1))")
        })
    }

    /// `None` where the machine refuses.
    fn mount_in(at: &Path, make: &[&str], namespaces: &'static [&'static str]) -> Option<Self> {
        let mount = format!("mount -t tmpfs -o size=320k tmpfs {at:?} && echo there && exec cat");
        let mut command = Command::new("unshare");
        command.args(make).args(["sh", "-c", &mount]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = Process::start("unshare", &mut command);
        let mut said = [0; 5];
        let there = keeper.child().stdout.take().is_some_and(|mut out| out.read_exact(&mut said).is_ok());
        there.then(|| Self { keeper, at: at.to_owned(), namespaces })
    }

    /// What starts a process that sees it.
    fn enter(&self) -> Vec<String> {
        let target = ["--target".to_owned(), self.keeper.pid().to_string()];
        let words = ["nsenter"].iter().chain(self.namespaces).map(|word| (*word).to_owned());
        words.chain(target).collect()
    }

    /// Makes room.
    fn grow(&self) {
        let words = self.enter();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["mount", "-o", "remount,size=20m"]).arg(&self.at);
        let output = command.output().expect("nsenter runs");
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// Three calls: of queue 2 a short one that is whole before there is no room; of queues 0 and 1 long ones that meet a
/// spool without room. Then `make_room`, and the server starts anew.
fn full_in_mid_call(mut server: Server, spool: &Path, make_room: impl FnOnce(&mut Server)) {
    let short = Talk::of_noise(&server, 2, "+4930555002", 2);
    short.lasts(2.0);
    let short = short.hang_up();
    let stored = || {
        let rows = server.rows(&["recordings", "list"]);
        rows.iter().any(|row| row["state"] == "stored").then_some(())
    };
    until(SOON * 2, "the short call's recording", stored);
    let goes_on = Talk::of_noise(&server, 0, "+4930555000", 3);
    let mut ends = Talk::of_noise(&server, 1, "+4930555001", 4);
    // The one that must be recorded is ended by the server.
    ends.line.caller.take("BYE", SOON * 4);
    ends.line.agent.take("BYE", SOON);
    let ends = ends.cut();
    let broken = || server.metrics().sum("sayso_recording_failures_total").filter(|broken| *broken >= 2.0);
    until(SOON * 2, "both recordings to break", broken);
    // What is on the disk of them is saved at once, and then the alarm is over; the audit log has both.
    alarms(&server, &[]);
    for action in ["alarm.raised", "alarm.cleared"] {
        let rows = || server.rows(&["audit", "list", "--action", action, "--object", "recording-failed"]);
        until(SOON * 2, action, || (!rows().is_empty()).then_some(()));
    }
    still_heard(&goes_on);
    let goes_on = goes_on.hang_up();
    server.terminate();
    server.ended(Duration::from_secs(20));
    make_room(&mut server);
    server.start_again();
    let rows = settled(&server, SETTLED);
    let by_caller = by_caller(&server, &rows);
    let only = |from: &str| match by_caller[from].as_slice() {
        [row] => row,
        more => panic!("{from}: one recording: {more:#?}"),
    };
    assert_whole(&server, only(&short.from), &short);
    for words in [&goes_on, &ends] {
        assert_begun(&server, only(&words.from), words);
    }
    assert_eq!(files(spool), Vec::<PathBuf>::new(), "files left in the spool");
    assert_eq!(Kept::Folder.names(&server).len(), 3, "each recording once");
    server.audit_is_whole();
}

/// Two seconds more of the caller's words reach the agent.
fn still_heard(talk: &Talk) {
    let said = || talk.said[0].log(|log| log.said.clone());
    let (from, heard_from) = (said().len(), talk.said[1].log(|log| log.heard.len()));
    let reached = || {
        let heard = talk.said[1].log(|log| log.heard[heard_from..].to_vec());
        (held(&said()[from..], &heard).iter().filter(|there| **there).count() >= 100).then_some(())
    };
    until(SOON * 2, "two seconds of talk to reach the agent", reached);
}

/// What could be written is there without a hole, from the beginning to the moment when there was no room.
fn assert_begun(server: &Server, row: &Value, words: &Words) {
    assert_eq!((text(row, "state").as_str(), &row["salvaged"]), ("stored", &Value::Bool(true)), "{row}");
    let both = exported(server, row);
    for (said, channel) in words.said.iter().zip(&both) {
        let there = held(&said[RATE / 2..], channel);
        let begun = there.iter().take_while(|there| **there).count();
        assert!(begun >= 50, "{}: {begun} packets from the beginning", words.from);
        assert!(!there[begun..].contains(&true), "{}: a hole in what was saved", words.from);
    }
}

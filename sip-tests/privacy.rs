//! Personal data stays out of the log, whatever is logged.

use std::time::Duration;

use crate::harness::phone::Phone;
use crate::harness::server::{HELD_BY_CALLS, Server, password, settings};
use crate::harness::shared;

const ASK: &str = "recording = \"consent\"\nconsent = { attempts = 1, timeout = \"10s\" }";

/// A whole call and two that are refused, with everything logged that can be: no number, no name, no
/// password, no key.
#[test]
fn the_log_names_nobody() {
    let _machine = shared();
    let server = Server::start_with(&settings(ASK, &["ada"]), "[log]\nfilter = \"trace\"");
    let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    assert_eq!(agent.try_register("no such password", 60), 401);
    agent.register(&password("ada"), 3600);
    let mut caller = Phone::new(server.udp, [127, 0, 0, 1], "+4930555987654");
    caller.call_answered("+4930100");
    server.phase("asking");
    caller.press_info('1');
    agent.rung_within(Duration::from_secs(10));
    agent.pick_up();
    server.phase("talking");
    caller.bye();
    agent.take("BYE", Duration::from_secs(10));
    agent.reply(200, "OK");
    server.sealed_recording();
    let mut stranger = Phone::new(server.udp, [127, 0, 0, 3], "+4930555123987");
    stranger.call("+4930100");
    server.empty(&HELD_BY_CALLS[..3], Duration::from_secs(10));
    let log = server.whole_log();
    for of_the_call in ["call arrived", " dialled", "call ended"] {
        assert!(log.contains(of_the_call), "{of_the_call:?} is missing in a log of {} bytes", log.len());
    }
    for secret in ["30555987654", "30555123987", "no such password", &password("ada")] {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} is logged: {line:?}");
    }
}

//! Personal data stays out of the log, whatever is logged.

use std::time::Duration;

use serde_json::json;

use crate::harness::api::Session;
use crate::harness::phone::Phone;
use crate::harness::s3::SECRET_KEY;
use crate::harness::server::{HELD_BY_CALLS, Server, password, settings};
use crate::harness::shared;
use crate::harness::vault::{self, ALWAYS, Kept, ROOT, Talk, settled};

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

/// A recording's whole life, with everything logged that can be: no number, no reason, no secret of the store and no
/// key of any kind.
#[test]
fn the_log_tells_no_key() {
    let _machine = shared();
    let kept = Kept::s3s();
    let vault = format!("{}[log]\nfilter = \"trace\"\n", kept.config("segment = \"5s\"", ""));
    let server = vault::start(&vault::settings(1, |_| ALWAYS.to_owned()), &vault);
    let talk = Talk::of_noise(&server, 0, "+4930555987654", 1);
    talk.lasts(6.5);
    talk.hang_up();
    let rows = settled(&server, Duration::from_secs(60));
    let id = vault::text(&rows[0], "id");
    let wrapped = vault::wrapped_key(&server, &id).expect("it is stored");
    let session = Session::open(server.http, ROOT.0, ROOT.1);
    let reason = "Mr Smith asked for it";
    let (status, answer) =
        session.ask("DELETE", &format!("/recordings/{id}"), Some(json!({ "reason": reason })));
    assert_eq!(status, 202, "{answer}");
    settled(&server, Duration::from_secs(60));
    let log = server.whole_log();
    assert!(log.contains(&id), "the recording's life is in the log");
    let data = server.dir.path().join("data");
    let keys = ["vault.key", "signing.key"]
        .map(|name| std::fs::read_to_string(data.join(name)).expect("a key file"));
    let own: Vec<String> = keys.iter().flat_map(|file| file.split_whitespace().map(str::to_owned)).collect();
    assert!(!own.is_empty() && own.iter().all(|key| key.len() >= 32), "keys in hexadecimal digits");
    let wrapped = hex::encode(&wrapped[wrapped.len() - 48..]);
    for secret in [SECRET_KEY, ROOT.1, "30555987654", reason, &wrapped]
        .into_iter()
        .chain(own.iter().map(String::as_str))
    {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret:?} is logged: {line:?}");
    }
}

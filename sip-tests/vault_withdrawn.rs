//! Consent withdrawn in mid-call: what was captured goes, with the fact of the withdrawal or not at all.

use std::path::PathBuf;
use std::time::Duration;

use crate::harness::api::Session;
use crate::harness::audio::RATE;
use crate::harness::phone::{Phone, SOON};
use crate::harness::rtp::Stream;
use crate::harness::server::{Server, password};
use crate::harness::vault::{Kept, database, files, noise, number, settings, settled, sql, start, text};
use crate::harness::{shared, until};
use crate::vault_gone::{SETTLED, traces};

const ASK: &str = "recording = \"consent\"\nconsent = { attempts = 3, timeout = \"5s\" }";
const SECRET: &str = "the secret of ada";

/// A server whose agent may withdraw for the caller.
fn server(kept: &Kept) -> Server {
    let ada = format!(
        "\n[user.ada]\ndisplay-name = \"Ada\"\nrole = \"agent\"\nagent = \"agent0\"\npassword = \"{SECRET}\"\n\
         must-change = false\n"
    );
    start(&(settings(1, |_| ASK.to_owned()) + &ada), &kept.config("segment = \"5s\"", ""))
}

/// A caller who agreed, in conversation.
struct Agreed {
    caller: Phone,
    agent: Phone,
    voice: Stream,
    answers: Stream,
    /// Recording and call.
    id: String,
    call: String,
}

impl Agreed {
    fn on(server: &Server) -> Self {
        let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "agent0");
        agent.register(&password("agent0"), 3600);
        let mut caller = Phone::new(server.udp, [127, 0, 0, 1], "+4930555001");
        caller.call_answered(&number(0));
        let voice = caller.talk(noise(1));
        server.phase("asking");
        caller.press_info('1');
        agent.rung_within(SOON * 4);
        agent.pick_up();
        let answers = agent.talk(noise(2));
        let recording =
            || server.rows(&["recordings", "list"]).into_iter().find(|row| row["state"] == "recording");
        let row = until(SOON * 4, "a recording", recording);
        Self { caller, agent, voice, answers, id: text(&row, "id"), call: text(&row, "call") }
    }

    fn withdraws(&self, server: &Server) {
        let ada = Session::open(server.http, "ada", SECRET);
        ada.does("POST", &format!("/calls/{}/recording/withdraw", self.call), None);
    }

    /// Its state now, by its row.
    fn state(&self, server: &Server) -> String {
        let rows = server.rows(&["recordings", "list"]);
        text(rows.iter().find(|row| row["id"] == self.id.as_str()).expect("a row"), "state")
    }

    fn is_withdrawn(server: &Server) -> bool {
        server.rows(&["consents", "list"]).iter().any(|row| row["answer"] == "withdrawn")
    }
}

#[test]
fn a_withdrawal_in_mid_call_leaves_nothing() {
    let _machine = shared();
    let kept = Kept::moto();
    let Kept::Bucket { server: store, bucket, .. } = &kept else { panic!("a bucket") };
    let server = server(&kept);
    let mut talk = Agreed::on(&server);
    let copied = || kept.names(&server).iter().any(|name| name.contains(".seg/")).then_some(());
    until(Duration::from_secs(20), "a segment in the store", copied);
    talk.withdraws(&server);
    let removed = || (talk.state(&server) == "removed").then_some(());
    until(Duration::from_secs(30), "the recording to be removed while the call goes on", removed);
    assert_eq!(traces(&store.client(), bucket, &talk.id), Vec::<String>::new());
    assert_eq!(files(&server.dir.path().join("data/vault/spool")), Vec::<PathBuf>::new());
    let heard = talk.answers.log(|log| log.heard.len());
    let more = || talk.answers.log(|log| (log.heard.len() > heard + RATE).then_some(()));
    until(SOON, "the talk to go on", more);
    drop((talk.voice, talk.answers));
    talk.caller.bye();
    talk.agent.take("BYE", SOON);
    let rows = settled(&server, SETTLED);
    assert!(rows.iter().all(|row| row["state"] == "removed"), "{rows:#?}");
    assert_eq!(kept.names(&server), Vec::<String>::new());
    server.audit_is_whole();
}

/// The database refuses the destruction for a while, and the server is killed as soon as the withdrawal is stored: it never
/// is without the destruction.
#[test]
fn a_withdrawal_is_stored_with_the_destruction_or_not_at_all() {
    let _machine = shared();
    let mut server = server(&Kept::Folder);
    let refuse = "CREATE TRIGGER refuses BEFORE UPDATE ON recordings WHEN NEW.state = 'destroyed' \
                  BEGIN SELECT RAISE(ABORT, 'not now'); END";
    sql(&database(server.dir.path()), refuse);
    let talk = Agreed::on(&server);
    let failures = |server: &Server| server.metrics().sum("sayso_store_failures_total").unwrap_or(0.0);
    talk.withdraws(&server);
    let tried = || (failures(&server) >= 2.0).then_some(());
    until(Duration::from_secs(20), "the withdrawal to be tried again by itself", tried);
    assert!(!Agreed::is_withdrawn(&server), "the fact without its destruction");
    assert_eq!(talk.state(&server), "recording");
    sql(&database(server.dir.path()), "DROP TRIGGER refuses");
    until(Duration::from_secs(20), "the withdrawal", || Agreed::is_withdrawn(&server).then_some(()));
    server.kill();
    let state = talk.state(&server);
    assert!(["destroyed", "removed"].contains(&state.as_str()), "{state}");
    drop((talk.voice, talk.answers));
    server.start_again();
    let rows = settled(&server, SETTLED);
    assert!(rows.iter().all(|row| row["state"] == "removed"), "{rows:#?}");
    assert_eq!(Kept::Folder.names(&server), Vec::<String>::new());
    assert_eq!(files(&server.dir.path().join("data/vault/spool")), Vec::<PathBuf>::new());
    server.audit_is_whole();
}

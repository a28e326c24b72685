//! A caller who hangs up at any moment leaves no ghost: no leg, no port, no agent stuck.

use std::time::Duration;

use crate::harness::phone::{Phone, SOON};
use crate::harness::server::{HELD_BY_CALLS, Server, password, settings};
use crate::harness::shared;

const NUMBER: &str = "+4930100";
const ASK: &str = "recording = \"consent\"\nconsent = { attempts = 1, timeout = \"10s\" }";

/// Where the call is when it ends, and who ends it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// CANCEL behind the INVITE, in its race with the 200.
    Cancel,
    /// BYE without an ACK.
    BeforeAck,
    Welcome,
    Asking,
    /// While an agent's phone rings.
    Ringing,
    /// The agent declines, then the caller gives up.
    Declined,
    /// The caller's BYE in conversation.
    Talking,
    /// The agent's BYE in conversation.
    ByAgent,
}

const ENDS: [End; 8] = [
    End::Cancel,
    End::BeforeAck,
    End::Welcome,
    End::Asking,
    End::Ringing,
    End::Declined,
    End::Talking,
    End::ByAgent,
];

#[test]
fn hanging_up_anywhere_leaves_nothing() {
    let _machine = shared();
    let server = Server::start(&settings(ASK, &["ada"]));
    let mut agent = Phone::new(server.udp, [127, 0, 0, 1], "ada");
    agent.register(&password("ada"), 3600);
    for (n, end) in ENDS.into_iter().chain([End::Talking]).enumerate() {
        let mut caller = Phone::new(server.udp, [127, 0, 0, 1], &format!("+49305552{n:02}"));
        hang_up(&server, &mut caller, &mut agent, end);
        server.empty(&HELD_BY_CALLS[..3], SOON);
        eprintln!("{end:?}: nothing left");
    }
    // The last round above was a whole call again: the agent was free for it. Every call has ended.
    let calls = server.rows(&["calls", "list"]);
    assert!(calls.iter().all(|call| !call["ended_at"].is_null()), "{calls:?}");
    server.audit_is_whole();
    // Transactions and dialogs go too, once their timers (64*T1) have run out.
    server.empty(HELD_BY_CALLS, Duration::from_secs(45));
}

fn hang_up(server: &Server, caller: &mut Phone, agent: &mut Phone, end: End) {
    caller.call(NUMBER);
    if end == End::Cancel {
        caller.cancel();
        return cancelled(caller);
    }
    let answer = caller.response("INVITE");
    assert_eq!(answer.status(), Some(200), "{end:?}");
    if end == End::BeforeAck {
        // A dialog stands with the 200 (RFC 3261 §15.1.1 lets the caller end it even without the ACK).
        caller.answered_without_ack(&answer);
        return caller.bye();
    }
    caller.answered(&answer);
    if end == End::Welcome {
        server.phase("welcome");
        return caller.bye();
    }
    server.phase("asking");
    if end == End::Asking {
        return caller.bye();
    }
    caller.press_info('1');
    agent.rung_within(Duration::from_secs(15));
    match end {
        End::Cancel | End::BeforeAck | End::Welcome | End::Asking => {}
        End::Ringing => {
            agent.reply(180, "Ringing");
            server.phase("ringing");
            caller.bye();
            agent.take("CANCEL", SOON);
            agent.reply(487, "Request Terminated");
            agent.wait(SOON, "ACK", |m| m.method() == Some("ACK"));
        }
        End::Declined => {
            agent.reply(486, "Busy Here");
            agent.wait(SOON, "ACK", |m| m.method() == Some("ACK"));
            caller.bye();
            drain(agent);
        }
        End::Talking => {
            agent.pick_up();
            server.phase("talking");
            caller.bye();
            agent.take("BYE", SOON);
        }
        End::ByAgent => {
            agent.pick_up();
            server.phase("talking");
            agent.bye();
            caller.take("BYE", SOON);
        }
    }
}

/// CANCEL and 200 cross: either the INVITE was cancelled (487), or it was answered and is ended by BYE.
fn cancelled(caller: &mut Phone) {
    let (mut invite, mut cancel) = (None, None);
    while invite.is_none() || cancel.is_none() {
        let answer =
            caller.wait(SOON, "answers to INVITE and CANCEL", |m| m.status().is_some_and(|s| s >= 200));
        match answer.cseq() {
            Some((_, "INVITE")) => invite = Some(answer),
            Some((_, "CANCEL")) => cancel = answer.status(),
            _ => {}
        }
    }
    assert_eq!(cancel, Some(200), "CANCEL of an INVITE whose transaction stands");
    let invite = invite.expect("the loop ended");
    match invite.status() {
        Some(487) => caller.refused(&invite),
        Some(200) => {
            caller.answered(&invite);
            caller.bye();
        }
        other => panic!("487 or 200 to the INVITE, not {other:?}"),
    }
}

/// A declined agent may be offered the call again at once; that INVITE is cancelled when the caller goes.
fn drain(agent: &mut Phone) {
    while let Some(message) = agent.receive(std::time::Instant::now() + Duration::from_millis(300)) {
        if message.method() == Some("INVITE") {
            agent.invite = Some(message);
            agent.take("CANCEL", SOON);
            agent.reply(487, "Request Terminated");
        }
    }
}

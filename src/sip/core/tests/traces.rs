//! What is kept of the messages of a dialog, and what is not.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request, SDP, US, config, reply, settings, udp};
use crate::call::Cause;
use crate::sip::core::{
    Callee, Command, DialogId, EndpointConfig, Particulars, TRACED_FIRST, TRACED_LAST, Traced, TracedStep,
    Transport,
};

fn bench() -> Bench {
    let config = EndpointConfig { trace: true, ..config(US) };
    Bench::with(config, settings(&["10.0.0.2/32"], &["ada", "bob"]))
}

/// `< INVITE` came, `> 200 OK` went.
fn said(steps: &[TracedStep]) -> Vec<String> {
    let one = |step: &TracedStep| {
        format!("{} {} ({})", if step.sent { '>' } else { '<' }, step.what(), step.cseq())
    };
    steps.iter().map(one).collect()
}

fn told(bench: &mut Bench, dialog: DialogId) -> Traced {
    let traced = bench.endpoint.poll_trace().expect("it has ended");
    assert_eq!((traced.dialog, bench.endpoint.poll_trace()), (dialog, None), "told once");
    traced
}

#[test]
fn a_call_that_came_is_told_in_order_once_it_has_ended() {
    let mut bench = bench();
    let (dialog, invite, ok) = bench.call();
    bench.pass(Duration::from_secs(3));
    let so_far = bench.endpoint.trace_so_far(dialog).expect("it goes on");
    assert_eq!(
        said(&so_far.steps),
        ["< INVITE (1 INVITE)", "> 100 Trying (1 INVITE)", "> 200 OK (1 INVITE)", "< ACK (1 ACK)"]
    );
    let digits = invite.within(&ok, "INFO", 2).with("Content-Type: application/dtmf-relay");
    let digits = Request { body: "Signal=7\r\nDuration=160\r\n".to_owned(), ..digits };
    bench.trunk(digits.text());
    bench.trunk(invite.within(&ok, "BYE", 3).text());
    assert_eq!(bench.endpoint.poll_trace(), None, "last messages may yet come");
    bench.trunk(invite.within(&ok, "BYE", 3).text());
    bench.pass(Duration::from_secs(6));
    let traced = told(&mut bench, dialog);
    let wanted = [
        "< INFO (2 INFO)",
        "> 200 OK (2 INFO)",
        "< BYE (3 BYE)",
        "> 200 OK (3 BYE)",
        "< BYE (3 BYE)",
        "> 200 OK (3 BYE)",
    ];
    assert_eq!(said(&traced.steps[4..]), wanted, "retransmissions too");
    assert!(!traced.cut && traced.steps.is_sorted_by_key(|step| step.at));
    let body = |n: usize| traced.steps[n].body.map(|body| (body.kind, body.length));
    assert_eq!((body(0), body(1)), (Some(("application/sdp", u32::try_from(SDP.len()).ok())), None));
    assert_eq!(body(4), Some(("application/dtmf-relay", None)), "a length could tell of the digits");
    assert_eq!(bench.endpoint.trace_so_far(dialog), None);
    bench.is_clean();
}

#[test]
fn nothing_of_what_is_kept_was_written_by_them() {
    let mut bench = bench();
    let (dialog, invite, ok) = bench.call();
    let odd = invite.within(&ok, "CALL4930123", 2).with("Content-Type: text/4930123");
    bench.trunk(Request { body: "4930123".to_owned(), ..odd }.text());
    let so_far = bench.endpoint.trace_so_far(dialog).expect("it goes on");
    let text = format!("{so_far:?} {:?}", said(&so_far.steps));
    assert!(text.contains("OTHER") && text.contains("application/other"), "{text}");
    assert!(!text.contains("4930123"), "{text}");
}

#[test]
fn a_call_of_ours_has_all_its_tries_and_the_end_that_crossed() {
    let mut bench = bench();
    let dialog = bench.endpoint.new_dialog();
    let to = Callee::Uri {
        uri: "sip:them@10.0.0.2".to_owned(),
        remote: "10.0.0.2:5060".parse().unwrap(),
        transport: Transport::Udp,
        login: Some(crate::sip::core::Login { user: "ada".to_owned(), password: "secret".to_owned() }),
    };
    let (sdp, particulars) = (Bytes::from_static(b"offer"), Box::new(Particulars::default()));
    bench.command(Command::Invite { dialog, to, from: "+4930999".to_owned(), sdp, particulars });
    let first = bench.next();
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", algorithm=MD5\r\n";
    let at = udp(US, "10.0.0.2:5060");
    bench.receive(at, reply(&first, 401, "a", challenge, ""));
    assert_eq!(bench.next().method(), "ACK");
    let second = bench.next();
    bench.receive(at, reply(&second, 180, "b", "", ""));
    bench.command(Command::Hangup { dialog, cause: Cause::Cancelled });
    let cancel = bench.next();
    bench.receive(at, reply(&cancel, 200, "b", "", ""));
    bench.receive(at, reply(&second, 487, "b", "", ""));
    bench.pass(Duration::from_secs(6));
    let traced = told(&mut bench, dialog);
    let cseq = |sent: &super::bench::Sent| sent.header("CSeq").to_owned();
    let (one, two) = (cseq(&first), cseq(&second));
    let ack = |of: &str| of.replace("INVITE", "ACK");
    let wanted = [
        format!("> INVITE ({one})"),
        format!("< 401 Unauthorized ({one})"),
        format!("> ACK ({})", ack(&one)),
        format!("> INVITE ({two})"),
        format!("< 180 Ringing ({two})"),
        format!("> CANCEL ({})", cseq(&cancel)),
        format!("< 200 OK ({})", cseq(&cancel)),
        format!("< 487 Request Terminated ({two})"),
        format!("> ACK ({})", ack(&two)),
    ];
    assert_eq!(said(&traced.steps), wanted);
    bench.is_clean();
}

#[test]
fn an_answer_that_is_sent_again_is_told_again() {
    let mut bench = bench();
    bench.trunk(Request::invite("c1").text());
    let dialog = bench.incoming().dialog;
    bench.command(Command::Answer { dialog, sdp: Bytes::from_static(b"answer") });
    bench.pass(Duration::from_secs(2));
    let so_far = bench.endpoint.trace_so_far(dialog).expect("it goes on");
    let answers = said(&so_far.steps).iter().filter(|said| *said == "> 200 OK (1 INVITE)").count();
    let sent = bench.statuses().iter().filter(|status| **status == 200).count();
    assert!(answers >= 2 && answers == sent, "{answers} of {sent}");
}

#[test]
fn of_a_long_dialog_the_middle_is_left_out() {
    let mut bench = bench();
    let (dialog, invite, ok) = bench.call();
    for n in 0..150u32 {
        let info = invite.within(&ok, "INFO", 2 + n).with("Content-Type: application/dtmf");
        bench.trunk(Request { body: "5".to_owned(), ..info }.text());
    }
    let last = invite.within(&ok, "BYE", 200);
    bench.trunk(last.text());
    bench.pass(Duration::from_secs(6));
    let traced = told(&mut bench, dialog);
    assert!(traced.cut);
    assert_eq!(traced.steps.len(), TRACED_FIRST + TRACED_LAST);
    assert_eq!(said(&traced.steps)[0], "< INVITE (1 INVITE)");
    let end = said(&traced.steps[TRACED_FIRST + TRACED_LAST - 2..]);
    assert_eq!(end, ["< BYE (200 BYE)", "> 200 OK (200 BYE)"]);
    bench.is_clean();
}

#[test]
fn nothing_is_kept_unless_it_is_wanted_or_of_what_is_no_call() {
    let mut off = Bench::new();
    let (dialog, ..) = off.call();
    assert_eq!((off.endpoint.trace_so_far(dialog), off.endpoint.sizes().traces), (None, 0));
    let mut bench = bench();
    bench.trunk(Request::new("OPTIONS", "o1", 1).text());
    bench.trunk(Request::invite("r1").with("Require: nothing-we-have").text());
    assert_eq!(bench.statuses(), [200, 420]);
    assert_eq!(bench.endpoint.sizes().traces, 0);
    bench.is_clean();
    assert_eq!(bench.endpoint.poll_trace(), None);
}

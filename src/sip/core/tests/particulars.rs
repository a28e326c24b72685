//! What headers tell of callers, in and out, and INVITEs that replace a dialog.

use bytes::Bytes;

use super::bench::{Bench, Request, Sent, US, reply, udp};
use crate::call::Cause;
use crate::ids::AgentId;
use crate::sip::core::{Callee, Command, DialogId, Event, Media, Particulars, Transport};

#[test]
fn they_are_read_in_order_and_bounded() {
    let mut bench = Bench::new();
    let invite = Request::invite("p1")
        .with("P-Asserted-Identity: \"A, B\" <sip:+4930777@10.0.0.2>, <tel:+4930777>")
        .with("Diversion: <sip:+491@h>;reason=unconditional, \"x, y\" <sip:+492@h>;reason=no-answer")
        .with("Diversion: <sip:+493@h>")
        .with("History-Info: <sip:+494@h>;index=1,<sip:+495@h>;index=1.1;mp=1")
        .with("User-to-User: 56a390f3d2b7310023a2;encoding=hex;purpose=foo")
        .with("Referred-By: <sip:boss@h>;cid=\"1@h\"")
        .with(&format!("Diversion: <sip:{}@h>", "9".repeat(2_000)))
        .with("Supported: record-aware");
    bench.trunk(invite.text());
    let incoming = bench.incoming();
    let particulars = &incoming.particulars;
    assert_eq!(incoming.caller.as_deref(), Some("+4930777"));
    assert_eq!(particulars.asserted.as_deref(), Some("+4930777"));
    assert!(!particulars.private && incoming.record_aware);
    assert_eq!(
        particulars.diversion,
        ["<sip:+491@h>;reason=unconditional", "\"x, y\" <sip:+492@h>;reason=no-answer", "<sip:+493@h>"]
    );
    assert_eq!(particulars.history, ["<sip:+494@h>;index=1", "<sip:+495@h>;index=1.1;mp=1"]);
    assert_eq!(particulars.user_to_user, ["56a390f3d2b7310023a2;encoding=hex;purpose=foo"]);
    assert_eq!(particulars.referred_by.as_deref(), Some("<sip:boss@h>;cid=\"1@h\""));
    assert_eq!(format!("{particulars:?}"), "Particulars(…)");
    let mut many = Request::invite("p2").with("Privacy: id;critical").with("P-Asserted-Identity: <sip:+1@h>");
    for n in 0..50 {
        many = many.with(&format!("History-Info: <sip:{n}@h>;index=1.{n}"));
    }
    bench.sent.clear();
    bench.trunk(many.text());
    let incoming = bench.incoming();
    assert_eq!((incoming.caller, incoming.particulars.history.len()), (None, 10));
    assert!(incoming.particulars.private && incoming.particulars.asserted.as_deref() == Some("+1"));
}

fn uri(remote: &str) -> Callee {
    let remote = remote.parse().unwrap();
    Callee::Uri { uri: "sip:x@10.0.0.9".to_owned(), remote, transport: Transport::Udp, login: None }
}

#[test]
fn they_go_out_as_they_stand() {
    let mut bench = Bench::new();
    let all = Particulars {
        private: true,
        asserted: Some("+4930\r\nEvil: 1".to_owned()),
        diversion: vec!["<sip:1@h>".to_owned(), "<sip:2@h>\0".to_owned(), "<sip:3@h>".to_owned()],
        history: vec!["<sip:4@h>;index=1".to_owned()],
        user_to_user: vec!["00;encoding=hex".to_owned()],
        referred_by: Some("<sip:boss@h>".to_owned()),
        ..Particulars::default()
    };
    let dialog = bench.endpoint.new_dialog();
    let (from, sdp) = ("+4930".to_owned(), Bytes::from_static(b"offer"));
    let particulars = Box::new(all);
    bench.command(Command::Invite { dialog, to: uri("10.0.0.9:5060"), from, sdp, particulars });
    let invite = bench.next();
    assert!(invite.header("From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
    assert_eq!(invite.headers("Diversion").collect::<Vec<_>>(), ["<sip:1@h>", "<sip:3@h>"]);
    assert_eq!(
        (invite.header("History-Info"), invite.header("User-to-User")),
        ("<sip:4@h>;index=1", "00;encoding=hex")
    );
    assert_eq!((invite.header("Referred-By"), invite.header("Privacy")), ("<sip:boss@h>", "id"));
    assert!(!invite.text.contains("Evil") && invite.header("P-Asserted-Identity").is_empty());
    bench.receive(udp(US, "10.0.0.9:5060"), reply(&invite, 486, "t", "", ""));
    bench.is_clean();
    // Nobody to call.
    let dialog = DialogId(99);
    let (from, sdp) = ("+4930".to_owned(), Bytes::new());
    let to = Callee::Agent { agent: AgentId::from("bob"), media: Media::Rtp };
    bench.events.clear();
    bench.command(Command::Invite { dialog, to, from, sdp, particulars: Box::default() });
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, .. }));
}

fn replacing(id: &str, value: &str) -> Request {
    Request::invite(id).with(&format!("Replaces: {value}")).with("Require: replaces")
}

fn status(bench: &mut Bench, request: &Request) -> Vec<u16> {
    bench.trunk(request.text());
    bench.statuses()
}

fn value(ok: &Sent) -> String {
    format!("c1;to-tag={};from-tag=them", ok.to_tag())
}

#[test]
fn an_invite_that_replaces_is_matched_by_call_id_and_both_tags() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let tag = ok.to_tag();
    for (n, bad) in [
        format!("c2;to-tag={tag};from-tag=them"),
        format!("c1;to-tag=them;from-tag={tag}"),
        format!("c1;to-tag={tag};from-tag=other"),
        "c1;to-tag=x;from-tag=them".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(status(&mut bench, &replacing(&format!("n{n}"), bad)), [481], "{bad}");
    }
    let good = value(&ok);
    assert_eq!(status(&mut bench, &replacing("m1", "c1;to-tag=")), [400]);
    assert_eq!(status(&mut bench, &replacing("m2", &good).with(&format!("Replaces: {good}"))), [400]);
    assert_eq!(status(&mut bench, &replacing("m3", &good).with("Join: c1;to-tag=1;from-tag=2")), [400]);
    assert_eq!(status(&mut bench, &replacing("m4", &good).with("Require: join")), [420]);
    assert_eq!(status(&mut bench, &replacing("m5", &format!("{good};early-only"))), [486]);
    assert!(bench.events.is_empty());
    assert_eq!(status(&mut bench, &replacing("m6", &good)), [100]);
    let new = bench.incoming();
    assert_eq!(new.replaces, Some(dialog));
    // An early dialog of theirs is not to be replaced.
    bench.command(Command::Ring { dialog: new.dialog, sdp: None });
    let ringing = bench.next();
    let early = format!("m6;to-tag={};from-tag=them", ringing.to_tag());
    assert_eq!(status(&mut bench, &replacing("m7", &early)), [481]);
    // Answering does not end the old one: that is the user's to do.
    bench.command(Command::Answer { dialog: new.dialog, sdp: Bytes::from_static(b"answer") });
    let answer = bench.next();
    bench.trunk(replacing("m6", &good).ack(&answer).text());
    assert!(matches!(bench.event(), Event::Confirmed { .. }) && bench.events.is_empty());
    bench.command(Command::Hangup { dialog, cause: Cause::OtherSideGone });
    // It is over, but its BYE is not answered yet.
    bench.sent.clear();
    assert_eq!(status(&mut bench, &replacing("m8", &good)), [603]);
    bench.trunk(invite.within(&ok, "BYE", 9).text());
    bench.command(Command::Hangup { dialog: new.dialog, cause: Cause::HungUp });
    bench.is_clean();
    assert_eq!(status(&mut bench, &replacing("m9", &good)), [481]);
    bench.is_clean();
}

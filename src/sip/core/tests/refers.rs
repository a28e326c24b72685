//! Transfers by REFER, theirs and ours.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request, Sent, reply};
use super::pair::{End, Network, Pair};
use crate::call::Cause;
use crate::sip::core::{Command, DialogId, Event, ReferTo};

const OTHER: &str = "Refer-To: <sip:bob@10.0.0.1>";

fn refer(bench: &mut Bench, request: &Request) -> ReferTo {
    bench.trunk(request.text());
    bench.nothing_sent();
    let event = bench.event();
    let Event::Refer { to, .. } = event else { panic!("no transfer: {event:?}") };
    to
}

fn is_notify(sent: &Sent, event: &str, status: &str, state: &str) -> bool {
    sent.method() == "NOTIFY"
        && sent.header("Event") == event
        && sent.header("Subscription-State").starts_with(state)
        && sent.header("Content-Type").starts_with("message/sipfrag")
        && sent.body().starts_with(&format!("SIP/2.0 {status} "))
        && !sent.header("Contact").is_empty()
}

/// A call whose REFER (CSeq 2) was taken, and the first NOTIFY answered.
fn transferring() -> (Bench, DialogId, Request, Sent) {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let request = invite.within(&ok, "REFER", 2).with(OTHER).with("Referred-By: <sip:ada@h>");
    assert_eq!(refer(&mut bench, &request), ReferTo::User("bob".to_owned()));
    bench.command(Command::AnswerRefer { dialog, status: 202 });
    let (accepted, trying) = (bench.next(), bench.next());
    assert_eq!((accepted.status(), accepted.header("Refer-Sub")), (202, ""));
    assert!(!accepted.header("Contact").is_empty());
    assert!(is_notify(&trying, "refer", "100", "active;expires=180"), "{}", trying.text);
    bench.trunk(reply(&trying, 200, "", "", ""));
    // Again: the same answer, and no second transfer.
    bench.trunk(request.text());
    assert_eq!(bench.next().text, accepted.text);
    assert!(bench.events.is_empty());
    (bench, dialog, invite, ok)
}

#[test]
fn news_of_a_transfer_go_one_at_a_time_and_the_latest_counts() {
    let (mut bench, dialog, invite, ok) = transferring();
    bench.command(Command::Notify { dialog, status: 180 });
    let ringing = bench.next();
    assert!(is_notify(&ringing, "refer", "180", "active"));
    // Two at a time are refused.
    bench.trunk(invite.within(&ok, "REFER", 3).with(OTHER).text());
    assert_eq!(bench.statuses(), [491]);
    bench.command(Command::Notify { dialog, status: 183 });
    bench.command(Command::Notify { dialog, status: 200 });
    bench.command(Command::Notify { dialog, status: 180 });
    bench.nothing_sent();
    bench.trunk(reply(&ringing, 200, "", "", ""));
    let done = bench.next();
    assert!(is_notify(&done, "refer", "200", "terminated;reason=noresource"));
    bench.command(Command::Notify { dialog, status: 486 });
    bench.nothing_sent();
    bench.trunk(reply(&done, 200, "", "", ""));
    // The next may come; its news bear its number.
    refer(&mut bench, &invite.within(&ok, "REFER", 4).with(OTHER));
    bench.command(Command::AnswerRefer { dialog, status: 202 });
    assert_eq!(bench.next().status(), 202);
    let trying = bench.next();
    assert!(is_notify(&trying, "refer;id=4", "100", "active"), "{}", trying.text);
    bench.command(Command::Notify { dialog, status: 486 });
    bench.trunk(reply(&trying, 200, "", "", ""));
    let busy = bench.next();
    assert!(is_notify(&busy, "refer;id=4", "486", "terminated"));
    bench.trunk(reply(&busy, 200, "", "", ""));
    assert_eq!(bench.endpoint.sizes().dialogs, 1, "the call goes on");
    bench.trunk(invite.within(&ok, "BYE", 5).text());
    bench.is_clean();
}

#[test]
fn who_wants_no_news_gets_none() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let quiet =
        invite.within(&ok, "REFER", 2).with(OTHER).with("Refer-Sub: false").with("Require: norefersub");
    refer(&mut bench, &quiet);
    bench.command(Command::AnswerRefer { dialog, status: 202 });
    let accepted = bench.next();
    assert_eq!((accepted.status(), accepted.header("Refer-Sub")), (202, "false"));
    bench.command(Command::Notify { dialog, status: 180 });
    bench.trunk(invite.within(&ok, "REFER", 3).with(OTHER).text());
    assert_eq!(bench.statuses(), [491]);
    bench.command(Command::Notify { dialog, status: 200 });
    bench.nothing_sent();
    // Refused, it is over at once.
    refer(&mut bench, &invite.within(&ok, "REFER", 4).with(OTHER));
    bench.command(Command::AnswerRefer { dialog, status: 603 });
    assert_eq!(bench.statuses(), [603]);
    bench.command(Command::Notify { dialog, status: 200 });
    bench.nothing_sent();
    bench.trunk(invite.within(&ok, "BYE", 5).text());
    bench.is_clean();
}

#[test]
fn a_refer_that_leads_nowhere_is_refused() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let own = format!("Refer-To: <sip:x@h?Replaces=c1%3Bto-tag%3D{}%3Bfrom-tag%3Dthem>", ok.to_tag());
    for (cseq, (rows, status)) in [
        (vec![], 400),
        (vec![OTHER, OTHER], 400),
        (vec!["Refer-To: <sip:a@h>, <sip:b@h>"], 400),
        (vec!["Refer-To: <sip:a@h"], 400),
        (vec!["Refer-To: <mailto:a@h>"], 416),
        (vec!["Refer-To: <sip:a@h;method=BYE>"], 403),
        (vec!["Refer-To: <sip:h>"], 404),
        (vec!["Refer-To: <sip:a@h?Replaces=x>"], 400),
        (vec!["Refer-To: <sip:a@h?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>"], 404),
        (vec![own.as_str()], 400),
    ]
    .into_iter()
    .enumerate()
    {
        let mut request = invite.within(&ok, "REFER", 2 + u32::try_from(cseq).unwrap());
        request.extra.extend(rows.iter().map(|row| (*row).to_owned()));
        bench.trunk(request.text());
        assert_eq!(bench.statuses(), [status], "{rows:?}");
    }
    // Outside a call.
    bench.trunk(Request::new("REFER", "out1", 1).with(OTHER).text());
    bench.trunk(Request::new("NOTIFY", "out2", 1).with("Event: refer").text());
    bench.trunk(Request::new("NOTIFY", "out3", 1).with("Event: message-summary").text());
    assert_eq!(bench.statuses(), [403, 481, 489]);
    assert!(bench.events.is_empty());
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

#[test]
fn an_attended_transfer_names_the_other_dialog() {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    let mut second = Request::invite("c2+h");
    second.from = "<sip:+4930123@10.0.0.2>;tag=th+em".to_owned();
    bench.trunk(second.text());
    bench.sent.clear();
    let other = bench.incoming().dialog;
    bench.command(Command::Answer { dialog: other, sdp: Bytes::from_static(b"answer") });
    let answer = bench.next();
    bench.trunk(second.ack(&answer).text());
    bench.event();
    let to =
        format!("Refer-To: <sip:x@h?Replaces=c2%2Bh%3Bto-tag%3D{}%3bfrom-tag%3Dth%2Bem>", answer.to_tag());
    assert_eq!(refer(&mut bench, &invite.within(&ok, "REFER", 2).with(&to)), ReferTo::Dialog(other));
    // Nobody answers it.
    bench.pass(Duration::from_secs(21));
    assert_eq!(bench.statuses(), [500]);
    for dialog in [dialog, other] {
        bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    }
    bench.is_clean();
}

#[test]
fn news_go_on_after_the_call_until_the_last_or_until_they_are_gone() {
    for gone in [false, true] {
        let (mut bench, dialog, invite, ok) = transferring();
        bench.trunk(invite.within(&ok, "BYE", 3).text());
        assert_eq!(bench.statuses(), [200]);
        assert!(matches!(bench.event(), Event::Ended { .. }));
        bench.command(Command::Notify { dialog, status: 180 });
        let ringing = bench.next();
        assert!(is_notify(&ringing, "refer", "180", "active"));
        assert!(ringing.header("CSeq").starts_with("2 "), "in the dialog's sequence");
        if gone {
            bench.trunk(reply(&ringing, 481, "", "", ""));
            bench.command(Command::Notify { dialog, status: 200 });
            bench.nothing_sent();
        } else {
            bench.trunk(reply(&ringing, 200, "", "", ""));
            bench.command(Command::Notify { dialog, status: 200 });
            let done = bench.next();
            assert!(is_notify(&done, "refer", "200", "terminated"));
            bench.trunk(reply(&done, 200, "", "", ""));
        }
        bench.is_clean();
    }
    // We hang up: the BYE and the news count on in one sequence.
    let (mut bench, dialog, ..) = transferring();
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    let bye = bench.next();
    assert_eq!(bye.header("CSeq"), "2 BYE");
    bench.trunk(reply(&bye, 200, "", "", ""));
    bench.command(Command::Notify { dialog, status: 200 });
    let done = bench.next();
    assert_eq!(done.header("CSeq"), "3 NOTIFY");
    bench.trunk(reply(&done, 200, "", "", ""));
    bench.is_clean();
}

#[test]
fn a_subscription_ends_by_itself_and_an_unanswered_refer_with_its_call() {
    let (mut bench, dialog, invite, ok) = transferring();
    bench.command(Command::Notify { dialog, status: 180 });
    let ringing = bench.next();
    bench.trunk(reply(&ringing, 200, "", "", ""));
    bench.pass(Duration::from_secs(181));
    let last = bench.sent.pop_front().unwrap();
    assert!(is_notify(&last, "refer", "180", "terminated;reason=timeout"), "{}", last.text);
    bench.trunk(reply(&last, 200, "", "", ""));
    bench.sent.clear();
    refer(&mut bench, &invite.within(&ok, "REFER", 3).with(OTHER));
    bench.trunk(invite.within(&ok, "BYE", 4).text());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.statuses(), [200, 487]);
    bench.command(Command::AnswerRefer { dialog, status: 202 });
    bench.nothing_sent();
    bench.is_clean();
}

/// A call in which we sent a REFER.
fn referring() -> (Bench, DialogId, Request, Sent, Sent) {
    let mut bench = Bench::new();
    let (dialog, invite, ok) = bench.call();
    bench.command(Command::Refer { dialog, to: "+4940 5".to_owned(), replaces: None });
    let refer = bench.next();
    assert_eq!((refer.method(), refer.header("Refer-To")), ("REFER", "<sip:+4940%205@10.0.0.2:5060>"));
    assert!(!refer.header("Referred-By").is_empty());
    (bench, dialog, invite, ok, refer)
}

fn news(invite: &Request, ok: &Sent, cseq: u32, state: &str, status: &str) -> Request {
    let mut notify = invite
        .within(ok, "NOTIFY", cseq)
        .with("Event: refer")
        .with(&format!("Subscription-State: {state}"))
        .with("Content-Type: message/sipfrag;version=2.0");
    notify.body = format!("SIP/2.0 {status}\r\n");
    notify
}

fn progress(bench: &mut Bench) -> u16 {
    let event = bench.event();
    let Event::ReferProgress { status, .. } = event else { panic!("no news: {event:?}") };
    status
}

#[test]
fn our_refer_is_followed_to_its_end() {
    let (mut bench, dialog, invite, ok, refer) = referring();
    // The first news may be faster than the answer.
    let trying = news(&invite, &ok, 2, "active;expires=60", "100 Trying");
    bench.trunk(trying.text());
    assert_eq!((bench.statuses(), progress(&mut bench)), (vec![200], 100));
    bench.trunk(trying.text());
    assert_eq!((bench.statuses(), bench.events.len()), (vec![200], 0), "a copy tells nothing new");
    bench.trunk(reply(&refer, 202, "", "", ""));
    bench.command(Command::Refer { dialog, to: "x".to_owned(), replaces: None });
    bench.nothing_sent();
    let mut odd = news(&invite, &ok, 3, "active", "180 Ringing");
    odd.extra[0] = "Event: presence".to_owned();
    bench.trunk(odd.text());
    let mut old = news(&invite, &ok, 4, "active", "180 Ringing");
    old.extra[0] = "Event: refer;id=0".to_owned();
    bench.trunk(old.text());
    let mut garbled = news(&invite, &ok, 5, "active", "180 Ringing");
    garbled.body = "hello".to_owned();
    bench.trunk(garbled.text());
    assert_eq!(bench.statuses(), [489, 481, 400]);
    assert!(bench.events.is_empty());
    bench.trunk(news(&invite, &ok, 6, "terminated;reason=noresource", "200 OK").text());
    assert_eq!((bench.statuses(), progress(&mut bench)), (vec![200], 200));
    bench.trunk(news(&invite, &ok, 7, "terminated", "200 OK").text());
    assert_eq!(bench.statuses(), [481]);
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
}

#[test]
fn our_refer_ends_whatever_they_do() {
    // Refused.
    let (mut bench, dialog, .., refer) = referring();
    bench.trunk(reply(&refer, 603, "", "", ""));
    assert_eq!(progress(&mut bench), 603);
    bench.command(Command::Refer { dialog, to: "x".to_owned(), replaces: None });
    // Taken, without news to come.
    let again = bench.next();
    bench.trunk(reply(&again, 202, "", "Refer-Sub: false\r\n", ""));
    assert_eq!(progress(&mut bench), 200);
    // Taken, and then nothing.
    bench.command(Command::Refer { dialog, to: "x".to_owned(), replaces: None });
    let again = bench.next();
    bench.trunk(reply(&again, 202, "", "", ""));
    bench.pass(Duration::from_secs(33));
    assert_eq!(progress(&mut bench), 408);
    // To a dialog that is gone.
    bench.command(Command::Refer { dialog, to: "x".to_owned(), replaces: Some(DialogId(77)) });
    assert_eq!(progress(&mut bench), 481);
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    bench.is_clean();
    // News that stop before the end.
    let (mut bench, dialog, invite, ok, refer) = referring();
    bench.trunk(reply(&refer, 202, "", "", ""));
    bench.trunk(news(&invite, &ok, 2, "terminated;reason=timeout", "180 Ringing").text());
    assert_eq!(progress(&mut bench), 408);
    // The call ends with the transfer under way: its end is the last word.
    bench.sent.clear();
    bench.command(Command::Refer { dialog, to: "x".to_owned(), replaces: None });
    bench.trunk(invite.within(&ok, "BYE", 3).text());
    assert!(matches!(bench.event(), Event::Ended { .. }) && bench.events.is_empty());
    bench.is_clean();
    // Nobody is there any more.
    let (mut bench, ..) = referring();
    bench.pass(Duration::from_secs(33));
    assert_eq!(progress(&mut bench), 408);
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, .. }));
    bench.is_clean();
}

#[test]
fn both_ends_transfer_over_a_bad_network() {
    for seed in 0..30 {
        let network = Network { loss: 20, doubles: 20, delay: 400 };
        let mut pair = Pair::new(network, seed);
        let mut calls = Vec::new();
        for _ in 0..2 {
            let phone = pair.dial();
            let server = pair.wait(End::Server, |event| {
                let Event::Incoming(incoming) = event else { return None };
                Some(incoming.dialog)
            });
            pair.command(End::Server, Command::Answer { dialog: server, sdp: Bytes::from_static(b"answer") });
            pair.wait(End::Phone, |event| matches!(event, Event::Answered { .. }).then_some(()));
            pair.wait(End::Server, |event| matches!(event, Event::Confirmed { .. }).then_some(()));
            calls.push((phone, server));
        }
        // The phone sends its first call to the far end of its second, where it is known by Replaces.
        let ((dialog, theirs), (second, other)) = (calls[0], calls[1]);
        pair.command(End::Phone, Command::Refer { dialog, to: String::new(), replaces: Some(second) });
        let to = pair.wait(End::Server, |event| {
            let Event::Refer { to, .. } = event else { return None };
            Some(to.clone())
        });
        assert_eq!(to, ReferTo::Dialog(other));
        pair.command(End::Server, Command::AnswerRefer { dialog: theirs, status: 202 });
        for status in [180, 183, 200] {
            pair.command(End::Server, Command::Notify { dialog: theirs, status });
            pair.pass(Duration::from_millis(seed * 30));
        }
        let last = pair.wait(End::Phone, |event| {
            let Event::ReferProgress { status, .. } = event else { return None };
            (*status >= 200).then_some(*status)
        });
        assert_eq!(last, 200);
        for (dialog, _) in calls {
            pair.command(End::Phone, Command::Hangup { dialog, cause: Cause::HungUp });
        }
        pair.is_clean();
    }
}

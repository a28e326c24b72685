//! TCP: connections that come, go and break, and framing.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, Request, TRUNK, US, reply};
use crate::call::Cause;
use crate::sip::core::{Callee, Command, Event, Flow, Transport};

fn tcp(connection: u64) -> Flow {
    let (local, remote) = (US.parse().unwrap(), TRUNK.parse().unwrap());
    Flow { transport: Transport::Tcp, local, remote, connection }
}

fn connected() -> (Bench, Flow) {
    let mut bench = Bench::new();
    let flow = tcp(3);
    bench.endpoint.connected(flow, bench.now);
    (bench, flow)
}

#[test]
fn messages_in_any_pieces_and_keep_alives_between_them() {
    let (mut bench, flow) = connected();
    let text = format!(
        "{}\r\n\r\n{}",
        Request::new("OPTIONS", "p1", 1).text(),
        Request::new("OPTIONS", "p2", 1).text()
    );
    for byte in text.bytes() {
        bench.receive(flow, vec![byte]);
    }
    let sent: Vec<_> = bench.sent.drain(..).collect();
    assert_eq!(sent.iter().map(super::bench::Sent::status).collect::<Vec<_>>(), [200, 0, 200]);
    assert_eq!(sent[1].text, "\r\n");
    assert!(sent.iter().all(|sent| sent.flow == flow));
    bench.is_clean();
}

#[test]
fn a_malformed_message_of_known_length_costs_only_itself() {
    let (mut bench, flow) = connected();
    let good = Request::new("OPTIONS", "g1", 1).text();
    let bad = good.replace("OPTIONS sip:", "OPTIONS  sip:").replace("Call-ID: g1", "Call-ID: g2");
    bench.receive(flow, format!("{bad}{good}"));
    assert_eq!(bench.statuses(), [400, 200]);
    assert!(bench.closed.is_empty());
}

#[test]
fn a_message_without_length_costs_the_connection() {
    for wrong in ["", "Content-Length: -7\r\n", "Content-Length: 0\r\nl: 0\r\n"] {
        let (mut bench, flow) = connected();
        let text = Request::new("OPTIONS", "w1", 1).text().replace("Content-Length: 0\r\n", wrong);
        bench.receive(flow, text.clone());
        assert_eq!(bench.statuses(), [400], "{wrong}");
        assert_eq!(bench.closed, [flow]);
        bench.receive(flow, text);
        bench.nothing_sent();
        assert_eq!(bench.endpoint.sizes().connections, 0);
    }
}

#[test]
fn half_a_message_is_not_waited_for_for_ever() {
    let (mut bench, flow) = connected();
    bench.receive(flow, "OPTIONS sip:x SIP/2.0\r\n");
    for _ in 0..20 {
        bench.pass(Duration::from_secs(2));
        bench.receive(flow, "X: y\r\n");
    }
    assert_eq!(bench.closed, [flow]);
    bench.is_clean();
}

#[test]
fn a_lone_line_end_is_no_half_message() {
    let (mut bench, flow) = connected();
    bench.receive(flow, "\r\n");
    bench.pass(Duration::from_secs(100));
    bench.receive(flow, Request::new("OPTIONS", "k1", 1).text());
    assert_eq!(bench.statuses(), [200]);
    assert!(bench.closed.is_empty());
    bench.is_clean();
}

#[test]
fn an_answer_whose_connection_is_gone_goes_to_the_port_in_via() {
    let (mut bench, flow) = connected();
    let mut invite = Request::invite("v1");
    invite.via = "SIP/2.0/TCP 10.0.0.2:5077".to_owned();
    bench.receive(flow, invite.text());
    let dialog = bench.incoming().dialog;
    bench.sent.clear();
    bench.endpoint.closed(flow, bench.now);
    bench.command(Command::Reject { dialog, status: 486 });
    let busy = bench.next();
    assert_eq!((busy.flow.remote.to_string().as_str(), busy.flow.connection), ("10.0.0.2:5077", 0));
    bench.is_clean();
}

#[test]
fn a_call_outlives_its_connection() {
    let (mut bench, flow) = connected();
    let mut invite = Request::invite("o1");
    invite.via = "SIP/2.0/TCP 10.0.0.2:5060".to_owned();
    bench.receive(flow, invite.text());
    let dialog = bench.incoming().dialog;
    bench.command(Command::Answer { dialog, sdp: Bytes::from_static(b"a") });
    bench.next();
    let ok = bench.next();
    assert!(ok.header("Contact").contains("transport=tcp"));
    bench.endpoint.closed(flow, bench.now);
    // The 2xx goes again, over a new connection.
    bench.pass(Duration::from_millis(500));
    let again = bench.next();
    assert_eq!((again.text, again.flow), (ok.text.clone(), tcp(0)));
    let new = Flow { connection: 4, ..flow };
    bench.endpoint.connected(new, bench.now);
    bench.receive(new, invite.ack(&ok).text());
    assert!(matches!(bench.event(), Event::Confirmed { .. }));
    bench.command(Command::Hangup { dialog, cause: Cause::HungUp });
    let bye = bench.next();
    assert_eq!((bye.method(), bye.flow), ("BYE", new));
    bench.receive(new, reply(&bye, 200, "", "", ""));
    assert_eq!(bench.endpoint.sizes().client_transactions, 0, "no waiting over TCP");
    bench.is_clean();
}

#[test]
fn a_connection_that_cannot_be_made_ends_the_call() {
    let mut bench = Bench::new();
    let remote = "10.0.0.9:5060".parse().unwrap();
    let dialog = bench.endpoint.new_dialog();
    let to = Callee::Uri { uri: "sip:x@10.0.0.9".to_owned(), remote, transport: Transport::Tcp, login: None };
    bench.command(Command::Invite {
        dialog,
        to,
        from: "anonymous".to_owned(),
        sdp: Bytes::from_static(b"o"),
        particulars: Box::default(),
    });
    let invite = bench.next();
    assert_eq!(invite.flow.connection, 0);
    assert!(invite.header("From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>"));
    bench.endpoint.closed(invite.flow, bench.now);
    bench.drain();
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, status: Some(503), .. }));
    bench.is_clean();
}

#[test]
fn a_connection_that_is_made_carries_what_waited_for_it() {
    let mut bench = Bench::new();
    let remote = "10.0.0.9:5060".parse().unwrap();
    let dialog = bench.endpoint.new_dialog();
    let to = Callee::Uri { uri: "sip:x@10.0.0.9".to_owned(), remote, transport: Transport::Tcp, login: None };
    bench.command(Command::Invite {
        dialog,
        to,
        from: "+49".to_owned(),
        sdp: Bytes::from_static(b"o"),
        particulars: Box::default(),
    });
    let invite = bench.next();
    let flow = Flow { connection: 8, ..invite.flow };
    bench.endpoint.connected(flow, bench.now);
    let contact = "Contact: <sip:x@10.0.0.9;transport=tcp>\r\n";
    bench.receive(flow, reply(&invite, 200, "t", contact, ""));
    assert_eq!(bench.next().flow, flow);
    assert!(matches!(bench.event(), Event::Answered { .. }));
    // Its end while an answer is waited for is the end of waiting.
    bench.command(Command::Reinvite { dialog, sdp: Bytes::from_static(b"h") });
    bench.next();
    bench.endpoint.closed(flow, bench.now);
    bench.drain();
    assert!(matches!(bench.event(), Event::Ended { cause: Cause::Unreachable, .. }));
    bench.is_clean();
}

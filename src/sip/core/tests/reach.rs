//! What we tell peers of ourselves on each side of a NAT, and frames of WebSocket connections.

use bytes::Bytes;

use super::bench::{Bench, Request, SDP, Sent, config, settings, udp};
use crate::sip::core::{Advertise, Command, Flow, Nat, Transport};

const OURS: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\n";

/// A call from `remote` that is answered: the 200.
fn answered(flow: Flow) -> Sent {
    let mut config = config("10.0.0.1:5060");
    let nat = Nat::new(Advertise::One("203.0.113.7".parse().unwrap()), Nat::usual_local_networks());
    (config.nat, config.media_nat) = (nat.clone(), nat);
    let networks = ["10.0.0.0/8", "198.51.100.0/24"];
    let mut bench = Bench::with(config, settings(&networks, &[]));
    if !flow.transport.is_datagram() {
        bench.endpoint.accepted(flow, bench.now);
    }
    bench.receive(flow, Request::invite("n1").sdp().text().replace(":5060;branch", ":5060;rport;branch"));
    let dialog = bench.incoming().dialog;
    bench.sent.clear();
    bench.command(Command::Answer { dialog, sdp: Bytes::from_static(OURS.as_bytes()) });
    bench.next()
}

#[test]
fn each_side_of_a_nat_is_told_its_own_address() {
    let near = answered(udp("10.0.0.1:5060", "10.0.0.2:5060"));
    assert_eq!((near.status(), near.header("Contact")), (200, "<sip:10.0.0.1:5060>"));
    assert_eq!(near.body(), OURS);
    let far = answered(udp("10.0.0.1:5060", "198.51.100.9:5060"));
    assert_eq!((far.status(), far.header("Contact")), (200, "<sip:203.0.113.7:5060>"));
    assert_eq!(far.body(), OURS.replace("10.0.0.1", "203.0.113.7"));
    assert_eq!(far.header("Content-Length"), far.body().len().to_string());
    assert_ne!(SDP.len(), far.body().len(), "another body than theirs");
}

#[test]
fn a_wildcard_socket_tells_the_address_it_was_reached_at() {
    let second = answered(udp("10.0.7.7:5060", "10.0.0.2:5060"));
    assert_eq!(second.header("Contact"), "<sip:10.0.7.7:5060>");
}

#[test]
fn a_frame_is_a_message_and_its_connection_is_the_way_back() {
    for transport in [Transport::Ws, Transport::Wss] {
        let flow = Flow { transport, connection: 5, ..udp("10.0.0.1:8080", "10.0.0.2:40000") };
        let ok = answered(flow);
        assert_eq!((ok.status(), ok.flow), (200, flow));
        assert_eq!(ok.header("Contact"), "<sip:10.0.0.1:8080;transport=ws>");
        let mut bench = Bench::new();
        bench.receive(flow, Request::new("OPTIONS", "w0", 1).text());
        bench.nothing_sent(); // never announced
        bench.endpoint.accepted(flow, bench.now);
        let text = Request::new("OPTIONS", "w1", 1).text();
        bench.receive(flow, text[..text.len() - 30].to_owned());
        bench.sent.clear(); // half a message stays one, and costs nothing but itself
        bench.receive(flow, text.replace("Content-Length: 0\r\n", ""));
        assert_eq!(bench.statuses(), [200], "the frame is the length");
        bench.receive(flow, "\r\n\r\n");
        assert_eq!(bench.next().text, "\r\n");
        assert_eq!(bench.endpoint.sizes().connections, 1);
        bench.endpoint.closed(flow, bench.now);
        assert_eq!(bench.endpoint.sizes().connections, 0);
    }
}

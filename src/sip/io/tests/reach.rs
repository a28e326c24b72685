//! Addresses: wildcard sockets, IPv6, STUN, and name lookups against a name server of our own.

use hickory_resolver::proto::op::{Message, OpCode};
use hickory_resolver::proto::rr::rdata::{A, NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::super::resolve::Lookups;
use super::*;
use crate::sip::core::{Query, Whereabouts};

async fn asks(from: &str, to: SocketAddr, message: &[u8]) -> (Vec<u8>, SocketAddr) {
    let socket = UdpSocket::bind(from).await.unwrap();
    socket.send_to(message, to).await.unwrap();
    let mut buffer = [0; 4096];
    let (length, by) =
        timeout(PATIENCE, socket.recv_from(&mut buffer)).await.expect("an answer in time").unwrap();
    (buffer[..length].to_vec(), by)
}

#[tokio::test]
async fn a_wildcard_socket_answers_from_the_address_it_was_asked_at() {
    let stack = Stack::start(|config| {
        config.udp = vec!["0.0.0.0:0".parse().unwrap(), "[::]:0".parse().unwrap()];
    })
    .await;
    let ports: Vec<u16> = stack.handle.local().iter().map(|(_, at)| at.port()).collect();
    for (n, ip) in ["127.0.0.1", "127.0.0.7", "127.1.2.3"].iter().enumerate() {
        let to: SocketAddr = format!("{ip}:{}", ports[0]).parse().unwrap();
        let call = format!("wild{n}");
        let (answer, by) = asks("127.0.0.1:0", to, request("OPTIONS", "UDP", &call).as_bytes()).await;
        assert_ok(std::str::from_utf8(&answer).unwrap(), &call);
        assert_eq!(by, to);
    }
}

#[tokio::test]
async fn ipv6_is_served_beside_ipv4() {
    let mut settings = Settings::default();
    let trunk = Trunk { networks: vec!["::1/128".parse().unwrap()], ..Trunk::default() };
    settings.trunks.insert(TrunkId::from("six"), Arc::new(trunk));
    let stack = Stack::with(settings, 100, |config| {
        config.udp = vec!["[::]:0".parse().unwrap(), "[::1]:0".parse().unwrap()];
        config.tcp = vec!["[::1]:0".parse().unwrap()];
    })
    .await;
    for (n, (_, bound)) in stack.handle.local().iter().take(2).enumerate() {
        let to = SocketAddr::new("::1".parse().unwrap(), bound.port());
        let call = format!("six{n}");
        let (answer, by) = asks("[::1]:0", to, request("OPTIONS", "UDP", &call).as_bytes()).await;
        assert_ok(std::str::from_utf8(&answer).unwrap(), &call);
        assert_eq!(by, to);
    }
    let mut peer = stack.connect().await;
    peer.say(&request("OPTIONS", "TCP", "six-tcp")).await;
    peer.is_answered("six-tcp").await;
}

#[tokio::test]
async fn stun_tells_the_source_address() {
    let stack = Stack::start(|_| ()).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(stack.address(Transport::Udp)).await.unwrap();
    let ask = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], b"twelve bytes"].concat();
    socket.send(&ask[..19]).await.unwrap(); // stays unanswered
    socket.send(&ask).await.unwrap();
    let mut answer = [0; 100];
    let length = timeout(PATIENCE, socket.recv(&mut answer)).await.expect("an answer in time").unwrap();
    let port = socket.local_addr().unwrap().port() ^ 0x2112;
    let [high, low] = port.to_be_bytes();
    let mapped = [0, 0x20, 0, 8, 0, 1, high, low, 127 ^ 0x21, 0x12, 0xa4, 1 ^ 0x42];
    assert_eq!(answer[..length], [&[1, 1, 0, 12][..], &ask[4..], &mapped].concat());
}

/// A name server that knows `pbx.test`.
async fn name_server() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = socket.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let mut buffer = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let Ok(asked) = Message::from_vec(&buffer[..length]) else { continue };
            let Some(query) = asked.queries.first().cloned() else { continue };
            let mut answer = Message::response(asked.metadata.id, OpCode::Query);
            let name = query.name().clone();
            for data in records(&name.to_ascii().to_ascii_lowercase(), query.query_type()) {
                answer.add_answer(Record::from_rdata(name.clone(), 60, data));
            }
            answer.add_query(query);
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    });
    (at, serving)
}

fn records(name: &str, kind: RecordType) -> Vec<RData> {
    let host = |text: &str| Name::from_ascii(text).unwrap();
    let naptr = |order, service: &str, to: &str| {
        let (flags, services) = (Box::from(&b"s"[..]), Box::from(service.as_bytes()));
        RData::NAPTR(NAPTR::new(order, 0, flags, services, Box::default(), host(to)))
    };
    match (name, kind) {
        ("pbx.test.", RecordType::NAPTR) => {
            vec![naptr(20, "SIP+D2U", "_sip._udp.pbx.test."), naptr(10, "SIPS+D2T", "_sips._tcp.pbx.test.")]
        }
        ("_sips._tcp.pbx.test.", RecordType::SRV) => {
            vec![RData::SRV(SRV::new(0, 0, 5071, host("one.pbx.test.")))]
        }
        ("_sip._udp.pbx.test.", RecordType::SRV) => vec![
            RData::SRV(SRV::new(2, 0, 5060, host("two.pbx.test."))),
            RData::SRV(SRV::new(1, 0, 5070, host("one.pbx.test."))),
        ],
        ("one.pbx.test.", RecordType::A) => vec![RData::A(A::new(192, 0, 2, 1))],
        ("two.pbx.test.", RecordType::A) => vec![RData::A(A::new(192, 0, 2, 2))],
        _ => Vec::new(),
    }
}

fn wanted(host: &str) -> Whereabouts {
    Whereabouts { host: host.to_owned(), port: None, transport: None, secure: false }
}

async fn find(lookups: &mut Lookups, wanted: Whereabouts) -> Vec<String> {
    let found = match lookups.begin(Query(7), wanted, 0) {
        Some(found) => found,
        None => timeout(PATIENCE, lookups.next()).await.expect("an answer in time"),
    };
    assert_eq!(found.query, Query(7));
    found.ways.iter().map(|(transport, at)| format!("{} {at}", transport.param())).collect()
}

#[tokio::test]
async fn hosts_are_found_by_name() {
    let (at, serving) = name_server().await;
    let any: SocketAddr = "127.0.0.1:5060".parse().unwrap();
    let mut lookups = Lookups::new(&[at], means(&[(Transport::Udp, any), (Transport::Tcp, any)]));
    let all = ["tls 192.0.2.1:5071", "udp 192.0.2.1:5070", "udp 192.0.2.2:5060"];
    assert_eq!(find(&mut lookups, wanted("pbx.test")).await, all);
    let secure = Whereabouts { secure: true, ..wanted("pbx.test") };
    assert_eq!(find(&mut lookups, secure).await, all[..1]);
    let port = Whereabouts { port: Some(5099), ..wanted("two.pbx.test") };
    assert_eq!(find(&mut lookups, port.clone()).await, ["udp 192.0.2.2:5099"]);
    assert_eq!(find(&mut lookups, wanted("192.0.2.9")).await, ["udp 192.0.2.9:5060"]);
    assert_eq!(find(&mut lookups, wanted("none.test")).await, [""; 0]);
    assert_eq!(find(&mut lookups, wanted("not..a name")).await, [""; 0]);
    serving.abort();
    assert_eq!(find(&mut lookups, port).await, ["udp 192.0.2.2:5099"], "kept for as long as it lasts");
}

#[tokio::test]
async fn a_silent_name_server_is_not_waited_for_for_ever() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let any: SocketAddr = "127.0.0.1:5060".parse().unwrap();
    let mut lookups = Lookups::new(&[silent.local_addr().unwrap()], means(&[(Transport::Udp, any)]));
    assert_eq!(find(&mut lookups, wanted("pbx.test")).await, [""; 0]);
}

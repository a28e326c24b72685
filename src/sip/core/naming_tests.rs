//! Searches against a zone held in a table.

use super::*;

fn all() -> Means {
    let transports = [Transport::Udp, Transport::Tcp, Transport::Tls];
    Means { ways: transports.iter().flat_map(|t| [(*t, true), (*t, false)]).collect() }
}

fn only(transports: &[Transport]) -> Means {
    Means { ways: transports.iter().map(|t| (*t, true)).collect() }
}

fn host(name: &str) -> Whereabouts {
    Whereabouts { host: name.to_owned(), port: None, transport: None, secure: false }
}

/// Lines of a zone: `naptr NAME ORDER PREF FLAG SERVICE REPLACEMENT`, `srv NAME PRIO WEIGHT PORT TARGET`,
/// `a NAME ADDRESS`. Gives the ways as text, and what was asked.
fn search(zone: &str, wanted: &Whereabouts, means: &Means, random: u64) -> (Vec<String>, Vec<Question>) {
    let mut search = Search::new(wanted, means, random);
    let mut asked = Vec::new();
    while let Some(question) = search.question() {
        search.answer(lookup(zone, &question));
        asked.push(question);
        assert!(asked.len() <= MAX_QUESTIONS);
    }
    let ways = search.found().into_iter().map(|(transport, at)| format!("{} {at}", transport.param()));
    (ways.collect(), asked)
}

fn lookup(zone: &str, question: &Question) -> Records {
    let of = |kind: &str, name: &str| -> Vec<Vec<String>> {
        let rows = zone.lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        rows.filter(|row| row.len() > 2 && row[0] == kind && row[1] == name).collect()
    };
    let number = |text: &String| text.parse().unwrap();
    match question {
        Question::Naptr(name) => Records::Naptr(
            of("naptr", name)
                .iter()
                .map(|row| Naptr {
                    order: number(&row[2]),
                    preference: number(&row[3]),
                    flags: row[4].clone(),
                    service: row[5].clone(),
                    replacement: row[6].clone(),
                })
                .collect(),
        ),
        Question::Srv(name) => Records::Srv(
            of("srv", name)
                .iter()
                .map(|row| Srv {
                    priority: number(&row[2]),
                    weight: number(&row[3]),
                    port: number(&row[4]),
                    target: row[5].clone(),
                })
                .collect(),
        ),
        Question::Addresses(name) => {
            Records::Addresses(of("a", name).iter().map(|row| row[2].parse().unwrap()).collect())
        }
    }
}

/// The zone of RFC 3263 §4.1's example, with hosts.
const EXAMPLE: &str = "
    naptr example.com 50 50 s SIPS+D2T _sips._tcp.example.com.
    naptr example.com 90 50 s SIP+D2T _sip._tcp.example.com.
    naptr example.com 100 50 s SIP+D2U _sip._udp.example.com.
    naptr example.com 10 10 u E2U+email .
    srv _sips._tcp.example.com 0 1 5061 server1.example.com.
    srv _sips._tcp.example.com 1 2 5071 server2.example.com.
    srv _sip._tcp.example.com 0 1 5060 server1.example.com.
    srv _sip._udp.example.com 0 1 5060 server2.example.com.
    a server1.example.com 192.0.2.1
    a server2.example.com 192.0.2.2
    a server2.example.com 2001:db8::2
    a example.com 192.0.2.9";

#[test]
fn naptr_then_srv_then_addresses() {
    let (ways, asked) = search(EXAMPLE, &host("example.com"), &all(), 0);
    let wanted = [
        "tls 192.0.2.1:5061",
        "tls [2001:db8::2]:5071",
        "tls 192.0.2.2:5071",
        "tcp 192.0.2.1:5060",
        "udp [2001:db8::2]:5060",
        "udp 192.0.2.2:5060",
    ];
    assert_eq!(ways, wanted);
    assert_eq!(asked[0], Question::Naptr("example.com".to_owned()));
    let (ways, _) = search(EXAMPLE, &host("example.com"), &only(&[Transport::Udp]), 0);
    assert_eq!(ways, ["udp 192.0.2.2:5060"], "what we cannot speak is passed over");
}

#[test]
fn sips_is_tls_and_nothing_else() {
    let secure = Whereabouts { secure: true, ..host("example.com") };
    let (ways, _) = search(EXAMPLE, &secure, &all(), 0);
    assert_eq!(ways, ["tls 192.0.2.1:5061", "tls [2001:db8::2]:5071", "tls 192.0.2.2:5071"]);
    let plain = "srv _sip._tcp.example.com 0 0 5060 h\na h 192.0.2.1\na example.com 192.0.2.9";
    let (ways, asked) = search(plain, &secure, &all(), 0);
    assert_eq!(ways, ["tls 192.0.2.9:5061"], "no record for TLS: the host itself, in TLS");
    assert!(!asked.contains(&Question::Srv("_sip._tcp.example.com".to_owned())));
    assert_eq!(search(EXAMPLE, &secure, &only(&[Transport::Udp, Transport::Tcp]), 0).0, [""; 0]);
    let udp = Whereabouts { transport: Some(Transport::Udp), ..secure.clone() };
    assert_eq!(search(EXAMPLE, &udp, &all(), 0).0, [""; 0]);
    let tcp = Whereabouts { transport: Some(Transport::Tcp), port: Some(5070), ..secure };
    assert_eq!(search(EXAMPLE, &tcp, &all(), 0).0, ["tls 192.0.2.9:5070"]);
}

#[test]
fn numeric_hosts_ask_nothing() {
    for (host, port, transport, way) in [
        ("192.0.2.7", None, None, "udp 192.0.2.7:5060"),
        ("[2001:db8::7]", Some(5080), Some(Transport::Tcp), "tcp [2001:db8::7]:5080"),
        ("192.0.2.7", None, Some(Transport::Tls), "tls 192.0.2.7:5061"),
    ] {
        let wanted = Whereabouts { host: host.to_owned(), port, transport, secure: false };
        assert_eq!(search("", &wanted, &all(), 0), (vec![way.to_owned()], vec![]));
    }
    assert_eq!(search("", &host("0.0.0.0"), &all(), 0).0, [""; 0]);
    assert_eq!(search("", &host("2001:db8::7"), &only(&[Transport::Udp]), 0).0, [""; 0], "no socket for it");
}

#[test]
fn a_port_rules_out_srv_and_a_transport_rules_out_naptr() {
    let port = Whereabouts { port: Some(5080), ..host("example.com") };
    let (ways, asked) = search(EXAMPLE, &port, &all(), 0);
    assert_eq!((ways, asked.len()), (vec!["udp 192.0.2.9:5080".to_owned()], 1));
    let tcp = Whereabouts { transport: Some(Transport::Tcp), ..host("example.com") };
    let (ways, asked) = search(EXAMPLE, &tcp, &all(), 0);
    assert_eq!(ways, ["tcp 192.0.2.1:5060"]);
    assert_eq!(asked[0], Question::Srv("_sip._tcp.example.com".to_owned()));
}

#[test]
fn without_naptr_services_are_tried_and_without_those_the_host() {
    let zone = "srv _sip._tcp.example.com 0 0 5070 h.example.com\na h.example.com 192.0.2.3\na example.com 192.0.2.9";
    assert_eq!(search(zone, &host("example.com"), &all(), 0).0, ["tcp 192.0.2.3:5070"]);
    let bare = "a example.com 192.0.2.9";
    let (ways, asked) = search(bare, &host("example.com"), &all(), 0);
    assert_eq!((ways, asked.len()), (vec!["udp 192.0.2.9:5060".to_owned()], 5));
    let refused = "srv _sip._udp.example.com 0 0 0 .\na example.com 192.0.2.9";
    assert_eq!(search(refused, &host("example.com"), &all(), 0).0, [""; 0], "there is no such service");
}

#[test]
fn weights_share_the_draws() {
    let records: Vec<Srv> = [(1, 10), (1, 30), (1, 60), (0, 0), (2, 0)]
        .iter()
        .map(|(priority, weight)| Srv { priority: *priority, weight: *weight, port: 1, target: "h".into() })
        .collect();
    let mut firsts = std::collections::BTreeMap::new();
    let mut search = Search::new(&host("x"), &all(), 7);
    for _ in 0..10_000 {
        let ordered = by_weight(records.clone(), || search.random_draw());
        let priorities: Vec<u16> = ordered.iter().map(|record| record.priority).collect();
        assert_eq!(priorities, [0, 1, 1, 1, 2]);
        *firsts.entry(ordered[1].weight).or_insert(0) += 1;
    }
    let near = |weight: u16, share: i32| (firsts[&weight] - share).abs() < 300;
    assert!(near(10, 1_000) && near(30, 3_000) && near(60, 6_000), "{firsts:?}");
}

#[test]
fn a_zone_without_end_has_an_end() {
    let mut zone = String::new();
    for n in 0..100 {
        zone.push_str(&format!("srv _sip._udp.example.com {n} 0 5060 h{n}\na h{n} 192.0.2.{n}\n"));
    }
    let (ways, asked) = search(&zone, &host("example.com"), &all(), 0);
    assert!(ways.len() == MAX_WAYS && asked.len() <= MAX_QUESTIONS);
    let dead: String = (0..100).map(|n| format!("srv _sip._udp.example.com {n} 0 5060 h{n}\n")).collect();
    let (ways, asked) = search(&dead, &host("example.com"), &all(), 0);
    assert_eq!((ways.len(), asked.len()), (0, MAX_QUESTIONS));
}

#[test]
fn an_answer_to_another_question_is_none() {
    let mut search = Search::new(&host("example.com"), &all(), 0);
    while search.question().is_some() {
        search.answer(Records::Srv(Vec::new()));
    }
    assert_eq!(search.found(), []);
}

use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn flow(transport: Transport, connection: u64) -> Flow {
    let address = "127.0.0.1:5060".parse().unwrap();
    Flow { transport, local: address, remote: address, connection }
}

fn contact(uri: &str, expires: Option<u32>) -> Contact {
    Contact { uri: uri.to_owned(), expires, instance: None }
}

fn list(contacts: &[(&str, Option<u32>)]) -> Contacts {
    Contacts::List(contacts.iter().map(|(uri, expires)| contact(uri, *expires)).collect())
}

const ON: Phones = Phones { rtp: true, webrtc: false };
const OFF: Phones = Phones { rtp: false, webrtc: false };

fn request(contacts: Contacts, expires: Option<u32>, call_id: &str, cseq: u32) -> Registration {
    let (flow, call_id) = (flow(Transport::Udp, 0), call_id.to_owned());
    Registration { contacts, expires, call_id, cseq, flow, media: Media::Rtp, lent: None }
}

fn registrar() -> (Registrar, AgentId) {
    (Registrar::new(60, 3_600, 600, 3), AgentId::from("ada"))
}

fn uris(bindings: &[Binding]) -> Vec<&str> {
    bindings.iter().map(|binding| binding.contact.as_str()).collect()
}

#[test]
fn a_phone_comes_is_refreshed_and_expires() {
    let (mut registrar, ada) = registrar();
    let one = |cseq| request(list(&[("sip:ada@10.0.0.1", None)]), None, "x", cseq);
    let bindings = registrar.register(&ada, one(1), NOW).unwrap();
    assert_eq!(bindings[0].seconds_left(NOW), 600, "the default");
    assert_eq!(registrar.poll_change(), Some((ada.clone(), ON)));
    registrar.register(&ada, one(2), after(500)).unwrap();
    assert_eq!(registrar.poll_timeout(), Some(after(1_100)));
    registrar.handle_timeout(after(1_099));
    assert_eq!((registrar.len(), registrar.poll_change()), (1, None));
    assert!(registrar.bindings(&ada, after(1_100)).is_empty(), "ended even before the timer ran");
    registrar.handle_timeout(after(1_100));
    assert_eq!(registrar.poll_change(), Some((ada, OFF)));
    assert_eq!((registrar.len(), registrar.poll_timeout()), (0, None));
}

#[test]
fn expiry_is_the_contacts_own_then_the_headers_and_has_limits() {
    let (mut registrar, ada) = registrar();
    let asked = request(
        list(&[("sip:a@h", Some(120)), ("sip:b@h", None), ("sip:c@h", Some(9_999))]),
        Some(90),
        "x",
        1,
    );
    let bindings = registrar.register(&ada, asked, NOW).unwrap();
    let seconds: Vec<u32> = bindings.iter().map(|b| b.seconds_left(NOW)).collect();
    assert_eq!(seconds, [120, 90, 3_600]);
    let brief = request(list(&[("sip:a@h", None), ("sip:d@h", Some(59))]), Some(0), "x", 2);
    let refused = registrar.register(&ada, brief, NOW).unwrap_err();
    assert_eq!((refused, refused.status()), (RegisterError::TooBrief { min_expires: 60 }, 423));
    assert_eq!(registrar.len(), 3, "nothing of a refused request is done");
}

#[test]
fn star_removes_all_with_expires_zero_only() {
    let (mut registrar, ada) = registrar();
    registrar
        .register(&ada, request(list(&[("sip:a@h", None), ("sip:b@h", None)]), None, "x", 1), NOW)
        .unwrap();
    for expires in [None, Some(60)] {
        let refused = registrar.register(&ada, request(Contacts::RemoveAll, expires, "x", 2), NOW);
        assert_eq!(refused.unwrap_err().status(), 400);
    }
    let refused = registrar.register(&ada, request(Contacts::RemoveAll, Some(0), "x", 1), NOW);
    assert_eq!(refused.unwrap_err().status(), 500, "a replayed CSeq");
    assert_eq!(registrar.register(&ada, request(Contacts::RemoveAll, Some(0), "x", 2), NOW), Ok(Vec::new()));
    assert_eq!(registrar.poll_change(), Some((ada.clone(), ON)));
    assert_eq!(registrar.poll_change(), Some((ada, OFF)));
    assert!(registrar.is_empty() && registrar.poll_timeout().is_none());
}

#[test]
fn cseq_must_grow_within_a_call_id() {
    let (mut registrar, ada) = registrar();
    let one = |call_id, cseq| request(list(&[("sip:a@h", None)]), None, call_id, cseq);
    registrar.register(&ada, one("x", 5), NOW).unwrap();
    for cseq in [4, 5] {
        let refused = registrar.register(&ada, one("x", cseq), NOW).unwrap_err();
        assert_eq!(refused, RegisterError::OutOfOrder { last: 5 });
    }
    registrar.register(&ada, one("y", 1), NOW).unwrap();
    let twice = request(list(&[("sip:a@h", None), ("sip:a@h:5060", Some(0))]), None, "y", 2);
    assert_eq!(
        registrar.register(&ada, twice, NOW),
        Ok(Vec::new()),
        "a contact named twice: the last counts"
    );
}

#[test]
fn queries_change_nothing_and_the_oldest_gives_way() {
    let (mut registrar, ada) = registrar();
    for (cseq, uri) in ["sip:a@h", "sip:b@h", "sip:c@h", "sip:a@h", "sip:d@h"].into_iter().enumerate() {
        let cseq = u32::try_from(cseq).unwrap() + 1;
        registrar.register(&ada, request(list(&[(uri, None)]), None, "x", cseq), NOW).unwrap();
    }
    let bindings = registrar.register(&ada, request(Contacts::Query, None, "z", 1), NOW).unwrap();
    assert_eq!(uris(&bindings), ["sip:c@h", "sip:a@h", "sip:d@h"], "b was refreshed longest ago");
    let four = list(&[("sip:1@h", None), ("sip:2@h", None), ("sip:3@h", None), ("sip:4@h", None)]);
    assert_eq!(registrar.register(&ada, request(four, None, "x", 9), NOW).unwrap_err().status(), 403);
    assert_eq!(registrar.len(), 3);
}

#[test]
fn a_closed_connection_takes_its_phones_along() {
    let (mut registrar, ada) = registrar();
    let bob = AgentId::from("bob");
    let over = |uri, flow, cseq| Registration { flow, ..request(list(&[(uri, None)]), None, "x", cseq) };
    registrar.register(&ada, over("sip:a@h", flow(Transport::Tcp, 7), 1), NOW).unwrap();
    registrar.register(&ada, over("sip:b@h", flow(Transport::Udp, 0), 2), NOW).unwrap();
    registrar.register(&bob, over("sip:c@h", flow(Transport::Tcp, 7), 1), NOW).unwrap();
    registrar.flow_closed(&flow(Transport::Udp, 0));
    registrar.flow_closed(&flow(Transport::Tcp, 8));
    assert_eq!(registrar.len(), 3);
    assert_eq!(registrar.connections().collect::<Vec<_>>(), [7]);
    registrar.flow_closed(&flow(Transport::Tcp, 7));
    assert_eq!(uris(&registrar.bindings(&ada, NOW)), ["sip:b@h"]);
    let changes: Vec<_> = std::iter::from_fn(|| registrar.poll_change()).collect();
    assert_eq!(changes, [(ada.clone(), ON), (bob.clone(), ON), (bob, OFF)]);
    assert!(registrar.connections.is_empty());
    registrar.retain(|_| false);
    assert_eq!((registrar.poll_change(), registrar.len()), (Some((ada, OFF)), 0));
    assert!(registrar.deadlines.is_empty());
}

#[test]
fn a_phone_that_says_which_it_is_replaces_its_old_self() {
    let (mut registrar, ada) = registrar();
    let instance = |id: &str, reg_id| Some(Instance { id: id.to_owned(), reg_id });
    let over = |uri: &str, instance, connection| {
        let contacts = Contacts::List(vec![Contact { instance, ..contact(uri, None) }]);
        let flow = flow(Transport::Ws, connection);
        Registration {
            flow,
            media: Media::Webrtc,
            ..request(contacts, None, &format!("{uri}{connection}"), 1)
        }
    };
    let web = Phones { rtp: false, webrtc: true };
    registrar.register(&ada, over("sip:a@x.invalid", instance("<urn:1>", 1), 7), NOW).unwrap();
    assert_eq!(registrar.poll_change(), Some((ada.clone(), web)));
    let after = registrar.register(&ada, over("sip:b@x.invalid", instance("<urn:1>", 1), 8), NOW).unwrap();
    assert_eq!(uris(&after), ["sip:b@x.invalid"]);
    assert_eq!(registrar.poll_change(), Some((ada.clone(), web)), "it came anew");
    for other in [instance("<urn:2>", 1), instance("<urn:1>", 2), None] {
        let uri = format!("sip:{other:?}@x.invalid");
        registrar.register(&ada, over(&uri, other, 8), NOW).unwrap();
    }
    assert_eq!(registrar.len(), 3, "each is another phone");
    assert_eq!(registrar.poll_change(), None, "and all on the same connection");
    registrar.classify(|_, _| Media::Rtp);
    assert_eq!(registrar.poll_change(), Some((ada, ON)));
}

#[test]
fn what_was_registered_with_a_loan_ends_with_it() {
    let (mut registrar, ada) = registrar();
    let lent = |until| Some(Lent { user: "page".to_owned(), until: after(until) });
    let asked = request(list(&[("sip:a@h", None)]), Some(600), "x", 1);
    let bindings = registrar.register(&ada, Registration { lent: lent(90), ..asked.clone() }, NOW).unwrap();
    assert_eq!(bindings[0].seconds_left(NOW), 90);
    registrar.register(&ada, request(list(&[("sip:b@h", None)]), None, "y", 1), NOW).unwrap();
    registrar.end_loan(&ada, "other");
    assert_eq!(registrar.len(), 2);
    registrar.end_loan(&ada, "page");
    assert_eq!(uris(&registrar.bindings(&ada, NOW)), ["sip:b@h"]);
    registrar.register(&ada, Registration { lent: lent(90), cseq: 2, ..asked }, NOW).unwrap();
    registrar.handle_timeout(after(90));
    assert_eq!(uris(&registrar.bindings(&ada, after(90))), ["sip:b@h"]);
}

/// One thing that can happen.
#[derive(Clone, Debug)]
enum Step {
    Register { agent: usize, contacts: Contacts, call_id: &'static str, cseq: u32, connection: u64 },
    Close { connection: u64 },
    Wait { seconds: u64 },
}

fn any_step() -> impl Strategy<Value = Step> {
    let contact =
        (0..5u8, proptest::option::of(0..200u32)).prop_map(|(n, e)| contact(&format!("sip:{n}@h"), e));
    let contacts = prop_oneof![
        8 => proptest::collection::vec(contact, 1..4).prop_map(Contacts::List),
        1 => Just(Contacts::RemoveAll),
        1 => Just(Contacts::Query),
    ];
    prop_oneof![
        6 => (0..3usize, contacts, prop_oneof![Just("x"), Just("y")], 1..50u32, 0..4u64)
            .prop_map(|(agent, contacts, call_id, cseq, connection)| Step::Register { agent, contacts, call_id, cseq, connection }),
        1 => (1..4u64).prop_map(|connection| Step::Close { connection }),
        1 => (1..300u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

proptest! {
    #[test]
    fn the_indexes_and_changes_follow_the_bindings(steps in proptest::collection::vec(any_step(), 0..60)) {
        let mut registrar = Registrar::new(60, 3_600, 120, 3);
        let agents = ["ada", "bob", "cy"].map(AgentId::from);
        let mut now = NOW;
        let mut told = [OFF; 3];
        for step in steps {
            match step {
                Step::Register { agent, contacts, call_id, cseq, connection } => {
                    let transport = if connection == 0 { Transport::Udp } else { Transport::Tcp };
                    let expires = (contacts == Contacts::RemoveAll).then_some(0);
                    let flow = flow(transport, connection);
                    let asked = Registration { flow, ..request(contacts, expires, call_id, cseq) };
                    let before = registrar.bindings(&agents[agent], now);
                    match registrar.register(&agents[agent], asked, now) {
                        Ok(bindings) => prop_assert_eq!(bindings, registrar.bindings(&agents[agent], now)),
                        Err(_) => prop_assert_eq!(before, registrar.bindings(&agents[agent], now)),
                    }
                }
                Step::Close { connection } => registrar.flow_closed(&flow(Transport::Tcp, connection)),
                Step::Wait { seconds } => now = now + Duration::from_secs(seconds),
            }
            registrar.handle_timeout(now);
            while let Some((agent, on)) = registrar.poll_change() {
                let at = agents.iter().position(|a| *a == agent).unwrap();
                prop_assert_ne!(told[at], on, "a change that is none");
                told[at] = on;
            }
            let all: Vec<Vec<Binding>> = agents.iter().map(|a| registrar.bindings(a, now)).collect();
            prop_assert_eq!(registrar.len(), all.iter().map(Vec::len).sum::<usize>());
            prop_assert_eq!(registrar.poll_timeout(), all.iter().flatten().map(|b| b.expires).min());
            let over: BTreeSet<u64> = all.iter().flatten().filter_map(|b| connection(&b.flow)).collect();
            prop_assert_eq!(registrar.connections().collect::<BTreeSet<_>>(), over);
            for (bindings, on) in all.iter().zip(told) {
                prop_assert!(bindings.len() <= 3);
                prop_assert_eq!(!bindings.is_empty(), on.rtp);
            }
        }
    }
}

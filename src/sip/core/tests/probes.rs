//! Whether a trunk's server is there: what comes back, and what is told of it.

use std::time::Duration;

use super::bench::{Bench, Sent, US, reply, udp};
use super::trunk_calls::outbound;
use crate::ids::TrunkId;
use crate::settings::Outbound;
use crate::sip::core::{Flow, ProbeId, Probed, Transport};

const ONE: &str = "198.51.100.1:5060";
const TWO: &str = "198.51.100.2:5060";
const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"\r\n";

/// A trunk's server is asked for.
fn asked(bench: &mut Bench, trunk: &str, outbound: &Outbound) -> ProbeId {
    let probe = bench.endpoint.probe(&TrunkId::from(trunk), outbound, bench.now);
    bench.drain();
    probe
}

/// It is found at these places, and asked by this.
fn sent(places: &[(Transport, &str)]) -> (Bench, ProbeId, Sent) {
    let mut bench = Bench::new();
    let probe = asked(&mut bench, "carrier", &outbound("sip:carrier.test", false));
    assert_eq!(bench.found(places).host, "carrier.test");
    let options = bench.next();
    (bench, probe, options)
}

fn told(bench: &mut Bench, probe: ProbeId) -> Probed {
    let (of, what) = bench.endpoint.poll_probed().expect("something came of it");
    assert_eq!(of, probe);
    assert_eq!(bench.endpoint.poll_probed(), None, "told once");
    what
}

fn is_clean(mut bench: Bench) {
    bench.is_clean();
    assert_eq!(bench.endpoint.poll_probed(), None, "nothing more comes of it");
}

fn at(remote: &str) -> Flow {
    udp(US, remote)
}

#[test]
fn its_answer_is_told_with_the_time_it_took() {
    let (mut bench, probe, options) = sent(&[(Transport::Udp, ONE)]);
    assert!(options.text.starts_with("OPTIONS sip:carrier.test SIP/2.0\r\n"), "{}", options.text);
    assert_eq!((options.flow, options.header("To")), (at(ONE), "<sip:carrier.test>"));
    assert!(options.header("From").starts_with("<sip:ada@carrier.test>;tag="));
    assert_eq!((options.header("CSeq"), options.header("Accept")), ("1 OPTIONS", "application/sdp"));
    assert_eq!((options.header("Max-Forwards"), options.header("Content-Length")), ("70", "0"));
    assert_eq!(options.header("Contact"), "<sip:10.0.0.1:5060>");
    bench.pass(Duration::from_millis(30));
    bench.receive(at(ONE), reply(&options, 100, "", "", ""));
    assert_eq!(bench.endpoint.poll_probed(), None, "it is still at it");
    bench.receive(at(ONE), reply(&options, 503, "t", "", ""));
    let (transport, remote) = (Transport::Udp, ONE.parse().unwrap());
    let after = Duration::from_millis(30);
    let wanted = Probed::Answered { status: 503, after, with_password: false, transport, remote };
    assert_eq!(told(&mut bench, probe), wanted);
    is_clean(bench);
}

#[test]
fn a_challenge_is_answered_once() {
    for (second, status) in [(200, 200), (401, 401)] {
        let (mut bench, probe, options) = sent(&[(Transport::Udp, ONE)]);
        assert_eq!(options.header("Authorization"), "", "nobody has asked yet");
        bench.receive(at(ONE), reply(&options, 401, "t", CHALLENGE, ""));
        let again = bench.next();
        assert!(again.header("Authorization").contains("username=\"ada\""), "{}", again.text);
        assert_eq!((again.header("CSeq"), again.header("Call-ID")), ("2 OPTIONS", options.header("Call-ID")));
        bench.receive(at(ONE), reply(&again, second, "t", &CHALLENGE.replace("n1", "n2"), ""));
        let Probed::Answered { status: was, with_password: true, .. } = told(&mut bench, probe) else {
            panic!("it has answered")
        };
        assert_eq!(was, status);
        bench.nothing_sent();
        is_clean(bench);
    }
}

#[test]
fn without_a_password_a_challenge_is_the_answer() {
    let mut bench = Bench::new();
    let open = Outbound { login: None, ..outbound("sip:carrier.test", false) };
    let probe = asked(&mut bench, "carrier", &open);
    bench.found(&[(Transport::Udp, ONE)]);
    let options = bench.next();
    assert!(options.header("From").starts_with("<sip:sayso@10.0.0.1>;tag="), "{}", options.text);
    bench.receive(at(ONE), reply(&options, 407, "t", "", ""));
    let what = told(&mut bench, probe);
    assert!(matches!(what, Probed::Answered { status: 407, with_password: false, .. }), "{what:?}");
    is_clean(bench);
}

#[test]
fn silence_is_told_after_a_while_and_nothing_is_sent_from_then_on() {
    let (mut bench, probe, _) = sent(&[(Transport::Udp, ONE)]);
    bench.pass(Duration::from_millis(11_900));
    assert_eq!(bench.endpoint.poll_probed(), None, "it may yet answer");
    assert!(bench.sent.iter().all(|sent| sent.method() == "OPTIONS") && bench.sent.len() >= 4, "asked again");
    bench.pass(Duration::from_millis(200));
    let (transport, remote) = (Transport::Udp, ONE.parse().unwrap());
    assert_eq!(told(&mut bench, probe), Probed::Silent { transport, remote });
    bench.sent.clear();
    bench.pass(Duration::from_secs(40));
    bench.nothing_sent();
    is_clean(bench);
}

#[test]
fn the_next_address_is_asked_when_one_is_silent_or_out_of_service() {
    let (mut bench, probe, _) = sent(&[(Transport::Udp, ONE), (Transport::Udp, TWO)]);
    bench.pass(Duration::from_millis(4_001));
    let second = bench.sent.pop_back().expect("asked elsewhere");
    assert_eq!(second.flow, at(TWO));
    bench.receive(at(TWO), reply(&second, 200, "t", "", ""));
    let what = told(&mut bench, probe);
    assert!(
        matches!(what, Probed::Answered { status: 200, remote, .. } if remote == TWO.parse().unwrap()),
        "{what:?}"
    );
    bench.sent.clear();
    bench.pass(Duration::from_secs(40));
    bench.nothing_sent();
    is_clean(bench);

    let (mut bench, probe, first) = sent(&[(Transport::Udp, ONE), (Transport::Udp, TWO)]);
    bench.receive(at(ONE), reply(&first, 503, "t", "", ""));
    let second = bench.next();
    assert_eq!(second.flow, at(TWO));
    bench.receive(at(TWO), reply(&second, 404, "t", "", ""));
    let what = told(&mut bench, probe);
    assert!(matches!(what, Probed::Answered { status: 404, .. }), "{what:?}");
    is_clean(bench);
}

#[test]
fn a_connection_that_cannot_be_made_is_told_at_once() {
    let (mut bench, probe, options) = sent(&[(Transport::Tcp, ONE)]);
    assert_eq!((options.flow.transport, options.flow.connection), (Transport::Tcp, 0));
    bench.endpoint.closed(options.flow, bench.now);
    bench.drain();
    let (transport, remote) = (Transport::Tcp, ONE.parse().unwrap());
    assert_eq!(told(&mut bench, probe), Probed::Unreachable { transport, remote });
    is_clean(bench);
}

#[test]
fn a_name_that_leads_nowhere_is_told() {
    let mut bench = Bench::new();
    let probe = asked(&mut bench, "carrier", &outbound("sip:carrier.test", false));
    bench.found(&[]);
    assert_eq!(told(&mut bench, probe), Probed::NotFound);
    // And one that nobody finds in time.
    let probe = asked(&mut bench, "carrier", &outbound("sip:carrier.test", false));
    bench.pass(Duration::from_secs(13));
    assert_eq!(told(&mut bench, probe), Probed::NotFound);
    let probe = asked(&mut bench, "carrier", &outbound("mailto:carrier.test", false));
    assert_eq!(told(&mut bench, probe), Probed::NoServer);
    is_clean(bench);
}

#[test]
fn each_trunk_is_tested_once_at_a_time() {
    let (mut bench, first, options) = sent(&[(Transport::Udp, ONE)]);
    let carrier = outbound("sip:carrier.test", false);
    let second = asked(&mut bench, "carrier", &carrier);
    assert_eq!(told(&mut bench, second), Probed::Busy);
    let other = asked(&mut bench, "other", &carrier);
    assert_eq!((bench.endpoint.poll_probed(), bench.endpoint.sizes().probes), (None, 2), "another trunk's");
    bench.receive(at(ONE), reply(&options, 200, "t", "", ""));
    assert!(matches!(told(&mut bench, first), Probed::Answered { .. }));
    let again = asked(&mut bench, "carrier", &carrier);
    bench.pass(Duration::from_secs(13));
    let mut ended = vec![bench.endpoint.poll_probed().unwrap().0, bench.endpoint.poll_probed().unwrap().0];
    ended.sort_unstable();
    assert_eq!(ended, [other, again]);
    is_clean(bench);
}

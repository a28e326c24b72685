//! RFC 4475's messages, each by name with the answer it deserves.

use sipx_testkit::rfc4475;

use super::bench::{Bench, Request, Sent, TRUNK, US, config, settings};
use crate::sip::core::{Flow, Transport};

/// The status each message is answered with; 0: silence. REGISTERs are challenged, as no password
/// comes with them.
const EXPECTED: &[(&str, u16)] = &[
    ("wsinv", 481), // it bears a To tag of a dialog we do not have
    ("intmeth", 501),
    ("esc01", 100),
    ("escnull", 401),
    ("esc02", 501),
    ("lwsdisp", 200),
    ("longreq", 100),
    ("dblreq", 401),
    ("semiuri", 200),
    ("transports", 200),
    ("mpart01", 405),
    ("unreason", 0), // responses to nothing of ours
    ("noreason", 0),
    ("clerr", 400),
    ("ncl", 400),
    ("ltgtruri", 400),
    ("lwsruri", 400),
    ("lwsstart", 400),
    ("trws", 400),
    ("bigcode", 0),
    ("badinv01", 400),
    ("scalar02", 400),
    ("scalarlg", 0),
    ("quotbal", 400),
    ("baddate", 100), // only who needs the date may mind it
    ("regbadct", 400),
    ("badaspec", 400),
    ("baddn", 400),
    ("escruri", 400),
    ("badvers", 505),
    ("mismatch01", 400),
    ("mismatch02", 400),
    ("badbranch", 200),
    ("insuf", 0), // nothing to answer with
    ("unkscm", 416),
    ("novelsc", 416),
    ("unksm2", 401),
    ("bext01", 420),
    ("invut", 415),
    ("regaut01", 401),
    ("multi01", 400),
    ("mcl01", 400),
    ("bcast", 0),
    ("zeromf", 200),
    ("cparam01", 401),
    ("cparam02", 401),
    ("regescrt", 401),
    ("sdp01", 406),
    ("inv2543", 100),
    ("test", 0),
];

fn expected(name: &str) -> u16 {
    EXPECTED.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("{name} is not in the table")).1
}

/// Gives up the calls that were let in, and what was answered last of all before that.
fn settle(bench: &mut Bench) -> Vec<u16> {
    let statuses: Vec<u16> = bench.statuses();
    while let Some(event) = bench.events.pop_front() {
        if let crate::sip::core::Event::Incoming(incoming) = event {
            bench.command(crate::sip::core::Command::Reject { dialog: incoming.dialog, status: 404 });
            assert_eq!(bench.statuses(), [404]);
        }
    }
    statuses
}

#[test]
fn every_torture_message_gets_the_answer_it_deserves() {
    assert_eq!(rfc4475::CASES.len(), EXPECTED.len());
    let mut bench = Bench::new();
    for case in rfc4475::CASES {
        bench.trunk(case.bytes);
        for sent in &bench.sent {
            let tagged = sent.status() == 100 || sent.text.to_ascii_lowercase().split("tag").count() > 2;
            // RFC 2543 callers have no tag of their own.
            assert!(tagged || case.name == "inv2543", "{}: {}", case.name, sent.text);
            assert!(sent.text.ends_with("\r\n\r\n"), "{}: {}", case.name, sent.text);
        }
        let expected: Vec<u16> =
            Some(expected(case.name)).filter(|status| *status != 0).into_iter().collect();
        assert_eq!(settle(&mut bench), expected, "{}", case.name);
        bench.trunk(Request::new("OPTIONS", case.name, 1).text());
        assert_eq!(bench.statuses(), [200], "after {}", case.name);
    }
    bench.is_clean();
}

#[test]
fn over_tcp_the_connection_lives_where_the_framing_does() {
    for case in rfc4475::CASES {
        let mut bench = Bench::with(config(US), settings(&["10.0.0.2/32"], &[]));
        let (local, remote) = (US.parse().unwrap(), TRUNK.parse().unwrap());
        let flow = Flow { transport: Transport::Tcp, local, remote, connection: 1 };
        bench.endpoint.connected(flow, bench.now);
        bench.receive(flow, case.bytes);
        let statuses = settle(&mut bench);
        match case.name {
            // Two lengths, a bad one or none: where it ends cannot be known.
            "ncl" | "mcl01" | "inv2543" => {
                assert_eq!((statuses, bench.closed.len()), (vec![400], 1), "{}", case.name)
            }
            // They wait for octets that do not come, and take what follows for theirs.
            "clerr" | "baddn" | "esc01" => assert!(bench.closed.is_empty(), "{}", case.name),
            _ if bench.closed.is_empty() => {
                bench.receive(flow, Request::new("OPTIONS", case.name, 1).text());
                assert!(bench.sent.iter().any(|sent: &Sent| sent.status() == 200), "{}", case.name);
            }
            // Octets after the message that are none (dblreq's second message is longer than it says).
            name => assert!(matches!(name, "dblreq" | "insuf" | "test"), "{name} closed the connection"),
        }
        bench.is_clean();
    }
}

/// No single octet changed or cut makes the endpoint panic or leak.
#[test]
fn mutations_do_no_harm() {
    let mut bench = Bench::new();
    for case in rfc4475::CASES {
        for at in (0..case.bytes.len()).step_by(7) {
            let mut bytes = case.bytes.to_vec();
            bytes[at] = bytes[at].wrapping_add(u8::try_from(at % 255).unwrap() | 1);
            bench.trunk(bytes.clone());
            bytes.truncate(at);
            bench.trunk(bytes);
            settle(&mut bench);
        }
    }
    bench.is_clean();
}

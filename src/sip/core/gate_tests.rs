use super::*;

const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);
const IGNORE: Duration = Duration::from_secs(60);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Name, networks, calls at once, calls a second.
type Row<'a> = (&'a str, &'a [&'a str], Option<u32>, Option<u32>);

fn gate(trunks: &[Row<'_>]) -> Gate {
    let trunks = trunks.iter().map(|(name, networks, max_calls, calls_per_second)| {
        let trunk = Trunk {
            networks: networks.iter().map(|net| net.parse().unwrap()).collect(),
            max_calls: *max_calls,
            calls_per_second: *calls_per_second,
            ..Trunk::default()
        };
        (TrunkId::from(*name), Arc::new(trunk))
    });
    let settings = Settings { trunks: trunks.collect(), ..Settings::default() };
    Gate::new(Arc::new(settings), IGNORE, 1)
}

#[test]
fn the_longest_prefix_wins() {
    let gate = gate(&[
        ("all", &["0.0.0.0/0"], None, None),
        ("wide", &["10.0.0.0/8", "2001:db8::/32"], None, None),
        ("narrow", &["10.1.0.0/16"], None, None),
        ("one", &["10.1.2.3/32"], None, None),
    ]);
    let found = |remote| gate.recognise(ip(remote)).map(|id| id.0);
    assert_eq!(found("10.1.2.3").as_deref(), Some("one"));
    assert_eq!(found("::ffff:10.1.2.3").as_deref(), Some("one"), "a dual-stack socket's view");
    assert_eq!(found("10.1.2.4").as_deref(), Some("narrow"));
    assert_eq!(found("10.2.0.1").as_deref(), Some("wide"));
    assert_eq!(found("192.0.2.1").as_deref(), Some("all"));
    assert_eq!(found("2001:db8:1::1").as_deref(), Some("wide"));
    assert_eq!(found("2001:db9::1"), None, "0.0.0.0/0 says nothing of IPv6");
}

#[test]
fn a_stranger_is_told_once_and_then_ignored_for_a_while() {
    let mut gate = gate(&[("t", &["10.0.0.0/8"], None, None)]);
    let until = NOW + IGNORE;
    let stranger = |first| Known::Stranger { first, ignored_until: until };
    assert_eq!(gate.judge(ip("10.0.0.1"), LogIn::No, NOW), Known::Trunk(TrunkId::from("t")));
    assert_eq!(gate.judge(ip("192.0.2.1"), LogIn::Tries, NOW), Known::NeedsDigest);
    assert_eq!(gate.judge(ip("192.0.2.1"), LogIn::Could, NOW), stranger(true), "nobody has a password");
    let later = NOW + Duration::from_secs(59);
    assert_eq!(gate.judge(ip("192.0.2.1"), LogIn::Could, later), stranger(false), "not prolonged");
    assert_eq!(gate.judge(ip("192.0.2.1"), LogIn::Tries, later), Known::NeedsDigest, "it may log in");
    assert!(!gate.ignored(ip("192.0.2.2"), later));
    assert!(gate.ignored(ip("192.0.2.1"), later) && !gate.ignored(ip("192.0.2.1"), until));
    gate.refuse(ip("2001:db8:0:1::1"), NOW);
    assert!(gate.ignored(ip("2001:db8:0:1:ffff::2"), NOW), "the same /64");
    assert!(!gate.ignored(ip("2001:db8:0:2::1"), NOW));
    gate.refuse(ip("10.0.0.1"), NOW);
    assert!(!gate.ignored(ip("10.0.0.1"), NOW), "a trunk is never cut off");
}

#[test]
fn where_anybody_has_a_password_all_are_challenged_alike() {
    let mut settings = Settings::default();
    let digest = Some(crate::settings::ha1("pbx", "sayso", "secret"));
    settings.trunks.insert(TrunkId::from("t"), Arc::new(Trunk { digest, ..Trunk::default() }));
    let mut gate = Gate::new(Arc::new(settings), IGNORE, 1);
    assert_eq!(gate.judge(ip("192.0.2.1"), LogIn::Could, NOW), Known::NeedsDigest);
    assert!(matches!(gate.judge(ip("192.0.2.1"), LogIn::No, NOW), Known::Stranger { first: true, .. }));
    assert!(matches!(gate.judge(ip("192.0.2.1"), LogIn::Could, NOW), Known::Stranger { first: false, .. }));
    assert_eq!(gate.judge(ip("192.0.2.1"), LogIn::Tries, NOW), Known::NeedsDigest);
}

fn datagram(from: &str) -> Flow {
    let (local, remote) = ("10.0.0.1:5060".parse().unwrap(), format!("{from}:5060").parse().unwrap());
    Flow { transport: crate::sip::core::Transport::Udp, local, remote, connection: 0 }
}

#[test]
fn five_failures_in_a_row_shut_a_stranger_out() {
    let mut gate = gate(&[("t", &["10.0.0.0/8"], None, None)]);
    for _ in 0..6 {
        assert_eq!(gate.failed(ip("10.0.0.1"), "ada", NOW), None, "a trunk's");
    }
    let (remote, home) = (ip("192.0.2.1"), ip("192.0.2.2"));
    gate.succeeded(home, "ada");
    for _ in 0..4 {
        assert_eq!(gate.failed(remote, "bob", NOW), None);
    }
    assert!(gate.takes(&datagram("192.0.2.1"), NOW));
    assert_eq!(gate.failed(remote, "bob", NOW), Some(NOW + IGNORE));
    assert!(gate.ignored(remote, NOW));
    assert!(matches!(gate.judge(remote, LogIn::Tries, NOW), Known::Stranger { first: false, .. }));
    assert!(!gate.takes(&datagram("192.0.2.1"), NOW), "it is not even read");
    assert!(gate.takes(&datagram("192.0.2.1"), NOW + IGNORE));
    assert!(gate.failures.values.is_empty());
    for _ in 0..50 {
        assert_eq!(gate.failed(home, "ada", NOW), None, "where somebody has logged in");
    }
    assert!(gate.takes(&datagram("192.0.2.2"), NOW) && !gate.ignored(home, NOW));
    assert!(!gate.may_try(home, "ada", NOW) && gate.may_try(home, "ada", NOW + Duration::from_secs(1)));
}

#[test]
fn who_uses_up_its_answers_is_ignored_and_told_of_once() {
    let mut gate = gate(&[("t", &["10.0.0.0/8"], None, None)]);
    let stranger = datagram("192.0.2.1");
    for _ in 0..5 {
        assert_eq!(gate.answers(&stranger, NOW), Ok(true));
    }
    assert_eq!(gate.answers(&stranger, NOW), Err(NOW + IGNORE));
    assert_eq!(gate.answers(&stranger, NOW), Ok(false));
    let connected = Flow { transport: crate::sip::core::Transport::Tcp, connection: 7, ..stranger };
    assert_eq!(gate.answers(&connected, NOW), Ok(true), "nobody else can be meant");
    assert!((0..99).all(|_| gate.answers(&datagram("10.0.0.2"), NOW) == Ok(true)));
    assert_eq!(gate.answers(&stranger, NOW + Duration::from_secs(1)), Ok(true));
    assert_eq!(gate.guard.refused.answers, 2);
}

#[test]
fn the_tables_are_bounded_and_the_oldest_goes() {
    let mut gate = gate(&[]);
    let nth = |n: u32| IpAddr::from(n.to_be_bytes());
    for n in 0..MAX_IGNORED as u32 + 5 {
        gate.refuse(nth(n), NOW);
    }
    assert_eq!((gate.ignored.values.len(), gate.ignored.order.len()), (MAX_IGNORED, MAX_IGNORED));
    assert!(!gate.ignored(nth(4), NOW) && gate.ignored(nth(5), NOW));
    gate.refuse(nth(1), NOW + IGNORE);
    assert_eq!(gate.ignored.values.len(), 1, "what has expired is dropped");
    for n in 0..3 * MAX_IGNORED as u32 {
        gate.failed(nth(n), "ada", NOW);
    }
    assert!(gate.failures.order.len() <= MAX_IGNORED && gate.failures.values.len() <= MAX_IGNORED);
}

#[test]
fn calls_at_once_are_limited() {
    let mut gate = gate(&[("t", &[], Some(2), None), ("shut", &[], Some(0), None)]);
    let trunk = TrunkId::from("t");
    assert_eq!(gate.admit(&trunk, NOW), Ok(()));
    assert_eq!(gate.admit(&trunk, NOW), Ok(()));
    assert_eq!(gate.admit(&trunk, NOW), Err(RetryAfter(RETRY_WHEN_FULL)));
    assert_eq!(gate.admit(&TrunkId::from("shut"), NOW), Err(RetryAfter(RETRY_WHEN_SHUT)));
    gate.release(&trunk);
    assert_eq!(gate.admit(&trunk, NOW), Ok(()));
    gate.settings(Arc::new(Settings::default()));
    assert_eq!(gate.calls(&trunk), 2, "its calls go on when the trunk is removed");
    assert_eq!(gate.admit(&trunk, NOW), Err(RetryAfter(RETRY_WHEN_SHUT)));
    gate.release(&trunk);
    gate.release(&trunk);
    gate.release(&trunk);
    assert!(!gate.trunks.contains_key(&trunk));
}

#[test]
fn calls_a_second_are_limited_by_a_bucket() {
    let mut gate = gate(&[("t", &[], None, Some(10)), ("shut", &[], None, Some(0))]);
    let trunk = TrunkId::from("t");
    let mut admitted =
        |at: Timestamp, tries: u32| (0..tries).filter(|_| gate.admit(&trunk, at).is_ok()).count();
    assert_eq!(admitted(NOW, 50), 10, "a second's worth at once");
    assert_eq!(admitted(NOW + Duration::from_millis(99), 1), 0);
    assert_eq!(admitted(NOW + Duration::from_millis(100), 5), 1);
    assert_eq!(admitted(NOW, 5), 0, "time that runs back fills nothing");
    let total: usize = (1..=1_000).map(|n| admitted(NOW + Duration::from_millis(100 + 7 * n), 3)).sum();
    assert_eq!(total, 70, "over 7 s");
    assert_eq!(admitted(NOW + Duration::from_secs(9_999), 50), 10);
    assert_eq!(gate.admit(&trunk, NOW + Duration::from_secs(9_999)), Err(RetryAfter(1)));
    assert_eq!(gate.admit(&TrunkId::from("shut"), NOW), Err(RetryAfter(RETRY_WHEN_SHUT)));
}

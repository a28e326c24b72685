use super::*;
use proptest::prelude::*;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_micros(1_795_339_800_000_000) + Duration::from_millis(ms)
}

const CNAME: &[u8] = b"k3f9s0a1";

fn parse(octets: &[u8]) -> Vec<Packet<'_>> {
    packets(octets).collect::<Result<_, _>>().expect("well formed")
}

proptest! {
    #[test]
    fn what_is_built_is_read_back(
        ssrc in any::<u32>(), ntp in any::<u64>(), counts in any::<[u32; 3]>(), sends: bool, receives: bool,
        lost in -0x80_0000i32..0x80_0000, words in any::<[u32; 5]>(), fraction_lost: u8, goodbye: bool,
        cname in proptest::collection::vec(33u8..127, 0..70),
    ) {
        let sender = sends.then_some(SenderInfo { ntp, rtp: counts[0], packets: counts[1], octets: counts[2] });
        let block = receives.then_some(Block {
            ssrc: words[0], fraction_lost, lost, highest: words[1], jitter: words[2], last_report: words[3], delay: words[4],
        });
        let mut out = [0; MAX_REPORT];
        let len = Report { ssrc, sender, block, cname: &cname, goodbye }.build(&mut out);
        prop_assert_eq!(len % 4, 0);
        let read = parse(&out[..len]);
        let same = matches!(read[0], Packet::Report { ssrc: s, sender: i, .. } if s == ssrc && i == sender);
        prop_assert!(same);
        prop_assert_eq!(read[0].blocks().collect::<Vec<_>>(), Vec::from_iter(block));
        prop_assert_eq!(&read[1], &Packet::Description);
        let last = goodbye.then_some(Packet::Goodbye { ssrc: Some(ssrc) });
        prop_assert_eq!(read.get(2), last.as_ref());
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..120), kind in 199u8..205) {
        let mut octets = octets;
        if octets.len() > 3 {
            octets[0] = 0x80 | (octets[0] & 0x3F);
            octets[1] = kind;
            octets[2] = 0;
        }
        for packet in packets(&octets).flatten() {
            let _ = packet.blocks().count();
        }
    }

    /// Loss is what the sender sent and we did not get, whatever the order and wherever it wraps.
    #[test]
    fn loss_is_counted_over_wraps_and_reordering(
        first in any::<u16>(), kept in proptest::collection::vec(proptest::bool::weighted(0.9), 2..800), swap in 2usize..9,
    ) {
        let mut sent: Vec<usize> = (0..kept.len()).filter(|n| kept[*n]).collect();
        prop_assume!(!sent.is_empty());
        for pair in sent.chunks_mut(swap) {
            if pair.len() == swap {
                pair.swap(1, swap - 1);
            }
        }
        let base = sent[0];
        let sequence = |n: usize| first.wrapping_add(n as u16);
        let mut reception = Reception::new(5, sequence(base));
        for n in &sent {
            reception.count(sequence(*n));
        }
        let (received, highest) = (sent.len(), *sent.iter().max().unwrap());
        prop_assert_eq!(reception.lost(), ((highest + 1 - base).saturating_sub(received)) as u64);
        let extended = reception.block(at(0)).highest;
        prop_assert_eq!(extended, u32::from(sequence(base)) + (highest - base) as u32);
    }
}

#[test]
fn round_trip_by_lsr_and_dlsr() {
    // We report at 0; it travels 30 ms, the peer keeps it 500 ms, its answer travels 30 ms.
    let mut peer = Reception::new(7, 1);
    peer.count(1);
    peer.sender_report(ntp(at(0)), at(30));
    let block = peer.block(at(530));
    let measured = round_trip(&block, at(560)).unwrap();
    assert!(measured.abs_diff(Duration::from_millis(60)) < Duration::from_micros(50), "{measured:?}");
    assert_eq!(round_trip(&Block { last_report: 0, ..block }, at(560)), None);
    assert_eq!(round_trip(&block, at(100)), None, "an answer before the question");
}

#[test]
fn share_lost_counts_from_report_to_report() {
    let mut reception = Reception::new(7, 0);
    (0..100).filter(|n| n % 4 != 1).for_each(|n| reception.count(n));
    let first = reception.block(at(0));
    assert_eq!((first.fraction_lost, first.lost, first.highest), (64, 25, 99));
    (100..200).for_each(|n| reception.count(n));
    let second = reception.block(at(5_000));
    assert_eq!((second.fraction_lost, second.lost), (0, 25));
}

#[test]
fn a_sender_that_starts_anew_is_no_loss() {
    let mut reception = Reception::new(7, 10);
    (10..20).for_each(|n| reception.count(n));
    (40_000..40_010).for_each(|n| reception.count(n));
    // Only the packet by which the jump showed itself is missed.
    assert!(reception.lost() <= 1, "{}", reception.lost());
    reception.count(3);
    assert_eq!(reception.block(at(0)).highest, 40_009, "a single stray packet changes nothing");
}

#[test]
fn jitter_is_zero_on_a_steady_stream_and_grows_towards_the_mean_deviation() {
    let mut steady = Reception::new(7, 0);
    let mut shaky = Reception::new(8, 0);
    for n in 0..500u32 {
        steady.measure(n * 160, at(u64::from(n) * 20));
        // Every other packet 10 ms late: each transit differs from the last by 10 ms.
        shaky.measure(n * 160, at(u64::from(n) * 20 + if n % 2 == 0 { 10 } else { 0 }));
    }
    assert_eq!(steady.jitter_ms(), 0.0);
    assert!((9.0..=10.5).contains(&shaky.jitter_ms()), "{}", shaky.jitter_ms());
}

#[test]
fn jitter_is_in_the_sources_ticks_and_the_same_in_milliseconds() {
    let mut shaky = Reception::new(8, 0);
    shaky.set_clock(48_000);
    for n in 0..500u32 {
        shaky.measure(n * 960, at(u64::from(n) * 20 + if n % 2 == 0 { 10 } else { 0 }));
    }
    assert!((9.0..=10.5).contains(&shaky.jitter_ms()), "{}", shaky.jitter_ms());
    assert!((432..=504).contains(&shaky.block(at(10_000)).jitter));
    let before = shaky.jitter_ms();
    shaky.set_clock(8_000);
    assert!((shaky.jitter_ms() - before).abs() < 0.5, "another codec, the same network");
}

#[test]
fn a_compound_ends_at_its_first_fault() {
    let mut out = [0; MAX_REPORT];
    let len = Report { ssrc: 1, sender: None, block: None, cname: CNAME, goodbye: true }.build(&mut out);
    out[8] = 0x40; // SDES with version 1
    let read: Vec<_> = packets(&out[..len]).collect();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1], Err(RtcpError::Version(1)));
    assert_eq!(packets(&[0x81, 201, 0, 7, 0, 0, 0, 1]).next(), Some(Err(RtcpError::Short(8))));
}

#[test]
fn ntp_counts_from_1900() {
    assert_eq!(ntp(Timestamp::from_micros(500_000)), (2_208_988_800 << 32) | (1 << 31));
}

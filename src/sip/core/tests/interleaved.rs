//! Reliable early media, UPDATE, re-INVITE and session timers over a bad network, in any order.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::pair::{Dice, End, Network, Pair};
use crate::call::Cause;
use crate::media::Digit;
use crate::sip::core::{Command, DialogId, Event};

fn incoming(event: &Event) -> Option<DialogId> {
    if let Event::Incoming(incoming) = event { Some(incoming.dialog) } else { None }
}

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

const BAD: Network = Network { loss: 20, doubles: 20, delay: 300 };

/// A call with early media, as both ends tell of it.
fn answered(pair: &mut Pair) -> (DialogId, DialogId) {
    let phone = pair.dial();
    let server = pair.wait(End::Server, incoming);
    pair.command(End::Server, Command::Ring { dialog: server, sdp: Some(sdp("early")) });
    let early = pair.wait(End::Phone, |event| {
        if let Event::Ringing { sdp: Some(sdp), .. } = event { Some(sdp.clone()) } else { None }
    });
    assert_eq!(early, "early");
    pair.command(End::Server, Command::Answer { dialog: server, sdp: sdp("early") });
    let answer = pair.wait(End::Phone, |event| {
        if let Event::Answered { sdp, record_aware: true, .. } = event { Some(sdp.clone()) } else { None }
    });
    assert_eq!(answer, Some(sdp("early")), "told again");
    pair.wait(End::Server, |event| matches!(event, Event::Confirmed { sdp: None, .. }).then_some(()));
    (phone, server)
}

#[test]
fn early_media_gets_through_a_bad_network_exactly_once() {
    for seed in 0..60 {
        let mut pair = Pair::new(BAD, seed);
        let (phone, _) = answered(&mut pair);
        let again =
            pair.events[End::Phone as usize].iter().any(|event| matches!(event, Event::Ringing { .. }));
        assert!(!again, "seed {seed}");
        pair.command(End::Phone, Command::Hangup { dialog: phone, cause: Cause::HungUp });
        pair.is_clean();
        assert_eq!(pair.ended.len(), 2, "seed {seed}");
    }
}

#[test]
fn an_offer_while_it_rings_gets_through_a_bad_network_from_either_side() {
    for seed in 0..60 {
        let mut pair = Pair::new(BAD, seed);
        let phone = pair.dial();
        let server = pair.wait(End::Server, incoming);
        pair.command(End::Server, Command::Ring { dialog: server, sdp: Some(sdp("early")) });
        pair.wait(End::Phone, |event| matches!(event, Event::Ringing { sdp: Some(_), .. }).then_some(()));
        let (end, dialog, other, theirs) = if seed % 2 == 0 {
            (End::Phone, phone, End::Server, server)
        } else {
            (End::Server, server, End::Phone, phone)
        };
        pair.command(end, Command::Reinvite { dialog, sdp: sdp("moved") });
        pair.wait(other, |event| {
            matches!(event, Event::Reinvite { sdp: Some(sdp), .. } if sdp == "moved").then_some(())
        });
        pair.command(End::Server, Command::Answer { dialog: server, sdp: sdp("early") });
        pair.command(other, Command::AcceptReinvite { dialog: theirs, sdp: sdp("fine") });
        let mut heard = (false, false);
        let limit = pair.now + Duration::from_secs(60);
        while heard != (true, true) {
            while let Some(event) = pair.events[end as usize].pop_front() {
                heard.0 |= matches!(&event, Event::Reinvited { sdp: Some(sdp), .. } if sdp == "fine");
                heard.1 |= matches!(&event, Event::Answered { .. } | Event::Confirmed { .. });
            }
            assert!(heard == (true, true) || pair.step(limit), "seed {seed}: {heard:?}");
        }
        pair.pass(Duration::from_secs(40));
        pair.command(End::Server, Command::Hangup { dialog: server, cause: Cause::HungUp });
        pair.is_clean();
        assert_eq!(pair.ended.len(), 2, "seed {seed}");
    }
}

#[test]
fn a_session_is_kept_alive_over_a_bad_network_and_dies_with_it() {
    for seed in 0..10 {
        let mut pair = Pair::with(BAD, seed, |config| config.session_expires = Duration::from_secs(90));
        answered(&mut pair);
        pair.pass(Duration::from_secs(1_800));
        assert!(pair.ended.is_empty(), "seed {seed}: {:?}", pair.ended);
        pair.network(Network { loss: 100, doubles: 0, delay: 1 });
        pair.pass(Duration::from_secs(90));
        assert_eq!(pair.ended.len(), 2, "seed {seed}");
        pair.is_clean();
    }
}

/// Does something at random, as users do, whether it fits or not.
fn meddle(pair: &mut Pair, dice: &mut Dice, dialogs: &[(End, DialogId)]) {
    let count = dialogs.len() as u64;
    let Some((end, dialog)) = dialogs.get(usize::try_from(dice.below(count)).unwrap()).copied() else {
        return;
    };
    let command = match dice.below(20) {
        0 => Command::Ring { dialog, sdp: None },
        1..=4 => Command::Ring { dialog, sdp: Some(sdp("early")) },
        5 | 6 => Command::Answer { dialog, sdp: sdp("answer") },
        7..=11 => Command::AcceptReinvite { dialog, sdp: sdp("fine") },
        12 => Command::RejectReinvite { dialog, status: 488 },
        13..=16 => Command::Reinvite { dialog, sdp: sdp("offer") },
        17 => Command::Info { dialog, digit: Digit::try_from('1').unwrap() },
        18 => Command::Reject { dialog, status: 486 },
        _ => Command::Hangup { dialog, cause: Cause::HungUp },
    };
    pair.command(end, command);
}

/// The calls that came in meanwhile.
fn arrived(pair: &mut Pair) -> Vec<(End, DialogId)> {
    let events = pair.events[End::Server as usize].drain(..);
    events.filter_map(|event| incoming(&event)).map(|dialog| (End::Server, dialog)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// In whatever order offers, PRACKs, UPDATEs, BYEs, CANCELs and timers meet: every dialog ends once, and
    /// after 40 s of quiet nothing is left.
    #[test]
    fn every_dialog_ends_once(
        seed: u64, loss in 0u64..35, doubles in 0u64..40, delay in 1u64..1_500, pause in 200u64..20_000,
        steps in 1usize..60,
    ) {
        let network = Network { loss, doubles, delay };
        let mut pair = Pair::with(network, seed, |config| config.session_expires = Duration::from_secs(90));
        let mut dice = Dice(!seed);
        let mut dialogs = Vec::new();
        for _ in 0..steps {
            if dice.below(10) == 0 || dialogs.is_empty() {
                dialogs.push((End::Phone, pair.dial()));
            }
            meddle(&mut pair, &mut dice, &dialogs);
            pair.pass(Duration::from_millis(dice.below(pause)));
            dialogs.extend(arrived(&mut pair));
        }
        for (end, dialog) in &dialogs {
            pair.command(*end, Command::Hangup { dialog: *dialog, cause: Cause::Shutdown });
        }
        // An INVITE may still be on its way; who hears of it hangs up.
        for _ in 0..40 {
            pair.pass(Duration::from_secs(1));
            for (end, dialog) in arrived(&mut pair) {
                dialogs.push((end, dialog));
                pair.command(end, Command::Hangup { dialog, cause: Cause::Shutdown });
            }
        }
        pair.pass(Duration::from_secs(35));
        pair.is_clean();
        for place in &dialogs {
            prop_assert_eq!(pair.ended.get(place), Some(&1), "{:?}", place);
        }
    }
}

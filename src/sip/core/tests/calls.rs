//! Whole calls over a bad network.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::pair::{Dice, End, Network, Pair};
use crate::call::Cause;
use crate::media::Digit;
use crate::sip::core::{Command, DialogId, Event};

const GOOD: Network = Network { loss: 0, doubles: 0, delay: 20 };
const BAD: Network = Network { loss: 20, doubles: 20, delay: 300 };

fn incoming(event: &Event) -> Option<DialogId> {
    if let Event::Incoming(incoming) = event { Some(incoming.dialog) } else { None }
}

fn up(event: &Event) -> Option<()> {
    matches!(event, Event::Answered { .. } | Event::Confirmed { .. }).then_some(())
}

fn reinvite(event: &Event) -> Option<()> {
    matches!(event, Event::Reinvite { .. }).then_some(())
}

fn ended(event: &Event) -> Option<Cause> {
    if let Event::Ended { cause, .. } = event { Some(*cause) } else { None }
}

fn answered(pair: &mut Pair) -> (DialogId, DialogId) {
    let phone = pair.dial();
    let server = pair.wait(End::Server, incoming);
    pair.command(End::Server, Command::Ring { dialog: server, sdp: None });
    pair.command(End::Server, Command::Answer { dialog: server, sdp: Bytes::from_static(b"answer") });
    pair.wait(End::Phone, up);
    pair.wait(End::Server, up);
    (phone, server)
}

#[test]
fn a_hundred_calls_at_once_with_hold_digits_and_either_side_hanging_up() {
    let mut pair = Pair::new(GOOD, 1);
    let calls: Vec<_> = (0..100).map(|_| answered(&mut pair)).collect();
    assert_eq!(pair.end(End::Server).sizes().dialogs, 100);
    for (n, (phone, server)) in calls.iter().copied().enumerate() {
        let (end, dialog, other, theirs) = if n % 2 == 0 {
            (End::Phone, phone, End::Server, server)
        } else {
            (End::Server, server, End::Phone, phone)
        };
        pair.command(end, Command::Reinvite { dialog, sdp: Bytes::from_static(b"hold") });
        pair.wait(other, reinvite);
        pair.command(other, Command::AcceptReinvite { dialog: theirs, sdp: Bytes::from_static(b"held") });
        pair.wait(end, |event| matches!(event, Event::Reinvited { sdp: Some(_), .. }).then_some(()));
        pair.command(end, Command::Info { dialog, digit: Digit::try_from('9').unwrap() });
        pair.wait(other, |event| matches!(event, Event::Digit { .. }).then_some(()));
        pair.command(end, Command::Hangup { dialog, cause: Cause::HungUp });
        assert_eq!(pair.wait(other, ended), Cause::HungUp);
    }
    pair.is_clean();
    assert_eq!(pair.ended.len(), 200);
}

#[test]
fn glare_is_resolved_by_both_roles() {
    for seed in 0..20 {
        let mut pair = Pair::new(GOOD, seed);
        let (phone, server) = answered(&mut pair);
        pair.command(End::Phone, Command::Reinvite { dialog: phone, sdp: Bytes::from_static(b"p") });
        pair.command(End::Server, Command::Reinvite { dialog: server, sdp: Bytes::from_static(b"s") });
        // The server waits 0 to 2 s, the phone 2.1 s and more: each gets its turn.
        let mut accepted = Vec::new();
        let limit = pair.now + Duration::from_secs(30);
        while accepted.len() < 2 {
            assert!(pair.step(limit), "seed {seed}: {accepted:?}");
            for (end, dialog) in [(End::Phone, phone), (End::Server, server)] {
                match pair.events[end as usize].pop_front() {
                    Some(Event::Reinvite { .. }) => {
                        pair.command(end, Command::AcceptReinvite { dialog, sdp: Bytes::from_static(b"ok") });
                    }
                    Some(Event::Reinvited { sdp: Some(_), .. }) => accepted.push(end),
                    None => {}
                    other => panic!("seed {seed}: {other:?}"),
                }
            }
        }
        assert!(accepted.contains(&End::Phone) && accepted.contains(&End::Server));
        pair.command(End::Phone, Command::Hangup { dialog: phone, cause: Cause::HungUp });
        pair.is_clean();
    }
}

#[test]
fn cancel_and_answer_that_cross_leave_nothing_in_any_order() {
    for seed in 0..200 {
        let mut pair = Pair::new(Network { delay: 50, ..GOOD }, seed);
        let phone = pair.dial();
        let server = pair.wait(End::Server, incoming);
        pair.pass(Duration::from_millis(60));
        pair.command(End::Phone, Command::Hangup { dialog: phone, cause: Cause::Cancelled });
        // The CANCEL takes up to 50 ms: the answer is given before it comes, or after.
        pair.pass(Duration::from_millis(seed % 60));
        pair.command(End::Server, Command::Answer { dialog: server, sdp: Bytes::from_static(b"a") });
        pair.is_clean();
        assert_eq!(pair.ended.len(), 2, "seed {seed}");
    }
}

/// Does something at random, as users do, whether it fits or not.
fn meddle(pair: &mut Pair, dice: &mut Dice, dialogs: &[(End, DialogId)]) {
    let Some((end, dialog)) =
        dialogs.get(usize::try_from(dice.below(dialogs.len() as u64)).unwrap()).copied()
    else {
        return;
    };
    let sdp = Bytes::from_static(b"sdp");
    let command = match dice.below(16) {
        0 | 1 => Command::Ring { dialog, sdp: None },
        2 => Command::Ring { dialog, sdp: Some(sdp) },
        3..=5 => Command::Answer { dialog, sdp },
        6 => Command::Reject { dialog, status: 486 },
        7 | 8 => Command::AcceptReinvite { dialog, sdp },
        9 => Command::RejectReinvite { dialog, status: 488 },
        10 | 11 => Command::Reinvite { dialog, sdp },
        12 | 13 => Command::Info { dialog, digit: Digit::try_from('1').unwrap() },
        _ => Command::Hangup { dialog, cause: Cause::HungUp },
    };
    pair.command(end, command);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Whatever users do and the network loses: every dialog ends once, and nothing is left.
    #[test]
    fn no_ghost_survives(seed: u64, loss in 0u64..40, doubles in 0u64..40, delay in 1u64..1_500, steps in 1usize..60) {
        let mut pair = Pair::new(Network { loss, doubles, delay }, seed);
        let mut dice = Dice(!seed);
        let mut dialogs = Vec::new();
        for _ in 0..steps {
            if dice.below(8) == 0 {
                dialogs.push((End::Phone, pair.dial()));
            }
            meddle(&mut pair, &mut dice, &dialogs);
            pair.pass(Duration::from_millis(dice.below(1_000)));
            let new: Vec<_> = pair.events[End::Server as usize].drain(..).filter_map(|event| incoming(&event)).collect();
            dialogs.extend(new.into_iter().map(|dialog| (End::Server, dialog)));
        }
        pair.pass(Duration::from_secs(2));
        let new: Vec<_> = pair.events[End::Server as usize].drain(..).filter_map(|event| incoming(&event)).collect();
        dialogs.extend(new.into_iter().map(|dialog| (End::Server, dialog)));
        for (end, dialog) in &dialogs {
            pair.command(*end, Command::Hangup { dialog: *dialog, cause: Cause::Shutdown });
        }
        // An INVITE may still be on its way; who hears of it hangs up.
        for _ in 0..40 {
            pair.pass(Duration::from_secs(1));
            let new: Vec<_> = pair.events[End::Server as usize].drain(..).filter_map(|event| incoming(&event)).collect();
            for dialog in new {
                dialogs.push((End::Server, dialog));
                pair.command(End::Server, Command::Hangup { dialog, cause: Cause::Shutdown });
            }
        }
        // One end may have waited for the other's BYE until now.
        pair.pass(Duration::from_secs(35));
        pair.is_clean();
        for place in &dialogs {
            prop_assert_eq!(pair.ended.get(place), Some(&1), "{:?}", place);
        }
    }
}

#[test]
fn a_call_comes_up_over_a_bad_network() {
    for seed in 0..50 {
        let mut pair = Pair::new(BAD, seed);
        let phone = pair.dial();
        let server = pair.wait(End::Server, incoming);
        pair.command(End::Server, Command::Answer { dialog: server, sdp: Bytes::from_static(b"a") });
        pair.wait(End::Phone, up);
        pair.wait(End::Server, up);
        pair.command(End::Phone, Command::Hangup { dialog: phone, cause: Cause::HungUp });
        assert_eq!(pair.wait(End::Server, ended), Cause::HungUp, "seed {seed}");
        pair.is_clean();
    }
}

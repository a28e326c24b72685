//! Transfers as phones ask for them (REFER, keypad codes) and hear of them (NOTIFY), early media of
//! whom is called, and what every leg is told of the recording.

use std::collections::BTreeMap;

use crate::audit::cause_word;
use crate::call::{Cause, Input, Outside, Phase, Progress};
use crate::ids::LegId;
use crate::media::{Digit, Seat};
use crate::sip::core::cause::{of_status, to_status};
use crate::sip::core::sdp::RecordState;
use crate::sip::core::{Command, ReferTo};
use crate::store::Change;

use super::super::keypad::{Asked, Keyed, Keypad};
use super::super::leg::{Leg, Party};
use super::super::{trail, uui};
use super::Driver;
use super::lost::Reattach;

/// Where the call's legs are on their way to.
#[derive(Default)]
pub(super) struct Moves {
    /// The legs that hear one another.
    pub(super) together: Vec<u16>,
    /// Legs answered to take another's place, until their ACK comes.
    pub(super) replacing: BTreeMap<u16, LegId>,
    /// Who consults on which leg.
    pub(super) consult: Option<Consult>,
    /// Legs that asked for a transfer by REFER, by the agent's leg the call knows.
    refers: BTreeMap<u16, u16>,
    /// Referred-By of the transfer asked for last.
    pub(super) referred_by: Option<String>,
    /// What agents' legs have pressed of their codes.
    pub(super) keypads: BTreeMap<u16, Keypad>,
    /// The agent whose phone is to be called anew.
    pub(super) reattach: Option<Reattach>,
}

/// A consultation: the agent's leg with the caller, and the second line it came in by, if it did.
#[derive(Clone, Copy)]
pub(super) struct Consult {
    pub(super) by: u16,
    pub(super) own: Option<u16>,
}

impl Driver {
    /// A REFER: an agent's phone sends the caller on.
    pub(super) fn on_refer(&mut self, n: u16, to: ReferTo, referred_by: Option<String>) {
        let Some(leg) = self.legs.get(&n) else { return };
        let dialog = leg.dialog;
        let input = if leg.agent().is_some() { self.asked_by_refer(n, to) } else { Err(403) };
        let status = match &input {
            Ok(_) => 202,
            Err(status) => *status,
        };
        self.shared.send(Command::AnswerRefer { dialog, status });
        if let Ok((by, input)) = input {
            self.moves.refers.insert(by.n, n);
            self.moves.referred_by = referred_by;
            self.tell(input);
        }
    }

    /// What a REFER on leg `n` asks of the call, and the leg it asks for; or the status to refuse it with.
    fn asked_by_refer(&self, n: u16, to: ReferTo) -> Result<(LegId, Input), u16> {
        match self.call.phase() {
            Phase::Talking | Phase::Consulting | Phase::Conference => {}
            Phase::Answering
            | Phase::Welcome
            | Phase::Asking
            | Phase::Waiting
            | Phase::Ringing
            | Phase::Joining
            | Phase::Transferring
            | Phase::Lost
            | Phase::Over => return Err(403),
        }
        let by = self.main_leg(n);
        match to {
            ReferTo::User(user) => {
                let trunk = self.legs.get(&self.call.caller().n).and_then(|leg| match &leg.party {
                    Party::Caller(trunk) => trunk.as_ref(),
                    Party::Agent(_) | Party::Outside(_) | Party::Supervisor => None,
                });
                let to = self.shared.target(&user, trunk).ok_or(404u16)?;
                Ok((by, Input::Transfer { by, to }))
            }
            ReferTo::Dialog(other) => {
                // One line is sent to the other's far end; phones differ in which.
                let other = self.leg_of(other).ok_or(403u16)?;
                let Some(Consult { by: one, own: Some(own) }) = self.moves.consult else { return Err(403) };
                let lines = (n, other) == (one, own) || (n, other) == (own, one);
                if lines { Ok((by, Input::Complete { by })) } else { Err(403) }
            }
        }
    }

    /// The leg by which the call knows the agent of leg `n`: the one with the caller.
    pub(super) fn main_leg(&self, n: u16) -> LegId {
        let n = match (self.call.phase(), self.moves.consult) {
            (Phase::Consulting, Some(Consult { by, own: Some(own) })) if own == n => by,
            (_, _) => n,
        };
        LegId { call: self.id, n }
    }

    /// Tells who asked how it goes: by NOTIFY to a REFER, by ringing to a second line that calls in.
    pub(super) fn tell_progress(&mut self, n: u16, progress: Progress) {
        match progress {
            Progress::Trying | Progress::Ringing => {}
            Progress::Done => count("done"),
            Progress::Failed(cause) => {
                count(cause_word(cause));
                self.refuse_asks(n, cause);
            }
        }
        let calls_in = self.legs.get(&n).filter(|leg| leg.answer.is_some());
        if let (Some(leg), Progress::Ringing) = (calls_in, progress) {
            let early = self.moves.together.contains(&n);
            if !early {
                self.shared.send(Command::Ring { dialog: leg.dialog, sdp: None });
            }
        }
        // Told of the line with the caller or of the second one: the REFER came on either.
        let Some((by, asked)) = self.moves.refers.iter().find(|(by, asked)| **by == n || **asked == n) else {
            return;
        };
        let (by, Some(asked)) = (*by, self.legs.get(asked)) else { return };
        let (dialog, status) = (asked.dialog, status_of(progress));
        self.shared.send(Command::Notify { dialog, status });
        if status >= 200 {
            self.moves.refers.remove(&by);
        }
    }

    /// Hands a leg over to the network.
    pub(super) fn refer(&mut self, leg: LegId, to: &Outside) {
        match self.legs.get(&leg.n) {
            Some(gone) => {
                let (dialog, to) = (gone.dialog, to.number.as_e164().to_owned());
                self.shared.send(Command::Refer { dialog, to, replaces: None });
            }
            None => self.tell(Input::Referred { leg, result: Err(Cause::OtherSideGone) }),
        }
    }

    pub(super) fn on_refer_progress(&mut self, leg: LegId, status: u16) {
        match status {
            0..=199 => {}
            200..=299 => self.tell(Input::Referred { leg, result: Ok(()) }),
            300..=u16::MAX => self.tell(Input::Referred { leg, result: Err(of_status(status)) }),
        }
    }

    /// Takes a key of leg `n`; what is left for the call when it belongs to no code of an agent.
    pub(super) fn unless_a_code(&mut self, n: u16, key: Digit) -> Vec<Digit> {
        let Some(agent) = self.legs.get(&n).and_then(Leg::agent) else { return vec![key] };
        let settings = self.shared.settings();
        let Some(agent) = settings.agents.get(agent) else { return vec![key] };
        let now = self.shared.clock.now();
        match self.moves.keypads.entry(n).or_default().press(key, &agent.phone.codes, now) {
            Keyed::Perhaps => Vec::new(),
            Keyed::Keys(keys) => keys,
            Keyed::Code(asked) => {
                let by = self.main_leg(n);
                self.tell(match asked {
                    Asked::ThreeWay => Input::ThreeWay { by },
                    Asked::Complete => Input::Complete { by },
                    Asked::Back => Input::EndConsultation { by },
                });
                Vec::new()
            }
        }
    }

    /// Early media of somebody outside is heard by whom waits for it, and by nobody else: no recording runs
    /// while a transfer or consultation is on its way.
    pub(super) fn on_early_media(&mut self, n: u16) {
        let outside = self.legs.get(&n).is_some_and(|leg| matches!(leg.party, Party::Outside(_)));
        let under_way = matches!(self.call.phase(), Phase::Transferring | Phase::Consulting);
        let Some(waiting) = self.asking().filter(|_| outside && under_way) else { return };
        if let Some(leg) = self.legs.get(&waiting)
            && let Some(sdp) = leg.answer.clone()
        {
            self.shared.send(Command::Ring { dialog: leg.dialog, sdp: Some(sdp) });
        }
        self.media.stop_play(waiting);
        self.media.bridge(waiting, n);
        self.moves.together = vec![waiting, n];
    }

    /// Connects legs' audio, seat by seat. The parties' own facts tell who speaks; that three or more do is told
    /// here. Supervisors come and go by facts of their own.
    pub(super) fn confer(&mut self, seats: &[Seat]) {
        let is_party = |n: &u16| !self.supervisors.contains_key(n);
        let parties: Vec<u16> = seats.iter().map(|seat| seat.leg).filter(is_party).collect();
        let before = self.moves.together.iter().copied().filter(is_party);
        if parties.len() > 2 && !before.eq(parties.iter().copied()) {
            let event = trail::conference(self.id, &parties, self.shared.clock.now());
            self.shared.keep(vec![Change::Audit(event)]);
        }
        self.media.join(seats);
        self.are_together(seats.iter().map(|seat| seat.leg).collect());
    }

    /// Connects two legs' audio.
    pub(super) fn join(&mut self, one: u16, other: u16) {
        self.media.bridge(one, other);
        self.are_together(vec![one, other]);
    }

    fn are_together(&mut self, legs: Vec<u16>) {
        let codecs: Vec<_> = legs.iter().filter_map(|n| self.legs.get(n)?.codec()).collect();
        if codecs.windows(2).any(|pair| pair[0] != pair[1]) {
            metrics::counter!("sayso_transcoded_total").increment(1);
        }
        self.moves.together = legs;
    }

    /// Tells every leg that understands it whether it is recorded now (RFC 7866): those that speak with the
    /// caller as the recording stands, the others that they are not.
    pub(super) fn tell_recording(&mut self) {
        let caller = self.call.caller().n;
        let now = match self.moves.together.contains(&caller) {
            true => uui::record_state(self.call.recording_state()),
            false => RecordState::Off,
        };
        for (n, leg) in &mut self.legs {
            let state = if self.moves.together.contains(n) { now } else { RecordState::Off };
            if leg.tell_record(state) {
                let (dialog, sdp) = (leg.dialog, leg.restate());
                self.shared.send(Command::Reinvite { dialog, sdp });
            }
        }
    }

    /// Counts a leg by what it speaks, and notes that one that may be sealed is not.
    pub(super) fn account_for(&mut self, n: u16) {
        let Some(leg) = self.legs.get(&n) else { return };
        let Some(spoken) = leg.spoken() else { return };
        let (codec, srtp) = (spoken.codec.word(), spoken.srtp.unwrap_or("none"));
        metrics::counter!("sayso_legs_total", "codec" => codec, "srtp" => srtp).increment(1);
        if leg.is_plain_by_choice() {
            let leg = LegId { call: self.id, n };
            self.shared.keep(vec![Change::Audit(trail::leg_in_the_open(leg, self.shared.clock.now()))]);
        }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("sayso_transfers_total", "outcome" => outcome).increment(1);
}

/// The status a NOTIFY tells (RFC 3515 §2.4.5).
const fn status_of(progress: Progress) -> u16 {
    match progress {
        Progress::Trying => 100,
        Progress::Ringing => 180,
        Progress::Done => 200,
        Progress::Failed(cause) => to_status(cause),
    }
}

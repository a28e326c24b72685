//! A leg as its driver sees it: its dialog, whose it is, and what offer and answer have agreed so far.

use std::net::IpAddr;

use bytes::Bytes;

use crate::engine::{CallMedia, EngineError, LocalMedia};
use crate::ids::{AgentId, TrunkId};
use crate::media::rtc::{Ours, Theirs};
use crate::media::{Codec, Direction, LegMedia};
use crate::settings::{Settings, SrtpPolicy};
use crate::sip::core::sdp::{self, Local, RecordState, SdpError, Terms};
use crate::sip::core::{DialogId, Incoming, Media};
use crate::time::Timestamp;

use super::phones::kind_of_caller;
use super::policy::Policy;

/// Whose leg it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// The caller's, by a trunk; without one it is a registered phone that calls a number of ours.
    Caller(Option<TrunkId>),
    /// An agent's phone.
    Agent(AgentId),
    /// Somebody's outside, by this trunk.
    Outside(TrunkId),
    /// A supervisor's phone.
    Supervisor,
}

/// What the engine has opened for a leg.
pub(super) struct Opened {
    pub(super) media: LocalMedia,
    /// Of a WebRTC leg.
    pub(super) rtc: Option<Ours>,
}

impl Opened {
    /// Opens media of this kind for leg `n`.
    pub(super) fn new(call: &mut CallMedia, n: u16, kind: Media) -> Result<Self, EngineError> {
        Ok(match kind {
            Media::Rtp => Self { media: call.add_leg(n)?, rtc: None },
            Media::Webrtc => {
                let (media, ours) = call.add_rtc_leg(n)?;
                Self { media, rtc: Some(ours) }
            }
        })
    }

    /// The same for a leg that calls in.
    pub(super) fn of_caller(
        call: &mut CallMedia,
        n: u16,
        incoming: &Incoming,
        settings: &Settings,
    ) -> Result<Self, EngineError> {
        let kind = match &incoming.sdp {
            Some(offer) if sdp::is_webrtc(offer) => Media::Webrtc,
            Some(_) => Media::Rtp,
            None => kind_of_caller(settings, &incoming.source, incoming.flow.transport),
        };
        Self::new(call, n, kind)
    }
}

/// Whether the phone of a leg is still there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Presence {
    /// When the connection it signals on closed.
    pub(super) unreachable: Option<Timestamp>,
    /// Whether it was heard at all.
    pub(super) heard: bool,
    /// Whether it sends nothing though it should.
    pub(super) silent: bool,
    /// When it will be taken for gone.
    pub(super) gone_at: Option<Timestamp>,
    /// The call was told that it is gone.
    pub(super) lost: bool,
}

/// One leg.
pub(super) struct Leg {
    pub(super) dialog: DialogId,
    pub(super) party: Party,
    /// Whether an ACK or our ACK has settled the dialog.
    pub(super) confirmed: bool,
    /// Whether this side holds us.
    pub(super) holding: bool,
    /// Whether it need not send anything: silence tells nothing of it.
    pub(super) mute: bool,
    /// Whether it understands `a=record` (RFC 7866).
    pub(super) record_aware: bool,
    /// The body of the 200 OK to its INVITE, until that is sent.
    pub(super) answer: Option<Bytes>,
    local: Local,
    policy: Policy,
    /// The description we sent last.
    sent: Option<Bytes>,
    /// What is spoken.
    spoken: Option<Spoken>,
    /// Our offer, while its answer is awaited.
    offered: Option<Bytes>,
    /// What we told it of the recording last.
    told: RecordState,
    /// The host its signalling comes from, once it is known.
    pub(super) signalled_from: Option<IpAddr>,
    /// Of a WebRTC leg: the peer's half, once agreed.
    theirs: Option<Box<Theirs>>,
    pub(super) presence: Presence,
}

/// What offer and answer agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) codec: Codec,
    /// The SRTP suite's name, or `DTLS`; `None`: plain RTP.
    pub(super) srtp: Option<&'static str>,
}

impl From<&LegMedia> for Spoken {
    fn from(media: &LegMedia) -> Self {
        let by_sdes = media.crypto.as_ref().map(|crypto| crypto.send.suite.name());
        let srtp = media.rtc.as_ref().map(|_| "DTLS").or(by_sdes);
        Self { codec: media.codec, srtp }
    }
}

impl Leg {
    pub(super) fn new(dialog: DialogId, party: Party, policy: Policy, opened: Opened) -> Self {
        let Opened { media: LocalMedia { rtp, rtcp }, rtc } = opened;
        let local = Local { rtp, rtcp, session_id: dialog.0, version: 0, rtc };
        Self {
            dialog,
            party,
            confirmed: false,
            holding: false,
            mute: false,
            record_aware: false,
            answer: None,
            local,
            policy,
            sent: None,
            spoken: None,
            offered: None,
            told: RecordState::Off,
            signalled_from: None,
            theirs: None,
            presence: Presence::default(),
        }
    }

    /// A leg that calls in, the body of its 200 OK prepared; with what was agreed, unless its offer is late. `first`
    /// is preferred of what may be spoken.
    pub(super) fn called(
        incoming: &Incoming,
        party: Party,
        policy: Policy,
        opened: Opened,
        first: Option<Codec>,
    ) -> Result<(Self, Option<LegMedia>), SdpError> {
        let mut leg = Self::new(incoming.dialog, party, policy, opened);
        leg.record_aware = incoming.record_aware;
        leg.signalled_from = Some(incoming.flow.remote.ip());
        let (answer, agreed) = match &incoming.sdp {
            None => (leg.offer(first), None),
            Some(offer) => leg.answer_with(offer, first).map(|(answer, agreed)| (answer, Some(agreed)))?,
        };
        leg.answer = Some(answer);
        Ok((leg, agreed))
    }

    /// Whose phone it is, if an agent's.
    pub(super) fn agent(&self) -> Option<&AgentId> {
        match &self.party {
            Party::Agent(agent) => Some(agent),
            Party::Caller(_) | Party::Outside(_) | Party::Supervisor => None,
        }
    }

    /// Whether it speaks WebRTC.
    pub(super) fn is_rtc(&self) -> bool {
        self.local.rtc.is_some()
    }

    /// Answers an offer in mid-call. One that restarts ICE is answered with `fresh` credentials of ours; refused, the
    /// former ones hold.
    pub(super) fn reanswer(
        &mut self,
        offer: &[u8],
        fresh: impl FnOnce() -> Option<Ours>,
    ) -> Result<(Bytes, LegMedia), SdpError> {
        let former = self.local.rtc.clone();
        let restarts = self.theirs.as_ref().is_some_and(|theirs| sdp::ice_restarts(offer, theirs));
        if restarts && let (Some(ours), Some(fresh)) = (&mut self.local.rtc, fresh()) {
            // The role is the handshake's, which goes on.
            *ours = Ours { role: ours.role, ..fresh };
        }
        let answered = self.answer(offer);
        if answered.is_err() {
            self.local.rtc = former;
        }
        answered
    }

    /// Answers an offer. In mid-call the codec in use is kept when the offer still has it.
    fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, LegMedia), SdpError> {
        self.answer_with(offer, None)
    }

    fn answer_with(&mut self, offer: &[u8], first: Option<Codec>) -> Result<(Bytes, LegMedia), SdpError> {
        self.local.version += 1;
        let codecs = self.codecs(first);
        let (answer, media) = self.on_terms(&codecs, |local, terms| sdp::answer(offer, local, terms))?;
        self.agreed(&media);
        self.sent = Some(answer.clone());
        Ok((answer, media))
    }

    /// Makes an offer, with `first` (or the codec in use) in front, so that the two legs of a call
    /// speak the same and nothing need be converted.
    pub(super) fn offer(&mut self, first: Option<Codec>) -> Bytes {
        self.offer_of(&self.codecs(first))
    }

    /// Offers the codec in use and no other: what is told by it is something else, and nothing else is to
    /// change.
    pub(super) fn restate(&mut self) -> Bytes {
        let in_use = self.codec().map_or_else(|| self.codecs(None), |codec| vec![codec]);
        self.offer_of(&in_use)
    }

    fn offer_of(&mut self, codecs: &[Codec]) -> Bytes {
        self.local.version += 1;
        let last = self.sent.take();
        let offer = self.on_terms(codecs, |local, terms| {
            let within = last.as_ref().and_then(|last| sdp::reoffer(last, local, terms).ok());
            within.unwrap_or_else(|| sdp::offer(local, terms))
        });
        self.offered = Some(offer.clone());
        self.sent = Some(offer.clone());
        offer
    }

    /// The description as it is, offered once more (RFC 4028 §7.4); `None` before there is one.
    pub(super) fn refresh(&mut self) -> Option<Bytes> {
        self.offered = self.sent.clone();
        self.sent.clone()
    }

    /// Reads an answer that may come again: in a provisional response (RFC 3261 §13.2.1). The offer stays open
    /// for the final one.
    pub(super) fn preview(&mut self, answer: &[u8]) -> Option<Result<LegMedia, SdpError>> {
        let offered = self.offered.clone();
        let media = self.accept(answer);
        self.offered = offered;
        media
    }

    /// Reads the answer to our offer; `None` when no offer of ours is open.
    pub(super) fn accept(&mut self, answer: &[u8]) -> Option<Result<LegMedia, SdpError>> {
        let offered = self.offered.take()?;
        let media =
            self.on_terms(&self.codecs(None), |local, terms| sdp::accept(answer, &offered, local, terms));
        if let Ok(media) = &media {
            self.agreed(media);
        }
        Some(media)
    }

    fn agreed(&mut self, media: &LegMedia) {
        self.spoken = Some(Spoken::from(media));
        self.mute = is_mute(media);
        if let (Some(ours), Some(theirs)) = (&mut self.local.rtc, &media.rtc) {
            ours.role = Some(theirs.role);
        }
        self.theirs.clone_from(&media.rtc);
    }

    /// No answer to our offer will come (any more): what was agreed before holds.
    pub(super) fn close_offer(&mut self) {
        self.offered = None;
    }

    /// Whether an offer of ours in mid-call waits for its answer.
    pub(super) fn is_offering(&self) -> bool {
        self.confirmed && self.offered.is_some()
    }

    /// What is to be told of the recording from now on; `true` when that is news to a peer that can be told
    /// by an offer.
    pub(super) fn tell_record(&mut self, state: RecordState) -> bool {
        let can = self.record_aware && self.confirmed;
        can && std::mem::replace(&mut self.told, state) != state
    }

    /// What is spoken.
    pub(super) fn spoken(&self) -> Option<Spoken> {
        self.spoken
    }

    /// The codec in use.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.spoken.map(|spoken| spoken.codec)
    }

    /// Whether it may be sealed and is not.
    pub(super) fn is_plain_by_choice(&self) -> bool {
        self.policy.srtp == SrtpPolicy::Optional && self.spoken.is_some_and(|spoken| spoken.srtp.is_none())
    }

    /// What may be spoken, `first` or the codec in use in front.
    fn codecs(&self, first: Option<Codec>) -> Vec<Codec> {
        let first = first.or(self.codec());
        let mut codecs = self.policy.codecs.clone();
        codecs.sort_by_key(|codec| Some(*codec) != first);
        codecs
    }

    fn on_terms<T>(&self, codecs: &[Codec], with: impl FnOnce(&Local, &Terms<'_>) -> T) -> T {
        // What was sealed once stays sealed.
        let sealed = self.local.rtc.is_none() && self.spoken.is_some_and(|spoken| spoken.srtp.is_some());
        let terms = Terms {
            codecs,
            direction: Direction::SendRecv,
            srtp: if sealed { SrtpPolicy::Required } else { self.policy.srtp },
            keys: &self.policy.keys,
            record: self.record_aware.then_some(self.told),
            comfort_noise: true,
            ptime: None,
            in_band_digits: self.policy.in_band_digits,
            signalled_from: self.signalled_from,
        };
        with(&self.local, &terms)
    }
}

/// Whether a peer whose answer or offer led to `media` has put us on hold (RFC 3264 §8.4).
pub(super) fn is_hold(media: &LegMedia) -> bool {
    match media.direction {
        Direction::SendRecv | Direction::SendOnly => false,
        Direction::RecvOnly | Direction::Inactive => true,
    }
}

/// Whether such a peer sends nothing. One that holds us with `sendonly`, as browsers do, goes on sending.
fn is_mute(media: &LegMedia) -> bool {
    match media.direction {
        Direction::SendRecv | Direction::RecvOnly => false,
        Direction::SendOnly | Direction::Inactive => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Redacted;
    use crate::media::rtc::{DtlsRole, Fingerprint, IceLogin};

    fn leg(codecs: &[Codec], srtp: SrtpPolicy) -> Leg {
        leg_of(codecs, srtp, None)
    }

    fn leg_of(codecs: &[Codec], srtp: SrtpPolicy, rtc: Option<Ours>) -> Leg {
        let address = |port| ([192, 0, 2, 1], port).into();
        let media = LocalMedia { rtp: address(4000), rtcp: address(4001) };
        let policy = Policy::new(codecs.to_vec(), srtp, false);
        Leg::new(DialogId(7), Party::Caller(None), policy, Opened { media, rtc })
    }

    fn login(ufrag: &str) -> Ours {
        let ice = IceLogin { ufrag: ufrag.to_owned(), password: Redacted("p".repeat(24)) };
        Ours { ice, fingerprint: Fingerprint([1; 32]), role: None }
    }

    fn text(sdp: &Bytes) -> String {
        String::from_utf8_lossy(sdp).into_owned()
    }

    const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n\
        m=audio 5000 RTP/AVP 8 9 0\r\na=sendrecv\r\n";

    #[test]
    fn the_other_leg_s_codec_goes_in_front() {
        let mut leg = leg(&[Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu], SrtpPolicy::Off);
        let offer = text(&leg.offer(Some(Codec::Pcmu)));
        let formats = offer.lines().find(|line| line.starts_with("m=audio")).expect("audio");
        assert_eq!(formats.split(' ').nth(3), Some("0"), "{formats}");
    }

    #[test]
    fn to_tell_of_the_recording_offers_what_is_in_use_alone() {
        let mut leg = leg(&[Codec::G722, Codec::Pcma], SrtpPolicy::Off);
        leg.record_aware = true;
        let (answer, media) = leg.answer(OFFER).expect("it fits");
        assert_eq!(media.codec, Codec::G722);
        assert!(text(&answer).contains("a=record:off"), "a first answer tells it");
        assert!(!leg.tell_record(RecordState::On), "not before the dialog is settled");
        leg.confirmed = true;
        assert!(leg.tell_record(RecordState::On) && !leg.tell_record(RecordState::On), "news once");
        let offer = text(&leg.restate());
        assert!(offer.contains("a=record:on") && !offer.contains("PCMA"), "{offer}");
        assert!(leg.is_offering());
        let first = leg.accept(&answer).expect("an offer is open");
        assert_eq!(first.expect("it fits").codec, Codec::G722);
        assert!(leg.accept(&answer).is_none() && !leg.is_offering());
    }

    #[test]
    fn an_early_answer_may_come_again() {
        let mut leg = leg(&[Codec::Pcma], SrtpPolicy::Off);
        let _offer = leg.offer(None);
        assert!(leg.preview(OFFER).is_some_and(|media| media.is_ok()));
        assert!(leg.accept(OFFER).is_some_and(|media| media.is_ok()), "the final answer counts");
    }

    #[test]
    fn a_refused_ice_restart_changes_nothing() {
        let rtc = |ufrag| leg_of(&[Codec::Pcma], SrtpPolicy::Off, Some(login(ufrag)));
        let (mut ours, offer) = (rtc("first"), text(&rtc("them").offer(None)));
        ours.answer(offer.as_bytes()).expect("it fits");
        let restart = offer.replace("ice-ufrag:them", "ice-ufrag:anew");
        let refused = restart.replace("a=rtcp-mux\r\n", "");
        assert!(ours.reanswer(refused.as_bytes(), || Some(login("second"))).is_err());
        assert!(text(&ours.offer(None)).contains("a=ice-ufrag:first\r\n"));
        ours.reanswer(offer.as_bytes(), || panic!("it is none")).expect("it fits");
        let (answer, _) = ours.reanswer(restart.as_bytes(), || Some(login("third"))).expect("it fits");
        assert!(text(&answer).contains("a=ice-ufrag:third\r\n"));
        assert_eq!(ours.local.rtc.and_then(|ours| ours.role), Some(DtlsRole::Passive));
    }

    #[test]
    fn who_holds_with_sendonly_is_still_to_be_heard() {
        for (direction, holds, mute) in [
            ("sendrecv", false, false),
            ("sendonly", true, false),
            ("inactive", true, true),
            ("recvonly", false, true),
        ] {
            let offer = String::from_utf8_lossy(OFFER).replace("sendrecv", direction);
            let mut leg = leg(&[Codec::Pcma], SrtpPolicy::Off);
            let (_, media) = leg.answer(offer.as_bytes()).expect("it fits");
            assert_eq!((is_hold(&media), leg.mute), (holds, mute), "{direction}");
        }
    }

    #[test]
    fn srtp_is_as_the_policy_says() {
        assert!(leg(&[Codec::Pcma], SrtpPolicy::Required).answer(OFFER).is_err());
        let mut plain = leg(&[Codec::Pcma], SrtpPolicy::Optional);
        plain.answer(OFFER).expect("plain will do");
        assert!(plain.is_plain_by_choice());
        let mut sealed = leg(&[Codec::Pcma], SrtpPolicy::Required);
        let (answer, media) = {
            let offer = leg(&[Codec::Pcma], SrtpPolicy::Required).offer(None);
            sealed.answer(&offer).expect("both can")
        };
        assert!(media.crypto.is_some() && text(&answer).contains("a=crypto:"));
        assert!(sealed.answer(OFFER).is_err(), "what was sealed stays sealed");
    }
}

//! A leg as its driver sees it: its dialog and what offer and answer have agreed so far.

use bytes::Bytes;

use crate::engine::LocalMedia;
use crate::ids::AgentId;
use crate::media::{Codec, Direction, LegMedia};
use crate::sip::core::DialogId;
use crate::sip::core::sdp::{self, Local, SdpError, Terms};

/// What we speak, in the order we like it best.
pub(super) const CODECS: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

/// One leg.
pub(super) struct Leg {
    pub(super) dialog: DialogId,
    /// Whose phone it is; `None`: the caller's.
    pub(super) agent: Option<AgentId>,
    /// Whether an ACK or our ACK has settled the dialog.
    pub(super) confirmed: bool,
    /// Whether this side holds us.
    pub(super) holding: bool,
    local: Local,
    /// The description we sent last.
    sent: Option<Bytes>,
    codec: Option<Codec>,
    /// What our offer named, while its answer is awaited.
    offered: Option<Vec<Codec>>,
}

impl Leg {
    pub(super) fn new(dialog: DialogId, agent: Option<AgentId>, media: &LocalMedia) -> Self {
        let local = Local { rtp: media.rtp, rtcp: media.rtcp, session_id: dialog.0, version: 0 };
        Self {
            dialog,
            agent,
            confirmed: false,
            holding: false,
            local,
            sent: None,
            codec: None,
            offered: None,
        }
    }

    /// Answers an offer. In mid-call the codec in use is kept when the offer still has it.
    pub(super) fn answer(&mut self, offer: &[u8]) -> Result<(Bytes, LegMedia), SdpError> {
        self.local.version += 1;
        let (answer, media) = sdp::answer(offer, &self.local, &terms(&self.codecs(self.codec)))?;
        self.codec = Some(media.codec);
        self.sent = Some(answer.clone());
        Ok((answer, media))
    }

    /// Makes an offer, with `first` (or the codec in use) in front, so that the two legs of a call
    /// speak the same and nothing need be converted.
    pub(super) fn offer(&mut self, first: Option<Codec>) -> Bytes {
        self.local.version += 1;
        let codecs = self.codecs(first.or(self.codec));
        let within = |last: &Bytes| sdp::reoffer(last, &self.local, &terms(&codecs)).ok();
        let offer = self.sent.as_ref().and_then(within);
        let offer = offer.unwrap_or_else(|| sdp::offer(&self.local, &terms(&codecs)));
        self.offered = Some(codecs);
        self.sent = Some(offer.clone());
        offer
    }

    /// Reads the answer to our offer; `None` when no offer of ours is open.
    pub(super) fn accept(&mut self, answer: &[u8]) -> Option<Result<LegMedia, SdpError>> {
        let offered = self.offered.take()?;
        let media = sdp::accept(answer, self.sent.as_ref()?, &self.local, &terms(&offered));
        if let Ok(media) = &media {
            self.codec = Some(media.codec);
        }
        Some(media)
    }

    /// The codec in use.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.codec
    }

    fn codecs(&self, first: Option<Codec>) -> Vec<Codec> {
        let mut codecs = CODECS.to_vec();
        codecs.sort_by_key(|codec| Some(*codec) != first);
        codecs
    }
}

/// Plain audio with these codecs.
fn terms(codecs: &[Codec]) -> Terms<'_> {
    Terms { codecs, ..Terms::default() }
}

/// Whether a peer whose answer or offer led to `media` has put us on hold (RFC 3264 §8.4).
pub(super) fn is_hold(media: &LegMedia) -> bool {
    match media.direction {
        Direction::SendRecv | Direction::SendOnly => false,
        Direction::RecvOnly | Direction::Inactive => true,
    }
}

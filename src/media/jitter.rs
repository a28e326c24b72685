//! The adaptive jitter buffer of a leg that is decoded: takes packets as they come, gives them in order and
//! in time. It is pulled: whoever plays asks for the next piece when it needs one. Virtual time only.

use super::rtp::Header;
use crate::time::Timestamp;

/// What a packet of the stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Audio, of so many ticks of the RTP clock (see [`ticks`](super::codec::ticks)).
    Audio {
        /// More than zero, at most 200 ms.
        ticks: u32,
    },
    /// Comfort noise (RFC 3389).
    Noise,
    /// A telephone-event or the like: keeps the sequence whole and means silence.
    Event,
}

/// The next piece to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Decode and play it.
    Audio {
        /// Says which codec.
        payload_type: u8,
        /// The packet's payload.
        payload: &'a [u8],
    },
    /// Decode it to keep the decoder in step and throw the samples away: the buffer is too deep. Ask again.
    Surplus {
        /// Says which codec.
        payload_type: u8,
        /// The packet's payload.
        payload: &'a [u8],
    },
    /// A packet is missing, or the buffer is too shallow: conceal so many ticks.
    Lost {
        /// Of the RTP clock.
        ticks: u32,
        /// The packet that follows the lost one, when it is here: its forward error correction may help.
        next: Option<&'a [u8]>,
    },
    /// The sender pauses: play comfort noise.
    Noise {
        /// A new description of it (RFC 3389), if one came.
        payload: Option<&'a [u8]>,
    },
    /// Nothing is playing: silence.
    Empty,
}

/// What became of the packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitterStats {
    /// Audio packets played.
    pub played: u64,
    /// Packets that had not come when their turn was over.
    pub lost: u64,
    /// Those of `lost` that came later, to no use.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets thrown away because the buffer was too deep.
    pub dropped: u64,
    /// Packets that were never put in: too long, without audio, or out of any sequence.
    pub refused: u64,
    /// Microseconds of concealment asked for.
    pub concealed_us: u64,
    /// The depth wanted at present, in microseconds.
    pub target_us: u64,
    /// The depth at present: how long the fastest packets wait before they are played, in microseconds.
    pub depth_us: u64,
}

/// The buffer. One a leg.
pub struct JitterBuffer {
    clock: u32,
    stats: JitterStats,
}

impl JitterBuffer {
    /// Empty, for a stream whose timestamps run at `clock` ticks per second ([`Codec::clock`](super::Codec::clock)).
    #[must_use]
    pub fn new(clock: u32) -> Self {
        Self { clock, stats: JitterStats::default() }
    }

    /// A packet of the stream came at `arrival`.
    pub fn put(&mut self, header: &Header, content: Content, payload: &[u8], arrival: Timestamp) {
        let _ = (header, content, payload, arrival, self.clock);
    }

    /// The next piece, to be heard at `now`. `quiet`: what was played last is so faint that a piece more or
    /// less goes unheard.
    pub fn take(&mut self, now: Timestamp, quiet: bool) -> Frame<'_> {
        let _ = (now, quiet);
        Frame::Empty
    }

    /// When the next piece is due; `None` while there is nothing to play but silence or noise.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Its figures.
    #[must_use]
    pub fn stats(&self) -> JitterStats {
        self.stats
    }
}

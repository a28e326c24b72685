//! The recorder tap: puts both legs of a call on one timeline (8 kHz samples since the start;
//! channel 0 caller, channel 1 agent) and hands it on in chunks that are always equally long on
//! both channels. What never came, was paused or had no room is silence, and is marked.

use serde::{Deserialize, Serialize};

use crate::consent::RecordingPermit;
use crate::media::Codec;
use crate::time::Timestamp;

/// A channel of the stereo recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// Channel 0.
    Caller,
    /// Channel 1.
    Agent,
}

/// A finished stretch of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its first sample, counted per channel since the recording's start.
    pub start: u64,
    /// Interleaved stereo (caller, agent, caller, ...), 8 kHz.
    pub samples: Vec<i16>,
}

/// Why a stretch of a recording is silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// Recording was paused (domain rule 7).
    Paused,
    /// A party was on hold (domain rule 9).
    Hold,
    /// No packet brought it in time.
    Lost,
    /// The vault could not keep up.
    Backlog,
}

/// A stretch of silence that nobody spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Gap {
    /// First sample, counted per channel since the recording's start.
    pub start: u64,
    /// Samples per channel.
    pub len: u64,
    /// Why.
    pub why: Missing,
    /// On which channel; `None`: both.
    pub channel: Option<Channel>,
}

/// How a recording ended, for its sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Length of each channel, in samples.
    pub samples: u64,
    /// The marked gaps, by start.
    pub gaps: Vec<Gap>,
    /// Silent samples, both channels together, in gaps too short or too many to be listed.
    pub unlisted: u64,
}

/// Where chunks go. Called on a media worker: it never blocks.
pub trait ChunkSink: Send {
    /// An empty buffer for the next chunk, recycled if there is one.
    fn buffer(&mut self) -> Vec<i16>;

    /// Takes a chunk. Chunks come in order of `start`; where one begins later than the last ended,
    /// silence belongs in between.
    ///
    /// # Errors
    /// Gives the chunk back when there is no room for it.
    fn put(&mut self, chunk: Chunk) -> Result<(), Chunk>;

    /// Nothing more comes. Silence belongs between the last chunk's end and `end.samples`.
    fn finish(self: Box<Self>, end: End);
}

/// Records one call. Drive it with [`Tap::push`] for every audio packet relayed and with
/// [`Tap::handle_timeout`] at the time [`Tap::poll_timeout`] names.
pub struct Tap {
    permit: RecordingPermit,
    sink: Box<dyn ChunkSink>,
    start: Timestamp,
}

impl Tap {
    /// Begins at `start`; what arrived earlier is not recorded.
    #[must_use]
    pub fn new(permit: RecordingPermit, sink: Box<dyn ChunkSink>, start: Timestamp) -> Self {
        Self { permit, sink, start }
    }

    /// The permit it records under.
    #[must_use]
    pub fn permit(&self) -> &RecordingPermit {
        &self.permit
    }

    /// Takes the payload of an audio packet that came from `channel`'s leg at `arrival`.
    pub fn push(
        &mut self,
        channel: Channel,
        ssrc: u32,
        rtp_timestamp: u32,
        codec: Codec,
        payload: &[u8],
        arrival: Timestamp,
    ) {
        let _ = (channel, ssrc, rtp_timestamp, codec, payload, arrival);
    }

    /// Silence from `now` on both channels (`true`), or sound again.
    pub fn pause(&mut self, on: bool, now: Timestamp) {
        let _ = (on, now);
    }

    /// The same, because a party is on hold. Independent of [`Tap::pause`].
    pub fn hold(&mut self, on: bool, now: Timestamp) {
        let _ = (on, now);
    }

    /// When to call [`Tap::handle_timeout`]: the next chunk is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Timestamp {
        self.start
    }

    /// Hands off every chunk that is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        let _ = now;
    }

    /// Hands off the rest and tells the sink.
    pub fn finish(self, now: Timestamp) {
        let _ = now;
        self.sink.finish(End::default());
    }
}

//! The stretch of timeline that may still change: packets are written where they belong, in any
//! order, and leave at the front when the hold is over.

use super::gaps::Gaps;
use super::{Channel, Missing};
use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};

/// 512 ms: hold and chunk (200 ms) behind now, and 300 ms ahead for bursts. 16 KiB a call.
pub(super) const CAPACITY: u64 = 4_096;
/// Marks a sample that nothing was written to. G.711 never decodes to it (checked below), so
/// audio needs no second table of what is filled.
pub(super) const EMPTY: i16 = i16::MIN;
/// Frames (10 ms) taken at a time: where nothing is empty, and that is nearly always so while both
/// speak, they are copied as they are.
const BLOCK: u64 = 80;

pub(super) struct Ring {
    frames: Box<[[i16; 2]]>,
    first: u64,
}

impl Ring {
    pub(super) fn new() -> Self {
        Self { frames: vec![[EMPTY; 2]; CAPACITY as usize].into_boxed_slice(), first: 0 }
    }

    /// The first sample still here: all before it was taken.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// Decodes `payload`, a sample an item, to `at`. What lies outside the ring is dropped; what is already
    /// there stays, so duplicates and overlaps do no harm.
    #[inline]
    pub(super) fn write<T: Copy>(
        &mut self,
        channel: Channel,
        at: i64,
        payload: &[T],
        decode: impl Fn(T) -> i16,
    ) {
        let first = self.first as i64;
        let skip = usize::try_from(first - at).unwrap_or(0).min(payload.len());
        let at = at.max(first);
        let room = usize::try_from(first + CAPACITY as i64 - at).unwrap_or(0);
        let channel = channel.index();
        let payload = &payload[skip..];
        let payload = &payload[..payload.len().min(room)];
        let (near, far) = self.frames.split_at_mut(slot(at as u64));
        // Up to the ring's end, then from its beginning.
        for (frame, item) in far.iter_mut().chain(near).zip(payload) {
            if frame[channel] == EMPTY {
                frame[channel] = decode(*item);
            }
        }
    }

    /// Silence where nothing came between `from` and `to`: nothing was sent there.
    pub(super) fn hush(&mut self, channel: Channel, from: i64, to: i64) {
        let first = self.first as i64;
        for at in from.max(first)..to.min(first + CAPACITY as i64) {
            let sample = &mut self.frames[slot(at as u64)][channel.index()];
            if *sample == EMPTY {
                *sample = 0;
            }
        }
    }

    /// Moves `len` frames to `out`; silence and a mark where nothing came.
    pub(super) fn take(&mut self, len: u64, out: &mut Vec<i16>, gaps: &mut Gaps) {
        let end = self.first + len;
        while self.first < end {
            let from = slot(self.first);
            let len = BLOCK.min(end - self.first).min(CAPACITY - from as u64);
            let block = &mut self.frames[from..from + len as usize];
            if block.as_flattened().contains(&EMPTY) {
                mark_runs(block, self.first, gaps);
                out.extend(
                    block.as_flattened().iter().map(|sample| if *sample == EMPTY { 0 } else { *sample }),
                );
            } else {
                out.extend_from_slice(block.as_flattened());
            }
            block.fill([EMPTY; 2]);
            self.first += len;
        }
    }

    /// Drops `len` frames and puts silence to `out`.
    pub(super) fn blank(&mut self, len: u64, out: &mut Vec<i16>) {
        for at in self.first..self.first + len {
            self.frames[slot(at)] = [EMPTY; 2];
        }
        out.resize(out.len() + len as usize * 2, 0);
        self.first += len;
    }
}

/// Marks the empty runs of `block`, which begins at `start`; touching marks join.
fn mark_runs(block: &[[i16; 2]], start: u64, gaps: &mut Gaps) {
    for channel in [Channel::Caller, Channel::Agent] {
        let empty = |frame: &&[i16; 2]| frame[channel.index()] == EMPTY;
        let mut at = 0;
        while at < block.len() {
            at += block[at..].iter().take_while(|frame| !empty(frame)).count();
            let run = block[at..].iter().take_while(empty).count();
            if run > 0 {
                gaps.add(start + at as u64, run as u64, Missing::Lost, Some(channel));
            }
            at += run;
        }
    }
}

const fn slot(at: u64) -> usize {
    (at % CAPACITY) as usize
}

const _: () = {
    let mut octet = 0;
    while octet < 256 {
        assert!(ALAW_TO_PCM[octet] != EMPTY && ULAW_TO_PCM[octet] != EMPTY);
        octet += 1;
    }
};

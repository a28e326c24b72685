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
/// Samples (10 ms) taken at a time: where nothing is empty, and that is nearly always so while both
/// speak, none is looked at by itself.
const BLOCK: u64 = 80;

pub(super) struct Ring {
    /// A plane for each channel: a packet lies in one piece, and is written without a look at each sample.
    planes: [Box<[i16]>; 2],
    first: u64,
}

impl Ring {
    pub(super) fn new() -> Self {
        let plane = || vec![EMPTY; CAPACITY as usize].into_boxed_slice();
        Self { planes: [plane(), plane()], first: 0 }
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
        let payload = &payload[skip..];
        let payload = &payload[..payload.len().min(room)];
        let (near, far) = self.planes[channel.index()].split_at_mut(slot(at as u64));
        // Up to the ring's end, then from its beginning.
        let (before, behind) = payload.split_at(payload.len().min(far.len()));
        fill(&mut far[..before.len()], before, &decode);
        fill(&mut near[..behind.len()], behind, &decode);
    }

    /// Silence where nothing came between `from` and `to`: nothing was sent there.
    pub(super) fn hush(&mut self, channel: Channel, from: i64, to: i64) {
        let first = self.first as i64;
        for at in from.max(first)..to.min(first + CAPACITY as i64) {
            let sample = &mut self.planes[channel.index()][slot(at as u64)];
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
            let [caller, agent] = self.planes.each_mut().map(|plane| &mut plane[from..from + len as usize]);
            if any_empty(caller) || any_empty(agent) {
                mark_runs(caller, Channel::Caller, self.first, gaps);
                mark_runs(agent, Channel::Agent, self.first, gaps);
            }
            let done = out.len();
            out.resize(done + caller.len() * 2, 0);
            let (frames, _) = out[done..].as_chunks_mut();
            for ((frame, caller), agent) in frames.iter_mut().zip(&*caller).zip(&*agent) {
                *frame = [audible(*caller), audible(*agent)];
            }
            caller.fill(EMPTY);
            agent.fill(EMPTY);
            self.first += len;
        }
    }

    /// Drops `len` frames and puts silence to `out`.
    pub(super) fn blank(&mut self, len: u64, out: &mut Vec<i16>) {
        for at in self.first..self.first + len {
            for plane in &mut self.planes {
                plane[slot(at)] = EMPTY;
            }
        }
        out.resize(out.len() + len as usize * 2, 0);
        self.first += len;
    }
}

/// Decodes `payload` to where nothing is yet.
#[inline]
fn fill<T: Copy>(place: &mut [i16], payload: &[T], decode: impl Fn(T) -> i16) {
    // Packet after packet: nearly always nothing is there.
    if all_empty(place) {
        place.iter_mut().zip(payload).for_each(|(sample, item)| *sample = decode(*item));
        return;
    }
    for (sample, item) in place.iter_mut().zip(payload) {
        if *sample == EMPTY {
            *sample = decode(*item);
        }
    }
}

/// Without a way out at the first that is not: several are compared at once then.
fn all_empty(samples: &[i16]) -> bool {
    samples.iter().fold(true, |all, sample| all & (*sample == EMPTY))
}

fn any_empty(samples: &[i16]) -> bool {
    samples.iter().fold(false, |any, sample| any | (*sample == EMPTY))
}

/// Silence where nothing came.
fn audible(sample: i16) -> i16 {
    if sample == EMPTY { 0 } else { sample }
}

/// Marks the empty runs of `block`, which begins at `start`; touching marks join.
fn mark_runs(block: &[i16], channel: Channel, start: u64, gaps: &mut Gaps) {
    let empty = |sample: &&i16| **sample == EMPTY;
    let mut at = 0;
    while at < block.len() {
        at += block[at..].iter().take_while(|sample| !empty(sample)).count();
        let run = block[at..].iter().take_while(empty).count();
        if run > 0 {
            gaps.add(start + at as u64, run as u64, Missing::Lost, Some(channel));
        }
        at += run;
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

//! The stretch of timeline that may still change: packets are written where they belong, in any
//! order, and leave at the front when the hold is over.

use super::gaps::Gaps;
use super::{Channel, Missing};
use crate::media::g711::{ALAW_TO_PCM, ULAW_TO_PCM};

/// 512 ms: hold and chunk (200 ms) behind now, and 300 ms ahead for bursts. 16 KiB a call.
pub(super) const CAPACITY: u64 = 4_096;
/// Marks a sample that nothing was written to. G.711 never decodes to it (checked below), so
/// audio needs no second table of what is filled.
const EMPTY: i16 = i16::MIN;

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

    /// Decodes `payload` to `at`. What lies outside the ring is dropped; what is already there
    /// stays, so duplicates and overlaps do no harm.
    pub(super) fn write(&mut self, channel: Channel, at: i64, table: &[i16; 256], payload: &[u8]) {
        let first = self.first as i64;
        let skip = usize::try_from(first - at).unwrap_or(0).min(payload.len());
        let at = at.max(first);
        let room = usize::try_from(first + CAPACITY as i64 - at).unwrap_or(0);
        let channel = channel.index();
        for (n, octet) in payload[skip..].iter().take(room).enumerate() {
            let sample = &mut self.frames[slot(at as u64 + n as u64)][channel];
            if *sample == EMPTY {
                *sample = table[usize::from(*octet)];
            }
        }
    }

    /// Moves `len` frames to `out`; silence and a mark where nothing came.
    pub(super) fn take(&mut self, len: u64, out: &mut Vec<i16>, gaps: &mut Gaps) {
        let mut runs = [0u64; 2];
        for at in self.first..self.first + len {
            let frame = std::mem::replace(&mut self.frames[slot(at)], [EMPTY; 2]);
            for channel in [Channel::Caller, Channel::Agent] {
                let (sample, run) = (frame[channel.index()], &mut runs[channel.index()]);
                if sample == EMPTY {
                    *run += 1;
                    out.push(0);
                } else {
                    end_run(run, at, channel, gaps);
                    out.push(sample);
                }
            }
        }
        self.first += len;
        for channel in [Channel::Caller, Channel::Agent] {
            end_run(&mut runs[channel.index()], self.first, channel, gaps);
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

fn end_run(run: &mut u64, end: u64, channel: Channel, gaps: &mut Gaps) {
    if *run > 0 {
        gaps.add(end - *run, *run, Missing::Lost, Some(channel));
        *run = 0;
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

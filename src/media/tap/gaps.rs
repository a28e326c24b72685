//! The marks a recording carries for its silent stretches: joined where they touch, bounded in
//! number, so that a bad network cannot make them grow without end.

use super::{Channel, Gap, Missing};

/// Silences shorter than this (10 ms) are counted but not listed: the wait for the first packet and
/// drift corrections make them, and half a packet is the least that can truly be lost.
const MIN_LISTED: u64 = 80;
/// Most marks of lost packets, and most marks of all. The metadata chunk must hold them (17 bytes
/// each in 64 KiB); past the bound they are counted in [`super::End::unlisted`].
const MAX_LOST: usize = 2_000;
const MAX_LISTED: usize = 3_000;
/// Room made at the start, so that an ordinary call allocates nothing later.
const USUAL: usize = 32;

pub(super) struct Gaps {
    listed: Vec<Gap>,
    /// The mark that may still grow: caller's, agent's, both channels'.
    open: [Option<Gap>; 3],
    lost: usize,
    unlisted: u64,
}

/// A state of [`Gaps`] to go back to.
pub(super) struct Mark {
    listed: usize,
    open: [Option<Gap>; 3],
    lost: usize,
    unlisted: u64,
}

impl Gaps {
    pub(super) fn new() -> Self {
        Self { listed: Vec::with_capacity(USUAL), open: [None; 3], lost: 0, unlisted: 0 }
    }

    pub(super) fn add(&mut self, start: u64, len: u64, why: Missing, channel: Option<Channel>) {
        let slot = channel.map_or(2, Channel::index);
        match &mut self.open[slot] {
            Some(gap) if gap.why == why && gap.start + gap.len == start => gap.len += len,
            Some(_) | None => {
                if let Some(done) = self.open[slot].replace(Gap { start, len, why, channel }) {
                    self.close(done);
                }
            }
        }
    }

    /// What was marked as lost on `channel` from `from` up to `end` was never sent.
    pub(super) fn forgive(&mut self, channel: Channel, from: u64, end: u64) {
        let open = &mut self.open[channel.index()];
        if let Some(gap) = open.filter(|gap| gap.why == Missing::Lost && gap.start + gap.len == end) {
            let len = gap.len.min(from.saturating_sub(gap.start));
            *open = (len > 0).then_some(Gap { len, ..gap });
        }
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { listed: self.listed.len(), open: self.open, lost: self.lost, unlisted: self.unlisted }
    }

    /// Forgets what was added since `mark` was taken.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.listed.truncate(mark.listed);
        self.open = mark.open;
        self.lost = mark.lost;
        self.unlisted = mark.unlisted;
    }

    /// The listed gaps by start, and the silent samples that are not listed.
    pub(super) fn finish(mut self) -> (Vec<Gap>, u64) {
        for slot in 0..self.open.len() {
            if let Some(gap) = self.open[slot].take() {
                self.close(gap);
            }
        }
        self.listed.sort_by_key(|gap| (gap.start, gap.channel.map_or(2, Channel::index)));
        (self.listed, self.unlisted)
    }

    fn close(&mut self, gap: Gap) {
        let lost = gap.why == Missing::Lost;
        let room = self.listed.len() < MAX_LISTED && !(lost && self.lost >= MAX_LOST);
        if room && !(lost && gap.len < MIN_LISTED) {
            self.lost += usize::from(lost);
            self.listed.push(gap);
        } else {
            self.unlisted += gap.len * if gap.channel.is_some() { 1 } else { 2 };
        }
    }
}

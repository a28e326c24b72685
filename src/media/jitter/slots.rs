//! The packets in the buffer: a ring by sequence number that keeps its memory.

use super::Content;

/// Packets at most: 64 of 10 ms are more than the longest depth; also the bits of a `u64`.
pub(super) const SLOTS: i64 = 64;

/// One packet.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) seq: i64,
    /// Where it belongs on the timeline, in ticks.
    pub(super) time: i64,
    pub(super) content: Content,
    pub(super) payload_type: u8,
    pub(super) payload: Vec<u8>,
}

/// What became of a sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is new and its turn is to come.
    New,
    /// Its turn is over, and it had not come.
    Late,
    /// It came before.
    Twice,
}

#[derive(Clone, Debug)]
pub(super) struct Slots {
    ring: Vec<Slot>,
    /// Bit `seq % 64`: the slot holds a packet.
    present: u64,
    /// The first sequence number whose turn is not over.
    floor: i64,
    /// Bit n: `floor - 1 - n` had come when its turn was over, or came since.
    past: u64,
}

impl Slots {
    pub(super) fn new() -> Self {
        let empty = Slot { seq: 0, time: 0, content: Content::Event, payload_type: 0, payload: Vec::new() };
        Self { ring: vec![empty; SLOTS as usize], present: 0, floor: 0, past: 0 }
    }

    pub(super) fn floor(&self) -> i64 {
        self.floor
    }

    pub(super) fn len(&self) -> u32 {
        self.present.count_ones()
    }

    /// The slot of a sequence number; only what [`first`](Self::first) named holds a packet.
    pub(super) fn slot(&self, seq: i64) -> &Slot {
        &self.ring[index(seq)]
    }

    /// What is known of `seq`; a late one is remembered as come.
    pub(super) fn see(&mut self, seq: i64) -> Seen {
        if seq >= self.floor {
            let twice = self.present >> index(seq) & 1 == 1 && self.slot(seq).seq == seq;
            return if twice { Seen::Twice } else { Seen::New };
        }
        let back = self.floor - 1 - seq;
        if back >= SLOTS {
            return Seen::Late;
        }
        let twice = self.past >> back & 1 == 1;
        self.past |= 1 << back;
        if twice { Seen::Twice } else { Seen::Late }
    }

    /// Puts a packet in. Its number must lie in the 64 from the floor on.
    pub(super) fn insert(&mut self, seq: i64, time: i64, content: Content, payload_type: u8, payload: &[u8]) {
        debug_assert!((self.floor..self.floor + SLOTS).contains(&seq));
        let slot = &mut self.ring[index(seq)];
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
        (slot.seq, slot.time, slot.content, slot.payload_type) = (seq, time, content, payload_type);
        self.present |= 1 << index(seq);
    }

    /// The lowest number present.
    pub(super) fn first(&self) -> Option<i64> {
        let ahead = self.present.rotate_right(index(self.floor) as u32);
        (ahead != 0).then(|| self.floor + i64::from(ahead.trailing_zeros()))
    }

    /// The turn of all below `floor` is over. Their memory stays readable until something is put in.
    pub(super) fn pass(&mut self, floor: i64) {
        while self.floor < floor && self.floor + 2 * SLOTS >= floor {
            let bit = 1 << index(self.floor);
            self.past = self.past << 1 | u64::from(self.present & bit != 0);
            self.present &= !bit;
            self.floor += 1;
        }
        if self.floor < floor {
            (self.present, self.past, self.floor) = (0, 0, floor);
        }
    }
}

fn index(seq: i64) -> usize {
    seq.rem_euclid(SLOTS) as usize
}

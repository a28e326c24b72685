//! Packet numbers, per SSRC: the roll-over counter that RTP does not carry (RFC 3711 §3.3.1), and
//! which numbers were used (§3.3.2).

use super::SrtpError;

/// How late a packet may be, in packets (RFC 3711 §3.3.2).
pub(super) const WINDOW: u64 = 64;
/// SSRCs a key serves at most: a peer that begins a new one for each prompt may have many, but not
/// without end. Only sealed packets make one, so no stranger can.
pub(super) const MOST: usize = 256;
/// RTP packets of an SSRC at most: a roll-over counter of 32 bits before a sequence number of 16.
const RTP_END: u64 = 1 << 48;
/// RTCP packets at most.
const RTCP_END: u64 = 1 << 31;

/// A packet's place: which source it is of, if that is known, and its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) ssrc: u32,
    /// Counts the source's packets from its first, all 48 (RTCP: 31) bits of it.
    pub(super) index: u64,
    known: Option<usize>,
}

/// The sources seen so far. Grows with a new source, never with a packet.
#[derive(Default)]
pub(super) struct Sources {
    all: Vec<Source>,
    /// The one seen last: as a rule there is no other.
    last: usize,
}

struct Source {
    ssrc: u32,
    highest: u64,
    /// Bit n: `highest - n` was used.
    used: u64,
}

impl Sources {
    /// Where an RTP packet stands, if its number was not used yet.
    pub(super) fn place_rtp(&self, ssrc: u32, sequence: u16) -> Result<Place, SrtpError> {
        let Some(known) = self.find(ssrc) else { return self.place_first(ssrc, u64::from(sequence)) };
        let source = &self.all[known];
        let index = guess(source.highest, sequence).ok_or(SrtpError::TooLate)?;
        source.check(index, RTP_END)?;
        Ok(Place { ssrc, index, known: Some(known) })
    }

    /// Where an RTCP packet stands that says its index itself.
    pub(super) fn place_rtcp(&self, ssrc: u32, index: u32) -> Result<Place, SrtpError> {
        let index = u64::from(index);
        let Some(known) = self.find(ssrc) else { return self.place_first(ssrc, index) };
        self.all[known].check(index, RTCP_END)?;
        Ok(Place { ssrc, index, known: Some(known) })
    }

    /// Where the next RTCP packet of ours stands.
    pub(super) fn next_rtcp(&self, ssrc: u32) -> Result<Place, SrtpError> {
        let Some(known) = self.find(ssrc) else { return self.place_first(ssrc, 0) };
        let index = self.all[known].highest + 1;
        self.all[known].check(index, RTCP_END)?;
        Ok(Place { ssrc, index, known: Some(known) })
    }

    /// The packet that was placed is real: its number is used now.
    pub(super) fn keep(&mut self, place: Place) {
        let Place { ssrc, index, known } = place;
        self.last = known.unwrap_or(self.all.len());
        match known {
            Some(known) => self.all[known].keep(index),
            None => self.all.push(Source { ssrc, highest: index, used: 1 }),
        }
    }

    fn place_first(&self, ssrc: u32, index: u64) -> Result<Place, SrtpError> {
        if self.all.len() < MOST {
            Ok(Place { ssrc, index, known: None })
        } else {
            Err(SrtpError::TooManySources)
        }
    }

    fn find(&self, ssrc: u32) -> Option<usize> {
        match self.all.get(self.last) {
            Some(last) if last.ssrc == ssrc => Some(self.last),
            Some(_) | None => self.all.iter().position(|source| source.ssrc == ssrc),
        }
    }
}

impl Source {
    fn check(&self, index: u64, end: u64) -> Result<(), SrtpError> {
        if index >= end {
            return Err(SrtpError::KeyUsedUp);
        }
        match self.highest.checked_sub(index) {
            None => Ok(()),
            Some(late) if late >= WINDOW => Err(SrtpError::TooLate),
            Some(late) if self.used >> late & 1 == 1 => Err(SrtpError::Replayed),
            Some(_) => Ok(()),
        }
    }

    fn keep(&mut self, index: u64) {
        if index > self.highest {
            let ahead = index - self.highest;
            self.used = if ahead < WINDOW { self.used << ahead | 1 } else { 1 };
            self.highest = index;
        } else {
            self.used |= 1 << (self.highest - index).min(WINDOW - 1);
        }
    }
}

/// The number whose low 16 bits are `sequence` and that is nearest to `highest` (RFC 3711 §3.3.1,
/// appendix A); `None` when that lies before the first roll-over.
fn guess(highest: u64, sequence: u16) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are what is compared")]
    let (roll_over, last) = (highest >> 16, highest as u16);
    let sequence_number = u64::from(sequence);
    let roll_over = if last < 0x8000 {
        if i32::from(sequence) - i32::from(last) > 0x8000 { roll_over.checked_sub(1)? } else { roll_over }
    } else if i32::from(last) - 0x8000 > i32::from(sequence) {
        roll_over + 1
    } else {
        roll_over
    };
    Some(roll_over << 16 | sequence_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_roll_over_counter_is_guessed_both_ways() {
        assert_eq!(guess(0, 1), Some(1));
        assert_eq!(guess(100, 99), Some(99));
        assert_eq!(guess(0xFFFF, 0), Some(0x1_0000));
        assert_eq!(guess(0x1_0000, 0xFFFF), Some(0xFFFF));
        assert_eq!(guess(3, 0xFFFF), None, "before the first packet there is none");
        assert_eq!(guess(0x5_8001, 0), Some(0x6_0000));
        assert_eq!(guess(0x5_8000, 0), Some(0x5_0000));
        assert_eq!(guess(0x5_7FFF, 0xFFFF), Some(0x5_FFFF));
        assert_eq!(guess(0x5_7FFE, 0xFFFF), Some(0x4_FFFF));
    }

    #[test]
    fn a_key_ends() {
        let mut sources = Sources::default();
        sources.all.push(Source { ssrc: 1, highest: RTP_END - 2, used: 1 });
        let place = sources.place_rtp(1, 0xFFFF).unwrap();
        sources.keep(place);
        assert_eq!(sources.place_rtp(1, 0).unwrap_err(), SrtpError::KeyUsedUp);
        let mut sources = Sources::default();
        sources.all.push(Source { ssrc: 1, highest: RTCP_END - 2, used: 1 });
        let place = sources.next_rtcp(1).unwrap();
        assert_eq!(place.index, RTCP_END - 1);
        sources.keep(place);
        assert_eq!(sources.next_rtcp(1).unwrap_err(), SrtpError::KeyUsedUp);
    }

    #[test]
    fn sources_are_bounded() {
        let mut sources = Sources::default();
        for ssrc in 0..u32::try_from(MOST).unwrap() {
            let place = sources.place_rtp(ssrc, 1).unwrap();
            sources.keep(place);
        }
        assert_eq!(sources.place_rtp(u32::MAX, 1).unwrap_err(), SrtpError::TooManySources);
        assert_eq!(sources.place_rtp(0, 2).unwrap().index, 2, "a known one goes on");
        assert_eq!(sources.place_rtp(0, 1).unwrap_err(), SrtpError::Replayed);
    }
}

//! Keys on their way through: telephone-events rewritten for a peer with another RTP clock, and a key that
//! comes both as event and as tone told once.

use std::time::Duration;

use crate::media::Digit;
use crate::media::dtmf::EventPayload;
use crate::media::rtp::Header;
use crate::media::stream::OutStream;
use crate::time::Timestamp;

/// An event and a tone of the same key this close together are one press: some gateways let 40-100 ms of
/// the tone through before they replace it, others are late with the event.
const ONE_PRESS: Duration = Duration::from_millis(500);
/// An event is over when nothing came of it for so long, as in [`dtmf`](crate::media::dtmf).
const MEMORY: Duration = Duration::from_secs(2);

/// A telephone-event on its way to a leg that is sent our own audio (not a forwarded stream), or whose clock
/// runs at another rate. All its packets bear one timestamp of ours, and durations count in the peer's ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct EventRelay {
    current: Option<Current>,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    ssrc: u32,
    event: u8,
    /// Theirs, of the segment that lasts (RFC 4733 §2.5.1.3).
    timestamp: u32,
    /// Their ticks in the segments before it, and in it so far.
    earlier: u64,
    duration: u16,
    /// Our timestamp of the event's start.
    ours: u32,
    last: Timestamp,
}

impl EventRelay {
    /// Rewrites an event's payload from `from` to `to` ticks per second, in place, and gives the header it
    /// is sent with. `None`: it is no event. One that is too long for 16 bits in the peer's clock stays at
    /// the most they say (1.4 s at 48 kHz): a new segment (§2.5.1.3) whose predecessor got lost would be
    /// another press.
    pub(super) fn forward(
        &mut self,
        received: &Header,
        payload: &mut [u8],
        (from, to): (u32, u32),
        payload_type: u8,
        out: &mut OutStream,
        now: Timestamp,
    ) -> Option<Header> {
        let mut packet = EventPayload::parse(payload)?;
        let known = self.current.filter(|current| current.goes_on(received, packet.event, now));
        let mut current = known.unwrap_or_else(|| Current {
            ssrc: received.ssrc,
            event: packet.event,
            timestamp: received.timestamp,
            earlier: 0,
            duration: 0,
            ours: out.timestamp_at(now),
            last: now,
        });
        if received.timestamp != current.timestamp {
            current.earlier += u64::from(current.duration);
            (current.timestamp, current.duration) = (received.timestamp, 0);
        }
        current.duration = current.duration.max(packet.duration);
        current.last = now;
        let total = (current.earlier + u64::from(packet.duration)) * u64::from(to) / u64::from(from.max(1));
        packet.duration = u16::try_from(total).unwrap_or(u16::MAX);
        payload.first_chunk_mut().map(|octets| *octets = packet.to_bytes())?;
        self.current = Some(current);
        Some(out.own_event(payload_type, current.ours, known.is_none()))
    }
}

impl Current {
    fn goes_on(&self, received: &Header, event: u8, now: Timestamp) -> bool {
        let same = self.timestamp == received.timestamp;
        let next_segment = self.duration == u16::MAX
            && received.timestamp == self.timestamp.wrapping_add(u32::from(u16::MAX));
        (self.ssrc, self.event) == (received.ssrc, event)
            && (same || next_segment)
            && now.since(self.last) < MEMORY
    }
}

/// What a leg pressed lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pressed {
    event: Option<Timestamp>,
    tone: Option<(Digit, Timestamp)>,
}

impl Pressed {
    /// A telephone-event packet came, which may have pressed a key; `None` when that was told as a tone.
    pub(super) fn by_event(&mut self, pressed: Option<Digit>, now: Timestamp) -> Option<Digit> {
        self.event = Some(now);
        let told =
            |digit: &Digit| self.tone.is_some_and(|(tone, at)| tone == *digit && now.since(at) < ONE_PRESS);
        let twice = pressed.as_ref().is_some_and(told);
        if twice {
            self.tone = None;
            return None;
        }
        pressed
    }

    /// A tone was heard; `None` when events tell of this key already.
    pub(super) fn by_tone(&mut self, digit: Digit, now: Timestamp) -> Option<Digit> {
        if self.event.is_some_and(|last| now.since(last) < ONE_PRESS) {
            return None;
        }
        self.tone = Some((digit, now));
        Some(digit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dtmf::Receiver;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(5_000_000) + Duration::from_millis(ms)
    }

    fn key(c: char) -> Digit {
        Digit::try_from(c).unwrap()
    }

    /// Sends a press of `ms` milliseconds at `from` through to a peer at `to`; gives what the peer was sent.
    fn press(ms: u64, from: u32, to: u32) -> Vec<(Header, EventPayload)> {
        let (mut relay, mut out) = (EventRelay::default(), OutStream::new(7, 0, 1_000));
        out.set_clock(to, at(0));
        let mut sent = Vec::new();
        let ticks = u64::from(from / 1_000);
        for n in 1..=ms / 20 {
            // As RFC 4733 §2.5.1.3 has it, a full segment ends and the next begins where it ended.
            let total = n * 20 * ticks;
            let full = (total - 1) / 65_535 * 65_535;
            for (base, duration) in (full > 0 && total - full <= 20 * ticks)
                .then(|| (full - 65_535, 65_535))
                .into_iter()
                .chain([(full, total - full)])
            {
                let packet = EventPayload {
                    event: 5,
                    end: n == ms / 20 && base == full,
                    volume: 10,
                    duration: duration as u16,
                };
                let mut payload = packet.to_bytes();
                let received = Header { timestamp: 9_000 + base as u32, ssrc: 3, ..Header::default() };
                let header =
                    relay.forward(&received, &mut payload, (from, to), 110, &mut out, at(20 * n)).unwrap();
                sent.push((header, EventPayload::parse(&payload).unwrap()));
            }
        }
        sent
    }

    #[test]
    fn a_press_keeps_its_length_in_the_peers_ticks() {
        for (from, to) in [(8_000, 48_000), (48_000, 8_000), (8_000, 8_000)] {
            let sent = press(200, from, to);
            let last = sent.last().unwrap();
            assert_eq!((u32::from(last.1.duration), last.1.end), (to / 1_000 * 200, true));
            assert!(sent.iter().all(|(header, _)| header.timestamp == sent[0].0.timestamp));
            assert!(sent.windows(2).all(|pair| pair[1].0.sequence == pair[0].0.sequence + 1));
            assert_eq!(sent.iter().filter(|(header, _)| header.marker).count(), 1);
        }
    }

    #[test]
    fn a_long_press_is_one_press_for_the_peer_too() {
        for (from, to) in [(8_000, 48_000), (48_000, 8_000)] {
            let sent = press(4_000, from, to);
            let mut receiver = Receiver::default();
            let (mut presses, mut length) = (0, None);
            for (n, (header, packet)) in sent.iter().enumerate() {
                let heard = receiver.receive(7, header.timestamp, &packet.to_bytes(), at(20 * n as u64));
                presses += u32::from(heard.pressed.is_some());
                length = length.or(heard.released);
            }
            let most = if to < from { 32_000 } else { 65_535 };
            assert_eq!((presses, length), (1, Some((key('5'), most))), "{from} to {to}");
        }
    }

    #[test]
    fn a_key_that_comes_both_ways_is_told_once() {
        let mut pressed = Pressed::default();
        assert_eq!(pressed.by_event(Some(key('1')), at(0)), Some(key('1')));
        assert_eq!(pressed.by_tone(key('1'), at(60)), None);
        // The tone first, the event late.
        assert_eq!(pressed.by_tone(key('2'), at(2_000)), Some(key('2')));
        assert_eq!(pressed.by_event(Some(key('2')), at(2_080)), None);
        assert_eq!(pressed.by_event(Some(key('2')), at(2_300)), Some(key('2')), "pressed again");
        // Tones alone, the same key twice.
        assert_eq!(pressed.by_tone(key('3'), at(5_000)), Some(key('3')));
        assert_eq!(pressed.by_tone(key('3'), at(5_200)), Some(key('3')));
    }
}

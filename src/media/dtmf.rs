//! Keys by RFC 4733: each is told once, at its first packet, however often its start, updates and ends
//! are repeated, lost or overtaken.

use std::time::Duration;

use super::Digit;
use crate::time::Timestamp;

/// Octets of a telephone-event payload (RFC 4733 §2.3).
pub const PAYLOAD: usize = 4;
/// Events remembered, so that a late packet of one that is over does not press the key again.
const REMEMBERED: usize = 8;
/// How long an event is remembered after its last packet. Some load generators use one SSRC and
/// timestamp for every key, seconds apart: those are new presses.
const MEMORY: Duration = Duration::from_secs(2);

/// A telephone-event payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    /// The event: 0-15 are keys.
    pub event: u8,
    /// The key was released.
    pub end: bool,
    /// Power below 0 dBm0, 0-63.
    pub volume: u8,
    /// How long so far, in samples (8 kHz).
    pub duration: u16,
}

impl EventPayload {
    /// Reads a payload; `None` when it is too short. More than one event in it is not for our kind
    /// (RFC 4733 §2.5.1.1 allows it for tones only).
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low] = *payload.first_chunk()?;
        Some(Self {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3F,
            duration: u16::from_be_bytes([high, low]),
        })
    }

    /// The payload's octets.
    #[must_use]
    pub fn to_bytes(self) -> [u8; PAYLOAD] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, (u8::from(self.end) << 7) | (self.volume & 0x3F), high, low]
    }
}

/// What a packet told that was not known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Heard {
    /// A key was pressed.
    pub pressed: Option<Digit>,
    /// A key was released, after so many samples (8 kHz).
    pub released: Option<(Digit, u32)>,
}

/// Hears the keys of one leg.
#[derive(Clone, Debug, Default)]
pub struct Receiver {
    /// A ring, the oldest is overwritten.
    events: [Option<Event>; REMEMBERED],
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct Event {
    ssrc: u32,
    timestamp: u32,
    digit: Digit,
    /// Of this segment.
    duration: u16,
    /// Of the segments before it (RFC 4733 §2.5.1.3).
    earlier: u32,
    ended: bool,
    last: Timestamp,
}

impl Receiver {
    /// Takes a telephone-event packet's payload, by its SSRC and timestamp. Events that are no keys
    /// (flash, tones) tell nothing.
    pub fn receive(&mut self, ssrc: u32, timestamp: u32, payload: &[u8], now: Timestamp) -> Heard {
        let Some(packet) = EventPayload::parse(payload) else { return Heard::default() };
        let Some(digit) = Digit::from_event(packet.event) else { return Heard::default() };
        let known = self.events.iter_mut().flatten().find(|event| {
            event.ssrc == ssrc
                && (event.timestamp == timestamp || event.goes_on_at(timestamp, digit))
                && now.since(event.last) < MEMORY
        });
        if let Some(event) = known {
            return Heard { pressed: None, released: event.update(timestamp, &packet, now) };
        }
        let event = Event {
            ssrc,
            timestamp,
            digit,
            duration: packet.duration,
            earlier: 0,
            ended: packet.end,
            last: now,
        };
        self.events[self.next] = Some(event);
        self.next = (self.next + 1) % REMEMBERED;
        Heard { pressed: Some(digit), released: packet.end.then_some((digit, u32::from(packet.duration))) }
    }
}

impl Event {
    /// An event longer than 8 s goes on in another segment, whose timestamp is where the full one ended.
    fn goes_on_at(&self, timestamp: u32, digit: Digit) -> bool {
        !self.ended
            && self.duration == u16::MAX
            && self.digit == digit
            && timestamp == self.timestamp.wrapping_add(u32::from(self.duration))
    }

    fn update(&mut self, timestamp: u32, packet: &EventPayload, now: Timestamp) -> Option<(Digit, u32)> {
        self.last = now;
        if timestamp != self.timestamp {
            self.earlier += u32::from(self.duration);
            self.timestamp = timestamp;
            self.duration = 0;
        }
        self.duration = self.duration.max(packet.duration);
        if packet.end && !self.ended {
            self.ended = true;
            return Some((self.digit, self.earlier + u32::from(self.duration)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_millis(ms)
    }

    fn key(c: char) -> Digit {
        Digit::try_from(c).unwrap()
    }

    fn payload(c: char, end: bool, duration: u16) -> [u8; 4] {
        EventPayload { event: key(c).event(), end, volume: 10, duration }.to_bytes()
    }

    /// A press of 100 ms: start, updates each 20 ms, the end three times (RFC 4733 §2.5.1.4).
    fn press(c: char) -> Vec<[u8; 4]> {
        let updates = (1..=5).map(|n| payload(c, false, n * 160));
        updates.chain(std::iter::repeat_n(payload(c, true, 960), 3)).collect()
    }

    proptest! {
        #[test]
        fn each_key_is_told_once_whatever_the_network_does(
            keys in "[0-9*#A-D]{1,12}",
            // For each packet of each press: dropped, how often it comes, how late.
            fate in proptest::collection::vec((proptest::bool::weighted(0.3), 1u64..3, 0u64..90), 96),
            new_ssrc_each: bool,
        ) {
            let mut arrivals = Vec::new();
            let mut expected = String::new();
            for (n, c) in keys.chars().enumerate() {
                let ssrc = if new_ssrc_each { n as u32 } else { 9 };
                let mut any = false;
                for (m, packet) in press(c).into_iter().enumerate() {
                    let (dropped, times, delay) = fate[n * 8 + m];
                    if dropped {
                        continue;
                    }
                    any = true;
                    for again in 0..times {
                        arrivals.push((300 * n as u64 + 20 * m as u64 + delay + 70 * again, ssrc, n as u32 * 2_400, packet));
                    }
                }
                if any {
                    expected.push(c);
                }
            }
            arrivals.sort_by_key(|arrival| arrival.0);
            let mut receiver = Receiver::default();
            let (mut heard, mut released) = (String::new(), Vec::new());
            for (ms, ssrc, timestamp, packet) in arrivals {
                let told = receiver.receive(ssrc, timestamp, &packet, at(ms));
                heard.extend(told.pressed.map(Digit::as_char));
                released.extend(told.released);
            }
            prop_assert_eq!(heard, expected);
            prop_assert!(released.iter().all(|(_, duration)| *duration == 960));
        }

        #[test]
        fn no_payload_makes_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..9), timestamp in any::<u32>()) {
            Receiver::default().receive(1, timestamp, &payload, at(0));
        }
    }

    /// As sipp's `play_dtmf` sends (seen on the wire): each call of it has an SSRC of its own and starts
    /// from the same timestamp, events are closer in timestamps than in time, the first packet has no
    /// duration yet, and the reserved bit is set at random.
    #[test]
    fn the_style_of_sipp() {
        let mut receiver = Receiver::default();
        let mut heard = String::new();
        let mut now = 0;
        for (ssrc, timestamp, event) in [(5, 24_400, 1), (5, 24_800, 2), (6, 24_400, 1), (7, 24_400, 1)] {
            for n in 0..13u16 {
                let (flags, duration) = if n < 10 { (0x0A, n * 160) } else { (0x8A, 1_600) };
                let [high, low] = duration.to_be_bytes();
                let reserved = if n % 4 == 2 { 0x40 } else { 0 };
                let told = receiver.receive(ssrc, timestamp, &[event, flags | reserved, high, low], at(now));
                heard.extend(told.pressed.map(Digit::as_char));
                assert_eq!(told.released.map(|(_, duration)| duration), (n == 10).then_some(1_600));
                now += 20;
            }
        }
        assert_eq!(heard, "1211");
    }

    #[test]
    fn only_the_end_survives() {
        let heard = Receiver::default().receive(1, 0, &payload('5', true, 800), at(0));
        assert_eq!(heard, Heard { pressed: Some(key('5')), released: Some((key('5'), 800)) });
    }

    #[test]
    fn the_same_key_again_is_a_new_press_when_its_timestamp_is_new() {
        let mut receiver = Receiver::default();
        let count = (0..3u32)
            .flat_map(|n| press('1').into_iter().map(move |packet| (n, packet)))
            .filter(|(n, packet)| {
                receiver.receive(1, n * 1_600, packet, at(u64::from(*n) * 200)).pressed.is_some()
            })
            .count();
        assert_eq!(count, 3);
    }

    #[test]
    fn one_ssrc_and_timestamp_for_every_key_is_told_apart_by_silence() {
        let mut receiver = Receiver::default();
        assert!(receiver.receive(1, 0, &payload('1', true, 800), at(0)).pressed.is_some());
        assert!(receiver.receive(1, 0, &payload('1', true, 800), at(1_900)).pressed.is_none());
        assert!(receiver.receive(1, 0, &payload('2', false, 160), at(4_000)).pressed.is_some());
    }

    #[test]
    fn a_key_held_for_long_goes_on_in_segments() {
        let mut receiver = Receiver::default();
        assert!(receiver.receive(1, 100, &payload('#', false, 160), at(0)).pressed.is_some());
        for n in 1..=409u16 {
            receiver.receive(1, 100, &payload('#', false, n * 160), at(20 * u64::from(n)));
        }
        receiver.receive(1, 100, &payload('#', false, u16::MAX), at(8_192));
        let next = 100 + u32::from(u16::MAX);
        assert_eq!(receiver.receive(1, next, &payload('#', false, 160), at(8_212)), Heard::default());
        let end = receiver.receive(1, next, &payload('#', true, 320), at(8_232));
        assert_eq!(end, Heard { pressed: None, released: Some((key('#'), u32::from(u16::MAX) + 320)) });
    }

    #[test]
    fn events_that_are_no_keys_are_silent() {
        assert_eq!(Receiver::default().receive(1, 0, &[16, 0x8A, 0, 160], at(0)), Heard::default());
        assert_eq!(Receiver::default().receive(1, 0, &[1, 0x8A, 0], at(0)), Heard::default());
    }
}

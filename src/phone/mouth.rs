//! What the phone sends: silence, a clip, or a key (RFC 4733), one packet each 20 ms.

use std::time::Duration;

use crate::media::dtmf::{self, EventPayload};
use crate::media::player::silence;
use crate::media::rtp::{HEADER, Header};
use crate::media::sound::Sound;
use crate::media::{BadDigit, Digit, LegMedia};

/// Samples in a packet: 20 ms at 8 kHz.
pub(super) const PACKET: u32 = 160;
/// A key sounds for so many packets, then its end is sent three times (RFC 4733 §2.5.1.4).
const KEY_PACKETS: u32 = 6;
const KEY_ENDS: u32 = 3;
/// In -dBm0; a usual telephone's.
const KEY_VOLUME: u8 = 10;

/// What a phone does in a call.
#[derive(Clone, Debug)]
pub struct Script {
    /// Keys, each pressed when the other side has spoken and then been silent for `quiet`.
    pub press: Vec<Key>,
    /// How long the other side must be silent before a key is pressed.
    pub quiet: Duration,
    /// Spoken after the keys, again and again.
    pub say: Vec<i16>,
    /// Hang up after so long, counted from the answer.
    pub hang_up_after: Duration,
}

/// One step of [`Script::press`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Press this key.
    Press(Digit),
    /// Let so many seconds pass.
    Pause(u32),
}

/// Reads keys: `0`-`9 * # A-D`, and `,` for a pause of a second.
///
/// # Errors
/// Names the character that is neither.
pub fn parse_keys(text: &str) -> Result<Vec<Key>, BadDigit> {
    text.chars()
        .map(|c| if c == ',' { Ok(Key::Pause(1)) } else { Digit::try_from(c).map(Key::Press) })
        .collect()
}

/// What to send next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// This packet.
    Packet(Vec<u8>),
    /// This key by SIP INFO, since telephone-event was not agreed; and this packet of silence.
    Info(Digit, Vec<u8>),
}

enum Doing {
    Listening,
    Pausing { packets: u32 },
    Pressing { digit: Digit, sent: u32, began: u32 },
    Speaking { at: usize },
}

/// See the module.
pub(super) struct Mouth {
    media: LegMedia,
    keys: std::vec::IntoIter<Key>,
    next_key: Option<Key>,
    say: Sound,
    doing: Doing,
    header: Header,
}

impl Mouth {
    pub(super) fn new(media: LegMedia, script: &Script, ssrc: u32) -> Self {
        let mut keys = script.press.clone().into_iter();
        let next_key = keys.next();
        let doing = if next_key.is_some() { Doing::Listening } else { Doing::Speaking { at: 0 } };
        let header = Header { marker: true, ssrc, ..Header::default() };
        Self { media, keys, next_key, say: Sound::from_pcm8k(&script.say), doing, header }
    }

    /// Takes what a re-INVITE agreed.
    pub(super) fn set_media(&mut self, media: LegMedia) {
        self.media = media;
    }

    /// Where packets go.
    pub(super) fn remote(&self) -> std::net::SocketAddr {
        self.media.remote_rtp
    }

    /// Whether a key waits for the other side to fall silent.
    pub(super) fn is_listening(&self) -> bool {
        matches!(self.doing, Doing::Listening)
    }

    /// The other side fell silent: the next key's turn.
    pub(super) fn take_turn(&mut self) {
        self.doing = match self.next_key.take() {
            None => Doing::Speaking { at: 0 },
            Some(Key::Pause(seconds)) => Doing::Pausing { packets: seconds * 50 },
            Some(Key::Press(digit)) => Doing::Pressing { digit, sent: 0, began: self.header.timestamp },
        };
    }

    /// The packet of the next 20 ms.
    pub(super) fn next(&mut self) -> Say {
        let say = match self.doing {
            Doing::Listening => Say::Packet(self.audio(None)),
            Doing::Pausing { packets: 0 } => {
                self.after_key();
                Say::Packet(self.audio(None))
            }
            Doing::Pausing { packets } => {
                self.doing = Doing::Pausing { packets: packets - 1 };
                Say::Packet(self.audio(None))
            }
            Doing::Speaking { at } => {
                let packet = self.audio(Some(at));
                let next = at + PACKET as usize;
                self.doing = Doing::Speaking { at: if next >= self.say.len() { 0 } else { next } };
                Say::Packet(packet)
            }
            Doing::Pressing { digit, sent, began } => self.press(digit, sent, began),
        };
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(PACKET);
        self.header.marker = false;
        say
    }

    fn press(&mut self, digit: Digit, sent: u32, began: u32) -> Say {
        let Some(payload_type) = self.media.dtmf.map(|events| events.send) else {
            self.after_key();
            return Say::Info(digit, self.audio(None));
        };
        let end = sent >= KEY_PACKETS;
        let duration = (sent.min(KEY_PACKETS - 1) + 1) * PACKET;
        let header = Header { marker: sent == 0, payload_type, timestamp: began, ..self.header };
        let duration = u16::try_from(duration).unwrap_or(u16::MAX);
        let event = EventPayload { event: digit.event(), end, volume: KEY_VOLUME, duration };
        let mut packet = vec![0; HEADER + dtmf::PAYLOAD];
        header.write(&mut packet);
        packet[HEADER..].copy_from_slice(&event.to_bytes());
        if sent + 1 == KEY_PACKETS + KEY_ENDS {
            self.after_key();
        } else {
            self.doing = Doing::Pressing { digit, sent: sent + 1, began };
        }
        Say::Packet(packet)
    }

    fn after_key(&mut self) {
        self.next_key = self.keys.next();
        self.doing = match self.next_key {
            None => Doing::Speaking { at: 0 },
            Some(Key::Pause(_) | Key::Press(_)) => Doing::Listening,
        };
    }

    /// 20 ms of the clip from `at`, filled up with silence.
    fn audio(&self, at: Option<usize>) -> Vec<u8> {
        let clip = self.say.encoded(self.media.codec);
        let from = at.unwrap_or(clip.len()).min(clip.len());
        let to = (from + PACKET as usize).min(clip.len());
        let mut packet = vec![silence(self.media.codec); HEADER + PACKET as usize];
        Header { payload_type: self.media.payload_type, ..self.header }.write(&mut packet);
        packet[HEADER..HEADER + to - from].copy_from_slice(&clip[from..to]);
        packet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::dtmf::Receiver;
    use crate::media::rtp::View;
    use crate::media::{Codec, Direction, Events};
    use crate::time::Timestamp;

    fn mouth(press: &str, dtmf: Option<u8>) -> Mouth {
        let remote = "127.0.0.1:4000".parse().unwrap();
        let media = LegMedia {
            remote_rtp: remote,
            remote_rtcp: remote,
            rtcp_mux: true,
            codec: Codec::Pcma,
            payload_type: 8,
            receive: vec![(8, Codec::Pcma)],
            dtmf: dtmf.map(|number| Events { send: number, receive: number, clock: 8_000 }),
            comfort_noise: None,
            direction: Direction::SendRecv,
            ptime: 20,
            crypto: None,
            in_band_digits: false,
        };
        let script = Script {
            press: parse_keys(press).unwrap(),
            quiet: Duration::from_secs(1),
            say: vec![4_000; 400],
            hang_up_after: Duration::from_secs(9),
        };
        Mouth::new(media, &script, 7)
    }

    #[test]
    fn keys_wait_for_silence_and_are_heard_once_each() {
        let mut mouth = mouth("1#", Some(101));
        let mut receiver = Receiver::default();
        let mut heard = String::new();
        for n in 0..60 {
            if n % 20 == 10 && mouth.is_listening() {
                mouth.take_turn();
            }
            let Say::Packet(packet) = mouth.next() else { panic!("no INFO where RFC 4733 was agreed") };
            let view = View::parse(&packet).unwrap();
            assert_eq!(view.header.sequence, n);
            if view.header.payload_type == 101 {
                let now = Timestamp::from_micros(i64::from(n) * 20_000);
                let (ssrc, timestamp) = (view.header.ssrc, view.header.timestamp);
                let told = receiver.receive(ssrc, timestamp, &packet[view.payload()], now);
                heard.extend(told.pressed.map(Digit::as_char));
            }
        }
        assert_eq!(heard, "1#");
    }

    #[test]
    fn without_telephone_event_keys_go_by_info() {
        let mut mouth = mouth("5", None);
        assert!(matches!(mouth.next(), Say::Packet(_)));
        mouth.take_turn();
        assert!(matches!(mouth.next(), Say::Info(digit, _) if digit.as_char() == '5'));
        let Say::Packet(packet) = mouth.next() else { panic!("speech follows the keys") };
        assert_ne!(packet[HEADER], silence(Codec::Pcma));
    }

    #[test]
    fn a_wrong_key_is_named() {
        assert_eq!(parse_keys("1x"), Err(BadDigit('x')));
    }
}

//! What the phone sends: silence, a clip, or a key, one packet each packet time, in whatever codec was
//! agreed.

use std::f64::consts::TAU;
use std::time::Duration;

use crate::media::codec::{CodecError, Encoder};
use crate::media::convert::Converter;
use crate::media::dtmf::{self, EventPayload};
use crate::media::rtp::{HEADER, Header};
use crate::media::{BadDigit, Codec, Digit, LegMedia};
use crate::settings::SrtpPolicy;
use crate::sip::core::Media;

/// A key sounds for so long, in milliseconds; then its end is sent three times (RFC 4733 §2.5.1.4), or
/// there is silence for as long (ITU-T Q.24 wants 40 ms of each).
const KEY_MS: u32 = 120;
const KEY_ENDS: u32 = 3;
/// In -dBm0; a usual telephone's.
const KEY_VOLUME: u8 = 10;
/// Peak of each of the two tones of a key, of 32,768: about -10 dBm0.
const TONE: f64 = 5_200.0;

/// What a phone does in a call.
#[derive(Clone, Debug)]
pub struct Script {
    /// Keys, each pressed when the other side has spoken and then been silent for `quiet`.
    pub press: Vec<Key>,
    /// How long the other side must be silent before a key is pressed.
    pub quiet: Duration,
    /// Spoken after the keys, again and again.
    pub say: Vec<i16>,
    /// Samples per second of `say`: 8,000, 16,000 or 48,000.
    pub say_rate: u32,
    /// Hang up after so long, counted from the answer.
    pub hang_up_after: Duration,
    /// What it speaks, the best first.
    pub codecs: Vec<Codec>,
    /// Whether audio is sealed.
    pub srtp: SrtpPolicy,
    /// What it offers when it calls. When it is called it answers whatever it is offered.
    pub media: Media,
    /// The packet time it asks for, in milliseconds.
    pub ptime: Option<u8>,
    /// How keys are sent.
    pub digits: Digits,
}

impl Default for Script {
    /// Listens for a minute, in G.711.
    fn default() -> Self {
        Self {
            press: Vec::new(),
            quiet: Duration::from_millis(1_200),
            say: Vec::new(),
            say_rate: 8_000,
            hang_up_after: Duration::from_secs(60),
            codecs: vec![Codec::Pcma, Codec::Pcmu],
            srtp: SrtpPolicy::Off,
            media: Media::Rtp,
            ptime: None,
            digits: Digits::Rfc4733,
        }
    }
}

/// How a phone sends keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// telephone-event; by SIP INFO where it was not agreed.
    Rfc4733,
    /// SIP INFO.
    Info,
    /// Tones in the audio.
    InBand,
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
    /// This key by SIP INFO, and this packet of silence.
    Info(Digit, Vec<u8>),
}

enum Doing {
    Listening,
    Pausing { packets: u32 },
    Pressing { digit: Digit, sent: u32, began: u32 },
    Sounding { digit: Digit, sent: u32 },
    Speaking { at: usize },
}

/// Turns samples of the clip's rate into payloads.
struct Voice {
    encoder: Encoder,
    converter: Converter,
    clip_rate: u32,
}

impl Voice {
    fn new(codec: Codec, clip_rate: u32) -> Result<Self, CodecError> {
        let converter = Converter::new(clip_rate, codec.rate());
        Ok(Self { encoder: Encoder::new(codec)?, converter, clip_rate })
    }
}

/// See the module.
pub(super) struct Mouth {
    media: LegMedia,
    voice: Voice,
    keys: std::vec::IntoIter<Key>,
    next_key: Option<Key>,
    digits: Digits,
    say: Vec<i16>,
    doing: Doing,
    header: Header,
}

impl Mouth {
    pub(super) fn new(media: LegMedia, script: &Script, ssrc: u32) -> Result<Self, CodecError> {
        let mut keys = script.press.clone().into_iter();
        let next_key = keys.next();
        let doing = if next_key.is_some() { Doing::Listening } else { Doing::Speaking { at: 0 } };
        let header = Header { marker: true, ssrc, ..Header::default() };
        let voice = Voice::new(media.codec, script.say_rate)?;
        let (digits, say) = (script.digits, script.say.clone());
        Ok(Self { media, voice, keys, next_key, digits, say, doing, header })
    }

    /// Takes what a re-INVITE agreed.
    pub(super) fn set_media(&mut self, media: LegMedia) -> Result<(), CodecError> {
        if media.codec != self.media.codec {
            self.voice = Voice::new(media.codec, self.voice.clip_rate)?;
        }
        self.media = media;
        Ok(())
    }

    /// What was agreed.
    pub(super) fn media(&self) -> &LegMedia {
        &self.media
    }

    /// Whether a key waits for the other side to fall silent.
    pub(super) fn is_listening(&self) -> bool {
        matches!(self.doing, Doing::Listening)
    }

    /// The other side fell silent: the next key's turn.
    pub(super) fn take_turn(&mut self) {
        let began = self.header.timestamp;
        self.doing = match (self.next_key.take(), self.digits) {
            (None, _) => Doing::Speaking { at: 0 },
            (Some(Key::Pause(seconds)), _) => Doing::Pausing { packets: seconds * 1_000 / self.ptime() },
            (Some(Key::Press(digit)), Digits::InBand) => Doing::Sounding { digit, sent: 0 },
            (Some(Key::Press(digit)), Digits::Rfc4733 | Digits::Info) => {
                Doing::Pressing { digit, sent: 0, began }
            }
        };
    }

    /// The next packet.
    pub(super) fn next(&mut self) -> Say {
        let say = match self.doing {
            Doing::Listening => Say::Packet(self.silence()),
            Doing::Pausing { packets: 0 } => {
                self.after_key();
                Say::Packet(self.silence())
            }
            Doing::Pausing { packets } => {
                self.doing = Doing::Pausing { packets: packets - 1 };
                Say::Packet(self.silence())
            }
            Doing::Speaking { at } => {
                let count = self.samples();
                let next = at + count;
                self.doing = Doing::Speaking { at: if next >= self.say.len() { 0 } else { next } };
                let mut pcm = self.say[at..next.min(self.say.len())].to_vec();
                pcm.resize(count, 0);
                Say::Packet(self.audio(&pcm))
            }
            Doing::Pressing { digit, sent, began } => self.press(digit, sent, began),
            Doing::Sounding { digit, sent } => Say::Packet(self.sound(digit, sent)),
        };
        self.header.sequence = self.header.sequence.wrapping_add(1);
        self.header.timestamp = self.header.timestamp.wrapping_add(self.ticks(self.media.codec.clock()));
        self.header.marker = false;
        say
    }

    fn press(&mut self, digit: Digit, sent: u32, began: u32) -> Say {
        let Some(events) = self.media.dtmf.filter(|_| self.digits == Digits::Rfc4733) else {
            self.after_key();
            return Say::Info(digit, self.silence());
        };
        let packets = self.key_packets();
        let end = sent >= packets;
        let duration = (sent.min(packets - 1) + 1) * self.ticks(events.clock);
        let header = Header { marker: sent == 0, payload_type: events.send, timestamp: began, ..self.header };
        let duration = u16::try_from(duration).unwrap_or(u16::MAX);
        let event = EventPayload { event: digit.event(), end, volume: KEY_VOLUME, duration };
        let mut packet = vec![0; HEADER + dtmf::PAYLOAD];
        header.write(&mut packet);
        packet[HEADER..].copy_from_slice(&event.to_bytes());
        if sent + 1 == packets + KEY_ENDS {
            self.after_key();
        } else {
            self.doing = Doing::Pressing { digit, sent: sent + 1, began };
        }
        Say::Packet(packet)
    }

    /// A packet of a key's tones (ITU-T Q.23), or of the silence after them.
    fn sound(&mut self, digit: Digit, sent: u32) -> Vec<u8> {
        let packets = self.key_packets();
        if sent + 1 == 2 * packets {
            self.after_key();
        } else {
            self.doing = Doing::Sounding { digit, sent: sent + 1 };
        }
        if sent >= packets {
            return self.silence();
        }
        let count = self.samples();
        let rate = f64::from(self.voice.clip_rate);
        let (low, high) = tones(digit);
        let sample = |n: usize| {
            let t = (sent as usize * count + n) as f64 / rate;
            (TONE * ((TAU * low * t).sin() + (TAU * high * t).sin())) as i16
        };
        let pcm: Vec<i16> = (0..count).map(sample).collect();
        self.audio(&pcm)
    }

    fn after_key(&mut self) {
        self.next_key = self.keys.next();
        self.doing = match self.next_key {
            None => Doing::Speaking { at: 0 },
            Some(Key::Pause(_) | Key::Press(_)) => Doing::Listening,
        };
    }

    fn ptime(&self) -> u32 {
        u32::from(self.media.ptime)
    }

    /// A packet's ticks of a clock.
    fn ticks(&self, clock: u32) -> u32 {
        clock / 1_000 * self.ptime()
    }

    /// A packet's samples of the clip.
    fn samples(&self) -> usize {
        self.ticks(self.voice.clip_rate) as usize
    }

    fn key_packets(&self) -> u32 {
        KEY_MS.div_ceil(self.ptime())
    }

    fn silence(&mut self) -> Vec<u8> {
        self.audio(&vec![0; self.samples()])
    }

    /// A packet of these samples. What the codec cannot encode is left out; the packet time was agreed so
    /// that it can.
    fn audio(&mut self, pcm: &[i16]) -> Vec<u8> {
        let mut packet = vec![0; HEADER];
        Header { payload_type: self.media.payload_type, ..self.header }.write(&mut packet);
        let mut samples = Vec::new();
        self.voice.converter.convert(pcm, &mut samples);
        if self.voice.encoder.encode(&samples, &mut packet).is_err() {
            packet.truncate(HEADER);
        }
        packet
    }
}

/// The two frequencies of a key in Hz (ITU-T Q.23).
fn tones(digit: Digit) -> (f64, f64) {
    const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
    const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    let at = "123A456B789C*0#D".find(digit.as_char()).expect("each key has its place");
    (ROWS[at / 4], COLUMNS[at % 4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::Decoder;
    use crate::media::dtmf::Receiver;
    use crate::media::g711::pcm_to_alaw;
    use crate::media::rtp::View;
    use crate::media::tones::ToneDetector;
    use crate::media::{Direction, Events};
    use crate::time::Timestamp;

    fn mouth(press: &str, dtmf: Option<u8>) -> Mouth {
        mouth_with(press, dtmf, Codec::Pcma, 20, Digits::Rfc4733)
    }

    fn mouth_with(press: &str, dtmf: Option<u8>, codec: Codec, ptime: u8, digits: Digits) -> Mouth {
        let remote = "127.0.0.1:4000".parse().unwrap();
        let media = LegMedia {
            remote_rtp: remote,
            remote_rtcp: remote,
            rtcp_mux: true,
            codec,
            payload_type: 8,
            receive: vec![(8, codec)],
            dtmf: dtmf.map(|number| Events { send: number, receive: number, clock: codec.clock() }),
            comfort_noise: None,
            direction: Direction::SendRecv,
            ptime,
            crypto: None,
            rtc: None,
            in_band_digits: false,
            signalled_from: None,
        };
        let script = Script {
            press: parse_keys(press).unwrap(),
            quiet: Duration::from_secs(1),
            say: vec![4_000; 400],
            digits,
            ..Script::default()
        };
        Mouth::new(media, &script, 7).unwrap()
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
        assert_ne!(packet[HEADER], pcm_to_alaw(0));
    }

    #[test]
    fn every_codec_and_packet_time_fills_its_packets() {
        for codec in [Codec::Pcma, Codec::Pcmu, Codec::G722, Codec::Opus] {
            for ptime in [10, 20, 40, 60] {
                let mut mouth = mouth_with("", None, codec, ptime, Digits::Rfc4733);
                let mut decoder = Decoder::new(codec).unwrap();
                for n in 0..5u32 {
                    let Say::Packet(packet) = mouth.next() else { panic!("no key is pressed") };
                    let view = View::parse(&packet).unwrap();
                    assert_eq!(view.header.timestamp, n * codec.clock() / 1_000 * u32::from(ptime));
                    let mut pcm = Vec::new();
                    decoder.decode(&packet[view.payload()], &mut pcm).unwrap();
                    assert_eq!(pcm.len(), codec.rate() as usize / 1_000 * usize::from(ptime), "{codec:?}");
                }
            }
        }
    }

    #[test]
    fn keys_in_the_audio_are_heard_by_the_detector() {
        let mut mouth = mouth_with("7D", Some(101), Codec::Pcma, 30, Digits::InBand);
        let mut decoder = Decoder::new(Codec::Pcma).unwrap();
        let mut detector = ToneDetector::new();
        let mut heard = String::new();
        mouth.say.clear();
        mouth.say.resize(8_000, 0);
        for n in 0..60 {
            if n % 20 == 10 && mouth.is_listening() {
                mouth.take_turn();
            }
            let Say::Packet(packet) = mouth.next() else { panic!("no INFO was asked for") };
            let mut pcm = Vec::new();
            decoder.decode(&packet[HEADER..], &mut pcm).unwrap();
            heard.extend(detector.push(&pcm).map(Digit::as_char));
        }
        assert_eq!(heard, "7D");
    }

    #[test]
    fn a_wrong_key_is_named() {
        assert_eq!(parse_keys("1x"), Err(BadDigit('x')));
    }
}

use super::*;
use crate::media::Codec;
use crate::media::codec::{Decoder, Encoder};

/// A generator of pseudo-random numbers for noise and losses.
struct Random(u32);

impl Random {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        f64::from(self.0) / f64::from(u32::MAX)
    }

    /// Nearly normal, of variance 1.
    fn normal(&mut self) -> f64 {
        ((0..12).map(|_| self.next()).sum::<f64>()) - 6.0
    }
}

/// How a key is pressed.
#[derive(Clone, Copy)]
struct Press {
    ms: f64,
    pause_ms: f64,
    /// dBm0 of the lower and the upper tone.
    low: f64,
    high: f64,
    /// Frequencies as multiples of what they should be.
    off: (f64, f64),
}

const USUAL: Press = Press { ms: 100.0, pause_ms: 100.0, low: -10.0, high: -8.0, off: (1.0, 1.0) };
const ALL: &str = "123A456B789C*0#D";

fn tones_of(key: char) -> (f64, f64) {
    let at = ALL.find(key).unwrap();
    (f64::from(TONES[at / 4]), f64::from(TONES[4 + at % 4]))
}

fn press(keys: &str, how: Press, lead: usize) -> Vec<i16> {
    let mut pcm = vec![0i16; lead];
    let amplitude = |dbm: f64| 32_768.0 * 10f64.powf((dbm - 3.17) / 20.0);
    for key in keys.chars() {
        let (low, high) = tones_of(key);
        let sine = |hz: f64, n: f64| (2.0 * std::f64::consts::PI * hz * n / 8_000.0).sin();
        for n in 0..(how.ms * 8.0) as usize {
            let n = n as f64 + 0.3;
            let sum = amplitude(how.low) * sine(low * how.off.0, n)
                + amplitude(how.high) * sine(high * how.off.1, n);
            pcm.push(sum.clamp(-32_768.0, 32_767.0) as i16);
        }
        pcm.resize(pcm.len() + (how.pause_ms * 8.0) as usize, 0);
    }
    pcm.resize(pcm.len() + 800, 0);
    pcm
}

fn heard(pcm: &[i16]) -> String {
    let mut detector = ToneDetector::new();
    pcm.chunks(160).filter_map(|packet| detector.push(packet)).map(Digit::as_char).collect()
}

#[test]
fn every_key_is_told_once_at_every_level_twist_and_alignment() {
    for (low, high) in [
        (0.0, 0.0),
        (-10.0, -8.0),
        (-25.0, -25.0),
        (-21.0, -25.0),
        (-17.0, -25.0),
        (-25.0, -21.0),
        (0.0, -8.0),
    ] {
        for lead in [0, 7, 19, 33] {
            let how = Press { low, high, ms: 40.0, pause_ms: 40.0, ..USUAL };
            assert_eq!(heard(&press(ALL, how, lead)), ALL, "{low}/{high} dBm0, lead {lead}");
        }
    }
}

#[test]
fn what_is_too_faint_or_too_askew_is_no_key() {
    for (low, high) in [(-33.0, -33.0), (-10.0, -25.0), (-25.0, -10.0), (-60.0, -10.0), (-10.0, -60.0)] {
        assert_eq!(heard(&press(ALL, Press { low, high, ..USUAL }, 0)), "", "{low}/{high} dBm0");
    }
}

#[test]
fn a_frequency_off_by_1_5_percent_is_taken_and_by_3_5_percent_is_not() {
    for off in [(1.015, 1.015), (0.985, 0.985), (1.015, 0.985), (0.985, 1.015), (1.0, 1.015), (0.985, 1.0)] {
        for lead in [0, 13, 26] {
            let how = Press { off, ms: 40.0, pause_ms: 60.0, ..USUAL };
            assert_eq!(heard(&press(ALL, how, lead)), ALL, "{off:?}");
        }
    }
    for off in [(1.035, 1.0), (0.965, 1.0), (1.0, 1.035), (1.0, 0.965), (1.035, 1.035), (0.965, 0.965)] {
        assert_eq!(heard(&press(ALL, Press { off, ..USUAL }, 0)), "", "{off:?}");
    }
}

#[test]
fn forty_milliseconds_are_enough_and_twenty_three_are_not() {
    for lead in 0..40 {
        assert_eq!(heard(&press("5", Press { ms: 40.0, ..USUAL }, lead)), "5", "lead {lead}");
        assert_eq!(heard(&press("5", Press { ms: 23.0, ..USUAL }, lead)), "", "lead {lead}");
    }
    assert_eq!(heard(&press("7", Press { ms: 5_000.0, ..USUAL }, 3)), "7", "held long");
    assert_eq!(heard(&press("77", Press { ms: 60.0, pause_ms: 40.0, ..USUAL }, 3)), "77");
    // A gap of 10 ms is an interruption of one key (Q.24, table A-1).
    let mut broken = press("4", Press { ms: 120.0, ..USUAL }, 0);
    broken[480..560].fill(0);
    assert_eq!(heard(&broken), "4");
}

#[test]
fn keys_survive_noise_15_db_below() {
    let mut random = Random(77);
    let how = Press { ms: 60.0, pause_ms: 60.0, low: -15.0, high: -15.0, ..USUAL };
    // Below the weaker tone, over the whole band.
    let amplitude = 32_768.0 * 10f64.powf((-15.0 - 3.17 - 15.0) / 20.0) / 2f64.sqrt();
    for _ in 0..20 {
        let mut pcm = press(ALL, how, 11);
        for sample in &mut pcm {
            *sample = (f64::from(*sample) + amplitude * random.normal()).clamp(-32_768.0, 32_767.0) as i16;
        }
        assert_eq!(heard(&pcm), ALL);
    }
}

#[test]
fn keys_survive_g711_with_one_packet_in_twenty_concealed() {
    let mut random = Random(5);
    let mut missed = 0;
    for codec in [Codec::Pcma, Codec::Pcmu] {
        for lead in 0..40 {
            let pcm = press(ALL, Press { ms: 90.0, pause_ms: 90.0, ..USUAL }, lead * 4);
            let (mut encoder, mut decoder) = (Encoder::new(codec).unwrap(), Decoder::new(codec).unwrap());
            let (mut payload, mut got) = (Vec::new(), Vec::new());
            for packet in pcm.chunks(160) {
                payload.clear();
                encoder.encode(packet, &mut payload).unwrap();
                if random.next() < 0.05 {
                    decoder.conceal(packet.len(), &mut got);
                } else {
                    decoder.decode(&payload, &mut got).unwrap();
                }
            }
            let told = heard(&got);
            missed += ALL.len() - told.len();
            // Told in order, nothing twice, nothing that was not pressed.
            let mut rest = ALL.chars();
            assert!(told.chars().all(|key| rest.any(|other| other == key)), "{codec:?}, lead {lead}: {told}");
        }
    }
    // Of 1,280 presses of 90 ms, those that lost two packets of five in the wrong places.
    assert!(missed <= 6, "{missed} missed");
}

fn clip(path: &std::path::Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().into_samples::<i16>().map(Result::unwrap).collect()
}

/// All 8 kHz clips of the repository: prompts in all languages, music on hold, the demo's people.
fn clips() -> Vec<(String, Vec<i16>)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("prompts"), root.join("deploy/demo")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".8k.wav") {
                found.push((path.display().to_string(), clip(&path)));
            }
        }
    }
    assert!(found.len() > 80, "{} clips", found.len());
    found
}

#[test]
fn speech_and_music_are_no_keys_at_any_level_and_speed() {
    for (name, pcm) in clips() {
        for (gain, speed) in [(1.0, 1.0), (0.35, 1.0), (3.0, 1.0), (1.0, 0.93), (1.0, 1.08), (1.0, 1.17)] {
            let length = (pcm.len() as f64 / speed) as usize - 1;
            let changed: Vec<i16> = (0..length)
                .map(|n| {
                    let at = n as f64 * speed;
                    let (here, next) = (f64::from(pcm[at as usize]), f64::from(pcm[at as usize + 1]));
                    (gain * (here + (next - here) * at.fract())).clamp(-32_768.0, 32_767.0) as i16
                })
                .collect();
            assert_eq!(heard(&changed), "", "{name}, gain {gain}, speed {speed}");
        }
    }
}

#[test]
fn pieces_of_any_length_give_the_same() {
    let pcm = press(ALL, USUAL, 5);
    for length in [1, 80, 333, 480] {
        let mut detector = ToneDetector::new();
        let told: String =
            pcm.chunks(length).filter_map(|piece| detector.push(piece)).map(Digit::as_char).collect();
        assert_eq!(told, ALL, "pieces of {length}");
    }
    assert_eq!(heard(&vec![i16::MIN; 4_000]), "");
}

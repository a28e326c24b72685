//! Are the recordings whole? Each packet says of itself which it is, so a recording can be held against what the
//! other side heard: every packet that was relayed must be in it, octet by octet, in its place, and both sides must lie
//! beside each other as they were said.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use sayso::media::g711::pcm_to_alaw;
use serde::Serialize;
use serde_json::Value;

use crate::report::Report;
use crate::rtp::{Listener, Mark, mark_of_audio};
use crate::server::Server;

/// Samples of a packet.
const FRAME: usize = 160;
/// Nanoseconds of a sample.
const SAMPLE: i64 = 125_000;
/// Sealing, uploading and storing must be over by then.
const STORED: Duration = Duration::from_secs(120);

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Checked {
    /// Calls that were to be recorded.
    pub(crate) expected: u32,
    /// Recordings that are stored.
    pub(crate) stored: u32,
    /// Recordings that were taken out and looked into; the others were only counted.
    pub(crate) looked_into: u32,
    /// Packets in them.
    pub(crate) packets: u64,
    /// Packets that were relayed and are not in the recording.
    pub(crate) missing: u64,
    /// Those of `missing` in recordings that list no gap.
    pub(crate) unmarked: u64,
    /// Packets not where their number says, or with other octets.
    pub(crate) misplaced: u64,
    /// Milliseconds by which the sides of a recording are shifted against each other, at most.
    pub(crate) skew_ms: f64,
}

impl Checked {
    /// Whether all is there.
    pub(crate) fn is_whole(&self) -> bool {
        self.stored == self.expected && self.missing == 0 && self.misplaced == 0 && self.looked_into > 0
    }

    /// In words.
    pub(crate) fn sentence(&self) -> String {
        format!(
            "{} of {} stored; in {} of them {} packets, {} missing ({} unmarked), {} misplaced, skew {:.1} ms",
            self.stored,
            self.expected,
            self.looked_into,
            self.packets,
            self.missing,
            self.unmarked,
            self.misplaced,
            self.skew_ms
        )
    }
}

/// Waits until the calls' recordings are stored, and looks into `sample` of them (all, if there are fewer).
pub(crate) fn recordings(server: &Server, report: &Report, sample: u32) -> Result<Checked> {
    let rows = stored(server, report.connected)?;
    let step = (rows.len() / sample.max(1) as usize).max(1);
    let mut checked = Checked { expected: report.connected, stored: rows.len() as u32, ..Checked::default() };
    let chosen: Vec<&Value> = rows.iter().step_by(step).take(sample as usize).collect();
    let bar = ProgressBar::new(chosen.len() as u64)
        .with_style(ProgressStyle::with_template("recordings       {bar:30} {pos}/{len} {elapsed}")?);
    for row in chosen {
        let id = row["id"].as_str().context("a recording without an id")?;
        let file = server.dir().join("taken-out.wav");
        server.sayso(&["recordings", "export", id, "--to", file.to_str().context("the folder's name")?])?;
        let marked = row["gaps"].as_array().is_some_and(|gaps| !gaps.is_empty());
        checked.look_into(&channels(&file)?, report, marked)?;
        std::fs::remove_file(&file)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(checked)
}

/// The recordings that are stored, once there are enough or nothing comes any more.
fn stored(server: &Server, expected: u32) -> Result<Vec<Value>> {
    let end = Instant::now() + STORED;
    loop {
        let lines =
            server.sayso(&["recordings", "list", "--state", "stored", "--json", "--limit", "100000"])?;
        let rows: Vec<Value> =
            lines.lines().map(serde_json::from_str).collect::<Result<_, _>>().context("recordings list")?;
        if rows.len() as u32 >= expected || Instant::now() >= end {
            return Ok(rows);
        }
        std::thread::sleep(Duration::from_millis(500)); // between two looks there is no event to wait for
    }
}

/// Caller and agent, as A-law: what was decoded from it becomes the same octets again.
fn channels(file: &Path) -> Result<[Vec<u8>; 2]> {
    let wav = hound::WavReader::open(file).with_context(|| file.display().to_string())?;
    let spec = wav.spec();
    ensure!(
        (spec.channels, spec.sample_rate, spec.bits_per_sample) == (2, 8_000, 16),
        "only recordings of PCM can be looked into, and this is {spec:?}"
    );
    let mut channels = [Vec::new(), Vec::new()];
    for (n, sample) in wav.into_samples::<i16>().enumerate() {
        channels[n % 2].push(pcm_to_alaw(sample?));
    }
    Ok(channels)
}

impl Checked {
    fn look_into(&mut self, channels: &[Vec<u8>; 2], report: &Report, marked: bool) -> Result<()> {
        let [caller, agent] = [&channels[0], &channels[1]].map(|octets| packets(octets));
        let call = caller.first().context("nothing of the caller is in a recording")?.1.call;
        let heard = report.heard.iter().find(|heard| heard.call == call);
        let heard = heard.with_context(|| format!("a recording of call {call}, which was none"))?;
        let mut missing = 0;
        for (channel, octets, relayed) in
            [(&caller, &channels[0], &heard.to_agent), (&agent, &channels[1], &heard.to_caller)]
        {
            missing += absent(channel, call, relayed);
            self.misplaced += misplaced(channel, octets);
            self.packets += channel.len() as u64;
        }
        self.missing += missing;
        self.unmarked += if marked { 0 } else { missing };
        self.looked_into += 1;
        if let Some(skew) = skew(&caller, &agent) {
            self.skew_ms = self.skew_ms.max(skew);
        }
        Ok(())
    }
}

/// The packets in a channel, with their places.
fn packets(octets: &[u8]) -> Vec<(usize, Mark)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at + FRAME <= octets.len() {
        match mark_of_audio(&octets[at..at + FRAME]) {
            Some(mark) => {
                found.push((at, mark));
                at += FRAME;
            }
            None => at += 1,
        }
    }
    found
}

/// How many packets that were relayed are not there.
fn absent(there: &[(usize, Mark)], call: u32, relayed: &Listener) -> u64 {
    let mut recorded = Listener::default();
    there.iter().filter(|(_, mark)| mark.call == call).for_each(|(_, mark)| recorded.note(mark.number));
    relayed.numbers().filter(|number| !recorded.has(*number)).count() as u64
}

/// How many are not as far from the one before as their numbers say, or have other octets than were sent.
fn misplaced(there: &[(usize, Mark)], octets: &[u8]) -> u64 {
    let steps = there.windows(2).filter(|pair| {
        let [(before, earlier), (at, mark)] = [pair[0], pair[1]];
        i64::from(mark.number) - i64::from(earlier.number) != (at - before) as i64 / FRAME as i64
            || !(at - before).is_multiple_of(FRAME)
    });
    // After the mark all is silence.
    let other = there.iter().filter(|(at, _)| octets[at + 24..at + FRAME].iter().any(|octet| *octet != 0xd5));
    (steps.count() + other.count()) as u64
}

/// By how many milliseconds the sides are shifted: the median of where packets lie against when they were sent.
fn skew(caller: &[(usize, Mark)], agent: &[(usize, Mark)]) -> Option<f64> {
    let median = |side: &[(usize, Mark)]| {
        let mut offsets: Vec<i64> =
            side.iter().map(|(at, mark)| *at as i64 * SAMPLE - mark.sent as i64).collect();
        offsets.sort_unstable();
        offsets.get(offsets.len() / 2).copied()
    };
    Some((median(caller)? - median(agent)?).abs() as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::Talker;
    use crate::worker::CallHeard;

    /// A channel of `count` packets of call 3, the first at `at`; and what was heard.
    fn said(count: u32, at: usize, leave_out: Option<u32>) -> (Vec<u8>, Listener) {
        let (mut talker, mut listener) = (Talker::new(1), Listener::default());
        let mut octets = vec![0xd5; at];
        let mut buffer = [0; 172];
        for n in 0..count {
            talker.packet(3, u64::from(n) * 20_000_000, &mut buffer);
            listener.note(n);
            if leave_out == Some(n) {
                octets.extend([0xd5; FRAME]);
            } else {
                octets.extend(&buffer[12..]);
            }
        }
        (octets, listener)
    }

    fn look(leave_out: Option<u32>, late: usize) -> Checked {
        let ((caller, to_agent), (agent, to_caller)) = (said(50, 0, None), said(50, late, leave_out));
        let report = Report { heard: vec![CallHeard { call: 3, to_agent, to_caller }], ..Report::default() };
        let mut checked = Checked { expected: 1, stored: 1, ..Checked::default() };
        checked.look_into(&[caller, agent], &report, false).expect("a recording of call 3");
        checked
    }

    #[test]
    fn a_whole_recording_is_whole() {
        let checked = look(None, 80);
        assert!(checked.is_whole(), "{checked:?}");
        assert_eq!((checked.packets, checked.skew_ms), (100, 10.0));
    }

    #[test]
    fn what_is_missing_or_changed_is_seen() {
        let checked = look(Some(20), 0);
        assert_eq!((checked.missing, checked.unmarked, checked.misplaced), (1, 1, 0));
        assert!(!checked.is_whole());
        let (mut octets, _) = said(10, 0, None);
        octets[FRAME * 4 + 100] = 0x55;
        octets.insert(FRAME * 7, 0xd5); // a sample too many
        assert_eq!(misplaced(&packets(&octets), &octets), 2);
    }

    #[test]
    fn alaw_survives_the_recording() {
        let table = &sayso::media::g711::ALAW_TO_PCM;
        assert!((0..=255u8).all(|octet| pcm_to_alaw(table[usize::from(octet)]) == octet));
    }
}

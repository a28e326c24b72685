//! The judge: writes pairs of WAV files and has `deploy/pesq/score.py` score them all.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Quieter samples than this at the beginning are no speech.
const SPEECH: u16 = 150;

/// A pair that was handed in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket(usize);

/// Collects pairs, then scores them.
pub(super) struct Judge {
    dir: tempfile::TempDir,
    pairs: Vec<(PathBuf, PathBuf)>,
    /// References by what they are called: each is written once.
    references: HashMap<(&'static str, u32), PathBuf>,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), pairs: Vec::new(), references: HashMap::new() }
    }

    /// Hands in what was heard of a clip: both at `rate`, 8,000 (narrowband) or 16,000 (wideband).
    pub(super) fn hand_in(&mut self, clip: &'static str, said: &[i16], heard: &[i16], rate: u32) -> Ticket {
        let place = self.dir.path().join(format!("{clip}-{rate}.wav"));
        let reference = self.references.entry((clip, rate)).or_insert_with(|| {
            write(&place, said, rate);
            place
        });
        let heard_at = self.dir.path().join(format!("{}.wav", self.pairs.len()));
        write(&heard_at, from_speech(heard, rate), rate);
        self.pairs.push((reference.clone(), heard_at));
        Ticket(self.pairs.len() - 1)
    }

    /// MOS-LQO of all, by ticket.
    pub(super) fn scores(self) -> Scores {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(root.join("target/tools/pesq/bin/python"));
        command.arg(root.join("deploy/pesq/score.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            command.spawn().unwrap_or_else(|e| panic!("PESQ does not start ({e}): run `make tools`"));
        let lines: String = self
            .pairs
            .iter()
            .map(|(said, heard)| format!("{}\t{}\n", said.display(), heard.display()))
            .collect();
        let mut stdin = child.stdin.take().expect("stdin is piped");
        stdin.write_all(lines.as_bytes()).expect("it reads to the end first");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "PESQ: {}", output.status);
        let rows = crate::harness::server::rows(&output);
        assert_eq!(rows.len(), self.pairs.len(), "a score for each pair");
        let score = |row: &Value| row["mos_lqo"].as_f64().expect("a score");
        Scores(rows.iter().map(score).collect())
    }
}

/// See [`Judge::scores`].
pub(super) struct Scores(Vec<f64>);

impl Scores {
    pub(super) fn of(&self, ticket: Ticket) -> f64 {
        self.0[ticket.0]
    }
}

/// From a quarter of a second before the first speech on: how long a phone waited for it is no matter.
fn from_speech(heard: &[i16], rate: u32) -> &[i16] {
    let first = heard.iter().position(|sample| sample.unsigned_abs() > SPEECH).unwrap_or(0);
    &heard[first.saturating_sub(rate as usize / 4)..]
}

fn write(path: &Path, samples: &[i16], rate: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).expect("the folder is writable");
    samples.iter().for_each(|sample| wav.write_sample(*sample).expect("it is written"));
    wav.finalize().expect("it is whole");
}

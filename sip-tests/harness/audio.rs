//! Ears: makes speech clips, and finds what one side said in what another side heard by windowed
//! normalised cross-correlation with a search for the lag.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use sayso::media::g711;

/// Samples a second, everywhere in these tests.
pub(crate) const RATE: usize = 8000;

/// A window of half a second: long enough that speech is unmistakable (0.5 s at another place scores
/// under 0.6), short enough that a slip of a jitter buffer spoils one window and not all.
const WINDOW: usize = RATE / 2;

/// Windows quieter than this (RMS of 16-bit samples) hold no speech and are not judged.
const SPEECH: f64 = 200.0;

/// The two speakers' clips: speech with pauses, at least 50 s, 8 kHz mono.
pub(crate) struct Clips {
    pub(crate) caller: PathBuf,
    pub(crate) agent: PathBuf,
    dir: tempfile::TempDir,
}

impl Clips {
    /// A-law bytes of the caller's clip, as sipp's `rtp_stream` wants them.
    pub(crate) fn caller_alaw(&self) -> PathBuf {
        self.dir.path().join("caller.alaw")
    }
}

const CALLER: &str = "Good morning. I am calling about my order of seven green chairs. They should have come \
    last Thursday, but the driver found nobody at home. My neighbour saw the lorry turn round at the old bridge. \
    Could you please tell me when they will try again? I shall be at home on Friday after four, and all of Saturday.";
const AGENT: &str = "Thank you for waiting, this is the customer desk. Let me look that up for you. I can see \
    the delivery here, with a note that says address unknown. Would you spell the name of your street once more? \
    Very well, I have changed it, and the next tour through your village leaves the depot on Friday at noon.";

/// The clips, made once per test process with flite and sox.
pub(crate) fn clips() -> &'static Clips {
    static CLIPS: OnceLock<Clips> = OnceLock::new();
    CLIPS.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let make = |name: &str, voice: &str, text: &str| {
            let (raw, clip) =
                (dir.path().join(format!("{name}-raw.wav")), dir.path().join(format!("{name}.wav")));
            run(Command::new("flite").args(["-voice", voice, "-t", text, "-o"]).arg(&raw));
            // Thrice the text, with a second of quiet before each, then quiet: baresip hangs up at a file's end.
            let effects =
                ["highpass", "200", "norm", "-3", "pad", "1", "1", "repeat", "2", "pad", "0", "120"];
            run(Command::new("sox").arg(&raw).args(["-r", "8000", "-c1", "-b16"]).arg(&clip).args(effects));
            clip
        };
        let caller = make("caller", "slt", CALLER);
        let agent = make("agent", "rms", AGENT);
        let raw: Vec<u8> = read(&caller).iter().map(|s| g711::pcm_to_alaw(*s)).collect();
        std::fs::write(dir.path().join("caller.alaw"), raw).expect("the folder is writable");
        Clips { caller, agent, dir }
    })
}

fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(Stdio::null()).status();
    let program = command.get_program().to_string_lossy().into_owned();
    assert!(done.is_ok_and(|status| status.success()), "{program} failed: run `make tools`");
}

/// The samples of a mono WAV file.
pub(crate) fn read(path: &Path) -> Vec<i16> {
    let [samples] = <[Vec<i16>; 1]>::try_from(channels(path)).expect("a mono file");
    samples
}

/// The samples of a WAV file of any rate and number of channels, brought to 8 kHz mono.
pub(crate) fn read_any(path: &Path) -> Vec<i16> {
    let spec = hound::WavReader::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).spec();
    if (spec.sample_rate as usize, spec.channels) == (RATE, 1) {
        return read(path);
    }
    let narrow = path.with_extension("8k.wav");
    run(Command::new("sox").arg(path).args(["-r", "8000", "-c1", "-b16"]).arg(&narrow));
    read(&narrow)
}

/// The channels of a WAV file at 8 kHz, 16 bits.
pub(crate) fn channels(path: &Path) -> Vec<Vec<i16>> {
    let mut wav = hound::WavReader::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let spec = wav.spec();
    assert_eq!((spec.sample_rate, spec.bits_per_sample), (8000, 16), "{}", path.display());
    let mut channels = vec![Vec::new(); usize::from(spec.channels)];
    for (i, sample) in wav.samples::<i16>().enumerate() {
        channels[i % usize::from(spec.channels)].push(sample.expect("a readable sample"));
    }
    channels
}

/// A window of `pattern`, where it was found, and how alike the two are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// First sample in the pattern.
    pub(crate) at: usize,
    /// How much later it stands in the other signal.
    pub(crate) lag: isize,
    /// Normalised cross-correlation, 1.0 for the same but for loudness.
    pub(crate) score: f64,
}

/// How well one signal was found in another.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) windows: Vec<Window>,
}

impl Found {
    /// The least alike window.
    pub(crate) fn worst(&self) -> f64 {
        self.windows.iter().map(|w| w.score).fold(1.0, f64::min)
    }

    /// The lag range in samples over all windows.
    pub(crate) fn lags(&self) -> (isize, isize) {
        let lags = || self.windows.iter().map(|w| w.lag);
        (lags().min().unwrap_or(0), lags().max().unwrap_or(0))
    }

    /// Asserts at least `windows` windows of speech, all of them alike to `least`, save a share of
    /// `slips` that a receiver's jitter buffer may have cut or stretched.
    pub(crate) fn assert(&self, what: &str, windows: usize, least: f64, slips: f64) {
        assert!(
            self.windows.len() >= windows,
            "{what}: {} windows of speech, {windows} wanted",
            self.windows.len()
        );
        let place =
            |w: &Window| format!("{:.3} at {:.1} s, lag {}", w.score, w.at as f64 / RATE as f64, w.lag);
        let bad: Vec<_> = self.windows.iter().filter(|w| w.score < least).map(place).collect();
        let allowed = (slips * self.windows.len() as f64).floor() as usize;
        assert!(
            bad.len() <= allowed,
            "{what}: {} of {} windows under {least}: {bad:?}",
            bad.len(),
            self.windows.len()
        );
    }
}

/// Finds every window of speech of `pattern` in `within`. The first lag is searched everywhere, the
/// next ones near the last, and everywhere within a second once more where that fails.
pub(crate) fn find(pattern: &[i16], within: &[i16]) -> Found {
    let mut windows = Vec::new();
    let Some(mut lag) = coarse_lag(pattern, within) else { return Found { windows } };
    for at in (0..(pattern.len() + 1).saturating_sub(WINDOW)).step_by(WINDOW) {
        let window = &pattern[at..at + WINDOW];
        if rms(window) < SPEECH {
            continue;
        }
        let near = |reach: isize| {
            (lag - reach..=lag + reach)
                .filter_map(|lag| Some(Window { at, lag, score: score(window, within, at, lag)? }))
                .max_by(|a, b| a.score.total_cmp(&b.score))
        };
        // A window that was cut off at either end of the other signal cannot be judged.
        let Some(mut best) = near(40) else { continue };
        if best.score < 0.99 {
            best = near(RATE as isize).unwrap_or(best);
        }
        if best.score > 0.9 {
            lag = best.lag;
        }
        windows.push(best);
    }
    Found { windows }
}

fn score(window: &[i16], within: &[i16], at: usize, lag: isize) -> Option<f64> {
    let from = usize::try_from(at as isize + lag).ok()?;
    let other = within.get(from..from + window.len())?;
    let (mut xy, mut xx, mut yy) = (0i64, 0i64, 0i64);
    for (x, y) in window.iter().zip(other) {
        let (x, y) = (i64::from(*x), i64::from(*y));
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    let norm = (xx as f64).sqrt() * (yy as f64).sqrt();
    Some(if norm == 0.0 { 0.0 } else { xy as f64 / norm })
}

/// How much later the first speech of `pattern` stands in `within`: both thinned to 1 kHz, 3 s of
/// pattern slid over everything.
fn coarse_lag(pattern: &[i16], within: &[i16]) -> Option<isize> {
    const THIN: usize = 8;
    let thin = |signal: &[i16]| -> Vec<f32> {
        signal
            .chunks_exact(THIN)
            .map(|c| c.iter().map(|s| f32::from(*s)).sum::<f32>() / THIN as f32)
            .collect()
    };
    let first = (0..pattern.len().saturating_sub(WINDOW))
        .step_by(THIN * 10)
        .find(|at| rms(&pattern[*at..at + WINDOW]) >= SPEECH)?;
    let first = first - first % THIN;
    let long = (3 * RATE).min(pattern.len() - first);
    let (needle, hay) = (thin(&pattern[first..first + long]), thin(within));
    let mut best = (0.0f32, None);
    for from in 0..(hay.len() + 1).saturating_sub(needle.len()) {
        let other = &hay[from..from + needle.len()];
        let xy: f32 = needle.iter().zip(other).map(|(x, y)| x * y).sum();
        let yy: f32 = other.iter().map(|y| y * y).sum();
        let alike = if yy > 0.0 { xy / yy.sqrt() } else { 0.0 };
        if alike > best.0 {
            best = (alike, Some((from * THIN) as isize - first as isize));
        }
    }
    best.1
}

/// Root mean square of samples.
pub(crate) fn rms(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}

#[test]
fn speech_is_found_where_it_is_and_nowhere_else() {
    let (caller, agent) = (read(&clips().caller), read(&clips().agent));
    let said = &caller[..12 * RATE];
    // Heard 1.2 s later, over A-law, half as loud, 20 ms lost in the middle.
    let mut heard: Vec<i16> = vec![0; 9_600];
    heard.extend(said.iter().map(|s| g711::ALAW_TO_PCM[usize::from(g711::pcm_to_alaw(*s / 2))]));
    let found = find(said, &heard);
    found.assert("the whole clip", 12, 0.99, 0.0);
    assert_eq!(found.lags(), (9_600, 9_600));
    heard.drain(60_000..60_160);
    let found = find(said, &heard);
    assert!(found.worst() < 0.99, "a gap spoils its window");
    found.assert("all but the gap's window", 12, 0.99, 0.1);
    assert_eq!(found.lags(), (9_440, 9_600));
    assert!(find(said, &agent[..20 * RATE]).windows.iter().all(|w| w.score < 0.8), "another speaker");
    assert!(find(said, &vec![0; 20 * RATE]).windows.is_empty(), "silence");
}

/// A minute of a tone: a voice that is told from all others.
pub(crate) fn tone(hz: f64) -> std::sync::Arc<Vec<i16>> {
    let step = std::f64::consts::TAU * hz / RATE as f64;
    std::sync::Arc::new((0..60 * RATE).map(|n| ((step * n as f64).sin() * 8_000.0) as i16).collect())
}

/// Seconds of `signal` in which the tone of this pitch stands out: windows of 50 ms with at least a quarter of
/// their energy in it.
pub(crate) fn seconds_of(hz: f64, signal: &[i16]) -> f64 {
    let window = RATE / 20;
    let holds = |window: &&[i16]| {
        let energy: f64 = window.iter().map(|s| f64::from(*s).powi(2)).sum();
        let step = std::f64::consts::TAU * hz / RATE as f64;
        let (mut cosine, mut sine) = (0.0, 0.0);
        for (n, sample) in window.iter().enumerate() {
            cosine += f64::from(*sample) * (step * n as f64).cos();
            sine += f64::from(*sample) * (step * n as f64).sin();
        }
        let share = 2.0 * (cosine.powi(2) + sine.powi(2)) / (window.len() as f64 * energy.max(1.0));
        energy / window.len() as f64 > 10_000.0 && share > 0.25
    };
    signal.chunks_exact(window).filter(holds).count() as f64 * 0.05
}

#[test]
fn tones_are_told_apart() {
    let (one, other) = (tone(400.0), tone(700.0));
    let both: Vec<i16> = one.iter().zip(other.iter()).map(|(a, b)| (a / 2) + (b / 2)).collect();
    for (signal, low, high) in [(&*one, 60.0, 0.0), (&*other, 0.0, 60.0), (&both, 60.0, 60.0)] {
        assert_eq!((seconds_of(400.0, signal), seconds_of(700.0, signal)), (low, high));
    }
    assert_eq!(seconds_of(400.0, &[0; 8000]), 0.0);
}

/// A voice for a browser's microphone: beeps of a pitch, a clip to be said over and over. A lasting tone would be
/// taken for noise by the browser, and be taken out.
pub(crate) fn beeps(hz: f64) -> PathBuf {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| tempfile::tempdir().expect("a folder"));
    let path = dir.path().join(format!("{hz}.wav"));
    // Made anew by each that asks, whole before it has its name.
    let part = path.with_extension(super::phone::unique("part"));
    let rate = 48_000u32;
    let (beep, pause) = (rate / 4, rate / 10);
    let mut wav = writer(&part, rate);
    for n in 0..40 * (beep + pause) {
        let at = n % (beep + pause);
        let edge = f64::from(at.min(beep.saturating_sub(at))) / f64::from(rate / 100);
        let wave = (std::f64::consts::TAU * hz * f64::from(n) / f64::from(rate)).sin();
        wav.write_sample((wave * 12_000.0 * edge.min(1.0)) as i16).expect("it is written");
    }
    wav.finalize().expect("it is whole");
    std::fs::rename(&part, &path).expect("the folder is writable");
    path
}

/// The agent's clip for a browser's microphone, and the same twice over at 8 kHz, in which whatever it said in one
/// go stands.
pub(crate) fn spoken() -> &'static (PathBuf, Vec<i16>) {
    static SPOKEN: OnceLock<(PathBuf, Vec<i16>)> = OnceLock::new();
    SPOKEN.get_or_init(|| {
        let mut samples = read(&clips().agent);
        samples.truncate(samples.len() - 120 * RATE); // the quiet that baresip needs
        let path = clips().agent.with_extension("spoken.wav");
        let mut wav = writer(&path, RATE as u32);
        samples.iter().for_each(|sample| wav.write_sample(*sample).expect("it is written"));
        wav.finalize().expect("it is whole");
        (path, samples.repeat(2))
    })
}

fn writer(path: &Path, rate: u32) -> hound::WavWriter<std::io::BufWriter<std::fs::File>> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    hound::WavWriter::create(path, spec).expect("the folder is writable")
}

//! `sayso-load count`: how many instructions one step of each hot path takes, by valgrind's callgrind. Seconds differ from
//! run to run, these hardly; `make test` holds them against `benches/instructions.toml`.
//!
//! The binary runs itself under valgrind, a path each (`--here`), and callgrind counts within one function only
//! ([`Path::function`]), in all threads. Valgrind has a processor of its own that it shows to programs, so the same
//! binary gives the same counts on another machine, as long as that has AVX2 or neither has; other compilers give others.
//! Hence a baseline for each machine, compiler and build profile.

mod baseline;
mod paths;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use serde_json::json;

use baseline::{Baseline, Key};
pub(crate) use paths::Path;

/// A count may differ so much from the baseline, in percent: more is a regression, less a reason to write a new one.
const TOLERANCE: f64 = 5.0;

/// What is counted and what with.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this path; all of them otherwise.
    #[arg(value_enum)]
    path: Option<Path>,
    /// Write what was counted as the new baseline of this machine and compiler.
    #[arg(long)]
    write: bool,
    /// Where the baselines are.
    #[arg(long, default_value = "benches/instructions.toml")]
    file: PathBuf,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Run the path in this process, not under valgrind (which runs this).
    #[arg(long, hide = true, requires = "path")]
    here: bool,
}

/// One path's count.
#[derive(Debug, Serialize)]
struct Counted {
    path: &'static str,
    /// Instructions for a step.
    instructions: u64,
    /// What the baseline says; `None`: it has none for this machine and compiler.
    baseline: Option<u64>,
    /// How far off, in percent of the baseline.
    off_percent: Option<f64>,
}

impl Counted {
    fn is_off(&self) -> bool {
        self.off_percent.is_some_and(|off| off.abs() > TOLERANCE)
    }
}

/// What a run under valgrind says of itself.
#[derive(serde::Deserialize, Serialize)]
struct Ran {
    steps: u64,
    machine: String,
}

/// Counts; whether no path is off its baseline.
pub(crate) fn count(options: &Options) -> Result<bool> {
    if let (true, Some(path)) = (options.here, options.path) {
        let ran = Ran { steps: path.run()?, machine: baseline::machine() };
        println!("{}", serde_json::to_string(&ran)?);
        return Ok(true);
    }
    let paths: Vec<Path> = options.path.map_or_else(|| Path::ALL.to_vec(), |path| vec![path]);
    let mut file = Baseline::read(&options.file)?;
    let mut counts = Vec::new();
    let mut key = None;
    for path in paths {
        let (instructions, machine) = under_valgrind(path)?;
        let of = key.get_or_insert(Key::of(machine)?);
        counts.push((path, instructions, file.find(of, path.word())));
    }
    let key = key.context("nothing was counted")?;
    let counts: Vec<Counted> = counts
        .into_iter()
        .map(|(path, instructions, baseline)| Counted {
            path: path.word(),
            instructions,
            baseline,
            off_percent: baseline.map(|before| (instructions as f64 / before as f64 - 1.0) * 100.0),
        })
        .collect();
    if options.write {
        file.set(&key, counts.iter().map(|counted| (counted.path.to_owned(), counted.instructions)));
        file.write(&options.file)?;
    }
    let good = options.write || !counts.iter().any(Counted::is_off);
    print(options, &key, &counts, good);
    Ok(good)
}

fn print(options: &Options, key: &Key, counts: &[Counted], good: bool) {
    let advice = advice(options, key, counts, good);
    if options.json {
        println!("{}", json!({ "key": key, "counts": counts, "good": good, "advice": advice }));
        return;
    }
    println!("{key}\n{:<12}{:>14}{:>14}{:>10}", "", "instructions", "baseline", "");
    for Counted { path, instructions, baseline, off_percent } in counts {
        let before = baseline.map_or_else(|| "-".to_owned(), |before| before.to_string());
        let off = off_percent.map_or_else(String::new, |off| format!("{off:+.2} %"));
        println!("{path:<12}{instructions:>14}{before:>14}{off:>10}");
    }
    if let Some(advice) = advice {
        println!("{advice}");
    }
}

/// What a person should do now.
fn advice(options: &Options, key: &Key, counts: &[Counted], good: bool) -> Option<String> {
    let file = options.file.display();
    if options.write {
        return Some(format!("written to {file}: commit it, and say in the message why it changed"));
    }
    if !good {
        return Some(format!(
            "more than {TOLERANCE} % off the baseline in {file}. Fewer, or more for a good reason: `make \
             instructions` writes a new baseline (`sayso-load count --write`), commit it with the reason. Otherwise \
             `valgrind --tool=callgrind target/release/sayso-load count PATH --here` and `callgrind_annotate` show \
             where they go"
        ));
    }
    let has_none = counts.iter().any(|counted| counted.baseline.is_none());
    has_none.then(|| format!("{file} has no baseline for {key}: `make instructions` writes one; commit it"))
}

/// Instructions of a step, and the machine that valgrind shows.
fn under_valgrind(path: Path) -> Result<(u64, String)> {
    let own = std::env::current_exe().context("where this program is")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={}", path.function()))
        .arg(&own)
        .args(["count", path.word(), "--here"])
        .stdin(Stdio::null())
        .output()
        .context("valgrind does not start: `make tools` installs it")?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} under valgrind: {}: {told}", path.word(), output.status);
    let ran: Ran = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("what it said: {}", String::from_utf8_lossy(&output.stdout)))?;
    let all = collected(&told).with_context(|| format!("callgrind counted nothing: {told}"))?;
    ensure!(
        all > ran.steps && ran.steps > 0,
        "{}: {all} instructions for {} steps: is `{}` still there, and not inlined?",
        path.word(),
        ran.steps,
        path.function()
    );
    Ok((all / ran.steps, ran.machine))
}

/// From callgrind's last lines: `==123== Collected : 4567`.
fn collected(told: &str) -> Option<u64> {
    let line = told.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callgrind_says_is_read() {
        let told = "==7== Events    : Ir\n==7== Collected : 1234567\n==7== \n";
        assert_eq!(collected(told), Some(1_234_567));
        assert_eq!(collected("==7== no such line"), None);
    }

    #[test]
    fn five_percent_either_way_is_off() {
        let counted = |off| Counted { path: "relay", instructions: 1, baseline: Some(1), off_percent: off };
        assert!(counted(Some(5.1)).is_off() && counted(Some(-5.1)).is_off());
        assert!(!counted(Some(4.9)).is_off() && !counted(None).is_off());
    }
}

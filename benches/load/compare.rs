//! `sayso-load compare`: Criterion's figures beside the committed ones (`benches/BASELINE.md`), and writing those anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// What is compared.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where Criterion left its figures.
    #[arg(long, default_value = "target/criterion")]
    criterion: PathBuf,
    /// The committed figures.
    #[arg(long, default_value = "benches/BASELINE.md")]
    baseline: PathBuf,
    /// Write the figures as the new baseline.
    #[arg(long)]
    write: bool,
}

/// Nanoseconds of one go, by name.
type Figures = BTreeMap<String, f64>;

const HEAD: &str = "# What each core costs\n\nWritten by `make baseline` from the Criterion benches in `benches/cores`; `make bench-cores` prints \
     new figures beside these. Times are\nthe median, on one thread; between machines only the shape compares, and on a virtual \
     machine 10 % up or down says nothing.\n\n";

/// Compares, or writes; always true: times are for people to judge.
pub(crate) fn compare(options: &Options) -> Result<bool> {
    let mut now = Figures::new();
    collect(&options.criterion, &mut now)
        .with_context(|| format!("{}: run `cargo bench --bench cores` first", options.criterion.display()))?;
    ensure!(!now.is_empty(), "{} has no figures", options.criterion.display());
    let committed = match std::fs::read_to_string(&options.baseline) {
        Ok(text) => parse(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Figures::new(),
        Err(error) => return Err(error).with_context(|| options.baseline.display().to_string()),
    };
    print!("{}", table(&now, &committed));
    if options.write {
        let text = format!("{HEAD}{}\n\n{}", machine(), written(&now));
        std::fs::write(&options.baseline, text).with_context(|| options.baseline.display().to_string())?;
        println!("written to {}: commit it", options.baseline.display());
    }
    Ok(true)
}

/// All `new/estimates.json` beneath a folder, with their benches' names.
fn collect(dir: &Path, figures: &mut Figures) -> Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if !path.is_dir() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == "new") {
            let read = |name: &str| -> Result<Value> {
                Ok(serde_json::from_slice(&std::fs::read(path.join(name))?)?)
            };
            let (about, estimates) = (read("benchmark.json")?, read("estimates.json")?);
            let name = about["full_id"].as_str().context("a bench without a name")?;
            let median =
                estimates["median"]["point_estimate"].as_f64().context("a bench without a median")?;
            figures.insert(name.to_owned(), median);
        } else {
            collect(&path, figures)?;
        }
    }
    Ok(())
}

/// The rows of a table that was [`written`].
fn parse(text: &str) -> Figures {
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?.to_owned();
        Some((name, cells.next()?.trim_end_matches(" |").parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

fn written(figures: &Figures) -> String {
    let rows = figures.iter().map(|(name, nanos)| format!("| `{name}` | {nanos:.1} |\n"));
    format!("| what | ns |\n|---|---|\n{}", rows.collect::<String>())
}

fn table(now: &Figures, committed: &Figures) -> String {
    let width = now.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("{:<width$}{:>14}{:>14}{:>8}\n", "", "now", "committed", "ratio");
    for (name, nanos) in now {
        let (before, ratio) = match committed.get(name) {
            Some(before) => (time(*before), format!("{:.2}", nanos / before)),
            None => ("-".to_owned(), String::new()),
        };
        text.push_str(&format!("{name:<width$}{:>14}{before:>14}{ratio:>8}\n", time(*nanos)));
    }
    for name in committed.keys().filter(|name| !now.contains_key(*name)) {
        text.push_str(&format!("{name}: committed, not measured\n"));
    }
    text
}

fn time(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.1} ns"),
        n if n < 1e6 => format!("{:.2} us", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}

/// What the figures are of.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model);
    format!("Machine: {model}, {cores} cores, {}.", std::env::consts::OS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_compared() {
        let before: Figures = [("rtp/parse".to_owned(), 10.0), ("gone".to_owned(), 1.0)].into();
        assert_eq!(parse(&format!("{HEAD}{}", written(&before))), before);
        let now: Figures = [("rtp/parse".to_owned(), 12.5), ("new one".to_owned(), 2_500.0)].into();
        let table = table(&now, &before);
        let has = |words: &[&str]| table.lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(has(&["rtp/parse", "12.5 ns", "10.0 ns", "1.25"]), "{table}");
        assert!(has(&["new one", "2.50 us", "-"]) && has(&["gone", "not measured"]), "{table}");
    }

    #[test]
    fn estimates_are_found_in_folders() {
        let dir = std::env::temp_dir().join(format!("sayso-compare-{}", std::process::id()));
        let new = dir.join("rtp/parse/new");
        std::fs::create_dir_all(&new).expect("a folder");
        std::fs::write(new.join("benchmark.json"), r#"{"full_id":"rtp/parse"}"#).expect("written");
        let estimates = r#"{"median":{"point_estimate":7.5}}"#;
        std::fs::write(new.join("estimates.json"), estimates).expect("written");
        let mut figures = Figures::new();
        collect(&dir, &mut figures).expect("read");
        std::fs::remove_dir_all(&dir).expect("removed");
        assert_eq!(figures, [("rtp/parse".to_owned(), 7.5)].into());
    }
}

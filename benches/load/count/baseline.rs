//! `benches/instructions.toml`: what was counted, for each machine, compiler and build profile.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

const HEAD: &str = "# Instructions for one step of each hot path. `make instructions` writes it (`sayso-load count --write`);\n\
     # `make test` fails when a count is more than 5 % off. See benches/README.md.\n\n";

/// What counts depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    /// The processor as valgrind shows it.
    machine: String,
    /// The compiler that made this binary.
    rustc: String,
    /// `release` or `dev`.
    profile: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, rustc {}, {}", self.machine, self.rustc, self.profile)
    }
}

impl Key {
    /// Of this binary, on a machine that calls itself so under valgrind.
    pub(super) fn of(machine: String) -> Result<Self> {
        let own = std::env::current_exe().and_then(std::fs::read).context("this program's file")?;
        let rustc = compiler(&own).unwrap_or_else(|| "unknown".to_owned());
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        Ok(Self { machine, rustc, profile: profile.to_owned() })
    }
}

/// The instruction set this process may use, which under valgrind is what valgrind shows.
pub(super) fn machine() -> String {
    #[cfg(target_arch = "x86_64")]
    let sets = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("aes", std::arch::is_x86_feature_detected!("aes")),
        ("avx512", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let sets: [(&str, bool); 0] = [];
    let names = sets.into_iter().filter(|(_, is)| *is).map(|(name, _)| name);
    [std::env::consts::ARCH].into_iter().chain(names).collect::<Vec<_>>().join("+")
}

/// The version that compilers leave in what they make (`rustc version 1.95.0 (...)`).
fn compiler(binary: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"rustc version ";
    let all = binary.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    all.map(|(at, _)| &binary[at + MARK.len()..]).find_map(|rest| {
        let end = rest.iter().position(|octet| !(octet.is_ascii_alphanumeric() || b".-".contains(octet)))?;
        let version = std::str::from_utf8(&rest[..end]).ok()?;
        version.starts_with(|first: char| first.is_ascii_digit()).then(|| version.to_owned())
    })
}

/// The file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Baseline {
    #[serde(default)]
    counted: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    key: Key,
    /// Instructions for a step, by path.
    instructions: BTreeMap<String, u64>,
}

impl Baseline {
    /// Reads the file; one that is not there has no baselines.
    pub(super) fn read(file: &Path) -> Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text).with_context(|| file.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| file.display().to_string()),
        }
    }

    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let text = format!("{HEAD}{}", toml::to_string(self)?);
        std::fs::write(file, text).with_context(|| file.display().to_string())
    }

    pub(super) fn find(&self, key: &Key, path: &str) -> Option<u64> {
        self.counted.iter().find(|entry| entry.key == *key)?.instructions.get(path).copied()
    }

    /// Sets what was counted; what was not stays as it was.
    pub(super) fn set(&mut self, key: &Key, counts: impl Iterator<Item = (String, u64)>) {
        let at = self.counted.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
            self.counted.push(Entry { key: key.clone(), instructions: BTreeMap::new() });
            self.counted.len() - 1
        });
        self.counted[at].instructions.extend(counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_is_found_by_machine_compiler_and_profile() {
        let key = |rustc: &str| Key {
            machine: "x86_64+avx2".to_owned(),
            rustc: rustc.to_owned(),
            profile: "release".to_owned(),
        };
        let mut file = Baseline::default();
        file.set(&key("1.95.0"), [("relay".to_owned(), 1_000), ("audit".to_owned(), 7)].into_iter());
        file.set(&key("1.96.0"), [("relay".to_owned(), 900)].into_iter());
        file.set(&key("1.95.0"), [("relay".to_owned(), 1_100)].into_iter());
        let read: Baseline = toml::from_str(&toml::to_string(&file).expect("TOML")).expect("read back");
        assert_eq!(read.find(&key("1.95.0"), "relay"), Some(1_100));
        assert_eq!(read.find(&key("1.95.0"), "audit"), Some(7), "what was not counted anew stays");
        assert_eq!(read.find(&key("1.96.0"), "relay"), Some(900));
        assert_eq!(read.find(&key("1.97.0"), "relay"), None);
    }

    #[test]
    fn the_compiler_is_read_from_the_binary() {
        let binary = b"..rustc version \0..rustc version 1.95.0 (59807616e 2026-04-14)\0";
        assert_eq!(compiler(binary), Some("1.95.0".to_owned()));
        assert_eq!(compiler(b"nothing"), None);
    }
}

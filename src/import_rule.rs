//! Checks the map in `lib.rs`: the pure band imports no shell and no clock, shell siblings do not
//! import one another, and only `sip/core/wire.rs` names the SIP parser.

use std::fs;
use std::path::{Path, PathBuf};

const PURE: [&str; 14] = [
    "access",
    "audit",
    "call",
    "certificate",
    "consent",
    "ids",
    "media",
    "privacy",
    "queue",
    "reconcile",
    "retention",
    "settings",
    "sip::core",
    "time",
];

/// Shell modules, and the shell modules they may import; what is not listed may import all.
const SHELL: [(&str, &[&str]); 10] = [
    ("config", &[]),
    ("sip::io", &[]),
    ("engine", &[]),
    ("vault", &[]),
    ("store", &[]),
    ("prompts", &["store"]),
    ("jobs", &["store", "vault", "export"]),
    ("api", &["store", "vault", "jobs", "export", "prompts"]),
    ("export", &["store", "vault"]),
    ("phone", &["sip::io", "prompts"]),
];

/// What the pure band must not name.
const IMPURE: [&str; 9] = [
    "Clock",
    "tokio",
    "std::fs",
    "std::io",
    "std::net::UdpSocket",
    "std::net::Tcp",
    "std::thread",
    "std::env",
    "std::process",
];

#[test]
fn modules_import_only_what_the_map_allows() {
    let mut faults = Vec::new();
    for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let module = module_of(&file);
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let place = format!("{}:{}", file.display(), number + 1);
            check_line(&module, line, &place, &mut faults);
        }
    }
    assert!(faults.is_empty(), "the import rule is broken:\n{}", faults.join("\n"));
}

fn check_line(module: &str, line: &str, place: &str, faults: &mut Vec<String>) {
    let line = line.split("//").next().unwrap_or_default();
    let wire = place.contains("sip/core/wire");
    if line.contains("sipx_sip") && !wire {
        faults.push(format!("{place}: only sip/core/wire names sipx_sip"));
    }
    let is_pure = PURE.contains(&module);
    if is_pure && module != "time" {
        for word in IMPURE.iter().filter(|word| names(line, word)) {
            faults.push(format!("{place}: the pure band must not name {word}"));
        }
    }
    for target in targets(line) {
        let allowed = PURE.contains(&target.as_str())
            || target == module
            || match SHELL.iter().find(|(shell, _)| *shell == module) {
                Some((_, more)) => more.contains(&target.as_str()),
                None => !is_pure,
            };
        if !allowed {
            faults.push(format!("{place}: {module} must not import {target}"));
        }
    }
}

/// Whether `line` names `word` and not merely something that contains it.
fn names(line: &str, word: &str) -> bool {
    let is_name = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        let open = word.starts_with("std::");
        !is_name(line[..at].chars().next_back()) && (open || !is_name(line[at + word.len()..].chars().next()))
    })
}

/// The modules a line refers to as `crate::…`.
fn targets(line: &str) -> Vec<String> {
    let heads = line.split("crate::").skip(1);
    heads
        .filter_map(|rest| {
            let word =
                |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
            let head = word(rest)?;
            if head != "sip" {
                return (!head.is_empty()).then_some(head);
            }
            let part = word(rest.strip_prefix("sip::").unwrap_or_default())?;
            (part == "core" || part == "io").then(|| format!("sip::{part}"))
        })
        .collect()
}

fn module_of(file: &Path) -> String {
    let parts: Vec<String> = file
        .strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .expect("below src")
        .iter()
        .map(|part| part.to_string_lossy().trim_end_matches(".rs").to_owned())
        .collect();
    match parts.as_slice() {
        [sip, part, ..] if sip == "sip" => format!("sip::{part}"),
        [first, ..] => first.clone(),
        [] => String::new(),
    }
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder of sources can be read") {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !is_test(&path) {
            found.push(path);
        }
    }
    found
}

/// Test files, the map and the program may name anything.
fn is_test(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let exempt = ["lib.rs", "main.rs", "import_rule.rs"];
    exempt.contains(&name.as_ref())
        || path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("test"))
}

#[test]
fn the_check_itself_sees_faults() {
    let mut faults = Vec::new();
    check_line("call", "use crate::store::Store;", "call/mod.rs:1", &mut faults);
    check_line("media", "let clock = Clock::start();", "media/mod.rs:1", &mut faults);
    check_line("engine", "use crate::vault::Vault;", "engine/mod.rs:1", &mut faults);
    check_line("sip::core", "use sipx_sip::Uri;", "sip/core/uas.rs:1", &mut faults);
    assert_eq!(faults.len(), 4, "{faults:?}");
    check_line("server", "use crate::{queue, sip};", "server/mod.rs:1", &mut faults);
    check_line("api", "use crate::store::Store;", "api/mod.rs:1", &mut faults);
    assert_eq!(faults.len(), 4, "{faults:?}");
}

//! Instructions of the hot paths, counted under valgrind and held against `benches/instructions.toml`: repeatable where
//! seconds are not. `sayso-load count` does the work.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::server::text;
use crate::harness::shared;

fn count(words: &[&str]) -> (bool, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sayso-load"));
    command.arg("count").args(words).arg("--json");
    command.args(["--file", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.toml")]);
    let output = command.stdin(Stdio::null()).output().expect("sayso-load runs");
    let said = text(&output);
    let value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (output.status.success(), value)
}

/// The counts by path.
fn counts(value: &Value) -> Vec<(&str, u64)> {
    let all = value["counts"].as_array().expect("counts").iter();
    all.map(|of| (of["path"].as_str().expect("a name"), of["instructions"].as_u64().expect("a count")))
        .collect()
}

#[test]
fn hot_paths_take_no_more_instructions_than_before() {
    let _machine = shared();
    let (good, value) = count(&[]);
    let paths: Vec<&str> = counts(&value).iter().map(|(path, _)| *path).collect();
    assert_eq!(paths, ["relay", "recorded", "sip", "chunk", "audit"]);
    assert!(counts(&value).iter().all(|(_, instructions)| *instructions > 100), "{value:#}");
    let of = |wanted| counts(&value).iter().find(|(path, _)| *path == wanted).expect("counted").1;
    assert!(of("recorded") > of("relay"), "the tap is no part of what was counted: {value:#}");
    if let Some(advice) = value["advice"].as_str() {
        eprintln!("{advice}");
    }
    assert!(good, "{}\n{value:#}", value["advice"].as_str().unwrap_or_default());
}

/// What the guard rests on: a second run gives the same. (With the tap up to 2 % more or less, since it places packets by
/// when they came: the 5 % are for that.)
#[test]
fn counts_are_repeatable() {
    let _machine = shared();
    for path in ["relay", "sip", "audit"] {
        let [first, second] = [(); 2].map(|()| counts(&count(&[path]).1)[0].1);
        let off = first.abs_diff(second) as f64 / first as f64;
        assert!(off < 0.01, "{path}: {first} instructions, then {second}");
    }
}

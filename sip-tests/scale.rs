//! What is asked of a database looks up what it finds and goes through nothing else: asked of a database four times as
//! large, it reads no more but for what it finds more. `make bench-scale` asks the same of ten million calls.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::postgres::Cluster;
use crate::harness::server::text;
use crate::harness::shared;

const SMALL: &str = "5000";
const LARGE: &str = "20000";
/// Octets that may be read more for no reason of the question's: deeper indexes, fuller pages, another plan for tables that
/// are no longer small. To go through the calls of the large one is five times as much.
const SLACK: u64 = 2 << 20;
/// Octets for each row found: some pages of indexes and tables.
const A_ROW: u64 = 32 << 10;
/// What is counted is four times as much; that may cost so many times as much.
const COUNTED: u64 = 8;

#[test]
fn sqlite_looks_up_what_it_is_asked_for() {
    let _machine = shared();
    let folder = tempfile::tempdir().unwrap();
    let url = |calls: &str| format!("sqlite:{}", folder.path().join(calls).display());
    compare(&asked(&url(SMALL), SMALL), &asked(&url(LARGE), LARGE));
}

#[test]
fn postgres_looks_up_what_it_is_asked_for() {
    let _machine = shared();
    let cluster = Cluster::shared();
    compare(&asked(&cluster.database(), SMALL), &asked(&cluster.database(), LARGE));
}

/// What `sayso-load scale` finds. It fails for missed bars, which are for a machine of its own: only its answers count.
fn asked(database: &str, calls: &str) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sayso-load"));
    command.args(["scale", "--json", "--audit", "4000", "--calls", calls, "--database", database]);
    let output = command.stdin(Stdio::null()).output().expect("sayso-load runs");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}{}", text(&output), String::from_utf8_lossy(&output.stderr))
    });
    answer["questions"].as_array().expect("questions").clone()
}

fn compare(small: &[Value], large: &[Value]) {
    assert_eq!(small.len(), large.len());
    assert!(large.len() > 40, "{} questions", large.len());
    let mut through = Vec::new();
    for (small, large) in small.iter().zip(large) {
        let number = |of: &Value, key: &str| of[key].as_u64().unwrap_or_else(|| panic!("{key} of {of}"));
        let (name, read) = (&large["question"], number(large, "octets"));
        let (rows, before) = (number(large, "rows"), number(small, "octets"));
        let most = match large["grows_with"].as_str() {
            Some("found") => before + SLACK + A_ROW * rows.saturating_sub(number(small, "rows")),
            Some("counted") => COUNTED * before + SLACK,
            other => panic!("{other:?}"),
        };
        if read > most {
            through.push(format!("{name}: {before}, then {read} octets for {rows} rows; at most {most}"));
        }
    }
    assert!(through.is_empty(), "goes through tables:\n{}", through.join("\n"));
}

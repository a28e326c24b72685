//! The soak, for twenty seconds: every kind of call, transfer and fault at once, and nothing is left of them.
//! `sayso-load soak` runs it for as long as is wanted.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::server::{SAYSO, text};
use crate::harness::{ports, shared};

#[test]
fn a_short_soak_leaves_nothing() {
    let _machine = shared();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sayso-load"));
    command.args(["soak", "--sayso", SAYSO, "--minutes", "0.34", "--lanes", "8", "--json"]);
    let output = command.args(["--first-port", &ports(1000).to_string()]).stdin(Stdio::null()).output();
    let output = output.expect("sayso-load runs");
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output)));
    assert_eq!(report["faults"], Value::Array(Vec::new()), "{report:#}");
    let kinds = report["kinds"].as_object().expect("kinds");
    assert!(
        kinds.len() == 8 && kinds.values().all(|count| count.as_u64() >= Some(1)),
        "all kinds: {kinds:?}"
    );
    for table in report["after"]["tables"].as_array().expect("tables") {
        assert_eq!(*table, 0.0, "{report:#}");
    }
    let files = |when: &str| report[when]["files"].as_u64().expect("a count");
    assert!(files("after") <= files("before"), "{report:#}");
    let looks = report["looks"].as_array().expect("looks");
    assert!(looks.iter().any(|look| look["tables"][0].as_f64() >= Some(4.0)), "calls were there: {looks:?}");
    assert!(output.status.success());
}

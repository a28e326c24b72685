//! Each action of the audit log is asserted where it is caused: some test names it. What no test names yet is listed,
//! and that list only gets shorter.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sayso::audit::ACTIONS;

/// Written, but named by no test.
const NOT_YET: &[&str] = &[
    "agent.state",
    "call.consultation-ended",
    "call.limited",
    "call.returned",
    "consent.override-refused",
    "consent.revoked",
    "consents.reset",
    "job.hurried",
    "leg.admitted",
    "privacy-task.archived",
    "privacy-task.call-refused",
    "privacy-task.file-removed",
    "recording.copies-found",
    "recording.discarded",
    "recording.noise-removed",
    "recording.stray",
    "server.started",
    "server.stopped",
    "trunk.unregistered",
];

#[test]
fn every_action_is_named_in_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    look(&root.join("sip-tests"), &mut tests);
    look(&root.join("src"), &mut tests);
    let named: BTreeSet<&str> =
        ACTIONS.iter().map(|(word, ..)| *word).filter(|word| is_named(&tests, word)).collect();
    let missing: Vec<&str> =
        ACTIONS.iter().map(|(word, ..)| *word).filter(|word| !named.contains(word)).collect();
    assert!(
        named.len() > 50 && !missing.contains(&"recording.listened"),
        "the sources are read: {missing:?}"
    );
    let new: Vec<&&str> = missing.iter().filter(|word| !NOT_YET.contains(word)).collect();
    assert!(new.is_empty(), "no test asserts the rows of these: {new:?}");
    let done: Vec<&&str> = NOT_YET.iter().filter(|word| named.contains(**word)).collect();
    assert!(done.is_empty(), "tests name these: take them off the list: {done:?}");
    let unknown: Vec<&&str> =
        NOT_YET.iter().filter(|word| !ACTIONS.iter().any(|(known, ..)| known == *word)).collect();
    assert!(unknown.is_empty(), "nothing writes these any more: {unknown:?}");
}

/// `"word"`; `"word ` or ` word"` where a test compares whole lines.
fn is_named(tests: &str, word: &str) -> bool {
    ["\"", "\\\"", " "].iter().any(|end| tests.contains(&format!("\"{word}{end}")))
        || tests.contains(&format!(" {word}\""))
}

/// All tests below a folder: files of tests, and the tests at the end of others.
fn look(folder: &Path, tests: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            look(&path, tests);
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("actions.rs") {
            let text = fs::read_to_string(&path).expect("a source");
            let own =
                path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(&path).to_string_lossy().into_owned();
            let of_tests = own.contains("test"); // `sip-tests/`, `tests/`, `…_tests.rs`, `tests.rs`
            let part = if of_tests {
                Some(text.as_str())
            } else {
                text.split_once("#[cfg(test)]\nmod ").map(|(_, it)| it)
            };
            tests.push_str(part.unwrap_or_default());
        }
    }
}

//! Each action of the audit log is asserted where it is caused: some test names it.

use std::fs;
use std::path::Path;

use sayso::audit::ACTIONS;

#[test]
fn every_action_is_named_in_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    look(&root.join("sip-tests"), &mut tests);
    look(&root.join("src"), &mut tests);
    let missing: Vec<&str> =
        ACTIONS.iter().map(|(word, ..)| *word).filter(|word| !is_named(&tests, word)).collect();
    assert!(!is_named(&tests, "recording.painted"), "not everything is named");
    assert!(missing.is_empty(), "no test asserts the rows of these: {missing:?}");
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

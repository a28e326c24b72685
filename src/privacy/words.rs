//! The words of a text, as they are searched: without case, and e-mail addresses whole.

use std::collections::BTreeSet;

/// Longer words are cut: nobody looks for more of them, and an index takes no novels.
const LONGEST: usize = 64;
/// So many different words of a text are kept.
const MOST: usize = 256;

/// The words of a text, each once: letters and digits in a row, in lower case, and e-mail addresses whole beside their
/// parts. At most 256 of them, of at most 64 characters.
#[must_use]
pub fn words(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for piece in text.split(|c: char| c.is_whitespace() || ",;:<>()[]{}\"'|=".contains(c)) {
        let piece = piece.trim_matches(|c: char| !c.is_alphanumeric());
        if piece.contains('@') {
            found.insert(cut(&email_key(piece)));
        }
        let parts = piece.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty());
        found.extend(parts.map(|part| cut(&part.to_lowercase())));
    }
    if found.len() > MOST {
        found = found.into_iter().take(MOST).collect();
    }
    found
}

/// An e-mail address as it is compared: without the space around it, without case, and without characters that cannot be
/// shown: no database takes them all.
#[must_use]
pub fn email_key(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).collect::<String>().to_lowercase()
}

fn cut(word: &str) -> String {
    word.chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Vec<String> {
        words(text).into_iter().collect()
    }

    #[test]
    fn words_have_no_case_and_addresses_stay_whole_too() {
        assert_eq!(of("Müller-Lüdenscheidt, ANNA"), ["anna", "lüdenscheidt", "müller"]);
        assert_eq!(of("<Anna@Example.org>"), ["anna", "anna@example.org", "example", "org"]);
        assert_eq!(of("mailto:a.b@example.org."), ["a", "a.b@example.org", "b", "example", "mailto", "org"]);
        assert_eq!(of(" \t--- \n"), [""; 0]);
        assert_eq!(of("a a A"), ["a"]);
        assert_eq!(email_key(" Anna@Example.ORG "), "anna@example.org");
        assert_eq!(email_key("an\0na@b\u{1b}"), "anna@b");
    }

    #[test]
    fn a_novel_gives_no_more_words_than_an_index_should_hold() {
        let novel: String = (0..10_000).map(|n| format!("w{n} ")).collect();
        assert_eq!(words(&novel).len(), MOST);
        assert!(words(&"x".repeat(1_000)).iter().all(|word| word.chars().count() == LONGEST));
    }

    proptest! {
        #[test]
        fn every_word_of_a_text_is_found_by_itself(text in ".{0,200}") {
            for word in words(&text) {
                prop_assert!(!word.is_empty() && word.chars().count() <= LONGEST);
                if !word.contains('@') && word.chars().count() < LONGEST {
                    // What is typed into a search is broken into the same words.
                    prop_assert!(words(&word).iter().all(|again| word.to_lowercase().starts_with(again.as_str())));
                }
            }
        }
    }
}

//! What a search for a person looks for (domain rule 17): the last digits of a number, an e-mail address, a name, a span of
//! dates.

use std::fmt;

use crate::time::Timestamp;

use super::words::{email_key, words};

/// So few digits, or letters of a name, are enough.
const FEWEST: usize = 3;
/// A number has no more digits (E.164).
const MOST_DIGITS: usize = 15;
/// Longer names and addresses are nobody's.
const LONGEST: usize = 254;

/// The last digits of a number, from the last to the first: a number that is stored like that begins with them.
#[derive(Clone, PartialEq, Eq)]
pub struct LastDigits(String);

impl LastDigits {
    /// From what somebody typed; separators (`+ - . / ( )` and spaces) are ignored.
    ///
    /// # Errors
    /// For fewer than three digits, more than fifteen, and anything else between them.
    pub fn parse(text: &str) -> Result<Self, BadSearch> {
        let is_separator = |c: char| c.is_whitespace() || "+-./()".contains(c);
        if !text.chars().all(|c| c.is_ascii_digit() || is_separator(c)) {
            return Err(BadSearch::NotDigits);
        }
        let reversed: String = text.chars().rev().filter(char::is_ascii_digit).collect();
        match reversed.len() {
            0..FEWEST => Err(BadSearch::TooShort),
            FEWEST..=MOST_DIGITS => Ok(Self(reversed)),
            _ => Err(BadSearch::TooLong),
        }
    }

    /// The first reversed number that ends so, and the first behind them all: a range of an index.
    #[must_use]
    pub fn range(&self) -> (String, String) {
        (self.0.clone(), behind(&self.0))
    }
}

impl fmt::Debug for LastDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastDigits(…)")
    }
}

/// A number's digits from the last to the first, as they are indexed.
#[must_use]
pub fn reversed(number: &str) -> String {
    number.chars().rev().filter(char::is_ascii_digit).collect()
}

/// The first text behind all that begin with `prefix`, compared octet by octet.
fn behind(prefix: &str) -> String {
    // No character is higher than the last of Unicode.
    format!("{prefix}\u{10FFFF}")
}

/// Whom a search is for. All that any of these finds is found.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The last digits of a number.
    pub digits: Option<LastDigits>,
    /// An e-mail address, as it is compared.
    pub email: Option<String>,
    /// The words of a name, the longest first; all of them must begin words of who is found.
    pub name: Vec<String>,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

impl Person {
    /// From what somebody typed; what is empty is not looked for.
    ///
    /// # Errors
    /// When nothing is asked for, or too little to find somebody by.
    pub fn parse(number: Option<&str>, email: Option<&str>, name: Option<&str>) -> Result<Self, BadSearch> {
        let filled =
            |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let digits = filled(number).map(|text| LastDigits::parse(&text)).transpose()?;
        let email = filled(email).map(|text| email_key(&text));
        if email.as_ref().is_some_and(|email| email.chars().count() < FEWEST) {
            return Err(BadSearch::TooShort);
        }
        let name = filled(name);
        if [&email, &name].iter().any(|text| text.as_ref().is_some_and(|text| text.chars().count() > LONGEST))
        {
            return Err(BadSearch::TooLong);
        }
        let name = name.map(|name| by_name(&name)).transpose()?.unwrap_or_default();
        if digits.is_none() && email.is_none() && name.is_empty() {
            return Err(BadSearch::Nothing);
        }
        Ok(Self { digits, email, name })
    }

    /// The range of an index of words in which those lie that begin with `word`.
    #[must_use]
    pub fn range_of(word: &str) -> (String, String) {
        (word.to_owned(), behind(word))
    }
}

/// The words of a name, the longest first: it is the one that finds fewest.
fn by_name(name: &str) -> Result<Vec<String>, BadSearch> {
    let mut words: Vec<String> = words(name).into_iter().filter(|word| !word.contains('@')).collect();
    if words.iter().map(|word| word.chars().count()).sum::<usize>() < FEWEST {
        return Err(BadSearch::TooShort);
    }
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    Ok(words)
}

/// A search: whom, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Whom.
    pub person: Person,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Before this.
    pub until: Option<Timestamp>,
}

/// What cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSearch {
    /// Nothing is asked for.
    #[error("say a number, an e-mail address or a name")]
    Nothing,
    /// Too little to find somebody by.
    #[error("at least three digits of a number, or three letters of a name or an address")]
    TooShort,
    /// More than there is.
    #[error("a number has at most 15 digits, a name or an address at most 254 characters")]
    TooLong,
    /// A number with something else in it.
    #[error("a number has digits, and + - . / ( ) or spaces between them")]
    NotDigits,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn separators_are_ignored_and_three_digits_are_enough() {
        for text in ["+49 (30) 123-4567", "4930.123/4567", " 49301234567 "] {
            assert_eq!(
                LastDigits::parse(text).map(|digits| digits.0),
                Ok("76543210394".to_owned()),
                "{text}"
            );
        }
        assert_eq!(LastDigits::parse("5-6-7").map(|digits| digits.0), Ok("765".to_owned()));
        assert_eq!(LastDigits::parse("+ 67"), Err(BadSearch::TooShort));
        assert_eq!(LastDigits::parse("1234567890123456"), Err(BadSearch::TooLong));
        for text in ["12a", "1234' OR 1=1 --", "12%", "12_4", "١٢٣٤"] {
            assert_eq!(LastDigits::parse(text), Err(BadSearch::NotDigits), "{text}");
        }
    }

    #[test]
    fn something_has_to_be_asked_for() {
        assert_eq!(Person::parse(None, Some(" "), Some("")), Err(BadSearch::Nothing));
        assert_eq!(Person::parse(None, None, Some("an")), Err(BadSearch::TooShort));
        assert_eq!(Person::parse(None, None, Some("%%% ___")), Err(BadSearch::TooShort));
        assert_eq!(Person::parse(None, Some("a@"), None), Err(BadSearch::TooShort));
        assert_eq!(Person::parse(None, None, Some(&"x".repeat(300))), Err(BadSearch::TooLong));
        let both = Person::parse(None, Some("A@B.org"), Some("Jo Müller")).unwrap();
        assert_eq!(both.email.as_deref(), Some("a@b.org"));
        assert_eq!(both.name, ["müller", "jo"], "the longest first");
        assert!(!format!("{both:?}").contains("müller"));
    }

    proptest! {
        #[test]
        fn a_number_lies_in_the_range_of_its_last_digits_and_no_other_does(
            number in "[0-9]{5,15}", other in "[0-9]{5,15}", n in 3usize..=15,
        ) {
            let n = n.min(number.len());
            let (first, behind) = LastDigits::parse(&number[number.len() - n..]).unwrap().range();
            let lies = |number: &str| {
                let reversed = reversed(number);
                reversed >= first && reversed < behind
            };
            prop_assert!(lies(&number));
            prop_assert_eq!(lies(&other), other.ends_with(&number[number.len() - n..]));
        }
    }
}

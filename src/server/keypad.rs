//! An agent's keys, read for codes (`*3`: all three speak). What belongs to a code is not passed on.

use std::time::Duration;

use crate::media::Digit;
use crate::settings::Codes;
use crate::time::Timestamp;

/// So much later a key begins anew: longer than a slow finger, shorter than a thought.
const TOGETHER: Duration = Duration::from_secs(3);

/// What a code asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    ThreeWay,
    Complete,
    Back,
}

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    /// It may be part of a code; the next one tells.
    Perhaps,
    /// It ends a code.
    Code(Asked),
    /// These are no code, the oldest first.
    Keys(Vec<Digit>),
}

/// What one leg has pressed of a code so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Keypad {
    held: Vec<Digit>,
    last: Option<Timestamp>,
}

impl Keypad {
    /// Takes a key in. Keys held too long are passed on with the next.
    pub(super) fn press(&mut self, key: Digit, codes: &Codes, now: Timestamp) -> Keyed {
        let late = self.last.is_none_or(|last| now.since(last) > TOGETHER);
        let mut passed = if late { std::mem::take(&mut self.held) } else { Vec::new() };
        self.last = Some(now);
        self.held.push(key);
        let all = [
            (&codes.three_way, Asked::ThreeWay),
            (&codes.complete, Asked::Complete),
            (&codes.back, Asked::Back),
        ];
        loop {
            if let Some((_, asked)) = all.iter().find(|(code, _)| !code.is_empty() && **code == self.held) {
                self.held.clear();
                return Keyed::Code(*asked);
            }
            if self.held.is_empty() || all.iter().any(|(code, _)| code.starts_with(&self.held)) {
                break;
            }
            // `**3` holds the code `*3`: only the first key is none.
            passed.push(self.held.remove(0));
        }
        if passed.is_empty() { Keyed::Perhaps } else { Keyed::Keys(passed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(keys: &[(char, u64)]) -> Vec<Keyed> {
        let mut pad = Keypad::default();
        let at = |ms| Timestamp::from_micros(1_000_000) + Duration::from_millis(ms);
        let press = |(key, ms): &(char, u64)| {
            pad.press(Digit::try_from(*key).expect("a key"), &Codes::default(), at(*ms))
        };
        keys.iter().map(press).collect()
    }

    fn keys(text: &str) -> Keyed {
        Keyed::Keys(text.chars().map(|key| Digit::try_from(key).expect("a key")).collect())
    }

    #[test]
    fn codes_are_told_and_not_passed_on() {
        use Keyed::{Code, Perhaps};
        assert_eq!(run(&[('*', 0), ('3', 100)]), [Perhaps, Code(Asked::ThreeWay)]);
        assert_eq!(run(&[('*', 0), ('4', 2_900)]), [Perhaps, Code(Asked::Complete)]);
        assert_eq!(run(&[('5', 0), ('*', 1), ('1', 2)]), [keys("5"), Perhaps, Code(Asked::Back)]);
        assert_eq!(run(&[('*', 0), ('*', 1), ('3', 2)]), [Perhaps, keys("*"), Code(Asked::ThreeWay)]);
    }

    #[test]
    fn what_is_no_code_is_passed_on_in_order() {
        use Keyed::Perhaps;
        assert_eq!(run(&[('*', 0), ('9', 100)]), [Perhaps, keys("*9")]);
        assert_eq!(run(&[('*', 0), ('3', 3_100)]), [Perhaps, keys("*3")], "too late for a code");
        let mut pad = Keypad::default();
        let none = Codes { three_way: Vec::new(), complete: Vec::new(), back: Vec::new() };
        let star = Digit::try_from('*').expect("a key");
        assert_eq!(pad.press(star, &none, Timestamp::from_micros(0)), keys("*"));
    }
}

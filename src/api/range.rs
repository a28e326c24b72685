//! Which bytes of a file a request asks for (RFC 9110 §14): one range, or all of it.

use std::ops::Range;

use axum::http::header::{IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderName};

/// What is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it, with 200.
    Whole,
    /// These bytes, never none, with 206.
    Part(Range<u64>),
    /// It begins past the end: 416.
    Nothing,
}

/// What the headers ask of a file of `length` bytes with this strong entity tag, quotes included. A range that
/// cannot be read, in another unit or with several parts is no range (§14.2 leaves that to the server): all is sent.
pub(super) fn wanted(headers: &HeaderMap, length: u64, etag: &str) -> Wanted {
    let Some(asked) = only(headers, RANGE) else { return Wanted::Whole };
    if headers.contains_key(IF_RANGE) && only(headers, IF_RANGE) != Some(etag) {
        // Another file, a weak tag, or a date: we tell none, so it is none of ours (§13.1.5).
        return Wanted::Whole;
    }
    match spec(asked) {
        None => Wanted::Whole,
        Some(Spec::From(first, _)) if first >= length => Wanted::Nothing,
        Some(Spec::From(first, last)) => Wanted::Part(first..last.saturating_add(1).min(length)),
        Some(Spec::Last(count)) if count == 0 || length == 0 => Wanted::Nothing,
        Some(Spec::Last(count)) => Wanted::Part(length.saturating_sub(count)..length),
    }
}

/// The header's value, if there is one and no more.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok().map(str::trim)
}

enum Spec {
    /// First and last byte, both of the range.
    From(u64, u64),
    /// So many at the end.
    Last(u64),
}

/// The one range of `bytes=…`.
fn spec(text: &str) -> Option<Spec> {
    let (unit, set) = text.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let mut parts = set.split(',').map(|part| part.trim_matches([' ', '\t'])).filter(|part| !part.is_empty());
    let part = parts.next().filter(|_| parts.next().is_none())?;
    match part.split_once('-')? {
        ("", count) => number(count).map(Spec::Last),
        (first, "") => number(first).map(|first| Spec::From(first, u64::MAX)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Spec::From(first, last))
        }
    }
}

/// A number of digits alone; one that no file is long enough for is the largest there is.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const ETAG: &str = "\"abc\"";

    fn ask(range: &str, length: u64) -> Wanted {
        ask_if(range, None, length)
    }

    fn ask_if(range: &str, if_range: Option<&str>, length: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_str(range).unwrap());
        if let Some(condition) = if_range {
            headers.insert(IF_RANGE, HeaderValue::from_str(condition).unwrap());
        }
        wanted(&headers, length, ETAG)
    }

    #[test]
    fn the_ranges_of_the_rfc() {
        // RFC 9110 §14.1.2, of a file of 10,000 bytes.
        assert_eq!(ask("bytes=0-499", 10_000), Wanted::Part(0..500));
        assert_eq!(ask("bytes=500-999", 10_000), Wanted::Part(500..1_000));
        assert_eq!(ask("bytes=-500", 10_000), Wanted::Part(9_500..10_000));
        assert_eq!(ask("bytes=9500-", 10_000), Wanted::Part(9_500..10_000));
        assert_eq!(ask("bytes=9999-", 10_000), Wanted::Part(9_999..10_000));
        assert_eq!(ask("BYTES=0-0", 10_000), Wanted::Part(0..1));
        assert_eq!(ask("bytes= ,0-0,", 10_000), Wanted::Part(0..1));
        assert_eq!(ask("bytes=-20000", 10_000), Wanted::Part(0..10_000));
        assert_eq!(ask("bytes=9000-99999999999999999999999", 10_000), Wanted::Part(9_000..10_000));
    }

    #[test]
    fn what_lies_past_the_end_is_nothing() {
        for (range, length) in
            [("bytes=10000-", 10_000), ("bytes=-0", 10_000), ("bytes=0-", 0), ("bytes=-5", 0)]
        {
            assert_eq!(ask(range, length), Wanted::Nothing, "{range} of {length}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_the_whole() {
        for range in
            ["bytes=5-4", "bytes=0-0,-1", "lines=1-2", "bytes", "bytes=", "bytes=-", "bytes=a-b", "0-1"]
        {
            assert_eq!(ask(range, 10), Wanted::Whole, "{range}");
        }
        for range in ["bytes=+1-2", "bytes=1--2", "bytes=0x1-2", "bytes=1-2-3", "bytes=１-２"] {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_bytes(range.as_bytes()).unwrap());
            assert_eq!(wanted(&headers, 10, ETAG), Wanted::Whole, "{range}");
        }
        let mut twice = HeaderMap::new();
        twice.append(RANGE, HeaderValue::from_static("bytes=0-1"));
        twice.append(RANGE, HeaderValue::from_static("bytes=2-3"));
        assert_eq!(wanted(&twice, 10, ETAG), Wanted::Whole);
        assert_eq!(wanted(&HeaderMap::new(), 10, ETAG), Wanted::Whole);
    }

    #[test]
    fn a_range_of_another_file_is_the_whole_of_this() {
        assert_eq!(ask_if("bytes=0-1", Some(ETAG), 10), Wanted::Part(0..2));
        for other in ["\"abd\"", "W/\"abc\"", "abc", "Sun, 22 Nov 2026 09:30:00 GMT", "*"] {
            assert_eq!(ask_if("bytes=0-1", Some(other), 10), Wanted::Whole, "{other}");
        }
        // It is not even looked whether the range could be.
        assert_eq!(ask_if("bytes=99-", Some("\"abd\""), 10), Wanted::Whole);
    }

    proptest! {
        #[test]
        fn a_range_is_the_slice_it_names(length in 1_u64..5_000, a in 0_u64..6_000, b in 0_u64..6_000) {
            let (first, last) = (a.min(b), a.max(b));
            let file: Vec<u64> = (0..length).collect();
            let expected: Vec<u64> = file.iter().copied().filter(|n| (first..=last).contains(n)).collect();
            let got = match ask(&format!("bytes={first}-{last}"), length) {
                Wanted::Part(range) => file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].to_vec(),
                Wanted::Nothing => Vec::new(),
                Wanted::Whole => panic!("a good range"),
            };
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn a_suffix_is_the_end(length in 0_u64..5_000, count in 0_u64..6_000) {
            let expected = match count.min(length) {
                0 => Wanted::Nothing,
                there => Wanted::Part(length - there..length),
            };
            prop_assert_eq!(ask(&format!("bytes=-{count}"), length), expected);
        }

        #[test]
        fn whatever_comes_in_nothing_lies_outside(range in "(bytes)?[=a-z0-9, -]{0,24}", length in 0_u64..100) {
            if let Wanted::Part(range) = ask(&range, length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}

//! Durations as people write them: `20s`, `2m`, `1h30m`, `90d`, `500ms`.

use std::time::Duration;

/// Units and their milliseconds, longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A text that is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a duration such as \"20s\", \"2m\", \"1h30m\" or \"90d\" is expected (units: d, h, m, s, ms)")]
pub struct BadSpan;

/// Reads a duration: whole numbers, each with a unit, longest unit first.
///
/// # Errors
/// [`BadSpan`] for anything else, a bare number included.
pub fn parse_span(text: &str) -> Result<Duration, BadSpan> {
    let mut rest = text.trim();
    let mut units = UNITS.iter();
    let mut millis = 0u64;
    if rest.is_empty() {
        return Err(BadSpan);
    }
    while !rest.is_empty() {
        let (digits, tail) = split(rest, |c| c.is_ascii_digit());
        let (unit, tail) = split(tail, |c| c.is_ascii_alphabetic());
        let count: u64 = digits.parse().map_err(|_| BadSpan)?;
        // The iterator goes on where it stopped, so units come in order and once each.
        let (_, scale) = units.by_ref().find(|(name, _)| *name == unit).ok_or(BadSpan)?;
        millis = count.checked_mul(*scale).and_then(|part| millis.checked_add(part)).ok_or(BadSpan)?;
        rest = tail;
    }
    Ok(Duration::from_millis(millis))
}

fn split(text: &str, of: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !of(c)).unwrap_or(text.len()))
}

/// Writes a duration so that [`parse_span`] reads it back; parts of a millisecond are dropped.
#[must_use]
pub fn format_span(span: Duration) -> String {
    let mut rest = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, scale) in UNITS {
        if rest >= scale {
            text.push_str(&format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_s_durations_are_read() {
        let seconds = |text| parse_span(text).map(|span| span.as_millis());
        assert_eq!(seconds("20s"), Ok(20_000));
        assert_eq!(seconds("1h30m"), Ok(5_400_000));
        assert_eq!(seconds("90d"), Ok(7_776_000_000));
        assert_eq!(seconds("1s500ms"), Ok(1_500));
        for bad in ["", "20", "s", "-1s", "1.5s", "30m1h", "1s1s", "20 s", "1w", "99999999999999999999s"] {
            assert_eq!(seconds(bad), Err(BadSpan), "{bad}");
        }
        assert_eq!(format_span(Duration::from_secs(90)), "1m30s");
        assert_eq!(format_span(Duration::ZERO), "0s");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..1 << 45) {
            let span = Duration::from_millis(millis);
            prop_assert_eq!(parse_span(&format_span(span)), Ok(span));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse_span(&text);
        }
    }
}

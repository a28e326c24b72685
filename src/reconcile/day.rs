//! A day in UTC, by which objects are foldered and a run shows how far it is.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use ulid::Ulid;

use crate::ids::{CallId, RecordingId};
use crate::time::Timestamp;

const SECONDS: i64 = 86_400;

/// A day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    /// The day of a moment, or the day an id was drawn.
    #[must_use]
    pub fn of(when: impl Into<Self>) -> Self {
        when.into()
    }

    /// The least id of the day.
    #[must_use]
    pub fn first_id(self) -> Ulid {
        Ulid::from_parts(u64::try_from(self.0.saturating_mul(SECONDS)).unwrap_or(0) * 1_000, 0)
    }

    /// The greatest id of the day.
    #[must_use]
    pub fn last_id(self) -> Ulid {
        let next = self.next().first_id().timestamp_ms();
        Ulid::from_parts(next.saturating_sub(1), u128::MAX >> 48)
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The moment it begins.
    #[must_use]
    pub fn begins(self) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_secs(u64::try_from(self.0 * SECONDS).unwrap_or(0))
    }

    /// How many days lie between `earlier` and this one.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(self.0 - earlier.0).unwrap_or(0)
    }

    /// Its folder: `2026/11/22`.
    #[must_use]
    pub fn folder(self) -> String {
        self.to_string().replace('-', "/")
    }
}

impl From<Timestamp> for Day {
    fn from(at: Timestamp) -> Self {
        Self(at.as_micros().div_euclid(SECONDS * 1_000_000))
    }
}

impl From<Ulid> for Day {
    fn from(id: Ulid) -> Self {
        Self(i64::try_from(id.timestamp_ms() / 1_000).unwrap_or(0) / SECONDS)
    }
}

impl From<RecordingId> for Day {
    fn from(id: RecordingId) -> Self {
        // An id is a ULID by what it is made of.
        Ulid::from_string(&id.to_string()).map_or(Self(0), Self::from)
    }
}

impl From<CallId> for Day {
    fn from(id: CallId) -> Self {
        Ulid::from_string(&id.to_string()).map_or(Self(0), Self::from)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An id from beyond the year 9999 is nobody's; it has a place all the same, as the vault gives it one.
        let day = time::OffsetDateTime::from_unix_timestamp(self.0.saturating_mul(SECONDS));
        let (year, month, day) = day.unwrap_or(time::OffsetDateTime::UNIX_EPOCH).to_calendar_date();
        write!(f, "{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

impl FromStr for Day {
    type Err = BadDay;

    /// Reads `2026-11-22` or `2026/11/22`.
    fn from_str(text: &str) -> Result<Self, BadDay> {
        let mut parts = text.split(['-', '/']);
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse::<u16>().ok())?
        };
        let (year, month, day) = (part(4), part(2), part(2));
        let (Some(year), Some(month), Some(day)) = (year, month, day) else { return Err(BadDay) };
        if parts.next().is_some() {
            return Err(BadDay);
        }
        let small = |number: u16| u8::try_from(number).map_err(|_| BadDay);
        let month = time::Month::try_from(small(month)?).map_err(|_| BadDay)?;
        let date = time::Date::from_calendar_date(i32::from(year), month, small(day)?).map_err(|_| BadDay)?;
        let seconds = date.midnight().assume_utc().unix_timestamp();
        (seconds >= 0).then_some(Self(seconds / SECONDS)).ok_or(BadDay)
    }
}

/// A text that is no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a day: yyyy-mm-dd is expected, from 1970 on")]
pub struct BadDay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_bounds_its_ids() {
        let day: Day = "2026-11-22".parse().unwrap();
        assert_eq!(day.to_string(), "2026-11-22");
        assert_eq!(day.folder(), "2026/11/22");
        assert_eq!(day.folder().parse(), Ok(day));
        assert_eq!(Day::of(day.first_id()), day);
        assert_eq!(Day::of(day.last_id()), day);
        assert_eq!(day.last_id().0 + 1, day.next().first_id().0);
        assert_eq!(Day::of(day.begins()), day);
        assert_eq!(day.next().since(day), 1);
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-13-01",
            "2026-02-30",
            "26-01-01",
            "2026-1-1",
            "2026-01-01-01",
            "+026-01-01",
            "1969-12-31",
        ] {
            assert_eq!(text.parse::<Day>(), Err(BadDay), "{text}");
        }
    }
}

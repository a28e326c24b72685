//! Where a day begins: at midnight of the server's time zone.

use time::{Date, OffsetDateTime, Time, UtcOffset};

use crate::time::Timestamp;

/// The day that `now` is in: its beginning, and that of the next.
pub(super) fn around(now: Timestamp) -> (Timestamp, Timestamp) {
    around_by(now, local_offset)
}

/// The zone's offset at that moment.
type Offset = fn(OffsetDateTime) -> UtcOffset;

fn around_by(now: Timestamp, offset: Offset) -> (Timestamp, Timestamp) {
    let utc = of_timestamp(now);
    let today = utc.to_offset(offset(utc)).date();
    let tomorrow = today.next_day().unwrap_or(today);
    (midnight(today, offset), midnight(tomorrow, offset))
}

/// A day's first moment. The offset is asked twice, since the one at midnight may be another than now's.
fn midnight(day: Date, offset: Offset) -> Timestamp {
    let in_utc = day.with_time(Time::MIDNIGHT).assume_utc();
    let nearly = in_utc.replace_offset(offset(in_utc));
    let exact = in_utc.replace_offset(offset(nearly.to_offset(UtcOffset::UTC)));
    Timestamp::from_micros(i64::try_from(exact.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
}

fn of_timestamp(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.as_micros()) * 1_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// UTC where the system has no time zone.
fn local_offset(_at: OffsetDateTime) -> UtcOffset {
    UtcOffset::UTC
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hours in summer, one in winter, as in Berlin in 2026 (25 October, 01:00 UTC).
    fn berlin(at: OffsetDateTime) -> UtcOffset {
        let winter = at >= time::macros::datetime!(2026-10-25 01:00 UTC);
        UtcOffset::from_hms(if winter { 1 } else { 2 }, 0, 0).expect("an offset")
    }

    fn at(text: &str) -> Timestamp {
        let format = &time::format_description::well_known::Rfc3339;
        let at = OffsetDateTime::parse(text, format).expect("a time");
        Timestamp::from_micros((at.unix_timestamp_nanos() / 1_000) as i64)
    }

    #[test]
    fn a_day_begins_at_local_midnight_also_when_the_clock_changes() {
        let day = around_by(at("2026-06-01T22:30:00Z"), berlin);
        assert_eq!(day, (at("2026-06-01T22:00:00Z"), at("2026-06-02T22:00:00Z")));
        let long = around_by(at("2026-10-25T12:00:00Z"), berlin);
        assert_eq!(long, (at("2026-10-24T22:00:00Z"), at("2026-10-25T23:00:00Z")), "25 hours");
    }

    #[test]
    fn now_is_within_its_own_day() {
        let now = at("2026-11-22T09:30:00Z");
        let (begins, ends) = around(now);
        assert!(begins <= now && now < ends);
    }
}

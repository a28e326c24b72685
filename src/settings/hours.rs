//! When a queue is open: hours for each day of the week and days on which it is closed, as the clock on the wall of the
//! system's time zone shows them. Pure: the moment is an argument, the zone's rules are constant data.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use crate::ids::QueueId;
use crate::time::Timestamp;

use super::read::{list, text, unknown};
use super::{Overflow, Queue, Settings};

/// The days of the week by their words, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Minutes of a day.
const MINUTES: u16 = 24 * 60;

/// The hours of a week. A day that is not named is closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours([Vec<Opening>; 7]);

/// From and to, in minutes since midnight; `to` is no longer open and may be 24:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    from: u16,
    to: u16,
}

/// A day of the calendar: `2026-12-25`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub Date);

/// Where a caller waits who comes to a queue at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayIn {
    /// In this queue: the one asked for, or the one its `when-closed` leads to.
    Queue(QueueId, Arc<Queue>),
    /// Nowhere: it is closed.
    Closed,
}

/// What is no opening, day or time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadTime(String);

impl Hours {
    /// The openings of a day, 0 being Monday, in order.
    #[must_use]
    pub fn of(&self, day: usize) -> &[Opening] {
        self.0.get(day).map_or(&[], Vec::as_slice)
    }

    /// Whether there is no opening at all.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.0.iter().all(Vec::is_empty)
    }

    /// The days that have openings, by their words.
    pub fn days(&self) -> impl Iterator<Item = (&'static str, &[Opening])> {
        DAYS.into_iter().zip(&self.0).filter(|(_, day)| !day.is_empty()).map(|(word, day)| (word, &day[..]))
    }

    /// Puts a day's openings in order.
    ///
    /// # Errors
    /// When two of them overlap, or the day is none.
    pub fn set(&mut self, day: &str, mut openings: Vec<Opening>) -> Result<(), BadTime> {
        let at = DAYS.iter().position(|word| *word == day);
        let at = at.ok_or_else(|| BadTime(format!("{day:?} {}", unknown(day, &DAYS))))?;
        openings.sort_unstable();
        if let Some(pair) = openings.windows(2).find(|pair| pair[1].from < pair[0].to) {
            return Err(BadTime(format!("{day} has {} and {}, which overlap", pair[0], pair[1])));
        }
        self.0[at] = openings;
        Ok(())
    }
}

impl Queue {
    /// Whether it is open at this moment in this time zone. A queue without hours is always open, but on the days on
    /// which it is closed. When clocks are put back, what is open from 02:00 to 03:00 is open twice, and when they
    /// are put forward not at all: what counts is what the clock on the wall shows.
    #[must_use]
    pub fn is_open(&self, zone: &TimeZone, now: Timestamp) -> bool {
        // No call comes outside the years that a calendar has.
        let Ok(at) = jiff::Timestamp::from_microsecond(now.as_micros()) else { return true };
        let local = zone.to_datetime(at);
        if self.closed.binary_search(&Day(local.date())).is_ok() {
            return false;
        }
        let Some(hours) = &self.hours else { return true };
        let day = usize::try_from(local.weekday().to_monday_zero_offset()).unwrap_or_default();
        let minute =
            u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or_default();
        hours.of(day).iter().any(|opening| (opening.from..opening.to).contains(&minute))
    }
}

impl Settings {
    /// The system's time zone. One that is not known any more (another machine's data) is read as UTC.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        let name = self.system.as_ref().map_or("UTC", |system| &system.time_zone);
        zone(name).unwrap_or(TimeZone::UTC)
    }

    /// Where a caller of this queue waits now.
    #[must_use]
    pub fn way_in(&self, id: &QueueId, queue: &Arc<Queue>, now: Timestamp) -> WayIn {
        let zone = self.zone();
        let (mut id, mut queue) = (id, queue);
        // Circles are refused when settings are checked; the limit is for what was stored before that.
        for _ in 0..=self.queues.len() {
            if queue.is_open(&zone, now) {
                return WayIn::Queue(id.clone(), Arc::clone(queue));
            }
            match &queue.when_closed {
                Overflow::Hangup => return WayIn::Closed,
                Overflow::Queue(next) => match self.queues.get(next) {
                    Some(other) => (id, queue) = (next, other),
                    None => return WayIn::Closed,
                },
            }
        }
        WayIn::Closed
    }
}

/// A time zone by its IANA name.
///
/// # Errors
/// When there is none of this name.
pub(super) fn zone(name: &str) -> Result<TimeZone, BadTime> {
    let wrong = |_| {
        BadTime(format!("{name:?} is no time zone; a name such as \"Europe/Vienna\" or \"UTC\" is expected"))
    };
    TimeZone::get(name).map_err(wrong)
}

/// The hours of an apply file: `{ mon = ["08:00-12:00", "13:00-17:30"], … }`.
pub(super) fn hours(value: &DeValue<'_>) -> Result<Hours, String> {
    let expected = "a table such as { mon = [\"08:00-12:00\", \"13:00-17:30\"] } is expected";
    let table = value.as_table().ok_or_else(|| format!("is a {}; {expected}", value.type_str()))?;
    let mut hours = Hours::default();
    for (day, openings) in table {
        let day = day.get_ref().as_ref();
        let read = |value: &DeValue<'_>| text(value)?.parse().map_err(|bad: BadTime| bad.to_string());
        let openings = list(openings.get_ref(), read).map_err(|what| format!("{day}: {what}"))?;
        hours.set(day, openings).map_err(|bad| bad.to_string())?;
    }
    Ok(hours)
}

/// A day of an apply file.
pub(super) fn day(value: &DeValue<'_>) -> Result<Day, String> {
    // A date of TOML's own says the same.
    if let DeValue::Datetime(date) = value {
        return date.to_string().parse().map_err(|bad: BadTime| bad.to_string());
    }
    text(value)?.parse().map_err(|bad: BadTime| bad.to_string())
}

/// A time zone of an apply file, by its name.
pub(super) fn zone_name(value: &DeValue<'_>) -> Result<String, String> {
    let name = text(value)?;
    zone(name).map(|_| name.to_owned()).map_err(|bad| bad.to_string())
}

impl FromStr for Opening {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let read = || {
            let (from, to) = text.split_once('-')?;
            Some((minute(from.trim())?, minute(to.trim())?))
        };
        match read() {
            Some((from, to)) if from < to => Ok(Self { from, to }),
            Some(_) => Err(BadTime(format!(
                "{text:?} ends before it begins; what goes past midnight is two: \"22:00-24:00\", and \"00:00-06:00\" on the next day"
            ))),
            None => Err(BadTime(format!("{text:?} are no hours; \"08:00-12:00\" is expected"))),
        }
    }
}

/// `08:05`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, most: u16| {
        let whole = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|number| whole && *number <= most)
    };
    let minute = number(hours, 24)? * 60 + number(minutes, 59).filter(|_| minutes.len() == 2)?;
    (minute <= MINUTES).then_some(minute)
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)
    }
}

impl fmt::Display for Hours {
    /// `mon 08:00-12:00 13:00-17:30, tue 08:00-12:00`; `never`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("never");
        }
        for (n, (day, openings)) in self.days().enumerate() {
            write!(f, "{}{day}", if n == 0 { "" } else { ", " })?;
            openings.iter().try_for_each(|opening| write!(f, " {opening}"))?;
        }
        Ok(())
    }
}

impl FromStr for Day {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let date = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
        date.map(Self).ok_or_else(|| BadTime(format!("{text:?} is no day such as \"2026-12-25\"")))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Hours {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.days())
    }
}

impl<'de> Deserialize<'de> for Hours {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut hours = Self::default();
        for (day, openings) in BTreeMap::<String, Vec<Opening>>::deserialize(from)? {
            hours.set(&day, openings).map_err(serde::de::Error::custom)?;
        }
        Ok(hours)
    }
}

impl Serialize for Opening {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Opening {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

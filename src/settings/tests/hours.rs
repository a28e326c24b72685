//! Opening hours: what the clock on the wall shows, also on the days on which clocks are changed.

use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use super::properties;
use super::*;
use crate::time::Timestamp;

fn vienna() -> TimeZone {
    TimeZone::get("Europe/Vienna").expect("the machine knows time zones")
}

fn week(text: &str) -> Hours {
    let (settings, _) = applied(&Settings::default(), &format!("[queue.q]\nhours = {text}"), &OPTIONS);
    settings.queues[&"q".into()].hours.clone().expect("hours")
}

fn open(hours: &Hours) -> Queue {
    Queue { hours: Some(hours.clone()), ..Queue::default() }
}

/// Midnight of a day, where it is.
fn midnight(zone: &TimeZone, year: i16, month: i8, day: i8) -> Timestamp {
    let at = zone.to_zoned(date(year, month, day).at(0, 0, 0, 0)).expect("a time");
    Timestamp::from_micros(at.timestamp().as_microsecond())
}

/// How many minutes a queue is open within these hours from a moment on.
fn minutes(queue: &Queue, zone: &TimeZone, from: Timestamp, hours: u32) -> usize {
    let minute = |n: u32| from + Duration::from_secs(60) * n;
    (0..hours * 60).filter(|n| queue.is_open(zone, minute(*n))).count()
}

#[test]
fn hours_hold_where_the_clock_shows_them() {
    let queue = open(&week(r#"{ mon = ["08:00-12:00", "13:00-17:30"], sun = ["00:00-24:00"] }"#));
    let monday = midnight(&vienna(), 2026, 11, 23);
    let at = |hour: u32, minute: u32| {
        queue.is_open(&vienna(), monday + Duration::from_secs(60) * (hour * 60 + minute))
    };
    let seen = [at(7, 59), at(8, 0), at(11, 59), at(12, 0), at(13, 0), at(17, 29), at(17, 30)];
    assert_eq!(seen, [false, true, true, false, true, true, false]);
    assert_eq!(minutes(&queue, &vienna(), monday, 7 * 24), 4 * 60 + 270 + 24 * 60);
    assert!(
        !queue.is_open(&TimeZone::UTC, monday + Duration::from_secs(15 * 1_800)),
        "07:30 there, 06:30 here"
    );
    assert!(Queue::default().is_open(&vienna(), monday), "without hours always");
    assert!(!open(&Hours::default()).is_open(&vienna(), monday), "with none never");
}

#[test]
fn a_day_on_which_it_is_closed_begins_and_ends_at_midnight_there() {
    let closed = vec!["2026-12-25".parse().expect("a day")];
    let queue = Queue { closed, ..Queue::default() };
    let christmas = midnight(&vienna(), 2026, 12, 25);
    let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
    let at = |at| queue.is_open(&vienna(), at);
    assert_eq!(
        [at(christmas - second), at(christmas), at(christmas + day - second), at(christmas + day)],
        [true, false, false, true]
    );
    assert!(queue.is_open(&TimeZone::UTC, christmas), "elsewhere it is still the 24th");
}

#[test]
fn when_clocks_change_the_wall_clock_counts() {
    let all = open(&week(r#"{ sun = ["00:00-24:00"] }"#));
    let night = open(&week(r#"{ sun = ["02:00-03:00"] }"#));
    let morning = open(&week(r#"{ sun = ["08:00-12:00"] }"#));
    // Clocks go forward on 29 March and back on 25 October.
    for (month, day, of_day, of_night) in [(3, 29, 23, 0), (10, 25, 25, 2), (11, 22, 24, 1)] {
        let sunday = midnight(&vienna(), 2026, month, day);
        let open = |queue: &Queue| minutes(queue, &vienna(), sunday, 25);
        let hours = [open(&all) / 60, open(&night) / 60, open(&morning) / 60];
        assert_eq!(hours, [of_day, of_night, 4], "on {day}.{month}.");
    }
}

#[test]
fn a_caller_is_led_to_who_is_open() {
    let text = "[system.sayso]\ntime-zone = \"Europe/Vienna\"\n\
                [queue.day]\nhours = { mon = [\"08:00-18:00\"] }\nwhen-closed = { queue = \"night\" }\n\
                [queue.night]\nhours = { mon = [\"18:00-22:00\"] }\n";
    let (settings, _) = applied(&Settings::default(), text, &OPTIONS);
    let day = &settings.queues[&"day".into()];
    let monday = midnight(&vienna(), 2026, 11, 23);
    let led =
        |hour: u64| match settings.way_in(&"day".into(), day, monday + Duration::from_secs(hour * 3_600)) {
            WayIn::Queue(id, _) => id.0,
            WayIn::Closed => "closed".to_owned(),
        };
    assert_eq!([led(7), led(9), led(19), led(22)], ["closed", "day", "night", "closed"]);
    // A circle that was stored once ends, too.
    let mut stored = settings.clone();
    let night =
        Queue { when_closed: Overflow::Queue("day".into()), ..(*settings.queues[&"night".into()]).clone() };
    stored.queues.insert("night".into(), Arc::new(night));
    assert_eq!(stored.way_in(&"day".into(), day, monday), WayIn::Closed);
}

#[test]
fn what_are_no_hours_is_said() {
    let text = r#"
[system.sayso]
time-zone = "Europe/Wien"
[queue.a]
hours = { mon = ["08:00-12:00", "11:00-13:00"] }
[queue.b]
hours = { monday = ["08:00-12:00"] }
[queue.c]
hours = { tue = ["22:00-06:00"] }
[queue.d]
hours = { tue = ["8-12"] }
closed = ["2026-02-30"]
[queue.e]
hours = "always"
"#;
    assert_eq!(
        errors(text),
        [
            "demo.toml:3: system.sayso.time-zone: \"Europe/Wien\" is no time zone; a name such as \"Europe/Vienna\" or \"UTC\" is expected",
            "demo.toml:5: queue.a.hours: mon has 08:00-12:00 and 11:00-13:00, which overlap",
            "demo.toml:7: queue.b.hours: \"monday\" is unknown; allowed: mon, tue, wed, thu, fri, sat, sun",
            "demo.toml:9: queue.c.hours: tue: \"22:00-06:00\" ends before it begins; what goes past midnight is two: \"22:00-24:00\", and \"00:00-06:00\" on the next day",
            "demo.toml:11: queue.d.hours: tue: \"8-12\" are no hours; \"08:00-12:00\" is expected",
            "demo.toml:12: queue.d.closed: \"2026-02-30\" is no day such as \"2026-12-25\"",
            "demo.toml:14: queue.e.hours: is a string; a table such as { mon = [\"08:00-12:00\", \"13:00-17:30\"] } is expected",
        ]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Against arithmetic of another kind: days and minutes counted from 1970, and the zone's offset added.
    #[test]
    fn a_moment_is_open_or_not_wherever_it_is_asked(hours in properties::hours(), minute in 0i64..60 * 24 * 366 * 60) {
        let zones = ["UTC", "Europe/Vienna", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"];
        for name in zones {
            let zone = TimeZone::get(name).expect("the machine knows time zones");
            let at = jiff::Timestamp::from_second(minute * 60).expect("a time");
            let local = minute * 60 + i64::from(zone.to_offset(at).seconds());
            // 1 January 1970 was a Thursday, the fourth day of its week.
            let day = (local.div_euclid(86_400) + 3).rem_euclid(7);
            let of_day = local.rem_euclid(86_400) / 60;
            let shown = hours.of(usize::try_from(day).expect("small")).iter().map(ToString::to_string);
            let expected = shown.into_iter().any(|opening| {
                let clock = |text: &str| -> i64 {
                    let (hours, minutes) = text.split_once(':').expect("a clock");
                    hours.parse::<i64>().expect("hours") * 60 + minutes.parse::<i64>().expect("minutes")
                };
                let (from, to) = opening.split_once('-').expect("two clocks");
                clock(from) <= of_day && of_day < clock(to)
            });
            let moment = Timestamp::from_micros(minute * 60_000_000);
            prop_assert_eq!(open(&hours).is_open(&zone, moment), expected, "{} at {}", name, at);
        }
    }

    #[test]
    fn hours_are_stored_and_read_back(hours in properties::hours()) {
        let json = serde_json::to_string(&hours).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Hours>(&json).expect("reads"), hours.clone());
        let first = hours.days().next();
        prop_assert!(first.is_some() != hours.is_never());
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,12}", clock in "[0-9]{1,3}:[0-9]{1,3}-[0-9]{1,3}:[0-9]{1,3}") {
        // Whether it is taken does not matter here.
        let _ = (text.parse::<Opening>(), text.parse::<Day>(), clock.parse::<Opening>());
    }
}

//! A queue's policy in sentences: what happens to somebody who calls now.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::consent::{AskRule, LegalBasis, Policy};
use crate::ids::QueueId;
use crate::time::Timestamp;

use super::{Keep, OnRecordingFailure, Overflow, Queue, System, format_span};

const DAY: u64 = 86_400;
/// A date further away than this is said with its year.
const FAR: Duration = Duration::from_secs(300 * DAY);

/// How long call data and recordings of a queue are kept (domain rules 10-12): the queue's word before the system's, and
/// of two deadlines the earlier one removes a recording.
#[must_use]
pub fn kept(queue: &Queue, system: &System) -> (Keep, Keep) {
    let calls = queue.retention.unwrap_or(system.retention.calls);
    let recordings = queue.file_removal.unwrap_or(system.retention.recordings);
    (calls, recordings.min(calls))
}

/// What happens to callers of a queue: "Callers of support are asked each time; yes: recorded, kept 90 days, removed
/// 1 February; …". `zone` is the system's, `now` the moment of the call.
#[must_use]
pub fn sentence(name: &QueueId, queue: &Queue, system: &System, zone: &TimeZone, now: Timestamp) -> String {
    let (calls, recordings) = kept(queue, system);
    let mut told = match &queue.recording {
        Policy::Never => format!("Callers of {name} are never recorded"),
        Policy::Always(basis) => {
            let basis = match basis {
                LegalBasis::Obligation(name) => format!("the obligation {name}"),
                LegalBasis::Contract(name) => format!("the contract {name}"),
            };
            let span = keeping(recordings, zone, now);
            format!("Callers of {name} are not asked; all are recorded for {basis}, {span}")
        }
        Policy::Consent(script) => {
            let asked = match script.ask {
                AskRule::EveryCall => "are asked each time".to_owned(),
                AskRule::WhenUnknown => {
                    "are asked once, and the answer holds until they take it back".to_owned()
                }
                AskRule::OlderThan(age) => {
                    format!("are asked again when their answer is older than {}", long(age))
                }
            };
            let span = keeping(recordings, zone, now);
            format!(
                "Callers of {name} {asked}; yes: recorded, {span}; no, other keys or silence: not recorded, with the same \
                 place in the queue"
            )
        }
    };
    told.push('.');
    let more =
        [override_(queue), withdrawal(queue), failure(queue), data(queue, calls, recordings), hours(queue)];
    for more in more.into_iter().flatten() {
        told.push(' ');
        told.push_str(&more);
    }
    told
}

fn keeping(keep: Keep, zone: &TimeZone, now: Timestamp) -> String {
    match keep {
        Keep::Forever => "kept for ever".to_owned(),
        Keep::For(span) => match date(now + span, zone, span > FAR) {
            Some(date) => format!("kept {}, removed {date}", long(span)),
            None => format!("kept {}", long(span)),
        },
    }
}

/// `1 February`; with its year if asked. `None`: no calendar reaches so far.
fn date(at: Timestamp, zone: &TimeZone, year: bool) -> Option<String> {
    let at = zone.to_datetime(jiff::Timestamp::from_microsecond(at.as_micros()).ok()?);
    Some(at.strftime(if year { "%-d %B %Y" } else { "%-d %B" }).to_string())
}

/// `90 days`, `1 day`, `12 hours`, `1h30m`.
pub(super) fn long(span: Duration) -> String {
    let seconds = span.as_secs();
    let many = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    if seconds >= DAY && seconds.is_multiple_of(DAY) {
        many(seconds / DAY, "day")
    } else if seconds >= 3_600 && seconds.is_multiple_of(3_600) {
        many(seconds / 3_600, "hour")
    } else if seconds >= 60 && seconds.is_multiple_of(60) {
        many(seconds / 60, "minute")
    } else {
        format_span(span)
    }
}

fn override_(queue: &Queue) -> Option<String> {
    let may = queue.override_allowed && !matches!(queue.recording, Policy::Always(_));
    may.then(|| "An agent with the right may record all the same, with a written reason.".to_owned())
}

fn withdrawal(queue: &Queue) -> Option<String> {
    matches!(queue.recording, Policy::Consent(_)).then(|| {
        let what = if queue.destroy_on_withdrawal { "is destroyed" } else { "is kept" };
        format!("Who takes a yes back in the call is recorded no longer, and what was recorded {what}.")
    })
}

fn failure(queue: &Queue) -> Option<String> {
    let drops = queue.on_recording_failure == OnRecordingFailure::DropCall;
    (drops && queue.recording != Policy::Never)
        .then(|| "A call that should be recorded and cannot be is ended.".to_owned())
}

fn data(queue: &Queue, calls: Keep, recordings: Keep) -> Option<String> {
    match calls {
        Keep::Forever => None,
        Keep::For(_) if calls == recordings && queue.recording != Policy::Never => {
            Some("What is known of the call is made anonymous then, too.".to_owned())
        }
        Keep::For(span) => Some(format!("What is known of the call is made anonymous after {}.", long(span))),
    }
}

fn hours(queue: &Queue) -> Option<String> {
    let open = match &queue.hours {
        None if queue.closed.is_empty() => return None,
        None => "It is always open but on the days named".to_owned(),
        Some(hours) if hours.is_never() => "It is never open".to_owned(),
        Some(hours) => format!("It is open {hours}"),
    };
    Some(match &queue.when_closed {
        Overflow::Hangup => {
            format!("{open}; at other times callers are told that it is closed, and the call ends.")
        }
        Overflow::Queue(next) => {
            format!("{open}; at other times callers wait in {next}, recorded or not as this queue decides.")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::consent::Script;
    use crate::settings::{Hours, Retention, Settings};

    /// 3 November 2026, 00:30 in Vienna: still the 2nd in UTC.
    const NOW: Timestamp = Timestamp::from_micros(1_793_662_200_000_000);

    fn days(days: u64) -> Keep {
        Keep::For(Duration::from_secs(days * DAY))
    }

    fn told(set: impl FnOnce(&mut Queue)) -> String {
        let mut queue = Queue::default();
        set(&mut queue);
        let retention = Retention { recordings: days(90), ..Retention::default() };
        let system = System { time_zone: "Europe/Vienna".into(), retention, ..System::default() };
        let settings = Settings { system: Some(Arc::new(system.clone())), ..Settings::default() };
        sentence(&"Support".into(), &queue, &system, &settings.zone(), NOW)
    }

    #[test]
    fn a_policy_is_told_in_a_sentence() {
        let usual = told(|_| {});
        let expected = "Callers of Support are asked each time; yes: recorded, kept 90 days, removed 1 February; no, other \
                        keys or silence: not recorded, with the same place in the queue. Who takes a yes back in the \
                        call is recorded no longer, and what was recorded is destroyed.";
        assert_eq!(usual, expected);
        let never = told(|queue| queue.recording = Policy::Never);
        assert_eq!(never, "Callers of Support are never recorded.");
        let always = told(|queue| {
            queue.recording = Policy::Always(LegalBasis::Obligation("MiFID II".into()));
            queue.file_removal = Some(Keep::Forever);
            queue.on_recording_failure = OnRecordingFailure::DropCall;
        });
        let expected = "Callers of Support are not asked; all are recorded for the obligation MiFID II, kept for ever. A \
                        call that should be recorded and cannot be is ended.";
        assert_eq!(always, expected);
    }

    #[test]
    fn the_earlier_deadline_removes_and_far_days_have_their_year() {
        let script = Script { ask: AskRule::OlderThan(Duration::from_secs(365 * DAY)), ..Script::default() };
        let text = told(|queue| {
            queue.recording = Policy::Consent(script);
            queue.retention = Some(days(730));
            queue.file_removal = Some(days(1_000));
            queue.override_allowed = true;
        });
        assert!(text.contains("asked again when their answer is older than 365 days; yes: recorded, kept 730 days, removed 2 November 2028;"), "{text}");
        assert!(text.ends_with("What is known of the call is made anonymous then, too."), "{text}");
        assert!(text.contains("An agent with the right may record all the same"), "{text}");
        let shorter = told(|queue| queue.retention = Some(Keep::For(Duration::from_secs(12 * 3_600))));
        assert!(shorter.contains("kept 12 hours, removed 3 November;"), "{shorter}");
        let longer = told(|queue| queue.retention = Some(days(365)));
        assert!(longer.ends_with("What is known of the call is made anonymous after 365 days."), "{longer}");
    }

    #[test]
    fn hours_are_told() {
        let mut hours = Hours::default();
        hours.set("mon", vec!["08:00-12:00".parse().expect("hours")]).expect("fits");
        let text = told(|queue| {
            queue.hours = Some(hours);
            queue.when_closed = Overflow::Queue("night".into());
        });
        assert!(text.ends_with("It is open mon 08:00-12:00; at other times callers wait in night, recorded or not as this queue decides."), "{text}");
    }
}

//! Overload: when the machine, its ports or the SIP endpoint are nearly used up, new calls are refused (503
//! with Retry-After) so that those under way keep their quality. Commands of calls under way are never
//! refused here.
//!
//! [`Door::judge`] is pure; a task feeds it a few times a second, and each new call only reads the verdict.

use std::time::Duration;

use crate::sip::core::Pressure;
use crate::time::Timestamp;

/// How busy everything is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    /// The busiest media worker's share of time at work, 0 to 1.
    pub(super) media: f32,
    /// The share of all workers' ticks in the last while that came more than 5 ms late, counted as late
    /// ticks a second and worker.
    pub(super) late_ticks: f32,
    /// The share of media ports in use, 0 to 1.
    pub(super) ports: f32,
    /// The share of places taken in the SIP endpoint's queue of commands, 0 to 1.
    pub(super) commands: f32,
    /// The share of places taken in the store's queue, 0 to 1.
    pub(super) store: f32,
}

/// What is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Short {
    Media,
    LateTicks,
    Ports,
    Commands,
    Store,
}

impl Short {
    /// Its word in metrics and logs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Media => "media",
            Self::LateTicks => "late-ticks",
            Self::Ports => "ports",
            Self::Commands => "sip-commands",
            Self::Store => "store",
        }
    }

    /// What the SIP endpoint is to refuse by itself. When it cannot keep up with commands, registrations too.
    pub(super) const fn pressure(self) -> Pressure {
        match self {
            Self::Media | Self::LateTicks | Self::Ports | Self::Store => Pressure::High,
            Self::Commands => Pressure::Critical,
        }
    }
}

/// When to refuse, and how far it must fall before calls are taken again. Each pair: above the first the door
/// shuts, below the second it opens.
struct Limits {
    media: (f32, f32),
    late_ticks: (f32, f32),
    ports: (f32, f32),
    commands: (f32, f32),
    store: (f32, f32),
}

/// A worker at 85 % of its time has little left for a burst of keys, prompts and re-INVITEs. 40 late ticks a
/// second (of 500 to 1,000) are heard. The last 5 % of the ports are for transfers of calls under way.
const LIMITS: Limits = Limits {
    media: (0.85, 0.75),
    late_ticks: (40.0, 10.0),
    ports: (0.95, 0.90),
    commands: (0.50, 0.10),
    store: (0.80, 0.40),
};

/// The door stays shut at least so long: a door that flaps lets in as many as one that is open.
const SHUT: Duration = Duration::from_secs(2);

/// Open, or shut and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Door(Option<(Short, Timestamp)>);

impl Door {
    /// The door after a look at the load.
    #[must_use]
    pub(super) fn judge(self, load: &Load, now: Timestamp) -> Self {
        match self.0 {
            None => Self(first(load, |limit| limit.0).map(|short| (short, now))),
            Some((_, since)) => match first(load, |limit| limit.1) {
                Some(short) => Self(Some((short, since))),
                None if now.since(since) < SHUT => self,
                None => Self(None),
            },
        }
    }

    /// Why it is shut.
    pub(super) fn shut_by(self) -> Option<Short> {
        self.0.map(|(short, _)| short)
    }
}

/// The first thing above its limit.
fn first(load: &Load, side: impl Fn((f32, f32)) -> f32) -> Option<Short> {
    let all = [
        (load.ports, LIMITS.ports, Short::Ports),
        (load.media, LIMITS.media, Short::Media),
        (load.late_ticks, LIMITS.late_ticks, Short::LateTicks),
        (load.commands, LIMITS.commands, Short::Commands),
        (load.store, LIMITS.store, Short::Store),
    ];
    all.into_iter().find(|(is, limits, _)| *is > side(*limits)).map(|(.., short)| short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(0) + Duration::from_millis(ms)
    }

    #[test]
    fn each_shortage_shuts_the_door() {
        for (load, short) in [
            (Load { media: 0.9, ..Load::default() }, Short::Media),
            (Load { late_ticks: 50.0, ..Load::default() }, Short::LateTicks),
            (Load { ports: 0.96, ..Load::default() }, Short::Ports),
            (Load { commands: 0.6, ..Load::default() }, Short::Commands),
            (Load { store: 0.9, ..Load::default() }, Short::Store),
        ] {
            assert_eq!(Door::default().judge(&load, at(0)).shut_by(), Some(short));
        }
        let busy = Load { media: 0.84, late_ticks: 39.0, ports: 0.94, commands: 0.49, store: 0.79 };
        assert_eq!(Door::default().judge(&busy, at(0)).shut_by(), None, "busy is not too busy");
    }

    #[test]
    fn it_opens_only_well_below_and_not_at_once() {
        let over = Load { media: 0.9, ..Load::default() };
        let between = Load { media: 0.8, ..Load::default() };
        let door = Door::default().judge(&over, at(0));
        let door = door.judge(&between, at(5_000));
        assert_eq!(door.shut_by(), Some(Short::Media), "between the limits it stays as it is");
        assert_eq!(Door::default().judge(&between, at(0)).shut_by(), None);
        assert_eq!(door.judge(&Load::default(), at(5_001)).shut_by(), None);
        let door = Door::default().judge(&over, at(0)).judge(&Load::default(), at(1_000));
        assert_eq!(door.shut_by(), Some(Short::Media), "not within two seconds");
        assert_eq!(door.judge(&Load::default(), at(2_000)).shut_by(), None);
    }

    #[test]
    fn another_shortage_keeps_it_shut() {
        let door = Door::default().judge(&Load { media: 0.9, ..Load::default() }, at(0));
        let door = door.judge(&Load { ports: 0.93, ..Load::default() }, at(10_000));
        assert_eq!(door.shut_by(), Some(Short::Ports));
    }
}

//! Legal holds: what they are on, and whether a call or a recording is held (domain rule 14).

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{CallId, HoldId, QueueId, RecordingId, Redacted};
use crate::time::Timestamp;

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldOn {
    /// One recording, and the data of its call with it.
    Recording(RecordingId),
    /// A call with its recordings.
    Call(CallId),
    /// All calls from this number (E.164) with their recordings, those to come too.
    Number(Redacted<String>),
    /// All calls whose first queue is this and that went on at some time in this span, those to come too.
    Queue {
        /// The queue.
        queue: QueueId,
        /// From then on.
        since: Timestamp,
        /// Until then.
        until: Timestamp,
    },
}

impl HoldOn {
    /// Its kind in a word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Recording(_) => "recording",
            Self::Call(_) => "call",
            Self::Number(_) => "number",
            Self::Queue { .. } => "queue",
        }
    }

    /// Which one, as it is stored. A number is personal.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Recording(id) => id.to_string(),
            Self::Call(id) => id.to_string(),
            Self::Number(number) => number.0.clone(),
            Self::Queue { queue, .. } => queue.0.clone(),
        }
    }
}

/// A legal hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What is held.
    pub on: HoldOn,
    /// Why, in a person's words.
    pub reason: Redacted<String>,
    /// Who made it: `user ada`.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// When it ends by itself; `None`: when somebody releases it.
    pub ends: Option<Timestamp>,
    /// That somebody released it.
    pub released: Option<Released>,
}

/// See [`Hold::released`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// When.
    pub at: Timestamp,
    /// Who: `user ada`.
    pub by: String,
}

impl Hold {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.released.is_none() && self.ends.is_none_or(|ends| ends > now)
    }

    /// Whether it is about this call as a whole.
    fn is_on_call(&self, call: &EndedCall) -> bool {
        match &self.on {
            HoldOn::Recording(_) => false,
            HoldOn::Call(id) => *id == call.id,
            HoldOn::Number(number) => call.from.as_ref() == Some(number),
            HoldOn::Queue { queue, since, until } => {
                *queue == call.queue && call.arrived_at <= *until && call.ended_at >= *since
            }
        }
    }
}

/// A call that ended, as far as retention asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedCall {
    /// Its id.
    pub id: CallId,
    /// Its first queue.
    pub queue: QueueId,
    /// When it came.
    pub arrived_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The caller's number (E.164).
    pub from: Option<Redacted<String>>,
}

/// A part of time: behind the first moment (`None`: from the beginning) and up to the second.
pub type Part = (Option<Timestamp>, Timestamp);

/// The holds that hold, found by what they are on.
#[derive(Clone, Debug, Default)]
pub struct Holds {
    all: Vec<Hold>,
    /// Places in `all`, by kind and subject.
    by: BTreeMap<(&'static str, String), Vec<usize>>,
}

impl Holds {
    /// Those of `all` that hold at `now`.
    #[must_use]
    pub fn new(all: impl IntoIterator<Item = Hold>, now: Timestamp) -> Self {
        let all: Vec<Hold> = all.into_iter().filter(|hold| hold.holds(now)).collect();
        let mut by: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, hold) in all.iter().enumerate() {
            by.entry((hold.on.kind(), hold.on.subject())).or_default().push(place);
        }
        Self { all, by }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those on a call as a whole.
    pub fn of_call<'a>(&'a self, call: &'a EndedCall) -> impl Iterator<Item = &'a Hold> {
        let number = call.from.as_ref().map(|from| self.named("number", &from.0)).unwrap_or_default();
        self.named("call", &call.id.to_string())
            .iter()
            .chain(number)
            .chain(self.named("queue", &call.queue.0))
            .map(|place| &self.all[*place])
            .filter(|hold| hold.is_on_call(call))
    }

    /// Those on a recording, by itself or with its call.
    pub fn of_recording<'a>(
        &'a self,
        id: RecordingId,
        call: &'a EndedCall,
    ) -> impl Iterator<Item = &'a Hold> {
        let own = self.named("recording", &id.to_string()).iter().map(|place| &self.all[*place]);
        own.chain(self.of_call(call))
    }

    /// The queues on which there are holds.
    #[must_use]
    pub fn queues(&self) -> BTreeSet<QueueId> {
        let of = self.by.keys().filter(|(kind, _)| *kind == "queue");
        of.map(|(_, queue)| QueueId(queue.clone())).collect()
    }

    /// The spans in which every call of a queue that ended is held by a hold on the queue: first and last moment, apart
    /// from each other, in order. A call that ended later may still be held, if it came in the span.
    #[must_use]
    pub fn spans(&self, queue: &QueueId) -> Vec<(Timestamp, Timestamp)> {
        let span = |place: &usize| match &self.all[*place].on {
            HoldOn::Queue { since, until, .. } if since <= until => Some((*since, *until)),
            HoldOn::Queue { .. } | HoldOn::Recording(_) | HoldOn::Call(_) | HoldOn::Number(_) => None,
        };
        let mut all: Vec<_> = self.named("queue", &queue.0).iter().filter_map(span).collect();
        all.sort();
        let mut apart: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (since, until) in all {
            match apart.last_mut() {
                Some((_, last)) if since <= *last => *last = until.max(*last),
                Some(_) | None => apart.push((since, until)),
            }
        }
        apart
    }

    /// What of a queue ended by `until`, in parts behind one moment and up to another: the parts in which not everything
    /// is held, and those of [`Holds::spans`].
    #[must_use]
    pub fn parts(&self, queue: &QueueId, until: Timestamp) -> (Vec<Part>, Vec<Part>) {
        let (mut free, mut held, mut from) = (Vec::new(), Vec::new(), None);
        for (since, last) in self.spans(queue).into_iter().filter(|(since, _)| *since <= until) {
            let (before, last) =
                (Timestamp::from_micros(since.as_micros().saturating_sub(1)), last.min(until));
            free.push((from, before));
            held.push((Some(before), last));
            from = Some(last);
        }
        free.push((from, until));
        (free, held)
    }

    fn named(&self, kind: &'static str, subject: &str) -> &[usize] {
        if self.all.is_empty() {
            return &[];
        }
        self.by.get(&(kind, subject.to_owned())).map(Vec::as_slice).unwrap_or_default()
    }
}

//! What was said in each call, for its ladder. One task owns it: drivers tell which dialogs are a call's legs, the SIP stack
//! what was said in a dialog once that has ended, and a while after the call's end all of it is stored.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use metrics::counter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use crate::ids::{AgentId, CallId};
use crate::sip::core::{DialogId, Source, TRACED_FIRST, TRACED_LAST, Traced, TracedBody, TracedStep};
use crate::sip::io::SipHandle;
use crate::store::{Change, Ladder, ParticularsChange, Rung, Store, StoreError};
use crate::time::{Clock, Timestamp};

use super::leg::Party;

/// After a call's end its dialogs' last messages are waited for: a little longer than the endpoint does.
const LINGER: Duration = Duration::from_secs(7);
/// Then it waits so long for others, so that many are stored in one transaction …
const TOGETHER: Duration = Duration::from_millis(500);
/// … but not more than this many.
const AT_ONCE: usize = 256;
/// A ladder that could not be stored is tried again after this …
const AGAIN: Duration = Duration::from_secs(30);
/// … so often; a database that is away for longer costs the ladders, and nothing else.
const TRIES: u8 = 20;
/// Notes that may wait. A call makes about four.
const NOTES: usize = 8_192;
/// Dialogs that ended and may wait.
const TRACES: usize = 4_096;

/// With whom a leg's messages go.
pub(super) fn line_of(party: &Party, source: Option<&Source>) -> String {
    match (party, source) {
        (Party::Caller(Some(trunk)) | Party::Outside(trunk), _) => format!("trunk {trunk}"),
        (Party::Caller(None), Some(Source::Agent(agent))) | (Party::Agent(agent), _) => agents(agent),
        (Party::Caller(None), Some(Source::Trunk(trunk))) => format!("trunk {trunk}"),
        (Party::Caller(None), None) => "outside".to_owned(),
        (Party::Supervisor, _) => "supervisor".to_owned(),
    }
}

fn agents(agent: &AgentId) -> String {
    format!("agent {agent}")
}

/// What reaches the task.
enum Note {
    Leg {
        call: CallId,
        dialog: DialogId,
        n: u16,
        line: String,
    },
    Over(CallId),
    Show(CallId, oneshot::Sender<Option<Ladder>>),
    /// Store all there is, at once.
    Flush(oneshot::Sender<()>),
}

/// The way to the task.
#[derive(Clone)]
pub(super) struct Ladders(mpsc::Sender<Note>);

impl Ladders {
    /// The way to a task to be, what it takes from it, and from the SIP stack.
    pub(super) fn new() -> (Self, Notes, mpsc::Sender<Traced>) {
        let (notes, taken) = mpsc::channel(NOTES);
        let (traces, told) = mpsc::channel(TRACES);
        (Self(notes), Notes(taken, told), traces)
    }

    /// A dialog is a leg of this call. Never waits: a ladder may miss a leg, a call may not wait.
    pub(super) fn leg(&self, call: CallId, dialog: DialogId, n: u16, line: String) {
        self.note(Note::Leg { call, dialog, n, line });
    }

    /// The call is over and stored.
    pub(super) fn over(&self, call: CallId) {
        self.note(Note::Over(call));
    }

    fn note(&self, note: Note) {
        if self.0.try_send(note).is_err() {
            counter!("sayso_ladder_notes_lost_total").increment(1);
        }
    }

    /// What was said so far in a call that goes on or has just ended; `None`: it is none of these.
    pub(super) async fn show(&self, call: CallId) -> Option<Ladder> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Note::Show(call, answer)).await.ok()?;
        answered.await.ok()?
    }

    /// Stores what waits, for a server that stops.
    pub(super) async fn flush(&self) {
        let (done, all_done) = oneshot::channel();
        if self.0.send(Note::Flush(done)).await.is_ok() {
            // An error means that the task is gone, and nothing waits.
            let _ = all_done.await;
        }
    }
}

/// What the task takes.
pub(super) struct Notes(mpsc::Receiver<Note>, mpsc::Receiver<Traced>);

/// Runs until the server is gone.
pub(super) async fn run(notes: Notes, sip: SipHandle, store: Store, clock: Clock) {
    let Notes(mut notes, mut traces) = notes;
    let mut task = Task { book: Book::default(), late: VecDeque::new(), sip, store, clock };
    loop {
        let due = task.book.due().into_iter().chain(task.late.front().map(|late| late.due)).min();
        let deadline = async {
            match due {
                Some(at) => sleep_until(clock.instant(at).into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            note = notes.recv() => match note {
                Some(note) => task.on_note(note).await,
                None => return,
            },
            Some(traced) = traces.recv() => task.book.traced(traced),
            () = deadline => task.store_due(clock.now()).await,
        }
    }
}

struct Task {
    book: Book,
    /// Those that could not be stored, the earliest first.
    late: VecDeque<Late>,
    sip: SipHandle,
    store: Store,
    clock: Clock,
}

struct Late {
    due: Timestamp,
    call: CallId,
    ladder: Ladder,
    tries: u8,
}

impl Task {
    async fn on_note(&mut self, note: Note) {
        match note {
            Note::Leg { call, dialog, n, line } => self.book.leg(call, dialog, n, line),
            Note::Over(call) => self.book.over(call, self.clock.now() + LINGER),
            Note::Show(call, answer) => {
                let ladder = match self.book.missing(call) {
                    Some(missing) => {
                        let more = self.so_far(missing).await;
                        self.book.ladder(call, &more)
                    }
                    None => None,
                };
                // Who asked may have stopped waiting.
                let _ = answer.send(ladder);
            }
            Note::Flush(done) => {
                while self.book.due().is_some() {
                    self.store_next(None).await;
                }
                // Who asked may have stopped waiting.
                let _ = done.send(());
            }
        }
    }

    async fn so_far(&self, dialogs: Vec<DialogId>) -> Vec<Traced> {
        if dialogs.is_empty() {
            return Vec::new();
        }
        // A stack that has ended has nothing to say any more.
        self.sip.traces(dialogs).await.unwrap_or_default()
    }

    async fn store_due(&mut self, now: Timestamp) {
        while self.book.due().is_some_and(|at| at <= now) {
            self.store_next(Some(now)).await;
        }
        let mut late = Vec::new();
        while let Some(again) = self.late.pop_front_if(|late| late.due <= now) {
            late.push((again.call, again.ladder, again.tries));
        }
        self.keep(late).await;
    }

    /// Stores what was said in the next calls that are over: those that are ripe at this time, or any.
    async fn store_next(&mut self, ripe: Option<Timestamp>) {
        let mut ladders = Vec::new();
        while ladders.len() < AT_ONCE
            && let Some(call) = self.book.next(ripe)
        {
            if let Some(ladder) = self.close(call).await {
                ladders.push((call, ladder, 0));
            }
        }
        self.keep(ladders).await;
    }

    /// What was said in a call, which is forgotten here.
    async fn close(&mut self, call: CallId) -> Option<Ladder> {
        let missing = self.book.missing(call)?;
        let more = self.so_far(missing).await;
        let ladder = self.book.ladder(call, &more).filter(|ladder| !ladder.messages.is_empty());
        self.book.forget(call);
        ladder
    }

    /// Stores ladders that were tried so often, a unit of work for each: one that is refused does not cost the others.
    async fn keep(&mut self, ladders: Vec<(CallId, Ladder, u8)>) {
        let mut submitted = Vec::with_capacity(ladders.len());
        for (call, ladder, tries) in ladders {
            let change = ParticularsChange::Ladder { call, ladder: ladder.clone() };
            let answer = self.store.submit(vec![Change::Particulars(change)]).await;
            submitted.push((call, ladder, tries, answer));
        }
        for (call, ladder, tries, answer) in submitted {
            match answer.wait().await {
                Ok(()) => {}
                // Anonymised meanwhile, or never stored as the call was refused: there is nothing to keep.
                Err(StoreError::State { .. } | StoreError::Missing { .. }) => {}
                Err(error) if tries >= TRIES || error.is_final() || self.late.len() >= TRACES => {
                    counter!("sayso_ladders_lost_total").increment(1);
                    tracing::error!(%call, %error, "a call's SIP messages could not be stored");
                }
                Err(_) => {
                    let due = self.clock.now() + AGAIN;
                    self.late.push_back(Late { due, call, ladder, tries: tries + 1 });
                }
            }
        }
    }
}

/// Calls, their dialogs, and what was said in those that ended.
#[derive(Default)]
struct Book {
    calls: HashMap<CallId, Entry>,
    dialogs: HashMap<DialogId, CallId>,
    /// Calls that are over, the earliest first.
    over: VecDeque<(Timestamp, CallId)>,
}

#[derive(Default)]
struct Entry {
    legs: Vec<Leg>,
    traced: Vec<Traced>,
}

struct Leg {
    dialog: DialogId,
    n: u16,
    line: String,
}

impl Book {
    fn leg(&mut self, call: CallId, dialog: DialogId, n: u16, line: String) {
        self.calls.entry(call).or_default().legs.push(Leg { dialog, n, line });
        self.dialogs.insert(dialog, call);
    }

    fn over(&mut self, call: CallId, due: Timestamp) {
        if self.calls.contains_key(&call) {
            self.over.push_back((due, call));
        }
    }

    /// When the next calls are stored.
    fn due(&self) -> Option<Timestamp> {
        self.over.front().map(|(at, _)| *at + TOGETHER)
    }

    /// The call that has been over for the longest, if it is ripe at this time.
    fn next(&mut self, ripe: Option<Timestamp>) -> Option<CallId> {
        self.over.pop_front_if(|(at, _)| ripe.is_none_or(|now| *at <= now)).map(|(_, call)| call)
    }

    fn traced(&mut self, traced: Traced) {
        let call = self.dialogs.get(&traced.dialog);
        // Of no call: it was refused, or is of the self-test.
        if let Some(entry) = call.and_then(|call| self.calls.get_mut(call)) {
            entry.traced.push(traced);
        }
    }

    /// The dialogs of a call that nothing was told of yet.
    fn missing(&self, call: CallId) -> Option<Vec<DialogId>> {
        let entry = self.calls.get(&call)?;
        let told = |dialog: &DialogId| entry.traced.iter().any(|traced| traced.dialog == *dialog);
        Some(entry.legs.iter().map(|leg| leg.dialog).filter(|dialog| !told(dialog)).collect())
    }

    fn forget(&mut self, call: CallId) {
        for leg in self.calls.remove(&call).map(|entry| entry.legs).unwrap_or_default() {
            self.dialogs.remove(&leg.dialog);
        }
    }

    /// All that was said in a call; `more` is of dialogs that go on.
    fn ladder(&self, call: CallId, more: &[Traced]) -> Option<Ladder> {
        let entry = self.calls.get(&call)?;
        let mut lines: Vec<String> = Vec::new();
        let mut steps: Vec<(&TracedStep, usize, u16)> = Vec::new();
        let mut cut = false;
        for leg in &entry.legs {
            let Some(traced) = entry.traced.iter().chain(more).find(|traced| traced.dialog == leg.dialog)
            else {
                continue;
            };
            let line = lines.iter().position(|line| *line == leg.line).unwrap_or_else(|| {
                lines.push(leg.line.clone());
                lines.len() - 1
            });
            cut |= traced.cut;
            steps.extend(traced.steps.iter().map(|step| (step, line, leg.n)));
        }
        // Stable: what crossed the endpoint in one instant stays in its order.
        steps.sort_by_key(|(step, ..)| step.at);
        if steps.len() > TRACED_FIRST + TRACED_LAST {
            cut = true;
            steps.drain(TRACED_FIRST..steps.len() - TRACED_LAST);
        }
        let messages = steps.into_iter().map(|(step, line, leg)| rung(step, line, leg)).collect();
        Some(Ladder { lines, messages, cut })
    }
}

fn rung(step: &TracedStep, line: usize, leg: u16) -> Rung {
    let body = step.body.map(|TracedBody { kind, length }| match length {
        Some(length) => format!("{kind}, {length} octets"),
        None => kind.to_owned(),
    });
    Rung { at: step.at, sent: step.sent, line, what: step.what(), cseq: step.cseq(), body, leg }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> CallId {
        CallId::new(ulid::Ulid(1))
    }

    fn step(at: i64, status: Option<u16>) -> TracedStep {
        let body = status.is_none().then_some(TracedBody { kind: "application/sdp", length: Some(200) });
        TracedStep {
            at: Timestamp::from_micros(at),
            sent: status.is_some(),
            status,
            method: "INVITE",
            cseq: 1,
            body,
        }
    }

    fn traced(dialog: u64, steps: Vec<TracedStep>) -> Traced {
        Traced { dialog: DialogId(dialog), steps, cut: false }
    }

    fn book() -> Book {
        let mut book = Book::default();
        book.leg(call(), DialogId(1), 0, "trunk pstn".to_owned());
        book.leg(call(), DialogId(2), 1, "agent bob".to_owned());
        book.leg(call(), DialogId(3), 2, "trunk pstn".to_owned());
        book
    }

    #[test]
    fn the_legs_of_a_call_are_one_ladder_in_order_of_time() {
        let mut book = book();
        book.traced(traced(2, vec![step(5, None), step(9, Some(180))]));
        book.traced(traced(7, vec![step(6, None)]));
        assert_eq!(book.missing(call()), Some(vec![DialogId(1), DialogId(3)]));
        let goes_on = traced(1, vec![step(1, None), step(7, Some(200))]);
        let ladder = book.ladder(call(), &[goes_on]).expect("it is there");
        assert_eq!(ladder.lines, ["trunk pstn", "agent bob"]);
        let said = |rung: &Rung| (rung.at.as_micros(), rung.line, rung.leg, rung.what.clone());
        let said: Vec<_> = ladder.messages.iter().map(said).collect();
        let row = |at, line, leg, what: &str| (at, line, leg, what.to_owned());
        let wanted = [row(1, 0, 0, "INVITE"), row(5, 1, 1, "INVITE"), row(7, 0, 0, "200 OK")];
        assert_eq!(said[..3], wanted);
        assert_eq!(said[3], row(9, 1, 1, "180 Ringing"));
        assert_eq!(ladder.messages[0].body.as_deref(), Some("application/sdp, 200 octets"));
        assert!(!ladder.cut);
        book.forget(call());
        assert!(book.dialogs.is_empty() && book.ladder(call(), &[]).is_none(), "nothing is left");
    }

    #[test]
    fn a_long_call_keeps_its_beginning_and_its_end() {
        let mut book = book();
        for dialog in 1..=3 {
            let steps = (0..50).map(|n| step(i64::try_from(dialog * 100 + n).expect("small"), Some(200)));
            book.traced(traced(dialog, steps.collect()));
        }
        let ladder = book.ladder(call(), &[]).expect("it is there");
        assert!(ladder.cut);
        assert_eq!(ladder.messages.len(), TRACED_FIRST + TRACED_LAST);
        let at = |n: usize| ladder.messages[n].at.as_micros();
        assert_eq!((at(0), at(TRACED_FIRST - 1)), (100, 219));
        assert_eq!((at(TRACED_FIRST), at(TRACED_FIRST + TRACED_LAST - 1)), (320, 349));
        assert!(serde_json::to_string(&ladder).expect("is JSON").len() < 65_536);
    }

    #[test]
    fn a_call_without_legs_is_not_waited_for() {
        let mut book = Book::default();
        book.over(call(), Timestamp::from_micros(1));
        assert_eq!(book.due(), None);
    }
}

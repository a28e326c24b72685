//! The questions: what pages, searches, reports and retention ask of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sayso::ids::{AgentId, CallId, QueueId, Redacted};
use sayso::privacy::{LastDigits, Person, Search};
use sayso::retention::{Proposed, Rules};
use sayso::settings::Settings;
use sayso::store::{
    AuditFilter, By, CallFilter, CallState, ConsentFilter, Counted, Cursor, Order, Place, RecordingFilter,
    Sight, Store,
};
use sayso::time::Timestamp;

use crate::fill;

/// What is promised of searching for a person, of planning and simulating retention, of proving a million audit rows.
const SEARCH: Duration = Duration::from_secs(2);
const PLAN: Duration = Duration::from_secs(60);
const PROOF: Duration = Duration::from_secs(10);
/// What a person waits for a page, and for a report of many days: the API gives up behind these.
const PAGE: Duration = Duration::from_secs(1);
const REPORT: Duration = Duration::from_secs(30);

/// How long the overview waits for what is counted aside.
const COUNTED_WITHIN: Duration = Duration::from_millis(500);

/// A page of the console.
const ROWS: u32 = 50;
/// A page of the sweeper.
const SWEPT: u32 = 500;
const DAY: Duration = Duration::from_secs(86_400);
/// A queue's usual service level in microseconds.
const USUAL: i64 = 20_000_000;

/// How the effort may grow with the database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grows {
    /// With what is found: nothing else is looked at.
    Found,
    /// With what is counted.
    Counted,
}

/// A question.
pub(super) struct Question {
    pub(super) name: &'static str,
    pub(super) bar: Duration,
    pub(super) grows: Grows,
    pub(super) ask: Ask,
}

/// What is asked.
pub(super) enum Ask {
    Person(Search),
    Calls(CallFilter, Place),
    Consents(ConsentFilter, Place),
    Recordings(RecordingFilter, Place),
    Audit(AuditFilter),
    Directory(Option<String>),
    Call(CallId),
    /// What the overview shows of today and of all recordings.
    Overview,
    /// What is counted aside for it.
    Stored,
    CallReport(Counted, By),
    ConsentReport(Counted, By),
    /// Other rules, all of them at once.
    Simulate(Vec<&'static str>),
    /// The days to come.
    Timeline,
    /// The first page of each of the sweeper's lists.
    Due,
    Proof,
}

/// What there is in the database to be asked for.
pub(super) struct Sample {
    now: Timestamp,
    /// A call in the middle, whose number is known.
    call: CallId,
    number: String,
    name: String,
    /// A place in the middle of the list of calls.
    middle: Cursor,
}

impl Sample {
    pub(super) async fn of(store: &Store, now: Timestamp) -> Result<Self> {
        let until = Some(back(now, 450));
        let page = store.call_list(&CallFilter { until, ..all_calls() }, &Place::first(200)).await?;
        let known = |row: &sayso::store::CallRow| {
            let number =
                row.from.as_ref().map(|number| number.0.clone()).filter(|number| number.starts_with('+'));
            number.map(|number| (row.id, number))
        };
        let found = page.items.iter().find_map(known);
        let (call, number) =
            found.context("no call of the middle has a number: give a database that `fill` made")?;
        let caller =
            number.trim_start_matches("+4930").parse().context("a number that `fill` did not make")?;
        let middle = page.next.context("fewer than 200 calls in the older half")?;
        Ok(Self { now, call, number, name: fill::name_of(caller), middle })
    }

    fn last(&self, digits: usize) -> &str {
        &self.number[self.number.len() - digits..]
    }

    fn behind(&self) -> Place {
        Place { after: Some(self.middle.clone()), ..Place::first(ROWS) }
    }
}

/// All questions.
pub(super) fn questions(sample: &Sample) -> Vec<Question> {
    [searches(sample), calls(sample), other_lists(sample), figures(sample), retention(), log(sample)]
        .into_iter()
        .flatten()
        .collect()
}

fn searches(sample: &Sample) -> Vec<Question> {
    let first_name = sample.name.split(' ').next().unwrap_or_default();
    let who = |number: Option<&str>, email: Option<&str>, name: Option<&str>, span: Option<(u64, u64)>| {
        let person = Person::parse(number, email, name).expect("the sample's own can be looked for");
        let at = |days| back(sample.now, days);
        Ask::Person(Search {
            person,
            since: span.map(|(from, _)| at(from)),
            until: span.map(|(_, to)| at(to)),
        })
    };
    let email = format!("{}1@example.org", sample.name.to_lowercase().replace(' ', "."));
    [
        ("search: a whole number", who(Some(&sample.number), None, None, None)),
        ("search: the last 6 digits", who(Some(sample.last(6)), None, None, None)),
        ("search: the last 3 digits", who(Some(sample.last(3)), None, None, None)),
        ("search: the last 3 digits, a day", who(Some(sample.last(3)), None, None, Some((451, 450)))),
        ("search: first and last name", who(None, None, Some(&sample.name), None)),
        ("search: a first name", who(None, None, Some(first_name), None)),
        ("search: a first name, a day", who(None, None, Some(first_name), Some((451, 450)))),
        ("search: an e-mail address", who(None, Some(&email), None, None)),
    ]
    .map(|(name, ask)| Question { name, bar: SEARCH, grows: Grows::Found, ask })
    .into()
}

fn calls(sample: &Sample) -> Vec<Question> {
    let first = || Place::first(ROWS);
    let all = all_calls;
    let two = Some(BTreeSet::from([QueueId::from("claims"), QueueId::from("night")]));
    let two = || Sight { queues: two.clone(), restricted: false };
    let state = |state| CallFilter { state: Some(state), ..all() };
    let oldest = Place { order: Order::Oldest, ..first() };
    let words = Some(Redacted("called back".to_owned()));
    let month = Some(back(sample.now, 30));
    [
        ("calls: the first page", Ask::Calls(all(), first())),
        ("calls: a page in the middle", Ask::Calls(all(), sample.behind())),
        ("calls: none restricted, a page in the middle", Ask::Calls(CallFilter::default(), sample.behind())),
        ("calls: restricted", Ask::Calls(state(CallState::Restricted), first())),
        ("calls: abandoned", Ask::Calls(state(CallState::Abandoned), first())),
        (
            "calls: of a queue, the oldest",
            Ask::Calls(CallFilter { queue: Some("loans".into()), ..all() }, oldest),
        ),
        (
            "calls: of two queues, a page in the middle",
            Ask::Calls(CallFilter { sight: two(), ..all() }, sample.behind()),
        ),
        (
            "calls: of an agent, a page in the middle",
            Ask::Calls(CallFilter { agent: Some(AgentId("agent7".into())), ..all() }, sample.behind()),
        ),
        ("calls: by the last 5 digits", Ask::Calls(CallFilter { digits: digits(sample), ..all() }, first())),
        ("calls: words of a note, a month", Ask::Calls(CallFilter { words, since: month, ..all() }, first())),
        ("one call", Ask::Call(sample.call)),
    ]
    .map(|(name, ask)| Question { name, bar: PAGE, grows: Grows::Found, ask })
    .into()
}

fn digits(sample: &Sample) -> Option<LastDigits> {
    Some(LastDigits::parse(sample.last(5)).expect("a number ends in digits"))
}

fn other_lists(sample: &Sample) -> Vec<Question> {
    let first = || Place::first(ROWS);
    let sight = Sight::whole;
    let consents = || ConsentFilter { sight: sight(), ..ConsentFilter::default() };
    let recordings = || RecordingFilter { sight: sight(), ..RecordingFilter::default() };
    let until = Some(back(sample.now, 450));
    let digits = digits(sample);
    let in_state = |state: &str| RecordingFilter { state: Some(state.to_owned()), ..recordings() };
    let first_name = sample.name.split(' ').next().map(str::to_lowercase);
    let held = || RecordingFilter { held: Some(sample.now), ..recordings() };
    let of_agent = || RecordingFilter { agent: Some(AgentId("agent7".into())), ..recordings() };
    [
        ("consents: the first page", Ask::Consents(consents(), first())),
        (
            "consents: none restricted, from the middle",
            Ask::Consents(ConsentFilter { until, ..ConsentFilter::default() }, first()),
        ),
        (
            "consents: refused, from the middle",
            Ask::Consents(ConsentFilter { answer: Some("no".into()), until, ..consents() }, first()),
        ),
        (
            "consents: withdrawn, of which there are none",
            Ask::Consents(ConsentFilter { answer: Some("withdrawn".into()), ..consents() }, first()),
        ),
        ("consents: by the last 5 digits", Ask::Consents(ConsentFilter { digits, ..consents() }, first())),
        ("recordings: the first page", Ask::Recordings(recordings(), first())),
        (
            "recordings: none restricted, from the middle",
            Ask::Recordings(RecordingFilter { until, ..RecordingFilter::default() }, first()),
        ),
        ("recordings: failed, of which there are none", Ask::Recordings(in_state("failed"), first())),
        (
            "recordings: removed, of a queue",
            Ask::Recordings(RecordingFilter { queue: Some("cards".into()), ..in_state("removed") }, first()),
        ),
        ("recordings: held", Ask::Recordings(held(), first())),
        ("recordings: held, the oldest", Ask::Recordings(held(), Place { order: Order::Oldest, ..first() })),
        ("recordings: of an agent", Ask::Recordings(of_agent(), first())),
        (
            "recordings: of an agent, from the middle",
            Ask::Recordings(RecordingFilter { until, ..of_agent() }, first()),
        ),
        ("directory: the first page", Ask::Directory(None)),
        ("directory: by the last 5 digits", Ask::Directory(Some(sample.last(5).to_owned()))),
        ("directory: by a first name", Ask::Directory(first_name)),
    ]
    .map(|(name, ask)| Question { name, bar: PAGE, grows: Grows::Found, ask })
    .into()
}

fn figures(sample: &Sample) -> Vec<Question> {
    let of = |days| Counted {
        since: back(sample.now, days),
        until: sample.now,
        queue: None,
        sight: Sight::whole(),
    };
    let question = |name, bar, ask| Question { name, bar, grows: Grows::Counted, ask };
    vec![
        question("overview: today, and recordings by state", PAGE * 3, Ask::Overview),
        question("overview: stored recordings, counted aside", PLAN, Ask::Stored),
        question("report: calls by day, 92 days", REPORT, Ask::CallReport(of(92), By::Quarter)),
        question("report: calls by day, 400 days", REPORT, Ask::CallReport(of(400), By::Quarter)),
        question("report: consents by day, 92 days", REPORT, Ask::ConsentReport(of(92), By::Quarter)),
        question("report: consents by queue, 400 days", REPORT, Ask::ConsentReport(of(400), By::Queue)),
    ]
}

fn retention() -> Vec<Question> {
    let question = |name, ask| Question { name, bar: PLAN, grows: Grows::Counted, ask };
    let all = vec![
        "system.retention-calls=365d",
        "system.retention-recordings=90d",
        "system.retention-reporting=1000d",
    ];
    vec![
        question("retention: one queue's rule simulated", Ask::Simulate(vec!["queue.claims.retention=400d"])),
        question("retention: the system's rules simulated", Ask::Simulate(all)),
        question("retention: the days to come", Ask::Timeline),
        Question { grows: Grows::Found, ..question("retention: what is due, a page of each list", Ask::Due) },
    ]
}

fn log(sample: &Sample) -> Vec<Question> {
    let filter = || AuditFilter { limit: ROWS, ..AuditFilter::default() };
    let question = |name, ask| Question { name, bar: PAGE, grows: Grows::Found, ask };
    let of_number = AuditFilter { q: Some("+493000000000".to_owned()), ..filter() };
    let text = AuditFilter { q: Some("nowhere".to_owned()), ..filter() };
    let since = AuditFilter { since: Some(back(sample.now, 1)), ..filter() };
    vec![
        question("audit log: the first page", Ask::Audit(filter())),
        question("audit log: of the last day", Ask::Audit(since)),
        question("audit log: about a number", Ask::Audit(of_number)),
        Question {
            grows: Grows::Counted,
            bar: PAGE * 3,
            ..question("audit log: a text that is nowhere", Ask::Audit(text))
        },
        Question { grows: Grows::Counted, bar: PROOF, ..question("audit log: proven whole", Ask::Proof) },
    ]
}

impl Ask {
    /// Asks; how many rows were found or counted.
    pub(super) async fn of(&self, store: &Store, sample: &Sample) -> Result<u64> {
        let many = |rows: usize| rows as u64;
        Ok(match self {
            Self::Person(search) => {
                let found = store.find_person(search).await?;
                many(found.calls.len() + found.consents.len() + found.recordings.len() + found.entries.len())
            }
            Self::Calls(filter, place) => many(store.call_list(filter, place).await?.items.len()),
            Self::Consents(filter, place) => many(store.consent_list(filter, place).await?.items.len()),
            Self::Recordings(filter, place) => many(store.recording_list(filter, place).await?.items.len()),
            Self::Audit(filter) => many(store.audit_page(filter).await?.items.len()),
            Self::Directory(q) => many(store.directory(q.as_deref(), &Place::first(ROWS)).await?.items.len()),
            Self::Call(id) => {
                many(store.call(*id).await?.map_or(0, |call| 1 + call.legs.len() + call.events.len()))
            }
            Self::Overview => overview(store, sample).await?,
            Self::Stored => {
                let counted = store.recordings_stored(&Sight::whole(), PLAN).await;
                counted.context("stored recordings were not counted")?.0
            }
            Self::CallReport(counted, by) => calls_of(store, counted, *by).await?,
            Self::ConsentReport(counted, by) => consents_of(store, counted, *by).await?,
            Self::Simulate(changes) => simulate(store, sample, changes).await?,
            Self::Timeline => {
                let days = store
                    .timeline(&changed(&["system.retention-calls=900d"])?, sample.now, &Sight::whole())
                    .await?;
                days.iter().map(|day| day.recordings + day.calls).sum()
            }
            Self::Due => due(store, sample).await?,
            Self::Proof => store.verify_audit(|_, _| {}).await?.rows,
        })
    }
}

async fn overview(store: &Store, sample: &Sample) -> Result<u64> {
    let (since, until) = (back(sample.now, 1), sample.now);
    let today = Counted { since, until, queue: None, sight: Sight::whole() };
    let mut rows = calls_of(store, &today, By::Queue).await? + consents_of(store, &today, By::Queue).await?;
    // As the page does: what is stored is counted aside.
    rows += store.recordings_stored(&Sight::whole(), COUNTED_WITHIN).await.map_or(0, |(stored, _)| stored);
    for state in ["finished", "failed"] {
        rows += store.recordings_in(&[state], &Sight::whole()).await?;
    }
    Ok(rows)
}

async fn calls_of(store: &Store, counted: &Counted, by: By) -> Result<u64> {
    let limits = BTreeMap::from([(QueueId::from("night"), 3 * USUAL)]);
    let found = store.call_figures(counted, by, (&limits, USUAL)).await?;
    Ok(found.iter().map(|(_, figures)| figures.offered).sum())
}

async fn consents_of(store: &Store, counted: &Counted, by: By) -> Result<u64> {
    let found = store.consent_figures(counted, by).await?;
    Ok(found.iter().map(|(_, figures)| figures.given + figures.refused).sum())
}

async fn simulate(store: &Store, sample: &Sample, changes: &[&str]) -> Result<u64> {
    let is = changed(&["system.retention-calls=900d"])?;
    let would = is.with(&proposed(changes)?);
    let found = store.simulate((&is, &would), sample.now, &Sight::whole(), &|_, _| {}).await?;
    let proposed = found.proposed;
    Ok(proposed.recordings + proposed.calls + proposed.held + proposed.rows)
}

async fn due(store: &Store, sample: &Sample) -> Result<u64> {
    let rules = changed(&["system.retention-calls=365d"])?;
    let until = back(sample.now, 365);
    let mut rows = store.anonymous_calls(until, None, SWEPT).await?.len();
    for queue in store.kept_queues(&rules).await? {
        rows += store.kept_recordings(&queue, until, None, SWEPT).await?.len();
        rows += store.kept_calls(&queue, until, None, SWEPT).await?.len();
    }
    Ok(rows as u64)
}

/// The rules of a system that keeps everything, changed.
fn changed(changes: &[&str]) -> Result<Rules> {
    Ok(Rules::of(&Settings::default()).with(&proposed(changes)?))
}

fn proposed(changes: &[&str]) -> Result<Proposed> {
    let mut proposed = Proposed::default();
    for change in changes {
        proposed.set(change)?;
    }
    Ok(proposed)
}

fn all_calls() -> CallFilter {
    CallFilter { sight: Sight::whole(), ..CallFilter::default() }
}

fn back(now: Timestamp, days: u64) -> Timestamp {
    now - DAY * u32::try_from(days).unwrap_or(u32::MAX)
}

//! Figures: calls and consents by day, hour, queue or question. Days and hours are those of the system's time zone; the
//! database counts by quarters of an hour, which are put together here.

use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, At};
use crate::api::problem::Problem;
use crate::ids::QueueId;
use crate::settings::Settings;
use crate::store::{By, CallFigures, ConsentFigures, Counted, QUARTER, StoreError};
use crate::time::Timestamp;

use super::route::{Route, get};

pub(super) fn routes() -> Vec<Route> {
    const VIEW: Needs = Needs::Right(Right::ViewReports);
    vec![
        get("/reports/consents", VIEW, consents)
            .says("How many were asked, and what they answered.")
            .query::<OfConsents>()
            .gives::<ConsentReport>(),
        get("/reports/calls", VIEW, calls)
            .says("How many called, were answered and gave up, and how long they waited.")
            .query::<OfCalls>()
            .gives::<CallReport>(),
    ]
}

/// What is counted if nothing is said: so much before now.
const USUAL: Duration = Duration::from_secs(30 * 86_400);
/// And at most: a year and a bit, or a page would wait for too long.
const LONGEST: Duration = Duration::from_secs(400 * 86_400);
/// A queue's service level if its settings are gone, in seconds.
const SERVICE: u64 = 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ConsentsBy {
    #[default]
    Day,
    Queue,
    Question,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum CallsBy {
    #[default]
    Day,
    Queue,
    Hour,
}

/// Which consents are counted, and how.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfConsents {
    /// Not before this; 30 days before `until` if nothing is said, at most 400.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    /// Before this; now if nothing is said.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
    /// Of this first queue.
    #[param(value_type = Option<String>)]
    queue: Option<QueueId>,
    /// What the rows are: days if nothing is said.
    #[param(inline)]
    by: Option<ConsentsBy>,
}

/// Which calls are counted, and how.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OfCalls {
    /// Not before this; 30 days before `until` if nothing is said, at most 400.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    /// Before this; now if nothing is said.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
    /// Of this first queue.
    #[param(value_type = Option<String>)]
    queue: Option<QueueId>,
    /// What the rows are: days if nothing is said; `hour`: the 24 hours of the day.
    #[param(inline)]
    by: Option<CallsBy>,
}

/// `ConsentReport` of `admin.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentReport {
    rows: Vec<ConsentLine>,
    total: ConsentLine,
}

/// Consents of a day (`2026-11-22`), a queue, or a question (SHA-256).
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ConsentLine {
    key: String,
    asked: u64,
    given: u64,
    refused: u64,
    wrong_keys: u64,
    silent: u64,
    hung_up: u64,
    withdrawn: u64,
}

/// `CallReport` of `admin.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct CallReport {
    rows: Vec<CallLine>,
    total: CallLine,
}

/// Calls of a day (`2026-11-22`), an hour of the day (`00` to `23`) or a queue.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CallLine {
    key: String,
    offered: u64,
    answered: u64,
    abandoned: u64,
    recorded: u64,
    /// All of them together.
    wait_seconds: u64,
    /// All of them together.
    talk_seconds: u64,
    /// Share (0 to 1) of answered calls that waited no longer than the queue's `service-seconds`.
    service_level: Option<f64>,
}

pub(super) async fn consents(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<OfConsents>,
) -> Result<Response, Problem> {
    let OfConsents { since, until, queue, by } = asked.by.clone();
    let counted = counted(&desk, &visitor, (since, until), queue)?;
    let (_, settings) = soon(desk.store().settings()).await?;
    let (key, by) = match by.unwrap_or_default() {
        ConsentsBy::Day => (Key::Day(zone(&settings)), By::Quarter),
        ConsentsBy::Queue => (Key::AsItIs, By::Queue),
        ConsentsBy::Question => (Key::AsItIs, By::Question),
    };
    let store = desk.store().clone();
    let found = desk.count(async move { store.consent_figures(&counted, by).await }).await?;
    let (rows, total) = key.together(found);
    let rows = rows.into_iter().map(|(key, figures)| ConsentLine::of(key, &figures)).collect();
    Ok(Json(ConsentReport { rows, total: ConsentLine::of("total".into(), &total) }).into_response())
}

pub(super) async fn calls(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<OfCalls>,
) -> Result<Response, Problem> {
    let OfCalls { since, until, queue, by } = asked.by.clone();
    let counted = counted(&desk, &visitor, (since, until), queue)?;
    let (_, settings) = soon(desk.store().settings()).await?;
    let (key, by) = match by.unwrap_or_default() {
        CallsBy::Day => (Key::Day(zone(&settings)), By::Quarter),
        CallsBy::Hour => (Key::Hour(zone(&settings)), By::Quarter),
        CallsBy::Queue => (Key::AsItIs, By::Queue),
    };
    let (rows, total) = key.together(desk.count(figures(&desk, &settings, counted, by)).await?);
    let rows = rows.into_iter().map(|(key, figures)| CallLine::of(key, &figures)).collect();
    Ok(Json(CallReport { rows, total: CallLine::of("total".into(), &total) }).into_response())
}

/// Calls counted, with the queues' own service levels.
pub(super) fn figures(
    desk: &Desk,
    settings: &Settings,
    counted: Counted,
    by: By,
) -> impl Future<Output = Result<Vec<(String, CallFigures)>, StoreError>> + Send + use<> {
    let micros = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let limit = |queue: &crate::settings::Queue| i64::from(queue.service_seconds) * 1_000_000;
    let limits = settings.queues.iter().map(|(id, queue)| (id.clone(), limit(queue))).collect();
    let (store, usual) = (desk.store().clone(), micros(SERVICE));
    async move { store.call_figures(&counted, by, (&limits, usual)).await }
}

fn counted(
    desk: &Desk,
    visitor: &Visitor,
    (since, until): (Option<At>, Option<At>),
    queue: Option<QueueId>,
) -> Result<Counted, Problem> {
    let until = until.map_or(desk.now(), |At(at)| at);
    let since = since.map_or(until - USUAL, |At(at)| at);
    if since > until || until.since(since) > LONGEST {
        let detail = "`since` is before `until`, and at most 400 days.";
        return Err(Problem::unprocessable("bad-filter", detail));
    }
    Ok(Counted { since, until, queue, sight: visitor.sight() })
}

/// The system's time zone; one that is not known (the settings are checked) is UTC.
pub(super) fn zone(settings: &Settings) -> TimeZone {
    let name = settings.system.as_ref().map_or("UTC", |system| system.time_zone.as_str());
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// What the database's keys become.
enum Key {
    AsItIs,
    Day(TimeZone),
    Hour(TimeZone),
}

impl Key {
    fn of(&self, key: String) -> String {
        let (zone, form) = match self {
            Self::AsItIs => return key,
            Self::Day(zone) => (zone, "%Y-%m-%d"),
            Self::Hour(zone) => (zone, "%H"),
        };
        let at = key.parse::<i64>().ok().and_then(|n| n.checked_mul(QUARTER));
        let at = at.and_then(|at| jiff::Timestamp::from_microsecond(at).ok());
        at.map_or(key, |at| at.to_zoned(zone.clone()).strftime(form).to_string())
    }

    /// Rows in order of their keys, and all of them together.
    fn together<T: Default + for<'a> AddAssign<&'a T>>(
        &self,
        found: Vec<(String, T)>,
    ) -> (Vec<(String, T)>, T) {
        let (mut rows, mut total) = (BTreeMap::<String, T>::new(), T::default());
        for (key, figures) in found {
            total += &figures;
            *rows.entry(self.of(key)).or_default() += &figures;
        }
        (rows.into_iter().collect(), total)
    }
}

impl AddAssign<&Self> for CallFigures {
    fn add_assign(&mut self, more: &Self) {
        self.offered += more.offered;
        self.answered += more.answered;
        self.abandoned += more.abandoned;
        self.recorded += more.recorded;
        self.waited += more.waited;
        self.talked += more.talked;
        self.in_time += more.in_time;
    }
}

impl AddAssign<&Self> for ConsentFigures {
    fn add_assign(&mut self, more: &Self) {
        self.given += more.given;
        self.refused += more.refused;
        self.wrong_keys += more.wrong_keys;
        self.silent += more.silent;
        self.hung_up += more.hung_up;
        self.withdrawn += more.withdrawn;
    }
}

impl CallLine {
    fn of(key: String, figures: &CallFigures) -> Self {
        Self {
            key,
            offered: figures.offered,
            answered: figures.answered,
            abandoned: figures.abandoned,
            recorded: figures.recorded,
            wait_seconds: figures.waited / 1_000_000,
            talk_seconds: figures.talked / 1_000_000,
            service_level: (figures.answered > 0).then(|| figures.in_time as f64 / figures.answered as f64),
        }
    }
}

impl ConsentLine {
    fn of(key: String, figures: &ConsentFigures) -> Self {
        let ConsentFigures { given, refused, wrong_keys, silent, hung_up, withdrawn } = *figures;
        let asked = given + refused + wrong_keys + silent + hung_up;
        Self { key, asked, given, refused, wrong_keys, silent, hung_up, withdrawn }
    }
}

/// Midnight in a time zone, before a moment.
pub(super) fn midnight(zone: &TimeZone, now: Timestamp) -> Timestamp {
    let at = jiff::Timestamp::from_microsecond(now.as_micros()).ok();
    let day = at.and_then(|at| at.to_zoned(zone.clone()).start_of_day().ok());
    day.map_or(now, |day| Timestamp::from_micros(day.timestamp().as_microsecond()))
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;

    use super::*;
    use crate::api::heavy::Heavy;
    use crate::api::input::Listing;
    use crate::api::tests::house::{House, PASSWORD};
    use crate::api::{Proxies, sign};
    use crate::ids::Redacted;

    fn asked<Q: Default>() -> Asked<Q> {
        Asked { listing: Listing::default(), by: Q::default(), filter: Redacted(String::new()) }
    }

    #[tokio::test]
    async fn reports_wait_for_the_places_that_all_heavy_reads_share() {
        let house = House::new().await;
        let mut desk = Desk::new(house.desktop.clone(), false, Proxies::default());
        let from = "127.0.0.1".parse().unwrap();
        let (_, visitor) = sign::log_in(&desk, "clerk", PASSWORD.into(), None, from).await.unwrap();
        let ask = async |desk: &Arc<Desk>| {
            let calls = calls(State(Arc::clone(desk)), Extension(visitor.clone()), asked()).await;
            let consents = consents(State(Arc::clone(desk)), Extension(visitor.clone()), asked()).await;
            [calls, consents].map(axum::response::IntoResponse::into_response)
        };
        for answer in ask(&desk).await {
            assert_eq!(answer.status(), 200);
        }
        Arc::get_mut(&mut desk).expect("nobody else has it").heavy = Heavy::full();
        for answer in ask(&desk).await {
            assert_eq!(answer.status(), 503);
            assert_eq!(answer.headers()[RETRY_AFTER], "5");
        }
    }

    #[test]
    fn days_are_those_of_the_time_zone_and_of_summer_time() {
        let zone = TimeZone::get("Europe/Vienna").unwrap();
        let quarter = |text: &str| {
            let at: jiff::Timestamp = text.parse().unwrap();
            (at.as_microsecond() / QUARTER).to_string()
        };
        // Winter: UTC+1; summer: UTC+2. On 25 October 2026 the hour from 02:00 comes twice.
        let day = Key::Day(zone.clone());
        for (at, is) in [
            ("2026-11-22T22:59:00Z", "2026-11-22"),
            ("2026-11-22T23:00:00Z", "2026-11-23"),
            ("2026-07-01T21:59:00Z", "2026-07-01"),
            ("2026-07-01T22:00:00Z", "2026-07-02"),
        ] {
            assert_eq!(day.of(quarter(at)), is, "{at}");
        }
        let hour = Key::Hour(zone.clone());
        let twice = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"].map(|at| hour.of(quarter(at)));
        assert_eq!(twice, ["02", "02"]);
        let half = Key::Hour(TimeZone::get("Asia/Kathmandu").unwrap());
        assert_eq!(half.of(quarter("2026-11-22T00:15:00Z")), "06", "UTC+05:45");
        let of =
            |text: &str| Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        assert_eq!(midnight(&zone, of("2026-11-22T23:30:00Z")), of("2026-11-22T23:00:00Z"));
    }

    #[test]
    fn quarters_are_put_together() {
        let one = |offered| CallFigures { offered, answered: 1, in_time: 1, ..CallFigures::default() };
        let found = vec![("0".to_owned(), one(1)), ("1".to_owned(), one(2)), ("96".to_owned(), one(4))];
        let (rows, total) = Key::Day(TimeZone::UTC).together(found);
        let rows: Vec<(String, u64)> = rows.into_iter().map(|(key, row)| (key, row.offered)).collect();
        assert_eq!(rows, [("1970-01-01".to_owned(), 3), ("1970-01-02".to_owned(), 4)]);
        assert_eq!((total.offered, CallLine::of(String::new(), &total).service_level), (7, Some(1.0)));
    }
}

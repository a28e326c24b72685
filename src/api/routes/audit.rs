//! The audit log: read, taken out, proven whole, anchored.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use futures_util::stream::try_unfold;
use serde::{Deserialize, Serialize};
use ulid::Ulid;
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::csv::{Listed, Still, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, At};
use crate::api::problem::Problem;
use crate::audit::{
    Anchor, AuditEvent, BrokenLink, Class, Head, Object, Row, Sealed, Value, Why, end_line, row_line,
};
use crate::jobs::anchor::{AnchorFault, Anchoring, anchor, known};
use crate::store::{AnchorPlace, AnchorRow, AuditFilter, Change, Order, Page, Place, StoreError};
use crate::time::Clock;

use super::route::{Route, get, post};
use super::vault::Paged;

pub(super) fn routes() -> Vec<Route> {
    const VIEW: Needs = Needs::Right(Right::ViewAuditLog);
    vec![
        get("/audit", VIEW, list)
            .says(
                "Who did what to what, and when. A page may have fewer rows than its limit and still a next one: where no \
                 index finds what is asked for, so many rows were looked through. Reading is itself audited, once an hour.",
            )
            .lists::<By, AuditRow>(),
        get("/audit/export", VIEW, export)
            .says("Rows with their hashes, a line of JSON each, the oldest first, as `sayso audit verify --file` reads them.")
            .query::<By>()
            .gives_octets(StatusCode::OK, "application/jsonl"),
        post("/audit/verify", VIEW, verify)
            .says("Proves the log whole from its first row to its last, or names the first broken link.")
            .gives::<AuditVerdict>(),
        get("/audit/anchors", VIEW, anchors)
            .says("Where the log's head was anchored, the latest first.")
            .query::<Paged>()
            .gives::<Page<AnchorAt>>(),
        post("/audit/anchors", Needs::Right(Right::ConfigureSystem), anchor_now)
            .says("Anchors the log's head now, at each place of the settings.")
            .gives_with::<Vec<AnchorAt>>(StatusCode::CREATED),
    ]
}

/// Reading is audited so often for each reader.
const READ_AGAIN: std::time::Duration = std::time::Duration::from_secs(3_600);
/// Rows of an export that are read at once.
const LOT: u32 = 2_000;
/// The object of the rows that tell of the log itself.
const LOG: &str = "log";

/// A proof reads the whole log: after one, so many times as long as it took there is none.
const PAUSES: u32 = 9;

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ClassWord {
    Presence,
    Config,
    Rights,
    Modify,
    Read,
    Failure,
    System,
}

impl ClassWord {
    const fn class(self) -> Class {
        match self {
            Self::Presence => Class::Presence,
            Self::Config => Class::Config,
            Self::Rights => Class::Rights,
            Self::Modify => Class::Modify,
            Self::Read => Class::Read,
            Self::Failure => Class::Failure,
            Self::System => Class::System,
        }
    }
}

/// Which rows.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct By {
    /// Of this class.
    #[param(inline)]
    class: Option<ClassWord>,
    /// Not before this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    /// Before this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
    /// About this object: an id or a name. A call's id finds its legs too.
    object: Option<String>,
    /// Of this action, such as `consent.given`.
    action: Option<String>,
    /// By this name: of a user, an agent, a trunk.
    actor: Option<String>,
    /// A whole number (`+49…`) finds what is said of who has it; another text is looked for in actions, objects and values.
    q: Option<String>,
}

impl By {
    fn filter(&self, visitor: &Visitor, place: &Place) -> AuditFilter {
        let text = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        AuditFilter {
            limit: place.limit,
            since: self.since.map(|at| at.0),
            until: self.until.map(|at| at.0),
            class: self.class.map(ClassWord::class),
            object: text(&self.object),
            action: text(&self.action),
            actor: text(&self.actor),
            q: text(&self.q),
            oldest: place.order == Order::Oldest,
            behind: place.after.as_ref().map(crate::store::Cursor::row),
            unrestricted: !visitor.has(Right::Dpo),
        }
    }
}

/// `AuditRow` of `admin.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct AuditRow {
    seq: u64,
    at: String,
    class: &'static str,
    /// The kind, and the name where there is one: `system`, `user ada`.
    actor: String,
    action: String,
    object: AuditObject,
    /// The person concerned; null also where it was erased.
    about: Option<String>,
    old: Option<String>,
    new: Option<String>,
    /// Whether a value of it was erased.
    erased: bool,
}

#[derive(Serialize, ToSchema)]
struct AuditObject {
    kind: String,
    id: String,
    attribute: Option<String>,
}

impl From<Row> for AuditRow {
    fn from(row: Row) -> Self {
        let text = |value: &Option<Sealed>| value.as_ref().and_then(Sealed::text).map(str::to_owned);
        let gone = |value: &Option<Sealed>| value.as_ref().is_some_and(|value| value.text().is_none());
        Self {
            seq: row.seq,
            at: row.at.to_rfc3339(),
            class: row.class.word(),
            actor: row.who.to_string(),
            action: row.action.to_string(),
            about: text(&row.about),
            old: text(&row.old),
            new: text(&row.new),
            erased: [&row.about, &row.old, &row.new].into_iter().any(gone),
            object: AuditObject {
                kind: row.what.kind.into_owned(),
                id: row.what.id,
                attribute: row.what.attribute.map(Into::into),
            },
        }
    }
}

impl Listed for AuditRow {
    const COLUMNS: &'static [&'static str] =
        &["seq", "at", "class", "actor", "action", "object", "about", "old", "new", "erased"];
    const PERSONAL: bool = true;
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<By>,
) -> Result<Response, Problem> {
    visitor.of_all_queues()?;
    note_reading(&desk, &visitor).await?;
    let (store, by) = (desk.store().clone(), asked.by.clone());
    let (at, who) = (Arc::clone(&desk), visitor.clone());
    listed::<AuditRow, _, _, _>(&desk, &visitor, &asked, "audit", move |place| {
        let (desk, store, filter) = (Arc::clone(&at), store.clone(), by.filter(&who, &place));
        async move {
            let page = if filter.reads_rows() {
                desk.search(async move { store.audit_page(&filter).await }).await?
            } else {
                soon(store.audit_page(&filter)).await?
            };
            Ok(page.map(AuditRow::from))
        }
    })
    .await
}

/// Leaves a row that somebody reads the log, unless there is one of the last hour.
async fn note_reading(desk: &Desk, visitor: &Visitor) -> Result<(), Problem> {
    const READ: &str = "audit.read";
    let now = desk.now();
    let filter = AuditFilter {
        limit: 1,
        since: Some(now - READ_AGAIN),
        object: Some(LOG.to_owned()),
        action: Some(READ.to_owned()),
        actor: Some(visitor.user.clone()),
        ..AuditFilter::default()
    };
    if soon(desk.store().audit(&filter)).await?.is_empty() {
        let event = AuditEvent::new(Class::Read, visitor.actor(), now, READ, Object::new("audit", LOG));
        soon(desk.store().commit(vec![Change::Audit(event)])).await?;
    }
    Ok(())
}

/// An export on its way.
struct Lines {
    still: Still,
    filter: AuditFilter,
    /// Rows after this one came while it was made.
    end: u64,
    rows: u64,
    last: Head,
    done: bool,
}

pub(super) async fn export(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<By>,
) -> Result<Response, Problem> {
    visitor.of_all_queues()?;
    let (after, _) = asked.page()?;
    let place = Place { after, limit: LOT, order: Order::Oldest };
    let event = AuditEvent::new(
        Class::Read,
        visitor.actor(),
        desk.now(),
        "audit.exported",
        Object::new("audit", LOG),
    );
    let filter = (!asked.filter.0.is_empty()).then(|| Value::Personal(asked.filter.0.clone()));
    soon(desk.store().commit(vec![Change::Audit(event.new_value(filter))])).await?;
    let end = soon(desk.store().audit_head()).await?.seq;
    let filter = asked.by.filter(&visitor, &place);
    let lines =
        Lines { still: Still { desk, visitor }, filter, end, rows: 0, last: Head::EMPTY, done: false };
    let body = Body::from_stream(try_unfold(lines, |mut lines| async move {
        let text = lines.next().await?;
        Ok::<_, BrokenOff>(text.map(|text| (Bytes::from(text), lines)))
    }));
    let kind = HeaderValue::from_static("application/jsonl");
    let file = HeaderValue::from_static("attachment; filename=\"audit.jsonl\"");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file)], body).into_response())
}

/// Breaks the connection off, so that nobody takes a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;

impl Lines {
    /// The next lines; `None`: that was all.
    async fn next(&mut self) -> Result<Option<String>, BrokenOff> {
        let mut text = String::new();
        // So many rows are looked through at once, and maybe none of them is asked for.
        while text.is_empty() && !self.done {
            self.more(&mut text).await?;
        }
        Ok((!text.is_empty()).then_some(text))
    }

    async fn more(&mut self, text: &mut String) -> Result<(), BrokenOff> {
        if !self.still.may().await {
            return Err(BrokenOff);
        }
        let (store, filter) = (self.still.desk.store().clone(), self.filter.clone());
        let read = self.still.desk.search(async move { store.audit_export(&filter).await }).await;
        let (rows, rest) = read.map_err(|problem| {
            tracing::error!(status = %problem.status(), "an export of the audit log ends early");
            BrokenOff
        })?;
        for (row, previous) in rows.into_iter().filter(|(row, _)| row.seq <= self.end) {
            text.push_str(&row_line(&row, previous));
            self.rows += 1;
            self.last = row.head();
        }
        let rest = rest.filter(|behind| *behind < self.end);
        self.done = rest.is_none();
        self.filter.behind = rest;
        if self.done {
            text.push_str(&end_line(self.rows, self.last));
        }
        Ok(())
    }
}

/// `AuditVerdict` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuditVerdict {
    /// The chain is whole, and as it was anchored.
    whole: bool,
    /// Rows there are.
    rows: u64,
    /// The hash of the last.
    head: String,
    took_ms: u64,
    fault: Option<VerdictFault>,
    anchors: VerdictAnchors,
}

/// The first broken link.
#[derive(Serialize, ToSchema)]
struct VerdictFault {
    seq: u64,
    what: String,
}

#[derive(Serialize, ToSchema)]
struct VerdictAnchors {
    /// Anchors the log was compared with.
    checked: usize,
    fault: Option<String>,
}

pub(super) async fn verify(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<Json<AuditVerdict>, Problem> {
    visitor.of_all_queues()?;
    let Ok(mut turn) = desk.proving.try_lock() else {
        return Err(Problem::conflict(
            "not-now",
            "The log is being verified this moment: wait for the result.",
        ));
    };
    if let Some(until) = turn.filter(|until| desk.now() < *until) {
        let detail = format!("The log was verified just now. Try again after {}.", until.to_rfc3339());
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail));
    }
    let store = desk.store();
    let key = desk.archive().ok().map(|archive| archive.signer.public_key());
    let (_, settings) = soon(store.settings()).await?;
    let (anchors, statement) = soon(known(store, &settings, key)).await?;
    let checked = anchors.len();
    let clock = Clock::start();
    let began = clock.now();
    let proven = store.verify_audit_with(anchors, |_, _| {}).await;
    let took = clock.now().since(began);
    *turn = Some(desk.now() + took * PAUSES);
    let head = soon(store.audit_head()).await?;
    let (rows, head, broken) = match proven {
        Ok(proof) => (proof.rows, proof.head, None),
        Err(StoreError::Broken(link)) => (head.seq, head.hash, Some(link)),
        Err(error) => return Err(error.into()),
    };
    let verdict = verdict((rows, head.to_string()), took, broken, (checked, statement));
    let event = AuditEvent::new(
        if verdict.whole { Class::Read } else { Class::Failure },
        visitor.actor(),
        desk.now(),
        if verdict.whole { "audit.verified" } else { "audit.broken" },
        Object::new("audit", LOG),
    );
    let faults = [verdict.fault.as_ref().map(|fault| fault.what.clone()), verdict.anchors.fault.clone()];
    let told = faults.into_iter().flatten().next().unwrap_or_else(|| format!("whole: {rows} rows"));
    soon(store.commit(vec![Change::Audit(event.new_value(Some(Value::Plain(told))))])).await?;
    Ok(Json(verdict))
}

fn verdict(
    (rows, head): (u64, String),
    took: std::time::Duration,
    broken: Option<BrokenLink>,
    (checked, statement): (usize, Option<String>),
) -> AuditVerdict {
    let (mut fault, mut of_anchors) = (None, statement);
    if let Some(link) = broken {
        match link.why {
            // The chain holds together; it is not the one that was anchored.
            Why::Anchored { .. } | Why::Cut { .. } => of_anchors = Some(link.to_string()),
            Why::Sequence { .. }
            | Why::Hash
            | Why::Personal { .. }
            | Why::Head { .. }
            | Why::Unreadable { .. } => {
                fault = Some(VerdictFault { seq: link.seq, what: link.to_string() });
            }
        }
    }
    AuditVerdict {
        whole: fault.is_none() && of_anchors.is_none(),
        rows,
        head,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        fault,
        anchors: VerdictAnchors { checked, fault: of_anchors },
    }
}

/// `Anchor` of `admin.ts`.
#[derive(Serialize, ToSchema)]
#[schema(as = Anchor)]
pub(super) struct AnchorAt {
    seq: u64,
    hash: String,
    at: String,
    /// A file, `store`, `webhook NAME`.
    to: String,
    /// `anchored` or `failed`.
    state: &'static str,
    /// The object's name; why it failed.
    what: Option<String>,
}

impl AnchorAt {
    fn of(anchor: &Anchor, place: AnchorPlace) -> Self {
        Self {
            seq: anchor.head.seq,
            hash: anchor.head.hash.to_string(),
            at: anchor.at.to_rfc3339(),
            to: place.place,
            state: place.state.word(),
            what: place.what,
        }
    }
}

pub(super) async fn anchors(
    State(desk): State<Arc<Desk>>,
    asked: Asked,
) -> Result<Json<Page<AnchorAt>>, Problem> {
    let (after, limit) = asked.page()?;
    let page = soon(desk.store().anchors(after, limit)).await?;
    Ok(Json(page.map(|AnchorRow { anchor, at, .. }| AnchorAt::of(&anchor, at))))
}

pub(super) async fn anchor_now(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
) -> Result<(StatusCode, Json<Vec<AnchorAt>>), Problem> {
    visitor.of_all_queues()?;
    let archive = desk.archive()?;
    let (_, settings) = soon(desk.store().settings()).await?;
    let with = Anchoring {
        store: desk.store().clone(),
        objects: archive.objects.clone(),
        signer: Arc::clone(&archive.signer),
        clock: archive.clock,
        alarms: Some(archive.alarms.clone()),
        name: format!("by hand {}", Ulid::generate()),
    };
    match anchor(&with, &settings, visitor.actor(), None).await {
        Ok((anchor, places)) => {
            let places = places.into_iter().map(|place| AnchorAt::of(&anchor, place)).collect();
            Ok((StatusCode::CREATED, Json(places)))
        }
        Err(error @ AnchorFault::NoPlace) => Err(Problem::conflict("no-place", error.to_string())),
        Err(error @ AnchorFault::NotNow) => Err(Problem::conflict("not-now", error.to_string())),
        Err(AnchorFault::Store(error)) => Err(error.into()),
    }
}

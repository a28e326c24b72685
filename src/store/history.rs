//! Past calls and consents as visitors see them: filtered, in pages, each by an index.

use std::collections::{BTreeMap, HashMap};

use crate::ids::{AgentId, CallId, QueueId, Redacted};
use crate::privacy::LastDigits;
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::page::{Cursor, Page, Place};
use super::query::{Cells, consent_columns, read_call, read_consent};
use super::rows::{CallRow, ConsentRow, NoteRow};
use super::select::{Select, Sight};

/// Which calls a visitor asks for; times are those at which they arrived.
#[derive(Clone, Debug, Default)]
pub struct CallFilter {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// Of this first queue.
    pub queue: Option<QueueId>,
    /// In which this agent spoke last.
    pub agent: Option<AgentId>,
    /// From a number that ends like this.
    pub digits: Option<LastDigits>,
    /// How they are.
    pub state: Option<CallState>,
    /// With these words in a note or in attached data. Notes and data are looked through from `since` on.
    pub words: Option<Redacted<String>>,
    /// What may be seen.
    pub sight: Sight,
}

/// See [`CallFilter::state`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// It goes on.
    Running,
    /// It is over.
    Ended,
    /// It is over, and nobody had spoken with the caller.
    Abandoned,
    /// It is restricted (domain rule 20).
    Restricted,
}

/// Which consents a visitor asks for.
#[derive(Clone, Debug, Default)]
pub struct ConsentFilter {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// Asked by this queue.
    pub queue: Option<QueueId>,
    /// With this answer, as [`ConsentRow::answer`].
    pub answer: Option<String>,
    /// From a number that ends like this.
    pub digits: Option<LastDigits>,
    /// What may be seen.
    pub sight: Sight,
}

/// Some databases know the small letters of ASCII alone: what is written as it is asked for is found by all.
const WITH_WORDS: &str = "c.id IN (\
     SELECT n.call FROM notes n WHERE n.at >= {since} \
     AND (lower(n.text) LIKE {small} ESCAPE '!' OR n.text LIKE {exact} ESCAPE '!') UNION ALL \
     SELECT d.call FROM call_data d WHERE d.at >= {since} \
     AND (lower(d.value) LIKE {small} ESCAPE '!' OR d.value LIKE {exact} ESCAPE '!'))";

impl Store {
    /// Calls.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn call_list(&self, filter: &CallFilter, place: &Place) -> Result<Page<CallRow>, StoreError> {
        let CallFilter { since, until, queue, agent, digits, state, words, sight } = filter;
        let mut select = Select::new("SELECT c.* FROM calls c");
        select.between("c.arrived_at", *since, *until).digits("c.from_reversed", digits.as_ref());
        if let Some(words) = words {
            let since = select.bind(since.map_or(0, Timestamp::as_micros));
            let (small, exact) = (like(&words.0.to_lowercase()), like(&words.0));
            let (small, exact) = (select.bind(small), select.bind(exact));
            let with = WITH_WORDS.replace("{since}", &since);
            select.sort().only(&with.replace("{small}", &small).replace("{exact}", &exact));
        }
        if agent.is_some() || state.is_some_and(|state| state != CallState::Ended) {
            select.plain();
        }
        match state {
            None => &mut select,
            Some(CallState::Running) => select.only("c.ended_at IS NULL").sort(),
            Some(CallState::Ended) => select.only("c.ended_at IS NOT NULL"),
            Some(CallState::Abandoned) => select.only("c.ended_at IS NOT NULL AND c.connected_at IS NULL"),
            Some(CallState::Restricted) => select.only("c.restricted_at IS NOT NULL"),
        };
        select.when("c.agent = {}", agent.as_ref().map(|agent| agent.0.as_str())).seen(
            ("c.first_queue", "c.restricted_at"),
            queue.as_ref(),
            sight,
        );
        let by = [("c.arrived_at", "arrived_at"), ("c.id", "id")];
        let rows = select.page(by, place, false).rows(&self.read, "reading calls").await?;
        let rows: Vec<CallRow> = rows.iter().map(read_call).collect::<Result<_, StoreError>>()?;
        let at = |row: &CallRow| Cursor { at: row.arrived_at.as_micros(), id: row.id.to_string() };
        Ok(Page::of(rows, place.limit, at))
    }

    /// A call, if it may be seen.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn call_seen(&self, id: CallId, sight: &Sight) -> Result<Option<CallRow>, StoreError> {
        let mut select = Select::new("SELECT c.* FROM calls c");
        select.and("c.id = {}", id.to_string()).seen(("c.first_queue", "c.restricted_at"), None, sight);
        let rows = select.end("").rows(&self.read, "reading a call").await?;
        rows.first().map(read_call).transpose()
    }

    /// Some calls by their ids.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn call_rows(&self, ids: &[CallId]) -> Result<HashMap<CallId, CallRow>, StoreError> {
        let select = "SELECT c.*, c.id AS call FROM calls c WHERE c.id IN ({})";
        let found = self.of_calls(select, ids, read_call).await?;
        Ok(found.into_iter().filter_map(|(id, mut rows)| Some((id, rows.pop()?))).collect())
    }

    /// How many recordings each of some calls has; those that have none are left out.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn recordings_counted(&self, calls: &[CallId]) -> Result<HashMap<CallId, u64>, StoreError> {
        let select = "SELECT call, id FROM recordings WHERE call IN ({})";
        let found = self.of_calls(select, calls, |_| Ok(())).await?;
        Ok(found.into_iter().map(|(call, rows)| (call, rows.len() as u64)).collect())
    }

    /// A call's notes, the oldest first, and the data attached to it.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn attached(
        &self,
        call: CallId,
    ) -> Result<(Vec<NoteRow>, BTreeMap<String, Redacted<String>>), StoreError> {
        let notes = self.notes_of(&[call]).await?.remove(&call).unwrap_or_default();
        let rows = sqlx::query("SELECT key, value FROM call_data WHERE call = $1 ORDER BY key")
            .bind(call.to_string())
            .fetch_all(&self.read)
            .await
            .doing("reading a call's data")?;
        let read = |row| {
            let cells = Cells { table: "call_data", row };
            Ok((cells.get("key")?, Redacted(cells.get("value")?)))
        };
        Ok((notes, rows.iter().map(read).collect::<Result<_, StoreError>>()?))
    }

    /// Consents.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn consent_list(
        &self,
        filter: &ConsentFilter,
        place: &Place,
    ) -> Result<Page<ConsentRow>, StoreError> {
        let ConsentFilter { since, until, queue, answer, digits, sight } = filter;
        let head = "SELECT {} FROM consents JOIN calls c ON c.id = consents.call";
        let mut select = Select::new(&head.replace("{}", consent_columns!()));
        if answer.is_some() {
            select.plain();
        }
        select
            .between("consents.at", *since, *until)
            .digits("consents.from_reversed", digits.as_ref())
            .when("consents.answer = {}", answer.as_deref())
            .seen(("consents.queue", "c.restricted_at"), queue.as_ref(), sight);
        let by = [("consents.at", "at"), ("consents.n", "n")];
        let rows = select.page(by, place, true).rows(&self.read, "reading consents").await?;
        let limit = usize::try_from(place.limit).unwrap_or(usize::MAX);
        let next = (rows.len() > limit).then(|| rows.get(limit.saturating_sub(1))).flatten();
        let next = next.map(|row| {
            let cells = Cells { table: "consents", row };
            Ok::<_, StoreError>(Cursor { at: cells.get("at")?, id: cells.get::<i64>("n")?.to_string() })
        });
        let items = rows.iter().take(limit).map(read_consent).collect::<Result<_, StoreError>>()?;
        Ok(Page { items, next: next.transpose()? })
    }
}

/// A text as a pattern that finds it anywhere.
fn like(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| ['%', '_', '!'].contains(&c).then_some('!').into_iter().chain([c]))
        .collect();
    format!("%{escaped}%")
}

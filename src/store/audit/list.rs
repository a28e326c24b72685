//! Which rows of the audit log: lists in both directions, page by page, and their export.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Row as _};

use crate::audit::{Class, Hash, Head, Person, Row};
use crate::ids::PhoneNumber;
use crate::time::Timestamp;

use super::super::Store;
use super::super::error::{Doing as _, StoreError};
use super::super::page::{Cursor, Page};
use super::super::query::count;
use super::{SELECT, bytes, head, put_openings, read};

/// Rows that are looked through at once for what no index finds.
const WINDOW: u64 = 50_000;
/// So often at most for one page: then the page is handed out as it is, and its cursor goes on from there.
const WINDOWS: u32 = 8;
/// How far apart, in microseconds, the order of rows and the order of their times may be: nodes' clocks differ, and what
/// could not be stored at once comes later. A time narrows down rows by so much less.
const DISORDER: i64 = 3_600_000_000;

const DOING: &str = "reading the audit log";

/// Which audit rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditFilter {
    /// At most so many.
    pub limit: u32,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Older than this.
    pub until: Option<Timestamp>,
    /// Of this class.
    pub class: Option<Class>,
    /// About this object (an id or name); a call's id finds its legs too.
    pub object: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// By this name: of a user, an agent, a trunk.
    pub actor: Option<String>,
    /// A whole number finds what is said of whoever has it, by the key it is sealed under; another text what has it in
    /// its action, object, attribute or plain values.
    pub q: Option<String>,
    /// The oldest first.
    pub oldest: bool,
    /// Only rows behind this number, in the order of the list.
    pub behind: Option<u64>,
    /// Nothing of restricted people and calls (domain rule 20): for who has not the right `dpo`. Their rows come without
    /// values, and their numbers find none.
    pub unrestricted: bool,
}

impl Default for AuditFilter {
    fn default() -> Self {
        Self {
            limit: 100,
            since: None,
            until: None,
            class: None,
            object: None,
            action: None,
            actor: None,
            q: None,
            oldest: false,
            behind: None,
            unrestricted: false,
        }
    }
}

impl AuditFilter {
    /// Whether only reading row by row tells what fits: then it takes long.
    #[must_use]
    pub fn reads_rows(&self) -> bool {
        let Self { action, actor, q, object, .. } = self;
        let text = q.as_ref().is_some_and(|q| number(q).is_none());
        object.is_none() && (action.is_some() || actor.is_some() || text)
    }
}

/// A value of a condition.
#[derive(Clone)]
enum Bound {
    Number(i64),
    Text(String),
    Octets(Vec<u8>),
}

/// Conditions with their values, numbered as they come.
#[derive(Clone, Default)]
struct Conditions {
    texts: Vec<String>,
    values: Vec<Bound>,
}

impl Conditions {
    /// `text` has `?` wherever the value goes.
    fn add(&mut self, text: &str, value: Bound) {
        let text = text.replace('?', &self.place(value));
        self.texts.push(text);
    }

    /// The placeholder of a value.
    fn place(&mut self, value: Bound) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn clause(&self) -> String {
        if self.texts.is_empty() { String::new() } else { format!(" WHERE {}", self.texts.join(" AND ")) }
    }

    fn bind<'q>(self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        self.values.into_iter().fold(query, |query, value| match value {
            Bound::Number(number) => query.bind(number),
            Bound::Text(text) => query.bind(text),
            Bound::Octets(octets) => query.bind(octets),
        })
    }
}

/// Rows between two numbers, both included.
#[derive(Clone, Copy)]
struct Range {
    from: u64,
    to: u64,
}

impl Store {
    /// The audit log, newest first unless the filter says otherwise.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<Vec<Row>, StoreError> {
        let Some(range) = self.range(filter).await? else { return Ok(Vec::new()) };
        let rows = self.rows_of(filter, range, filter.limit, SELECT).await?;
        self.veiled(filter, rows.iter().map(read).collect::<Result<_, _>>()?).await
    }

    /// A page of the audit log. Where no index finds what is asked for, a page may have fewer rows than its limit, none
    /// even, and still a next one: so many rows were looked through, and the cursor goes on behind them.
    ///
    /// # Errors
    /// As [`Store::audit`].
    pub async fn audit_page(&self, filter: &AuditFilter) -> Result<Page<Row>, StoreError> {
        let mut page = Page { items: Vec::new(), next: None };
        let Some(whole) = self.range(filter).await? else { return Ok(page) };
        let mut rest = Some(whole);
        let mut windows = 0;
        while let Some(range) = rest {
            let left = filter.limit - u32::try_from(page.items.len()).unwrap_or(filter.limit);
            if windows == WINDOWS || left == 0 {
                // The last row that was looked at, in the order of the list.
                let last = if filter.oldest { range.from.saturating_sub(1) } else { range.to + 1 };
                page.next = Some(cursor(last));
                break;
            }
            let (window, then) = if filter.reads_rows() { cut(range, filter.oldest) } else { (range, None) };
            let rows = self.rows_of(filter, window, left + 1, SELECT).await?;
            let mut rows = rows.iter().map(read).collect::<Result<Vec<Row>, _>>()?;
            if rows.len() > left as usize {
                rows.truncate(left as usize);
                page.next = rows.last().map(|row| cursor(row.seq));
                page.items.append(&mut rows);
                break;
            }
            page.items.append(&mut rows);
            rest = then;
            windows += 1;
        }
        page.items = self.veiled(filter, page.items).await?;
        Ok(page)
    }

    /// Rows for an export, the oldest first, each with the hash of the row before it: at most `limit`, behind `behind`;
    /// and the row behind which the rest is, if there may be one. A row that says something of a restricted person is as
    /// an erased one where `unrestricted` is asked for: so it still verifies.
    ///
    /// # Errors
    /// As [`Store::audit`].
    pub async fn audit_export(
        &self,
        filter: &AuditFilter,
    ) -> Result<(Vec<(Row, Hash)>, Option<u64>), StoreError> {
        let filter = AuditFilter { oldest: true, ..filter.clone() };
        let Some(whole) = self.range(&filter).await? else { return Ok((Vec::new(), None)) };
        let (range, rest) = if filter.reads_rows() { cut(whole, true) } else { (whole, None) };
        let before = "SELECT b.hash FROM audit b WHERE b.seq = a.seq - 1";
        let select = SELECT.replacen("a.hash,", &format!("a.hash, ({before}) AS previous,"), 1);
        let rows = self.rows_of(&filter, range, filter.limit, &select).await?;
        let read = |row: &AnyRow| {
            let previous =
                bytes(row, "previous").map_err(|column| StoreError::Corrupt { table: "audit", column })?;
            Ok((read(row)?, previous.map_or(crate::audit::GENESIS, Hash)))
        };
        let mut rows = rows.iter().map(read).collect::<Result<Vec<(Row, Hash)>, StoreError>>()?;
        if filter.unrestricted {
            let restricted = self.of_restricted(rows.iter().map(|(row, _)| row)).await?;
            for (row, _) in rows.iter_mut().filter(|(row, _)| restricted.contains(&row.seq)) {
                put_openings([&mut row.about, &mut row.old, &mut row.new], [None, None, None]);
            }
        }
        let last = rows.last().map(|(row, _)| row.seq).filter(|_| rows.len() >= filter.limit as usize);
        Ok((rows, last.or(rest.map(|rest| rest.from - 1))))
    }

    /// Rows as the filter lets them be seen.
    async fn veiled(&self, filter: &AuditFilter, mut rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        if filter.unrestricted {
            let restricted = self.of_restricted(&rows).await?;
            for row in rows.iter_mut().filter(|row| restricted.contains(&row.seq)) {
                (row.about, row.old, row.new) = (None, None, None);
            }
        }
        Ok(rows)
    }

    /// Where the audit log ends now.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn audit_head(&self) -> Result<Head, StoreError> {
        let row = sqlx::query("SELECT seq, hash FROM audit_head WHERE id = 1").fetch_one(&self.read);
        head(&row.await.doing("reading the audit log's head")?)
    }

    /// Where in the audit log the last event of this action about this object is.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn audit_position(&self, object: &str, action: &str) -> Result<Option<Head>, StoreError> {
        let select =
            "SELECT seq, hash FROM audit WHERE object_id = $1 AND action = $2 ORDER BY seq DESC LIMIT 1";
        let row = sqlx::query(select).bind(object.to_owned()).bind(action.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("looking for a row of the audit log")?;
        row.map(|row| head(&row)).transpose()
    }

    async fn rows_of(
        &self,
        filter: &AuditFilter,
        range: Range,
        limit: u32,
        select: &str,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.add("a.seq >= ?", Bound::Number(count(range.from)));
        conditions.add("a.seq <= ?", Bound::Number(count(range.to)));
        let AuditFilter { since, until, class, object, action, actor, q, oldest, .. } = filter;
        let mut add = |text: &str, value: Option<Bound>| {
            if let Some(value) = value {
                conditions.add(text, value);
            }
        };
        add("a.at >= ?", since.map(|at| Bound::Number(at.as_micros())));
        add("a.at < ?", until.map(|at| Bound::Number(at.as_micros())));
        add("a.class = ?", class.map(|class| Bound::Text(class.word().to_owned())));
        add("a.action = ?", action.clone().map(Bound::Text));
        add("a.actor = ?", actor.clone().map(Bound::Text));
        match q.as_deref().map(|q| (q, number(q))) {
            None => {}
            Some((_, Some(number))) => {
                let lookup = self.secret.lookup(&Person::number(&number)).to_vec();
                let text = "a.seq IN (SELECT o.seq FROM audit_sealed o JOIN persons w ON w.id = o.person \
                            WHERE w.lookup = ?)";
                add(text, Some(Bound::Octets(lookup)));
            }
            Some((text, None)) => {
                let parts =
                    ["a.action", "a.object_id", "a.attribute", "a.actor", "a.about", "a.old", "a.new"];
                let like = |part: &str| format!("LOWER({part}) LIKE ? ESCAPE '!'");
                let all = parts.map(like).join(" OR ");
                add(&format!("({all})"), Some(Bound::Text(pattern(text))));
            }
        }
        if let Some(object) = object {
            // Legs begin with their call's id and a slash, whose next octet is `0`: two ranges that an index takes.
            let [is, from, to] = [object.clone(), format!("{object}/"), format!("{object}0")]
                .map(|text| conditions.place(Bound::Text(text)));
            conditions.texts.push(format!(
                "a.seq IN (SELECT o.seq FROM audit o WHERE o.object_id = {is} UNION ALL \
                 SELECT o.seq FROM audit o WHERE o.object_id >= {from} AND o.object_id < {to})"
            ));
        }
        let order = if *oldest { "ASC" } else { "DESC" };
        let sql = format!("{select}{} ORDER BY a.seq {order} LIMIT {limit}", conditions.clause());
        conditions.bind(sqlx::query(AssertSqlSafe(sql))).fetch_all(&self.read).await.doing(DOING)
    }

    /// The rows among which those of the filter are; `None`: there are none.
    async fn range(&self, filter: &AuditFilter) -> Result<Option<Range>, StoreError> {
        if filter.unrestricted
            && let Some(number) = filter.q.as_deref().and_then(number)
            && self.is_restricted(&number).await?
        {
            return Ok(None);
        }
        let head = self.audit_head().await?.seq;
        // Rows past the end are a forgery; they are shown.
        let (mut from, mut to) = (0, u64::MAX >> 1);
        if let Some(since) = filter.since {
            from = self.first_since(head, since.as_micros().saturating_sub(DISORDER)).await?;
        }
        if let Some(until) = filter.until {
            let behind = self.first_since(head, until.as_micros().saturating_add(DISORDER)).await?;
            to = if behind > head { to } else { behind };
        }
        match filter.behind {
            Some(behind) if filter.oldest => from = from.max(behind + 1),
            Some(0) => return Ok(None),
            Some(behind) => to = to.min(behind - 1),
            None => {}
        }
        if filter.reads_rows() {
            to = to.min(head);
        }
        Ok((from <= to).then_some(Range { from, to }))
    }

    /// The first row that is not older than `at`, by halves; one past the end if all are.
    async fn first_since(&self, head: u64, at: i64) -> Result<u64, StoreError> {
        let (mut low, mut high) = (1, head + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            let row = sqlx::query("SELECT at FROM audit WHERE seq = $1").bind(count(middle));
            let row = row.fetch_optional(&self.read).await.doing(DOING)?;
            // A row that is missing was removed; what comes behind it is looked at.
            let older = row.is_none_or(|row| row.try_get::<i64, _>("at").is_ok_and(|found| found < at));
            if older { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

/// The first window of a range, in the order of the list, and the rest.
fn cut(range: Range, oldest: bool) -> (Range, Option<Range>) {
    let Range { from, to } = range;
    if to - from < WINDOW {
        return (range, None);
    }
    if oldest {
        let end = from + WINDOW - 1;
        (Range { from, to: end }, Some(Range { from: end + 1, to }))
    } else {
        let begin = to - WINDOW + 1;
        (Range { from: begin, to }, (begin > from).then(|| Range { from, to: begin - 1 }))
    }
}

fn cursor(seq: u64) -> Cursor {
    Cursor { at: count(seq), id: String::new() }
}

impl Cursor {
    /// The row of the audit log it stands for.
    #[must_use]
    pub fn row(&self) -> u64 {
        u64::try_from(self.at).unwrap_or(0)
    }
}

/// A whole number, as somebody types it.
fn number(text: &str) -> Option<PhoneNumber> {
    let text = text.trim();
    text.starts_with('+').then(|| PhoneNumber::parse(text, None)).flatten()
}

/// What finds a text anywhere; `%`, `_` and `!` mean themselves.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.trim().to_lowercase().chars() {
        if ['%', '_', '!'].contains(&c) {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

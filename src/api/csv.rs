//! Lists, in one way for all: a page as JSON, or everything the filter finds as CSV (RFC 4180, UTF-8, a header).

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use serde::Serialize;
use serde_json::Value as Cell;

use crate::audit::{AuditEvent, Class, Object, Value};
use crate::store::{Change, Page, Place};

use super::desk::{Desk, soon};
use super::guard::Visitor;
use super::input::Asked;
use super::problem::Problem;

/// Rows of a table at most: some 20 MB, and a spreadsheet's patience.
const MOST: usize = 100_000;
/// Rows read at once.
const LOT: u32 = 500;

/// A row of a list.
pub(super) trait Listed: Serialize + Send + 'static {
    /// Its columns as a table: fields of its JSON, in this order. Fields that are lists of texts are joined; what is
    /// not named is left out.
    const COLUMNS: &'static [&'static str];
    /// Whether it holds numbers of people: then it is audited that somebody took a table.
    const PERSONAL: bool;
}

/// Answers with a page, or with a table. `name` is the file's, and in the audit log; `read` reads one page.
///
/// # Errors
/// What `read` says of the first page, 400 for a place that is none, 503 when the audit log cannot be written.
pub(super) async fn listed<T, Q, R, F>(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    asked: &Asked<Q>,
    name: &'static str,
    read: R,
) -> Result<Response, Problem>
where
    T: Listed,
    R: Fn(Place) -> F + Send + 'static,
    F: Future<Output = Result<Page<T>, Problem>> + Send + 'static,
{
    let place = asked.listing.place()?;
    if !asked.listing.is_table() {
        return Ok(Json(read(place).await?).into_response());
    }
    let place = Place { limit: LOT, ..place };
    let first = read(place.clone()).await?;
    if T::PERSONAL {
        let taken = AuditEvent::new(
            Class::Read,
            visitor.actor(),
            desk.now(),
            "list.taken",
            Object::new("list", name),
        );
        let filter = (!asked.filter.0.is_empty()).then(|| Value::Personal(asked.filter.0.clone()));
        soon(desk.store().commit(vec![Change::Audit(taken.new_value(filter))])).await?;
    }
    let still = Still { desk: Arc::clone(desk), visitor: visitor.clone() };
    let table = Table { read, place, ready: Some(first), left: MOST, begun: false, still: Some(still) };
    let body = Body::from_stream(unfold(Some(table), |table| async {
        let mut table = table?;
        match table.next().await {
            Ok(Some(text)) => Some((Ok(text), Some(table))),
            Ok(None) => None,
            Err(broken) => Some((Err(broken), None)),
        }
    }));
    let kind = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    let file = format!("attachment; filename=\"{name}.csv\"");
    let file = HeaderValue::try_from(file).expect("names of lists are ASCII of our own");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, file)], body).into_response())
}

/// A table on its way.
struct Table<T, R> {
    read: R,
    place: Place,
    ready: Option<Page<T>>,
    left: usize,
    begun: bool,
    /// Whose it is; `None`: nobody's, in a test.
    still: Option<Still>,
}

/// Who takes something that takes long.
pub(super) struct Still {
    pub(super) desk: Arc<Desk>,
    pub(super) visitor: Visitor,
}

impl Still {
    /// Whether they still may what they might when it began.
    pub(super) async fn may(&self) -> bool {
        let now = self.desk.again(&self.visitor).await;
        now.is_ok_and(|now| now.is_some_and(|now| now.held == self.visitor.held && now.owes().is_none()))
    }
}

/// Breaks the connection off, so that nobody takes a part for the whole.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;

impl<T, R, F> Table<T, R>
where
    T: Listed,
    R: Fn(Place) -> F,
    F: Future<Output = Result<Page<T>, Problem>>,
{
    /// The next lines; `None`: that was all.
    async fn next(&mut self) -> Result<Option<Bytes>, BrokenOff> {
        let Some(page) = self.ready.take() else { return Ok(None) };
        let mut lines = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            line(&mut lines, T::COLUMNS.iter().map(|&name| name.to_owned()));
        }
        let taken = page.items.len().min(self.left);
        for row in &page.items[..taken] {
            line(&mut lines, cells(row)?);
        }
        self.left -= taken;
        match page.next {
            None if taken == page.items.len() => {}
            None | Some(_) if self.left == 0 => {
                let told = format!("There are more than {MOST} rows: narrow the filter.");
                let empty = T::COLUMNS.iter().skip(1).map(|_| String::new());
                line(&mut lines, std::iter::once(told).chain(empty));
            }
            next @ (None | Some(_)) => {
                if let Some(still) = &self.still
                    && !still.may().await
                {
                    return Err(BrokenOff);
                }
                self.place.after = next;
                let page = (self.read)(self.place.clone()).await;
                self.ready = Some(page.map_err(|_| BrokenOff)?);
            }
        }
        Ok(Some(lines.into()))
    }
}

/// A row's cells.
fn cells<T: Listed>(row: &T) -> Result<impl Iterator<Item = String>, BrokenOff> {
    let row = serde_json::to_value(row).map_err(|_| BrokenOff)?;
    Ok(T::COLUMNS.iter().map(move |name| cell(row.get(name))))
}

fn cell(value: Option<&Cell>) -> String {
    match value {
        None | Some(Cell::Null) => String::new(),
        Some(Cell::String(text)) => defused(text),
        Some(Cell::Bool(is)) => is.to_string(),
        Some(Cell::Number(number)) => number.to_string(),
        Some(Cell::Array(list)) if list.iter().all(Cell::is_string) => {
            let texts: Vec<&str> = list.iter().filter_map(Cell::as_str).collect();
            defused(&texts.join("; "))
        }
        Some(value @ (Cell::Array(_) | Cell::Object(_))) => defused(&value.to_string()),
    }
}

/// What a spreadsheet would take for a formula gets an apostrophe before it: a note `=HYPERLINK(…)` is a text.
pub(super) fn defused(text: &str) -> String {
    let computed = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    // Some look past space, and know the wide forms too.
    let hidden = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if computed || hidden { format!("'{text}") } else { text.to_owned() }
}

/// Adds a line (RFC 4180 §2).
pub(super) fn line(to: &mut Vec<u8>, cells: impl IntoIterator<Item = String>) {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(to);
    writer.write_record(cells).and_then(|()| Ok(writer.flush()?)).expect("memory takes what is written");
}

/// Adds the parts of a list's route: what it is asked, and what it gives.
impl super::routes::Route {
    /// It gives a list in pages, or a table; see [`listed`].
    pub(super) fn lists<Q: utoipa::IntoParams, T: Listed + utoipa::ToSchema>(self) -> Self {
        self.query::<super::input::Listing>()
            .query::<Q>()
            .gives::<Page<T>>()
            .gives_octets(axum::http::StatusCode::OK, "text/csv")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Line {
        n: i64,
        text: Option<String>,
        list: Vec<String>,
    }

    impl Listed for Line {
        const COLUMNS: &'static [&'static str] = &["text", "n", "list"];
        const PERSONAL: bool = false;
    }

    #[test]
    fn cells_are_quoted_and_formulas_defused() {
        let mut text = Vec::new();
        for (n, says) in [(-1, Some("=1+1")), (2, Some("say \"so\",\nplease")), (3, None), (4, Some(" @A1"))]
        {
            let row = Line { n, text: says.map(str::to_owned), list: vec!["a".into(), "b".into()] };
            line(&mut text, cells(&row).unwrap());
        }
        line(&mut text, ["+4930".to_owned()].map(|text| defused(&text)));
        let expected =
            "'=1+1,-1,a; b\r\n\"say \"\"so\"\",\nplease\",2,a; b\r\n,3,a; b\r\n' @A1,4,a; b\r\n'+4930\r\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_table_goes_on_through_all_pages_and_says_where_it_ends() {
        let page = |from: i64, more: bool| {
            let row = |n| Line { n, text: None, list: Vec::new() };
            let items: Vec<Line> = (from..from + 500).map(row).collect();
            Page { next: more.then(|| format!("{}-", from + 500).parse().unwrap()), items }
        };
        for (rows, told) in [(1_500, false), (i64::MAX, true)] {
            let read = move |place: Place| async move {
                let text = place.after.map_or("0-".to_owned(), |after| after.to_string());
                let from: i64 = text.trim_end_matches('-').parse().unwrap();
                Ok(page(from, from + 500 < rows))
            };
            let place = Place::first(LOT);
            let first = read(place.clone()).await.ok();
            let mut table = Table { read, place, ready: first, left: MOST, begun: false, still: None };
            let mut text = Vec::new();
            while let Some(lines) = table.next().await.unwrap() {
                text.extend_from_slice(&lines);
            }
            let text = String::from_utf8(text).unwrap();
            let lines = text.lines().count();
            let expected = if told { MOST + 2 } else { 1_501 };
            assert_eq!((lines, text.contains("narrow the filter")), (expected, told));
            assert!(text.starts_with("text,n,list\r\n,0,\r\n"));
        }
    }
}

//! Long lists in pages, the latest or the oldest first.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// Its rows, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; `None`: this is the last.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// From at most one row more than `limit`, which tells that there is another page.
    pub(super) fn of(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> Cursor) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(cursor);
        Self { items: rows, next }
    }
}

impl<T> Page<T> {
    /// With each row as another.
    #[must_use]
    pub fn map<U>(self, to: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(to).collect(), next: self.next }
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let rows = ArrayBuilder::new().items(Ref::from_schema_name(T::name()));
        let next = ObjectBuilder::new()
            .schema_type(SchemaType::Array(vec![Type::String, Type::Null]))
            .description(Some("Give it back as `after` for the next page; null: this is the last."));
        let page = ObjectBuilder::new().property("items", rows).property("next", next);
        page.required("items").required("next").into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> std::borrow::Cow<'static, str> {
        format!("PageOf{}", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// Which rows of a list come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The latest.
    #[default]
    Latest,
    /// The oldest.
    Oldest,
}

impl Order {
    /// How SQL says that a row comes after another.
    pub(super) const fn after(self) -> &'static str {
        match self {
            Self::Latest => "<",
            Self::Oldest => ">",
        }
    }

    /// How SQL says it behind `ORDER BY`.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Latest => "DESC",
            Self::Oldest => "ASC",
        }
    }
}

/// Which page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Behind this row; `None`: the first page.
    pub after: Option<Cursor>,
    /// At most so many rows.
    pub limit: u32,
    /// Which way round.
    pub order: Order,
}

impl Place {
    /// Time and id that the page lies behind; before everything, for the first one.
    pub(super) fn begin(&self) -> (i64, String) {
        match (&self.after, self.order) {
            (Some(after), _) => (after.at, after.id.clone()),
            (None, Order::Latest) => (i64::MAX, "~".to_owned()),
            (None, Order::Oldest) => (i64::MIN, String::new()),
        }
    }

    /// The first page, the latest rows first.
    #[must_use]
    pub const fn first(limit: u32) -> Self {
        Self { after: None, limit, order: Order::Latest }
    }
}

/// A place in a list: only rows after it are listed. As text it is what a client hands back unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// What the list is ordered by first: a time or a number.
    pub(super) at: i64,
    /// What tells rows of the same time apart; may be empty.
    pub(super) id: String,
}

impl Cursor {
    /// Before everything.
    pub(super) fn start() -> Self {
        Self { at: i64::MAX, id: "~".to_owned() }
    }
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no cursor: give back the `next` of a page as it was")]
pub struct BadCursor;

impl FromStr for Cursor {
    type Err = BadCursor;

    fn from_str(text: &str) -> Result<Self, BadCursor> {
        let (at, id) = text.split_once('-').ok_or(BadCursor)?;
        let plain = id.len() <= 26 && id.chars().all(|c| c.is_ascii_alphanumeric());
        let at = at.parse().ok().filter(|at| plain && *at >= 0).ok_or(BadCursor)?;
        Ok(Self { at, id: id.to_owned() })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at, self.id)
    }
}

impl PartialSchema for Cursor {
    fn schema() -> RefOr<Schema> {
        Object::with_type(Type::String).into()
    }
}

impl ToSchema for Cursor {}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

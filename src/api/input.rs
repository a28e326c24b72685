//! What comes in with a request: bodies, ids, places in lists. Each fault says what and where.

use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::timeout;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::ids::{CallId, RecordingId, Redacted};
use crate::privacy::LastDigits;
use crate::store::{Cursor, Order, Place};
use crate::time::Timestamp;

use super::problem::Problem;

/// The largest body: a note of 4,000 characters, each escaped, and room.
const BODY: usize = 32 * 1_024;
/// A body has to come within this time.
const ARRIVAL: Duration = Duration::from_secs(10);

/// A JSON body, of at most `LARGEST` bytes.
pub(super) struct Told<T, const LARGEST: usize = BODY>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned, const LARGEST: usize> FromRequest<S> for Told<T, LARGEST> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            let detail = "The body has to be application/json, and its Content-Type has to say so.";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json", detail));
        }
        let bytes = match timeout(ARRIVAL, to_bytes(request.into_body(), LARGEST)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => {
                let detail = format!("The body did not come whole, or it has more than {LARGEST} bytes.");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail));
            }
            Err(_) => {
                let detail = "The body did not come in time.";
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail));
            }
        };
        serde_json::from_slice(&bytes).map(Self).map_err(|error| bad(format!("The body: {error}.")))
    }
}

/// The call of `/calls/{id}/…`.
pub(super) struct Of(pub(super) CallId);

impl<S: Send + Sync> FromRequestParts<S> for Of {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::no_call());
        };
        id.parse().map(Self).map_err(|_| Problem::no_call())
    }
}

/// The recording of `/recordings/{id}/…`.
pub(super) struct Recorded(pub(super) RecordingId);

impl<S: Send + Sync> FromRequestParts<S> for Recorded {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::no_recording());
        };
        id.parse().map(Self).map_err(|_| Problem::no_recording())
    }
}

/// What every list is asked beside its own filter.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Listing {
    /// The `next` of the page before.
    #[serde(alias = "before")]
    after: Option<String>,
    /// Rows of a page; 50 if nothing is said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Which rows come first.
    #[param(inline)]
    sort: Option<Sort>,
    /// `csv`: everything the filter finds as a table, up to 100,000 rows.
    #[param(inline)]
    format: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Sort {
    Latest,
    Oldest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Format {
    Json,
    Csv,
}

/// The keys of [`Listing`].
const LISTING: [&str; 5] = ["after", "before", "limit", "sort", "format"];
/// Rows of a page if nothing is said, and at most.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;

impl Listing {
    /// Which page.
    ///
    /// # Errors
    /// 400, for what is no cursor and for a page of no or too many rows.
    pub(super) fn place(&self) -> Result<Place, Problem> {
        let after = self.after.as_ref().map(|text| text.parse::<Cursor>()).transpose();
        let after = after.map_err(|error| bad(format!("`after` is {error}.")))?;
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(bad(format!("`limit` is 1 to {LARGEST_PAGE}.")));
        }
        let order = match self.sort {
            None | Some(Sort::Latest) => Order::Latest,
            Some(Sort::Oldest) => Order::Oldest,
        };
        Ok(Place { after, limit, order })
    }

    /// Whether all of it is wanted, as a table.
    pub(super) fn is_table(&self) -> bool {
        self.format == Some(Format::Csv)
    }
}

/// What a list is asked for: which page in which form, and its own filter `Q`, which denies fields that it does not
/// know: a filter that is misspelt must not find everything.
#[derive(Clone, Debug)]
pub(super) struct Asked<Q = Everything> {
    pub(super) listing: Listing,
    pub(super) by: Q,
    /// The filter as it came, for the audit log.
    pub(super) filter: Redacted<String>,
}

/// No filter.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct Everything {}

impl<Q> Asked<Q> {
    /// Where the page begins, and its rows, in a list that has one order and one form.
    ///
    /// # Errors
    /// 400, for what is no cursor, no number of rows, and for `sort` and `format`.
    pub(super) fn page(&self) -> Result<(Option<Cursor>, u32), Problem> {
        if self.listing.sort.is_some() || self.listing.format.is_some() {
            return Err(bad("This list takes neither `sort` nor `format`.".to_owned()));
        }
        self.listing.place().map(|place| (place.after, place.limit))
    }
}

impl<S: Send + Sync, Q: DeserializeOwned> FromRequestParts<S> for Asked<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        if query.contains("%00") {
            return Err(bad("The query holds a NUL: no text here has one.".to_owned()));
        }
        let of_list = |pair: &&str| LISTING.contains(&pair.split('=').next().unwrap_or_default());
        let (listing, filter): (Vec<&str>, Vec<&str>) =
            query.split('&').filter(|pair| !pair.is_empty()).partition(of_list);
        let (listing, filter) = (listing.join("&"), filter.join("&"));
        let listing = read(&listing).map_err(|error| bad(format!("The query: {error}.")))?;
        let unfit = |error: String| match error.contains("unknown field") {
            true => bad(format!("The query: {error}.")),
            false => Problem::unprocessable("bad-filter", format!("The query: {error}.")),
        };
        Ok(Self { listing, by: read(&filter).map_err(unfit)?, filter: Redacted(filter) })
    }
}

/// A query, without its `?`; what is wrong with it in words, without the value: it may be a number.
fn read<Q: DeserializeOwned>(query: &str) -> Result<Q, String> {
    let uri =
        Uri::builder().path_and_query(format!("/?{query}")).build().map_err(|error| error.to_string())?;
    Query::try_from_uri(&uri).map(|Query(read)| read).map_err(|error| {
        let words = error.to_string();
        words.rsplit_once("query string: ").map_or(words.clone(), |(_, words)| words.to_owned())
    })
}

/// A time by RFC 3339 in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At(pub(super) Timestamp);

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let at = OffsetDateTime::parse(&text, &Rfc3339).ok();
        let micros = at.and_then(|at| i64::try_from(at.unix_timestamp_nanos() / 1_000).ok());
        let told = "not a time by RFC 3339, such as 2026-11-22T09:30:00Z";
        micros.map(|micros| Self(Timestamp::from_micros(micros))).ok_or_else(|| Error::custom(told))
    }
}

impl PartialSchema for At {
    fn schema() -> RefOr<Schema> {
        let time = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(time)).into()
    }
}

impl ToSchema for At {}

/// The last digits of a number in a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digits(pub(super) LastDigits);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let told = "the last digits of a number are 3 to 15 digits, with or without what parts them";
        let digits = LastDigits::parse(&String::deserialize(from)?);
        digits.map(Self).map_err(|_| Error::custom(told))
    }
}

impl PartialSchema for Digits {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).min_length(Some(3)).into()
    }
}

impl ToSchema for Digits {}

/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 1_000;

/// A text of a person, without the space around it: 1 to `longest` characters, and none that only steers a terminal;
/// a database takes no NUL.
#[must_use]
pub fn written(text: &str, longest: usize) -> Option<&str> {
    let text = text.trim();
    let steers = |c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c);
    (!text.is_empty() && text.chars().count() <= longest && !text.contains(steers)).then_some(text)
}

fn bad(detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad-request", detail)
}

//! What callers answered, as a list.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::access::Right;
use crate::api::csv::{Listed, listed};
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, At, Digits};
use crate::api::problem::Problem;
use crate::ids::{CallId, QueueId, Redacted};
use crate::store::{ConsentFilter, ConsentRow};

use super::route::{Route, get};

pub(super) fn routes() -> Vec<Route> {
    vec![
        get("/consents", Needs::Right(Right::ViewConsents), list)
            .says("What callers answered to the consent question, and what was taken back.")
            .lists::<By, Consent>(),
    ]
}

/// All words of `ConsentRow::answer`.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Yes,
    No,
    WrongKeys,
    Silence,
    HungUp,
    Withdrawn,
}

impl Word {
    const fn text(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::WrongKeys => "wrong-keys",
            Self::Silence => "silence",
            Self::HungUp => "hung-up",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// Which consents.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
pub(super) struct By {
    /// Not before this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<At>,
    /// Before this.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<At>,
    /// Asked by this queue.
    #[param(value_type = Option<String>)]
    queue: Option<QueueId>,
    /// The answer.
    #[param(inline)]
    answer: Option<Word>,
    /// The last digits of the caller's number, 3 or more; what parts them is passed over.
    #[param(value_type = Option<String>, min_length = 3)]
    number: Option<Digits>,
}

/// `Consent` of `admin.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct Consent {
    call: CallId,
    at: String,
    queue: QueueId,
    /// E.164; null: withheld, it holds for this call alone.
    #[schema(value_type = Option<String>)]
    caller: Option<Redacted<String>>,
    /// `yes`, `no`, `wrong-keys`, `silence`, `hung-up` or `withdrawn`.
    answer: String,
    /// Whether it allows recording.
    agreed: bool,
    /// The key.
    digit: Option<String>,
    /// How the key came: `rfc4733`, `info` or `in-band`.
    channel: Option<String>,
    /// SHA-256 of the question as it was played.
    question: Option<String>,
    language: Option<String>,
    /// It was reset: it counts no more for later calls, and the caller is asked again.
    reset: bool,
}

impl From<ConsentRow> for Consent {
    fn from(row: ConsentRow) -> Self {
        Self {
            call: row.call,
            at: row.at.to_rfc3339(),
            queue: row.queue,
            caller: row.from,
            answer: row.answer,
            agreed: row.agreed,
            digit: row.digit,
            channel: row.channel,
            question: row.question_sha256,
            language: row.language,
            reset: row.reset.is_some(),
        }
    }
}

impl Listed for Consent {
    const COLUMNS: &'static [&'static str] = &[
        "at", "call", "queue", "caller", "answer", "agreed", "digit", "channel", "question", "language",
        "reset",
    ];
    const PERSONAL: bool = true;
}

pub(super) async fn list(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    asked: Asked<By>,
) -> Result<Response, Problem> {
    let By { since, until, queue, answer, number } = asked.by.clone();
    let filter = ConsentFilter {
        since: since.map(|At(at)| at),
        until: until.map(|At(at)| at),
        queue,
        answer: answer.map(|word| word.text().to_owned()),
        digits: number.map(|Digits(digits)| digits),
        sight: visitor.sight(),
    };
    let at = Arc::clone(&desk);
    listed(&desk, &visitor, &asked, "consents", move |place| {
        let (desk, filter) = (Arc::clone(&at), filter.clone());
        async move { Ok(soon(desk.store().consent_list(&filter, &place)).await?.map(Consent::from)) }
    })
    .await
}

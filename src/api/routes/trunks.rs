//! Whether a trunk's server is there.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::control::Tested;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::problem::Problem;
use crate::audit::{AuditEvent, Class, Object, Value};
use crate::ids::TrunkId;
use crate::store::Change;

use super::route::{Route, post};

pub(super) fn routes() -> Vec<Route> {
    vec![
        post("/trunks/{name}/test", Needs::Right(Right::ConfigureTrunks), test)
            .says("Asks a trunk's server whether it is there, by SIP OPTIONS; takes 12 seconds at most.")
            .gives::<TrunkTest>(),
    ]
}

/// `TrunkTest` of `admin.ts`.
#[derive(Serialize, ToSchema)]
pub(super) struct TrunkTest {
    ok: bool,
    /// Of its answer; null: there was none.
    status: Option<u16>,
    /// How long its answer took.
    milliseconds: Option<u64>,
    /// In words.
    what: String,
}

impl From<Tested> for TrunkTest {
    fn from(Tested { ok, status, after, what }: Tested) -> Self {
        let milliseconds = after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
        Self { ok, status, milliseconds, what }
    }
}

pub(super) async fn test(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path<String>,
) -> Result<Json<TrunkTest>, Problem> {
    let id = TrunkId(name);
    // As it is stored: what was changed a moment ago may not be in force yet.
    let (_, settings) = soon(desk.store().settings()).await?;
    let none = || Problem::new(StatusCode::NOT_FOUND, "no-object", "There is no such trunk.");
    let trunk = settings.trunks.get(&id).ok_or_else(none)?;
    let Some(outbound) = trunk.outbound.clone() else {
        return Err(Problem::conflict("no-server", "This trunk has no server to ask: it only brings calls."));
    };
    let tested = desk.control().test_trunk(id.clone(), outbound).await?;
    let result = tested.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let event = AuditEvent::new(
        Class::System,
        visitor.actor(),
        desk.now(),
        "trunk.tested",
        Object::new("trunk", &id),
    )
    .new_value(Some(Value::plain(result)));
    soon(desk.store().commit(vec![Change::Audit(event)])).await?;
    Ok(Json(tested.into()))
}

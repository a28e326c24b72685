//! `/tokens`: what machines bring instead of a session's cookie.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Right;
use crate::api::Ends;
use crate::api::desk::{Desk, soon};
use crate::api::guard::{Needs, Visitor};
use crate::api::input::{Asked, Told};
use crate::api::problem::Problem;
use crate::api::sign;
use crate::ids::Redacted;
use crate::store::TokenRow;
use crate::time::Timestamp;

use super::route::{Route, delete, get, post};

pub(super) fn routes() -> Vec<Route> {
    const SYSTEM: Needs = Needs::Right(Right::ConfigureSystem);
    vec![
        get("/tokens", SYSTEM, list).says("The tokens, the latest first.").gives::<Tokens>(),
        post("/tokens", SYSTEM, make)
            .says("Makes a token; what opens is shown once.")
            .takes::<NewToken>()
            .gives_with::<MadeToken>(StatusCode::CREATED),
        delete("/tokens/{id}", SYSTEM, revoke).says("Ends a token.").gives_nothing(StatusCode::NO_CONTENT),
    ]
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewToken {
    name: String,
    rights: Vec<Right>,
    /// At most 365.
    days: u16,
    /// One's own, once more; a session by a provider has none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    password: Option<Redacted<String>>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Token {
    id: String,
    name: String,
    by: String,
    rights: Vec<Right>,
    created_at: String,
    expires_at: String,
    used_at: Option<String>,
    revoked_at: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct MadeToken {
    token: Token,
    #[schema(value_type = String)]
    secret: Redacted<String>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Tokens {
    items: Vec<Token>,
    next: Option<String>,
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            by: row.maker,
            rights: row.rights,
            created_at: row.created.to_rfc3339(),
            expires_at: row.expires.to_rfc3339(),
            used_at: row.used.map(Timestamp::to_rfc3339),
            revoked_at: row.revoked.map(Timestamp::to_rfc3339),
        }
    }
}

async fn list(State(desk): State<Arc<Desk>>, asked: Asked) -> Result<Json<Tokens>, Problem> {
    let (after, limit) = asked.page()?;
    let page = soon(desk.store().tokens(after, limit)).await?;
    let items = page.items.into_iter().map(Token::from).collect();
    Ok(Json(Tokens { items, next: page.next.map(|next| next.to_string()) }))
}

async fn make(
    State(desk): State<Arc<Desk>>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    Told(NewToken { name, rights, days, password }): Told<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let from = desk.source(ends, &headers);
    let wanted = sign::Wanted { name, rights, days, password };
    let made = async move { sign::make_token(&desk, &visitor, wanted, from).await };
    let (row, secret) = sign::to_the_end(made).await?;
    Ok((StatusCode::CREATED, Json(MadeToken { token: row.into(), secret })))
}

async fn revoke(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    sign::revoke_token(&desk, &visitor, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

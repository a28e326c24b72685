//! Tokens for machines: `Authorization: Bearer sayso_…` (RFC 6750 §2.1).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::access::{BadScopes, LONGEST_DAYS, Right, Session, Standing, TOUCH, carried, scopes};
use crate::api::desk::{Desk, random, soon};
use crate::api::guard::{By, Visitor, key_of};
use crate::api::input::written;
use crate::api::problem::Problem;
use crate::audit::{AuditEvent, Class, Object, Value};
use crate::ids::Redacted;
use crate::store::{Change, LoginChange, StoreError, TokenRow};

const DAY: Duration = Duration::from_secs(86_400);
/// How every token begins: who finds one somewhere knows what it is.
const PREFIX: &str = "sayso_";
/// The longest name of a token, in characters.
const LONGEST_NAME: usize = 64;

/// The token that a request brings. One that does is judged by it alone, whatever cookie comes along.
pub(in crate::api) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who asks with this token. Its last use is noted.
///
/// # Errors
/// 401 `not-logged-in`.
pub(in crate::api) async fn token(desk: &Desk, text: &str) -> Result<Visitor, Problem> {
    let refused = || {
        metrics::counter!("sayso_tokens_refused_total").increment(1);
        let detail = "There is no such token, or it has ended.";
        Problem::new(StatusCode::UNAUTHORIZED, "not-logged-in", detail)
    };
    let now = desk.now();
    let row = soon(desk.store().token(&hash(text))).await?;
    let row = row.filter(|row| row.lives(now)).ok_or_else(refused)?;
    let maker = soon(desk.store().user(&row.maker)).await?.ok_or_else(refused)?;
    let held = carried(soon(desk.store().held(&maker)).await?, &row.rights);
    if row.used.is_none_or(|used| now.since(used) >= TOUCH) {
        let used = LoginChange::TokenUsed { id: row.id.clone(), at: now };
        // Nobody waits for it: at worst the list says a minute less.
        drop(desk.store().submit(vec![Change::Login(used)]).await);
    }
    // It is nobody's phone.
    let account = crate::settings::User { agent: None, ..maker };
    let standing = Standing { by_password: false, must_change: false, changed: None, second_factor: false };
    Ok(Visitor {
        key: key_of(text),
        user: format!("token {} by {}", row.name, row.maker),
        account,
        held,
        session: Session { created: row.created, used: now },
        by: By::Token(row.name),
        standing,
        system: soon(desk.store().system()).await?,
    })
}

/// Makes a token: what is told of it, and what opens, which is told once.
///
/// # Errors
/// 403 `no-right` (a token makes none), 422 `bad-name`, `bad-rights` or `bad-days`.
pub(in crate::api) async fn make_token(
    desk: &Desk,
    visitor: &Visitor,
    name: &str,
    rights: &[Right],
    days: u16,
) -> Result<(TokenRow, Redacted<String>), Problem> {
    match visitor.by {
        By::Password | By::Provider(_) => {}
        By::Token(_) => {
            let detail = "A token makes no tokens: a person has to.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "no-right", detail));
        }
    }
    let Some(name) = written(name, LONGEST_NAME).filter(|name| !name.contains(['\n', '\r', '\t'])) else {
        let detail = format!("A token has a name of 1 to {LONGEST_NAME} characters, on one line.");
        return Err(Problem::unprocessable("bad-name", detail));
    };
    let rights = scopes(rights, &visitor.held)
        .map_err(|bad: BadScopes| Problem::unprocessable("bad-rights", bad.to_string()))?;
    if !(1..=LONGEST_DAYS).contains(&days) {
        let detail = format!("A token is good for 1 to {LONGEST_DAYS} days.");
        return Err(Problem::unprocessable("bad-days", detail));
    }
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random()));
    let now = desk.now();
    let row = TokenRow {
        id: hex::encode(&random()[..12]),
        name: name.to_owned(),
        maker: visitor.user.clone(),
        rights,
        created: now,
        expires: now + DAY * u32::from(days),
        used: None,
        revoked: None,
    };
    let words: Vec<&str> = row.rights.iter().map(|right| right.word()).collect();
    let of = |attribute: &'static str, new: String| {
        let what = Object::new("token", &row.id).attribute(attribute);
        let event = AuditEvent::new(Class::Rights, visitor.actor(), now, "token.made", what);
        Change::Audit(event.new_value(Some(Value::Plain(new))))
    };
    let changes = vec![
        Change::Login(LoginChange::TokenMade { token: row.clone(), hash: hash(&secret) }),
        of("name", row.name.clone()),
        of("rights", words.join(", ")),
        of("expires", row.expires.to_rfc3339()),
    ];
    desk.store().commit(changes).await?;
    Ok((row, Redacted(secret)))
}

/// Ends a token.
///
/// # Errors
/// 404 `no-token`.
pub(in crate::api) async fn revoke_token(desk: &Desk, visitor: &Visitor, id: &str) -> Result<(), Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "no-token", "There is no such token.");
    let row = soon(desk.store().token_of(id)).await?.ok_or_else(unknown)?;
    if row.revoked.is_some() {
        return Ok(());
    }
    let now = desk.now();
    let what = Object::new("token", &row.id);
    let event = AuditEvent::new(Class::Rights, visitor.actor(), now, "token.revoked", what);
    let event = event.old(Some(Value::Plain(format!("{} by {}", row.name, row.maker))));
    let revoked = Change::Login(LoginChange::TokenRevoked { id: row.id, at: now });
    match desk.store().commit(vec![revoked, Change::Audit(event)]).await {
        // Somebody else was faster.
        Ok(()) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is stored of a token: who reads the database cannot use it.
fn hash(token: &str) -> String {
    hex::encode(digest(&SHA256, token.as_bytes()))
}

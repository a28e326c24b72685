//! Tokens for machines: `Authorization: Bearer sayso_…` (RFC 6750 §2.1).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::access::{
    Attempts, BadScopes, LONGEST_DAYS, Right, Session, Standing, TOUCH, carried, could_be_name, scopes,
};
use crate::api::desk::{Desk, random, soon};
use crate::api::guard::{By, Visitor, key_of};
use crate::api::problem::Problem;
use crate::audit::{AuditEvent, Class, Object, Value};
use crate::ids::Redacted;
use crate::store::{Change, LoginChange, SessionKey, StoreError, TokenRow};

use super::Turn;
use super::password::again;

const DAY: Duration = Duration::from_secs(86_400);
/// How every token begins: who finds one somewhere knows what it is.
const PREFIX: &str = "sayso_";

/// The token that a request brings. One that does is judged by it alone, whatever cookie comes along.
pub(in crate::api) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who asks with this token.
///
/// # Errors
/// 401 `not-logged-in`.
pub(in crate::api) async fn token(desk: &Desk, text: &str) -> Result<Visitor, Problem> {
    let refused = || {
        metrics::counter!("sayso_tokens_refused_total").increment(1);
        let detail = "There is no such token, or it has ended.";
        Problem::new(StatusCode::UNAUTHORIZED, "not-logged-in", detail)
    };
    token_again(desk, key_of(text)).await?.ok_or_else(refused)
}

/// Who asks with the token of this key; `None`: it has ended. Its last use is noted.
///
/// # Errors
/// When the database does not answer.
pub(in crate::api) async fn token_again(desk: &Desk, key: SessionKey) -> Result<Option<Visitor>, Problem> {
    let now = desk.now();
    let row = soon(desk.store().token(&hex::encode(key.0))).await?;
    let Some(row) = row.filter(|row| row.lives(now)) else { return Ok(None) };
    let Some(maker) = soon(desk.store().user(&row.maker)).await? else { return Ok(None) };
    let held = carried(soon(desk.store().held(&maker)).await?, &row.rights);
    if row.used.is_none_or(|used| now.since(used) >= TOUCH) {
        let used = LoginChange::TokenUsed { id: row.id.clone(), at: now };
        // Nobody waits for it: at worst the list says a minute less.
        drop(desk.store().submit(vec![Change::Login(used)]).await);
    }
    // It is nobody's phone.
    let account = crate::settings::User { agent: None, ..maker };
    let standing = Standing { by_password: false, must_change: false, changed: None, second_factor: false };
    Ok(Some(Visitor {
        key,
        user: format!("token {} by {}", row.name, row.maker),
        account,
        held,
        session: Session { created: row.created, used: now },
        by: By::Token(row.name),
        standing,
        system: soon(desk.store().system()).await?,
    }))
}

/// A token that is wanted.
pub(in crate::api) struct Wanted {
    pub(in crate::api) name: String,
    pub(in crate::api) rights: Vec<Right>,
    pub(in crate::api) days: u16,
    /// The maker's, once more.
    pub(in crate::api) password: Option<Redacted<String>>,
}

/// Makes a token: what is told of it, and what opens, which is told once. It outlives the session, so a session by a
/// password is asked for it: who finds a browser open must not come back for a year.
///
/// # Errors
/// 403 `no-right` (a token makes none), 422 `bad-name`, `bad-rights`, `bad-days` or `wrong-password`, 423 `locked`.
pub(in crate::api) async fn make_token(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    wanted: Wanted,
    from: IpAddr,
) -> Result<(TokenRow, Redacted<String>), Problem> {
    let Wanted { name, rights, days, password } = wanted;
    match visitor.by {
        By::Password | By::Provider(_) => {}
        By::Token(_) => {
            let detail = "A token makes no tokens: a person has to.";
            return Err(Problem::new(StatusCode::FORBIDDEN, "no-right", detail));
        }
    }
    // The audit log says "token NAME by USER": nobody writes more than a name into it.
    if !could_be_name(&name) {
        let detail = "A token has a name of 1 to 64 letters (a-z), digits, dots, hyphens and underscores.";
        return Err(Problem::unprocessable("bad-name", detail));
    }
    let rights = scopes(&rights, &visitor.held)
        .map_err(|bad: BadScopes| Problem::unprocessable("bad-rights", bad.to_string()))?;
    if !(1..=LONGEST_DAYS).contains(&days) {
        let detail = format!("A token is good for 1 to {LONGEST_DAYS} days.");
        return Err(Problem::unprocessable("bad-days", detail));
    }
    let mut forgotten = None;
    if visitor.by == By::Password {
        let _turn = Turn::take(desk, &visitor.user).await?;
        let password = password.map_or_else(String::new, |Redacted(password)| password);
        let (_, attempts) = again(desk, &visitor.user, password, from).await?;
        let user = visitor.user.clone();
        forgotten = (attempts != Attempts::default())
            .then_some(Change::Attempts { user, attempts: Attempts::default() });
    }
    let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random()));
    let now = desk.now();
    let row = TokenRow {
        id: hex::encode(&random()[..12]),
        name,
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
    let mut changes = vec![
        Change::Login(LoginChange::TokenMade { token: row.clone(), hash: hex::encode(key_of(&secret).0) }),
        of("name", row.name.clone()),
        of("rights", words.join(", ")),
        of("expires", row.expires.to_rfc3339()),
    ];
    changes.extend(forgotten);
    desk.store().commit(changes).await?;
    Ok((row, Redacted(secret)))
}

/// Ends a token.
///
/// # Errors
/// 404 `no-token`.
pub(in crate::api) async fn revoke_token(desk: &Desk, visitor: &Visitor, id: &str) -> Result<(), Problem> {
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "no-token", "There is no such token.");
    if !could_be_name(id) {
        return Err(unknown());
    }
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

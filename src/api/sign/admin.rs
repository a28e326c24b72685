//! What who manages users does about others' log-ins.

use axum::http::StatusCode;

use crate::access::{Attempts, could_be_name, may_manage};
use crate::api::desk::{Desk, Ended, soon};
use crate::api::guard::Visitor;
use crate::api::problem::Problem;
use crate::audit::{AuditEvent, Class, Value};
use crate::settings::User;
use crate::store::{Change, LoginChange, SessionChange};
use crate::time::Timestamp;

use super::user_object;

/// How a user's log-in stands.
pub(in crate::api) struct State {
    pub(in crate::api) locked_until: Option<Timestamp>,
    pub(in crate::api) failures: u32,
    pub(in crate::api) sessions: usize,
    pub(in crate::api) second_factor: bool,
    pub(in crate::api) last_log_in: Option<Timestamp>,
}

/// # Errors
/// 404 `no-user`.
pub(in crate::api) async fn state(desk: &Desk, visitor: &Visitor, name: &str) -> Result<State, Problem> {
    let account = of(desk, name).await?;
    let (now, system) = (desk.now(), &visitor.system);
    let attempts = soon(desk.store().attempts(name)).await?;
    let rows = soon(desk.store().sessions(name, &account)).await?;
    let factor = soon(desk.store().second_factor(name)).await?;
    Ok(State {
        locked_until: attempts.locked(&system.passwords, now),
        failures: attempts.failures,
        sessions: rows.iter().filter(|row| row.session.lives(&system.sessions, now)).count(),
        second_factor: factor.is_some_and(|factor| factor.confirmed),
        last_log_in: soon(desk.store().last_log_in(name)).await?,
    })
}

/// Forgets the user's failed log-ins.
///
/// # Errors
/// 403 `no-right`, 404 `no-user`.
pub(in crate::api) async fn unlock(desk: &Desk, visitor: &Visitor, name: &str) -> Result<(), Problem> {
    manageable(desk, visitor, name).await?;
    let attempts = soon(desk.store().attempts(name)).await?;
    if attempts == Attempts::default() {
        return Ok(());
    }
    let forgotten = Change::Attempts { user: name.to_owned(), attempts: Attempts::default() };
    let event = audited(desk, visitor, name, "user.unlocked", "failures");
    let event = event.old(Some(Value::plain(attempts.failures))).new_value(Some(Value::plain(0)));
    desk.store().commit(vec![forgotten, Change::Audit(event)]).await.map_err(Problem::from)
}

/// Ends all of the user's sessions and tokens.
///
/// # Errors
/// 403 `no-right`, 404 `no-user`.
pub(in crate::api) async fn end_sessions(desk: &Desk, visitor: &Visitor, name: &str) -> Result<(), Problem> {
    let account = manageable(desk, visitor, name).await?;
    let rows = soon(desk.store().sessions(name, &account)).await?;
    let ended = Change::Session(SessionChange::AllEnded { user: name.to_owned() });
    let at = desk.now();
    let revoked = LoginChange::TokensRevoked { maker: name.to_owned(), by: visitor.actor(), at };
    let event = audited(desk, visitor, name, "user.sessions-ended", "sessions");
    let event = event.old(Some(Value::plain(rows.len()))).new_value(Some(Value::plain(0)));
    desk.store().commit(vec![ended, Change::Audit(event), Change::Login(revoked)]).await?;
    desk.over(&Ended::All(name.to_owned()));
    Ok(())
}

/// Removes the user's second factor: for who lost the device and the codes. Nobody does it to somebody who has more
/// rights.
///
/// # Errors
/// 403 `no-right`, 404 `no-user`.
pub(in crate::api) async fn remove_factor(desk: &Desk, visitor: &Visitor, name: &str) -> Result<(), Problem> {
    manageable(desk, visitor, name).await?;
    if name == visitor.user {
        let detail = "One's own second factor is removed with the password, on one's own page.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "no-right", detail));
    }
    if !soon(desk.store().second_factor(name)).await?.is_some_and(|factor| factor.confirmed) {
        return Ok(());
    }
    let removed = Change::Login(LoginChange::FactorRemoved { user: name.to_owned() });
    let event = audited(desk, visitor, name, "user.second-factor-removed", "second-factor");
    let event = event.old(Some(Value::plain("totp")));
    desk.store().commit(vec![removed, Change::Audit(event)]).await.map_err(Problem::from)
}

fn audited(
    desk: &Desk,
    visitor: &Visitor,
    name: &str,
    action: &'static str,
    attribute: &'static str,
) -> AuditEvent {
    let what = user_object(name).attribute(attribute);
    AuditEvent::new(Class::Rights, visitor.actor(), desk.now(), action, what)
}

async fn of(desk: &Desk, name: &str) -> Result<User, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no-user", "There is no such user.");
    if !could_be_name(name) {
        return Err(none());
    }
    soon(desk.store().user(name)).await?.ok_or_else(none)
}

/// A user upon whose log-in the visitor may act.
async fn manageable(desk: &Desk, visitor: &Visitor, name: &str) -> Result<User, Problem> {
    let account = of(desk, name).await?;
    let held = soon(desk.store().held(&account)).await?;
    if may_manage(&visitor.held, &held) {
        return Ok(account);
    }
    let detail = "This user has rights, or sees queues, that you do not.";
    Err(Problem::new(StatusCode::FORBIDDEN, "no-right", detail))
}

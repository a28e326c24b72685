//! The second factor: what a log-in asks for it, and how a user adds and removes it.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::rand;
use axum::http::StatusCode;

use crate::access::{
    Attempts, RECOVERY_BYTES, RECOVERY_CODES, SECRET_BYTES, recovery_code, recovery_hash, totp_step,
};
use crate::api::desk::{Desk, soon};
use crate::api::guard::Visitor;
use crate::api::problem::Problem;
use crate::audit::{AuditEvent, Class, Value};
use crate::ids::Redacted;
use crate::store::{Change, FactorRow, LoginChange, StoreError};

use super::password::{again, with_password};
use super::{Turn, user, user_object};

/// What a log-in with the right password gets to hear.
pub(super) enum Asked {
    /// There is no second factor.
    Nothing,
    /// The code is right, if these changes are stored.
    Passed(Vec<Change>),
    /// The code is not right.
    Wrong,
}

/// Looks whether a code is asked, and right.
///
/// # Errors
/// 401 `code-needed`, when it is asked and not there.
pub(super) async fn asked(desk: &Desk, name: &str, code: Option<Redacted<String>>) -> Result<Asked, Problem> {
    let factor = soon(desk.store().second_factor(name)).await?;
    let Some(factor) = factor.filter(|factor| factor.confirmed) else { return Ok(Asked::Nothing) };
    let Some(Redacted(code)) = code.filter(|code| !code.0.trim().is_empty()) else {
        let detail = "A code is asked: that of your device, or one of your recovery codes.";
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "code-needed", detail));
    };
    if let Some(step) = step_of(desk, name, &factor, &code) {
        let used = LoginChange::CodeUsed { user: name.to_owned(), step };
        return Ok(Asked::Passed(vec![Change::Login(used)]));
    }
    let Some(hash) = recovery_hash(name, &code) else { return Ok(Asked::Wrong) };
    let at = desk.now();
    // Whether there is such a code, and it was not used, is for the transaction to say.
    let used = LoginChange::RecoveryUsed { user: name.to_owned(), hash, at };
    let event = AuditEvent::new(Class::Rights, user(name), at, "user.recovery-code-used", user_object(name));
    Ok(Asked::Passed(vec![Change::Login(used), Change::Audit(event)]))
}

/// A second factor begins: its secret, shown once. It counts with [`add_factor`]. The password is asked: who finds a
/// browser open must not lock its owner out.
///
/// # Errors
/// 409 `has-one` or `no-password`, 422 `wrong-password`, 423 `locked`.
pub(in crate::api) async fn begin_factor(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    password: String,
    from: IpAddr,
) -> Result<[u8; SECRET_BYTES], Problem> {
    with_password(visitor)?;
    let _turn = Turn::take(desk, &visitor.user).await?;
    let (_, attempts) = again(desk, &visitor.user, password, from).await?;
    let mut secret = [0; SECRET_BYTES];
    rand::fill(&mut secret).expect("the system's random number generator answers");
    let sealed = Redacted(desk.sealing.seal(&sealed_as(&visitor.user), &secret));
    let begun = LoginChange::FactorBegun { user: visitor.user.clone(), secret: sealed, at: desk.now() };
    let mut changes = vec![Change::Login(begun)];
    if attempts != Attempts::default() {
        changes.push(Change::Attempts { user: visitor.user.clone(), attempts: Attempts::default() });
    }
    match desk.store().commit(changes).await {
        Ok(()) => Ok(secret),
        Err(StoreError::Conflict { .. }) => Err(has_one()),
        Err(error) => Err(error.into()),
    }
}

/// The second factor that was begun counts from now on: recovery codes, shown once.
///
/// # Errors
/// 409 `has-one`, `not-begun` or `no-password`, 422 `wrong-code`.
pub(in crate::api) async fn add_factor(
    desk: &Desk,
    visitor: &Visitor,
    code: &str,
) -> Result<Vec<String>, Problem> {
    with_password(visitor)?;
    let name = &visitor.user;
    let factor = match soon(desk.store().second_factor(name)).await? {
        None => return Err(Problem::conflict("not-begun", "Begin with a new secret first.")),
        Some(factor) if factor.confirmed => return Err(has_one()),
        Some(factor) => factor,
    };
    let Some(step) = step_of(desk, name, &factor, code) else {
        let detail = "The code is not the one of this moment: is the device's clock right?";
        return Err(Problem::unprocessable("wrong-code", detail));
    };
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(random_code())).collect();
    let recovery = codes.iter().filter_map(|code| recovery_hash(name, code)).collect();
    let at = desk.now();
    let confirmed = LoginChange::FactorConfirmed { user: name.clone(), step, recovery, at };
    let event = audited(visitor, at, "user.second-factor-added").new_value(Some(Value::plain("totp")));
    match desk.store().commit(vec![Change::Login(confirmed), Change::Audit(event)]).await {
        Ok(()) => Ok(codes),
        Err(StoreError::Conflict { .. }) => Err(has_one()),
        Err(error) => Err(error.into()),
    }
}

/// The user has no second factor any more.
///
/// # Errors
/// 409 `no-password`, 422 `wrong-password`, 423 `locked`.
pub(in crate::api) async fn drop_factor(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    password: String,
    from: IpAddr,
) -> Result<(), Problem> {
    with_password(visitor)?;
    let name = &visitor.user;
    let _turn = Turn::take(desk, name).await?;
    let (_, attempts) = again(desk, name, password, from).await?;
    let mut changes = vec![Change::Login(LoginChange::FactorRemoved { user: name.clone() })];
    if soon(desk.store().second_factor(name)).await?.is_some_and(|factor| factor.confirmed) {
        let event = audited(visitor, desk.now(), "user.second-factor-removed");
        changes.push(Change::Audit(event.old(Some(Value::plain("totp")))));
    }
    if attempts != Attempts::default() {
        changes.push(Change::Attempts { user: name.clone(), attempts: Attempts::default() });
    }
    desk.store().commit(changes).await.map_err(Problem::from)
}

fn audited(visitor: &Visitor, at: crate::time::Timestamp, action: &'static str) -> AuditEvent {
    let what = user_object(&visitor.user).attribute("second-factor");
    AuditEvent::new(Class::Rights, visitor.actor(), at, action, what)
}

/// The step of a right code.
fn step_of(desk: &Desk, name: &str, factor: &FactorRow, code: &str) -> Option<u64> {
    let Some(secret) = desk.sealing.open(&sealed_as(name), &factor.secret.0) else {
        tracing::error!(
            "a second factor cannot be opened: it was sealed by another signing key. Give this node the key of the \
             others (`[vault]`), or remove the user's second factor"
        );
        return None;
    };
    totp_step(&secret, code.trim(), desk.now(), factor.step)
}

fn sealed_as(name: &str) -> String {
    format!("second factor of {name}")
}

fn has_one() -> Problem {
    Problem::conflict("has-one", "You have a second factor: remove it before you add another.")
}

fn random_code() -> [u8; RECOVERY_BYTES] {
    let mut bytes = [0; RECOVERY_BYTES];
    rand::fill(&mut bytes).expect("the system's random number generator answers");
    bytes
}

//! Changing one's password.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;

use crate::access::{Attempts, BadPassword, fits};
use crate::api::desk::{Desk, Ended, random, soon};
use crate::api::guard::{By, Visitor};
use crate::api::problem::Problem;
use crate::ids::Redacted;
use crate::settings::{Changed, Difference, Kind, Object as Setting, User, verify_password};
use crate::store::{Change, SessionChange, StoreError};

use super::{Known, Turn, Wrong, check, computed, failed};

/// The settings may be changed by another between reading and writing; so often it is tried again.
const TRIES: usize = 3;

/// Gives the user another password; the user's other sessions end.
///
/// # Errors
/// 409 `no-password`, 422 `too-short`, `too-long`, `used-before` or `wrong-password`, 423 `locked`, 503 `busy`.
pub(in crate::api) async fn change_password(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    old: String,
    new: String,
    from: IpAddr,
) -> Result<(), Problem> {
    with_password(visitor)?;
    let rules = visitor.system.passwords;
    fits(&new, &rules).map_err(|bad| {
        let title = match bad {
            BadPassword::TooShort { .. } => "too-short",
            BadPassword::TooLong => "too-long",
        };
        Problem::unprocessable(title, bad.to_string())
    })?;
    let name = &visitor.user;
    let _turn = Turn::take(desk, name).await?;
    let (account, attempts) = again(desk, name, old, from).await?;
    let earlier = soon(desk.store().earlier_passwords(name, rules.history)).await?;
    let Some(account) = hashed(desk, &account, name, new, earlier).await? else {
        return Err(Problem::unprocessable("used-before", "The new password is one you had before."));
    };
    store(desk, visitor, &account, attempts).await?;
    desk.over(&Ended::Others(name.clone(), visitor.key));
    Ok(())
}

/// Only a session that began with a password has something to do with it.
///
/// # Errors
/// 409 `no-password`.
pub(super) fn with_password(visitor: &Visitor) -> Result<(), Problem> {
    match &visitor.by {
        By::Password => Ok(()),
        By::Provider(provider) => {
            let detail = format!("You logged in by {provider}: password and second factor are set there.");
            Err(Problem::conflict("no-password", detail))
        }
        By::Token(_) => Err(Problem::conflict("no-password", "A token has no password.")),
    }
}

/// Asks for the user's password once more: the account, and the failures before, which are to be forgotten with what
/// is done.
///
/// # Errors
/// 422 `wrong-password`, 423 `locked`: counted as a failed log-in is.
pub(super) async fn again(
    desk: &Arc<Desk>,
    name: &str,
    password: String,
    from: IpAddr,
) -> Result<(User, Attempts), Problem> {
    let known = Known::of(desk, name).await?;
    match check(desk, &known, password).await? {
        Ok(account) => Ok((account, known.attempts)),
        Err(wrong) => {
            let refused = failed(desk, name, &wrong, &known, from).await;
            // That it could not be counted must not tell whether it was right.
            let told = refused.status() == StatusCode::UNAUTHORIZED && !matches!(wrong, Wrong::Locked(_));
            let detail = "The password is not the right one.";
            Err(if told { Problem::unprocessable("wrong-password", detail) } else { refused })
        }
    }
}

/// The user with a new password; `None` if it is the one it has, the one an apply file gave last, or one of those
/// `earlier`.
async fn hashed(
    desk: &Desk,
    account: &User,
    name: &str,
    new: String,
    earlier: Vec<Redacted<String>>,
) -> Result<Option<User>, Problem> {
    let (account, name) = (account.clone(), name.to_owned());
    computed(desk, move || {
        let own = [Some(&account.password_hash), account.applied_hash.as_ref()].into_iter().flatten();
        let mut had: Vec<&Redacted<String>> = own.chain(&earlier).collect();
        had.sort_by(|a, b| a.0.cmp(&b.0));
        had.dedup();
        let before = had.into_iter().any(|hash| verify_password(hash, &new));
        (!before).then(|| account.with_own_password(&name, &new, &random()))
    })
    .await
}

/// Stores the changed user, whatever else of it is changed meanwhile.
async fn store(desk: &Desk, visitor: &Visitor, with: &User, attempts: Attempts) -> Result<(), Problem> {
    let name = &visitor.user;
    let password_hash = with.password_hash.clone();
    for _ in 0..TRIES {
        let Some(stored) = desk.store().user(name).await? else { return Err(Problem::not_logged_in()) };
        let changed = User {
            password_hash: password_hash.clone(),
            applied_hash: with.applied_hash.clone(),
            must_change_password: false,
            ..stored.clone()
        };
        let what =
            Changed::Altered { old: Setting::User(Arc::new(stored)), new: Setting::User(Arc::new(changed)) };
        let difference = Difference { kind: Kind::User, name: name.clone(), what };
        let key = visitor.key;
        let renewed =
            SessionChange::Renewed { key, user: name.clone(), password_hash: password_hash.clone() };
        let mut changes = vec![Change::Settings(vec![difference], visitor.actor()), Change::Session(renewed)];
        if attempts != Attempts::default() {
            changes.push(Change::Attempts { user: name.clone(), attempts: Attempts::default() });
        }
        match desk.store().commit(changes).await {
            Err(StoreError::Conflict { .. }) => {}
            done => return done.map_err(Problem::from),
        }
    }
    let detail = "The settings of this user are being changed by another: try again.";
    Err(Problem::new(StatusCode::CONFLICT, "not-now", detail))
}

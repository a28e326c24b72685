//! Logging in and out: what is compared, counted, stored and audited.

mod admin;
mod bearer;
mod factor;
pub(super) mod oidc;
mod password;
pub(super) mod seal;
mod sessions;

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::{MutexGuard, SemaphorePermit};

use crate::access::{Attempts, LONGEST_PASSWORD, Session, could_be_name};
use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::Redacted;
use crate::settings::{System, User, verify_password};
use crate::store::{Change, SessionChange, SessionKey, StoreError};
use crate::time::Timestamp;

use super::desk::{Desk, Ended, random, soon};
use super::guard::{By, Visitor, key_of};
use super::problem::Problem;

pub(super) use admin::{end_sessions, remove_factor, state, unlock};
pub(super) use bearer::{Wanted, bearer, make_token, revoke_token, token, token_again};
pub(super) use factor::{add_factor, begin_factor, drop_factor};
pub(super) use password::change_password;
pub(super) use sessions::{end_own, id_of as session_id, own_sessions};

/// Why somebody was not let in.
enum Wrong {
    Name,
    Password,
    Code,
    Locked(Timestamp),
}

/// Logs in with a password, and a code where there is a second factor: a token for the cookie, and who it is.
///
/// # Errors
/// 401 `wrong`, `code-needed` or `wrong-code`, 423 `locked`, 429 `too-many`, 503 `busy`.
pub(super) async fn log_in(
    desk: &Arc<Desk>,
    name: &str,
    password: String,
    code: Option<Redacted<String>>,
    from: IpAddr,
) -> Result<(String, Visitor), Problem> {
    heard(desk, from)?;
    let _turn = Turn::take(desk, name).await?;
    let known = Known::of(desk, name).await?;
    let account = match check(desk, &known, password).await? {
        Ok(account) => account,
        Err(wrong) => return Err(failed(desk, name, &wrong, &known, from).await),
    };
    let mut more = match factor::asked(desk, name, code).await? {
        factor::Asked::Nothing => Vec::new(),
        factor::Asked::Passed(changes) => changes,
        factor::Asked::Wrong => return Err(failed(desk, name, &Wrong::Code, &known, from).await),
    };
    if known.attempts != Attempts::default() {
        more.push(Change::Attempts { user: name.to_owned(), attempts: Attempts::default() });
    }
    let opening = Opening { name, account, by: By::Password, system: known.system.clone(), more };
    match open(desk, opening, from).await {
        Ok(opened) => Ok(opened),
        // The same code was used elsewhere at this moment.
        Err(StoreError::Conflict { .. }) => Err(failed(desk, name, &Wrong::Code, &known, from).await),
        Err(error) => Err(error.into()),
    }
}

/// Whether log-ins from there are heard.
fn heard(desk: &Desk, from: IpAddr) -> Result<(), Problem> {
    if desk.hears(from) {
        return Ok(());
    }
    metrics::counter!("sayso_logins_unheard_total").increment(1);
    let detail = "Too many log-ins failed from this address: wait some minutes.";
    Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail))
}

/// A session that is to begin.
struct Opening<'n> {
    name: &'n str,
    account: User,
    by: By,
    system: System,
    /// What goes with it.
    more: Vec<Change>,
}

/// Begins a session: a token for the cookie, and who it is.
///
/// # Errors
/// When the database refuses, or what goes with it is in conflict with what is stored.
async fn open(desk: &Desk, opening: Opening<'_>, from: IpAddr) -> Result<(String, Visitor), StoreError> {
    let Opening { name, account, by, system, more } = opening;
    let provider = match &by {
        By::Provider(provider) => Some(provider.clone()),
        By::Password | By::Token(_) => None,
    };
    let token = URL_SAFE_NO_PAD.encode(random());
    let (key, now) = (key_of(&token), desk.now());
    let event = AuditEvent::new(Class::Rights, user(name), now, "user.logged-in", user_object(name));
    let event = event.new_value(provider.as_ref().map(|provider| Value::Plain(format!("by {provider}"))));
    let opened = SessionChange::Opened {
        key,
        user: name.to_owned(),
        password_hash: account.password_hash.clone(),
        provider,
        rules: system.sessions,
        at: now,
    };
    let mut changes = more;
    changes.extend([Change::Session(opened), Change::Audit(event.about(Some(from.to_string())))]);
    desk.store().commit(changes).await?;
    let held = desk.store().held(&account).await?;
    let standing = desk.store().standing(name, &account, by == By::Password).await?;
    let session = Session::begun(now);
    Ok((token, Visitor { key, user: name.to_owned(), account, held, session, by, standing, system }))
}

/// Ends a session, by its user's wish.
///
/// # Errors
/// When the database refuses; nothing has ended then.
pub(super) async fn log_out(desk: &Desk, visitor: &Visitor) -> Result<(), Problem> {
    let event = AuditEvent::new(
        Class::Rights,
        visitor.actor(),
        desk.now(),
        "user.logged-out",
        user_object(&visitor.user),
    );
    let ended = Change::Session(SessionChange::Ended { key: visitor.key });
    desk.store().commit(vec![ended, Change::Audit(event)]).await?;
    desk.over(&Ended::One(visitor.user.clone(), visitor.key));
    Ok(())
}

/// Ends whatever session this browser had before it logged in anew.
///
/// # Errors
/// When the database refuses.
pub(super) async fn replace(desk: &Desk, key: SessionKey) -> Result<(), Problem> {
    match desk.visitor(key).await? {
        Some(visitor) => log_out(desk, &visitor).await,
        None => Ok(()),
    }
}

/// What there is of a name that is tried.
struct Known {
    account: Option<User>,
    /// By what its failures are stored: a user's by its name; of what is nobody's name, which may be a password in
    /// the wrong field, only a keyed hash. `None`: it cannot be a name; there would be no end to them.
    row: Option<String>,
    attempts: Attempts,
    system: System,
}

impl Known {
    async fn of(desk: &Desk, name: &str) -> Result<Self, Problem> {
        let system = soon(desk.store().system()).await?;
        if !could_be_name(name) {
            return Ok(Self { account: None, row: None, attempts: Attempts::default(), system });
        }
        let account = soon(desk.store().user(name)).await?;
        let row = if account.is_some() { name.to_owned() } else { desk.nobodys(name) };
        let attempts = soon(desk.store().attempts(&row)).await?;
        Ok(Self { account, row: Some(row), attempts, system })
    }
}

/// Compares a password with that of a user; takes as long for a user who is not there.
async fn check(desk: &Arc<Desk>, known: &Known, password: String) -> Result<Result<User, Wrong>, Problem> {
    if let Some(until) = known.attempts.locked(&known.system.passwords, desk.now()) {
        return Ok(Err(Wrong::Locked(until)));
    }
    let account = known.account.clone();
    let hash = account.as_ref().map_or(&desk.nobody, |account| &account.password_hash).clone();
    let fits = password.len() <= LONGEST_PASSWORD;
    let right = computed(desk, move || fits && verify_password(&hash, &password)).await?;
    Ok(match account {
        Some(account) if right => Ok(account),
        Some(_) => Err(Wrong::Password),
        None => Err(Wrong::Name),
    })
}

/// Counts and audits a failure. The name that was typed is not kept where it is nobody's: it may be a
/// password in the wrong field.
async fn failed(desk: &Desk, name: &str, wrong: &Wrong, known: &Known, from: IpAddr) -> Problem {
    desk.failed(from);
    let (now, rules) = (desk.now(), &known.system.passwords);
    let (what, why) = match wrong {
        Wrong::Name => (Object::new("log-in", "unknown name"), "unknown name"),
        Wrong::Password => (user_object(name), "wrong password"),
        Wrong::Code => (user_object(name), "wrong code"),
        Wrong::Locked(_) => (Object::new("log-in", "locked name"), "locked"),
    };
    let event = |action: &'static str, what: &Object| {
        let event = AuditEvent::new(Class::Failure, Actor::System, now, action, what.clone());
        event.about(Some(from.to_string()))
    };
    let mut changes = Vec::new();
    if matches!(wrong, Wrong::Name) && !desk.tells_stranger() {
        metrics::counter!("sayso_logins_untold_total").increment(1);
    } else {
        let failed = event("user.login-failed", &what).new_value(Some(Value::plain(why)));
        changes.push(Change::Audit(failed));
    }
    let problem = match wrong {
        Wrong::Locked(until) => {
            let detail = format!("Too many log-ins failed. Try again after {}.", until.to_rfc3339());
            Problem::new(StatusCode::LOCKED, "locked", detail)
        }
        Wrong::Name | Wrong::Password | Wrong::Code => {
            let attempts = known.attempts.failed(rules, now);
            if let Some(until) = attempts.locked(rules, now) {
                let until = Value::Plain(format!("until {until}"));
                changes.push(Change::Audit(event("user.locked", &what).new_value(Some(until))));
            }
            changes.extend(known.row.clone().map(|user| Change::Attempts { user, attempts }));
            match wrong {
                Wrong::Code => Problem::new(StatusCode::UNAUTHORIZED, "wrong-code", "The code is not right."),
                Wrong::Name | Wrong::Password | Wrong::Locked(_) => {
                    Problem::new(StatusCode::UNAUTHORIZED, "wrong", "User name and password do not fit.")
                }
            }
        }
    };
    match desk.store().commit(changes).await {
        Ok(()) => problem,
        // A failure that is not counted must not be an answer either.
        Err(error) => Problem::from(error),
    }
}

fn user_object(name: &str) -> Object {
    Object::new("user", name)
}

fn user(name: &str) -> Actor {
    Actor::User(name.to_owned())
}

/// A name's turn: nobody else tries it meanwhile.
struct Turn<'d> {
    _name: MutexGuard<'d, ()>,
    _place: SemaphorePermit<'d>,
}

impl<'d> Turn<'d> {
    async fn take(desk: &'d Arc<Desk>, name: &str) -> Result<Self, Problem> {
        let Ok(place) = desk.waiting.try_acquire() else {
            let detail = "Too many people log in at this moment: try again.";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail));
        };
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % desk.names.len() as u64).unwrap_or(0);
        Ok(Self { _name: desk.names[lane].lock().await, _place: place })
    }
}

/// Computes beside the tasks, on half of the cores: calls need the rest. The place is free when the work is done,
/// whoever still waits for it.
async fn computed<T: Send + 'static>(
    desk: &Desk,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let place = Arc::clone(&desk.hashing).acquire_owned().await.map_err(|_| stopping())?;
    let work = move || {
        let _place = place;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(|_| stopping())
}

/// Does it to its end also when the client hangs up: what is tried is counted and audited whoever waits for the
/// answer.
///
/// # Errors
/// Those of the work.
pub(super) async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Problem>> + Send + 'static,
) -> Result<T, Problem> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(stopping()))
}

fn stopping() -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The server is stopping.")
}

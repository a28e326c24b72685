//! Logging in and out, and changing one's password: what is compared, counted, stored and audited.

use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::{MutexGuard, SemaphorePermit};

use crate::access::{Attempts, PASSWORD_OVER, Session, long_enough};
use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::ids::Redacted;
use crate::settings::{Changed, Difference, Kind, Object as Setting, User, verify_password};
use crate::store::{Change, SessionChange, SessionKey, StoreError};
use crate::time::Timestamp;

use super::desk::{Desk, Ended, random, soon};
use super::guard::{Visitor, key_of};
use super::problem::Problem;

/// The longest name a user can have in the settings.
const LONGEST_NAME: usize = 64;
/// The longest password, in bytes.
const LONGEST_PASSWORD: usize = 1_024;
/// The settings may be changed by another between reading and writing; so often it is tried again.
const TRIES: usize = 3;

/// Why a password was not taken.
enum Wrong {
    Name,
    Password,
    Locked(Timestamp),
}

/// Logs in: a token for the cookie, and who it is.
///
/// # Errors
/// 401 `wrong`, 423 `locked`, 429 `too-many`, 503 `busy`.
pub(super) async fn log_in(
    desk: &Arc<Desk>,
    name: &str,
    password: String,
    from: IpAddr,
) -> Result<(String, Visitor), Problem> {
    if !desk.hears(from) {
        metrics::counter!("sayso_logins_unheard_total").increment(1);
        let detail = "Too many log-ins failed from this address: wait some minutes.";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many", detail));
    }
    let turn = Turn::take(desk, name).await?;
    let known = Known::of(desk, name).await?;
    let account = match check(desk, &known, password).await? {
        Ok(account) => account,
        Err(wrong) => {
            desk.failed(from);
            return Err(failed(desk, name, &wrong, known, from).await);
        }
    };
    let token = URL_SAFE_NO_PAD.encode(random());
    let (key, now) = (key_of(&token), desk.now());
    let (user, password_hash) = (name.to_owned(), account.password_hash.clone());
    let opened = SessionChange::Opened { key, user, password_hash, at: now };
    let event =
        AuditEvent::new(Class::Rights, Actor::User(name.into()), now, "user.logged-in", user_object(name));
    let mut changes = vec![Change::Session(opened), Change::Audit(event.about(Some(from.to_string())))];
    if known.attempts != Attempts::default() {
        changes.push(Change::Attempts { user: name.to_owned(), attempts: Attempts::default() });
    }
    desk.store().commit(changes).await?;
    drop(turn);
    let held = desk.store().held(&account).await?;
    Ok((token, Visitor { key, user: name.to_owned(), account, held, session: Session::begun(now) }))
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

/// Gives the user another password; the user's other sessions end.
///
/// # Errors
/// 422 `too-short`, `too-long`, `used-before` or `wrong-password`, 423 `locked`, 503 `busy`.
pub(super) async fn change_password(
    desk: &Arc<Desk>,
    visitor: &Visitor,
    old: String,
    new: String,
    from: IpAddr,
) -> Result<(), Problem> {
    if !long_enough(&new) {
        let detail = format!("A password has more than {PASSWORD_OVER} characters.");
        return Err(Problem::unprocessable("too-short", detail));
    }
    if new.len() > LONGEST_PASSWORD {
        let detail = format!("A password has at most {LONGEST_PASSWORD} bytes.");
        return Err(Problem::unprocessable("too-long", detail));
    }
    let name = &visitor.user;
    let turn = Turn::take(desk, name).await?;
    let known = Known::of(desk, name).await?;
    let attempts = known.attempts;
    let account = match check(desk, &known, old).await? {
        Ok(account) => account,
        Err(wrong) => {
            desk.failed(from);
            let locked = failed(desk, name, &wrong, known, from).await;
            return Err(match wrong {
                Wrong::Locked(_) => locked,
                Wrong::Name | Wrong::Password => {
                    Problem::unprocessable("wrong-password", "The old password is not the right one.")
                }
            });
        }
    };
    let hashed = turn.hash(&account, name, new).await?;
    let Some(account) = hashed else {
        return Err(Problem::unprocessable("used-before", "The new password is one you had before."));
    };
    store_password(desk, visitor, &account, attempts).await?;
    desk.over(&Ended::Others(name.clone(), visitor.key));
    Ok(())
}

/// Stores the changed user, whatever else of it is changed meanwhile.
async fn store_password(
    desk: &Desk,
    visitor: &Visitor,
    with: &User,
    attempts: Attempts,
) -> Result<(), Problem> {
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

/// What there is of a name that is tried.
struct Known {
    account: Option<User>,
    /// By what its failures are stored: a user's by its name; of what is nobody's name, which may be a password in
    /// the wrong field, only a keyed hash. `None`: it cannot be a name; there would be no end to them.
    row: Option<String>,
    attempts: Attempts,
}

impl Known {
    async fn of(desk: &Desk, name: &str) -> Result<Self, Problem> {
        if !could_be_name(name) {
            return Ok(Self { account: None, row: None, attempts: Attempts::default() });
        }
        let account = soon(desk.store().user(name)).await?;
        let row = if account.is_some() { name.to_owned() } else { desk.nobodys(name) };
        let attempts = soon(desk.store().attempts(&row)).await?;
        Ok(Self { account, row: Some(row), attempts })
    }
}

/// Compares a password with that of a user; takes as long for a user who is not there.
async fn check(desk: &Arc<Desk>, known: &Known, password: String) -> Result<Result<User, Wrong>, Problem> {
    if let Some(until) = known.attempts.locked(desk.now()) {
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
async fn failed(desk: &Desk, name: &str, wrong: &Wrong, known: Known, from: IpAddr) -> Problem {
    let now = desk.now();
    let (what, why) = match wrong {
        Wrong::Name => (Object::new("log-in", "unknown name"), "unknown name"),
        Wrong::Password => (user_object(name), "wrong password"),
        Wrong::Locked(_) => (Object::new("log-in", "locked name"), "locked"),
    };
    let event = |action: &'static str, what: &Object| {
        let event = AuditEvent::new(Class::Failure, Actor::System, now, action, what.clone());
        event.about(Some(from.to_string()))
    };
    let mut changes =
        vec![Change::Audit(event("user.login-failed", &what).new_value(Some(Value::plain(why))))];
    let problem = match wrong {
        Wrong::Locked(until) => {
            let detail = format!("Too many log-ins failed. Try again after {}.", until.to_rfc3339());
            Problem::new(StatusCode::LOCKED, "locked", detail)
        }
        Wrong::Name | Wrong::Password => {
            let attempts = known.attempts.failed(now);
            if let Some(until) = attempts.locked(now) {
                let until = Value::Plain(format!("until {until}"));
                changes.push(Change::Audit(event("user.locked", &what).new_value(Some(until))));
            }
            changes.extend(known.row.map(|user| Change::Attempts { user, attempts }));
            Problem::new(StatusCode::UNAUTHORIZED, "wrong", "User name and password do not fit.")
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

fn could_be_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fits)
}

/// A name's turn: nobody else tries it meanwhile.
struct Turn<'d> {
    desk: &'d Arc<Desk>,
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
        Ok(Self { desk, _name: desk.names[lane].lock().await, _place: place })
    }

    /// The user with a new password; `None` if it is the one it has, or the one an apply file gave last.
    async fn hash(&self, account: &User, name: &str, new: String) -> Result<Option<User>, Problem> {
        let (account, name) = (account.clone(), name.to_owned());
        computed(self.desk, move || {
            let used = |hash: &Redacted<String>| verify_password(hash, &new);
            let before = used(&account.password_hash) || account.applied_hash.as_ref().is_some_and(used);
            (!before).then(|| account.with_own_password(&name, &new, &random()))
        })
        .await
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

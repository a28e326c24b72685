//! People who log in: their sessions, their failures, their settings by name.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use sqlx::Row as _;

use crate::access::{Attempts, FORGOTTEN, Held, SESSIONS, Session, Standing};
use crate::ids::Redacted;
use crate::settings::{CustomRole, SYSTEM, System, User};
use crate::time::Timestamp;

use super::Store;
use super::change::{SessionChange, SessionKey};
use super::error::{Doing as _, StoreError};
use super::query::Cells;
use super::writer::Work;

/// So old a failure may be that another node counted while a log-in was looked at; no lock is shorter.
const MEANWHILE: Duration = Duration::from_secs(60);

/// A session that holds, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The user's name.
    pub user: String,
    /// The user as the settings are now.
    pub account: User,
    /// What the user may do.
    pub held: Held,
    /// Its times; whether it still lives is for [`Session::lives`] to say.
    pub session: Session,
    /// The OpenID Connect provider that said who it is; `None`: it was a password.
    pub provider: Option<String>,
    /// What of it is owed first.
    pub standing: Standing,
    /// What holds for the whole system now.
    pub system: System,
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Which one.
    pub key: SessionKey,
    /// Its times.
    pub session: Session,
    /// As of [`SignedIn::provider`].
    pub provider: Option<String>,
}

impl Work<'_> {
    /// Writes what became of a session.
    pub(super) async fn session(&mut self, change: &SessionChange) -> Result<(), StoreError> {
        match change {
            SessionChange::Opened { key, user, password_hash, provider, rules, at } => {
                let over = "DELETE FROM sessions WHERE created <= $1 OR used <= $2";
                let (old, idle) = (*at - rules.absolute, *at - rules.idle);
                let over = sqlx::query(over).bind(old.as_micros()).bind(idle.as_micros());
                over.execute(&mut *self.connection).await.doing("removing sessions that are over")?;
                let surplus = "DELETE FROM sessions WHERE name = $1 AND key NOT IN \
                               (SELECT key FROM sessions WHERE name = $1 ORDER BY used DESC, key LIMIT $2)";
                let surplus = sqlx::query(surplus).bind(user.clone()).bind(i64::from(SESSIONS - 1));
                surplus.execute(&mut *self.connection).await.doing("removing a user's oldest sessions")?;
                self.logged_in(user, *at).await?;
                let insert = "INSERT INTO sessions (key, name, password, created, used, provider) \
                              VALUES ($1, $2, $3, $4, $4, $5)";
                sqlx::query(insert)
                    .bind(hex::encode(key.0))
                    .bind(user.clone())
                    .bind(print(password_hash))
                    .bind(at.as_micros())
                    .bind(provider.clone())
                    .execute(&mut *self.connection)
                    .await
                    .map(drop)
                    .doing("storing a session")
            }
            SessionChange::Used { key, at } => {
                let update = "UPDATE sessions SET used = $2 WHERE key = $1 AND used < $2";
                let update = sqlx::query(update).bind(hex::encode(key.0)).bind(at.as_micros());
                update.execute(&mut *self.connection).await.map(drop).doing("storing a session's use")
            }
            SessionChange::Ended { key } => {
                let delete = sqlx::query("DELETE FROM sessions WHERE key = $1").bind(hex::encode(key.0));
                delete.execute(&mut *self.connection).await.map(drop).doing("ending a session")
            }
            SessionChange::AllEnded { user } => {
                let delete = sqlx::query("DELETE FROM sessions WHERE name = $1").bind(user.clone());
                delete.execute(&mut *self.connection).await.map(drop).doing("ending sessions")
            }
            SessionChange::Renewed { key, user, password_hash } => {
                let others = sqlx::query("DELETE FROM sessions WHERE name = $1 AND key <> $2");
                let others = others.bind(user.clone()).bind(hex::encode(key.0));
                others.execute(&mut *self.connection).await.doing("ending sessions")?;
                let update = sqlx::query("UPDATE sessions SET password = $2 WHERE key = $1");
                let update = update.bind(hex::encode(key.0)).bind(print(password_hash));
                update.execute(&mut *self.connection).await.map(drop).doing("renewing a session")
            }
        }
    }

    /// Writes the failures of a name; those too old to count are removed, whosever they are.
    pub(super) async fn attempts(&mut self, user: &str, attempts: Attempts) -> Result<(), StoreError> {
        let Some(last) = attempts.last else {
            let delete = sqlx::query("DELETE FROM login_failures WHERE name = $1").bind(user.to_owned());
            return delete.execute(&mut *self.connection).await.map(drop).doing("forgetting failed log-ins");
        };
        let old = sqlx::query("DELETE FROM login_failures WHERE last <= $1");
        let old = old.bind((last - FORGOTTEN).as_micros());
        old.execute(&mut *self.connection).await.doing("forgetting old failed log-ins")?;
        let upsert = "INSERT INTO login_failures (name, failures, last) VALUES ($1, $2, $3) \
                      ON CONFLICT (name) DO UPDATE SET last = excluded.last, failures = CASE \
                      WHEN excluded.failures <= login_failures.failures AND login_failures.last > $4 \
                      THEN login_failures.failures + 1 ELSE excluded.failures END";
        // Another node may have counted one since it was read: then this is one more. What is older was forgotten.
        sqlx::query(upsert)
            .bind(user.to_owned())
            .bind(i64::from(attempts.failures))
            .bind(last.as_micros())
            .bind((last - MEANWHILE).as_micros())
            .execute(&mut *self.connection)
            .await
            .map(drop)
            .doing("storing a failed log-in")
    }
}

impl Store {
    /// The session, if it is there and its user's password is still the one it began with.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn session(&self, key: SessionKey) -> Result<Option<SignedIn>, StoreError> {
        let select = "SELECT s.name, s.password, s.created, s.used, s.provider, u.body, y.body AS system, \
                      (SELECT MAX(p.at) FROM passwords p WHERE p.name = s.name) AS changed, \
                      (SELECT f.confirmed FROM second_factors f WHERE f.name = s.name) AS factor \
                      FROM sessions s JOIN settings u ON u.kind = 'user' AND u.name = s.name \
                      LEFT JOIN settings y ON y.kind = 'system' AND y.name = $2 WHERE s.key = $1";
        let row = sqlx::query(select).bind(hex::encode(key.0)).bind(SYSTEM).fetch_optional(&self.read).await;
        let Some(row) = row.doing("reading a session")? else { return Ok(None) };
        let cells = Cells { table: "sessions", row: &row };
        let account: User = cells.json("body")?.ok_or(cells.corrupt("body"))?;
        if cells.get::<String>("password")? != print(&account.password_hash) {
            return Ok(None);
        }
        let session = Session { created: cells.time("created")?, used: cells.time("used")? };
        let provider: Option<String> = cells.get("provider")?;
        let standing = Standing {
            by_password: provider.is_none(),
            must_change: account.must_change_password,
            changed: cells.maybe_time("changed")?,
            second_factor: cells.maybe_time("factor")?.is_some(),
        };
        let system: System = cells.json("system")?.unwrap_or_default();
        let held = self.held(&account).await?;
        Ok(Some(SignedIn { user: cells.get("name")?, account, held, session, provider, standing, system }))
    }

    /// How a user stands after a log-in, with a password or not.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn standing(&self, name: &str, user: &User, by_password: bool) -> Result<Standing, StoreError> {
        let row =
            sqlx::query("SELECT MAX(at) AS changed FROM passwords WHERE name = $1").bind(name.to_owned());
        let row = row.fetch_one(&self.read).await.doing("reading when a password was set")?;
        let changed = Cells { table: "passwords", row: &row }.maybe_time("changed")?;
        let second_factor = self.second_factor(name).await?.is_some_and(|factor| factor.confirmed);
        Ok(Standing { by_password, must_change: user.must_change_password, changed, second_factor })
    }

    /// The sessions of a user that hold while this is the user's password; whether they still live is for
    /// [`Session::lives`] to say. The one used last first.
    ///
    /// # Errors
    /// When the database refuses, or a row cannot be read.
    pub async fn sessions(&self, name: &str, user: &User) -> Result<Vec<SessionRow>, StoreError> {
        let select = "SELECT key, created, used, provider FROM sessions WHERE name = $1 AND password = $2 \
                      ORDER BY used DESC, key";
        let rows = sqlx::query(select).bind(name.to_owned()).bind(print(&user.password_hash));
        let rows = rows.fetch_all(&self.read).await.doing("reading sessions")?;
        let read = |row| {
            let cells = Cells { table: "sessions", row };
            let mut key = [0; 32];
            hex::decode_to_slice(cells.get::<String>("key")?, &mut key).map_err(|_| cells.corrupt("key"))?;
            let session = Session { created: cells.time("created")?, used: cells.time("used")? };
            Ok(SessionRow { key: SessionKey(key), session, provider: cells.get("provider")? })
        };
        rows.iter().map(read).collect()
    }

    /// A user, as the settings are now.
    ///
    /// # Errors
    /// When the database refuses, or the document cannot be read.
    pub async fn user(&self, name: &str) -> Result<Option<User>, StoreError> {
        let select = "SELECT body FROM settings WHERE kind = 'user' AND name = $1";
        let row = sqlx::query(select).bind(name.to_owned()).fetch_optional(&self.read).await;
        let Some(row) = row.doing("reading a user")? else { return Ok(None) };
        Cells { table: "settings", row: &row }.json("body")
    }

    /// What a user may do, by the roles as they are now.
    ///
    /// # Errors
    /// When the database refuses, or the role's document cannot be read.
    pub async fn held(&self, account: &User) -> Result<Held, StoreError> {
        let Some(role) = &account.custom_role else { return Ok(Held::of(account, None)) };
        let select = "SELECT body FROM settings WHERE kind = 'role' AND name = $1";
        let row = sqlx::query(select).bind(role.clone()).fetch_optional(&self.read).await;
        let custom: Option<CustomRole> = match row.doing("reading a role")? {
            Some(row) => Cells { table: "settings", row: &row }.json("body")?,
            None => None,
        };
        Ok(Held::of(account, custom.as_ref()))
    }

    /// Whether anybody could log in.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn has_users(&self) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM settings WHERE kind = 'user' LIMIT 1");
        row.fetch_optional(&self.read).await.map(|row| row.is_some()).doing("looking for users")
    }

    /// The failed log-ins of a name since its last success.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn attempts(&self, user: &str) -> Result<Attempts, StoreError> {
        let select = "SELECT failures, last FROM login_failures WHERE name = $1";
        let row = sqlx::query(select).bind(user.to_owned()).fetch_optional(&self.read).await;
        let Some(row) = row.doing("reading failed log-ins")? else { return Ok(Attempts::default()) };
        let corrupt = |column| StoreError::Corrupt { table: "login_failures", column };
        let failures: i64 = row.try_get("failures").map_err(|_| corrupt("failures"))?;
        let last: i64 = row.try_get("last").map_err(|_| corrupt("last"))?;
        let failures = u32::try_from(failures).map_err(|_| corrupt("failures"))?;
        Ok(Attempts { failures, last: Some(Timestamp::from_micros(last)) })
    }
}

/// Tells one password's hash from another without being it.
fn print(password_hash: &Redacted<String>) -> String {
    hex::encode(digest(&SHA256, password_hash.0.as_bytes()))
}

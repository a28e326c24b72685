//! Second factors, earlier passwords, providers' people, tokens for machines (domain rule 23).

use std::collections::BTreeMap;

use sqlx::Any;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;

use crate::audit::{Actor, AuditEvent, Class, Object as Audited, Value};
use crate::ids::Redacted;
use crate::settings::{Changed, Difference, Object, Provider, SYSTEM, System, User};
use crate::time::Timestamp;

use super::Store;
use super::error::{Doing as _, StoreError};
use super::query::Cells;
use super::token::TokenRow;
use super::writer::Work;

pub(super) type Statement = Query<'static, Any, AnyArguments>;

/// Passwords kept of a user: as many as a rule can ask for (`password-history`), and the one in force.
const PASSWORDS: i64 = 51;

/// See [`Change::Login`](super::Change::Login). None is audited by itself: who makes it says why.
#[derive(Debug)]
pub enum LoginChange {
    /// Goes on only if there is no user at all; nobody makes one meanwhile.
    Nobody,
    /// A second factor is offered; it counts once a code of it was seen. What was offered before is forgotten.
    FactorBegun {
        /// The user.
        user: String,
        /// Its secret, sealed.
        secret: Redacted<String>,
        /// When.
        at: Timestamp,
    },
    /// A code of it was seen: it counts from now on.
    FactorConfirmed {
        /// The user.
        user: String,
        /// The step of that code.
        step: u64,
        /// SHA-256 (hex) of the recovery codes; those before are forgotten.
        recovery: Vec<String>,
        /// When.
        at: Timestamp,
    },
    /// The user has no second factor any more.
    FactorRemoved {
        /// The user.
        user: String,
    },
    /// A code was used; refused if it, or a later one, was used before.
    CodeUsed {
        /// The user.
        user: String,
        /// Its step.
        step: u64,
    },
    /// A recovery code was used; refused if there is none such, or it was used before.
    RecoveryUsed {
        /// The user.
        user: String,
        /// SHA-256 (hex) of it.
        hash: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody of a provider is this user from now on.
    Bound(Identity, Timestamp),
    /// A token was made.
    TokenMade {
        /// What is told of it.
        token: TokenRow,
        /// SHA-256 (hex) of it.
        hash: String,
    },
    /// A token is used.
    TokenUsed {
        /// Which one.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// All that somebody made are good no longer: each is audited.
    TokensRevoked {
        /// Who made them.
        maker: String,
        /// Who wants it so.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// A token is good no longer; refused if it is not by now.
    TokenRevoked {
        /// Which one.
        id: String,
        /// When.
        at: Timestamp,
    },
}

/// Who somebody of a provider is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider's name in the settings.
    pub provider: String,
    /// The provider's own name for the person, never given to another (`sub`).
    pub subject: Redacted<String>,
    /// The user.
    pub user: String,
    /// Whether the user was made at the first log-in by the provider.
    pub made: bool,
}

/// A second factor as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorRow {
    /// Its secret, sealed.
    pub secret: Redacted<String>,
    /// Whether it counts.
    pub confirmed: bool,
    /// The step of the last code that was used.
    pub step: Option<u64>,
}

impl Work<'_> {
    /// Writes what belongs to log-ins.
    pub(super) async fn login(&mut self, change: &LoginChange) -> Result<(), StoreError> {
        match change {
            LoginChange::Nobody => self.nobody().await,
            LoginChange::FactorBegun { user, secret, at } => {
                let upsert = "INSERT INTO second_factors (name, secret, begun) VALUES ($1, $2, $3) \
                              ON CONFLICT (name) DO UPDATE SET secret = excluded.secret, begun = excluded.begun, \
                              step = NULL WHERE second_factors.confirmed IS NULL";
                let upsert = sqlx::query(upsert).bind(user.clone()).bind(secret.0.clone());
                self.or_conflict(upsert.bind(at.as_micros()), "second factor", user).await
            }
            LoginChange::FactorConfirmed { user, step, recovery, at } => {
                let update = "UPDATE second_factors SET confirmed = $2, step = $3 \
                              WHERE name = $1 AND confirmed IS NULL";
                let update = sqlx::query(update).bind(user.clone()).bind(at.as_micros()).bind(stored(*step));
                self.or_conflict(update, "second factor", user).await?;
                self.execute(sqlx::query("DELETE FROM recovery_codes WHERE name = $1").bind(user.clone()))
                    .await?;
                for hash in recovery {
                    let insert = sqlx::query("INSERT INTO recovery_codes (name, hash) VALUES ($1, $2)");
                    self.execute(insert.bind(user.clone()).bind(hash.clone())).await?;
                }
                Ok(())
            }
            LoginChange::FactorRemoved { user } => self.forget_factor(user).await,
            LoginChange::CodeUsed { user, step } => {
                let update = "UPDATE second_factors SET step = $2 WHERE name = $1 AND confirmed IS NOT NULL \
                              AND (step IS NULL OR step < $2)";
                let update = sqlx::query(update).bind(user.clone()).bind(stored(*step));
                self.or_conflict(update, "second factor", user).await
            }
            LoginChange::RecoveryUsed { user, hash, at } => {
                let update =
                    "UPDATE recovery_codes SET used = $3 WHERE name = $1 AND hash = $2 AND used IS NULL";
                let update = sqlx::query(update).bind(user.clone()).bind(hash.clone()).bind(at.as_micros());
                self.or_conflict(update, "recovery code", user).await
            }
            LoginChange::Bound(identity, at) => self.bind(identity, *at).await,
            LoginChange::TokenMade { token, hash } => self.make_token(token, hash).await,
            LoginChange::TokenUsed { id, at } => {
                let update = "UPDATE tokens SET used = $2 WHERE id = $1 AND (used IS NULL OR used < $2)";
                self.execute(sqlx::query(update).bind(id.clone()).bind(at.as_micros())).await
            }
            LoginChange::TokensRevoked { maker, by, at } => self.revoke_tokens_of(maker, by, *at).await,
            LoginChange::TokenRevoked { id, at } => {
                let update = "UPDATE tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL";
                let update = sqlx::query(update).bind(id.clone()).bind(at.as_micros());
                self.or_conflict(update, "token", id).await
            }
        }
    }

    /// What follows from a change of settings: a user's new password is kept in mind; a user or provider that is removed
    /// leaves nothing that another of the same name would find.
    pub(super) async fn log_ins_follow(
        &mut self,
        difference: &Difference,
        who: &Actor,
    ) -> Result<(), StoreError> {
        let name = &difference.name;
        match &difference.what {
            Changed::Added(Object::User(user)) => self.keep_password(name, user).await,
            Changed::Altered { old: Object::User(old), new: Object::User(new) }
                if old.password_hash != new.password_hash =>
            {
                // Whoever had the old one may have made tokens with it.
                if *who != Actor::User(name.clone()) {
                    self.revoke_tokens_of(name, who, self.now).await?;
                }
                self.keep_password(name, new).await
            }
            Changed::Removed(Object::User(_)) => {
                self.forget_factor(name).await?;
                for delete in [
                    "DELETE FROM passwords WHERE name = $1",
                    "DELETE FROM sessions WHERE name = $1",
                    "DELETE FROM login_failures WHERE name = $1",
                    "DELETE FROM log_ins WHERE name = $1",
                    "DELETE FROM identities WHERE name = $1",
                    "DELETE FROM made_users WHERE name = $1",
                ] {
                    self.execute(sqlx::query(delete).bind(name.clone())).await?;
                }
                self.revoke_tokens_of(name, who, self.now).await
            }
            // Another provider's subjects are other people.
            Changed::Altered { old: Object::Provider(old), new: Object::Provider(new) }
                if old.issuer != new.issuer =>
            {
                self.forget_people_of(name).await
            }
            Changed::Removed(Object::Provider(_)) => self.forget_people_of(name).await,
            Changed::Added(_) | Changed::Altered { .. } | Changed::Removed(_) => Ok(()),
        }
    }

    async fn revoke_tokens_of(&mut self, maker: &str, by: &Actor, at: Timestamp) -> Result<(), StoreError> {
        let revoke =
            "UPDATE tokens SET revoked = $2 WHERE maker = $1 AND revoked IS NULL RETURNING id, name, expires";
        let revoke = sqlx::query(revoke).bind(maker.to_owned()).bind(at.as_micros());
        let rows = revoke.fetch_all(&mut *self.connection).await.doing("revoking tokens")?;
        for row in &rows {
            let cells = Cells { table: "tokens", row };
            // One that has ended by itself is no news.
            if cells.time("expires")? > at {
                let what = Audited::new("token", cells.get::<String>("id")?);
                let event = AuditEvent::new(Class::Rights, by.clone(), at, "token.revoked", what);
                let old = format!("{} by {maker}", cells.get::<String>("name")?);
                self.audit(event.old(Some(Value::Plain(old))));
            }
        }
        Ok(())
    }

    /// When somebody logged in last.
    pub(super) async fn logged_in(&mut self, user: &str, at: Timestamp) -> Result<(), StoreError> {
        let upsert = "INSERT INTO log_ins (name, last) VALUES ($1, $2) \
                      ON CONFLICT (name) DO UPDATE SET last = excluded.last";
        self.execute(sqlx::query(upsert).bind(user.to_owned()).bind(at.as_micros())).await
    }

    /// Whom a provider knew here is not known any more, and its word is no longer good for a session.
    async fn forget_people_of(&mut self, provider: &str) -> Result<(), StoreError> {
        for delete in
            ["DELETE FROM identities WHERE provider = $1", "DELETE FROM sessions WHERE provider = $1"]
        {
            self.execute(sqlx::query(delete).bind(provider.to_owned())).await?;
        }
        Ok(())
    }

    async fn nobody(&mut self) -> Result<(), StoreError> {
        // The lock that every change of settings takes: nobody adds a user while we look.
        self.count_generation().await?;
        let user = sqlx::query("SELECT 1 FROM settings WHERE kind = 'user' LIMIT 1");
        match user.fetch_optional(&mut *self.connection).await.doing("looking for users")? {
            Some(_) => Err(StoreError::Conflict { object: "the list of users".to_owned() }),
            None => Ok(()),
        }
    }

    async fn keep_password(&mut self, name: &str, user: &User) -> Result<(), StoreError> {
        let insert = sqlx::query("INSERT INTO passwords (name, at, hash) VALUES ($1, $2, $3)");
        let insert =
            insert.bind(name.to_owned()).bind(self.now.as_micros()).bind(user.password_hash.0.clone());
        self.execute(insert).await?;
        let old = "DELETE FROM passwords WHERE name = $1 AND n NOT IN \
                   (SELECT n FROM passwords WHERE name = $1 ORDER BY at DESC, n DESC LIMIT $2)";
        self.execute(sqlx::query(old).bind(name.to_owned()).bind(PASSWORDS)).await
    }

    async fn forget_factor(&mut self, name: &str) -> Result<(), StoreError> {
        for delete in
            ["DELETE FROM second_factors WHERE name = $1", "DELETE FROM recovery_codes WHERE name = $1"]
        {
            self.execute(sqlx::query(delete).bind(name.to_owned())).await?;
        }
        Ok(())
    }

    async fn bind(&mut self, identity: &Identity, at: Timestamp) -> Result<(), StoreError> {
        let Identity { provider, subject, user, made } = identity;
        let insert = "INSERT INTO identities (provider, subject, name, made, at) VALUES ($1, $2, $3, $4, $5) \
                      ON CONFLICT DO NOTHING";
        let insert = sqlx::query(insert)
            .bind(provider.clone())
            .bind(subject.0.clone())
            .bind(user.clone())
            .bind(i64::from(*made))
            .bind(at.as_micros());
        self.or_conflict(insert, "identity", user).await?;
        if !*made {
            return Ok(());
        }
        let insert =
            "INSERT INTO made_users (name, provider, at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
        let insert = sqlx::query(insert).bind(user.clone()).bind(provider.clone()).bind(at.as_micros());
        self.execute(insert).await
    }

    pub(super) async fn execute(&mut self, statement: Statement) -> Result<(), StoreError> {
        statement.execute(&mut *self.connection).await.map(drop).doing("storing what belongs to log-ins")
    }

    /// A statement that has to touch a row: another was faster otherwise.
    async fn or_conflict(
        &mut self,
        statement: Statement,
        what: &'static str,
        of: &str,
    ) -> Result<(), StoreError> {
        let done = statement.execute(&mut *self.connection).await.doing("storing what belongs to log-ins")?;
        match done.rows_affected() {
            0 => Err(StoreError::Conflict { object: format!("{what} {of}") }),
            _ => Ok(()),
        }
    }
}

impl Store {
    /// What holds for the whole system; the defaults, if nothing was set.
    ///
    /// # Errors
    /// When the database refuses, or the document cannot be read.
    pub async fn system(&self) -> Result<System, StoreError> {
        let select =
            sqlx::query("SELECT body FROM settings WHERE kind = 'system' AND name = $1").bind(SYSTEM);
        let row = select.fetch_optional(&self.read).await.doing("reading what holds for the system")?;
        let system = row.map(|row| Cells { table: "settings", row: &row }.json("body")).transpose()?;
        Ok(system.flatten().unwrap_or_default())
    }

    /// The last passwords of a user, by their hashes; the latest first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn earlier_passwords(&self, user: &str, most: u8) -> Result<Vec<Redacted<String>>, StoreError> {
        let select = "SELECT hash FROM passwords WHERE name = $1 ORDER BY at DESC, n DESC LIMIT $2";
        let rows =
            sqlx::query(select).bind(user.to_owned()).bind(i64::from(most)).fetch_all(&self.read).await;
        let rows = rows.doing("reading earlier passwords")?;
        rows.iter().map(|row| Cells { table: "passwords", row }.get("hash").map(Redacted)).collect()
    }

    /// A user's second factor, if one was begun.
    ///
    /// # Errors
    /// When the database refuses, or the row cannot be read.
    pub async fn second_factor(&self, user: &str) -> Result<Option<FactorRow>, StoreError> {
        let select = "SELECT secret, confirmed, step FROM second_factors WHERE name = $1";
        let row = sqlx::query(select).bind(user.to_owned()).fetch_optional(&self.read).await;
        let Some(row) = row.doing("reading a second factor")? else { return Ok(None) };
        let cells = Cells { table: "second_factors", row: &row };
        let confirmed = cells.maybe_time("confirmed")?.is_some();
        Ok(Some(FactorRow { secret: Redacted(cells.get("secret")?), confirmed, step: cells.number("step")? }))
    }

    /// When a user logged in last.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn last_log_in(&self, user: &str) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("SELECT last FROM log_ins WHERE name = $1").bind(user.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("reading the last log-in")?;
        row.map(|row| Cells { table: "log_ins", row: &row }.time("last")).transpose()
    }

    /// The OpenID Connect providers, by name.
    ///
    /// # Errors
    /// When the database refuses, or a document cannot be read.
    pub async fn providers(&self) -> Result<Vec<(String, Provider)>, StoreError> {
        let rows = sqlx::query("SELECT name, body FROM settings WHERE kind = 'provider' ORDER BY name");
        let rows = rows.fetch_all(&self.read).await.doing("reading providers")?;
        rows.iter().map(read_provider).collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// When the database refuses, or the document cannot be read.
    pub async fn provider(&self, name: &str) -> Result<Option<Provider>, StoreError> {
        let select = "SELECT name, body FROM settings WHERE kind = 'provider' AND name = $1";
        let row = sqlx::query(select).bind(name.to_owned()).fetch_optional(&self.read).await;
        let row = row.doing("reading a provider")?;
        Ok(row.as_ref().map(read_provider).transpose()?.map(|(_, provider)| provider))
    }

    /// Who somebody of a provider is here.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn identity(&self, provider: &str, subject: &str) -> Result<Option<Identity>, StoreError> {
        let select = "SELECT name, made FROM identities WHERE provider = $1 AND subject = $2";
        let row = sqlx::query(select).bind(provider.to_owned()).bind(subject.to_owned());
        let row = row.fetch_optional(&self.read).await.doing("reading who somebody is")?;
        let Some(row) = row else { return Ok(None) };
        let cells = Cells { table: "identities", row: &row };
        Ok(Some(Identity {
            provider: provider.to_owned(),
            subject: Redacted(subject.to_owned()),
            user: cells.get("name")?,
            made: cells.get::<i64>("made")? != 0,
        }))
    }
}

impl Store {
    /// The users whom a provider made and who are still there, each with the provider's name: nobody knows their
    /// passwords, unless one was set since.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn made_users(&self) -> Result<BTreeMap<String, String>, StoreError> {
        let rows = sqlx::query("SELECT name, provider FROM made_users").fetch_all(&self.read).await;
        let rows = rows.doing("reading whom providers made")?;
        let read = |row| {
            let cells = Cells { table: "made_users", row };
            Ok((cells.get("name")?, cells.get("provider")?))
        };
        rows.iter().map(read).collect()
    }

    /// Whether a provider made this user, be the provider's word still known or not.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn was_made(&self, user: &str) -> Result<bool, StoreError> {
        let select = sqlx::query("SELECT 1 FROM made_users WHERE name = $1").bind(user.to_owned());
        let row = select.fetch_optional(&self.read).await;
        row.map(|row| row.is_some()).doing("looking for whom providers made")
    }
}

fn read_provider(row: &AnyRow) -> Result<(String, Provider), StoreError> {
    let cells = Cells { table: "settings", row };
    Ok((cells.get("name")?, cells.json("body")?.ok_or(cells.corrupt("body"))?))
}

/// Steps are seconds by thirty: they fit for longer than there will be this.
fn stored(step: u64) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

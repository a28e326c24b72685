//! `sayso users`: who can log in, and what helps who cannot; the first user of all.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Subcommand;
use serde::Serialize;

use crate::access::{Attempts, RECOVERY_BYTES, recovery_code};
use crate::audit::{Actor, AuditEvent, Class, Object as Audited, Value};
use crate::config::Config;
use crate::ids::Redacted;
use crate::settings::{Changed, Difference, Kind, Object, Role, User, hash_password};
use crate::store::{Change, LoginChange, SessionChange, Store, StoreError};
use crate::time::{Clock, Timestamp};

use super::apply::{account, seed};
use super::listing::{list, short};
use super::{AtConfig, Form, open_store, out};

/// Look at users, or help one in.
#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// List who can log in.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
    },
    /// Forget a user's failed log-ins.
    Unlock {
        /// The user's name.
        name: String,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Give a user a password for one log-in, and print it; the sessions end.
    ResetPassword {
        /// The user's name.
        name: String,
        #[command(flatten)]
        at: AtConfig,
    },
}

/// A user in the list.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Listed {
    name: String,
    role: String,
    agent: Option<String>,
    must_change_password: bool,
    second_factor: bool,
    locked_until: Option<String>,
    last_log_in: Option<String>,
}

impl UsersCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let now = Clock::start().now();
        match self {
            Self::List { at, form } => {
                let mut rows = listed(&at.store().await?, now).await?;
                rows.truncate(usize::try_from(form.limit).unwrap_or(usize::MAX));
                let head =
                    ["USER", "ROLE", "AGENT", "PASSWORD", "SECOND FACTOR", "LOCKED UNTIL", "LAST LOG-IN"];
                list(&form, &head, &rows, cells)?;
            }
            Self::Unlock { name, at } => {
                let failures = unlock(&at.store().await?, &name, now).await?;
                out(format_args!("{name}: {failures} failed log-ins are forgotten\n"));
            }
            Self::ResetPassword { name, at } => {
                let password = reset_password(&at.store().await?, &name).await?;
                out(format_args!("{}\n", password.0));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Where there is no user at all, makes `admin`, a superuser, and prints its password once on standard error: not by
/// the log, which is kept. Of several nodes that start together one makes it.
///
/// # Errors
/// When the database cannot be opened, or refuses.
pub(super) async fn first(config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let made = make_first(&store).await;
    store.close().await;
    if let Some(password) = made? {
        eprintln!(
            "sayso: there was no user, so {FIRST} was made, a superuser. Its password is shown this once and has to be \
             changed at the first log-in (lost? `sayso users reset-password {FIRST}`):\n\n    {}\n",
            password.0
        );
    }
    Ok(())
}

/// The name of the first user.
const FIRST: &str = "admin";

async fn make_first(store: &Store) -> anyhow::Result<Option<Redacted<String>>> {
    if store.has_users().await? {
        return Ok(None);
    }
    let password = one_time()?;
    let user = User {
        display_name: Redacted("Administrator".to_owned()),
        password_hash: hash_password(FIRST, &password.0, &seed()?),
        applied_hash: None,
        must_change_password: true,
        role: Role::Superuser,
        custom_role: None,
        grants: Vec::new(),
        only_queues: None,
        agent: None,
        language: None,
    };
    let what = Changed::Added(Object::User(Arc::new(user)));
    let added = Difference { kind: Kind::User, name: FIRST.to_owned(), what };
    let changes = vec![Change::Login(LoginChange::Nobody), Change::Settings(vec![added], Actor::System)];
    match store.commit(changes).await {
        Ok(()) => Ok(Some(password)),
        // Another node, or `sayso apply`, was faster.
        Err(StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn listed(store: &Store, now: Timestamp) -> anyhow::Result<Vec<Listed>> {
    let (_, settings) = store.settings().await?;
    let rules = store.system().await?.passwords;
    let mut rows = Vec::new();
    for (name, user) in &settings.users {
        let locked = store.attempts(name).await?.locked(&rules, now);
        rows.push(Listed {
            name: name.clone(),
            role: user.custom_role.clone().unwrap_or_else(|| user.role.word().to_owned()),
            agent: user.agent.as_ref().map(|agent| agent.0.clone()),
            must_change_password: user.must_change_password,
            second_factor: store.second_factor(name).await?.is_some_and(|factor| factor.confirmed),
            locked_until: locked.map(short),
            last_log_in: store.last_log_in(name).await?.map(short),
        });
    }
    Ok(rows)
}

fn cells(row: &Listed) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    vec![
        row.name.clone(),
        row.role.clone(),
        text(&row.agent),
        if row.must_change_password { "to be changed" } else { "" }.to_owned(),
        if row.second_factor { "yes" } else { "" }.to_owned(),
        text(&row.locked_until),
        row.last_log_in.clone().unwrap_or_else(|| "never".to_owned()),
    ]
}

async fn unlock(store: &Store, name: &str, now: Timestamp) -> anyhow::Result<u32> {
    user(store, name).await?;
    let failures = store.attempts(name).await?.failures;
    if failures > 0 {
        let forgotten = Change::Attempts { user: name.to_owned(), attempts: Attempts::default() };
        let what = Audited::new("user", name).attribute("failures");
        let event = AuditEvent::new(Class::Rights, account(), now, "user.unlocked", what);
        let event = event.old(Some(Value::plain(failures))).new_value(Some(Value::plain(0)));
        store.commit(vec![forgotten, Change::Audit(event)]).await?;
    }
    Ok(failures)
}

async fn reset_password(store: &Store, name: &str) -> anyhow::Result<Redacted<String>> {
    let stored = user(store, name).await?;
    let password = one_time()?;
    // As a password of one's own it outlasts a file that is applied again.
    let changed =
        User { must_change_password: true, ..stored.with_own_password(name, &password.0, &seed()?) };
    let what = Changed::Altered { old: Object::User(Arc::new(stored)), new: Object::User(Arc::new(changed)) };
    let difference = Difference { kind: Kind::User, name: name.to_owned(), what };
    let changes = vec![
        Change::Settings(vec![difference], account()),
        Change::Session(SessionChange::AllEnded { user: name.to_owned() }),
        Change::Attempts { user: name.to_owned(), attempts: Attempts::default() },
    ];
    store.commit(changes).await?;
    Ok(password)
}

async fn user(store: &Store, name: &str) -> anyhow::Result<User> {
    store.user(name).await?.ok_or_else(|| anyhow!("there is no user {name}: see `sayso users list`"))
}

/// A password that is typed once: 80 random bits.
fn one_time() -> anyhow::Result<Redacted<String>> {
    let mut bytes = [0; RECOVERY_BYTES];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(Redacted(recovery_code(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::leaves_no_superuser;
    use crate::settings::{PasswordRules, verify_password};
    use crate::store::AuditFilter;

    async fn store() -> (Store, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sayso.db").display().to_string();
        (Store::open(&path, Clock::start()).await.unwrap(), dir)
    }

    #[tokio::test]
    async fn the_first_superuser_is_made_once_however_many_start() {
        let (one, dir) = store().await;
        let path = dir.path().join("sayso.db").display().to_string();
        let two = Store::open(&path, Clock::start()).await.unwrap();
        let (first, second) = tokio::join!(make_first(&one), make_first(&two));
        let made: Vec<_> = [first.unwrap(), second.unwrap()].into_iter().flatten().collect();
        let [password] = &made[..] else { panic!("{} were told a password", made.len()) };
        let (_, settings) = one.settings().await.unwrap();
        assert!(settings.users.len() == 1 && !leaves_no_superuser(&settings));
        let admin = &settings.users["admin"];
        assert!(admin.must_change_password && verify_password(&admin.password_hash, &password.0));
        assert_eq!(make_first(&one).await.unwrap(), None);
        let filter = AuditFilter { action: Some("user.added".into()), ..AuditFilter::default() };
        let rows = one.audit(&filter).await.unwrap();
        assert!(rows.iter().all(|row| row.class == Class::Rights && row.who == Actor::System));
        assert!(!format!("{rows:?}").contains(&password.0), "nowhere but where it was printed");
    }

    #[tokio::test]
    async fn a_user_is_unlocked_and_helped_in() {
        let (store, _dir) = store().await;
        let first = make_first(&store).await.unwrap().unwrap();
        let (now, rules) = (Clock::start().now(), PasswordRules::default());
        let mut attempts = Attempts::default();
        for _ in 0..rules.lock_after {
            attempts = attempts.failed(&rules, now);
        }
        let locked = || Change::Attempts { user: "admin".into(), attempts };
        store.commit(vec![locked()]).await.unwrap();
        assert!(listed(&store, now).await.unwrap()[0].locked_until.is_some());
        assert_eq!(unlock(&store, "admin", now).await.unwrap(), 5);
        assert_eq!(listed(&store, now).await.unwrap()[0].locked_until, None);
        assert_eq!(unlock(&store, "admin", now).await.unwrap(), 0);
        store.commit(vec![locked()]).await.unwrap();
        let password = reset_password(&store, "admin").await.unwrap();
        let admin = store.user("admin").await.unwrap().unwrap();
        assert!(verify_password(&admin.password_hash, &password.0) && admin.must_change_password);
        assert!(!verify_password(&admin.password_hash, &first.0));
        assert_eq!(store.attempts("admin").await.unwrap(), Attempts::default());
        let earlier = store.earlier_passwords("admin", 5).await.unwrap();
        assert_eq!(earlier.len(), 2, "both are kept in mind");
        for wrong in ["nobody", ""] {
            assert!(unlock(&store, wrong, now).await.is_err());
            assert!(reset_password(&store, wrong).await.is_err());
        }
        let action = |action: &str| AuditFilter { action: Some(action.into()), ..AuditFilter::default() };
        assert_eq!(store.audit(&action("user.unlocked")).await.unwrap().len(), 1);
        let changed = store.audit(&action("user.changed")).await.unwrap();
        assert!(changed.iter().any(|row| row.what.to_string() == "user admin.password"), "{changed:?}");
    }
}

//! Who gives or asks for a second person's word at the command line: a user of Sayso with the right `dpo`, proven by the
//! password. The account that runs the command proves nothing: one person may be one there and another in the pages.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};

use crate::access::{Attempts, LONGEST_PASSWORD, Right, Session};
use crate::audit::{AuditEvent, Class, Object, Value};
use crate::ids::Redacted;
use crate::settings::verify_password;
use crate::store::{Change, Store};
use crate::time::Timestamp;

use super::apply::account;

/// Makes sure that `name` is a user who may decide about people's data of all queues, and whose password is `password`.
/// A wrong one is counted and audited as at the log-in.
///
/// # Errors
/// When it is not; what is said does not tell a wrong name from a wrong password.
pub(super) async fn prove(
    store: &Store,
    name: &str,
    password: Redacted<String>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let system = store.system().await?;
    let Some(user) = store.user(name).await? else { bail!(NOT_PROVEN) };
    let attempts = store.attempts(name).await?;
    if let Some(until) = attempts.locked(&system.passwords, now) {
        bail!("too many log-ins of {name} failed: try again after {}", until.to_rfc3339());
    }
    let hash = user.password_hash.clone();
    let fits = password.0.len() <= LONGEST_PASSWORD;
    let right = tokio::task::spawn_blocking(move || fits && verify_password(&hash, &password.0)).await?;
    if !right {
        let event =
            AuditEvent::new(Class::Failure, account(), now, "user.login-failed", Object::new("user", name));
        let event = event.new_value(Some(Value::plain("wrong password")));
        let attempts = attempts.failed(&system.passwords, now);
        store
            .commit(vec![Change::Audit(event), Change::Attempts { user: name.to_owned(), attempts }])
            .await?;
        bail!(NOT_PROVEN);
    }
    if attempts != Attempts::default() {
        let forgotten = Change::Attempts { user: name.to_owned(), attempts: Attempts::default() };
        store.commit(vec![forgotten]).await?;
    }
    let standing = store.standing(name, &user, true).await?;
    ensure!(
        !standing.second_factor,
        "{name} has a second factor, which is asked at the log-in alone: do it in the pages"
    );
    ensure!(
        standing.owes(&system, Session::begun(now)).is_none(),
        "{name} has to change the password, or to add a second factor, first: log in to the pages"
    );
    let held = store.held(&user).await?;
    ensure!(held.has(Right::Dpo), "{name} does not hold the right dpo");
    ensure!(held.queues().is_none(), "the rights of {name} hold for some queues, and this is for all");
    Ok(())
}

const NOT_PROVEN: &str = "user name and password do not fit";

/// Asks for a password: on a terminal without showing it, else a line of standard input.
///
/// # Errors
/// When there is none, or the terminal cannot be kept from showing it.
pub(super) fn ask_password(name: &str) -> anyhow::Result<Redacted<String>> {
    let terminal = io::stdin().is_terminal();
    if terminal {
        eprint!("password of {name}: ");
        echo(false)?;
    }
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    if terminal {
        echo(true)?;
        eprintln!();
    }
    read.context("reading the password")?;
    let line = line.trim_end_matches(['\r', '\n']);
    ensure!(!line.is_empty(), "the password of {name} is asked on the terminal, or read from standard input");
    Ok(Redacted(line.to_owned()))
}

/// Whether the terminal shows what is typed: stty(1).
fn echo(on: bool) -> anyhow::Result<()> {
    let done = Command::new("stty").arg(if on { "echo" } else { "-echo" }).status();
    let done = done.context("stty, which keeps the password from being shown")?;
    ensure!(done.success(), "the terminal cannot be kept from showing the password: pipe it in");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, DiffOptions};
    use crate::store::AuditFilter;
    use crate::time::Clock;

    const PEOPLE: &str = r#"
[user.dora]
password = "correct horse"
must-change = false
role = "reporting"
grants = ["dpo"]
[user.cora]
password = "correct horse"
must-change = false
role = "supervisor"
[user.nora]
password = "correct horse"
role = "reporting"
grants = ["dpo"]
[user.lora]
password = "correct horse"
must-change = false
role = "reporting"
grants = ["dpo"]
only-queues = ["support"]
[queue.support]
"#;

    #[tokio::test]
    async fn only_who_has_the_right_and_the_password_is_taken_at_the_word() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let store = Store::open(dir.path().join("a.db").to_str().unwrap(), clock).await.unwrap();
        let file = settings::parse(PEOPLE, "people.toml", "sayso.test").unwrap();
        let options = DiffOptions { prune: false, seed: [7; 32] };
        let differences = settings::diff(&store.settings().await.unwrap().1, &file, &options).unwrap();
        store.commit(vec![Change::Settings(differences, account())]).await.unwrap();
        let try_it = async |name: &str, password: &str| {
            prove(&store, name, Redacted(password.to_owned()), clock.now())
                .await
                .map_err(|error| error.to_string())
        };
        assert_eq!(try_it("dora", "correct horse").await, Ok(()));
        assert_eq!(try_it("nobody", "correct horse").await, Err(NOT_PROVEN.to_owned()));
        let refused = try_it("cora", "correct horse").await.unwrap_err();
        assert!(refused.contains("does not hold the right"), "a supervisor is none: {refused}");
        let refused = try_it("nora", "correct horse").await.unwrap_err();
        assert!(refused.contains("has to change the password"), "{refused}");
        let refused = try_it("lora", "correct horse").await.unwrap_err();
        assert!(refused.contains("for some queues"), "{refused}");
        for _ in 0..settings::System::default().passwords.lock_after {
            assert_eq!(try_it("dora", "battery staple").await, Err(NOT_PROVEN.to_owned()));
        }
        let locked = try_it("dora", "correct horse").await.unwrap_err();
        assert!(locked.contains("too many log-ins"), "guessing is no way in: {locked}");
        let failed =
            AuditFilter { action: Some("user.login-failed".into()), limit: 100, ..AuditFilter::default() };
        assert!(!store.audit(&failed).await.unwrap().is_empty());
    }
}

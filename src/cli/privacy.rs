//! `sayso privacy`, `sayso directory`: people's data from the command line. What is asked here is done by a running server,
//! beside whose spool the files are made; whoever runs it is named in the audit log as the account, but where two persons
//! are asked for: those are users who prove it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use tokio::time::{MissedTickBehavior, interval};
use ulid::Ulid;

use crate::api::{LONGEST_REASON, written};
use crate::audit::Actor;
use crate::ids::{CallId, EntryId, Redacted, TaskId};
use crate::privacy::{Person, Search, read_directory};
use crate::server::archive;
use crate::store::{
    Change, Found, NewTask, Place, PrivacyChange, Sight, Store, TaskKind, TaskRow, TaskState,
};
use crate::time::{Clock, Timestamp};
use crate::vault::{Chest, Draft, KeySource, Keyring, Vault, WrappedKey};

use super::apply::account;
use super::listing::{list, short};
use super::proven::{ask_password, prove};
use super::{AtConfig, Form, out, progress};

/// How often it is looked how far a task is.
const LOOK: Duration = Duration::from_millis(250);

/// Find what there is of a person, report, erase, restrict or move it.
#[derive(Debug, Subcommand)]
pub(super) enum PrivacyCommand {
    /// Find calls, consents, recordings and entries of the directory; audited.
    Search {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Write all that is found of a person to a CSV file, or the recordings to a zip.
    Report {
        #[command(flatten)]
        whom: Whom,
        /// The file to write.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// The recordings with their manifests, instead of the report.
        #[arg(long)]
        zip: bool,
        /// Why, for the audit log: name no person.
        #[arg(long, value_parser = reason)]
        reason: String,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Erase all that is found of a person, with its recordings. Another user approves it first where the settings say so.
    Erase {
        #[command(flatten)]
        whom: Whom,
        /// The user with the right `dpo` who asks; needed where another has to approve. The password is asked, or read
        /// from standard input.
        #[arg(long = "as", value_name = "USER")]
        user: Option<String>,
        /// The person's consents, too.
        #[arg(long)]
        consents: bool,
        /// Put it into the separate store first, and read it back.
        #[arg(long)]
        r#move: bool,
        /// Why, for the audit log: name no person.
        #[arg(long, value_parser = reason)]
        reason: String,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Approve what another asked for.
    Approve {
        /// The task.
        id: TaskId,
        /// The user with the right `dpo` who approves; the password is asked, or read from standard input.
        #[arg(long = "as", value_name = "USER")]
        user: String,
        #[command(flatten)]
        at: AtConfig,
    },
    /// List what was asked, the latest first.
    Tasks {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
    },
    /// Write what a file of the separate store holds, a zip, to a file in the clear. Needs no server and no database.
    OpenArchive {
        /// The sealed file.
        file: PathBuf,
        /// The separate store's key file.
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
        /// The zip to write.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

/// Keep lists of people.
#[derive(Debug, Subcommand)]
pub(super) enum DirectoryCommand {
    /// Add or change people on lists, from a CSV with the columns list, name, number, email, note (exit code 1: some lines
    /// were not taken).
    Import {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        at: AtConfig,
    },
}

/// Whom to look for.
#[derive(Debug, clap::Args)]
pub(super) struct Whom {
    /// The last digits of a number, 3 or more.
    #[arg(long)]
    number: Option<String>,
    /// A whole e-mail address.
    #[arg(long)]
    email: Option<String>,
    /// Beginnings of words of a name.
    #[arg(long)]
    name: Option<String>,
}

fn reason(text: &str) -> Result<String, String> {
    let told = written(text, LONGEST_REASON).map(str::to_owned);
    told.ok_or_else(|| {
        format!("a reason has 1 to {LONGEST_REASON} characters, and none that only steers a terminal")
    })
}

impl PrivacyCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Search { whom, at } => {
                let found = find(&at.store().await?, &whom).await?;
                tell(&found);
            }
            Self::Report { whom, to, zip, reason, at } => {
                let kind = if zip { TaskKind::Zip } else { TaskKind::Report };
                let store = at.store().await?;
                let asked = ask(&at, &store, &whom, (kind, true, reason), None).await?;
                let done = wait(&store, asked).await?;
                fetch(&at, &store, &done, &to).await?;
                out(format_args!("{}: {}\n", to.display(), done.what.unwrap_or_default()));
            }
            Self::Erase { whom, user, consents, r#move, reason, at } => {
                let kind = if r#move { TaskKind::Move } else { TaskKind::Erase };
                let store = at.store().await?;
                if let Some(user) = &user {
                    prove(&store, user, ask_password(user)?, Clock::start().now()).await?;
                }
                let asked = ask(&at, &store, &whom, (kind, consents, reason), user).await?;
                let task = store.privacy_task(asked).await?.context("the task is gone")?;
                if task.state == TaskState::WaitingForApproval {
                    out(format_args!("{asked}: waits until another user approves it\n"));
                    return Ok(ExitCode::SUCCESS);
                }
                let done = wait(&store, asked).await?;
                out(format_args!("{asked}: {}\n", done.what.unwrap_or_default()));
                if let Some(text) = store.privacy_certificate(asked).await? {
                    out(format_args!("{text}"));
                }
            }
            Self::Approve { id, user, at } => {
                let store = at.store().await?;
                let now = Clock::start().now();
                prove(&store, &user, ask_password(&user)?, now).await?;
                let approved = PrivacyChange::Approved { id, by: user, at: now };
                store.commit(vec![Change::Privacy(approved)]).await.context("who asked cannot approve")?;
                out(format_args!("{id}: approved; a running server does it\n"));
            }
            Self::Tasks { at, form } => {
                let page =
                    at.store().await?.privacy_tasks(&Place::first(form.limit), &Sight::whole()).await?;
                let rows: Vec<Shown> = page.items.into_iter().map(Shown::from).collect();
                let head = ["TASK", "ASKED", "BY", "KIND", "STATE", "CALLS", "RECORDINGS", "WHAT"];
                list(&form, &head, &rows, Shown::cells)?;
            }
            Self::OpenArchive { file, key_file, to } => open_archive(&file, key_file, &to).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Who asks, as a task names it: a user who was proven, or the account that runs this, with its number, so that nobody
/// takes it for a user.
///
/// # Errors
/// When another has to approve and nobody was proven: one person could be both.
fn asker(proven: Option<String>, approval: bool) -> anyhow::Result<String> {
    match proven {
        Some(user) => Ok(user),
        None if approval => bail!(
            "another user has to approve this, so it has to be known who asks: add `--as USER`, a user with the right dpo"
        ),
        None => Ok(account().name().unwrap_or_default().to_owned()),
    }
}

async fn find(store: &Store, whom: &Whom) -> anyhow::Result<Found> {
    let Whom { number, email, name } = whom;
    let person = Person::parse(number.as_deref(), email.as_deref(), name.as_deref())?;
    let words = [number, email, name].into_iter().flatten().cloned().collect::<Vec<_>>().join(", ");
    let (id, words, by, at) =
        (Ulid::generate().to_string(), Redacted(words), account(), Clock::start().now());
    let searched = PrivacyChange::Searched { search: id.clone(), words, by, at };
    store.commit(vec![Change::Privacy(searched)]).await?;
    let found = store.find_person(&Search { person, since: None, until: None }).await?;
    let found_them = PrivacyChange::SearchFound { search: id, whom: found.whom() };
    store.commit(vec![Change::Privacy(found_them)]).await?;
    Ok(found)
}

fn tell(found: &Found) {
    for call in &found.calls {
        let number = call.call.from.as_ref().map_or("withheld", |number| number.0.as_str());
        let state = if call.restricted { " (restricted)" } else { "" };
        out(format_args!("call      {}  {}  {number}{state}\n", call.call.id, short(call.call.arrived_at)));
    }
    for recording in &found.recordings {
        out(format_args!("recording {}  {}  {}\n", recording.id, short(recording.at), recording.state));
    }
    for consent in &found.consents {
        out(format_args!("consent   {}  {}  {}\n", consent.call, short(consent.at), consent.answer));
    }
    for entry in &found.entries {
        out(format_args!("entry     {}  {}  {}\n", entry.id, entry.list, entry.name.0));
    }
    if found.too_many {
        out(format_args!("… and more: narrow the search\n"));
    }
}

/// Asks for what was found; refuses where there is more than is shown.
async fn ask(
    at: &AtConfig,
    store: &Store,
    whom: &Whom,
    (kind, consents, reason): (TaskKind, bool, String),
    proven: Option<String>,
) -> anyhow::Result<TaskId> {
    let settings = store.settings().await?.1;
    let approval = kind.erases() && settings.system.unwrap_or_default().privacy.second_approver;
    // Before anything is looked for.
    let by = asker(proven, approval)?;
    let found = find(store, whom).await?;
    anyhow::ensure!(!found.too_many, "there is more than can be done at once: narrow the search");
    let calls: Vec<CallId> = found.calls.iter().map(|found| found.call.id).collect();
    let entries: Vec<EntryId> = found.entries.iter().map(|entry| entry.id).collect();
    anyhow::ensure!(!calls.is_empty() || !entries.is_empty(), "nothing was found");
    let spool = Vault::spool_of(&at.load()?.vault_dir())?;
    let spool = spool.context("there is no spool yet: `sayso serve` makes it at its first start")?;
    let counts = store.privacy_counts(&calls, &entries, consents).await?;
    let (id, now) = (TaskId::new(Ulid::generate()), Clock::start().now());
    let reason = Redacted(reason);
    let task = NewTask {
        id,
        kind,
        by,
        at: now,
        reason,
        calls,
        entries,
        consents,
        whose: None,
        approval,
        spool,
        counts,
    };
    store.commit(vec![Change::Privacy(PrivacyChange::Asked(Box::new(task)))]).await?;
    Ok(id)
}

/// Waits until it is over, with how far it is.
async fn wait(store: &Store, id: TaskId) -> anyhow::Result<TaskRow> {
    let bar = progress("a running server does it");
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let task = store.privacy_task(id).await?.with_context(|| format!("no task {id}"))?;
        bar.set_length(task.progress.total);
        bar.set_position(task.progress.done);
        match task.state {
            TaskState::Waiting | TaskState::Running | TaskState::WaitingForApproval => {}
            TaskState::Done => {
                bar.finish_and_clear();
                return Ok(task);
            }
            TaskState::Failed | TaskState::Refused => {
                bar.finish_and_clear();
                bail!("task {id} is {}: {}", task.state, task.what.unwrap_or_default());
            }
        }
    }
}

/// Writes what was made to a file in the clear.
async fn fetch(at: &AtConfig, store: &Store, task: &TaskRow, to: &Path) -> anyhow::Result<()> {
    let file = task.file.clone().context("nothing was made")?;
    let config = at.load()?;
    let vault = archive::vault(&config, store, account(), Clock::start()).await?;
    anyhow::ensure!(
        file.spool == vault.spool_id(),
        "it lies beside the spool {} of another node",
        file.spool
    );
    let (id, by) = (task.id, account());
    store
        .commit(vec![Change::Privacy(PrivacyChange::Downloaded { id, by, at: Clock::start().now() })])
        .await?;
    let chest = vault.open_chest(id, &WrappedKey(file.wrapped_key.0))?;
    pour(chest, to, file.bytes).with_context(|| to.display().to_string())
}

/// Whole or not at all, mode 0600.
fn pour(mut chest: Chest, to: &Path, bytes: u64) -> anyhow::Result<()> {
    let bar = progress("writing");
    bar.set_length(bytes);
    let draft = Draft::open(to, ".part")?;
    let mut file = draft.file()?;
    file.set_len(0)?;
    while let Some(chunk) = chest.chunk()? {
        file.write_all(chunk)?;
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    Ok(draft.finish(to)?)
}

async fn open_archive(file: &Path, key_file: PathBuf, to: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(key_file.exists(), "there is no {}", key_file.display());
    let (keys, _) = Keyring::open(KeySource { file: key_file, kms: None }, &[], false).await?;
    let length = File::open(file).and_then(|file| file.metadata()).map(|about| about.len());
    let length = length.with_context(|| file.display().to_string())?;
    let (id, chest) = Chest::open_archived(file, &keys)?;
    pour(chest, to, length)?;
    out(format_args!("{}: what task {id} moved\n", to.display()));
    Ok(())
}

/// A task as it is listed.
#[derive(serde::Serialize)]
struct Shown {
    id: TaskId,
    at: String,
    by: String,
    kind: TaskKind,
    state: TaskState,
    calls: u64,
    recordings: u64,
    what: Option<String>,
    #[serde(skip)]
    asked: Timestamp,
}

impl From<TaskRow> for Shown {
    fn from(row: TaskRow) -> Self {
        Self {
            id: row.id,
            at: row.at.to_rfc3339(),
            by: row.by,
            kind: row.kind,
            state: row.state,
            calls: row.counts.calls,
            recordings: row.counts.recordings,
            what: row.what,
            asked: row.at,
        }
    }
}

impl Shown {
    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            short(self.asked),
            self.by.clone(),
            self.kind.to_string(),
            self.state.to_string(),
            self.calls.to_string(),
            self.recordings.to_string(),
            self.what.clone().unwrap_or_default(),
        ]
    }
}

impl DirectoryCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let Self::Import { file, at } = self;
        let shown = file.display().to_string();
        let text = std::fs::read(&file).with_context(|| shown.clone())?;
        let (mut lines, mut wrong) = (Vec::new(), Vec::new());
        let told = |line: u64, what: &str| format!("{shown}:{line}: {what}");
        let read = read_directory(&text).map_err(|bad| anyhow::anyhow!(told(bad.line, &bad.what)))?;
        for line in read {
            match line {
                Ok(line) => lines.push(line),
                Err(bad) => wrong.push(told(bad.line, &bad.what)),
            }
        }
        let bar = progress("importing");
        bar.set_length(lines.len() as u64);
        let (store, by): (Store, Actor) = (at.store().await?, account());
        let done = store.import_entries(lines, &by, Clock::start().now(), |n| bar.inc(n)).await?;
        bar.finish_and_clear();
        let torn = "number and e-mail address belong to two different entries of the list";
        wrong.extend(done.torn.iter().map(|line| told(*line, torn)));
        let mut errors = io::stderr().lock();
        for line in &wrong {
            writeln!(errors, "{line}")?;
        }
        out(format_args!(
            "{} added, {} changed, {} lines not taken\n",
            done.added,
            done.changed,
            wrong.len()
        ));
        Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_nobody_s_second_person() {
        assert_eq!(asker(Some("ada".to_owned()), true).unwrap(), "ada");
        assert!(asker(None, true).is_err(), "who asks for what another approves is known");
        let account = asker(None, false).unwrap();
        assert!(account.contains("uid "), "an account is not taken for a user: {account}");
    }
}

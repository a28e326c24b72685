//! `sayso audit`: the log as a table or a file, its proof, its anchors.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use indicatif::ProgressBar;
use serde::Serialize;
use ulid::Ulid;

use crate::audit::{Anchor, Anchors, Class, ExportVerifier, Head, Row, Sealed, end_line, row_line};
use crate::certificate::moment;
use crate::config::Config;
use crate::jobs::anchor::{Anchoring, Stated, anchor, known, read_file};
use crate::server::archive;
use crate::store::{AnchorState, AuditFilter, Change};
use crate::time::{Clock, Timestamp};
use crate::vault::Signer;

use super::apply::account;
use super::certificate::public_key;
use super::listing::list;
use super::{AtConfig, Form, out, progress};

/// Rows of an export that are read at once.
const LOT: u32 = 4_000;

/// Read, take out, prove or anchor the audit log.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// List audit events, newest first.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        which: Which,
        /// The oldest first.
        #[arg(long)]
        oldest: bool,
    },
    /// Write rows with their hashes, a line of JSON each, the oldest first, as `verify --file` reads them. Personal values
    /// that are not erased are in it.
    Export {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        which: Which,
        /// Where to; without it, standard output.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Prove that the log is whole, or name its first broken link (exit code 1).
    Verify {
        #[command(flatten)]
        at: AtConfig,
        /// An export instead of the database: it needs no server, no database and no configuration. `-`: standard input.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Files of anchors that the log is compared with, beside those that the database knows.
        #[arg(long, value_name = "FILE")]
        anchors: Vec<PathBuf>,
        /// The public key that anchors must be signed with: 64 hexadecimal digits, from `sayso certificate key`. Without
        /// it, this installation's own.
        #[arg(long, value_name = "HEX", value_parser = public_key)]
        key: Option<[u8; 32]>,
    },
    /// Anchor the log's head now, at each place of the settings (`anchor-to`), or list anchors.
    Anchor {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
        /// Only list where it was anchored.
        #[arg(long)]
        list: bool,
    },
}

/// Which rows.
#[derive(Debug, clap::Args)]
pub(super) struct Which {
    /// Only of this class: presence, config, rights, modify, read, failure, system.
    #[arg(long, value_parser = class)]
    class: Option<Class>,
    /// Only about this object: a call's or recording's id, a queue's name, …
    #[arg(long)]
    object: Option<String>,
    /// Only of this action, such as `consent.given`.
    #[arg(long)]
    action: Option<String>,
    /// Only by this user, agent or trunk.
    #[arg(long)]
    actor: Option<String>,
    /// Only since then (RFC 3339).
    #[arg(long, value_parser = time)]
    since: Option<Timestamp>,
    /// Only before then (RFC 3339).
    #[arg(long, value_parser = time)]
    until: Option<Timestamp>,
    /// A whole number (+49…) finds what is said of who has it; another text is looked for in the rows.
    #[arg(long, value_name = "TEXT")]
    find: Option<String>,
}

fn class(word: &str) -> Result<Class, String> {
    let allowed = || Class::ALL.iter().map(|class| class.word()).collect::<Vec<_>>().join(", ");
    Class::from_word(word).ok_or_else(|| format!("one of {} is expected", allowed()))
}

fn time(text: &str) -> Result<Timestamp, String> {
    moment(text).ok_or_else(|| "a time by RFC 3339 is expected, such as 2026-11-22T09:30:00Z".to_owned())
}

impl Which {
    fn filter(self, limit: u32, oldest: bool) -> AuditFilter {
        let Self { class, object, action, actor, since, until, find } = self;
        let (behind, unrestricted) = (None, false);
        AuditFilter {
            limit,
            since,
            until,
            class,
            object,
            action,
            actor,
            q: find,
            oldest,
            behind,
            unrestricted,
        }
    }
}

impl AuditCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { at, form, which, oldest } => {
                let filter = which.filter(form.limit, oldest);
                let rows: Vec<AuditLine> =
                    at.store().await?.audit(&filter).await?.iter().map(AuditLine::of).collect();
                let head = ["SEQ", "WHEN", "CLASS", "WHO", "ACTION", "WHAT", "ABOUT", "OLD", "NEW"];
                list(&form, &head, &rows, AuditLine::cells)?;
            }
            Self::Export { at, which, to } => export(&at, which, to.as_deref()).await?,
            Self::Verify { at: _, file: Some(file), anchors, key } => verify_file(&file, &anchors, key)?,
            Self::Verify { at, file: None, anchors, key } => verify_store(&at.load()?, &anchors, key).await?,
            Self::Anchor { at, form, list: true } => {
                let page = at.store().await?.anchors(None, form.limit).await?;
                let rows: Vec<AnchorLine> = page.items.iter().map(AnchorLine::of).collect();
                list(&form, &["SEQ", "WHEN", "WHERE", "STATE", "WHAT"], &rows, AnchorLine::cells)?;
            }
            Self::Anchor { at, form: _, list: false } => return anchor_now(&at.load()?).await,
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn export(at: &AtConfig, which: Which, to: Option<&Path>) -> anyhow::Result<()> {
    let store = at.store().await?;
    // It is audited before anything is out.
    let by = account();
    let what = crate::audit::Object::new("audit", "log");
    let event = crate::audit::AuditEvent::new(Class::Read, by, Clock::start().now(), "audit.exported", what);
    store.commit(vec![Change::Audit(event)]).await?;
    let end = store.audit_head().await?.seq;
    let mut to: Box<dyn Write> = match to {
        Some(path) => {
            let file = File::create_new(path);
            Box::new(BufWriter::new(file.with_context(|| format!("cannot make {}", path.display()))?))
        }
        None => Box::new(BufWriter::new(io::stdout())),
    };
    let bar = progress("exporting");
    bar.set_length(end);
    let mut filter = which.filter(LOT, true);
    let (mut rows, mut last) = (0, Head::EMPTY);
    loop {
        let (lot, rest) = store.audit_export(&filter).await?;
        for (row, previous) in lot.iter().filter(|(row, _)| row.seq <= end) {
            to.write_all(row_line(row, *previous).as_bytes())?;
            (rows, last) = (rows + 1, row.head());
        }
        let Some(behind) = rest.filter(|behind| *behind < end) else { break };
        bar.set_position(behind);
        filter.behind = Some(behind);
    }
    to.write_all(end_line(rows, last).as_bytes())?;
    to.flush()?;
    bar.finish_and_clear();
    eprintln!("{rows} rows, the last is {} with the hash {}", last.seq, last.hash);
    Ok(())
}

/// Anchors of files, and what is wrong with them.
fn stated(files: &[PathBuf], key: Option<[u8; 32]>) -> anyhow::Result<Vec<Anchor>> {
    let mut all = Vec::new();
    for path in files {
        let read = read_file(path, key).with_context(|| format!("cannot read {}", path.display()))?;
        let Stated { anchors, faults, unreadable } = read;
        if let Some(fault) = faults.first() {
            bail!("{fault}");
        }
        if unreadable > 0 {
            eprintln!("{}: {unreadable} lines are no anchors and were passed over", path.display());
        }
        all.extend(anchors);
    }
    Ok(all)
}

fn verify_file(file: &Path, anchors: &[PathBuf], key: Option<[u8; 32]>) -> anyhow::Result<()> {
    let anchors = Anchors::of(stated(anchors, key)?);
    let name = file.display().to_string();
    let (input, bytes): (Box<dyn io::Read>, u64) = if file.as_os_str() == "-" {
        (Box::new(io::stdin()), 0)
    } else {
        let file = File::open(file).with_context(|| format!("cannot read {name}"))?;
        let bytes = file.metadata()?.len();
        (Box::new(file), bytes)
    };
    let bar = progress("verifying");
    bar.set_length(bytes);
    let mut verifier = ExportVerifier::default();
    let mut compared = Compared { anchors: &anchors, checked: 0 };
    for line in BufReader::with_capacity(1 << 20, input).lines() {
        let line = line.with_context(|| format!("cannot read {name}"))?;
        bar.inc(line.len() as u64 + 1);
        if let Some(row) = verifier.line(&line).with_context(|| name.clone())? {
            compared.row(row)?;
        }
    }
    let proof = verifier.finish().with_context(|| name.clone())?;
    bar.finish_and_clear();
    // A part of the log may end before a row that was anchored.
    if proof.gaps == 0 && proof.first <= 1 {
        anchors.finish(proof.last)?;
    }
    out(format_args!("{proof}{}\n", compared.told()));
    Ok(())
}

/// Anchors that a file is compared with.
struct Compared<'a> {
    anchors: &'a Anchors,
    checked: usize,
}

impl Compared<'_> {
    fn row(&mut self, row: Head) -> anyhow::Result<()> {
        self.anchors.check(row)?;
        self.checked += self.anchors.at(row.seq);
        Ok(())
    }

    fn told(&self) -> String {
        match self.anchors.len() {
            0 => String::new(),
            all => format!("; {} of {all} anchors are rows of it and fit", self.checked),
        }
    }
}

async fn verify_store(config: &Config, files: &[PathBuf], key: Option<[u8; 32]>) -> anyhow::Result<()> {
    let store = super::open_store(config).await?;
    // Without a key nothing was ever signed here.
    let own = || Signer::open(&config.signing_key_file(), false).ok().map(|signer| signer.public_key());
    let key = key.or_else(own);
    let (_, settings) = store.settings().await?;
    let (anchors, fault) = known(&store, &settings, key).await?;
    if let Some(fault) = fault {
        bail!("{fault}");
    }
    let anchors = anchors.and(stated(files, key)?);
    let compared = anchors.len();
    let bar = progress("verifying");
    let proof = store.verify_audit_with(anchors, |done, all| show(&bar, done, all)).await;
    bar.finish_and_clear();
    let proof = proof?;
    let anchored = match compared {
        0 => String::new(),
        anchors => format!("; {anchors} anchors fit"),
    };
    out(format_args!("{proof}{anchored}\n"));
    Ok(())
}

fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

/// Anchors now. Exit code 1 when a place did not take it.
async fn anchor_now(config: &Config) -> anyhow::Result<ExitCode> {
    let store = super::open_store(config).await?;
    let clock = Clock::start();
    let signer = Signer::open(&config.signing_key_file(), false).context(
        "there is no signing key yet, or it cannot be used; the server makes it at its first start",
    )?;
    let with = Anchoring {
        objects: archive::objects(config).await?,
        signer: Arc::new(signer),
        clock,
        alarms: None,
        name: format!("by hand {}", Ulid::generate()),
        store,
    };
    let (_, settings) = with.store.settings().await?;
    let (anchor, places) = anchor(&with, &settings, account(), None).await?;
    let mut code = ExitCode::SUCCESS;
    out(format_args!("row {}, hash {}\n", anchor.head.seq, anchor.head.hash));
    for place in places {
        let what = place.what.map_or_else(String::new, |what| format!(": {what}"));
        out(format_args!("  {} {}{what}\n", place.place, place.state));
        if place.state == AnchorState::Failed {
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

/// An audit row as it is listed.
#[derive(Serialize)]
struct AuditLine {
    seq: u64,
    at: String,
    class: &'static str,
    who: String,
    action: String,
    what: String,
    about: Option<String>,
    old: Option<String>,
    new: Option<String>,
    hash: String,
}

impl AuditLine {
    fn of(row: &Row) -> Self {
        let value = |sealed: &Option<Sealed>| {
            sealed.as_ref().map(|sealed| sealed.text().unwrap_or("(erased)").to_owned())
        };
        Self {
            seq: row.seq,
            at: row.at.to_rfc3339(),
            class: row.class.word(),
            who: row.who.to_string(),
            action: row.action.to_string(),
            what: row.what.to_string(),
            about: value(&row.about),
            old: value(&row.old),
            new: value(&row.new),
            hash: row.hash.to_string(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        vec![
            self.seq.to_string(),
            self.at.clone(),
            self.class.to_owned(),
            self.who.clone(),
            self.action.clone(),
            self.what.clone(),
            text(&self.about),
            text(&self.old),
            text(&self.new),
        ]
    }
}

/// An anchor as it is listed.
#[derive(Serialize)]
struct AnchorLine {
    seq: u64,
    hash: String,
    at: String,
    place: String,
    state: &'static str,
    what: Option<String>,
}

impl AnchorLine {
    fn of(row: &crate::store::AnchorRow) -> Self {
        Self {
            seq: row.anchor.head.seq,
            hash: row.anchor.head.hash.to_string(),
            at: row.anchor.at.to_rfc3339(),
            place: row.at.place.clone(),
            state: row.at.state.word(),
            what: row.at.what.clone(),
        }
    }

    fn cells(&self) -> Vec<String> {
        let what = self.what.clone().unwrap_or_default();
        vec![self.seq.to_string(), self.at.clone(), self.place.clone(), self.state.to_owned(), what]
    }
}

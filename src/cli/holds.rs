//! `sayso holds`: what is held back from removal, and by whom.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Subcommand;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use ulid::Ulid;

use crate::api::{LONGEST_REASON, written};
use crate::ids::{CallId, HoldId, PhoneNumber, RecordingId, Redacted};
use crate::retention::{Hold, HoldOn};
use crate::store::{Change, HoldChange, Place, StoreError};
use crate::time::{Clock, Timestamp};

use super::apply::account;
use super::listing::{list, short};
use super::{AtConfig, Form, out};

/// Hold recordings and calls back from removal.
#[derive(Debug, Subcommand)]
pub(super) enum HoldsCommand {
    /// List holds, the latest first.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
        /// Those that are over, too.
        #[arg(long)]
        all: bool,
    },
    /// Hold something.
    Add {
        #[command(flatten)]
        on: On,
        /// Why, for the audit log and whoever releases it.
        #[arg(long)]
        reason: String,
        /// When it ends by itself, by RFC 3339.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        ends: Option<Timestamp>,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Release a hold: what it held goes by the rules again.
    Release {
        /// Its id.
        id: HoldId,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: AtConfig,
    },
}

/// What is held: one of these.
#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = true)]
pub(super) struct On {
    /// A recording.
    #[arg(long, conflicts_with_all = ["call", "number", "queue"])]
    recording: Option<RecordingId>,
    /// A call with its recordings.
    #[arg(long, conflicts_with_all = ["number", "queue"])]
    call: Option<CallId>,
    /// All calls from this number, with + and country code.
    #[arg(long, conflicts_with = "queue")]
    number: Option<String>,
    /// All calls of this queue in a span.
    #[arg(long, requires = "since", requires = "until")]
    queue: Option<String>,
    /// Where the span begins, by RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "queue")]
    since: Option<Timestamp>,
    /// Where it ends.
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "queue")]
    until: Option<Timestamp>,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())?;
    let micros = i64::try_from(at.unix_timestamp_nanos() / 1_000).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_micros(micros))
}

impl On {
    fn read(self) -> anyhow::Result<HoldOn> {
        if let Some(id) = self.recording {
            return Ok(HoldOn::Recording(id));
        }
        if let Some(id) = self.call {
            return Ok(HoldOn::Call(id));
        }
        if let Some(number) = self.number {
            let number = PhoneNumber::parse(&number, None).filter(|_| number.starts_with('+'));
            let number = number.context("--number: give it with + and its country code")?;
            return Ok(HoldOn::Number(Redacted(number.as_e164().to_owned())));
        }
        match (self.queue, self.since, self.until) {
            (Some(queue), Some(since), Some(until)) if since <= until => {
                Ok(HoldOn::Queue { queue: queue.as_str().into(), since, until })
            }
            (Some(_), Some(_), Some(_)) => bail!("--since comes before --until"),
            (_, _, _) => bail!("give --recording, --call, --number, or --queue with --since and --until"),
        }
    }
}

impl HoldsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::List { at, form, all } => {
                let store = at.store().await?;
                let active = (!all).then_some(true);
                let page = store.holds(active, Clock::start().now(), &Place::first(form.limit)).await?;
                if form.json {
                    for hold in &page.items {
                        out(format_args!("{}\n", in_json(hold)));
                    }
                } else {
                    let head = ["HOLD", "SINCE", "ON", "BY", "ENDS", "RELEASED", "REASON"];
                    let rows: Vec<Vec<String>> = page.items.iter().map(cells).collect();
                    list(&form, &head, &rows, Clone::clone)?;
                }
            }
            Self::Add { on, reason, ends, at } => {
                let (on, reason) = (on.read()?, reason_of(&reason)?);
                let (id, by, now) = (HoldId::new(Ulid::generate()), account(), Clock::start().now());
                if ends.is_some_and(|ends| ends <= now) {
                    bail!("--ends is over already");
                }
                let created = HoldChange::Created { id, on, reason, by, at: now, ends };
                told(at.store().await?.commit(vec![Change::Hold(created)]).await)?;
                out(format_args!("{id} holds\n"));
            }
            Self::Release { id, reason, at } => {
                let (reason, by, now) = (reason_of(&reason)?, account(), Clock::start().now());
                let released = HoldChange::Released { id, reason, by, at: now };
                told(at.store().await?.commit(vec![Change::Hold(released)]).await)?;
                out(format_args!("{id} is released: what it held goes by the rules again\n"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn reason_of(text: &str) -> anyhow::Result<Redacted<String>> {
    let reason = written(text, LONGEST_REASON);
    let reason = reason.ok_or_else(|| {
        anyhow!("--reason: 1 to {LONGEST_REASON} characters, and no signs that steer a terminal")
    })?;
    Ok(Redacted(reason.to_owned()))
}

fn told(result: Result<(), StoreError>) -> anyhow::Result<()> {
    match result {
        Err(StoreError::State { what: "hold", id, state, .. }) => {
            bail!("hold {id} is {state} already")
        }
        Err(StoreError::State { what, id, state, .. }) => {
            bail!("{what} {id} is {state}: there is nothing to hold")
        }
        result => Ok(result?),
    }
}

fn on_text(on: &HoldOn) -> String {
    match on {
        HoldOn::Recording(id) => format!("recording {id}"),
        HoldOn::Call(id) => format!("call {id}"),
        HoldOn::Number(number) => format!("number {}", number.0),
        HoldOn::Queue { queue, since, until } => {
            format!("queue {queue} {} to {}", short(*since), short(*until))
        }
    }
}

fn cells(hold: &Hold) -> Vec<String> {
    let time = |at: Option<Timestamp>| at.map(short).unwrap_or_default();
    vec![
        hold.id.to_string(),
        short(hold.at),
        on_text(&hold.on),
        hold.by.clone(),
        time(hold.ends),
        time(hold.released.as_ref().map(|released| released.at)),
        hold.reason.0.clone(),
    ]
}

fn in_json(hold: &Hold) -> serde_json::Value {
    let span = match &hold.on {
        HoldOn::Queue { since, until, .. } => Some((since.to_rfc3339(), until.to_rfc3339())),
        HoldOn::Recording(_) | HoldOn::Call(_) | HoldOn::Number(_) => None,
    };
    json!({
        "id": hold.id,
        "kind": hold.on.kind(),
        "on": hold.on.subject(),
        "since": span.as_ref().map(|(since, _)| since),
        "until": span.as_ref().map(|(_, until)| until),
        "reason": hold.reason.0,
        "by": hold.by,
        "at": hold.at.to_rfc3339(),
        "ends": hold.ends.map(Timestamp::to_rfc3339),
        "released_at": hold.released.as_ref().map(|released| released.at.to_rfc3339()),
        "released_by": hold.released.as_ref().map(|released| &released.by),
    })
}

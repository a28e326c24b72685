//! `sayso trunks`: whether a trunk's server is there.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use serde_json::json;

use crate::audit::{AuditEvent, Class, Object, Value};
use crate::ids::TrunkId;
use crate::server::probing;
use crate::store::Change;
use crate::time::Clock;

use super::apply::account;
use super::{AtConfig, open_store, out};

/// Look at trunks.
#[derive(Debug, Subcommand)]
pub(super) enum TrunksCommand {
    /// Ask a trunk's server whether it is there, by SIP OPTIONS; takes 12 seconds at most. The exit code tells, too.
    ///
    /// It is asked as the server would ask it, but from ports of this command's own: a carrier that knows us by address
    /// and port may refuse this and take our calls.
    Test {
        /// The trunk.
        name: String,
        #[command(flatten)]
        at: AtConfig,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
}

impl TrunksCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Test { name, at, json } => test(TrunkId(name), &at, json).await,
        }
    }
}

async fn test(id: TrunkId, at: &AtConfig, as_json: bool) -> anyhow::Result<ExitCode> {
    let config = at.load()?;
    let store = open_store(&config).await?;
    let (_, settings) = store.settings().await?;
    let Some(trunk) = settings.trunks.get(&id) else {
        let names: Vec<&str> = settings.trunks.keys().map(|id| id.0.as_str()).collect();
        let known = if names.is_empty() { "there is none".to_owned() } else { names.join(", ") };
        bail!("there is no trunk {:?}; trunks: {known}", id.0);
    };
    let Some(outbound) = trunk.outbound.clone() else {
        bail!("the trunk {id} has no server to ask: it only brings calls");
    };
    let clock = Clock::start();
    let tested = probing::ask(&config, id.clone(), outbound, clock).await?;
    let result = tested.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    let what = Object::new("trunk", &id);
    let event = AuditEvent::new(Class::System, account(), clock.now(), "trunk.tested", what);
    store.commit(vec![Change::Audit(event.new_value(Some(Value::plain(result))))]).await?;
    let milliseconds = tested.after.map(|after| after.as_millis());
    if as_json {
        let told = json!({
            "trunk": id.0, "ok": tested.ok, "status": tested.status, "milliseconds": milliseconds, "what": tested.what,
        });
        out(format_args!("{told}\n"));
    } else {
        let answer = tested.status.zip(milliseconds);
        let answer = answer.map(|(status, ms)| format!(" ({status} after {ms} ms)")).unwrap_or_default();
        out(format_args!("{id}: {}{answer}\n", tested.what));
    }
    Ok(if tested.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

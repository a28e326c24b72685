//! `sayso serve`: logging, the server, signals.

use std::future::pending;
use std::io::IsTerminal;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogConfig, LogFormat};
use crate::server::{Notices, Server};
use crate::sip::core::Transport;
use crate::time::Clock;

use super::{out, users};

/// Runs until SIGTERM or SIGINT, then drains; a second signal ends the calls at once.
///
/// # Errors
/// When something the configuration names cannot be opened.
pub(super) async fn run(config: &Config) -> anyhow::Result<()> {
    log_to_stderr(&config.log)?;
    raise_file_limit();
    users::first(config).await?;
    let server = Server::start(config, Clock::start(), Notices::new(1024)).await?;
    // One line for whoever started us: it waits for readiness and learns the ports.
    let ready = serde_json::json!({
        "ready": true,
        "sip_udp": server.sip(Transport::Udp),
        "sip_tcp": server.sip(Transport::Tcp),
        "sip_tls": server.sip(Transport::Tls),
        "sip_ws": server.sip(Transport::Ws),
        "sip_wss": server.sip(Transport::Wss),
        "http": server.http(),
    });
    out(format_args!("{ready}\n"));
    stop_signal().await;
    server.drain(config.drain, stop_signal()).await;
    Ok(())
}

/// A call takes about six sockets, and the usual limit of 1,024 files would end at 170 calls.
pub(super) fn raise_file_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// The next SIGTERM or SIGINT.
pub(super) async fn stop_signal() {
    let caught = async |kind| match signal(kind) {
        Ok(mut signals) => {
            signals.recv().await;
        }
        Err(error) => {
            tracing::error!(%error, "a signal cannot be watched");
            pending::<()>().await;
        }
    };
    tokio::select! {
        () = caught(SignalKind::terminate()) => {}
        () = caught(SignalKind::interrupt()) => {}
    }
}

pub(super) fn log_to_stderr(log: &LogConfig) -> anyhow::Result<()> {
    // `is` is str0m's ICE: it warns of what any stranger may send. A filter that names it is obeyed.
    let filter = EnvFilter::try_new(format!("is=error,{}", log.filter))
        .map_err(|error| anyhow::anyhow!("log.filter: {:?}: {error}", log.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    match log.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

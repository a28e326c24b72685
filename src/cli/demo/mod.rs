//! `sayso demo`: a server, an agent, a caller who agrees and one who refuses; then it stays up for
//! your own browser or phone, and sends callers when it is told to.

mod enter;
mod story;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::oneshot;

use crate::config::Config;
use crate::ids::RecordingId;
use crate::phone::{Phone, Script, parse_keys};
use crate::prompts::wav;
use crate::server::{Notices, Server};
use crate::sip::core::digest::Algorithm;
use crate::sip::core::{Callee, Login, Transport};
use crate::store::Filter;
use crate::time::Clock;

use super::apply::apply_text;
use super::recordings::export;
use super::{out, serve};
use story::Ended;

const SETTINGS: &str = include_str!("../../../deploy/demo/settings.toml");
/// Both are 8 kHz mono.
const CALLER: &[u8] = include_bytes!("../../../deploy/demo/caller.8k.wav");
const AGENT: &[u8] = include_bytes!("../../../deploy/demo/agent.8k.wav");
const PASSWORD: &str = "only-for-the-demo";
/// How long a caller who was asked for stays.
const VISIT: Duration = Duration::from_secs(300);
/// How long the demo's agent talks before hanging up.
const CONVERSATION: Duration = Duration::from_secs(8);

/// Show the whole thing.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Exit after the two calls, with 0 only if both did what they should.
    #[arg(long)]
    once: bool,
    /// Where to listen for SIP (UDP and TCP), and for RTP on the same address.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:5060")]
    sip: SocketAddr,
    /// Where to listen for HTTP.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Where to keep database, vault and key.
    #[arg(long, value_name = "DIR", default_value = "var/demo")]
    data: PathBuf,
}

impl Demo {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        ensure!(
            !self.sip.ip().is_unspecified(),
            "--sip: name one address of this machine, not {}",
            self.sip.ip()
        );
        let config = self.config();
        serve::log_to_stderr(&config.log)?;
        let clock = Clock::start();
        let notices = Notices::new(4096);
        apply_text(&config, SETTINGS, "deploy/demo/settings.toml").await?;
        let server = Server::start(&config, clock, notices.clone()).await?;
        let registrar = *server.sip(Transport::Udp).first().context("no UDP address")?;
        out(format_args!(
            "sayso {} listens on sip:{registrar} and http://{}\n",
            env!("CARGO_PKG_VERSION"),
            server.http()
        ));
        let stage = Stage { config, server, notices, registrar, clock };
        let (go_home, time_to_go) = oneshot::channel();
        let ada = tokio::spawn(agent(registrar, clock, time_to_go));
        let good = stage.two_calls().await;
        // From now on the callers are yours.
        drop(go_home);
        ada.await?;
        if let Err(error) = &good {
            out(format_args!("\nThe demo failed: {error:#}\n"));
        }
        if !self.once && good.is_ok() {
            stage.stay().await;
        }
        stage.server.drain(Duration::from_secs(1), serve::stop_signal()).await;
        Ok(if good.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.data.clone_from(&self.data);
        config.sip.udp = vec![self.sip];
        config.sip.tcp = vec![self.sip];
        config.media.ip = self.sip.ip();
        config.http.listen = self.http;
        // Any phone may join in; some know nothing better.
        config.sip.digest = vec![Algorithm::Md5];
        config.log.filter = std::env::var("SAYSO_LOG").unwrap_or_else(|_| "warn".to_owned());
        config
    }
}

struct Stage {
    config: Config,
    server: Server,
    notices: Notices,
    registrar: SocketAddr,
    clock: Clock,
}

impl Stage {
    async fn two_calls(&self) -> anyhow::Result<()> {
        out(format_args!("\nFirst call: the caller presses 1.\n"));
        let first = self.one_call("1").await?;
        ensure!(first.agreed == Some(true), "the caller pressed 1 and no yes was stored");
        ensure!(first.connected, "the caller never reached the agent");
        let file = self.show_recording(&first).await?;
        self.verify_audit().await?;

        out(format_args!("\nSecond call: the caller presses 2.\n"));
        let files = count_files(&self.config.vault_dir())?;
        let second = self.one_call("2").await?;
        ensure!(second.agreed == Some(false), "the caller pressed 2 and no refusal was stored");
        ensure!(second.connected, "the caller who refused never reached the agent");
        self.show_nothing_kept(&second, files).await?;
        self.verify_audit().await?;
        out(format_args!("\nPlay the first call (left: caller, right: agent): {}\n", file.display()));
        Ok(())
    }

    async fn one_call(&self, press: &str) -> anyhow::Result<Ended> {
        let story = tokio::spawn(story::tell(self.notices.subscribe(), self.clock));
        self.caller(press, Duration::from_secs(90)).await?;
        story.await?
    }

    /// A caller who presses these keys, talks, and hangs up after so long.
    async fn caller(&self, press: &str, patience: Duration) -> anyhow::Result<()> {
        let mut phone = Phone::open(self.registrar.ip(), self.clock).await?;
        let script = Script {
            press: parse_keys(press)?,
            quiet: Duration::from_millis(1200),
            say: clip(CALLER)?,
            hang_up_after: patience,
            ..Script::default()
        };
        let to = Callee::Uri {
            uri: format!("sip:100@{}", self.registrar),
            remote: self.registrar,
            transport: Transport::Udp,
            login: None,
        };
        phone.call(to, "+4930123456".to_owned(), script).await?;
        Ok(())
    }

    /// Exports the one recording of the first call and looks whether both sides are in it.
    async fn show_recording(&self, call: &Ended) -> anyhow::Result<PathBuf> {
        let [id] = call.recordings[..] else {
            bail!("one recording was expected, not {}", call.recordings.len())
        };
        let file = std::path::absolute(self.config.data.join("first-call.wav"))?;
        let (store, vault, objects) = (self.server.store(), self.server.vault(), self.server.objects());
        let exported = export(store, vault, objects, id, &file).await?;
        let stereo = hound::WavReader::open(&file)?.into_samples().collect::<Result<Vec<i16>, _>>()?;
        let channel = |n: usize| stereo.iter().skip(n).step_by(2).copied().collect::<Vec<_>>();
        ensure!(loud(&channel(0)) && loud(&channel(1)), "one side of the recording is silent");
        out(format_args!(
            "  file: {} ({:.1} s, stereo)\n",
            file.display(),
            exported.samples as f64 / 8_000.0
        ));
        Ok(file)
    }

    /// Looks in database and vault for anything of the second call that should not be there.
    async fn show_nothing_kept(&self, call: &Ended, files: usize) -> anyhow::Result<()> {
        ensure!(call.recordings.is_empty(), "the refused call was recorded");
        let id = call.call.context("the call has no id")?;
        let rows = self.server.store().recordings(&Filter { call: Some(id), ..Filter::default() }).await?;
        ensure!(rows.is_empty(), "the refused call has a recording's row, and so a key");
        let now = count_files(&self.config.vault_dir())?;
        ensure!(
            now == files,
            "the vault held {files} recordings before the refused call and holds {now} now"
        );
        out(format_args!("  nothing is kept: no row, no key, no file (the vault still holds {files})\n"));
        Ok(())
    }

    async fn verify_audit(&self) -> anyhow::Result<()> {
        let proof = self.server.store().verify_audit(|_, _| {}).await?;
        out(format_args!("  sayso audit verify: {proof}\n"));
        Ok(())
    }

    /// Serves whoever comes, and sends a caller for each line that is entered.
    async fn stay(&self) {
        let at = self.registrar;
        out(format_args!(
            "\nThe server stays up; Ctrl-C ends it.\n\n\
             Be an agent in your browser: http://{http}\n  \
             user `alice`, password `{PASSWORD}` (likewise `bob`; `sue` is the supervisor)\n  \
             then press Enter here: a caller comes who agrees to be recorded; `2` and Enter: one who refuses\n\n\
             Or with any SIP phone on this machine:\n  \
             call sip:100@{at}, or: sayso call sip:100@{at} --press 1 --record heard.wav\n  \
             be an agent: user `you`, password `{PASSWORD}`, registrar {at}, realm `sayso`\n  \
             (from other machines: sayso demo --sip YOUR-ADDRESS:5060 --http YOUR-ADDRESS:8080; a browser lets a\n  \
             page use the microphone only on this machine or by https)\n",
            http = self.server.http(),
        ));
        let mut lines = enter::lines();
        let mut callers = FuturesUnordered::new();
        let stop = serve::stop_signal();
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                Some(line) = lines.recv() => {
                    let press = if line.trim() == "2" { "2" } else { "1" };
                    out(format_args!("A caller comes, who will press {press}.\n"));
                    callers.push(self.caller(press, VISIT));
                }
                Some(gone) = callers.next() => match gone {
                    Ok(()) => out(format_args!("A caller is gone.\n")),
                    Err(error) => out(format_args!("A caller failed: {error:#}\n")),
                },
            }
        }
    }
}

/// The demo's agent: logs on, takes calls, talks, hangs up; logs off when it is time to go.
async fn agent(registrar: SocketAddr, clock: Clock, time_to_go: oneshot::Receiver<()>) {
    if let Err(error) = take_calls(registrar, clock, time_to_go).await {
        out(format_args!("The demo's agent failed: {error:#}\n"));
    }
}

async fn take_calls(
    registrar: SocketAddr,
    clock: Clock,
    mut time_to_go: oneshot::Receiver<()>,
) -> anyhow::Result<()> {
    let mut phone = Phone::open(registrar.ip(), clock).await?;
    let login = Login { user: "ada".to_owned(), password: PASSWORD.to_owned() };
    let say = clip(AGENT)?;
    phone.register(registrar, Transport::Udp, login.clone(), 3600).await?;
    loop {
        let script = Script {
            press: Vec::new(),
            quiet: Duration::ZERO,
            say: say.clone(),
            hang_up_after: CONVERSATION,
            ..Script::default()
        };
        tokio::select! {
            talked = phone.answer(Duration::from_millis(800), script) => drop(talked?),
            _ = &mut time_to_go => break,
        }
    }
    Ok(phone.register(registrar, Transport::Udp, login, 0).await?)
}

fn clip(file: &[u8]) -> anyhow::Result<Vec<i16>> {
    let clip = wav::decode(file)?;
    Ok(clip.samples.iter().map(|sample| (sample * f32::from(i16::MAX)) as i16).collect())
}

/// Whether there is speech in it: louder than -40 dBFS for at least a second, counted in 20 ms.
fn loud(samples: &[i16]) -> bool {
    let loud = samples.chunks(160).filter(|chunk| chunk.iter().any(|sample| sample.unsigned_abs() > 1_000));
    loud.count() > 50
}

/// All files below a folder.
/// How many recordings have a file below `dir`, wherever their upload has got to.
fn count_files(dir: &Path) -> anyhow::Result<usize> {
    let (mut found, mut dirs) = (BTreeSet::new(), vec![dir.to_owned()]);
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.split('.').next()?.parse::<RecordingId>().ok());
            found.extend(id);
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    Ok(found.len())
}

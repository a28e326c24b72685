//! The subcommands: arguments in, text or JSON out.

mod apply;
mod audit;
mod call;
mod certificate;
mod demo;
mod holds;
mod jobs;
mod keys;
mod lint;
mod listing;
mod privacy;
mod prompts;
mod proven;
mod reconcile;
mod recordings;
mod retention;
mod rotation;
#[cfg(test)]
mod rotation_tests;
mod serve;
mod spools;
mod trunks;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::server::archive;
use crate::store::Store;
use crate::time::Clock;

/// Answer a caller, ask for consent, connect an agent, and record only what was allowed, provably.
#[derive(Debug, Parser)]
#[command(name = "sayso", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(AtConfig),
    /// Make trunks, numbers, queues, agents and users be as a file says; shows what changes.
    Apply(apply::Apply),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Read, take out, prove or anchor the audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Look at calls.
    #[command(subcommand)]
    Calls(listing::CallsCommand),
    /// List or export recordings.
    #[command(subcommand)]
    Recordings(recordings::RecordingsCommand),
    /// List key-encryption keys, or change to a new one.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Show or verify deletion certificates.
    #[command(subcommand)]
    Certificate(certificate::CertificateCommand),
    /// Compare database, object store and spool, and look at what was found.
    #[command(subcommand)]
    Reconcile(reconcile::ReconcileCommand),
    /// See and try out how long things are kept, or do now what is due.
    #[command(subcommand)]
    Retention(retention::RetentionCommand),
    /// Hold recordings and calls back from removal.
    #[command(subcommand)]
    Holds(holds::HoldsCommand),
    /// Look at consents.
    #[command(subcommand)]
    Consents(listing::ConsentsCommand),
    /// Look at what is being done to recordings beside the calls, or have it tried now.
    #[command(subcommand)]
    Jobs(jobs::JobsCommand),
    /// Look at what waits for which node, or take over from one whose disk is lost.
    #[command(subcommand)]
    Spools(spools::SpoolsCommand),
    /// Ask a trunk's server whether it is there.
    #[command(subcommand)]
    Trunks(trunks::TrunksCommand),
    /// List users, unlock one, or give one a password for one log-in.
    #[command(subcommand)]
    Users(users::UsersCommand),
    /// Find, report, erase or move what there is of a person.
    #[command(subcommand)]
    Privacy(privacy::PrivacyCommand),
    /// Keep lists of people.
    #[command(subcommand)]
    Directory(privacy::DirectoryCommand),
    /// Check, import, list or restore prompts.
    #[command(subcommand)]
    Prompts(prompts::PromptsCommand),
    /// Call a number as a caller would: press keys, speak a file, record what is heard.
    Call(call::CallCommand),
    /// Show the whole thing: a server, an agent, a caller who agrees and one who refuses.
    Demo(demo::Demo),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether a configuration file is right, and if not, what is wrong where.
    Check(AtConfig),
    /// Look at the stored settings with the consent-flow linter.
    Lint(lint::Lint),
}

/// Which configuration.
#[derive(Debug, clap::Args)]
struct AtConfig {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "sayso.toml")]
    config: PathBuf,
}

/// A listing's form.
#[derive(Debug, clap::Args)]
struct Form {
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// At most so many rows, newest first.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

impl AtConfig {
    fn load(&self) -> anyhow::Result<Config> {
        Ok(Config::load(&self.config)?)
    }

    async fn store(&self) -> anyhow::Result<Store> {
        open_store(&self.load()?).await
    }
}

async fn open_store(config: &Config) -> anyhow::Result<Store> {
    std::fs::create_dir_all(&config.data)?;
    Ok(Store::open(&config.database_url(), Clock::start()).await?)
}

/// Parses the command line and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("sayso: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sayso: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(at) => serve::run(&at.load()?).await.map(|()| ExitCode::SUCCESS),
        Command::Apply(apply) => apply.run().await,
        Command::Config(ConfigCommand::Check(at)) => {
            let config = at.load()?;
            Store::check(&config.database_url())
                .map_err(|error| anyhow::anyhow!("{}: [database] url: {error}", at.config.display()))?;
            let vault = archive::describe(&config).await;
            let vault = vault.map_err(|error| anyhow::anyhow!("{}: [vault] {error}", at.config.display()))?;
            out(format_args!("{}: ok\n", at.config.display()));
            for line in vault {
                out(format_args!("  {line}\n"));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Config(ConfigCommand::Lint(lint)) => lint.run().await,
        Command::Audit(command) => command.run().await,
        Command::Calls(command) => command.run().await,
        Command::Recordings(command) => command.run().await,
        Command::Keys(command) => command.run().await,
        Command::Certificate(command) => command.run().await,
        Command::Reconcile(command) => command.run().await,
        Command::Retention(command) => command.run().await,
        Command::Holds(command) => command.run().await,
        Command::Consents(command) => command.run().await,
        Command::Jobs(command) => command.run().await,
        Command::Spools(command) => command.run().await,
        Command::Trunks(command) => command.run().await,
        Command::Users(command) => command.run().await,
        Command::Privacy(command) => command.run().await,
        Command::Directory(command) => command.run().await,
        Command::Prompts(command) => command.run().await,
        Command::Call(command) => command.run().await,
        Command::Demo(demo) => demo.run().await,
    }
}

/// A progress bar on standard error; none where that is no terminal.
fn progress(what: &'static str) -> indicatif::ProgressBar {
    let style = indicatif::ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}");
    let bar = indicatif::ProgressBar::new(0).with_message(what);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Writes to standard output. A reader that left (`sayso calls list | head`) ends the program.
fn out(text: std::fmt::Arguments<'_>) {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    if stdout.write_fmt(text).and_then(|()| stdout.flush()).is_err() {
        std::process::exit(0);
    }
}

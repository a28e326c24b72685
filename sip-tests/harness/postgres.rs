//! PostgreSQL clusters for tests, used by the store's tests too: each in a temporary folder, reached by a
//! socket in it, ended and removed when the test process ends, however it ends.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Waits for the end of its input, which comes when the test process is gone, then stops the cluster and
/// removes its folder. Signals to the test's process group do not reach it.
const KEEPER: &str = r#"cat >/dev/null; "$@" -m immediate stop >/dev/null 2>&1; rm -rf "$FOLDER""#;

/// A running cluster. Dropping it stops it.
pub(crate) struct Cluster {
    keeper: Child,
    folder: PathBuf,
    bin: PathBuf,
    /// Part of the socket's name.
    port: u16,
}

impl Cluster {
    /// The cluster that the tests of this process share, each in a database of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A cluster of its own, for tests that stop it. `settings` are lines of `postgresql.conf`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_at(5432, settings)
    }

    /// The same, with another port than usual, for those that have it listen there.
    pub(crate) fn start_at(port: u16, settings: &[&str]) -> Self {
        let bin = programs();
        let folder = tempfile::Builder::new().prefix("sayso-pg-").tempdir().expect("a folder").keep();
        give(&folder);
        let data = folder.join("data");
        let mut initdb = as_owner(&bin.join("initdb"));
        initdb.args(["--no-sync", "--auth=trust", "--username=sayso", "--encoding=UTF8", "--locale=C.UTF-8"]);
        done(initdb.arg("-D").arg(&data));
        // Tests do not fail with the power; all else is as it comes.
        let own = ["fsync = off", "full_page_writes = off", "max_connections = 300", "listen_addresses = ''"];
        let mut lines: Vec<String> = own.iter().chain(settings).map(|line| format!("{line}\n")).collect();
        lines.push(format!("unix_socket_directories = '{}'\nport = {port}\n", folder.display()));
        let file = data.join("postgresql.conf");
        let before = fs::read_to_string(&file).expect("initdb wrote it");
        fs::write(&file, before + &lines.concat()).expect("writable");
        let stop = control(&bin, &folder);
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(stop.get_program())
            .args(stop.get_args())
            .env("FOLDER", &folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh starts");
        let cluster = Self { keeper, folder, bin, port };
        cluster.up();
        cluster
    }

    /// A new database: its URL.
    pub(crate) fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&port={}&user=sayso", self.folder.display(), self.port)
    }

    /// Runs a statement with psql: what it prints.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "sayso", "-d", database, "-h"]);
        let port = self.port.to_string();
        let output = done(psql.arg(&self.folder).args(["-p", &port, "-c", statement]));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Stops it; whoever is connected loses the connection. `immediate` is as if it crashed.
    pub(crate) fn down(&self, mode: &str) {
        done(control(&self.bin, &self.folder).args(["-w", "-m", mode, "stop"]));
    }

    /// Starts it (again); it takes connections when this returns.
    pub(crate) fn up(&self) {
        let log = self.folder.join("log");
        done(control(&self.bin, &self.folder).args(["-w", "-t", "60", "-l"]).arg(log).arg("start"));
    }

    /// Puts a file into its folder that only the server may read, as it wants for keys.
    #[allow(dead_code)] // only the store's tests have certificates
    pub(crate) fn put(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, content).expect("writable");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(&path, mode).expect("ours");
        give(&path);
        path
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // An error means that it is gone already, which is what is wanted.
        let _ = self.keeper.wait();
    }
}

fn control(bin: &Path, folder: &Path) -> Command {
    let mut command = as_owner(&bin.join("pg_ctl"));
    command.arg("-D").arg(folder.join("data")).current_dir(folder);
    command
}

/// A command run by who may own a cluster: PostgreSQL does not run as root.
fn as_owner(program: &Path) -> Command {
    if !rustix::process::geteuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(program);
    command.current_dir("/");
    command
}

/// Makes the cluster's owner the owner of a path.
fn give(path: &Path) {
    if rustix::process::geteuid().is_root() {
        done(Command::new("chown").arg("postgres:postgres").arg(path));
    }
}

/// Where the newest PostgreSQL's programs are: Debian keeps them apart by version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(number).map(|path| path.join("bin"));
    let bin = newest.filter(|bin| bin.join("initdb").exists());
    bin.unwrap_or_else(|| panic!("there is no PostgreSQL: run `make tools`"))
}

/// Runs a command that must succeed. What it starts keeps none of our pipes.
fn done(command: &mut Command) -> Output {
    let errors = tempfile::tempfile().expect("a file");
    let asks = command.get_program().to_string_lossy().ends_with("psql");
    command.stdin(Stdio::null()).stdout(if asks { Stdio::piped() } else { Stdio::null() });
    command.stderr(errors.try_clone().expect("a file"));
    let output: io::Result<Output> = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}: run `make tools`"));
    if !output.status.success() {
        let mut said = String::new();
        let mut errors = errors;
        let _ = io::Seek::rewind(&mut errors);
        let _ = io::Read::read_to_string(&mut errors, &mut said);
        panic!("{command:?}: {}: {said}", output.status);
    }
    output
}

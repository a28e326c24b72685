//! An OpenID Connect provider (`sip-tests/oidc`, which `make tools` installs): whoever types a name is that person.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};

use super::Process;

/// Who the server under test is to the provider.
pub(crate) const CLIENT: &str = "sayso-desk";
/// Its secret there.
pub(crate) const SECRET: &str = "secret-between-two-servers";

/// A running provider; ends when dropped.
pub(crate) struct Provider {
    /// Its issuer URL.
    pub(crate) issuer: String,
    _process: Process,
    /// Open as long as it writes: it dies of a pipe without a reader.
    _stdout: BufReader<ChildStdout>,
}

impl Provider {
    /// One that sends back to `back` only.
    pub(crate) fn start(back: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sip-tests/oidc/provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).args([CLIENT, SECRET, back]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = Process::start("node", &mut command);
        let mut stdout = BufReader::new(process.child().stdout.take().expect("stdout is piped"));
        let mut issuer = String::new();
        stdout.read_line(&mut issuer).expect("the provider says where it is: run `make tools`");
        let issuer = issuer.trim().to_owned();
        assert!(issuer.starts_with("http://127.0.0.1:"), "{issuer:?}: run `make tools`");
        Self { issuer, _process: process, _stdout: stdout }
    }
}

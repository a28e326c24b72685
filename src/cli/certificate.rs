//! `sayso certificate`: deletion certificates, and whether one can be relied on.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::certificate::{Certificate, ChainPosition, Erasure, Verified, is_erasure, verify, verify_erasure};
use crate::ids::RecordingId;
use crate::store::{AuditFilter, CertificateRow, Store};
use crate::vault::Signer;

use super::listing::{list, short};
use super::{AtConfig, Form, out};

/// Show and verify deletion certificates.
#[derive(Debug, Subcommand)]
pub(super) enum CertificateCommand {
    /// Write a recording's deletion certificate to standard output, as it was signed.
    Show {
        /// The recording.
        id: RecordingId,
        #[command(flatten)]
        at: AtConfig,
    },
    /// List certificates, the newest first.
    List {
        #[command(flatten)]
        at: AtConfig,
        #[command(flatten)]
        form: Form,
    },
    /// Say whether a certificate is as it was signed, and what it says. Needs no server and no database.
    Verify {
        /// The file; `-`: standard input.
        file: PathBuf,
        /// The public key it must be signed with: 64 hexadecimal digits, from `sayso certificate key`.
        #[arg(long, value_name = "HEX", value_parser = public_key)]
        key: Option<[u8; 32]>,
        /// Also that the audit log of this configuration's database holds the row it names, and is whole.
        #[arg(long)]
        audit: bool,
        #[command(flatten)]
        at: AtConfig,
    },
    /// Show the public key that verifies this installation's certificates.
    Key {
        #[command(flatten)]
        at: AtConfig,
    },
}

pub(super) fn public_key(text: &str) -> Result<[u8; 32], String> {
    let mut key = [0; 32];
    let read = hex::decode_to_slice(text, &mut key);
    read.map(|()| key).map_err(|_| "64 hexadecimal digits are expected".to_owned())
}

impl CertificateCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Show { id, at } => {
                let store = at.store().await?;
                let text = match store.certificate(id).await? {
                    Some(text) => text,
                    None => bail!(why_none(&store, id).await?),
                };
                out(format_args!("{}\n", text.trim_end()));
            }
            Self::List { at, form } => {
                let page = at.store().await?.certificates(None, form.limit).await?;
                list(&form, &["RECORDING", "REMOVED", "SHA-256"], &page.items, cells)?;
            }
            Self::Verify { file, key, audit, at } => {
                let text = if file.as_os_str() == "-" {
                    std::io::read_to_string(std::io::stdin())
                } else {
                    std::fs::read_to_string(&file)
                };
                let name = file.display().to_string();
                let text = text.with_context(|| format!("cannot read {name}"))?;
                if is_erasure(&text) {
                    let (erasure, public_key) = verify_erasure(&text, key).with_context(|| name.clone())?;
                    tell_of_erasure(&erasure, public_key, key.is_some());
                    if audit {
                        let (id, action) = (erasure.task.to_string(), "privacy-task.asked");
                        let store = at.store().await?;
                        let checked =
                            check_position(&store, &erasure.audit, ("privacy-task", id, action)).await;
                        checked.with_context(|| name)?;
                    }
                    return Ok(ExitCode::SUCCESS);
                }
                let verified = verify(&text, key).with_context(|| name.clone())?;
                tell(&verified, key.is_some());
                if audit {
                    check_audit(&at.store().await?, &verified.certificate).await.with_context(|| name)?;
                }
            }
            Self::Key { at } => {
                let path = at.load()?.signing_key_file();
                let signer = Signer::open(&path, false).context(
                    "there is no signing key yet, or it cannot be used; the server makes it at its first start",
                )?;
                out(format_args!("{}\n", hex::encode(signer.public_key())));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Why a recording has no certificate.
async fn why_none(store: &Store, id: RecordingId) -> anyhow::Result<String> {
    let row = store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
    Ok(match row.state.as_str() {
        "destroyed" => format!(
            "recording {id} is destroyed, but not all of its copies are removed yet: `sayso jobs list` says why"
        ),
        state => format!("recording {id} is {state}: only what was destroyed has a certificate"),
    })
}

/// What a certificate says, for people.
fn tell(verified: &Verified, expected: bool) {
    let Verified { certificate: it, public_key } = verified;
    let whose = if expected {
        "the expected key"
    } else {
        "a key that nobody vouches for here: compare it with the installation's own (--key)"
    };
    out(format_args!("The certificate is as it was signed, by {whose}:\n  {}\n\n", hex::encode(public_key)));
    out(format_args!("Recording      {}\nof call        {}\n", it.recording, it.call));
    out(format_args!("was destroyed  by rule `{}`: {:?}\n", it.rule, it.reason));
    out(format_args!("on behalf of   {:?}\n", it.by));
    out(format_args!("key destroyed  {}  (from then on no copy can be read)\n", it.key_destroyed_at));
    out(format_args!("found before   {}\n", lines(&it.found_before)));
    out(format_args!("found after    {}  (listed {})\n", lines(&it.found_after), it.removed_at));
    out(format_args!("looked in      {}\n", lines(&it.looked_in)));
    if !it.not_seen.is_empty() {
        out(format_args!("not looked in  {}\n", lines(&it.not_seen)));
    }
    out(format_args!("audit log      row {}, hash {}\n", it.audit.n, hex::encode(it.audit.hash)));
    out(format_args!("done by        {}\n", it.product));
}

/// Names out of a file may hold anything: they are shown quoted.
fn lines(found: &[String]) -> String {
    if found.is_empty() {
        return "nothing".to_owned();
    }
    found.iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>().join("\n               ")
}

/// That the log is whole and holds the row that the certificate names: the destruction of that recording.
async fn check_audit(store: &Store, certificate: &Certificate) -> anyhow::Result<()> {
    let about = ("recording", certificate.recording.to_string(), "recording.destroyed");
    check_position(store, &certificate.audit, about).await
}

/// That the log is whole, and its row at this place is of this action about this object.
async fn check_position(
    store: &Store,
    position: &ChainPosition,
    (kind, id, action): (&'static str, String, &'static str),
) -> anyhow::Result<()> {
    store.verify_audit(|_, _| {}).await?;
    let filter = AuditFilter { object: Some(id.clone()), limit: u32::MAX, ..AuditFilter::default() };
    let rows = store.audit(&filter).await?;
    let row = rows.iter().find(|row| row.seq == position.n).with_context(|| {
        format!(
            "the audit log of this database has no row {} about {kind} {id}: it is another installation's, or older",
            position.n
        )
    })?;
    if row.hash.0 != position.hash {
        bail!("row {} of the audit log is not the one that the certificate names: its hash differs", row.seq);
    }
    if row.action != action {
        bail!("row {} of the audit log tells of {}, not of {action}", row.seq, row.action);
    }
    out(format_args!("\nThe audit log of this database is whole, and its row {} tells of it.\n", row.seq));
    Ok(())
}

fn tell_of_erasure(it: &Erasure, public_key: [u8; 32], expected: bool) {
    let whose = if expected {
        "the expected key"
    } else {
        "a key that nobody vouches for here: compare it with the installation's own (--key)"
    };
    out(format_args!("As it was signed, with {whose}:\n  {}\n\n", hex::encode(public_key)));
    out(format_args!("Erasure        {}\nasked for      {} by {:?}\n", it.task, it.asked_at, it.by));
    if let Some(by) = &it.approved_by {
        out(format_args!("approved by    {by:?}\n"));
    }
    if let Some((file, sha256)) = &it.moved_to {
        out(format_args!("moved to       {file:?}, sha256 {sha256}, read back before\n"));
    }
    let Erasure { calls, consents, entries, .. } = it;
    out(format_args!(
        "erased         {calls} calls, {consents} consents, {entries} entries  ({})\n",
        it.erased_at
    ));
    for (recording, sha256) in &it.recordings {
        out(format_args!("destroyed      recording {recording}, certificate sha256 {sha256}\n"));
    }
    for (call, why) in &it.left {
        out(format_args!("left           call {call}: {why:?}\n"));
    }
    if !it.not_seen.is_empty() {
        out(format_args!("not looked in  {}\n", lines(&it.not_seen)));
    }
    out(format_args!("audit log      row {}, hash {}\n", it.audit.n, hex::encode(it.audit.hash)));
    out(format_args!("done by        {}\n", it.product));
}

fn cells(row: &CertificateRow) -> Vec<String> {
    vec![row.recording.to_string(), short(row.at), row.sha256.clone()]
}

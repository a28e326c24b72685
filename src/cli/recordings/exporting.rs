//! `sayso recordings export`: one file, or all of a queue into a folder. Either can be interrupted and run again.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use aws_lc_rs::digest::{Context, SHA256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Form, Place, beside, reason};
use crate::audit::{Actor, AuditEvent, Class, Object, Value};
use crate::cli::apply::account;
use crate::cli::{AtConfig, out, progress};
use crate::export::{Audio, AudioFile, AuditPlace, Facts, Manifest, Signing, extension, vcon};
use crate::ids::{QueueId, RecordingId, Redacted};
use crate::store::{Change, Filter, Listened, ListenedTo, Page, RecordingRow, Store};
use crate::time::{Clock, Timestamp};
use crate::vault::objects::Objects;
use crate::vault::{Draft, Vault};

/// What is audited of an export.
const EXPORTED: &str = "recording.exported";
/// Rows that are read at a time.
const PAGE: u32 = 200;
/// Audio of at most so many bytes goes into a vCon: it is in memory four times while it is signed.
const LARGEST_VCON: u64 = 512 << 20;

/// Write a recording's audio, or many into a folder.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Export {
    /// Its id; without it all whole recordings, as --queue and --since narrow them.
    id: Option<RecordingId>,
    /// The file to write; the folder, without an id.
    #[arg(long, value_name = "FILE|DIR")]
    to: PathBuf,
    /// The audio alone, or a signed vCon with the audio inside.
    #[arg(long, value_enum, default_value_t = Form::Wav)]
    format: Form,
    /// Write FILE.json beside it: what the recording is, hashes, signed. Always done in a folder.
    #[arg(long)]
    manifest: bool,
    /// Why, for the listening log; needed where `listening-reason` is set.
    #[arg(long, value_parser = reason)]
    reason: Option<String>,
    /// Only of calls whose first queue is this.
    #[arg(long, conflicts_with = "id")]
    queue: Option<String>,
    /// Only recordings since then (RFC 3339).
    #[arg(long, conflicts_with = "id", value_parser = since)]
    since: Option<Timestamp>,
    #[command(flatten)]
    at: AtConfig,
}

fn since(text: &str) -> Result<Timestamp, String> {
    let at =
        OffsetDateTime::parse(text, &Rfc3339).map_err(|error| format!("no time by RFC 3339: {error}"))?;
    let micros = i64::try_from(at.unix_timestamp_nanos() / 1_000).map_err(|error| error.to_string())?;
    Ok(Timestamp::from_micros(micros))
}

/// A recording that was written out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Written {
    /// Length of each channel in samples.
    pub(in crate::cli) samples: u64,
    sha256: String,
    bytes: u64,
    content_type: &'static str,
}

impl Export {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let needed = self.at.load()?.vault.listening_reason;
        anyhow::ensure!(
            self.reason.is_some() || !needed,
            "--reason: say why, it goes into the listening log (`listening-reason` is set)"
        );
        let place = Place::open_for(&self.at, self.id).await?;
        let Some(id) = self.id else { return self.all(&place).await };
        let row = place.store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
        let bar = progress("exporting");
        let written = self.one(&place, &row, &self.to, self.manifest, &bar).await;
        bar.finish_and_clear();
        let seconds = written?.samples as f64 / 8_000.0;
        out(format_args!("{}: {seconds:.1} s, stereo, 8 kHz\n", self.to.display()));
        place.store.close().await;
        Ok(ExitCode::SUCCESS)
    }

    /// Writes one recording, and its manifest last: a file with its manifest is done.
    async fn one(
        &self,
        place: &Place,
        row: &RecordingRow,
        file: &Path,
        manifest: bool,
        bar: &indicatif::ProgressBar,
    ) -> anyhow::Result<Written> {
        let Place { store, vault, objects, signer, clock } = place;
        let (id, by, at) = (row.id, account(), clock.now());
        let taken = Taken { by: by.clone(), to: file, reason: self.reason.as_deref() };
        let mut progress = |done, all| {
            bar.set_length(all);
            bar.set_position(done);
        };
        let written = match self.format {
            Form::Wav => export_row(place, row, &taken, &mut progress).await?,
            Form::Vcon => {
                let audio = opened(store, vault, objects, row).await?;
                anyhow::ensure!(
                    audio.length() <= LARGEST_VCON,
                    "recording {id} has {} bytes, too much for a vCon: take it out as --format wav --manifest",
                    audio.length()
                );
                let place = note(store, id, &taken, at).await?;
                let bytes = audio.read().await?;
                let facts = facts(store, row, at, &by, place).await?;
                let kind = audio.content_type();
                let dialog = vcon::Dialog {
                    content_type: kind,
                    filename: format!("{id}.{}", extension(kind)),
                    body: vcon::Body::Inline(&bytes),
                };
                let sign = |message: &[u8]| signer.sign(message);
                let text = vcon::sign(&facts, &dialog, &Signing { public: signer.public_key(), sign: &sign });
                put(file, text.as_bytes())?;
                let mut hash = Context::new(&SHA256);
                hash.update(text.as_bytes());
                Written {
                    samples: row.samples.unwrap_or_default(),
                    sha256: hex::encode(hash.finish()),
                    bytes: text.len() as u64,
                    content_type: "application/vcon",
                }
            }
        };
        if manifest {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Written { sha256, bytes, content_type, samples: _ } = written.clone();
            let audio = AudioFile { file: name, content_type: content_type.to_owned(), bytes, sha256 };
            let head = store.audit_position(&id.to_string(), EXPORTED).await?;
            let place = head.map(|head| AuditPlace { n: head.seq, hash: head.hash.to_string() });
            let facts = facts(store, row, at, &by, place).await?;
            let sign = |message: &[u8]| signer.sign(message);
            let text = Manifest::sign(&facts, &audio, &Signing { public: signer.public_key(), sign: &sign });
            put(&beside(file, ".json"), text.as_bytes())?;
        }
        Ok(written)
    }

    /// Writes all that is whole into a folder, each with its manifest; what is there already and right is left.
    async fn all(&self, place: &Place) -> anyhow::Result<ExitCode> {
        let dir = &self.to;
        std::fs::create_dir_all(dir).with_context(|| format!("the folder {}", dir.display()))?;
        let filter = Filter {
            limit: PAGE,
            queue: self.queue.clone().map(QueueId),
            since: self.since,
            ..Filter::default()
        };
        let (files, bytes) = (progress("recordings"), progress("this one"));
        let bars = indicatif::MultiProgress::new();
        let (files, bytes) = (bars.add(files), bars.add(bytes));
        let (mut written, mut there, mut failed) = (0_u64, 0_u64, 0_u64);
        let mut after = None;
        loop {
            let Page { items, next } = place.store.recordings_page(&filter, after).await?;
            files.inc_length(items.len() as u64);
            for row in items {
                files.inc(1);
                if !["finished", "stored"].contains(&row.state.as_str()) {
                    continue;
                }
                let file = dir.join(format!("{}.{}", row.id, self.ending(&row)));
                if is_done(&file, row.id, place.signer.public_key(), &bytes)? {
                    there += 1;
                    continue;
                }
                match self.one(place, &row, &file, true, &bytes).await {
                    Ok(_) => written += 1,
                    // The others are wanted all the same.
                    Err(error) => {
                        failed += 1;
                        bars.suspend(|| eprintln!("sayso: recording {}: {error:#}", row.id));
                    }
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        bytes.finish_and_clear();
        files.finish_and_clear();
        place.store.close().await;
        out(format_args!("{written} written, {there} were there already, {failed} failed\n"));
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn ending(&self, row: &RecordingRow) -> &'static str {
        match self.format {
            Form::Vcon => "vcon",
            // What is not encoded yet is still WAV inside; its name says what it becomes.
            Form::Wav if row.format == "opus" && row.encoded_at.is_some() => "ogg",
            Form::Wav => "wav",
        }
    }
}

/// Whether a file is there, of this recording, and as its manifest says.
fn is_done(
    file: &Path,
    id: RecordingId,
    key: [u8; 32],
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<bool> {
    let manifest = beside(file, ".json");
    let (Ok(text), Ok(mut there)) = (std::fs::read_to_string(&manifest), std::fs::File::open(file)) else {
        return Ok(false);
    };
    let Ok(told) = Manifest::verify(&text, Some(key)) else { return Ok(false) };
    if told.recording != id.to_string() || there.metadata()?.len() != told.audio.bytes {
        return Ok(false);
    }
    bar.set_length(told.audio.bytes);
    let (mut hash, mut buffer, mut done) = (Context::new(&SHA256), vec![0; 1 << 20], 0);
    loop {
        let read = std::io::Read::read(&mut there, &mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hash.finish()) == told.audio.sha256);
        }
        hash.update(&buffer[..read]);
        done += read as u64;
        bar.set_position(done);
    }
}

/// Who takes a recording out, where to, and why.
struct Taken<'a> {
    by: Actor,
    to: &'a Path,
    reason: Option<&'a str>,
}

/// Writes a recording's audio; who took it out is audited first.
pub(in crate::cli) async fn export(
    store: &Store,
    vault: &Vault,
    objects: &Objects,
    id: RecordingId,
    file: &Path,
) -> anyhow::Result<Written> {
    let row = store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
    let audio = opened(store, vault, objects, &row).await?;
    let taken = Taken { by: account(), to: file, reason: None };
    note(store, id, &taken, Clock::start().now()).await?;
    write(&audio, &row, file, &mut |_, _| {}).await
}

async fn export_row(
    place: &Place,
    row: &RecordingRow,
    taken: &Taken<'_>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> anyhow::Result<Written> {
    let Place { store, vault, objects, clock, signer: _ } = place;
    let audio = opened(store, vault, objects, row).await?;
    note(store, row.id, taken, clock.now()).await?;
    write(&audio, row, taken.to, progress).await
}

async fn write(
    audio: &Audio,
    row: &RecordingRow,
    file: &Path,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> anyhow::Result<Written> {
    let id = row.id;
    let sha256 = audio.export(id, file, progress).await.with_context(|| format!("recording {id}"))?;
    let samples = row.samples.unwrap_or_default();
    Ok(Written { samples, sha256, bytes: audio.length(), content_type: audio.content_type() })
}

async fn opened(
    store: &Store,
    vault: &Vault,
    objects: &Objects,
    row: &RecordingRow,
) -> anyhow::Result<Audio> {
    let id = row.id;
    let opened = match Audio::open(row, vault, objects).await {
        // It may have been stored since the row was read: then its file is gone from the spool.
        Err(_) if row.state == "finished" => {
            let now = store.recording(id).await?.with_context(|| format!("no recording {id}"))?;
            Audio::open(&now, vault, objects).await
        }
        opened => opened,
    };
    opened.with_context(|| format!("recording {id} cannot be taken out"))
}

/// Audits that a recording is taken out; where in the log that is.
async fn note(
    store: &Store,
    id: RecordingId,
    taken: &Taken<'_>,
    at: Timestamp,
) -> anyhow::Result<Option<AuditPlace>> {
    let Taken { by, to, reason } = taken;
    let event = AuditEvent::new(Class::Read, by.clone(), at, EXPORTED, Object::new("recording", id));
    // A file may be named after a person.
    let event = event.new_value(Some(Value::Personal(to.display().to_string())));
    // Who takes it out can listen to it as often as they like: domain rule 24.
    let who = by.name().unwrap_or_default().to_owned();
    let reason = reason.map(|reason| Redacted(reason.to_owned()));
    let listened = Listened { at, who, to: ListenedTo::Recording(id), reason };
    store.commit(vec![Change::Audit(event), Change::Listened(listened)]).await?;
    let head = store.audit_position(&id.to_string(), EXPORTED).await?;
    Ok(head.map(|head| AuditPlace { n: head.seq, hash: head.hash.to_string() }))
}

async fn facts(
    store: &Store,
    row: &RecordingRow,
    at: Timestamp,
    by: &Actor,
    audit: Option<AuditPlace>,
) -> anyhow::Result<Facts> {
    let call = store.call(row.call).await?.with_context(|| format!("no call {}", row.call))?;
    // The row may have moved on while its audio was read.
    let recording = store.recording(row.id).await?.unwrap_or_else(|| row.clone());
    Ok(Facts { recording, call, at, by: by.to_string(), audit })
}

/// Writes a file whole or not at all, mode 0600.
fn put(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        let draft = Draft::open(file, ".part")?;
        let mut to = draft.file()?;
        to.set_len(0)?;
        to.write_all(bytes)?;
        anyhow::Ok(draft.finish(file)?)
    };
    write().with_context(|| format!("{} cannot be written", file.display()))
}

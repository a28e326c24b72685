//! Where anchors are put: a file that only grows, an object, a webhook.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};
use ulid::Ulid;

use crate::audit::{Anchor, AnchorError};
use crate::ids::RecordingId;
use crate::jobs::webhook::send_now;
use crate::settings::{Settings, Webhook, WebhookRules};
use crate::store::Change;
use crate::vault::objects::{About, ObjectClass};

use super::Anchoring;

/// A place, as the settings name it.
pub(super) enum Place {
    /// A file of one statement a line.
    File(PathBuf),
    /// The object store.
    Store,
    /// A webhook, and where webhooks may be.
    Webhook(String, Arc<Webhook>, WebhookRules),
}

/// What a file of anchors says.
#[derive(Debug, Default)]
pub struct Stated {
    /// The anchors whose signature is right.
    pub anchors: Vec<Anchor>,
    /// The lines that were changed or are signed by another, each in words.
    pub faults: Vec<String>,
    /// Lines that are no statement at all: a crash cuts one off, and the next is written behind it.
    pub unreadable: usize,
}

/// Reads a file of anchors: lines as [`Anchor::statement`] wrote them.
///
/// # Errors
/// When the file cannot be read.
pub fn read_file(path: &Path, key: Option<[u8; 32]>) -> io::Result<Stated> {
    let text = std::fs::read(path)?;
    let mut stated = Stated::default();
    for (n, line) in text.split(|octet| *octet == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        match Anchor::verify(&String::from_utf8_lossy(line), key) {
            Ok(anchor) => stated.anchors.push(anchor),
            Err(AnchorError::NotAnAnchor(_)) => stated.unreadable += 1,
            Err(error) => stated.faults.push(format!("{}:{}: {error}", path.display(), n + 1)),
        }
    }
    Ok(stated)
}

impl Place {
    /// From the text of the settings.
    pub(super) fn of(text: &str, settings: &Settings) -> Result<Self, String> {
        if text == "store" {
            return Ok(Self::Store);
        }
        if let Some(name) = text.strip_prefix("webhook ") {
            let name = name.trim();
            let hook = settings.webhooks.get(name).ok_or_else(|| format!("there is no webhook {name}"))?;
            if !hook.enabled {
                return Err(format!("the webhook {name} is disabled"));
            }
            let rules = settings.system.as_ref().map(|system| system.webhooks.clone()).unwrap_or_default();
            return Ok(Self::Webhook(name.to_owned(), Arc::clone(hook), rules));
        }
        if Path::new(text).is_absolute() {
            return Ok(Self::File(PathBuf::from(text)));
        }
        Err("it is neither `store`, nor `webhook NAME`, nor an absolute path".to_owned())
    }

    /// Puts a statement there, durably. What is worth keeping of it: an object's name. A webhook's delivery is added to
    /// `changes`.
    pub(super) async fn put(
        &self,
        with: &Anchoring,
        anchor: &Anchor,
        statement: &str,
        changes: &mut Vec<Change>,
    ) -> Result<Option<String>, String> {
        match self {
            Self::File(path) => {
                let (path, line) = (path.clone(), statement.to_owned());
                let appended = tokio::task::spawn_blocking(move || append(&path, &line)).await;
                appended.map_err(|error| error.to_string())?.map_err(|error| error.to_string()).map(|()| None)
            }
            Self::Store => {
                let name = object_name(anchor);
                let about = About {
                    recording: RecordingId::new(Ulid::generate()),
                    sha256: None,
                    content_type: "application/json",
                    class: ObjectClass::Anchor,
                };
                let content = Bytes::copy_from_slice(statement.as_bytes());
                let put = with.objects.put(&name, &content, &about).await;
                put.map_err(|error| error.to_string())?;
                Ok(Some(name))
            }
            Self::Webhook(name, hook, rules) => {
                let stated: Value = serde_json::from_str(statement).map_err(|error| error.to_string())?;
                let body = json!({
                    "event": "audit.anchor",
                    "at": anchor.at.to_rfc3339(),
                    "seq": anchor.head.seq,
                    "hash": anchor.head.hash.to_string(),
                    "statement": stated,
                });
                let event = ("audit.anchor", body.to_string());
                let hook = (name.as_str(), hook.as_ref());
                let (id, sent, why) = send_now(with.clock, hook, rules, event, None).await;
                changes.push(Change::Webhook(sent));
                why.map_or(Ok(Some(format!("delivery {id}"))), Err)
            }
        }
    }
}

/// Named by day, row and time: none is put twice, and a listing has them in order.
fn object_name(anchor: &Anchor) -> String {
    let at = anchor.at.to_rfc3339();
    let day = at.split('T').next().unwrap_or_default().replace('-', "/");
    format!("anchors/{day}/{:020}-{}.json", anchor.head.seq, anchor.at.as_micros())
}

/// Appends a line and has it on the disk. Only appending is asked of the file: it may be marked append-only.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let mut text = line.to_owned();
    // A crash may have cut the last line off.
    if !is_new && !ends_line(&mut file)? {
        text.insert(0, '\n');
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    if is_new && let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn ends_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0] == b'\n')
}

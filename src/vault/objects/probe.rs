//! A probe object shows what settings and documents of a store cannot: that we may put and remove, that names are
//! never overwritten, and that what was removed is listed no more.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use ulid::Ulid;

use super::{About, ObjectClass, ObjectError, Objects, Proof, Target};
use crate::ids::RecordingId;

/// What all probes' names begin with. No recording's does, so nothing else looks there.
const PROBES: &str = "probe/";
/// A probe that is older was left by a crash; a younger one may be another server's that is at it.
const LEFT: Duration = Duration::from_secs(3_600);

/// Puts an object, tries to overwrite it, removes it, and looks for what is left: a fact worth a log line.
pub(super) async fn probe(objects: &Objects) -> Result<String, ObjectError> {
    // Of no recording; a fresh name, so that two servers never meet.
    let own = Ulid::generate();
    remove_left(objects, own).await?;
    let recording = RecordingId::new(own);
    let name = format!("{PROBES}{recording}");
    let content_type = "application/octet-stream";
    let about = About { recording, sha256: None, content_type, class: ObjectClass::Segment };
    let first = objects.put(&name, &Bytes::from_static(b"sayso"), &about).await;
    let second = match &first {
        Ok(_) => Some(objects.put(&name, &Bytes::from_static(b"other"), &about).await),
        Err(_) => None,
    };
    // Whatever came of it: nothing of the probe stays.
    let removed = objects.remove(&Target::Name(&name)).await;
    let put = first?;
    removed?;
    let refuse = |why: &str| ObjectError::Refused { what: "use", name: objects.place(), why: why.to_owned() };
    // A store that ignores the condition keeps the second content, or reports success for it.
    match second {
        Some(Err(ObjectError::Exists { .. })) | None => {}
        Some(Err(other)) => return Err(other),
        Some(Ok(_)) => {
            return Err(refuse(
                "the store overwrites: it does not know conditional writes (If-None-Match), so a recording could be \
                 lost to a fault; use one that does",
            ));
        }
    }
    if !objects.traces(&Target::Name(&name)).await?.is_empty() {
        return Err(refuse("the store says that it removed an object, but lists it still"));
    }
    Ok(match put.proof {
        Proof::Checksum => "the store tells the SHA-256 of what it keeps".to_owned(),
        Proof::ReadBack => "the store tells no checksum: each object is read back once".to_owned(),
    })
}

/// Removes what probes left that were cut off by a crash. One that cannot be removed hinders nobody.
async fn remove_left(objects: &Objects, own: Ulid) -> Result<(), ObjectError> {
    let old = own.timestamp_ms().saturating_sub(LEFT.as_millis().try_into().unwrap_or(u64::MAX));
    let of_old = |name: &str| {
        let id = name.strip_prefix(PROBES).and_then(|id| Ulid::from_string(id).ok());
        id.is_some_and(|id| id.timestamp_ms() < old)
    };
    let traces = objects.traces(&Target::Below(PROBES)).await?;
    let names: BTreeSet<String> =
        traces.into_iter().map(|trace| trace.name).filter(|name| of_old(name)).collect();
    for name in names {
        match objects.remove(&Target::Name(&name)).await {
            Ok(_) => tracing::info!(name, "a probe that a crash left is removed"),
            Err(error) if error.passes() => return Err(error),
            Err(error) => tracing::warn!(name, %error, "a probe that a crash left cannot be removed"),
        }
    }
    Ok(())
}

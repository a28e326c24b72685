//! Removing everything a bucket holds of an object, and finding all of it: versions, delete markers, unfinished
//! uploads. A listing by prefix brings names that merely begin alike too; those are left alone.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use aws_sdk_s3::types::{ObjectLockLegalHoldStatus, ObjectLockMode};
use futures_util::stream::{self, StreamExt as _};

use super::errors::{fault, not_implemented};
use super::{S3, timestamp};
use crate::time::Timestamp;
use crate::vault::objects::{ObjectError, Removed, Target, Trace, TraceKind, Unfinished};

/// How often what is left is looked for and removed.
const ROUNDS: u32 = 3;
/// Requests side by side while removing: a long call has many segments.
const TOGETHER: usize = 8;

impl S3 {
    pub(in super::super) async fn traces(&self, target: &Target<'_>) -> Result<Vec<Trace>, ObjectError> {
        let mut found = match self.versions(target).await? {
            Some(versions) => versions,
            None => self.plain(target).await?,
        };
        let uploads = self.uploads(&target.prefix()).await?;
        let uploads = uploads.into_iter().filter(|upload| target.covers(&upload.name));
        found.extend(uploads.map(|upload| Trace {
            name: upload.name,
            version: Some(upload.id),
            kind: TraceKind::Upload,
            bytes: 0,
        }));
        Ok(found)
    }

    pub(in super::super) async fn remove(&self, target: &Target<'_>) -> Result<Removed, ObjectError> {
        // First what could still become an object.
        let (uploads, mut names) = self.abort_uploads(target).await?;
        let mut removed = Removed { uploads, ..Removed::default() };
        // Looked for again until nothing is found: some stores lose a removal among others that run beside it.
        for _ in 0..ROUNDS {
            let found = match self.versions(target).await? {
                Some(versions) => versions,
                None => self.plain(target).await?,
            };
            if found.is_empty() {
                break;
            }
            self.remove_all(found, &mut removed, &mut names).await?;
        }
        removed.names = names.into_iter().collect();
        Ok(removed)
    }

    async fn remove_all(
        &self,
        found: Vec<Trace>,
        removed: &mut Removed,
        names: &mut BTreeSet<String>,
    ) -> Result<(), ObjectError> {
        // Versions before the markers that hide them: a crash between leaves nothing visible again.
        let (markers, versions): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|trace| trace.kind == TraceKind::DeleteMarker);
        let mut worst: Option<ObjectError> = None;
        for group in [versions, markers] {
            let mut work = stream::iter(group)
                .map(|trace| async { (self.remove_one(&trace).await, trace) })
                .buffer_unordered(TOGETHER);
            while let Some((done, trace)) = work.next().await {
                match done {
                    Ok(()) => {
                        match trace.kind {
                            TraceKind::DeleteMarker => removed.delete_markers += 1,
                            TraceKind::Version | TraceKind::File | TraceKind::Upload => removed.versions += 1,
                        }
                        names.insert(trace.name);
                    }
                    Err(error) => worst = Some(worse(worst, error)),
                }
            }
        }
        worst.map_or(Ok(()), Err)
    }

    pub(in super::super) async fn unfinished(
        &self,
        prefix: &str,
        older_than: Timestamp,
    ) -> Result<Vec<Unfinished>, ObjectError> {
        let mut found = self.uploads(prefix).await?;
        found.retain(|upload| upload.began < older_than);
        Ok(found)
    }

    /// Aborts unfinished uploads: how many, and of which names.
    pub(super) async fn abort_uploads(
        &self,
        target: &Target<'_>,
    ) -> Result<(u64, BTreeSet<String>), ObjectError> {
        let (mut count, mut names) = (0, BTreeSet::new());
        for upload in self.uploads(&target.prefix()).await? {
            if !target.covers(&upload.name) {
                continue;
            }
            let abort = self.client.abort_multipart_upload().bucket(self.bucket());
            let abort = abort.key(self.key(&upload.name)).upload_id(&upload.id).send().await;
            match abort {
                Ok(_) => count += 1,
                Err(error) => {
                    let gone = error.as_service_error().is_some_and(|error| error.is_no_such_upload());
                    if !gone {
                        return Err(fault("abort the upload of", &upload.name)(error));
                    }
                }
            }
            names.insert(upload.name);
        }
        Ok((count, names))
    }

    /// Removes one version, or the object where there are none. Gone already is as good.
    async fn remove_one(&self, trace: &Trace) -> Result<(), ObjectError> {
        let refused = match self.delete(trace, None).await {
            Ok(()) | Err(ObjectError::NotFound { .. }) => return Ok(()),
            Err(away @ ObjectError::Away { .. }) => return Err(away),
            Err(refused) => refused,
        };
        // An error means that the store knows of no lock: the refusal it gave is told instead.
        let head = self.client.head_object().bucket(self.bucket()).key(self.key(&trace.name));
        let Ok(found) = head.set_version_id(trace.version.clone()).send().await else { return Err(refused) };
        if found.object_lock_legal_hold_status == Some(ObjectLockLegalHoldStatus::On) {
            return Err(ObjectError::Denied {
                what: "remove",
                name: trace.name.clone(),
                why: "somebody put a legal hold on it in the store: lift it there".to_owned(),
            });
        }
        match (found.object_lock_mode, found.object_lock_retain_until_date.as_ref().map(timestamp)) {
            (Some(ObjectLockMode::Governance), _) => match self.delete(trace, Some(true)).await {
                Err(ObjectError::Denied { what, name, why }) => Err(ObjectError::Denied {
                    what,
                    name,
                    why: format!("{why}; governance is lifted with the right s3:BypassGovernanceRetention"),
                }),
                other => other,
            },
            (Some(ObjectLockMode::Compliance), Some(until)) if until > self.clock.now() => {
                Err(ObjectError::Locked { name: trace.name.clone(), until })
            }
            (Some(_) | None, _) => Err(refused),
        }
    }

    async fn delete(&self, trace: &Trace, bypass: Option<bool>) -> Result<(), ObjectError> {
        let delete = self.client.delete_object().bucket(self.bucket()).key(self.key(&trace.name));
        let delete = delete.set_version_id(trace.version.clone()).set_bypass_governance_retention(bypass);
        delete.send().await.map(drop).map_err(fault("remove", &trace.name))
    }

    /// All versions and delete markers; `None` where the store knows no versions.
    async fn versions(&self, target: &Target<'_>) -> Result<Option<Vec<Trace>>, ObjectError> {
        let (mut found, prefix) = (Vec::new(), target.prefix());
        let (mut key, mut version) = (None, None);
        loop {
            let list = self.client.list_object_versions().bucket(self.bucket()).prefix(self.key(&prefix));
            let list = list.set_key_marker(key).set_version_id_marker(version);
            let page = match list.send().await {
                Ok(page) => page,
                Err(error) if not_implemented(&error) => return Ok(None),
                Err(error) => return Err(fault("list the versions of", &prefix)(error)),
            };
            let mut push = |key: Option<String>, version, kind, bytes: Option<i64>| {
                let Some(name) = key.map(|key| self.name(&key)) else { return };
                if target.covers(&name) {
                    let bytes = bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
                    found.push(Trace { name, version, kind, bytes });
                }
            };
            for one in page.versions.unwrap_or_default() {
                push(one.key, one.version_id, TraceKind::Version, one.size);
            }
            for one in page.delete_markers.unwrap_or_default() {
                push(one.key, one.version_id, TraceKind::DeleteMarker, None);
            }
            if page.is_truncated != Some(true) {
                return Ok(Some(found));
            }
            goes_on(&prefix, page.next_key_marker.as_ref())?;
            (key, version) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    /// All objects of a store without versions.
    async fn plain(&self, target: &Target<'_>) -> Result<Vec<Trace>, ObjectError> {
        let (mut found, prefix) = (Vec::new(), target.prefix());
        let mut after: Option<String> = None;
        loop {
            let page = self.list(&prefix, after.as_deref(), 1_000).await?;
            after = page.objects.last().map(|object| object.name.clone());
            let covered = page.objects.into_iter().filter(|object| target.covers(&object.name));
            found.extend(covered.map(|object| Trace {
                name: object.name,
                version: None,
                kind: TraceKind::File,
                bytes: object.bytes,
            }));
            if !page.more {
                return Ok(found);
            }
            goes_on(&prefix, after.as_ref())?;
        }
    }

    /// All unfinished uploads of names that begin so. A store that cannot list them is one that cannot be asked:
    /// [`S3::check`] says so.
    async fn uploads(&self, prefix: &str) -> Result<Vec<Unfinished>, ObjectError> {
        let mut found = Vec::new();
        let (mut key, mut id) = (None, None);
        loop {
            let list = self.client.list_multipart_uploads().bucket(self.bucket()).prefix(self.key(prefix));
            let page = match list.set_key_marker(key).set_upload_id_marker(id).send().await {
                Ok(page) => page,
                Err(error) if not_implemented(&error) => {
                    self.hides_uploads.store(true, Ordering::Relaxed);
                    return Ok(found);
                }
                Err(error) => return Err(fault("list the uploads of", prefix)(error)),
            };
            for one in page.uploads.unwrap_or_default() {
                let (Some(key), Some(id)) = (one.key, one.upload_id) else { continue };
                // Without a date it counts as old: it is found rather than missed.
                let began = one.initiated.as_ref().map_or(Timestamp::from_micros(0), timestamp);
                found.push(Unfinished { name: self.name(&key), id, began });
            }
            if page.is_truncated != Some(true) {
                return Ok(found);
            }
            goes_on(prefix, page.next_key_marker.as_ref())?;
            (key, id) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }
}

/// A listing that says it has more must say where: taken for whole it would prove what is not so.
fn goes_on(prefix: &str, next: Option<&String>) -> Result<(), ObjectError> {
    if next.is_some() {
        return Ok(());
    }
    Err(ObjectError::Refused {
        what: "list all of",
        name: prefix.to_owned(),
        why: "the store says that its list goes on, but not where; what is there cannot be known".to_owned(),
    })
}

/// Of two errors the one to tell: a lock tells when to come again, but only when nothing else is wrong.
fn worse(one: Option<ObjectError>, other: ObjectError) -> ObjectError {
    match (one, other) {
        (None, other) => other,
        (Some(ObjectError::Locked { name, until }), ObjectError::Locked { name: second, until: later }) => {
            if later > until {
                ObjectError::Locked { name: second, until: later }
            } else {
                ObjectError::Locked { name, until }
            }
        }
        (Some(ObjectError::Locked { .. }), other) => other,
        (Some(one), _) => one,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_ends_early_proves_nothing() {
        assert!(goes_on("recordings/", Some(&"recordings/a".to_owned())).is_ok());
        let error = goes_on("recordings/", None).expect_err("it has more");
        assert!(matches!(error, ObjectError::Refused { .. }) && !error.passes(), "{error}");
    }
}

//! Asking a bucket: head, ranges, listings.

use std::ops::Range;
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use super::errors::{fault, status};
use super::{S3, SHA256_KEY, timestamp};
use crate::vault::objects::{Head, Listed, ObjectError, Page};

/// How often a stream that breaks is taken up again without a byte of progress.
const RESUMES: u32 = 2;

/// A head, and what it proves.
pub(super) struct Seen {
    pub(super) head: Head,
    /// What the store computed: base64 of SHA-256; of parts, with `-` and their number.
    pub(super) checksum: Option<String>,
    /// What was said when it was put: SHA-256 (hex) of the whole.
    pub(super) said: Option<String>,
}

impl S3 {
    pub(in super::super) async fn head(&self, name: &str) -> Result<Option<Head>, ObjectError> {
        Ok(self.seen(name).await?.map(|seen| seen.head))
    }

    pub(super) async fn seen(&self, name: &str) -> Result<Option<Seen>, ObjectError> {
        let head = self.client.head_object().bucket(self.bucket()).key(self.key(name));
        let found = match head.checksum_mode(ChecksumMode::Enabled).send().await {
            Ok(found) => found,
            Err(error) => {
                let error = fault("ask for", name)(error);
                return if matches!(error, ObjectError::NotFound { .. }) { Ok(None) } else { Err(error) };
            }
        };
        let said = found.metadata.as_ref().and_then(|all| all.get(SHA256_KEY)).cloned();
        let head = Head {
            bytes: found.content_length.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
            sha256: said.clone(),
            version: found.version_id.filter(|version| version != "null"),
            locked_until: found.object_lock_retain_until_date.as_ref().map(timestamp),
        };
        Ok(Some(Seen { head, checksum: found.checksum_sha256, said }))
    }

    pub(in super::super) async fn get(
        self: Arc<Self>,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, ObjectError>>, ObjectError> {
        let reading = self.open_reading(name, range).await?;
        let next = |(reading, s3): (Option<Reading>, Arc<Self>)| async move {
            let mut reading = reading?;
            match s3.next_piece(&mut reading).await {
                Ok(piece) => piece.map(|piece| (Ok(piece), (Some(reading), s3))),
                Err(error) => Some((Err(error), (None, s3))),
            }
        };
        Ok(stream::unfold((Some(reading), self), next).boxed())
    }

    /// The same, for use within.
    pub(super) async fn stream(
        &self,
        name: &str,
        range: Range<u64>,
    ) -> Result<BoxStream<'_, Result<Bytes, ObjectError>>, ObjectError> {
        let reading = self.open_reading(name, range).await?;
        let next = move |mut reading: Reading| async move {
            Ok(self.next_piece(&mut reading).await?.map(|piece| (piece, reading)))
        };
        Ok(stream::try_unfold(reading, next).boxed())
    }

    async fn open_reading(&self, name: &str, range: Range<u64>) -> Result<Reading, ObjectError> {
        let mut reading = Reading {
            name: name.to_owned(),
            at: range.start,
            end: range.end.max(range.start),
            etag: None,
            body: ByteStream::default(),
            resumes: RESUMES,
        };
        if reading.at < reading.end {
            self.ask(&mut reading).await?;
        }
        Ok(reading)
    }

    /// Asks for what is still to come.
    async fn ask(&self, reading: &mut Reading) -> Result<(), ObjectError> {
        let Reading { name, at, end, etag, .. } = &*reading;
        let range = format!("bytes={at}-{}", end - 1);
        let get = self.client.get_object().bucket(self.bucket()).key(self.key(name)).range(range);
        let found = get.set_if_match(etag.clone()).send().await.map_err(|error| {
            let refused = |why: &str| (name.clone(), why.to_owned());
            match status(&error) {
                Some(416) => {
                    let (name, why) = refused("it has no such range: it is shorter");
                    ObjectError::Refused { what: "read", name, why }
                }
                Some(412) => {
                    let (name, why) = refused("it was changed while it was read");
                    ObjectError::Corrupt { name, why }
                }
                Some(_) | None => fault("read", name)(error),
            }
        })?;
        let brings = found.content_length.and_then(|count| u64::try_from(count).ok());
        if brings != Some(end - at) {
            let why =
                format!("it brings {brings:?} bytes of {}: it is shorter, or knows no ranges", end - at);
            return Err(ObjectError::Refused { what: "read", name: name.clone(), why });
        }
        reading.etag = found.e_tag;
        reading.body = found.body;
        Ok(())
    }

    /// The next piece; `None` when all was brought. A connection that breaks is made anew.
    async fn next_piece(&self, reading: &mut Reading) -> Result<Option<Bytes>, ObjectError> {
        while reading.at < reading.end {
            let why = match reading.body.next().await {
                Some(Ok(piece)) if piece.is_empty() => continue,
                Some(Ok(piece)) if piece.len() as u64 <= reading.end - reading.at => {
                    reading.at += piece.len() as u64;
                    reading.resumes = RESUMES;
                    return Ok(Some(piece));
                }
                Some(Ok(_)) => {
                    let why = "more bytes came than were asked for".to_owned();
                    return Err(ObjectError::Corrupt { name: reading.name.clone(), why });
                }
                Some(Err(error)) => error.to_string(),
                None => "the connection ended early".to_owned(),
            };
            if reading.resumes == 0 {
                return Err(ObjectError::Away { what: "read", name: reading.name.clone(), why });
            }
            reading.resumes -= 1;
            self.ask(reading).await?;
        }
        Ok(None)
    }

    pub(in super::super) async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, ObjectError> {
        let list = self.client.list_objects_v2().bucket(self.bucket()).prefix(self.key(prefix));
        let list = list.max_keys(i32::try_from(limit).unwrap_or(1_000));
        let list = list.set_start_after(after.map(|name| self.key(name)));
        let found = list.send().await.map_err(fault("list", prefix))?;
        let objects = found.contents.unwrap_or_default().into_iter().filter_map(|object| {
            Some(Listed {
                name: self.name(object.key.as_deref()?),
                bytes: object.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0),
                modified: timestamp(object.last_modified.as_ref()?),
            })
        });
        Ok(Page { objects: objects.collect(), more: found.is_truncated.unwrap_or(false) })
    }
}

/// A range that is being read.
struct Reading {
    name: String,
    at: u64,
    end: u64,
    /// Of which object the first bytes were: the rest must be of the same.
    etag: Option<String>,
    body: ByteStream,
    /// How often it may still be taken up again without progress.
    resumes: u32,
}

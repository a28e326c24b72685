//! Putting an object: conditional, with checksums that the store compares, and a proof afterwards.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::DateTime;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, ObjectLockMode, ServerSideEncryption,
    StorageClass,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures_util::StreamExt as _;
use tracing::warn;

use super::errors::fault;
use super::settings::{LockMode, Sse};
use super::{CONNECT, S3, SHA256_KEY, pace};
use crate::vault::objects::{About, Content, ObjectClass, ObjectError, Proof, Put, Target, content};

/// Above this an object is put in parts, each of this size. A part is what has to be sent again after a fault.
const PART: u64 = 8 << 20;
/// More parts S3 does not take.
const MOST_PARTS: u64 = 10_000;
/// What a line that works at all carries, bytes a second: sets how long a part may take.
const SLOWEST: u64 = 32 << 10;

/// What has to be there afterwards.
struct Expected<'a> {
    bytes: u64,
    /// SHA-256 (hex) of the whole.
    sha256: &'a str,
    /// The SHA-256 of its parts' SHA-256 and their number, as S3 gives it for an object put in parts.
    composite: Option<String>,
}

impl Expected<'_> {
    /// Whether this is what a store says of it (base64): of the whole, or of its parts, where some leave their number
    /// out.
    fn has_checksum(&self, said: &str) -> bool {
        let of_parts = self.composite.as_deref();
        let of_parts = of_parts.is_some_and(|own| own == said || own.split('-').next() == Some(said));
        let of_whole =
            || BASE64.decode(said).is_ok_and(|sum| hex::encode(sum).eq_ignore_ascii_case(self.sha256));
        of_parts || of_whole()
    }
}

/// What an object is made with, in the SDK's types.
struct Made {
    sse: Option<ServerSideEncryption>,
    kms_key: Option<String>,
    class: Option<StorageClass>,
    tags: String,
    lock: Option<(ObjectLockMode, DateTime)>,
}

impl S3 {
    pub(in super::super) async fn put(
        &self,
        name: &str,
        content: &dyn Content,
        about: &About,
    ) -> Result<Put, ObjectError> {
        let sha256 = match &about.sha256 {
            Some(known) => known.clone(),
            None => content::sha256(content, PART, name).await?,
        };
        let mut expected = Expected { bytes: content.len(), sha256: &sha256, composite: None };
        let put = if content.len() <= PART {
            self.put_whole(name, content, about, &sha256).await
        } else {
            let size = part_size(content.len());
            self.put_parts(name, content, size, about, &mut expected).await
        };
        let proven = match put {
            Ok(()) => match self.prove(name, &expected).await {
                // Ours, and wrong from the start, past a store that compares no checksums: nobody has been told of it,
                // and it must not block the next try.
                Err(ObjectError::Corrupt { name, why }) => {
                    self.remove(&Target::Name(&name)).await?;
                    let why = format!("what arrived is not what was sent, it was removed: {why}");
                    return Err(ObjectError::Away { what: "put", name, why });
                }
                other => other?,
            },
            // Ours, when an earlier try got through and its answer did not.
            Err(ObjectError::Exists { name }) => match self.prove(&name, &expected).await {
                Err(ObjectError::Corrupt { .. }) => return Err(ObjectError::Exists { name }),
                other => other?,
            },
            Err(other) => return Err(other),
        };
        if content.len() > PART {
            self.clean_up(name).await;
        }
        Ok(proven)
    }

    pub(in super::super) async fn verify(
        &self,
        name: &str,
        bytes: u64,
        sha256: &str,
    ) -> Result<Put, ObjectError> {
        self.prove(name, &Expected { bytes, sha256, composite: None }).await
    }

    async fn put_whole(
        &self,
        name: &str,
        content: &dyn Content,
        about: &About,
        sha256: &str,
    ) -> Result<(), ObjectError> {
        let bytes = content::read(content, 0..content.len(), name).await?;
        let sum = digest(&SHA256, &bytes);
        compare(name, sha256, &hex::encode(sum))?;
        let made = self.made(about);
        let (mode, until) = made.lock.unzip();
        let put = self.client.put_object().bucket(self.bucket()).key(self.key(name));
        let put = put.if_none_match("*").content_type(about.content_type).metadata(SHA256_KEY, sha256);
        let put =
            put.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_sha256(BASE64.encode(sum.as_ref()));
        let put = put.tagging(made.tags).set_storage_class(made.class);
        let put = put.set_server_side_encryption(made.sse).set_ssekms_key_id(made.kms_key);
        let put = put.set_object_lock_mode(mode).set_object_lock_retain_until_date(until);
        let put = put.content_length(i64::try_from(bytes.len()).expect("a part's size"));
        let patience = self.patience(content.len());
        let put = put.body(pace::body(bytes, self.pace.as_ref())).customize().config_override(patience);
        put.send().await.map(drop).map_err(fault("put", name))
    }

    async fn put_parts(
        &self,
        name: &str,
        content: &dyn Content,
        size: u64,
        about: &About,
        expected: &mut Expected<'_>,
    ) -> Result<(), ObjectError> {
        if self.head(name).await?.is_some() {
            expected.composite = Some(composite(content, size, name).await?);
            return Err(ObjectError::Exists { name: name.to_owned() });
        }
        let upload = self.begin_parts(name, about, expected.sha256).await?;
        let Err(error) = self.send_parts(name, content, size, &upload, expected).await else {
            return Ok(());
        };
        // The last request may have been carried out without our knowing.
        if expected.composite.is_some() && self.prove(name, expected).await.is_ok() {
            return Ok(());
        }
        let key = self.key(name);
        let abort = self.client.abort_multipart_upload().bucket(self.bucket()).key(key).upload_id(upload);
        match abort.send().await.map_err(fault("abort the upload of", name)) {
            Ok(_) | Err(ObjectError::NotFound { .. }) => {}
            Err(second) => warn!(%name, error = %second, "parts may be left; the next try removes them"),
        }
        Err(error)
    }

    /// Aborts what earlier tries left, of this process or one that died. Only once the object is there: until then
    /// they may be of another server that is putting it.
    async fn clean_up(&self, name: &str) {
        if let Err(error) = self.abort_uploads(&Target::Name(name)).await {
            warn!(%name, %error, "uploads that were never finished may be left; reconciliation finds them");
        }
    }

    async fn begin_parts(&self, name: &str, about: &About, sha256: &str) -> Result<String, ObjectError> {
        let made = self.made(about);
        let (mode, until) = made.lock.unzip();
        let begin = self.client.create_multipart_upload().bucket(self.bucket()).key(self.key(name));
        let begin = begin.checksum_algorithm(ChecksumAlgorithm::Sha256).metadata(SHA256_KEY, sha256);
        let begin = begin.content_type(about.content_type).tagging(made.tags).set_storage_class(made.class);
        let begin = begin.set_server_side_encryption(made.sse).set_ssekms_key_id(made.kms_key);
        let begin = begin.set_object_lock_mode(mode).set_object_lock_retain_until_date(until);
        let begun = begin.send().await.map_err(fault("begin the upload of", name))?;
        begun.upload_id.ok_or_else(|| ObjectError::Refused {
            what: "begin the upload of",
            name: name.to_owned(),
            why: "the store's answer names no upload".to_owned(),
        })
    }

    /// One part after the other, so that no more than one is in memory; uploads side by side are the jobs' matter.
    async fn send_parts(
        &self,
        name: &str,
        content: &dyn Content,
        size: u64,
        upload: &str,
        expected: &mut Expected<'_>,
    ) -> Result<(), ObjectError> {
        let (mut whole, mut sums) = (Context::new(&SHA256), Context::new(&SHA256));
        let mut parts = Vec::new();
        let mut at = 0;
        while at < content.len() {
            let bytes = content::read(content, at..content.len().min(at + size), name).await?;
            at += bytes.len() as u64;
            let sum = digest(&SHA256, &bytes);
            whole.update(&bytes);
            sums.update(sum.as_ref());
            let number = i32::try_from(parts.len() + 1).expect("at most 10,000 parts");
            let sum = BASE64.encode(sum.as_ref());
            let part = self.client.upload_part().bucket(self.bucket()).key(self.key(name)).upload_id(upload);
            let part =
                part.part_number(number).content_length(i64::try_from(bytes.len()).expect("a part's size"));
            let part = part.checksum_algorithm(ChecksumAlgorithm::Sha256).checksum_sha256(&sum);
            let patience = self.patience(bytes.len() as u64);
            let part = part.body(pace::body(bytes, self.pace.as_ref())).customize().config_override(patience);
            let sent = part.send().await.map_err(fault("put a part of", name))?;
            let done = CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag);
            parts.push(done.checksum_sha256(sum).build());
        }
        compare(name, expected.sha256, &hex::encode(whole.finish()))?;
        expected.composite = Some(format!("{}-{}", BASE64.encode(sums.finish()), parts.len()));
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(self.bucket()).key(self.key(name));
        let complete = complete.upload_id(upload).if_none_match("*").multipart_upload(parts);
        // The store puts the parts together before it answers: minutes, for hours of audio.
        let complete = complete.customize().config_override(self.patience(content.len()));
        let done = complete.send().await.map(drop).map_err(fault("end the upload of", name));
        done.map_err(|error| {
            // It took all parts from us: some stores answer so when the upload has ended, by a request of ours
            // whose answer was lost. The next try finds out.
            let ObjectError::Denied { what, name, why } = error else { return error };
            ObjectError::Away { what, name, why }
        })
    }

    /// Compares what the store says it has with what it should have; reads it back where it says too little.
    async fn prove(&self, name: &str, expected: &Expected<'_>) -> Result<Put, ObjectError> {
        let found = self.seen(name).await?.ok_or_else(|| ObjectError::NotFound { name: name.to_owned() })?;
        let corrupt = |why: String| ObjectError::Corrupt { name: name.to_owned(), why };
        if found.head.bytes != expected.bytes {
            let (has, wanted) = (found.head.bytes, expected.bytes);
            return Err(corrupt(format!("the store has {has} bytes, {wanted} are expected")));
        }
        if let Some(said) = &found.said {
            compare(name, expected.sha256, said)?;
        }
        let proof = if found.checksum.is_some_and(|sum| expected.has_checksum(&sum)) {
            Proof::Checksum
        } else {
            // No checksum, or one of parts we do not know: the bytes decide.
            self.read_back(name, expected).await?;
            Proof::ReadBack
        };
        let Expected { bytes, sha256, .. } = *expected;
        Ok(Put { version: found.head.version, bytes, checksum: sha256.to_owned(), proof })
    }

    async fn read_back(&self, name: &str, expected: &Expected<'_>) -> Result<(), ObjectError> {
        let mut hash = Context::new(&SHA256);
        let mut stream = self.stream(name, 0..expected.bytes).await?;
        while let Some(piece) = stream.next().await {
            hash.update(&piece?);
        }
        compare(name, expected.sha256, &hex::encode(hash.finish()))
    }

    fn made(&self, about: &About) -> Made {
        let settings = &self.settings;
        let (sse, kms_key) = match &settings.sse {
            None => (None, None),
            Some(Sse::S3) => (Some(ServerSideEncryption::Aes256), None),
            Some(Sse::Kms { key }) => (Some(ServerSideEncryption::AwsKms), key.clone()),
        };
        let (kind, lock) = match about.class {
            ObjectClass::Recording => ("recording", settings.lock),
            ObjectClass::Segment => ("segment", None),
            ObjectClass::Anchor => ("anchor", settings.lock),
        };
        let recording = about.recording.to_string();
        let of = (about.class != ObjectClass::Anchor).then_some(("sayso-recording", recording.as_str()));
        let own = of.into_iter().chain([("sayso-kind", kind)]);
        let all = settings.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).chain(own);
        let tags: Vec<String> =
            all.map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
        let lock = lock.map(|lock| {
            let mode = match lock.mode {
                LockMode::Governance => ObjectLockMode::Governance,
                LockMode::Compliance => ObjectLockMode::Compliance,
            };
            let until = self.clock.now() + Duration::from_secs(u64::from(lock.days) * 86_400);
            (mode, DateTime::from_secs(until.as_micros() / 1_000_000))
        });
        let class = settings.storage_class.as_deref().map(StorageClass::from);
        Made { sse, kms_key, class, tags: tags.join("&"), lock }
    }

    /// How long a request with so many bytes may take: a limit that others share makes it long, a store that
    /// takes none of them is noticed by the SDK's guard against stalled streams.
    fn patience(&self, bytes: u64) -> aws_sdk_s3::config::Builder {
        let rate = self.pace.as_ref().map_or(SLOWEST, |pace| SLOWEST.min((pace.rate() / 16).max(1)));
        let span = Duration::from_secs(60 + bytes / rate);
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT);
        let timeouts = timeouts.read_timeout(span).operation_attempt_timeout(span).build();
        aws_sdk_s3::config::Builder::new().timeout_config(timeouts)
    }
}

/// The size of all parts but the last, the same each time for one length.
fn part_size(length: u64) -> u64 {
    let least = length.div_ceil(MOST_PARTS);
    PART.max(least.div_ceil(1 << 20) << 20)
}

/// What S3 gives as the checksum of an object put in parts of this size.
async fn composite(content: &dyn Content, size: u64, name: &str) -> Result<String, ObjectError> {
    let mut sums = Context::new(&SHA256);
    let mut at = 0;
    while at < content.len() {
        let end = content.len().min(at + size);
        sums.update(digest(&SHA256, &content::read(content, at..end, name).await?).as_ref());
        at = end;
    }
    Ok(format!("{}-{}", BASE64.encode(sums.finish()), content.len().div_ceil(size)))
}

fn compare(name: &str, expected: &str, found: &str) -> Result<(), ObjectError> {
    if expected.eq_ignore_ascii_case(found) {
        return Ok(());
    }
    let why = format!("its SHA-256 is {found}, {expected} is expected");
    Err(ObjectError::Corrupt { name: name.to_owned(), why })
}

/// As the header `x-amz-tagging` has it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_few_enough() {
        assert_eq!(part_size(PART + 1), PART);
        assert_eq!(part_size(PART * MOST_PARTS), PART);
        let long = PART * MOST_PARTS + 1;
        assert_eq!(part_size(long), PART + (1 << 20));
        assert!(long.div_ceil(part_size(long)) <= MOST_PARTS);
    }

    #[test]
    fn tags_are_escaped() {
        assert_eq!(escaped("cost centre=a&b/ä"), "cost%20centre%3Da%26b%2F%C3%A4");
    }
}

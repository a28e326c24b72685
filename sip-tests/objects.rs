//! The object stores: the same behaviour from a folder, from `s3s-fs` (which checks signatures and checksums) and from
//! `moto` (which has versions and locks), and what faults of the network make of it.

mod faults;
mod folder;
mod moto;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use sayso::ids::RecordingId;
use sayso::vault::objects::{
    About, Content, ObjectClass, ObjectError, Objects, ObjectsConfig, S3Settings, Target,
};
use ulid::Ulid;

use crate::harness::s3::S3Server;

const DAY: &str = "recordings/2026/11/22";
/// Three parts, the last of 4 MiB and 3 bytes.
const LONG: usize = (20 << 20) + 3;
/// Two parts.
const IN_PARTS: usize = (8 << 20) + 2_000;

fn recording() -> RecordingId {
    RecordingId::new(Ulid::generate())
}

fn name_of(id: RecordingId) -> String {
    format!("{DAY}/{id}.rec")
}

fn about(id: RecordingId, content: &[u8]) -> About {
    About {
        recording: id,
        sha256: Some(sha256(content)),
        content_type: "application/octet-stream",
        class: ObjectClass::Recording,
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

/// Bytes that look random and are the same each time.
fn noise(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..length.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(length);
    bytes.into()
}

async fn in_bucket(settings: S3Settings) -> Objects {
    Objects::open(&ObjectsConfig::S3(Box::new(settings))).await.expect("good settings")
}

async fn in_folder(dir: &Path) -> Objects {
    Objects::open(&ObjectsConfig::Folder { dir: dir.to_owned() }).await.expect("a folder")
}

async fn read(objects: &Objects, name: &str, range: Range<u64>) -> Result<Vec<u8>, ObjectError> {
    let mut stream = objects.get(name, range).await?;
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

async fn is_gone(objects: &Objects, name: &str) {
    assert_eq!(objects.traces(&Target::Name(name)).await.expect("a listing"), [], "{name} left something");
    assert_eq!(objects.head(name).await.expect("an answer"), None);
}

#[tokio::test]
async fn a_folder_keeps_the_promises() {
    let dir = tempfile::tempdir().expect("a folder");
    let objects = in_folder(&dir.path().join("objects")).await;
    keeps_the_promises(&objects).await;
    let left: Vec<PathBuf> = files_below(dir.path());
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[tokio::test]
async fn s3s_keeps_the_promises() {
    let server = S3Server::shared_s3s();
    let objects = in_bucket(server.settings(&server.bucket().await)).await;
    keeps_the_promises(&objects).await;
}

#[tokio::test]
async fn moto_keeps_the_promises() {
    let server = S3Server::shared_moto();
    let bucket = server.bucket().await;
    keeps_the_promises(&in_bucket(server.settings(&bucket)).await).await;
}

/// What every store does. Leaves nothing behind.
async fn keeps_the_promises(objects: &Objects) {
    let facts = objects.check().await.expect("a store that works");
    assert!(!facts.is_empty());
    puts_reads_and_removes(objects).await;
    never_overwrites(objects).await;
    refuses_what_was_not_said(objects).await;
    lists_in_order(objects).await;
    takes_no_neighbour(objects).await;
}

async fn puts_reads_and_removes(objects: &Objects) {
    for length in [0, 1, 70_000, 8 << 20, LONG] {
        let (id, content) = (recording(), noise(length));
        let name = name_of(id);
        assert!(matches!(objects.verify(&name, 0, "").await, Err(ObjectError::NotFound { .. })));
        assert!(matches!(objects.get(&name, 0..1).await, Err(ObjectError::NotFound { .. })));
        let put = objects.put(&name, &content, &about(id, &content)).await.expect("put");
        assert_eq!((put.bytes, put.checksum.as_str()), (length as u64, sha256(&content).as_str()));
        let head = objects.head(&name).await.expect("an answer").expect("it is there");
        assert_eq!((head.bytes, head.locked_until), (length as u64, None));
        assert!(head.sha256.is_none_or(|said| said == sha256(&content)));
        let verified = objects.verify(&name, length as u64, &sha256(&content)).await.expect("it verifies");
        assert_eq!(verified.checksum, put.checksum);
        let all = 0..length as u64;
        assert_eq!(read(objects, &name, all).await.expect("read"), content, "{length} bytes");
        if length > 2 {
            let middle = length as u64 / 3..length as u64 - 1;
            let part = read(objects, &name, middle).await.expect("read");
            assert_eq!(part, content[length / 3..length - 1], "the middle of {length} bytes");
        }
        let past = length as u64..length as u64 + 1;
        let refused = read(objects, &name, past).await.expect_err("there is no such range");
        assert!(!refused.passes(), "{refused}");
        let traces = objects.traces(&Target::Name(&name)).await.expect("a listing");
        assert_eq!(traces.len(), 1, "{traces:?}");
        assert_eq!((traces[0].name.as_str(), traces[0].bytes), (name.as_str(), length as u64));
        let removed = objects.remove(&Target::Name(&name)).await.expect("removed");
        assert_eq!((removed.versions, removed.uploads, removed.names), (1, 0, vec![name.clone()]));
        is_gone(objects, &name).await;
        let again = objects.remove(&Target::Name(&name)).await.expect("nothing to do");
        assert_eq!((again.versions, again.names.len()), (0, 0));
    }
}

async fn never_overwrites(objects: &Objects) {
    for length in [1_000, LONG] {
        let (id, content) = (recording(), noise(length));
        let name = name_of(id);
        let first = objects.put(&name, &content, &about(id, &content)).await.expect("put");
        let again = objects.put(&name, &content, &about(id, &content)).await.expect("it is there already");
        assert_eq!(again.version, first.version);
        let mut other = content.to_vec();
        other[length - 1] ^= 1;
        let other = Bytes::from(other);
        let unsaid = About { sha256: None, ..about(id, &[]) };
        for about in [about(id, &other), unsaid] {
            let refused = objects.put(&name, &other, &about).await.expect_err("the name is taken");
            assert!(matches!(refused, ObjectError::Exists { .. }), "{refused:?}");
        }
        let wrong = objects.verify(&name, length as u64, &sha256(&other)).await.expect_err("not this");
        assert!(matches!(wrong, ObjectError::Corrupt { .. }), "{wrong:?}");
        assert_eq!(read(objects, &name, 0..length as u64).await.expect("read"), content);
        assert_eq!(objects.traces(&Target::Name(&name)).await.expect("a listing").len(), 1);
        objects.remove(&Target::Name(&name)).await.expect("removed");
    }
}

/// Content that is not what was said, or that cannot be read to its end, is not put.
async fn refuses_what_was_not_said(objects: &Objects) {
    for length in [1_000, LONG] {
        let (id, content) = (recording(), noise(length));
        let name = name_of(id);
        let wrong = objects.put(&name, &content, &about(id, b"something else")).await;
        assert!(matches!(wrong, Err(ObjectError::Corrupt { .. })), "{wrong:?}");
        is_gone(objects, &name).await;
        let broken = Broken { whole: content.clone(), until: length as u64 - 10 };
        objects.put(&name, &broken, &about(id, &content)).await.expect_err("it cannot be read");
        is_gone(objects, &name).await;
    }
    for bad in ["../escape", "/absolute", "a//b", ".hidden"] {
        let refused = objects.put(bad, &noise(1), &about(recording(), &noise(1))).await;
        assert!(matches!(refused, Err(ObjectError::Refused { .. })), "{bad}: {refused:?}");
    }
}

async fn lists_in_order(objects: &Objects) {
    let id = recording();
    // A slash comes after a dot: whole names are compared, not directories.
    let mut names: Vec<String> = (0..5).map(|n| format!("list/a.seg/{n:06}")).collect();
    names.extend(["list/a.rec", "list/a.seg.rec", "list/b/1/x.rec", "list/b.rec"].map(str::to_owned));
    for name in &names {
        objects.put(name, &noise(10), &about(id, &noise(10))).await.expect("put");
    }
    names.sort_unstable();
    for limit in [1, 2, 1_000] {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = objects.list("list/", after.as_deref(), limit).await.expect("a page");
            assert!(page.objects.len() <= limit && page.objects.iter().all(|object| object.bytes == 10));
            found.extend(page.objects.into_iter().map(|object| object.name));
            if !page.more {
                break;
            }
            after = found.last().cloned();
        }
        assert_eq!(found, names, "{limit} at a time");
    }
    let some = objects.list("list/a.seg", Some("list/a.seg/000003"), 10).await.expect("a page");
    assert_eq!(some.objects.iter().map(|object| &object.name).collect::<Vec<_>>(), ["list/a.seg/000004"]);
    assert_eq!(objects.list("nothing/", None, 10).await.expect("a page").objects, []);
    let removed = objects.remove(&Target::Below("list")).await.expect("removed");
    assert_eq!(removed.names, names);
    assert_eq!(objects.traces(&Target::Below("list/")).await.expect("a listing"), []);
}

async fn takes_no_neighbour(objects: &Objects) {
    let id = recording();
    let names = ["n/a", "n/a.rec", "n/a.rec.rec", "n/a.seg/000000", "n/a.seg/0000001", "n/a.seg2/000000"];
    for name in names {
        objects.put(name, &noise(3), &about(id, &noise(3))).await.expect("put");
    }
    let removed = objects.remove(&Target::Name("n/a.rec")).await.expect("removed");
    assert_eq!(removed.names, ["n/a.rec"]);
    let removed = objects.remove(&Target::Name("n/a.seg/000000")).await.expect("removed");
    assert_eq!(removed.names, ["n/a.seg/000000"]);
    let removed = objects.remove(&Target::Below("n/a.seg")).await.expect("removed");
    assert_eq!(removed.names, ["n/a.seg/0000001"]);
    let left = objects.list("n/", None, 10).await.expect("a page");
    let left: Vec<_> = left.objects.into_iter().map(|object| object.name).collect();
    assert_eq!(left, ["n/a", "n/a.rec.rec", "n/a.seg2/000000"]);
    objects.remove(&Target::Below("n")).await.expect("removed");
}

/// Content that cannot be read past a point.
struct Broken {
    whole: Bytes,
    until: u64,
}

impl Content for Broken {
    fn len(&self) -> u64 {
        self.whole.len() as u64
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, std::io::Result<Bytes>> {
        if range.end > self.until {
            return Box::pin(std::future::ready(Err(std::io::ErrorKind::Other.into())));
        }
        Content::read(&self.whole, range)
    }
}

#[tokio::test]
async fn a_probe_that_a_crash_left_is_removed() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = S3Server::shared_moto();
    for objects in [in_folder(dir.path()).await, in_bucket(server.settings(&server.bucket().await)).await] {
        let old = format!("probe/{}", Ulid::from_parts(1_000, 7));
        let another_server = format!("probe/{}", Ulid::generate());
        for name in [&old, &another_server] {
            objects.put(name, &noise(5), &about(recording(), &noise(5))).await.expect("put");
        }
        objects.check().await.expect("it will do");
        is_gone(&objects, &old).await;
        assert_eq!(objects.traces(&Target::Below("probe")).await.expect("a listing").len(), 1);
        assert!(objects.head(&another_server).await.expect("an answer").is_some());
    }
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found
}

fn nothing_unfinished(server: &S3Server) {
    assert_eq!(unfinished(server), Vec::<PathBuf>::new());
}

/// `s3s-fs` cannot list uploads, but parts and uploads are files beside its buckets.
fn unfinished(server: &S3Server) -> Vec<PathBuf> {
    let mut files = files_below(server.folder());
    files.retain(|file| file.to_string_lossy().contains(".upload_id-"));
    files
}

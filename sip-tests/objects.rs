//! The object stores: the same behaviour from a folder, from `s3s-fs` (which checks signatures and checksums) and from
//! `moto` (which has versions and locks), and what faults of the network make of it.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetentionMode, ObjectLockRule,
    VersioningConfiguration,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use sayso::ids::{RecordingId, Redacted};
use sayso::time::Clock;
use sayso::vault::objects::{
    About, Content, Lock, LockMode, ObjectClass, ObjectError, Objects, ObjectsConfig, Proof, S3Settings, Sse,
    Target, TraceKind,
};
use ulid::Ulid;

use crate::harness::faults::{Fault, Faults};
use crate::harness::s3::{self, S3Server};

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

/// Content that is a file.
struct OfFile(PathBuf, Bytes);

impl Content for OfFile {
    fn len(&self) -> u64 {
        self.1.len() as u64
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, std::io::Result<Bytes>> {
        Content::read(&self.1, range)
    }

    fn file(&self) -> Option<&Path> {
        Some(&self.0)
    }
}

#[tokio::test]
async fn a_folder_links_a_file_and_compares_what_it_holds() {
    use std::os::unix::fs::MetadataExt as _;
    let dir = tempfile::tempdir().expect("a folder");
    let objects = in_folder(&dir.path().join("objects")).await;
    let (id, content) = (recording(), noise(100_000));
    let spooled = dir.path().join("spooled");
    fs::write(&spooled, &content).expect("written");
    let file = OfFile(spooled.clone(), content.clone());
    objects.put(&name_of(id), &file, &about(id, &content)).await.expect("put");
    let stored = dir.path().join("objects").join(name_of(id));
    assert_eq!(fs::metadata(&stored).expect("there").nlink(), 2);
    objects.put(&name_of(id), &file, &about(id, &content)).await.expect("done already");

    let damaged = recording();
    fs::remove_file(&spooled).expect("removed");
    fs::write(&spooled, noise(99_999)).expect("written");
    let refused = objects.put(&name_of(damaged), &file, &about(damaged, &content)).await;
    assert!(matches!(refused, Err(ObjectError::Corrupt { .. })), "{refused:?}");
    is_gone(&objects, &name_of(damaged)).await;
}

#[tokio::test]
async fn a_folder_finds_what_a_crash_left() {
    let dir = tempfile::tempdir().expect("a folder");
    let objects = in_folder(dir.path()).await;
    let (id, content) = (recording(), noise(1_000));
    let name = name_of(id);
    let uploads = dir.path().join(".uploads");
    fs::create_dir_all(&uploads).expect("made");
    let upload =
        |id: RecordingId| uploads.join(format!("{}.{}.tmp", name_of(id).replace('/', "!"), Ulid::generate()));
    let (left, other) = (upload(id), upload(recording()));
    for file in [&left, &other] {
        fs::write(file, b"half of it").expect("written");
    }
    let traces = objects.traces(&Target::Name(&name)).await.expect("a listing");
    assert_eq!(
        traces.iter().map(|trace| (trace.kind, trace.bytes)).collect::<Vec<_>>(),
        [(TraceKind::Upload, 10)]
    );
    let soon = Clock::start().now() + Duration::from_secs(60);
    assert_eq!(objects.unfinished("recordings/", soon).await.expect("a listing").len(), 2);
    let earlier = Clock::start().now() - Duration::from_secs(60);
    assert_eq!(objects.unfinished("recordings/", earlier).await.expect("a listing"), []);
    assert_eq!(objects.list("", None, 10).await.expect("a page").objects, []);
    objects.put(&name, &content, &about(id, &content)).await.expect("put");
    assert!(!left.exists() && other.exists());
    fs::write(&left, b"again").expect("written");
    let removed = objects.remove(&Target::Name(&name)).await.expect("removed");
    assert_eq!((removed.versions, removed.uploads), (1, 1));
    is_gone(&objects, &name).await;
    assert!(other.exists());
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_not_shown() {
    let server = S3Server::shared_s3s();
    let mut settings = server.settings(&server.bucket().await);
    settings.credentials = Some((s3::ACCESS_KEY.to_owned(), Redacted("another secret".to_owned())));
    let objects = in_bucket(settings).await;
    let (id, content) = (recording(), noise(10));
    for error in [
        objects.put(&name_of(id), &content, &about(id, &content)).await.expect_err("a wrong secret"),
        objects.list("", None, 10).await.expect_err("a wrong secret"),
        objects.check().await.expect_err("a wrong secret"),
    ] {
        assert!(matches!(error, ObjectError::Denied { .. }) && !error.passes(), "{error:?}");
        let shown = format!("{error} {error:?} {objects:?}");
        assert!(!shown.contains("another secret") && !shown.contains(s3::ACCESS_KEY), "{shown}");
    }
}

#[tokio::test]
async fn a_missing_bucket_is_said() {
    for server in [S3Server::shared_s3s(), S3Server::shared_moto()] {
        let error = in_bucket(server.settings("no-such-bucket")).await.check().await.expect_err("no bucket");
        assert!(
            matches!(error, ObjectError::Denied { .. }) && error.to_string().contains("bucket"),
            "{error}"
        );
    }
}

/// A byte that changes on the way is noticed by the store, whether the body is signed or (with a limit) not: the
/// request is refused, and what is there in the end is unharmed.
#[tokio::test]
async fn a_flipped_byte_is_refused_by_the_store() {
    let server = S3Server::s3s();
    let faults = Faults::start(server.address());
    let mut settings = s3::settings(&faults.endpoint(), &server.bucket().await);
    for (bandwidth, length) in [(None, 5_000), (None, LONG), (Some(1 << 30), LONG)] {
        settings.bandwidth = bandwidth;
        let objects = in_bucket(settings.clone()).await;
        let (id, content) = (recording(), noise(length));
        let name = name_of(id);
        // As often as the SDK sends it.
        faults.rule(&format!("PUT {id}"), 100, Fault::FlipRequest(4_321));
        let error = objects.put(&name, &content, &about(id, &content)).await.expect_err("damaged");
        assert!(error.passes(), "it is sent again: {error:?}");
        assert!(faults.count(&format!("PUT {id}")) >= 1);
        is_gone(&objects, &name).await;
        nothing_unfinished(&server);
        faults.mend();
        let put = objects.put(&name, &content, &about(id, &content)).await.expect("unharmed now");
        assert_eq!(put.checksum, sha256(&content));
    }
}

/// The same for a short one with a limit, where this server refuses but keeps what it refused: it is never taken for
/// the object.
#[tokio::test]
async fn a_damaged_object_is_not_taken_for_ours() {
    let server = S3Server::s3s();
    let faults = Faults::start(server.address());
    let mut settings = s3::settings(&faults.endpoint(), &server.bucket().await);
    settings.bandwidth = Some(1 << 30);
    let objects = in_bucket(settings).await;
    let (id, content) = (recording(), noise(5_000));
    let name = name_of(id);
    faults.rule("PUT", 100, Fault::FlipRequest(4_321));
    objects.put(&name, &content, &about(id, &content)).await.expect_err("damaged");
    faults.mend();
    let refused = objects.put(&name, &content, &about(id, &content)).await.expect_err("it is in the way");
    assert!(matches!(refused, ObjectError::Exists { .. }), "{refused:?}");
    let corrupt = objects.verify(&name, 5_000, &sha256(&content)).await.expect_err("damaged");
    assert!(matches!(corrupt, ObjectError::Corrupt { .. }), "{corrupt:?}");
}

/// Whatever happens to one request: the next try, or the SDK's own second, succeeds and leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn faults_pass_and_leave_nothing() {
    let met = [
        Fault::CutRequest(1_000),
        Fault::LoseAnswer,
        Fault::Truncate(0),
        Fault::Delay(Duration::from_millis(200)),
        Fault::Answer(500, "InternalError"),
        Fault::Answer(503, "SlowDown"),
        Fault::Answer(503, "ServiceUnavailable"),
        Fault::Answer(400, "RequestTimeout"),
    ];
    let long = noise(IN_PARTS);
    // A server for each: what is left in its folder is known to be of that fault, and they need not wait for each
    // other. Once: the SDK mends it. Three times: one of our own tries fails as well.
    let each = met.into_iter().flat_map(|fault| [(fault.clone(), 1), (fault, 3)]);
    let tasks: Vec<_> = each.map(|(fault, times)| tokio::spawn(passes(fault, times, long.clone()))).collect();
    let mut left = Vec::new();
    for task in tasks {
        left.extend(task.await.expect("no panic"));
    }
    assert_eq!(left, Vec::<String>::new());
}

/// Each request of a put meets the fault; what that left, and where.
async fn passes(fault: Fault, times: u32, long: Bytes) -> Vec<String> {
    let server = S3Server::s3s();
    let faults = Faults::start(server.address());
    let bucket = server.bucket().await;
    let objects = in_bucket(s3::settings(&faults.endpoint(), &bucket)).await;
    let direct = in_bucket(server.settings(&bucket)).await;
    let short = long.slice(..5_000);
    let (mut left, mut known) = (Vec::new(), unfinished(&server).len());
    // Requests of a short one, and each kind of one in two parts.
    for (content, mark) in [
        (&short, "PUT"),
        (&short, "HEAD"),
        (&long, "POST ?uploads"),
        (&long, "PUT partNumber=2"),
        (&long, "POST uploadId="),
        (&long, "GET"),
    ] {
        let what = format!("{fault:?} at {mark}, {times} times");
        let is_long = content.len() > short.len();
        match (&fault, mark) {
            // Reading is asked for more often than an upload is tried.
            (_, "HEAD" | "GET") if times > 1 => continue,
            // The short one has met all refusals; the long one takes long, so it meets those that differ.
            (Fault::Answer(_, "InternalError" | "ServiceUnavailable"), _) if is_long => continue,
            (Fault::Truncate(_) | Fault::Delay(_) | Fault::Answer(400, _), _) if is_long && times > 1 => {
                continue;
            }
            // An answer to HEAD has no body, so nothing in it says that this 400 passes.
            (Fault::Answer(400, _), "HEAD") => continue,
            // This server drops what it was doing when the connection breaks: the upload has no name any more, so
            // nobody can end it, and its parts stay. See `an_end_that_is_cut_off_leaves_nothing`.
            (Fault::CutRequest(_), "POST uploadId=") => continue,
            _ => {}
        }
        let id = recording();
        let name = name_of(id);
        faults.rule(&format!("{mark} {id}"), times, fault.clone());
        put_at_last(&objects, id, content, &what).await;
        faults.mend();
        let all = 0..content.len() as u64;
        assert_eq!(read(&direct, &name, all).await.expect("read"), content[..], "{what}");
        direct.remove(&Target::Name(&name)).await.expect("removed");
        let files = unfinished(&server);
        if files.len() > known {
            known = files.len();
            left.push(format!("{what}: {files:?}"));
        }
    }
    left
}

/// Tries as a job does, until it is there.
async fn put_at_last(objects: &Objects, id: RecordingId, content: &Bytes, what: &str) {
    for _ in 0..6 {
        match objects.put(&name_of(id), content, &about(id, content)).await {
            Ok(put) => return assert_eq!(put.checksum, sha256(content), "{what}"),
            Err(error) => assert!(error.passes(), "{what}: {error:?}"),
        }
    }
    panic!("{what}: six tries");
}

/// The connection breaks while the store puts the parts together: whether it did so or not, nothing is left beside the
/// object. With a server that can list uploads.
#[tokio::test]
async fn an_end_that_is_cut_off_leaves_nothing() {
    let server = S3Server::shared_moto();
    let faults = Faults::start(server.address());
    let objects = in_bucket(s3::settings(&faults.endpoint(), &server.bucket().await)).await;
    let content = noise(IN_PARTS);
    // Within the list of parts, and behind it.
    for (at, times) in [(100, 1), (100, 3), (1_000_000, 1), (1_000_000, 3)] {
        let (id, what) = (recording(), format!("cut off after {at} bytes, {times} times"));
        let name = name_of(id);
        let ends = format!("POST uploadId= {id}");
        faults.rule(&ends, times, Fault::CutRequest(at));
        put_at_last(&objects, id, &content, &what).await;
        // What the server did all the same is not asked for again.
        assert!(faults.count(&ends) >= 1, "{what}");
        faults.mend();
        let left = objects.traces(&Target::Name(&name)).await.expect("a listing");
        assert_eq!(left.iter().map(|trace| trace.kind).collect::<Vec<_>>(), [TraceKind::Version], "{what}");
        objects.remove(&Target::Name(&name)).await.expect("removed");
        is_gone(&objects, &name).await;
    }
}

/// An upload whose name was lost with the answer is found by listing, and so is what a crash left.
#[tokio::test]
async fn uploads_that_nobody_knows_are_ended() {
    let server = S3Server::shared_moto();
    let faults = Faults::start(server.address());
    let bucket = server.bucket().await;
    let objects = in_bucket(s3::settings(&faults.endpoint(), &bucket)).await;
    let (id, content) = (recording(), noise(LONG));
    let name = name_of(id);
    let key = format!("sayso/{name}");
    server.client().create_multipart_upload().bucket(&bucket).key(&key).send().await.expect("begun");
    faults.rule("POST ?uploads", 1, Fault::LoseAnswer);
    faults.rule("DELETE uploadId=", 100, Fault::Answer(500, "InternalError"));
    faults.rule("PUT partNumber=3", 2, Fault::Answer(503, "SlowDown"));
    let error = objects.put(&name, &content, &about(id, &content)).await.expect_err("slow down");
    assert!(error.passes(), "{error:?}");
    let left = objects.traces(&Target::Name(&name)).await.expect("a listing");
    assert_eq!(left.len(), 3, "{left:?}");
    faults.mend();
    objects.put(&name, &content, &about(id, &content)).await.expect("put");
    let left = objects.traces(&Target::Name(&name)).await.expect("a listing");
    assert_eq!(left.iter().map(|trace| trace.kind).collect::<Vec<_>>(), [TraceKind::Version], "{left:?}");
}

/// A line that is slow but goes on is no fault.
#[tokio::test]
async fn a_slow_line_is_waited_for() {
    let server = S3Server::shared_s3s();
    let faults = Faults::start(server.address());
    faults.rate(256 << 10);
    let objects = in_bucket(s3::settings(&faults.endpoint(), &server.bucket().await)).await;
    let (id, content) = (recording(), noise(512 << 10));
    objects.put(&name_of(id), &content, &about(id, &content)).await.expect("slowly");
    assert_eq!(faults.count("PUT"), 1, "it was not sent twice");
}

#[tokio::test]
async fn a_store_that_is_away_is_away() {
    let server = S3Server::shared_s3s();
    let faults = Faults::start(server.address());
    let objects = in_bucket(s3::settings(&faults.endpoint(), &server.bucket().await)).await;
    let (id, content) = (recording(), noise(100));
    faults.away(true);
    for error in [
        objects.put(&name_of(id), &content, &about(id, &content)).await.expect_err("away"),
        objects.head(&name_of(id)).await.expect_err("away"),
        objects.remove(&Target::Name(&name_of(id))).await.expect_err("away"),
        objects.traces(&Target::Name(&name_of(id))).await.expect_err("away"),
        objects.check().await.expect_err("away"),
    ] {
        assert!(matches!(error, ObjectError::Away { .. }) && error.passes(), "{error:?}");
    }
    faults.away(false);
    objects.put(&name_of(id), &content, &about(id, &content)).await.expect("back");
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let objects = in_bucket(s3::settings(&format!("http://{closed}"), "b")).await;
    let error = objects.list("", None, 1).await.expect_err("nobody there");
    assert!(error.passes(), "{error:?}");
}

#[tokio::test]
async fn a_reading_that_breaks_goes_on_where_it_was() {
    let server = S3Server::shared_s3s();
    let faults = Faults::start(server.address());
    let objects = in_bucket(s3::settings(&faults.endpoint(), &server.bucket().await)).await;
    let (id, content) = (recording(), noise(2 << 20));
    let name = name_of(id);
    objects.put(&name, &content, &about(id, &content)).await.expect("put");
    faults.rule("GET", 2, Fault::Truncate(700_000));
    assert_eq!(read(&objects, &name, 5..2 << 20).await.expect("resumed twice"), content[5..]);
    assert!(faults.all_met());
    assert_eq!(faults.count("GET"), 3);
    // Without any progress it ends, and says so.
    faults.rule("GET", 100, Fault::Truncate(0));
    let error = read(&objects, &name, 0..100).await.expect_err("nothing comes");
    assert!(error.passes(), "{error:?}");
    faults.mend();
    // A damaged answer is for whoever knows what the bytes should be.
    faults.rule("GET", 1, Fault::FlipAnswer(10));
    assert_ne!(read(&objects, &name, 0..100).await.expect("read"), content[..100]);
}

#[tokio::test]
async fn uploads_keep_to_the_bandwidth_together() {
    let server = S3Server::shared_s3s();
    let mut settings = server.settings(&server.bucket().await);
    settings.bandwidth = Some(4 << 20);
    let objects = in_bucket(settings).await;
    let (one, two, content) = (recording(), recording(), noise(3 << 20));
    let (name_one, name_two) = (name_of(one), name_of(two));
    let (about_one, about_two) = (about(one, &content), about(two, &content));
    let began = Instant::now();
    let (first, second) = tokio::join!(
        objects.put(&name_one, &content, &about_one),
        objects.put(&name_two, &content, &about_two)
    );
    first.expect("put");
    second.expect("put");
    assert!(
        began.elapsed() > Duration::from_millis(1_400),
        "6 MiB at 4 MiB a second took {:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn every_version_goes() {
    let server = S3Server::shared_moto();
    let (bucket, client) = (server.bucket().await, server.client());
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(&bucket).versioning_configuration(on).send().await.expect("on");
    let objects = in_bucket(server.settings(&bucket)).await;
    let (id, neighbour, content) = (recording(), recording(), noise(LONG));
    let (name, next) = (name_of(id), format!("{}2", name_of(id)));
    let put = objects.put(&name, &content, &about(id, &content)).await.expect("put");
    assert!(put.version.is_some());
    assert_eq!(put.proof, Proof::Checksum);
    objects.put(&next, &noise(5), &about(neighbour, &noise(5))).await.expect("put");
    // Somebody overwrites it, deletes it, and begins two uploads; one of a name that begins alike.
    let key = format!("sayso/{name}");
    let body = ByteStream::from_static(b"other");
    client.put_object().bucket(&bucket).key(&key).body(body).send().await.expect("put");
    client.delete_object().bucket(&bucket).key(&key).send().await.expect("marked");
    for key in [key.clone(), format!("{key}2")] {
        client.create_multipart_upload().bucket(&bucket).key(&key).send().await.expect("begun");
    }
    assert_eq!(objects.head(&name).await.expect("an answer"), None, "the marker hides it");
    let traces = objects.traces(&Target::Name(&name)).await.expect("a listing");
    let count = |kind| traces.iter().filter(|trace| trace.kind == kind).count();
    assert_eq!(
        (count(TraceKind::Version), count(TraceKind::DeleteMarker), count(TraceKind::Upload)),
        (2, 1, 1),
        "{traces:?}"
    );
    let soon = Clock::start().now() + Duration::from_secs(3_600);
    assert_eq!(objects.unfinished("recordings/", soon).await.expect("a listing").len(), 2);
    let earlier = Clock::start().now() - Duration::from_secs(86_400 * 3_650 * 3);
    assert_eq!(objects.unfinished("recordings/", earlier).await.expect("a listing"), []);
    let removed = objects.remove(&Target::Name(&name)).await.expect("removed");
    // This server loses a removal now and then, which then is done twice.
    assert!(removed.versions >= 2 && removed.delete_markers == 1 && removed.uploads == 1, "{removed:?}");
    is_gone(&objects, &name).await;
    let left = objects.traces(&Target::Name(&next)).await.expect("a listing");
    assert_eq!(left.len(), 2, "the neighbour and its upload: {left:?}");
}

/// More than one page of versions, of objects and of segments.
#[tokio::test]
async fn long_listings_are_paged() {
    let server = S3Server::shared_moto();
    let (bucket, client) = (server.bucket().await, server.client());
    let objects = in_bucket(server.settings(&bucket)).await;
    let puts = futures_util::stream::iter(0..1_005).map(|n| {
        let put = client.put_object().bucket(&bucket).key(format!("sayso/{DAY}/x.seg/{n:06}"));
        put.body(ByteStream::from_static(b"x")).send()
    });
    let puts: Vec<_> = puts.buffer_unordered(8).collect().await;
    puts.into_iter().for_each(|put| drop(put.expect("put")));
    let first = objects.list(DAY, None, 1_000).await.expect("a page");
    assert!(first.more && first.objects.len() == 1_000);
    let segments = format!("{DAY}/x.seg");
    assert_eq!(objects.traces(&Target::Below(&segments)).await.expect("a listing").len(), 1_005);
    let removed = objects.remove(&Target::Below(&segments)).await.expect("removed");
    assert!(removed.versions >= 1_005 && removed.names.len() == 1_005);
    assert_eq!(objects.traces(&Target::Below(&segments)).await.expect("a listing"), []);
}

#[tokio::test]
async fn what_an_object_is_made_with() {
    let server = S3Server::shared_moto();
    let (bucket, client) = (server.bucket().await, server.client());
    let mut settings = server.settings(&bucket);
    settings.tags.insert("cost centre".to_owned(), "a=b/c+d".to_owned());
    settings.storage_class = Some("STANDARD_IA".to_owned());
    for (sse, length) in
        [(Sse::S3, 10), (Sse::Kms { key: Some("alias/aws/s3".to_owned()) }, 10), (Sse::S3, LONG)]
    {
        settings.sse = Some(sse.clone());
        let objects = in_bucket(settings.clone()).await;
        let (id, content) = (recording(), noise(length));
        objects.put(&name_of(id), &content, &about(id, &content)).await.expect("put");
        let key = format!("sayso/{}", name_of(id));
        let head = client.head_object().bucket(&bucket).key(&key).send().await.expect("there");
        assert_eq!(head.storage_class().map(|class| class.as_str()), Some("STANDARD_IA"));
        let said = head.server_side_encryption().map(|sse| sse.as_str());
        assert_eq!(said, Some(if sse == Sse::S3 { "AES256" } else { "aws:kms" }), "{length} bytes");
        assert_eq!(head.content_type(), Some("application/octet-stream"));
        assert_eq!(head.metadata().and_then(|all| all.get("sayso-sha256")), Some(&sha256(&content)));
        let tags = client.get_object_tagging().bucket(&bucket).key(&key).send().await.expect("tags");
        let mut tags: Vec<(&str, &str)> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
        tags.sort_unstable();
        let id = id.to_string();
        assert_eq!(
            tags,
            [("cost centre", "a=b/c+d"), ("sayso-kind", "recording"), ("sayso-recording", id.as_str())]
        );
    }
}

#[tokio::test]
async fn governance_is_lifted_and_compliance_is_not() {
    let server = S3Server::shared_moto();
    let bucket = server.locking_bucket().await;
    let now = Clock::start().now();
    for mode in [LockMode::Governance, LockMode::Compliance] {
        let mut settings = server.settings(&bucket);
        settings.lock = Some(Lock { mode, days: 3 });
        let objects = in_bucket(settings).await;
        objects.check().await.expect("the bucket locks");
        let (id, content) = (recording(), noise(10));
        let name = name_of(id);
        objects.put(&name, &content, &about(id, &content)).await.expect("put");
        let until = objects.head(&name).await.expect("an answer").expect("there").locked_until;
        let until = until.unwrap_or_else(|| panic!("{mode:?}: not locked"));
        let days = until.since(now).as_secs_f64() / 86_400.0;
        assert!((2.99..3.01).contains(&days), "locked for {days} days");
        let segment = format!("{DAY}/{id}.seg/000000");
        let of_segment = About { class: ObjectClass::Segment, ..about(id, b"s") };
        objects.put(&segment, &Bytes::from_static(b"s"), &of_segment).await.expect("put");
        assert_eq!(objects.head(&segment).await.expect("an answer").expect("there").locked_until, None);
        objects.remove(&Target::Name(&segment)).await.expect("segments are not locked");
        let removed = objects.remove(&Target::Name(&name)).await;
        match mode {
            LockMode::Governance => {
                assert_eq!(removed.expect("lifted").versions, 1);
                is_gone(&objects, &name).await;
            }
            LockMode::Compliance => {
                let Err(ObjectError::Locked { until: said, .. }) = removed else { panic!("{removed:?}") };
                assert_eq!(said, until);
                assert_eq!(objects.traces(&Target::Name(&name)).await.expect("a listing").len(), 1);
            }
        }
    }
}

/// The server locks nothing that came in parts, but the request asks for it.
#[tokio::test]
async fn an_upload_in_parts_asks_for_its_lock() {
    let server = S3Server::shared_moto();
    let faults = Faults::start(server.address());
    let mut settings = s3::settings(&faults.endpoint(), &server.locking_bucket().await);
    settings.lock = Some(Lock { mode: LockMode::Compliance, days: 3 });
    let objects = in_bucket(settings).await;
    let (id, content) = (recording(), noise(LONG));
    objects.put(&name_of(id), &content, &about(id, &content)).await.expect("put");
    let asked = faults.headers("POST ?uploads").expect("it was begun");
    assert!(asked.contains("x-amz-object-lock-mode: compliance"), "{asked}");
    assert!(asked.contains("x-amz-object-lock-retain-until-date: "), "{asked}");
    assert!(asked.contains("x-amz-checksum-algorithm: sha256"), "{asked}");
    let part = faults.headers("PUT partNumber=1").expect("it was sent");
    assert!(part.contains("x-amz-checksum-sha256: "), "{part}");
    let ended = faults.headers("POST uploadId=").expect("it was ended");
    assert!(ended.contains("if-none-match: *"), "{ended}");
}

/// A lock on one version does not keep the others.
#[tokio::test]
async fn a_lock_keeps_only_its_own_version() {
    let server = S3Server::shared_moto();
    let (bucket, client) = (server.locking_bucket().await, server.client());
    let mut settings = server.settings(&bucket);
    settings.lock = Some(Lock { mode: LockMode::Compliance, days: 1 });
    let objects = in_bucket(settings).await;
    let (id, content) = (recording(), noise(10));
    let name = name_of(id);
    objects.put(&name, &content, &about(id, &content)).await.expect("put");
    let key = format!("sayso/{name}");
    let body = ByteStream::from_static(b"other");
    client.put_object().bucket(&bucket).key(&key).body(body).send().await.expect("put");
    client.delete_object().bucket(&bucket).key(&key).send().await.expect("marked");
    let removed = objects.remove(&Target::Name(&name)).await;
    assert!(matches!(removed, Err(ObjectError::Locked { .. })), "{removed:?}");
    let left = objects.traces(&Target::Name(&name)).await.expect("a listing");
    assert_eq!(
        left.iter().map(|trace| (trace.kind, trace.bytes)).collect::<Vec<_>>(),
        [(TraceKind::Version, 10)]
    );
}

#[tokio::test]
async fn a_legal_hold_of_the_store_is_said() {
    let server = S3Server::shared_moto();
    let (bucket, client) = (server.locking_bucket().await, server.client());
    let objects = in_bucket(server.settings(&bucket)).await;
    let (id, content) = (recording(), noise(10));
    let name = name_of(id);
    objects.put(&name, &content, &about(id, &content)).await.expect("put");
    let key = format!("sayso/{name}");
    let hold = |status| ObjectLockLegalHold::builder().status(status).build();
    let put = client.put_object_legal_hold().bucket(&bucket).key(&key);
    put.legal_hold(hold(ObjectLockLegalHoldStatus::On)).send().await.expect("held");
    let error = objects.remove(&Target::Name(&name)).await.expect_err("held");
    assert!(error.to_string().contains("legal hold"), "{error}");
    let put = client.put_object_legal_hold().bucket(&bucket).key(&key);
    put.legal_hold(hold(ObjectLockLegalHoldStatus::Off)).send().await.expect("lifted");
    objects.remove(&Target::Name(&name)).await.expect("removed");
    is_gone(&objects, &name).await;
}

#[tokio::test]
async fn locks_that_an_erasure_cannot_lift_are_refused() {
    let server = S3Server::shared_moto();
    let mut settings = server.settings(&server.bucket().await);
    settings.lock = Some(Lock { mode: LockMode::Governance, days: 1 });
    let error = in_bucket(settings).await.check().await.expect_err("the bucket has no locks");
    assert!(
        matches!(error, ObjectError::Refused { .. }) && error.to_string().contains("Object Lock"),
        "{error}"
    );

    let bucket = server.locking_bucket().await;
    let by_default = async |mode| {
        let retention = DefaultRetention::builder().mode(mode).days(2).build();
        let rule = ObjectLockRule::builder().default_retention(retention).build();
        let lock =
            ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule);
        let put = server.client().put_object_lock_configuration().bucket(&bucket);
        put.object_lock_configuration(lock.build()).send().await.expect("set");
    };
    by_default(ObjectLockRetentionMode::Compliance).await;
    let mut settings = server.settings(&bucket);
    let error = in_bucket(settings.clone()).await.check().await.expect_err("nobody could erase");
    assert!(error.to_string().contains("compliance") && error.to_string().contains("erasure"), "{error}");
    settings.lock = Some(Lock { mode: LockMode::Compliance, days: 2 });
    let facts = in_bucket(settings.clone()).await.check().await.expect("accepted");
    assert!(facts.iter().any(|fact| fact.contains("compliance")), "{facts:?}");

    by_default(ObjectLockRetentionMode::Governance).await;
    settings.lock = None;
    let facts = in_bucket(settings).await.check().await.expect("it can be lifted");
    assert!(facts.iter().any(|fact| fact.contains("governance")), "{facts:?}");
}

/// Nobody could remove a probe from a bucket whose default is compliance.
#[tokio::test]
async fn where_locks_are_unknown_nothing_is_probed() {
    let server = S3Server::shared_moto();
    let faults = Faults::start(server.address());
    let objects = in_bucket(s3::settings(&faults.endpoint(), &server.bucket().await)).await;
    faults.rule("GET ?object-lock", 1, Fault::Answer(403, "AccessDenied"));
    let facts = objects.check().await.expect("it will do").join("; ");
    assert!(facts.contains("s3:GetBucketObjectLockConfiguration") && facts.contains("not probed"), "{facts}");
    assert_eq!(faults.count("PUT"), 0, "{:?}", faults.seen());
    let facts = objects.check().await.expect("it will do").join("; ");
    assert!(faults.count("PUT") > 0 && !facts.contains("not probed"), "{facts}");
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

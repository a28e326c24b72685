//! A folder: what it links, and what a crash leaves in it.

use std::time::Duration;

use sayso::time::Clock;
use sayso::vault::objects::TraceKind;

use super::*;

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

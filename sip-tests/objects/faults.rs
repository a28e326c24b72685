//! What faults of the network, wrong keys and slow lines make of a put, a reading, a removal.

use std::time::{Duration, Instant};

use sayso::ids::Redacted;
use sayso::vault::objects::TraceKind;

use super::*;
use crate::harness::faults::{Fault, Faults};
use crate::harness::s3;

#[tokio::test]
async fn a_wrong_secret_is_refused_and_not_shown() {
    let server = S3Server::shared_s3s();
    let mut settings = server.settings(&server.bucket().await);
    settings.service.credentials = Some((s3::ACCESS_KEY.to_owned(), Redacted("another secret".to_owned())));
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

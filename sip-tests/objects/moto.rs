//! Versions, listings in pages, what an object is made with, and locks: with `moto`, which has them.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled,
    ObjectLockLegalHold, ObjectLockLegalHoldStatus, ObjectLockRetentionMode, ObjectLockRule,
    VersioningConfiguration,
};
use sayso::time::Clock;
use sayso::vault::objects::{Lock, LockMode, Proof, Sse, TraceKind};

use super::*;
use crate::harness::faults::{Fault, Faults};
use crate::harness::s3;

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

//! What is kept: sealed audio, the audit log, what is due to be removed.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use sayso::audit::{Head, verify};
use sayso::ids::{CallId, HoldId, QueueId, RecordingId, Redacted};
use sayso::media::tap::CHUNK;
use sayso::retention::{EndedCall, Hold, HoldOn, Holds, Kept, Rules, plan};
use sayso::settings::{Keep, Queue, Settings, System};
use ulid::Ulid;

use crate::scene::{self, START, audit};

const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn benches(criterion: &mut Criterion) {
    vault(criterion);
    audit_log(criterion);
    retention(criterion);
}

/// Chunks of the tap through the vault's writer: sealed, hashed, appended; the recording's end included.
fn vault(criterion: &mut Criterion) {
    const CHUNKS: u64 = 256;
    let mut vault = scene::vault::Scene::new().expect("a vault");
    let finished = vault.record(CHUNKS).expect("a recording");
    assert_eq!(finished.samples, CHUNKS * CHUNK);
    let mut group = criterion.benchmark_group("vault");
    group.throughput(Throughput::Bytes(CHUNKS * CHUNK * 4));
    group.bench_function("seal and append 41 s of both sides (256 chunks, STREAM)", |bencher| {
        bencher.iter_custom(|times| {
            let began = Instant::now();
            for _ in 0..times {
                black_box(vault.record(CHUNKS).expect("a recording"));
            }
            began.elapsed()
        });
    });
    group.finish();
}

fn audit_log(criterion: &mut Criterion) {
    const ROWS: u64 = 1_000;
    let rows = audit::chain(ROWS);
    let head = rows.last().expect("rows").head();
    let proof = verify(&rows, head).expect("the chain is whole");
    assert_eq!(proof.rows, ROWS);
    let mut forged = rows.clone();
    forged[500].action = "call.ended".into();
    assert!(verify(&forged, head).is_err(), "verification sees a changed row");
    let (mut n, mut head) = (0, Head::EMPTY);
    criterion.bench_function("audit/append a row", |bencher| {
        bencher.iter(|| {
            n += 1;
            head = black_box(audit::append(n, head)).head();
        });
    });
    assert_eq!(head.seq, n);
    let mut group = criterion.benchmark_group("audit");
    group.throughput(Throughput::Elements(ROWS));
    let head = rows.last().expect("rows").head();
    group.bench_function("verify 1,000 rows", |bencher| {
        bencher.iter(|| black_box(verify(black_box(&rows), head)).is_ok());
    });
    group.finish();
}

/// 10,000 rows of ten queues with rules of their own and 100 holds; about half is due.
fn retention(criterion: &mut Criterion) {
    const ROWS: u64 = 10_000;
    let queue = |n: u64| QueueId(format!("queue{}", n % 10));
    let mut settings = Settings::default();
    let mut system = System::default();
    system.retention.calls = Keep::For(DAY * 365);
    system.retention.recordings = Keep::For(DAY * 90);
    settings.system = Some(Arc::new(system));
    for n in 0..10 {
        let file_removal = (n % 2 == 0).then_some(Keep::For(DAY * (30 + n as u32)));
        settings.queues.insert(queue(n), Arc::new(Queue { file_removal, ..Queue::default() }));
    }
    let rules = Rules::of(&settings);
    let id = |n: u64| RecordingId::new(Ulid(u128::from(n) + 1));
    let rows: Vec<Kept> = (0..ROWS)
        .map(|n| {
            let ended_at = START - DAY * (n % 120) as u32;
            let call = EndedCall {
                id: CallId::new(Ulid(u128::from(n) + 1)),
                queue: queue(n),
                arrived_at: ended_at - Duration::from_secs(300),
                ended_at,
                from: Some(Redacted(format!("+49301{n:06}"))),
            };
            Kept::Recording { id: id(n), call }
        })
        .collect();
    let holds = Holds::new(
        (0..100).map(|n| Hold {
            id: HoldId::new(Ulid(u128::from(n) + 1)),
            on: HoldOn::Recording(id(n * 100)),
            reason: Redacted("case 7".to_owned()),
            by: "user ada".to_owned(),
            at: START,
            ends: None,
            released: None,
        }),
        START,
    );
    let due = plan(&rules, &holds, START, rows.iter().cloned()).count() as u64;
    let free = plan(&rules, &Holds::default(), START, rows.iter().cloned()).count() as u64;
    assert!(due > ROWS / 5 && due < free && free < ROWS, "{due} of {ROWS} are due, {free} without holds");
    let mut group = criterion.benchmark_group("retention");
    group.throughput(Throughput::Elements(ROWS));
    group.bench_function("plan 10,000 recordings under 100 holds", |bencher| {
        bencher.iter(|| black_box(plan(&rules, &holds, START, rows.iter().cloned()).count()));
    });
    group.finish();
}

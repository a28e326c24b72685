//! What the database makes of calls that are set up and hang up: their facts through the store, on SQLite, the disk left
//! out as far as it can be.

use std::path::Path;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput};
use sayso::call::{Cause, Fact};
use sayso::consent::Basis;
use sayso::ids::{CallId, LegId, PhoneNumber};
use sayso::settings::Language;
use sayso::store::{Change, LegQuality, Store};
use sayso::time::Clock;
use tokio::runtime::{Builder, Runtime};
use ulid::Ulid;

use crate::scene::START;

/// Calls whose facts come at once: what a fifth of a second brings at a hundred calls a second.
const CALLS: u64 = 20;

pub(crate) fn benches(criterion: &mut Criterion) {
    let mut scene = Scene::new();
    scene.set_up(CALLS);
    let rows = scene.audit_rows();
    assert_eq!(rows, CALLS * 4);
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(CALLS));
    group.bench_function("facts of 20 set-ups (arrival; decision, end, statistics), SQLite", |bencher| {
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let began = Instant::now();
                scene.set_up(CALLS);
                took += began.elapsed();
            }
            took
        });
    });
    group.finish();
}

/// A store in a folder of its own, in memory where the system has such a place.
struct Scene {
    runtime: Runtime,
    store: Store,
    calls: u64,
    _dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let dir = tempfile::TempDir::new_in(parent).expect("a folder");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let file = dir.path().join("sayso.db").display().to_string();
        let store = runtime.block_on(Store::open(&file, Clock::start())).expect("a store");
        Self { runtime, store, calls: 0, _dir: dir }
    }

    /// Calls that arrive, and then hang up while they are greeted.
    fn set_up(&mut self, calls: u64) {
        let first = self.calls;
        self.calls += calls;
        let ids = first..self.calls;
        let mut units: Vec<Vec<Change>> = ids.clone().map(arrives).collect();
        units.extend(ids.map(ends));
        let last = units.pop().expect("some");
        self.runtime.block_on(async {
            let mut waiting = Vec::with_capacity(units.len());
            for unit in units {
                waiting.push(self.store.submit(unit).await);
            }
            self.store.commit(last).await.expect("stored");
            for unit in waiting {
                unit.wait().await.expect("stored");
            }
        });
    }

    fn audit_rows(&self) -> u64 {
        self.runtime.block_on(self.store.verify_audit(|_, _| {})).expect("a whole chain").rows
    }
}

fn call(n: u64) -> CallId {
    CallId::new(Ulid(u128::from(n) + 1))
}

fn arrives(n: u64) -> Vec<Change> {
    let from = PhoneNumber::parse(&format!("+49301{:06}", n % 1_000_000), None);
    vec![Change::Fact(Fact::Arrived {
        call: call(n),
        at: START,
        from,
        dialled: "+4930199".to_owned(),
        trunk: Some("carrier".into()),
        queue: "support".into(),
        language: Language("de".to_owned()),
    })]
}

fn ends(n: u64) -> Vec<Change> {
    let (call, leg, at) = (call(n), LegId::caller(call(n)), START + Duration::from_millis(40));
    let decided = Fact::Decided { call, at, basis: Basis::Never };
    let gone = Fact::LegEnded { leg, at, cause: Cause::HungUp };
    let ended = Fact::Ended { call, at, cause: Cause::HungUp };
    let quality = LegQuality { packets_out: 2, ..LegQuality::default() };
    let facts = [decided, gone, ended].map(Change::Fact);
    facts.into_iter().chain([Change::LegStats { leg, quality }]).collect()
}

//! A sweep: what is due goes, what is held stays, and a crash at any batch is a repetition.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::timeout;
use ulid::Ulid;

use super::super::context::Fault;
use super::super::retention::sweep::{Pace, Sweeper};
use super::super::retention::{Done, ask, sweep_here, turn};
use super::super::{AlarmKind, Context};
use super::house::{House, PATIENCE, until};
use crate::audit::Actor;
use crate::call::{Cause, Fact};
use crate::consent::Basis;
use crate::ids::{CallId, HoldId, PhoneNumber, RecordingId, Redacted};
use crate::retention::{ANONYMISED, HoldOn};
use crate::settings::{Changed, Difference, Keep, Kind, Language, Object, Retention, SYSTEM, System};
use crate::store::{
    AnonymiseChange, AuditFilter, Change, HoldChange, JobChange, JobFilter, JobKind, RecordingChange, Swept,
};
use crate::time::Timestamp;
use crate::vault::Format;

const DAY: Duration = Duration::from_secs(86_400);

fn call(n: u128) -> CallId {
    CallId::new(Ulid(100 + n))
}

fn recording(n: u128) -> RecordingId {
    RecordingId::new(Ulid(1_000 + n))
}

fn days(n: u32) -> Keep {
    Keep::For(DAY * n)
}

impl House {
    /// A call that ended so many days ago, with a recording.
    async fn call_of_days_ago(&self, n: u128, days: u32) {
        let at = self.deps().clock.now() - DAY * days;
        let arrived = Fact::Arrived {
            call: call(n),
            at,
            from: PhoneNumber::parse(&format!("+493012345{n:02}"), None),
            dialled: "100".to_owned(),
            trunk: None,
            queue: "support".into(),
            language: Language("en".to_owned()),
        };
        let ended = Fact::Ended { call: call(n), at, cause: Cause::HungUp };
        let kek = self.deps().store.keks().await.unwrap()[0].id.clone();
        let armed = RecordingChange::Armed {
            id: recording(n),
            call: call(n),
            basis: Basis::Agreed(at),
            wrapped_key: b"key".to_vec(),
            kek,
            spool: self.deps().vault.spool_id().to_owned(),
            format: "pcm16".to_owned(),
            at,
        };
        let changes = vec![arrived.into(), Change::Recording(armed), ended.into()];
        self.deps().store.commit(changes).await.unwrap();
    }

    async fn keep(&self, calls: Keep, recordings: Keep, reporting: Keep) {
        let change =
            self.other_system(|system| system.retention = Retention { calls, recordings, reporting });
        self.deps().store.commit(vec![change.await]).await.unwrap();
    }

    /// The system's settings with something else.
    async fn other_system(&self, change: impl FnOnce(&mut System)) -> Change {
        let (_, settings) = self.deps().store.settings().await.unwrap();
        let mut new = settings.system.as_deref().cloned().unwrap_or_default();
        change(&mut new);
        let new = Object::System(Arc::new(new));
        let what = match settings.system {
            None => Changed::Added(new),
            Some(old) => Changed::Altered { old: Object::System(old), new },
        };
        let change = Difference { kind: Kind::System, name: SYSTEM.to_owned(), what };
        Change::Settings(vec![change], Actor::System)
    }

    /// Sweeps; `on` hears each step. How often each step was taken.
    async fn sweep_with(
        &self,
        pace: Pace,
        on: impl Fn(&'static str) + Send + Sync,
    ) -> (Done, BTreeMap<&'static str, u32>) {
        let taken = Mutex::new(BTreeMap::new());
        let step = |name| -> Result<(), Fault> {
            *taken.lock().unwrap().entry(name).or_default() += 1;
            on(name);
            Ok(())
        };
        let (store, clock) = (&self.deps().store, self.deps().clock);
        let done = Sweeper::new(store, clock, pace, &|_| {}, &step).sweep().await.unwrap();
        (done, taken.into_inner().unwrap())
    }

    /// Puts a change into the writer's queue from where nothing can be waited for: what is submitted later comes later.
    fn slip_in(&self, change: Change) {
        // What becomes of it is seen by what the sweep does.
        drop(self.deps().store.submit(vec![change]).now_or_never().expect("the queue has room"));
    }

    async fn hold(&self, on: HoldOn) {
        let (at, by, reason) = (self.deps().clock.now(), Actor::System, Redacted("case 7".to_owned()));
        let id = HoldId::new(Ulid::generate());
        let hold = HoldChange::Created { id, on, reason, by, at, ends: None };
        self.deps().store.commit(vec![Change::Hold(hold)]).await.unwrap();
    }

    async fn state(&self, n: u128) -> String {
        self.row(recording(n)).await.state
    }

    async fn is_anonymous(&self, n: u128) -> bool {
        let call = self.deps().store.call(call(n)).await.unwrap().expect("a call").call;
        call.from == Some(Redacted(ANONYMISED.to_owned()))
    }

    async fn sweep(&self) -> super::super::retention::Done {
        let deps = self.deps();
        ask(&deps.store, deps.clock.now()).await.unwrap();
        sweep_here(&deps.store, deps.clock, &|_| {}).await.unwrap().expect("nobody else has it")
    }
}

#[tokio::test]
async fn what_is_due_goes_and_what_is_held_or_young_stays() {
    let house = House::new(Format::Pcm16).await;
    for (n, days) in [(0, 40), (1, 40), (2, 20), (3, 5), (4, 40)] {
        house.call_of_days_ago(n, days).await;
    }
    house.keep(days(30), days(10), Keep::Forever).await;
    house.hold(HoldOn::Recording(recording(1))).await;
    let done = house.sweep().await;
    assert_eq!((done.destroyed, done.anonymised, done.removed, done.skipped), (3, 2, 0, 0));
    let mut states = Vec::new();
    for n in 0..5 {
        states.push((house.state(n).await, house.is_anonymous(n).await));
    }
    let expected =
        [("destroyed", true), ("armed", false), ("destroyed", false), ("armed", false), ("destroyed", true)];
    assert_eq!(states, expected.map(|(state, anonymous)| (state.to_owned(), anonymous)));
    let row = house.row(recording(2)).await;
    assert_eq!(row.rule.as_deref(), Some("retention: automatic file removal 10d (system)"));
    assert!(row.why.unwrap().contains("automatic file removal is kept 10d"), "in a sentence");
    assert_eq!(row.destroyed_by.as_deref(), Some("system"));
    // The copies are the job of the servers.
    let jobs = house.jobs().await;
    assert_eq!(jobs.iter().filter(|job| job.kind == JobKind::Destroy).count(), 3);
    assert!(!jobs.iter().any(|job| job.kind == JobKind::Retention), "it is done");
    let state = house.deps().store.retention_state().await.unwrap();
    assert_eq!((state.due, state.held, state.oldest_due), (0, 2, None));
    assert!(state.ended_at.is_some());
    // Once more finds nothing.
    assert_eq!(house.sweep().await, super::super::retention::Done::default());
}

#[tokio::test]
async fn a_crash_after_any_batch_is_gone_on_from() {
    let house = House::new(Format::Pcm16).await;
    for n in 0..60 {
        house.call_of_days_ago(n, 40).await;
    }
    house.keep(days(30), days(10), Keep::Forever).await;
    ask(&house.deps().store, house.deps().clock.now()).await.unwrap();
    house.crash_after(false, "batch").await;
    let (mut gone, mut anonymous) = (0, 0);
    for n in 0..60 {
        gone += u32::from(house.state(n).await != "armed");
        anonymous += u32::from(house.is_anonymous(n).await);
    }
    assert_eq!((gone, anonymous), (50, 0), "one batch of recordings, and no call before its recording");
    let jobs = house.jobs().await;
    assert_eq!(jobs.iter().filter(|job| job.kind == JobKind::Retention).count(), 1, "the job is there still");
    let run = house.run(false, None);
    until("all is swept", async || !house.jobs().await.iter().any(|job| job.kind == JobKind::Retention))
        .await;
    run.stop().await;
    for n in 0..60 {
        assert!(house.is_anonymous(n).await, "{n}");
    }
    // Each was destroyed and anonymised once.
    let filter =
        AuditFilter { limit: 1_000, action: Some("call.anonymised".to_owned()), ..AuditFilter::default() };
    assert_eq!(house.deps().store.audit(&filter).await.unwrap().len(), 60);
    let filter = AuditFilter { action: Some("recording.destroyed".to_owned()), ..filter };
    assert_eq!(house.deps().store.audit(&filter).await.unwrap().len(), 60);
}

#[tokio::test]
async fn one_runner_sweeps_at_a_time() {
    let house = House::new(Format::Pcm16).await;
    house.call_of_days_ago(0, 40).await;
    house.keep(days(30), days(10), Keep::Forever).await;
    let deps = house.deps();
    assert_eq!(sweep_here(&deps.store, deps.clock, &|_| {}).await.unwrap(), None, "nobody asked for it");
    ask(&deps.store, deps.clock.now()).await.unwrap();
    let job = house.jobs().await.pop().unwrap();
    let at = deps.clock.now();
    let lease = JobChange::Leased { id: job.id, by: "another".to_owned(), until: at + DAY, at };
    deps.store.commit(vec![Change::Job(lease)]).await.unwrap();
    assert_eq!(sweep_here(&deps.store, deps.clock, &|_| {}).await.unwrap(), None, "another has it");
    assert_eq!(house.state(0).await, "armed");
}

#[tokio::test]
async fn reporting_rows_go_years_later() {
    let house = House::new(Format::Pcm16).await;
    house.call_of_days_ago(0, 400).await;
    house.call_of_days_ago(1, 100).await;
    house.keep(days(30), Keep::Forever, days(365)).await;
    let done = house.sweep().await;
    assert_eq!((done.destroyed, done.anonymised, done.removed), (2, 2, 0), "not before it is anonymous");
    assert_eq!(house.sweep().await.removed, 1);
    assert_eq!(house.sweep().await.removed, 0);
}

#[tokio::test]
async fn a_changed_rule_and_time_ask_for_a_sweep_and_lag_raises_the_alarm() {
    let house = House::new(Format::Pcm16).await;
    let ctx = Context::new(house.config(false), house.deps().clone());
    let mut known = None;
    let asked = async || house.jobs().await.iter().any(|job| job.kind == JobKind::Retention);
    turn(&ctx, &mut known).await.unwrap();
    assert!(!asked().await, "no rule removes anything");
    house.keep(days(30), Keep::Forever, Keep::Forever).await;
    turn(&ctx, &mut known).await.unwrap();
    assert!(asked().await, "a rule does now");
    house.sweep().await;
    turn(&ctx, &mut known).await.unwrap();
    assert!(!asked().await, "it was done just now");
    house.keep(days(20), Keep::Forever, Keep::Forever).await;
    turn(&ctx, &mut known).await.unwrap();
    assert!(asked().await, "another rule");
    house.sweep().await;
    // A minute without a sweep, and a day behind.
    let now = house.deps().clock.now();
    let (generation, _) = house.deps().store.settings().await.unwrap();
    let behind = |oldest_due: Option<Timestamp>| Swept {
        generation,
        began_at: Some(now - Duration::from_secs(61)),
        ended_at: Some(now - Duration::from_secs(61)),
        oldest_due,
        due: 7,
        held: 0,
        seen_at: Some(now),
    };
    let note = async |swept| {
        let change = Change::Anonymise(AnonymiseChange::Swept(swept));
        house.deps().store.commit(vec![change]).await.unwrap();
    };
    note(behind(Some(now - DAY - Duration::from_secs(60)))).await;
    turn(&ctx, &mut known).await.unwrap();
    assert!(asked().await, "a minute has gone");
    assert!(ctx.alarms.is_raised_for(AlarmKind::RetentionLag, ""));
    note(behind(Some(now - Duration::from_secs(3_600)))).await;
    turn(&ctx, &mut known).await.unwrap();
    assert!(!ctx.alarms.is_raised_for(AlarmKind::RetentionLag, ""));
    // Nobody swept for two days: what is due is not known, and that is as bad.
    note(Swept { seen_at: Some(now - DAY * 2), ..behind(None) }).await;
    turn(&ctx, &mut known).await.unwrap();
    assert!(ctx.alarms.is_raised_for(AlarmKind::RetentionLag, ""));
}

/// A rule was lengthened when the batch was made and not yet committed: nothing of it is done.
#[tokio::test]
async fn a_rule_that_is_lengthened_at_the_last_moment_holds() {
    let house = House::new(Format::Pcm16).await;
    for n in 0..3 {
        house.call_of_days_ago(n, 40).await;
    }
    house.keep(days(30), days(10), Keep::Forever).await;
    let longer = house.other_system(|system| system.retention = Retention::default()).await;
    let longer = Mutex::new(Some(longer));
    let slip_in = |step| {
        if step == "commit"
            && let Some(change) = longer.lock().unwrap().take()
        {
            house.slip_in(change);
        }
    };
    let (done, steps) = house.sweep_with(Pace::default(), slip_in).await;
    assert_eq!(done, Done::default());
    assert_eq!((steps["changed"], steps["begin"]), (1, 2), "all of it anew, by the rules as they are");
    for n in 0..3 {
        assert_eq!((house.state(n).await.as_str(), house.is_anonymous(n).await), ("armed", false), "{n}");
    }
}

/// Another change of settings does not begin the pass anew: what it got in the way of is done a moment later.
#[tokio::test]
async fn settings_that_are_no_rules_do_not_begin_a_sweep_anew() {
    let house = House::new(Format::Pcm16).await;
    for n in 0..3 {
        house.call_of_days_ago(n, 40).await;
    }
    house.keep(days(30), days(10), Keep::Forever).await;
    let other = house.other_system(|system| system.time_zone = "Europe/Vienna".to_owned()).await;
    let other = Mutex::new(Some(other));
    let slip_in = |step| {
        if step == "commit"
            && let Some(change) = other.lock().unwrap().take()
        {
            house.slip_in(change);
        }
    };
    let (done, steps) = house.sweep_with(Pace::default(), slip_in).await;
    assert_eq!((done.destroyed, done.anonymised, done.skipped), (3, 3, 0));
    assert_eq!((steps["changed"], steps["begin"]), (1, 1));
    let swept = house.deps().store.retention_state().await.unwrap();
    assert_eq!(swept.generation, house.deps().store.generation().await.unwrap(), "no sweep is due for that");
}

/// While copies wait for their removal nothing is counted anew: it is waited where the sweep is.
#[tokio::test]
async fn a_slow_object_store_is_waited_for_in_place() {
    let house = House::new(Format::Pcm16).await;
    // Each batch has 50 of them.
    for n in 0..60 {
        house.call_of_days_ago(n, 40).await;
    }
    house.keep(days(30), days(10), Keep::Forever).await;
    let (looks, deps) = (Notify::new(), house.deps());
    let removed = async {
        for _ in 0..3 {
            looks.notified().await;
        }
        // The copies of the first batch are gone at last.
        let filter = JobFilter { kind: Some(JobKind::Destroy), limit: 500, ..JobFilter::default() };
        let jobs = deps.store.jobs(&filter).await.unwrap().items;
        assert_eq!(jobs.len(), 50);
        for job in jobs {
            let (id, by, at) = (job.id, "another".to_owned(), deps.clock.now());
            let leased = JobChange::Leased { id, by: by.clone(), until: at + DAY, at };
            let done = JobChange::Done { id, by };
            deps.store.commit(vec![Change::Job(leased), Change::Job(done)]).await.unwrap();
        }
    };
    let pace = Pace { waiting: 50, room: Duration::from_millis(1), ..Pace::default() };
    let look = |step| {
        if step == "no room" {
            looks.notify_one();
        }
    };
    let ((done, steps), ()) =
        timeout(PATIENCE, async { tokio::join!(house.sweep_with(pace, look), removed) })
            .await
            .expect("it goes on when there is room");
    assert_eq!((done.destroyed, done.anonymised), (60, 60));
    assert!(steps["no room"] >= 3);
    assert_eq!(steps["begin"], 1, "it is counted once");
}

/// What a hold on the queue keeps is passed over as a whole, not read page by page with each sweep.
#[tokio::test]
async fn a_large_hold_is_passed_over() {
    let house = House::new(Format::Pcm16).await;
    for n in 0..40 {
        house.call_of_days_ago(n, 100 - u32::try_from(n).unwrap()).await;
    }
    house.keep(days(30), days(10), Keep::Forever).await;
    let ago = |days: u32| house.deps().clock.now() - DAY * days;
    house.hold(HoldOn::Queue { queue: "support".into(), since: ago(97), until: ago(63) }).await;
    let pace = Pace { page: 2, ..Pace::default() };
    // Both lists have 4 rows before and 2 behind the hold; of the first of either the hold begins in a page.
    let (done, steps) = house.sweep_with(pace, |_| {}).await;
    assert_eq!((done.destroyed, done.anonymised, done.skipped), (6, 6, 0));
    assert!(steps["page"] <= 16, "{steps:?}");
    let (done, steps) = house.sweep_with(pace, |_| {}).await;
    assert_eq!(done, Done::default());
    assert!(steps["page"] <= 4, "{steps:?}");
    let state = house.deps().store.retention_state().await.unwrap();
    assert_eq!((state.due, state.held), (0, 68));
}

#[tokio::test]
async fn a_hold_that_runs_out_is_noted_once() {
    let house = House::new(Format::Pcm16).await;
    house.call_of_days_ago(0, 40).await;
    let now = house.deps().clock.now();
    let (id, by, reason) = (HoldId::new(Ulid(7)), Actor::System, Redacted("case 7".to_owned()));
    let ends = Some(now - DAY);
    let hold = HoldChange::Created { id, on: HoldOn::Call(call(0)), reason, by, at: now - DAY * 2, ends };
    house.deps().store.commit(vec![Change::Hold(hold)]).await.unwrap();
    let ctx = Context::new(house.config(false), house.deps().clone());
    for _ in 0..2 {
        turn(&ctx, &mut None).await.unwrap();
    }
    let filter = AuditFilter { action: Some("hold.ended".to_owned()), ..AuditFilter::default() };
    assert_eq!(house.deps().store.audit(&filter).await.unwrap().len(), 1);
    assert_eq!(house.deps().store.hold(id).await.unwrap().unwrap().released.unwrap().by, "system");
}

//! Runs a plan: starts the workers, watches, measures, and makes the report.

use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use crate::plan::{Kind, Plan, Shared};
use crate::process::Usage;
use crate::report::{Cost, Report, Spread};
use crate::worker::{Counts, Worker};

/// How a plan is measured.
pub(crate) struct Measure {
    /// How long calls are held once all are connected (talks only).
    pub(crate) hold: Duration,
    /// The server's process.
    pub(crate) pid: Option<u32>,
    /// Its memory without calls; looked up at the start unless given.
    pub(crate) idle: Option<Usage>,
}

/// Runs `plan` and reports.
pub(crate) fn run(name: &str, plan: &Plan, measure: &Measure) -> Result<Report> {
    let shared = Shared::default();
    let clock = Instant::now();
    let look =
        || measure.pid.map(|pid| Usage::of(pid).with_context(|| format!("no process {pid}"))).transpose();
    let idle = match &measure.idle {
        Some(idle) => Some(idle.clone()),
        None => look()?,
    };
    let workers: Vec<Worker<'_>> = (0..plan.workers)
        .map(|n| Worker::new(plan, &shared, n, clock))
        .collect::<std::io::Result<_>>()
        .context("sockets: raise the limit of open files (ulimit -n) if there are too few")?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = workers.into_iter().map(|worker| scope.spawn(|| worker.run())).collect();
        let watched = watch(name, plan, measure, &shared, &look);
        if watched.is_err() {
            shared.go.store(true, Relaxed); // so that the workers come to an end
            shared.stop.store(true, Relaxed);
        }
        let counts: Vec<Counts> = threads
            .into_iter()
            .map(|thread| thread.join().expect("a worker does not panic").context("a worker's socket"))
            .collect::<Result<_>>()?;
        let window = watched?;
        let mut report = collect(name, plan, counts);
        report.generator_cpu_percent = 100.0 * window.own_cpu_ms / window.span.as_secs_f64() / 1000.0;
        report.server = window.server.zip(idle).map(|((before, after), idle)| match plan.kind {
            Kind::SetUp { .. } => Cost::of_setups(&before, &after, plan.calls),
            Kind::Talk => {
                let held = f64::from(report.connected.max(1)) * window.span.as_secs_f64();
                Cost::of_talks(&before, &after, &idle, held, report.connected)
            }
        });
        Ok(report)
    })
}

/// What was seen from outside while measuring.
struct Window {
    span: Duration,
    server: Option<(Usage, Usage)>,
    own_cpu_ms: f64,
}

fn watch(
    name: &str,
    plan: &Plan,
    measure: &Measure,
    shared: &Shared,
    look: &dyn Fn() -> Result<Option<Usage>>,
) -> Result<Window> {
    let bar = ProgressBar::new(0).with_style(
        ProgressStyle::with_template("{prefix:16} {msg:22} {bar:30} {pos}/{len} {elapsed}")
            .expect("a template"),
    );
    bar.set_prefix(name.to_owned());
    let own = std::process::id();
    let stage = |what: &'static str, goal: u32, limit: Duration, count: &dyn Fn() -> u32| -> Result<()> {
        bar.set_message(what);
        bar.set_length(u64::from(goal));
        let end = Instant::now() + limit;
        while count() < goal {
            bar.set_position(u64::from(count()));
            ensure!(Instant::now() < end, "{what}: {} of {goal} after {limit:?}", count());
            pause();
        }
        Ok(())
    };
    let minute = Duration::from_secs(60);
    if plan.kind == Kind::Talk {
        stage("agents registered", plan.calls, minute, &|| shared.registered.load(Relaxed))?;
    }
    let (mut start, mut before, mut own_before) = (Instant::now(), look()?, Usage::of(own));
    shared.go.store(true, Relaxed);
    let patience = minute + Duration::from_secs_f64(f64::from(plan.calls) / plan.rate);
    let over = || shared.over.load(Relaxed);
    match plan.kind {
        Kind::SetUp { .. } => stage("calls done", plan.calls, patience, &over)?,
        Kind::Talk => {
            let decided =
                || [&shared.connected, &shared.failed, &shared.refused].iter().map(|n| n.load(Relaxed)).sum();
            stage("calls connected", plan.calls, patience + minute, &decided)?;
            shared.measuring.store(true, Relaxed);
            (start, before, own_before) = (Instant::now(), look()?, Usage::of(own));
            let seconds = || start.elapsed().as_secs() as u32;
            stage("seconds held", measure.hold.as_secs() as u32, measure.hold * 2, &seconds)?;
            shared.measuring.store(false, Relaxed);
        }
    }
    let window = Window {
        span: start.elapsed(),
        server: before.zip(look()?),
        own_cpu_ms: Usage::of(own)
            .zip(own_before)
            .map_or(0.0, |(after, before)| after.cpu_ms - before.cpu_ms),
    };
    shared.stop.store(true, Relaxed);
    stage("calls done", plan.calls, minute, &over)?;
    bar.finish_and_clear();
    Ok(window)
}

/// Between two looks at the workers' counters.
#[allow(clippy::disallowed_methods)] // a progress bar has no event to wait for
fn pause() {
    std::thread::sleep(Duration::from_millis(50));
}

fn collect(name: &str, plan: &Plan, counts: Vec<Counts>) -> Report {
    let mut report = Report { profile: name.to_owned(), calls: plan.calls, ..Report::default() };
    let mut all = Counts::default();
    for mut of in counts {
        for (why, count) in &of.failures {
            report.fail(why, *count);
        }
        report.packets.sent += of.sent;
        report.packets.received += of.received;
        report.packets.lost += of.lost;
        report.packets.doubles += of.doubles;
        report.packets.late += of.late;
        report.refused += of.refused;
        report.heard.append(&mut of.heard);
        all.delay.append(&mut of.delay);
        all.jitter.append(&mut of.jitter);
        all.answer.append(&mut of.answer);
        all.key_to_invite.append(&mut of.key_to_invite);
        all.ack_to_heard.append(&mut of.ack_to_heard);
    }
    report.connected = report.heard.len() as u32;
    report.delay_us = Spread::of(all.delay);
    report.jitter_us = Spread::of(all.jitter);
    report.answer_us = Spread::of(all.answer);
    report.key_to_invite_us = Spread::of(all.key_to_invite);
    report.ack_to_heard_us = Spread::of(all.ack_to_heard);
    report
}

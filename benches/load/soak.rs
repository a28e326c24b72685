//! `sayso-load soak`: mixed calls, transfers, holds and faults for as long as is wanted, and whether memory,
//! files or tables of the server grow with them.

mod lane;
mod phone;
pub(crate) mod watch;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::server::{Media, Server};
use lane::{Failure, Kind, Lane};
use watch::{Look, growth};

/// Memory settles in this time: caches, pools and the allocator's arenas.
const SETTLES: Duration = Duration::from_secs(300);
/// Memory may grow so much in an hour, in MB: the store's cache and the allocator breathe.
const MAX_GROWTH: f64 = 12.0;
/// Transactions and dialogs are held for up to 32 s after their end (64*T1); looks are a while apart.
const QUIET: Duration = Duration::from_secs(60);

/// What `soak` was asked for.
pub(crate) struct Options {
    pub(crate) sayso: PathBuf,
    pub(crate) span: Duration,
    pub(crate) lanes: usize,
    pub(crate) first_port: u16,
    pub(crate) json: bool,
}

/// What all lanes did.
#[derive(Default)]
struct Deeds {
    done: Mutex<BTreeMap<Kind, u32>>,
    failures: Mutex<Vec<Failure>>,
    calls: AtomicU32,
    stop: AtomicBool,
}

impl Deeds {
    /// A lane's calls, every kind in turn, until it is told to stop.
    fn work(&self, lane: &mut Lane, n: usize) {
        let mut turn = n;
        while !self.stop.load(Relaxed) {
            let kind = Kind::ALL[turn % Kind::ALL.len()];
            turn += 1;
            match lane.run(kind) {
                Ok(()) => *self.done.lock().expect("no lane panics").entry(kind).or_default() += 1,
                Err(failure) => self.failures.lock().expect("no lane panics").push(failure),
            }
            self.calls.fetch_add(1, Relaxed);
        }
    }
}

/// Runs it; whether every call went as it should, all tables are empty afterwards and nothing grew.
pub(crate) fn soak(options: &Options) -> Result<bool> {
    // Short, for the callers who vanish.
    let media = Media { ports: (options.first_port, options.first_port.saturating_add(999)), timeout: 5 };
    let server = Server::start(&options.sayso, &lane::settings(options.lanes), &media)?;
    let mut lanes = (0..options.lanes)
        .map(|n| Lane::new(server.udp, n))
        .collect::<std::io::Result<Vec<_>>>()
        .context("sockets")?;
    for lane in &mut lanes {
        lane.register().map_err(anyhow::Error::msg)?;
    }
    // The first call opens what stays open: the store's connections, the vault.
    let warm = lanes[0].run(Kind::Recorded);
    if let Err(failure) = warm {
        anyhow::bail!("the first call: {}", failure.what);
    }
    let look = |since: Instant, calls| {
        Look::now(server.pid(), server.http, since.elapsed(), calls).context("the server is gone")
    };
    let before = settled(&|| look(Instant::now(), 0))?;
    let start = Instant::now();
    let deeds = Deeds::default();
    let looks = std::thread::scope(|scope| -> Result<Vec<Look>> {
        for (n, lane) in lanes.iter_mut().enumerate() {
            let deeds = &deeds;
            scope.spawn(move || deeds.work(lane, n));
        }
        let looks = watched(options, start, &|| look(start, deeds.calls.load(Relaxed)));
        deeds.stop.store(true, Relaxed);
        looks
    })?;
    let after = settled(&|| look(start, deeds.calls.load(Relaxed)))?;
    Ok(report(options, &deeds, &before, &looks, &after))
}

/// A look every minute, or ten in all where that is shorter.
fn watched(options: &Options, start: Instant, look: &dyn Fn() -> Result<Look>) -> Result<Vec<Look>> {
    let every = Duration::from_secs(60).min(options.span / 10);
    let mut looks = Vec::new();
    while start.elapsed() < options.span {
        pause(every);
        let look = look()?;
        if !options.json {
            if looks.is_empty() {
                println!("{}", watch::HEAD);
            }
            println!("{}", look.row());
        }
        looks.push(look);
    }
    Ok(looks)
}

/// The look when nothing is held any more, or the last one before patience ended.
fn settled(look: &dyn Fn() -> Result<Look>) -> Result<Look> {
    let end = Instant::now() + QUIET;
    loop {
        let now = look()?;
        if now.is_empty() || Instant::now() >= end {
            return Ok(now);
        }
        pause(Duration::from_millis(200));
    }
}

#[allow(clippy::disallowed_methods)] // between two looks there is no event to wait for
fn pause(span: Duration) {
    std::thread::sleep(span);
}

fn report(options: &Options, deeds: &Deeds, before: &Look, looks: &[Look], after: &Look) -> bool {
    let failures = deeds.failures.lock().expect("no lane panics");
    let done = deeds.done.lock().expect("no lane panics");
    let slope = growth(looks, SETTLES.min(options.span / 2));
    // A few minutes say nothing of hours.
    let judged = slope.filter(|_| options.span > SETTLES * 2);
    let faults = [
        (!failures.is_empty(), format!("{} calls failed", failures.len())),
        (!after.is_empty(), format!("still held afterwards: {:?}", after.tables)),
        (after.files > before.files, format!("{} files open, {} before", after.files, before.files)),
        (judged.is_some_and(|mb| mb > MAX_GROWTH), format!("memory grows by more than {MAX_GROWTH} MB/h")),
    ];
    let faults: Vec<String> = faults.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect();
    if options.json {
        let kinds: BTreeMap<&str, u32> = done.iter().map(|(kind, count)| (kind.word(), *count)).collect();
        let failed: Vec<String> = failures.iter().map(|f| format!("{}: {}", f.kind.word(), f.what)).collect();
        println!(
            "{}",
            json!({ "calls": deeds.calls.load(Relaxed), "kinds": kinds, "failures": failed, "before": before,
                    "looks": looks, "after": after, "growth_mb_per_hour": slope, "faults": faults })
        );
        return faults.is_empty();
    }
    println!("{}   before\n{}   after", before.row(), after.row());
    for (kind, count) in done.iter() {
        println!("{:>8} x {}", count, kind.word());
    }
    for failure in failures.iter().take(20) {
        println!("  failed: {}: {}", failure.kind.word(), failure.what);
    }
    if let Some(slope) = slope {
        println!("memory: {slope:+.2} MB an hour after it settled (at most {MAX_GROWTH})");
    }
    for fault in &faults {
        println!("FAULT: {fault}");
    }
    faults.is_empty()
}

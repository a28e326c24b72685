//! Figures that no event keeps up, read each second for `/metrics`.

use crate::engine::Engine;
use crate::time::Timestamp;

use super::Shared;
use super::admission::Load;

/// Reads how busy everything is, from one look to the next.
pub(super) struct LoadGauge {
    /// Port pairs there are.
    ports: usize,
    /// Late ticks so far, and when they were counted.
    late: (u64, Timestamp),
}

impl LoadGauge {
    pub(super) fn new(ports: usize) -> Self {
        Self { ports, late: (0, Timestamp::from_micros(0)) }
    }

    pub(super) fn read(&mut self, shared: &Shared, now: Timestamp) -> Load {
        let workers = shared.engine.stats();
        let late: u64 = workers.iter().map(|worker| worker.late_ticks).sum();
        let (before, at) = std::mem::replace(&mut self.late, (late, now));
        // Those that hold calls: a worker without any is never late and says nothing of the others.
        let holding = workers.iter().filter(|worker| worker.legs > 0).count();
        let span = now.since(at).as_secs_f32() * holding.max(1) as f32;
        let busiest = workers.iter().map(|worker| worker.load).max().unwrap_or(0);
        let share = |is: usize, of: usize| is as f32 / of.max(1) as f32;
        Load {
            media: busiest as f32 / 1_000.0,
            late_ticks: if span > 0.0 { late.saturating_sub(before) as f32 / span } else { 0.0 },
            ports: share(shared.engine.ports_in_use(), self.ports),
            commands: shared.sip.backlog(),
            store: share(shared.store.backlog(), shared.store.capacity()),
        }
    }
}

pub(super) fn publish_media(engine: &Engine) {
    metrics::gauge!("sayso_media_ports").set(engine.ports_in_use() as f64);
    let mut legs = 0;
    for (n, worker) in engine.stats().into_iter().enumerate() {
        legs += worker.legs;
        let counter = |name: &'static str, value: u64| {
            metrics::counter!(name, "worker" => n.to_string()).absolute(value);
        };
        metrics::gauge!("sayso_media_load", "worker" => n.to_string()).set(worker.load as f64 / 1_000.0);
        counter("sayso_media_packets_in_total", worker.packets_in);
        counter("sayso_media_packets_out_total", worker.packets_out);
        counter("sayso_media_lost_total", worker.lost);
        counter("sayso_media_strangers_total", worker.strangers);
        counter("sayso_media_digits_total", worker.digits);
        counter("sayso_media_late_ticks_total", worker.late_ticks);
        counter("sayso_media_dropped_events_total", worker.dropped_events);
        counter("sayso_media_send_errors_total", worker.send_errors);
    }
    metrics::gauge!("sayso_media_legs").set(legs as f64);
}

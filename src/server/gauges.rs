//! Figures that no event keeps up, read each second for `/metrics`.

use crate::engine::Engine;

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

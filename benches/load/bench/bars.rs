//! The bars that the figures are held against.

use serde::Serialize;

use super::{Measured, Part};
use crate::report::Report;

/// A figure, its bar, and its unit; lower is better.
#[derive(Debug, Serialize)]
pub(crate) struct Bar {
    /// What was measured.
    part: &'static str,
    name: &'static str,
    is: f64,
    bar: f64,
    unit: &'static str,
}

impl Bar {
    /// A figure that is missing misses.
    pub(crate) fn is_met(&self) -> bool {
        self.is <= self.bar
    }
}

/// Memory may breathe by so many MB between the second round and the last.
const PLATEAU: f64 = 4.0;

/// The bars of what was measured.
pub(crate) fn of(all: &[Measured]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = all.iter().flat_map(of_part).collect();
    let cpu = |part| all.iter().find(|of| of.part == part).map(|of| cpu(&of.report));
    let mut ratio = |part, name, over: Option<f64>, under: Option<f64>, bar| {
        if let Some((over, under)) = over.zip(under) {
            bars.push(Bar { part, name, is: over / under, bar, unit: "x" });
        }
    };
    let (recorded, few) = (cpu(Part::Recorded), cpu(Part::Few));
    ratio("recorded", "CPU against the bare relay", recorded, cpu(Part::Floor), 1.5);
    ratio("recorded", "CPU per call against 200 calls", recorded, few, 1.0);
    bars
}

fn of_part(measured: &Measured) -> Vec<Bar> {
    let Measured { part, report, rounds, .. } = measured;
    let mut bars = Vec::new();
    let mut bar = |name, is: f64, bar, unit| bars.push(Bar { part: part.word(), name, is, bar, unit });
    let ms = |us: u64| us as f64 / 1_000.0;
    let memory = report.server.as_ref().and_then(|cost| cost.rss_mb_per_call).unwrap_or(f64::INFINITY);
    match part {
        // They are there to be compared with.
        Part::Generator | Part::Floor => return bars,
        Part::Recorded | Part::Few | Part::Relay => {
            let most = match part {
                Part::Recorded => 0.5,
                Part::Few => 0.8,
                Part::Relay
                | Part::Generator
                | Part::Floor
                | Part::Webrtc
                | Part::Opus
                | Part::Setup
                | Part::Overload
                | Part::Plateau => 0.42,
            };
            bar("CPU per call-second", cpu(report), most, "ms");
            bar("delay p50", ms(report.delay_us.p50), 1.2, "ms");
            bar("delay p99", ms(report.delay_us.p99), 2.5, "ms");
            bar("agent's ACK to heard p50", ms(report.ack_to_heard_us.p50), 8.0, "ms");
            bar("memory per call", memory, 0.15, "MB");
        }
        Part::Webrtc => {
            bar("CPU per call-second", cpu(report), 1.2, "ms");
            bar("memory per call", memory, 0.3, "MB");
        }
        Part::Opus => bar("CPU per call-second", cpu(report), 4.0, "ms"),
        Part::Setup => {
            let cost = report.server.as_ref().and_then(|cost| cost.cpu_ms_per_setup);
            bar("CPU per set-up", cost.unwrap_or(f64::INFINITY), 1.0, "ms");
            bar("answer p99", ms(report.answer_us.p99), 2.5, "ms");
        }
        Part::Overload => {
            let taken = f64::from(report.connected);
            // Half of what was offered is to be taken, and no more.
            bar("calls taken of those offered", taken / f64::from(report.calls.max(1)), 0.5, "x");
            bar(
                "calls neither taken nor refused",
                f64::from(report.calls) - taken - f64::from(report.refused),
                0.0,
                "",
            );
        }
        Part::Plateau => {
            let grown =
                rounds.last().zip(rounds.get(1)).map_or(f64::INFINITY, |(last, second)| last - second);
            bar("memory from 20,000 to 50,000 calls", grown, PLATEAU, "MB");
        }
    }
    if report.key_to_invite_us.count > 0 {
        bar("digit to agent's INVITE p99", ms(report.key_to_invite_us.p99), 5.0, "ms");
    }
    bar("calls failed", f64::from(report.failed), 0.0, "");
    if report.packets.sent > 0 {
        bar("packets lost", report.packets.lost as f64, 0.0, "");
        bar("packets late (60 ms)", report.packets.late as f64, 0.0, "");
    }
    if let Some(checked) = &report.recordings {
        bar("recordings not stored", f64::from(checked.expected) - f64::from(checked.stored), 0.0, "");
        bar("packets missing in recordings", checked.missing as f64, 0.0, "");
        bar("packets misplaced in recordings", checked.misplaced as f64, 0.0, "");
        bar("sides shifted by", checked.skew_ms, 20.0, "ms");
    }
    bars
}

/// CPU milliseconds for each second of each call; without a figure a bar is missed.
fn cpu(report: &Report) -> f64 {
    report.server.as_ref().and_then(|cost| cost.cpu_ms_per_call_second).unwrap_or(f64::INFINITY)
}

/// The table for people.
pub(crate) fn table(bars: &[Bar]) -> String {
    let mut text = format!("{:<46}{:>10}{:>10}\n", "", "is", "bar");
    for bar in bars {
        let verdict = if bar.is_met() { "" } else { "  MISSED" };
        let Bar { part, name, is, bar, unit } = bar;
        text.push_str(&format!("{part:<12}{name:<34}{is:>10.3}{bar:>10.3} {unit}{verdict}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Cost;

    fn measured(part: Part, cpu: f64) -> Measured {
        let cost = Cost {
            cpu_ms: 0.0,
            cpu_ms_per_call_second: Some(cpu),
            threads_ms_per_call_second: Default::default(),
            cpu_ms_per_setup: None,
            rss_mb_per_call: Some(0.1),
            rss_mb: 50.0,
        };
        let report = Report { server: Some(cost), ..Report::default() };
        Measured { part, report, samples: 0.0, rounds: Vec::new() }
    }

    #[test]
    fn the_ratio_is_to_the_relay_of_the_same_run() {
        let bars = of(&[measured(Part::Floor, 0.3), measured(Part::Recorded, 0.6)]);
        let ratio = bars.iter().find(|bar| bar.unit == "x").expect("both were measured");
        assert!((ratio.is - 2.0).abs() < 1e-9 && !ratio.is_met(), "{ratio:?}");
        assert!(
            of(&[measured(Part::Recorded, 0.4)]).iter().all(|bar| bar.unit != "x"),
            "nothing to compare with"
        );
    }

    #[test]
    fn what_was_not_measured_misses() {
        let nothing =
            Measured { part: Part::Setup, report: Report::default(), samples: 0.0, rounds: Vec::new() };
        assert!(!of(&[nothing])[0].is_met());
    }
}

//! What a run showed: as a table for people and as JSON for machines.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::Checked;
use crate::process::Usage;
use crate::worker::CallHeard;

/// The figures of one run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) profile: String,
    /// Calls attempted.
    pub(crate) calls: u32,
    pub(crate) failed: u32,
    /// Calls refused with 503 and Retry-After, where there was to be overload.
    pub(crate) refused: u32,
    /// Calls in which both heard each other.
    pub(crate) connected: u32,
    /// Why, how often.
    pub(crate) failures: BTreeMap<String, u32>,
    pub(crate) packets: Packets,
    /// From the sender's system call to the receiver's, through the server, in microseconds.
    /// The receiver's is the kernel's clock.
    pub(crate) delay_us: Spread,
    /// How much the distance of neighbouring packets differs from what it was at the sender, in microseconds.
    pub(crate) jitter_us: Spread,
    /// INVITE to 200, in microseconds.
    pub(crate) answer_us: Spread,
    /// A key's first packet to the agent's INVITE, in microseconds.
    pub(crate) key_to_invite_us: Spread,
    /// The agent's ACK until the caller hears the agent, in microseconds; 0 where the caller heard sooner.
    pub(crate) ack_to_heard_us: Spread,
    /// What the recordings are like, if they were looked into.
    pub(crate) recordings: Option<Checked>,
    /// What was heard in each call.
    #[serde(skip)]
    pub(crate) heard: Vec<CallHeard>,
    /// What the server used, if its process id was given.
    pub(crate) server: Option<Cost>,
    /// CPU of this generator while measuring, in percent of a core: near 100 it measures itself.
    pub(crate) generator_cpu_percent: f64,
}

/// Audio packets of both directions between callers and agents, once they are connected.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Packets {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) doubles: u64,
    /// More than 60 ms on the way.
    pub(crate) late: u64,
}

/// Quantiles.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) max: u64,
}

impl Spread {
    pub(crate) fn of(mut samples: Vec<u64>) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let index = (share * samples.len() as f64).ceil() as usize;
            samples.get(index.clamp(1, samples.len().max(1)) - 1).copied().unwrap_or(0)
        };
        Self { count: samples.len(), p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

/// What the server used.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Cost {
    /// CPU milliseconds while measuring.
    pub(crate) cpu_ms: f64,
    /// The same for each second of each call (held calls).
    pub(crate) cpu_ms_per_call_second: Option<f64>,
    /// Where that went, by kind of thread.
    pub(crate) threads_ms_per_call_second: BTreeMap<String, f64>,
    /// The same for each call (set-ups).
    pub(crate) cpu_ms_per_setup: Option<f64>,
    /// Memory it grew by for each call held, in MB (10^6 bytes).
    pub(crate) rss_mb_per_call: Option<f64>,
    /// Its memory at the end, in MB.
    pub(crate) rss_mb: f64,
}

impl Cost {
    /// Of calls that were held for `held` seconds together; `idle` was before the first of them.
    pub(crate) fn of_talks(before: &Usage, after: &Usage, idle: &Usage, held: f64, calls: u32) -> Self {
        let cpu_ms = after.cpu_ms - before.cpu_ms;
        let threads = after.threads_since(before);
        Self {
            cpu_ms,
            cpu_ms_per_call_second: Some(cpu_ms / held),
            threads_ms_per_call_second: threads.into_iter().map(|(name, ms)| (name, ms / held)).collect(),
            cpu_ms_per_setup: None,
            rss_mb_per_call: Some(after.rss.saturating_sub(idle.rss) as f64 / 1e6 / f64::from(calls.max(1))),
            rss_mb: after.rss as f64 / 1e6,
        }
    }

    /// Of so many set-ups.
    pub(crate) fn of_setups(before: &Usage, after: &Usage, calls: u32) -> Self {
        let cpu_ms = after.cpu_ms - before.cpu_ms;
        Self {
            cpu_ms,
            cpu_ms_per_call_second: None,
            threads_ms_per_call_second: BTreeMap::new(),
            cpu_ms_per_setup: Some(cpu_ms / f64::from(calls.max(1))),
            rss_mb_per_call: None,
            rss_mb: after.rss as f64 / 1e6,
        }
    }

    /// What the vault's threads used of a call-second: sealing and writing.
    pub(crate) fn vault_ms_per_call_second(&self) -> f64 {
        let vault = self.threads_ms_per_call_second.iter().filter(|(name, _)| name.starts_with("vault"));
        vault.map(|(_, ms)| ms).sum()
    }
}

impl Report {
    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        let refused = if self.refused > 0 { format!(", {} refused", self.refused) } else { String::new() };
        row("calls", format!("{} ({} failed{refused})", self.calls, self.failed));
        for (why, count) in &self.failures {
            row("  failed", format!("{count} x {why}"));
        }
        let packets = &self.packets;
        if packets.sent > 0 {
            row("packets sent", packets.sent.to_string());
            row(
                "packets received",
                format!(
                    "{} ({} lost, {} late, {} twice)",
                    packets.received, packets.lost, packets.late, packets.doubles
                ),
            );
        }
        for (name, spread) in [
            ("delay", self.delay_us),
            ("jitter", self.jitter_us),
            ("answer", self.answer_us),
            ("key to agent's INVITE", self.key_to_invite_us),
            ("agent's ACK to heard", self.ack_to_heard_us),
        ] {
            if spread.count > 0 {
                let ms = |us: u64| us as f64 / 1000.0;
                let (p50, p99, max) = (ms(spread.p50), ms(spread.p99), ms(spread.max));
                row(name, format!("p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms"));
            }
        }
        if let Some(cost) = &self.server {
            let cpu = [(cost.cpu_ms_per_call_second, "call-second"), (cost.cpu_ms_per_setup, "set-up")];
            for (ms, of) in cpu.into_iter().filter_map(|(ms, of)| Some((ms?, of))) {
                row("server CPU", format!("{ms:.3} ms per {of}"));
            }
            let threads: Vec<String> =
                cost.threads_ms_per_call_second.iter().map(|(name, ms)| format!("{name} {ms:.3}")).collect();
            if !threads.is_empty() {
                row("  of it", threads.join(", "));
            }
            if let Some(mb) = cost.rss_mb_per_call {
                row("server memory", format!("{mb:.3} MB per call, {:.1} MB in all", cost.rss_mb));
            }
        }
        if let Some(checked) = &self.recordings {
            row("recordings", checked.sentence());
        }
        row("generator CPU", format!("{:.0} % of a core", self.generator_cpu_percent));
        let mut text = format!("{}\n", self.profile);
        for (name, value) in rows {
            text.push_str(&format!("  {name:<24}{value}\n"));
        }
        text
    }

    /// Counts a failure.
    pub(crate) fn fail(&mut self, why: &str, count: u32) {
        self.failed += count;
        *self.failures.entry(why.to_owned()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_samples() {
        let spread = Spread::of((1..=200).rev().collect());
        assert_eq!((spread.p50, spread.p99, spread.max, spread.count), (100, 198, 200, 200));
        assert_eq!(Spread::of(vec![7]).p99, 7);
        assert_eq!(Spread::of(vec![]).p99, 0);
    }
}

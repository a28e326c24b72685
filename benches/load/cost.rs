//! What recording costs: the same held calls with it and without it, in one run of the bench, because the speed of
//! a virtual machine changes from run to run.

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::report::Report;

/// CPU in milliseconds for each second of each call; memory in MB for each call.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Compared {
    /// With recording: tap, encryption, flush.
    pub(crate) recorded_cpu_ms: f64,
    /// The same calls, nobody recorded.
    pub(crate) relay_cpu_ms: f64,
    /// The difference: what tap, encryption and flush cost. The noise of both runs is in it.
    pub(crate) recording_cpu_ms: f64,
    /// What the vault's own threads (encryption and flush, without the tap) used, measured by themselves.
    pub(crate) vault_threads_cpu_ms: f64,
    pub(crate) recorded_memory_mb: f64,
    pub(crate) relay_memory_mb: f64,
    /// Seconds of stereo audio that the vault had taken in when the recorded calls were over.
    pub(crate) recorded_seconds: f64,
}

impl Compared {
    /// Compares held calls. `samples` says how many samples of a channel were recorded in each run.
    ///
    /// # Errors
    /// When figures are missing, or when not exactly the one run was recorded: no comparison then.
    pub(crate) fn of(recorded: (&Report, f64), relay: (&Report, f64)) -> Result<Self> {
        let [(cpu, memory, vault), (relay_cpu, relay_memory, _)] = [recorded.0, relay.0].map(figures);
        ensure!(recorded.1 > 0.0, "nothing was recorded in {:?}", recorded.0.profile);
        ensure!(relay.1 == 0.0, "{} samples were recorded in {:?}", relay.1, relay.0.profile);
        let cpu = cpu.context("no CPU time of the recorded calls")?;
        let relay_cpu = relay_cpu.context("no CPU time of the relay alone")?;
        Ok(Self {
            recorded_cpu_ms: cpu,
            relay_cpu_ms: relay_cpu,
            recording_cpu_ms: cpu - relay_cpu,
            vault_threads_cpu_ms: vault.context("no CPU time of the vault's threads")?,
            recorded_memory_mb: memory.context("no memory of the recorded calls")?,
            relay_memory_mb: relay_memory.context("no memory of the relay alone")?,
            recorded_seconds: recorded.1 / 8_000.0,
        })
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let row = |name: &str, with: f64, without: f64, unit: &str| {
            format!("{name:<34}{with:>10.3}{without:>10.3}{:>10.3} {unit}\n", with - without)
        };
        let head = format!("{:<34}{:>10}{:>10}{:>10}\n", "", "recorded", "relay", "cost");
        let cpu = row("CPU per call-second", self.recorded_cpu_ms, self.relay_cpu_ms, "ms");
        let vault = row("  of it in the vault's threads", self.vault_threads_cpu_ms, 0.0, "ms");
        let memory = row("memory per call", self.recorded_memory_mb, self.relay_memory_mb, "MB");
        let all = format!("{:<34}{:>10.0}{:>10}\n", "seconds recorded in all", self.recorded_seconds, 0);
        [head, cpu, vault, memory, all].concat()
    }
}

/// CPU for each call-second, memory for each call, CPU of the vault's threads.
fn figures(report: &Report) -> (Option<f64>, Option<f64>, Option<f64>) {
    report.server.as_ref().map_or((None, None, None), |cost| {
        (cost.cpu_ms_per_call_second, cost.rss_mb_per_call, Some(cost.vault_ms_per_call_second()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Cost;

    fn report(cpu: f64) -> Report {
        let cost = Cost {
            cpu_ms: 0.0,
            cpu_ms_per_call_second: Some(cpu),
            threads_ms_per_call_second: [("vault-writer".to_owned(), 0.1)].into(),
            cpu_ms_per_setup: None,
            rss_mb_per_call: Some(0.1),
            rss_mb: 50.0,
        };
        Report { server: Some(cost), ..Report::default() }
    }

    #[test]
    fn the_cost_is_the_difference() {
        let (with, without) = (report(1.0), report(0.75));
        let compared = Compared::of((&with, 8_000.0), (&without, 0.0)).expect("both have figures");
        assert_eq!((compared.recording_cpu_ms, compared.recorded_seconds), (0.25, 1.0));
        assert!(compared.table().contains("1.000     0.750     0.250 ms"), "{}", compared.table());
    }

    #[test]
    fn a_comparison_that_compares_nothing_is_refused() {
        let (with, without) = (report(1.0), report(0.75));
        assert!(Compared::of((&with, 0.0), (&without, 0.0)).is_err(), "nothing recorded");
        assert!(Compared::of((&with, 1.0), (&without, 1.0)).is_err(), "recorded in both");
        assert!(Compared::of((&Report::default(), 1.0), (&without, 0.0)).is_err(), "no figures");
    }
}

//! What the server's process used: CPU time and memory, from /proc.

use std::fs;

/// A look at a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// CPU time so far, in milliseconds.
    pub(crate) cpu_ms: f64,
    /// The part of it that the vault's threads used, which seal and write recordings.
    pub(crate) vault_ms: f64,
    /// Resident memory in bytes.
    pub(crate) rss: u64,
}

impl Usage {
    /// Looks now; `None` when there is no such process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self { cpu_ms: cpu_ms(&stat)?, vault_ms: vault_ms(pid)?, rss: rss(pid)? })
    }
}

/// From ticks of 10 ms, which count threads that have ended too.
fn cpu_ms(stat: &str) -> Option<f64> {
    // The fields after the command's name, which may hold spaces: utime and stime are the 12th and 13th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) * 10.0)
}

/// Of the threads that are named after the vault; they live as long as the server does.
fn vault_ms(pid: u32) -> Option<f64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    // A thread may end between the listing and the look.
    let stats = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    Some(stats.filter(|stat| stat.contains("(vault-")).filter_map(|stat| cpu_ms(&stat)).sum())
}

fn rss(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kb| kb * 1024)
}

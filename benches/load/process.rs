//! What the server's process used: CPU time and memory, from /proc.

use std::collections::BTreeMap;
use std::fs;

/// A look at a process.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    /// CPU time so far, in milliseconds.
    pub(crate) cpu_ms: f64,
    /// The same by the names of its threads, without their numbers (`media`, `vault-writer`); threads that have ended
    /// are not in it.
    pub(crate) threads_ms: BTreeMap<String, f64>,
    /// Resident memory in bytes.
    pub(crate) rss: u64,
}

impl Usage {
    /// Looks now; `None` when there is no such process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Self { cpu_ms: cpu_ms(&stat)?, threads_ms: threads_ms(pid)?, rss: rss(pid)? })
    }

    /// What each kind of thread used since `before`, in milliseconds.
    pub(crate) fn threads_since(&self, before: &Self) -> BTreeMap<String, f64> {
        let since = |(name, ms): (&String, &f64)| {
            (name.clone(), ms - before.threads_ms.get(name).copied().unwrap_or(0.0))
        };
        self.threads_ms.iter().map(since).filter(|(_, ms)| *ms > 0.0).collect()
    }
}

/// From ticks of 10 ms, which count threads that have ended too.
fn cpu_ms(stat: &str) -> Option<f64> {
    // The fields after the command's name, which may hold spaces: utime and stime are the 12th and 13th.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) * 10.0)
}

fn threads_ms(pid: u32) -> Option<BTreeMap<String, f64>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut all = BTreeMap::new();
    // A thread may end between the listing and the look.
    for stat in tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("stat")).ok()) {
        if let (Some(name), Some(ms)) = (name(&stat), cpu_ms(&stat)) {
            *all.entry(name).or_default() += ms;
        }
    }
    Some(all)
}

/// A thread's name without the number at its end.
fn name(stat: &str) -> Option<String> {
    let (before, _) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1;
    Some(name.trim_end_matches(|end: char| end.is_ascii_digit() || end == '-').to_owned())
}

fn rss(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kb| kb * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_known_by_their_kind() {
        assert_eq!(name("7 (media-1) S 1 7"), Some("media".to_owned()));
        assert_eq!(name("7 (vault-writer) S 1 7"), Some("vault-writer".to_owned()));
        assert_eq!(name("7 (a (b) 2) S 1 7"), Some("a (b) ".to_owned()));
        let of_media = |ms| [("media".to_owned(), ms)].into();
        let (before, after) = (of_media(20.0), of_media(50.0));
        let usage = |threads_ms| Usage { cpu_ms: 0.0, threads_ms, rss: 0 };
        assert_eq!(usage(after).threads_since(&usage(before)), of_media(30.0));
    }
}

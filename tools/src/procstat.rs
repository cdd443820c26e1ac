//! What the kernel says of a process: CPU seconds and memory.

use std::fs;

use anyhow::{Context, Result};

/// One look at a process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcStat {
    /// Seconds in user mode and in the kernel, all threads together.
    pub user_seconds: f64,
    pub system_seconds: f64,
    pub resident_bytes: u64,
    pub resident_peak_bytes: u64,
}

impl ProcStat {
    /// Reads `/proc/<pid>/stat` and `status`.
    pub fn read(pid: u32) -> Result<Self> {
        let read = |file: &str| {
            let path = format!("/proc/{pid}/{file}");
            fs::read_to_string(&path).with_context(|| format!("{path}: is process {pid} alive?"))
        };
        let ticks_per_second = rustix::param::clock_ticks_per_second() as f64;
        Self::parse(&read("stat")?, &read("status")?, ticks_per_second).context("unknown form of /proc files")
    }

    #[must_use]
    pub fn cpu_seconds(&self) -> f64 {
        self.user_seconds + self.system_seconds
    }

    /// The command name in `stat` may hold blanks and brackets, so fields count from the last one.
    fn parse(stat: &str, status: &str, ticks_per_second: f64) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let seconds = |field: usize| Some(fields.get(field)?.parse::<f64>().ok()? / ticks_per_second);
        let bytes = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim_start_matches(':').split_ascii_whitespace().next()?.parse().ok()?;
            Some(kib * 1024)
        };
        Some(Self {
            user_seconds: seconds(11)?,
            system_seconds: seconds(12)?,
            resident_bytes: bytes("VmRSS")?,
            resident_peak_bytes: bytes("VmHWM")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_with_brackets_does_not_shift_fields() {
        let stat = "42 (a ) b) S 1 1 1 0 -1 4194560 9 0 0 0 250 50 0 0 20 0 1 0";
        let status = "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let parsed = ProcStat::parse(stat, status, 100.0).unwrap();
        assert_eq!((parsed.user_seconds, parsed.system_seconds), (2.5, 0.5));
        assert_eq!((parsed.resident_bytes, parsed.resident_peak_bytes), (1 << 20, 2 << 20));
    }

    #[test]
    fn our_own_process_can_be_read() {
        let own = ProcStat::read(std::process::id()).unwrap();
        assert!(own.resident_bytes > 0);
        assert!(own.resident_peak_bytes >= own.resident_bytes / 2);
    }
}

//! What Linux knows about this process, under the names that all Prometheus clients use.

use std::fs;

use shards::clock::system_now_ms;

use super::exposition::Exposition;

/// Clock ticks a second in `/proc`: fixed at 100 by the kernel's interface on every architecture that
/// io_uring servers run on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of the process; what cannot be read is `None`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessFigures {
    pub cpu_seconds: Option<f64>,
    pub start_time_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub virtual_bytes: Option<u64>,
    pub threads: Option<u64>,
    pub open_fds: Option<u64>,
    pub max_fds: Option<u64>,
}

impl ProcessFigures {
    /// Reads `/proc/self`: some small files that the kernel makes on the fly.
    #[must_use]
    pub fn read() -> Self {
        let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let mut figures = Self::parse(
            &file("/proc/self/stat"),
            &file("/proc/self/status"),
            &file("/proc/self/limits"),
            &file("/proc/uptime"),
            system_now_ms(),
        );
        // The directory being read is itself one of the open files.
        figures.open_fds =
            fs::read_dir("/proc/self/fd").ok().map(|fds| (fds.count() as u64).saturating_sub(1));
        figures
    }

    fn parse(stat: &str, status: &str, limits: &str, uptime: &str, now_ms: i64) -> Self {
        // The second field is the name of the program in brackets and may hold anything.
        let after_name: Vec<&str> =
            stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().collect()).unwrap_or_default();
        // Fields are counted from 1 in proc(5), and the third is the first one here.
        let ticks = |field: usize| after_name.get(field - 3)?.parse::<f64>().ok();
        let cpu_ticks = ticks(14).zip(ticks(15)).map(|(user, system)| user + system);
        let uptime_seconds = uptime.split_whitespace().next().and_then(|first| first.parse::<f64>().ok());
        let start_time_seconds = ticks(22)
            .zip(uptime_seconds)
            .map(|(start, uptime)| now_ms as f64 / 1000.0 - uptime + start / TICKS_PER_SECOND);
        let status_number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        let max_fds = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .and_then(|line| line.split_whitespace().next()?.parse().ok());
        Self {
            cpu_seconds: cpu_ticks.map(|ticks| ticks / TICKS_PER_SECOND),
            start_time_seconds,
            resident_bytes: status_number("VmRSS:").map(|kib| kib * 1024),
            virtual_bytes: status_number("VmSize:").map(|kib| kib * 1024),
            threads: status_number("Threads:"),
            open_fds: None,
            max_fds,
        }
    }

    pub fn expose(&self, exposition: &mut Exposition) {
        if let Some(value) = self.cpu_seconds {
            let help = "User and system CPU time spent.";
            exposition.counter("process_cpu_seconds_total", help).sample(&[], value);
        }
        let bytes = |value: Option<u64>| value.map(|value| value as f64);
        let gauges = [
            ("process_resident_memory_bytes", "Resident memory.", bytes(self.resident_bytes)),
            ("process_virtual_memory_bytes", "Virtual memory.", bytes(self.virtual_bytes)),
            ("process_threads", "Threads of the operating system.", bytes(self.threads)),
            ("process_open_fds", "Open file descriptors.", bytes(self.open_fds)),
            ("process_max_fds", "Largest number of open file descriptors.", bytes(self.max_fds)),
            (
                "process_start_time_seconds",
                "Start of the process in seconds since the Unix epoch.",
                self.start_time_seconds,
            ),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                exposition.gauge(name, help).sample(&[], value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_in_their_files() {
        let stat = "42 (odd ) name) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 9 0 2500 1 2";
        let figures = ProcessFigures::parse(
            stat,
            "Name:\todd\nVmSize:\t    2048 kB\nVmRSS:\t     512 kB\nThreads:\t9\n",
            "Limit   Soft   Hard\nMax open files            1024                 4096                 files\n",
            "100.0 50.0\n",
            1_000_000,
        );
        let expected = ProcessFigures {
            cpu_seconds: Some(2.0),
            start_time_seconds: Some(925.0),
            resident_bytes: Some(512 << 10),
            virtual_bytes: Some(2048 << 10),
            threads: Some(9),
            open_fds: None,
            max_fds: Some(1024),
        };
        assert_eq!(figures, expected);
        assert_eq!(ProcessFigures::parse("", "", "", "", 0), ProcessFigures::default());
    }

    #[test]
    fn this_process_has_figures() {
        let figures = ProcessFigures::read();
        assert!(figures.resident_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(figures.open_fds.is_some_and(|fds| fds >= 1));
        let mut exposition = Exposition::new();
        figures.expose(&mut exposition);
        assert_eq!(exposition.finish().lines().filter(|line| !line.starts_with('#')).count(), 7);
    }
}

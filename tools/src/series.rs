//! What one scrape target exposes: a list of series templates, named and labelled as node_exporter,
//! cadvisor and an instrumented program have them.
//!
//! A template holds the labels that are its own, already encoded, and says where the labels of the
//! target go between them, so that building the labels of a series is only copying.

use crate::encode::put_label;
use crate::values::Kind;

/// Labels of a target, in the order in which `--labels` takes them. Behind these come `extra_00`,
/// `extra_01` and so on.
pub const TARGET_LABELS: [&str; 19] = [
    "instance",
    "cluster",
    "region",
    "zone",
    "env",
    "namespace",
    "pod",
    "node",
    "service",
    "team",
    "version",
    "tenant",
    "rack",
    "datacenter",
    "arch",
    "os",
    "kernel",
    "tier",
    "owner",
];

/// Most labels of a series.
pub const LABELS_MAX: usize = 60;

/// The name of the target label with this position.
#[must_use]
pub fn target_label_name(position: usize) -> String {
    match TARGET_LABELS.get(position) {
        Some(name) => (*name).to_owned(),
        None => format!("extra_{:02}", position - TARGET_LABELS.len()),
    }
}

/// One piece of the encoded labels of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Encoded labels of the template itself.
    Own(Vec<u8>),
    /// The label of the target with this position.
    Target(usize),
}

/// One series of every target.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    pub kind: Kind,
    /// Templates of one group share a seed: the buckets of one histogram.
    pub group: u64,
    parts: Vec<Part>,
}

impl Template {
    fn new(kind: Kind, group: u64, own: &[(&str, &str)], labels_wanted: usize) -> Self {
        let from_target = labels_wanted.saturating_sub(own.len()).max(1);
        let mut named: Vec<(String, Option<&str>, usize)> =
            own.iter().map(|&(name, value)| (name.to_owned(), Some(value), 0)).collect();
        named.extend((0..from_target).map(|position| (target_label_name(position), None, position)));
        named.sort();
        let mut parts = Vec::new();
        for (name, value, position) in named {
            match (value, parts.last_mut()) {
                (None, _) => parts.push(Part::Target(position)),
                (Some(value), Some(Part::Own(bytes))) => put_label(bytes, &name, value),
                (Some(value), _) => {
                    let mut bytes = Vec::new();
                    put_label(&mut bytes, &name, value);
                    parts.push(Part::Own(bytes));
                }
            }
        }
        Self { kind, group, parts }
    }

    /// Appends the encoded labels of this series of a target.
    pub fn put_labels(&self, out: &mut Vec<u8>, target_labels: &[Vec<u8>]) {
        for part in &self.parts {
            match part {
                Part::Own(bytes) => out.extend_from_slice(bytes),
                Part::Target(position) => {
                    if let Some(bytes) = target_labels.get(*position) {
                        out.extend_from_slice(bytes);
                    }
                }
            }
        }
    }
}

const COUNT_SLOW: Kind = Kind::CounterInt { per_scrape: 3.0 };
const COUNT: Kind = Kind::CounterInt { per_scrape: 240.0 };
const COUNT_BYTES: Kind = Kind::CounterInt { per_scrape: 300_000.0 };
const SECONDS: Kind = Kind::CounterDecimal { per_scrape: 7.0, decimals: 2 };
const SECONDS_FINE: Kind = Kind::CounterDecimal { per_scrape: 0.4, decimals: 9 };
const BYTES: Kind = Kind::GaugeInt { scale: 1.6e10, quantum: 4096.0 };
const LEVEL: Kind = Kind::GaugeInt { scale: 400.0, quantum: 1.0 };
const RATIO: Kind = Kind::GaugeDecimal { scale: 8.0, decimals: 2 };
const DEGREES: Kind = Kind::GaugeDecimal { scale: 80.0, decimals: 1 };
const FLOAT: Kind = Kind::GaugeFloat { scale: 1.0 };
const FIXED: Kind = Kind::Constant { scale: 65_536.0 };

const HOST_ONCE: [(&str, Kind); 44] = [
    ("up", Kind::Flag),
    ("node_boot_time_seconds", FIXED),
    ("node_load1", RATIO),
    ("node_load5", RATIO),
    ("node_load15", RATIO),
    ("node_context_switches_total", COUNT_BYTES),
    ("node_forks_total", COUNT),
    ("node_intr_total", COUNT_BYTES),
    ("node_procs_running", LEVEL),
    ("node_procs_blocked", LEVEL),
    ("node_filefd_allocated", Kind::GaugeInt { scale: 20_000.0, quantum: 32.0 }),
    ("node_filefd_maximum", FIXED),
    ("node_entropy_available_bits", FIXED),
    ("node_time_offset_seconds", FLOAT),
    ("node_timex_frequency_adjustment_ratio", FLOAT),
    ("node_timex_sync_status", Kind::Flag),
    ("node_memory_MemTotal_bytes", FIXED),
    ("node_memory_MemFree_bytes", BYTES),
    ("node_memory_MemAvailable_bytes", BYTES),
    ("node_memory_Buffers_bytes", BYTES),
    ("node_memory_Cached_bytes", BYTES),
    ("node_memory_Active_bytes", BYTES),
    ("node_memory_Inactive_bytes", BYTES),
    ("node_memory_Dirty_bytes", BYTES),
    ("node_memory_Mapped_bytes", BYTES),
    ("node_memory_Slab_bytes", BYTES),
    ("node_memory_SwapTotal_bytes", FIXED),
    ("node_memory_SwapFree_bytes", FIXED),
    ("node_memory_HugePages_Total", FIXED),
    ("node_vmstat_pgfault", COUNT_BYTES),
    ("node_vmstat_pgmajfault", COUNT_SLOW),
    ("node_netstat_Tcp_InSegs", COUNT_BYTES),
    ("node_netstat_Tcp_OutSegs", COUNT_BYTES),
    ("node_netstat_Tcp_RetransSegs", COUNT_SLOW),
    ("node_netstat_Udp_InDatagrams", COUNT),
    ("node_sockstat_TCP_alloc", LEVEL),
    ("process_cpu_seconds_total", SECONDS),
    ("process_resident_memory_bytes", BYTES),
    ("process_open_fds", LEVEL),
    ("process_start_time_seconds", FIXED),
    ("go_goroutines", LEVEL),
    ("go_memstats_heap_inuse_bytes", BYTES),
    ("go_memstats_alloc_bytes_total", COUNT_BYTES),
    ("go_gc_duration_seconds_sum", SECONDS_FINE),
];

const CPU_MODES: [&str; 8] = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];

const DISK: [(&str, Kind); 8] = [
    ("node_disk_read_bytes_total", COUNT_BYTES),
    ("node_disk_written_bytes_total", COUNT_BYTES),
    ("node_disk_reads_completed_total", COUNT),
    ("node_disk_writes_completed_total", COUNT),
    ("node_disk_io_now", LEVEL),
    ("node_disk_io_time_seconds_total", SECONDS),
    ("node_disk_read_time_seconds_total", SECONDS),
    ("node_disk_write_time_seconds_total", SECONDS),
];

const NETWORK: [(&str, Kind); 8] = [
    ("node_network_receive_bytes_total", COUNT_BYTES),
    ("node_network_transmit_bytes_total", COUNT_BYTES),
    ("node_network_receive_packets_total", COUNT),
    ("node_network_transmit_packets_total", COUNT),
    ("node_network_receive_errs_total", COUNT_SLOW),
    ("node_network_transmit_drop_total", COUNT_SLOW),
    ("node_network_mtu_bytes", FIXED),
    ("node_network_up", Kind::Flag),
];

const FILESYSTEM: [(&str, Kind); 4] = [
    ("node_filesystem_size_bytes", FIXED),
    ("node_filesystem_avail_bytes", BYTES),
    ("node_filesystem_files_free", LEVEL),
    ("node_filesystem_readonly", Kind::Flag),
];

const CONTAINER: [(&str, Kind); 10] = [
    ("container_cpu_usage_seconds_total", SECONDS_FINE),
    ("container_cpu_cfs_periods_total", COUNT),
    ("container_cpu_cfs_throttled_periods_total", COUNT_SLOW),
    ("container_memory_working_set_bytes", BYTES),
    ("container_memory_rss", BYTES),
    ("container_memory_cache", BYTES),
    ("container_fs_reads_total", COUNT),
    ("container_fs_writes_bytes_total", COUNT_BYTES),
    ("container_spec_memory_limit_bytes", FIXED),
    ("container_last_seen", Kind::GaugeDecimal { scale: 1.7e9, decimals: 0 }),
];

const SENSORS: [(&str, Kind); 2] = [("node_hwmon_temp_celsius", DEGREES), ("node_hwmon_fan_ratio", FLOAT)];

const BOUNDS: [&str; 12] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"];

const HANDLERS: [&str; 8] = [
    "/api/v1/query",
    "/api/v1/query_range",
    "/api/v1/orders",
    "/api/v1/orders/:id",
    "/login",
    "/health",
    "/metrics",
    "/static/*",
];

/// The first so many series of a target. Rounds go on with the next cpu, disk, network device,
/// container and handler until there are enough.
#[must_use]
pub fn templates(wanted: usize, labels_wanted: usize) -> Vec<Template> {
    let mut list = List { wanted, labels_wanted, templates: Vec::with_capacity(wanted), groups: 0 };
    for (name, kind) in HOST_ONCE {
        list.push(kind, &[("__name__", name), ("job", "node")]);
    }
    let mut round = 0;
    while list.templates.len() < wanted {
        list.push_round(round);
        round += 1;
    }
    list.templates
}

struct List {
    wanted: usize,
    labels_wanted: usize,
    templates: Vec<Template>,
    groups: u64,
}

impl List {
    fn push(&mut self, kind: Kind, own: &[(&str, &str)]) {
        self.groups += 1;
        self.push_grouped(kind, own);
    }

    fn push_grouped(&mut self, kind: Kind, own: &[(&str, &str)]) {
        if self.templates.len() < self.wanted {
            self.templates.push(Template::new(kind, self.groups, own, self.labels_wanted));
        }
    }

    fn push_round(&mut self, round: usize) {
        let cpu = round.to_string();
        for mode in CPU_MODES {
            let own =
                [("__name__", "node_cpu_seconds_total"), ("cpu", &cpu), ("job", "node"), ("mode", mode)];
            self.push(SECONDS, &own);
        }
        let disk = format!("nvme{round}n1");
        for (name, kind) in DISK {
            self.push(kind, &[("__name__", name), ("device", &disk), ("job", "node")]);
        }
        let network = if round == 0 { "eth0".to_owned() } else { format!("veth{:08x}", round * 0x9e37_79b1) };
        for (name, kind) in NETWORK {
            self.push(kind, &[("__name__", name), ("device", &network), ("job", "node")]);
        }
        let mount = if round == 0 { "/".to_owned() } else { format!("/var/lib/data{round}") };
        let device = format!("/dev/{disk}p1");
        for (name, kind) in FILESYSTEM {
            let own = [
                ("__name__", name),
                ("device", device.as_str()),
                ("fstype", "ext4"),
                ("job", "node"),
                ("mountpoint", &mount),
            ];
            self.push(kind, &own);
        }
        let container = format!("app-{round}");
        let image = format!("registry.example.com/platform/app:{}.{}", 1 + round / 10, round % 10);
        for (name, kind) in CONTAINER {
            let own = [("__name__", name), ("container", &container), ("image", &image), ("job", "cadvisor")];
            self.push(kind, &own);
        }
        let sensor = format!("temp{}", round + 1);
        for (name, kind) in SENSORS {
            self.push(
                kind,
                &[("__name__", name), ("chip", "0000:00_18_3"), ("job", "node"), ("sensor", &sensor)],
            );
        }
        self.push_requests(round);
    }

    fn push_requests(&mut self, round: usize) {
        let path = HANDLERS[round % HANDLERS.len()];
        let handler = match round / HANDLERS.len() {
            0 => path.to_owned(),
            version => format!("/v{version}{path}"),
        };
        for code in ["200", "404", "500"] {
            let own = [
                ("__name__", "http_requests_total"),
                ("code", code),
                ("handler", &handler),
                ("job", "app"),
                ("method", "GET"),
            ];
            self.push(COUNT, &own);
        }
        self.groups += 1;
        let per_scrape = 40.0;
        let count = BOUNDS.len() as u32;
        for (index, bound) in (0..).zip(BOUNDS) {
            let own = [
                ("__name__", "http_request_duration_seconds_bucket"),
                ("handler", handler.as_str()),
                ("job", "app"),
                ("le", bound),
            ];
            self.push_grouped(Kind::Bucket { index, count, per_scrape }, &own);
        }
        let sum = [("__name__", "http_request_duration_seconds_sum"), ("handler", &handler), ("job", "app")];
        self.push_grouped(Kind::Sum { per_scrape }, &sum);
        let total =
            [("__name__", "http_request_duration_seconds_count"), ("handler", &handler), ("job", "app")];
        self.push_grouped(Kind::Bucket { index: count - 1, count, per_scrape }, &total);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::encode::read_labels;

    fn labels_of(template: &Template, count: usize) -> Vec<(String, String)> {
        let target: Vec<Vec<u8>> = (0..count)
            .map(|position| {
                let mut bytes = Vec::new();
                put_label(&mut bytes, &target_label_name(position), "v");
                bytes
            })
            .collect();
        let mut out = Vec::new();
        template.put_labels(&mut out, &target);
        read_labels(&out).unwrap()
    }

    #[test]
    fn every_series_has_the_wanted_number_of_sorted_labels() {
        for wanted in [3, 10, 40] {
            for template in templates(700, wanted) {
                let labels = labels_of(&template, LABELS_MAX);
                assert!(labels.len() >= wanted, "{labels:?}");
                assert!(wanted < 6 || labels.len() == wanted, "{labels:?}");
                assert!(labels.is_sorted_by(|a, b| a.0 < b.0), "{labels:?}");
            }
        }
    }

    #[test]
    fn series_of_a_target_are_distinct() {
        let all: BTreeSet<_> = templates(5000, 10).iter().map(|template| labels_of(template, 20)).collect();
        assert_eq!(all.len(), 5000);
    }

    #[test]
    fn a_short_list_is_the_start_of_a_long_one() {
        assert_eq!(templates(20, 10), templates(300, 10)[..20]);
    }
}

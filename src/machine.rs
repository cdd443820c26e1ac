//! What the machine has: defaults follow from it.

use std::fs;

/// Assumed where the machine does not say.
const MEMORY_UNKNOWN: u64 = 1 << 30;

/// Memory that this process may use: that of the machine, or less if its control group says so.
#[must_use]
pub fn memory_bytes() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let machine = meminfo.lines().find_map(|line| {
        let kib = line.strip_prefix("MemTotal:")?.trim().strip_suffix("kB")?.trim();
        kib.parse::<u64>().ok()?.checked_mul(1024)
    });
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = group_limits(&groups, |path| fs::read_to_string(path).ok());
    machine.into_iter().chain(limits).min().unwrap_or(MEMORY_UNKNOWN)
}

/// The least memory limit of the control groups that a process is in, and of those above them.
fn group_limits(groups: &str, read: impl Fn(&str) -> Option<String>) -> Option<u64> {
    let mut least = None;
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        let mut path = path.trim_end_matches('/');
        loop {
            let limit =
                read(&format!("{root}{path}/{file}")).and_then(|text| text.trim().parse::<u64>().ok());
            least = [least, limit].into_iter().flatten().min();
            let Some((parent, _)) = path.rsplit_once('/') else { break };
            path = parent;
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_counts() {
        let read = |path: &str| match path {
            "/sys/fs/cgroup/a/b/memory.max" => Some("max\n".to_owned()),
            "/sys/fs/cgroup/a/memory.max" => Some("1073741824\n".to_owned()),
            _ => None,
        };
        assert_eq!(group_limits("0::/a/b\n", read), Some(1 << 30));
        assert_eq!(group_limits("", read), None);
        assert!(memory_bytes() > 1 << 20);
    }
}

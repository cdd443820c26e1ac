//! Whether this machine lets us use io_uring, asked before the executor library asks.
//!
//! The library ends the process or panics where io_uring is missing; here the cause is told apart
//! and put into words, together with what to change.

use std::ffi::c_int;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Switch of the kernel: 0 for everybody, 1 for a group, 2 for nobody.
const SWITCH: &str = "/proc/sys/kernel/io_uring_disabled";
/// Locked memory that one executor needs at least; it refuses to start with less.
const LOCKED_BYTES_MIN: u64 = 512 << 10;
/// Oldest kernel with every operation that the executor uses.
const KERNEL_MIN: (u32, u32) = (5, 8);

/// Says why executors cannot run here and what to change, if so.
///
/// Raises the soft limit of locked memory to the hard one where it is too low.
pub fn io_uring_available() -> Result<(), String> {
    kernel_is_recent(rustix::system::uname().release().to_str().unwrap_or_default())?;
    raise_locked_memory()?;
    match set_up() {
        Ok(()) => Ok(()),
        Err(errno) => Err(refusal(errno, std::fs::read_to_string(SWITCH).ok().as_deref().map(str::trim))),
    }
}

fn kernel_is_recent(release: &str) -> Result<(), String> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < KERNEL_MIN => Err(format!(
            "Linux {release} is too old for io_uring as used here; run Linux {}.{} or newer",
            KERNEL_MIN.0, KERNEL_MIN.1
        )),
        _ => Ok(()),
    }
}

fn raise_locked_memory() -> Result<(), String> {
    let limit = getrlimit(Resource::Memlock);
    if limit.current.is_none_or(|bytes| bytes >= LOCKED_BYTES_MIN) {
        return Ok(());
    }
    if limit.maximum.is_none_or(|bytes| bytes >= LOCKED_BYTES_MIN)
        && setrlimit(Resource::Memlock, Rlimit { current: limit.maximum, maximum: limit.maximum }).is_ok()
    {
        return Ok(());
    }
    Err(format!(
        "this process may lock only {} KiB of memory, io_uring needs {} KiB; raise it with ulimit -l, \
         LimitMEMLOCK= of systemd or --ulimit memlock= of the container",
        limit.current.unwrap_or_default() >> 10,
        LOCKED_BYTES_MIN >> 10
    ))
}

/// Makes a ring and closes it.
#[expect(unsafe_code, reason = "the system call has no safe wrapper in rustix")]
fn set_up() -> Result<(), Errno> {
    const ENTRIES: u32 = 2;
    let mut parameters = rustix::io_uring::io_uring_params::default();
    // SAFETY: the flags are all zero, so no other ring is attached to and the kernel only writes the
    // parameters, which outlive the call. The descriptor is owned and closed when dropped.
    unsafe { rustix::io_uring::io_uring_setup(ENTRIES, &mut parameters) }.map(drop)
}

fn refusal(errno: Errno, switch: Option<&str>) -> String {
    match (errno, switch) {
        (Errno::PERM | Errno::ACCESS, Some("2")) => {
            "io_uring is switched off on this machine; run: sysctl -w kernel.io_uring_disabled=0".to_owned()
        }
        (Errno::PERM | Errno::ACCESS, Some("1")) => {
            "io_uring is reserved for a group on this machine; add this user to the group of \
             kernel.io_uring_group, or run: sysctl -w kernel.io_uring_disabled=0"
                .to_owned()
        }
        (Errno::PERM | Errno::ACCESS, _) => {
            "io_uring is forbidden here, as a rule by the seccomp profile of a container; allow \
             io_uring_setup, io_uring_enter and io_uring_register in it, or run with \
             --security-opt seccomp=unconfined"
                .to_owned()
        }
        (Errno::NOSYS, _) => {
            "this kernel has no io_uring, or a sandbox such as gVisor hides it; run on Linux 5.8 or \
             newer with CONFIG_IO_URING"
                .to_owned()
        }
        (Errno::NOMEM, _) => {
            "io_uring may not lock enough memory; raise it with ulimit -l, LimitMEMLOCK= of systemd or \
             --ulimit memlock= of the container"
                .to_owned()
        }
        (Errno::MFILE | Errno::NFILE, _) => {
            "too many open files for io_uring; raise the limit with ulimit -n".to_owned()
        }
        (errno, _) => {
            let code: c_int = errno.raw_os_error();
            format!(
                "io_uring does not start: {} (error {code}); check the kernel log",
                std::io::Error::from(errno)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_its_remedy() {
        assert!(refusal(Errno::PERM, Some("2")).contains("kernel.io_uring_disabled=0"));
        assert!(refusal(Errno::PERM, Some("1")).contains("kernel.io_uring_group"));
        assert!(refusal(Errno::PERM, Some("0")).contains("seccomp"));
        assert!(refusal(Errno::PERM, None).contains("seccomp"));
        assert!(refusal(Errno::NOSYS, None).contains("5.8"));
        assert!(refusal(Errno::NOMEM, Some("0")).contains("ulimit -l"));
        assert!(refusal(Errno::INVAL, Some("0")).contains("error 22"));
    }

    #[test]
    fn old_kernels_are_told_by_their_release() {
        assert!(kernel_is_recent("5.4.0-150-generic").unwrap_err().contains("5.4.0-150-generic"));
        assert!(kernel_is_recent("4.19").is_err());
        for release in ["5.8.0", "5.10.0-8-amd64", "6.18.44-fc-v595", "10.0", "", "custom"] {
            assert_eq!(kernel_is_recent(release), Ok(()), "{release}");
        }
    }
}

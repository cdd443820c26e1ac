//! Programs that attach, make, mount and take down.

use std::path::Path;

use crate::common::command::run;
use crate::common::wait;

/// What this thread and its children mount, nobody else sees, and it goes when they have ended.
pub(crate) fn keep_private() -> Result<(), String> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).map_err(|error| format!("unshare: {error}"))?;
    run("mount", &["--make-rprivate", "/"]).map(drop)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Unmounts what may still be busy for a moment.
pub(crate) fn unmount(path: &Path) {
    wait::until("the file system to be idle", || run("umount", &[text(path)]).ok());
}

/// Unmounts at any price, when a test has failed: it goes as soon as nobody uses it.
pub(crate) fn detach(path: &Path) {
    let _ = run("umount", &["-l", text(path)]);
}

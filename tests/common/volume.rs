//! A small ext4 in a file, mounted while the test runs.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::command::run;

/// Unmounted when dropped.
pub(crate) struct Volume {
    path: PathBuf,
}

impl Volume {
    /// Makes and mounts a volume below a directory; `None` where that is not possible.
    pub(crate) fn mount(directory: &Path, bytes: u64) -> Option<Self> {
        let image = directory.join("volume.img");
        std::fs::File::create(&image).and_then(|file| file.set_len(bytes)).ok()?;
        let path = directory.join("volume");
        std::fs::create_dir(&path).ok()?;
        let image = image.to_str()?;
        run("mkfs.ext4", &["-q", "-F", "-m", "0", image]).ok()?;
        run("mount", &["-o", "loop", image, path.to_str()?]).ok()?;
        Some(Self { path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Takes all room that is left.
    pub(crate) fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.filler()).unwrap();
        let mut len = 1 << 20;
        while len >= 4096 {
            if file.write_all(&vec![1; len]).and_then(|()| file.sync_data()).is_err() {
                len /= 4;
            }
        }
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = run("umount", &["-l", self.path.to_str().unwrap_or_default()]);
    }
}

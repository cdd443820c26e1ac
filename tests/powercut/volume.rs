//! An ext4 on a loop device over an exported disk, mounted while power is on.

use std::path::{Path, PathBuf};

use crate::common::command::run;
use crate::common::wait;
use crate::disk::{Counts, Cut, Disk};
use crate::export::Export;
use crate::mounts::{self, text};

/// A disk and the places where it is mounted.
pub(crate) struct Volume {
    pub(crate) disk: Disk,
    export: PathBuf,
    path: PathBuf,
}

impl Volume {
    /// A new disk with an ext4, not mounted yet; why not, where that is impossible.
    pub(crate) fn make(directory: &Path, bytes: usize) -> Result<Self, String> {
        mounts::keep_private()?;
        let volume =
            Self { disk: Disk::new(bytes), export: directory.join("export"), path: directory.join("volume") };
        for path in [&volume.export, &volume.path] {
            std::fs::create_dir(path).map_err(|error| error.to_string())?;
        }
        let attached = Attached::new(&volume.disk, &volume.export)?;
        // Nothing is left to be written by the kernel at its leisure.
        let options = ["-q", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", "-m", "0"];
        run("mkfs.ext4", &[&options[..], &[&attached.device]].concat())?;
        attached.detach();
        Ok(volume)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Turns power on, perhaps only until a cut: what the last one has left is mounted.
    pub(crate) fn power_on(&self, cut: Option<Cut>) -> Powered {
        self.disk.power_on();
        if let Some(cut) = cut {
            self.disk.cut_after(cut);
        }
        let attached = Attached::new(&self.disk, &self.export).unwrap();
        // Commits every second what nobody asks to be durable, so that there is more to be cut.
        run("mount", &["-o", "commit=1", &attached.device, text(&self.path)]).unwrap();
        attached.release();
        Powered { path: self.path.clone(), attached: Some(attached), disk: self.disk.clone() }
    }
}

/// A mounted volume; taken down when dropped.
pub(crate) struct Powered {
    path: PathBuf,
    attached: Option<Attached>,
    disk: Disk,
}

impl Powered {
    /// Takes it down after a cut, and tells what the disk did.
    pub(crate) fn off(mut self) -> Counts {
        assert!(self.disk.is_cut(), "power is on");
        let counts = self.disk.counts();
        mounts::unmount(&self.path);
        if let Some(attached) = self.attached.take() {
            attached.detach();
        }
        counts
    }
}

impl Drop for Powered {
    fn drop(&mut self) {
        if self.attached.is_some() {
            mounts::detach(&self.path);
        }
    }
}

/// A disk as a loop device.
struct Attached {
    device: String,
    export: Option<Export>,
}

impl Attached {
    fn new(disk: &Disk, directory: &Path) -> Result<Self, String> {
        let export = Export::mount(disk.clone(), directory).map_err(|error| format!("FUSE: {error}"))?;
        let device = run("losetup", &["--find", "--show", "--direct-io=on", text(&export.file())])?;
        Ok(Self { device, export: Some(export) })
    }

    /// Detaches it as soon as nobody uses it.
    fn release(&self) {
        // It may have gone by itself.
        let _ = run("losetup", &["--detach", &self.device]);
    }

    fn detach(mut self) {
        self.release();
        // Whoever looks at new block devices may have it open for a moment.
        let file = format!("/sys/block/{}/loop/backing_file", self.device.trim_start_matches("/dev/"));
        let ours = self.export.as_ref().unwrap().file();
        wait::until("the loop device to be free", || {
            let ours = std::fs::read_to_string(&file).is_ok_and(|path| Path::new(path.trim()) == ours);
            (!ours).then_some(())
        });
        if let Some(export) = self.export.take() {
            export.unmount();
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if self.export.is_some() {
            self.release();
        }
    }
}

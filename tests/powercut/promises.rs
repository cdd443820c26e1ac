//! What the stack below the server promises: what was synced survives a cut, the rest may not.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::common::server::temp_dir;
use crate::disk::{Disk, Survivors};
use crate::volume::Volume;

const VOLUME_BYTES: usize = 32 << 20;
const LEN: usize = 64 << 10;

#[test]
fn a_cut_leaves_what_was_flushed_and_versions_of_the_rest() {
    for survivors in [Survivors::None, Survivors::Blocks, Survivors::Sectors, Survivors::All] {
        let disk = Disk::new(1 << 20);
        disk.write(0, &[1; 512 << 10]);
        disk.flush();
        for version in [2, 3] {
            disk.write(4096 * 3, &[version; 256 << 10]);
        }
        assert_eq!(disk.read(4096 * 3 - 1, 2), [1, 3]);
        disk.cut(survivors, 7);
        disk.write(0, &[4; 4096]);
        disk.flush();
        disk.power_on();
        let bytes = disk.read(0, 1 << 20);
        assert!(bytes[..4096 * 3].iter().all(|&byte| byte == 1));
        let unit = if survivors == Survivors::Sectors { 512 } else { 4096 };
        let cached = &bytes[4096 * 3..][..256 << 10];
        let mut seen = [0; 4];
        for unit in cached.chunks(unit) {
            assert!(unit.iter().all(|&byte| byte == unit[0]));
            seen[usize::from(unit[0])] += 1;
        }
        match survivors {
            Survivors::None => assert_eq!(seen[2] + seen[3], 0),
            Survivors::All => assert_eq!(seen[1] + seen[2], 0),
            Survivors::Blocks | Survivors::Sectors => assert!(seen[1..].iter().all(|&n| n > 0), "{seen:?}"),
        }
    }
}

#[test]
fn the_file_system_keeps_what_was_synced() {
    let dir = temp_dir();
    let volume = match Volume::make(dir.path(), VOLUME_BYTES) {
        Ok(volume) => volume,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let powered = volume.power_on(None);
    write(&volume.path().join("synced"), 1).sync_all().unwrap();
    File::open(volume.path()).unwrap().sync_all().unwrap();
    let flushes = volume.disk.counts().flushes;
    assert!(flushes > 0, "the loop device passes flushes on");
    // In place, as the log is written: no metadata changes, each write is one flush.
    let direct = OpenOptions::new()
        .write(true)
        .custom_flags((rustix::fs::OFlags::DIRECT | rustix::fs::OFlags::DSYNC).bits() as i32)
        .open(volume.path().join("synced"))
        .unwrap();
    let bytes = [2; 8192];
    let block = &bytes[bytes.as_ptr().align_offset(4096)..][..4096];
    for turn in 1..=8 {
        direct.write_all_at(block, 4096 * turn).unwrap();
        assert!(volume.disk.counts().flushes >= flushes + turn, "a write with O_DSYNC flushes");
    }
    drop(direct);
    let unsynced = write(&volume.path().join("unsynced"), 3);
    volume.disk.cut(Survivors::None, 0);
    drop(unsynced);
    write(&volume.path().join("late"), 4).sync_all().unwrap();
    powered.off();

    let powered = volume.power_on(None);
    let synced = std::fs::read(volume.path().join("synced")).unwrap();
    assert_eq!(synced.len(), LEN);
    let written = |at: usize| if (4096..4096 * 9).contains(&at) { 2 } else { 1 };
    assert!(synced.iter().enumerate().all(|(at, &byte)| byte == written(at)));
    for gone in ["unsynced", "late"] {
        assert!(!volume.path().join(gone).exists(), "{gone} has survived");
    }
    volume.disk.cut(Survivors::All, 0);
    powered.off();
}

fn write(path: &Path, byte: u8) -> File {
    let mut file = File::create(path).unwrap();
    file.write_all(&[byte; LEN]).unwrap();
    file
}

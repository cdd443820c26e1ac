//! The simulated disk keeps the promises of a disk, and no others.

use std::collections::BTreeSet;

use futures_lite::future::block_on;

use super::*;

fn path() -> PathBuf {
    PathBuf::from("/sim/file")
}

fn write(file: &SimFile, byte: u8, position: u64) -> Result<()> {
    block_on(file.write_at(&[byte; BLOCK_LEN], position))
}

/// A disk with one durable file of one block of ones.
fn disk_with_file(seed: u64) -> (SimDisk, SimFile) {
    let disk = SimDisk::new(seed);
    let file = disk.open(&path()).unwrap();
    write(&file, 1, 0).unwrap();
    disk.sync_directory(Path::new("/sim")).unwrap();
    (disk, file)
}

#[test]
fn what_returned_outlives_a_power_cut() {
    for seed in 0..50 {
        let (disk, file) = disk_with_file(seed);
        disk.restart();
        assert!(write(&file, 2, 0).is_err(), "opened before the cut");
        assert!(file.len().is_err(), "opened before the cut");
        assert_eq!(disk.open(&path()).unwrap().read_at(0, 9999).unwrap(), vec![1; BLOCK_LEN]);
    }
}

#[test]
fn an_interrupted_write_leaves_any_of_its_sectors() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..200 {
        let (disk, file) = disk_with_file(seed);
        disk.cut_power_at(disk.operations() + 1);
        assert!(write(&file, 2, 0).is_err());
        assert!(disk.is_off());
        disk.restart();
        let sectors = disk.content(&path()).unwrap();
        assert!(sectors.chunks(SECTOR_LEN).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
        outcomes.insert(sectors.chunks(SECTOR_LEN).map(|sector| sector[0]).collect::<Vec<_>>());
    }
    assert!(outcomes.contains(&vec![1; 8]));
    assert!(outcomes.contains(&vec![2; 8]));
    assert!(outcomes.len() > 20, "{} different tears", outcomes.len());
}

#[test]
fn names_that_were_not_synced_come_and_go() {
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let (disk, _) = disk_with_file(seed);
        disk.open(Path::new("/sim/new")).unwrap();
        disk.remove(&path()).unwrap();
        disk.restart();
        seen.insert(disk.list(Path::new("/sim")).unwrap());
    }
    let expected = [vec!["file"], vec!["file", "new"], vec!["new"]];
    assert_eq!(seen, expected.map(|names| names.into_iter().map(str::to_owned).collect()).into());
}

#[test]
fn publishing_is_all_or_nothing() {
    let mut seen = BTreeSet::new();
    for seed in 0..60 {
        let (disk, _) = disk_with_file(seed);
        let temporary = Path::new("/sim/file.tmp");
        let file = disk.open(temporary).unwrap();
        write(&file, 7, 0).unwrap();
        disk.cut_power_at(disk.operations() + 1);
        assert!(disk.publish(temporary, &path()).is_err());
        disk.restart();
        seen.insert(disk.content(&path()).unwrap()[0]);
    }
    assert_eq!(seen, BTreeSet::from([1, 7]));
}

#[test]
fn a_full_disk_refuses_until_there_is_room() {
    let (disk, file) = disk_with_file(3);
    disk.set_room(Some(100));
    assert!(matches!(write(&file, 2, BLOCK_LEN as u64), Err(Error::DiskFull { .. })));
    assert!(matches!(file.preallocate(1 << 20), Err(Error::DiskFull { .. })));
    write(&file, 3, 0).unwrap();
    disk.set_room(None);
    write(&file, 2, BLOCK_LEN as u64).unwrap();
    file.preallocate(1 << 20).unwrap();
    assert_eq!((file.len().unwrap(), disk.used()), (1 << 20, 1 << 20));
}

#[test]
fn planned_faults_happen_where_planned() {
    let (disk, file) = disk_with_file(3);
    disk.fail_at(disk.operations() + 2, 2, Fault::InputOutput);
    write(&file, 2, 0).unwrap();
    for _ in 0..2 {
        assert!(matches!(write(&file, 3, 0), Err(Error::Io { .. })));
    }
    write(&file, 4, 0).unwrap();
    disk.flip_bit(&path(), 5 * 8);
    assert_eq!(file.read_at(5, 2).unwrap(), vec![5, 4]);
}

#[test]
fn a_seed_replays_exactly() {
    let run = |seed| {
        let (disk, file) = disk_with_file(seed);
        disk.cut_power_at(disk.operations() + 1);
        assert!(write(&file, 2, 0).is_err());
        disk.content(&path())
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
}

//! Several writers at once: they share writes, wait for each other, and fail together.

use futures_lite::future::poll_once;
use futures_util::future::join_all;

use super::*;

/// Appends and commits `rounds` times; gives the numbers that were acknowledged.
async fn writer(wal: Wal, first: u32, rounds: u32) -> Vec<u32> {
    let mut acknowledged = Vec::new();
    for series in first..first + rounds {
        let Ok(lsn) = append(&wal, series, 1 + series as usize % 90) else { break };
        if wal.commit(lsn).await.is_err() {
            break;
        }
        acknowledged.push(series);
    }
    acknowledged
}

fn run_writers(wal: &Wal) -> Vec<u32> {
    let writers = (0..8).map(|number| writer(wal.clone(), number * 100, 12));
    block_on(join_all(writers)).concat()
}

#[test]
fn writers_that_wait_together_share_a_write() {
    let disk = SimDisk::new(2);
    let (wal, ..) = open(&disk).unwrap();
    disk.let_writes_wait(true);
    let acknowledged = run_writers(&wal);
    assert_eq!(acknowledged.len(), 96);
    let metrics = wal.metrics();
    assert!(metrics.frames <= 96 / 4, "{metrics:?}");
    assert_eq!(metrics.pending_bytes, 0);
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!(report.frames, metrics.frames);
    assert_eq!(found.len(), 96);
}

#[test]
fn power_may_fail_under_many_writers() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let (wal, ..) = open(&disk).unwrap();
        disk.let_writes_wait(true);
        disk.cut_power_at(disk.operations() + 1 + seed % 14);
        let acknowledged = run_writers(&wal);
        disk.restart();
        let (_, report, found) = open(&disk).unwrap();
        assert_eq!((report.damaged_frames, report.missing_frames), (0, 0), "seed {seed}");
        for series in acknowledged {
            assert!(found.contains_key(&series), "seed {seed}: {series} was acknowledged");
        }
        for (series, read) in found {
            assert_eq!(read, values(series, 1 + series as usize % 90), "seed {seed}: {series} is whole");
        }
    }
}

#[test]
fn a_write_that_is_given_up_poisons_the_log_and_wakes_the_others() {
    let disk = SimDisk::new(2);
    let (wal, ..) = open(&disk).unwrap();
    disk.let_writes_wait(true);
    let (first, second) = (append(&wal, 1, 3).unwrap(), append(&wal, 2, 3).unwrap());
    let mut leader = Box::pin(wal.commit(first));
    let mut follower = Box::pin(wal.commit(second));
    block_on(async {
        assert!(poll_once(&mut leader).await.is_none());
        assert!(poll_once(&mut follower).await.is_none());
        drop(leader);
        assert!(matches!(follower.await, Err(Error::Poisoned { .. })));
    });
    assert!(matches!(append(&wal, 3, 3), Err(Error::Poisoned { .. })));
}

#[test]
fn a_follower_that_is_given_up_disturbs_nobody() {
    let disk = SimDisk::new(2);
    let (wal, ..) = open(&disk).unwrap();
    disk.let_writes_wait(true);
    let lsns: Vec<_> = (0..3).map(|series| append(&wal, series, 3).unwrap()).collect();
    let mut leader = Box::pin(wal.commit(lsns[0]));
    let mut given_up = Box::pin(wal.commit(lsns[1]));
    let mut follower = Box::pin(wal.commit(lsns[2]));
    block_on(async {
        assert!(poll_once(&mut leader).await.is_none());
        assert!(poll_once(&mut given_up).await.is_none());
        assert!(poll_once(&mut follower).await.is_none());
        drop(given_up);
        leader.await.unwrap();
        follower.await.unwrap();
    });
    assert_eq!(open(&disk).unwrap().2.len(), 3);
}

#[test]
fn a_failed_write_is_told_to_all_that_waited_for_it() {
    let disk = SimDisk::new(2);
    let (wal, ..) = open(&disk).unwrap();
    disk.let_writes_wait(true);
    disk.set_failing(true);
    assert_eq!(run_writers(&wal), Vec::<u32>::new());
}

#[test]
fn segments_rotate_beside_writers() {
    let disk = SimDisk::new(2);
    let (wal, ..) = open(&disk).unwrap();
    disk.let_writes_wait(true);
    let rotating = async {
        for _ in 0..5 {
            wal.rotate().await.unwrap();
        }
        Vec::new()
    };
    let mut work: Vec<std::pin::Pin<Box<dyn Future<Output = Vec<u32>>>>> = vec![Box::pin(rotating)];
    for number in 0..4 {
        work.push(Box::pin(writer(wal.clone(), number * 100, 10)));
    }
    let acknowledged = block_on(join_all(work)).concat();
    let (_, report, found) = open(&disk).unwrap();
    assert_eq!(acknowledged.len(), 40);
    assert_eq!((report.segments, found.len()), (6, 40));
    assert_eq!((report.damaged_frames, report.missing_frames), (0, 0));
}

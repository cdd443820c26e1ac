//! The loop: power on, check, write, cut.

use crate::common::http::Client;
use crate::common::random::random;
use crate::common::server::{RESTLESS, Server, temp_dir};
use crate::common::variable::number;
use crate::common::verify::expect_whole;
use crate::common::writers::{Times, Writers};
use crate::disk::{Cut, Survivors};
use crate::operator::Operator;
use crate::volume::Volume;

const CUTS_DEFAULT: u64 = 5;
const VOLUME_BYTES: usize = 256 << 20;
/// Power is cut after so many writes and flushes of the disk, at least and at most.
const OPERATIONS_MIN: u64 = 100;
const OPERATIONS_MAX: u64 = 3000;
/// And then when so many blocks are not flushed, if that happens within so many more.
const CACHED: [usize; 8] = [0, 0, 1, 2, 4, 16, 40, 100];
const PATIENCE: u64 = 2000;
/// One cut in so many comes while ext4 or the server recover.
const EARLY_ONE_IN: u64 = 4;
const OPERATIONS_EARLY_MAX: u64 = 60;
/// A step of minutes closes a window every few seconds.
const STEP_MS: i64 = 60_000;
const SINCE_MS: i64 = 300 * 86_400_000;
/// Beside the restless ones.
const FLAGS: [&str; 5] = ["--disk-reserve", "1MiB", "--retention", "400d", "--enable-admin-api"];
/// What a power cut must not bring about: damage that the server has seen.
const DAMAGE: [&str; 5] = [
    "tsdb_parts_quarantined",
    "tsdb_damage_found_total",
    "tsdb_wal_damaged_frames",
    "tsdb_wal_missing_frames",
    "tsdb_wal_damaged_segments",
];

#[test]
fn acknowledged_samples_survive_every_power_cut() {
    let cuts = number("TSDB_POWER_CUTS").unwrap_or(CUTS_DEFAULT);
    let seed = number("TSDB_POWER_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("TSDB_POWER_SEED={seed} TSDB_POWER_CUTS={cuts}");
    let flags = [&RESTLESS[..], &FLAGS].concat();
    let dir = temp_dir();
    let volume = match Volume::make(dir.path(), VOLUME_BYTES) {
        Ok(volume) => volume,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let data_dir = volume.path().join("data");
    let times = Times::since(SINCE_MS, STEP_MS);
    let (mut writers, mut operator) = (Writers::new(seed, times), Operator::new(times));
    let check = |client: &Client, writers: &Writers, operator: &Operator| {
        for name in DAMAGE {
            assert_eq!(figure(client, name), 0.0, "{name}");
        }
        writers.check(client);
        operator.check(client);
    };
    for number in 0..cuts {
        let cut = cut(seed, number);
        let early = number > 0 && random(seed, number << 8 | 1).is_multiple_of(EARLY_ONE_IN);
        let at_once = Cut { after: cut.after % OPERATIONS_EARLY_MAX, cached: 0, ..cut };
        let powered = volume.power_on(early.then_some(at_once));
        if data_dir.exists() {
            expect_whole(&data_dir);
        }
        let mut server = Server::start(&data_dir, &flags);
        check(&server.client, &writers, &operator);
        if !early {
            volume.disk.cut_after(cut);
        }
        let client = server.client.clone();
        // What was answered before the cut must be on the disk.
        let counts = || !volume.disk.is_cut();
        std::thread::scope(|scope| {
            scope.spawn(|| operator.run(&client, counts));
            writers.run(&client, |_| counts());
        });
        let [flushes, merges] =
            ["tsdb_flushes_total", "tsdb_compactions_total"].map(|name| figure(&client, name));
        server.program.kill();
        let did = powered.off();
        println!(
            "cut {number}{}: {did:?}, {:?}; {flushes} flushes, {merges} merges; \
             {} samples acknowledged, {} series deleted",
            if early { " (early)" } else { "" },
            cut.survivors,
            writers.acked(),
            operator.deleted(),
        );
    }
    let powered = volume.power_on(None);
    expect_whole(&data_dir);
    let server = Server::start(&data_dir, &flags);
    check(&server.client, &writers, &operator);
    println!("{} acknowledged samples, none lost, none wrong", writers.acked());
    assert!(writers.acked() as u64 > cuts * 100, "too few samples to prove anything: {}", writers.acked());
    server.stop();
    volume.disk.cut(Survivors::All, 0);
    powered.off();
}

fn cut(seed: u64, number: u64) -> Cut {
    let drawn = random(seed, number << 8);
    let survivors = match drawn % 8 {
        0 | 1 => Survivors::None,
        2 | 3 => Survivors::Sectors,
        4 => Survivors::All,
        _ => Survivors::Blocks,
    };
    Cut {
        after: OPERATIONS_MIN + (drawn >> 8) % (OPERATIONS_MAX - OPERATIONS_MIN),
        cached: CACHED[(drawn >> 32) as usize % CACHED.len()],
        patience: PATIENCE,
        survivors,
        seed: drawn,
    }
}

/// A figure of the server, of all shards together.
fn figure(client: &Client, name: &str) -> f64 {
    let metrics = client.get("/metrics", &[]).text();
    let values = metrics.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        (series.split('{').next() == Some(name)).then(|| value.parse::<f64>().unwrap())
    });
    values.sum()
}

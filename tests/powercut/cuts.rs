//! The loop: power on, check, write, cut.

use std::collections::BTreeMap;

use crate::common::random::random;
use crate::common::server::{Server, temp_dir};
use crate::common::verify::expect_whole;
use crate::common::writers::Writers;
use crate::disk::{Cut, Survivors};
use crate::volume::Volume;

const CUTS_DEFAULT: u64 = 5;
const VOLUME_BYTES: usize = 192 << 20;
/// Power is cut after so many writes and flushes of the disk at most.
const OPERATIONS_MAX: u64 = 3000;
/// One cut in so many comes while ext4 or the server recover.
const EARLY_ONE_IN: u64 = 4;
const OPERATIONS_EARLY_MAX: u64 = 60;
/// Small segments and memtables, so that the log begins new ones all the time, and flushes and merges
/// every few hundred milliseconds.
const FLAGS: [&str; 12] = [
    "--shards",
    "2",
    "--wal-segment-bytes",
    "1MiB",
    "--memtable-bytes",
    "1MiB",
    "--flush-wal-bytes",
    "1MiB",
    "--flush-interval",
    "200ms",
    "--disk-reserve",
    "1MiB",
];

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn acknowledged_samples_survive_every_power_cut() {
    let cuts = variable("TSDB_POWER_CUTS").unwrap_or(CUTS_DEFAULT);
    let seed = variable("TSDB_POWER_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("TSDB_POWER_SEED={seed} TSDB_POWER_CUTS={cuts}");
    let dir = temp_dir();
    let volume = match Volume::make(dir.path(), VOLUME_BYTES) {
        Ok(volume) => volume,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let data_dir = volume.path().join("data");
    let mut writers = Writers::new(seed);
    for number in 0..cuts {
        let cut = cut(seed, number);
        let early = number > 0 && random(seed, number << 8 | 1).is_multiple_of(EARLY_ONE_IN);
        if early {
            volume.disk.cut_after(Cut { after: cut.after % OPERATIONS_EARLY_MAX, ..cut });
        }
        let powered = volume.power_on();
        if data_dir.exists() {
            expect_whole(&data_dir);
        }
        let mut server = Server::start(&data_dir, &FLAGS);
        writers.check(&server.client);
        if !early {
            volume.disk.cut_after(cut);
        }
        let client = server.client.clone();
        // A request that was answered before the cut is one that the disk must have.
        writers.run(&client, |_| !volume.disk.is_cut());
        let seen = parts(&client.get("/metrics", &[]).text());
        server.program.kill();
        let counts = powered.off();
        println!("cut {number}: {cut:?}, {counts:?}, {seen:?}, {} acknowledged", writers.acked());
    }
    let powered = volume.power_on();
    expect_whole(&data_dir);
    let server = Server::start(&data_dir, &FLAGS);
    writers.check(&server.client);
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
    Cut { after: (drawn >> 8) % OPERATIONS_MAX, survivors, seed: drawn }
}

/// Figures that tell that there were flushes and merges.
fn parts(metrics: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let name = name.split('{').next().unwrap();
        if ["tsdb_flushes_total", "tsdb_compactions_total"].contains(&name) {
            *found.entry(name.to_owned()).or_insert(0.0) += value.parse::<f64>().unwrap();
        }
    }
    found
}

//! A disk that fills up under load, again and again: a real ext4 in a file.
//!
//! After each time, what lies on the disk is whole. Needs root, to mount it; says so and passes where
//! it cannot. `TSDB_FAULTS_FILLS` sets how often the disk is filled.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeMap;

use common::http::Client;
use common::random::noise;
use common::remote_write::Request;
use common::server::{Server, now_ms, temp_dir};
use common::variable::number;
use common::verify::expect_whole;
use common::volume::Volume;

const FILLS_DEFAULT: u64 = 3;
const VOLUME_BYTES: u64 = 96 << 20;
const SERIES: u64 = 200;
/// Requests that a full disk must refuse within.
const REQUESTS_MAX: u64 = 20_000;
const FLAGS: [&str; 10] = [
    "--wal-segment-bytes",
    "2MiB",
    "--memtable-bytes",
    "2MiB",
    "--flush-wal-bytes",
    "2MiB",
    "--flush-interval",
    "300ms",
    "--disk-reserve",
    "1MiB",
];

/// Acknowledged samples by series and time.
type Acked = BTreeMap<(u64, i64), u64>;

struct Writer {
    first_ms: i64,
    next: u64,
    acked: Acked,
}

impl Writer {
    /// Sends the next request; its status.
    fn send(&mut self, client: &Client) -> u16 {
        let time = self.first_ms + self.next as i64 * 10;
        let mut request = Request::new();
        let mut samples = Vec::new();
        for series in 0..SERIES {
            let value = noise(series, self.next);
            let number = series.to_string();
            request
                .push_series(&[(b"__name__", b"filled"), (b"series", number.as_bytes())], &[(time, value)]);
            samples.push(((series, time), value.to_bits()));
        }
        let status = client.write(&request.body()).status;
        self.next += 1;
        if status == 204 {
            self.acked.extend(samples);
        }
        status
    }

    /// Everything that was acknowledged is there, bit by bit.
    fn check(&self, client: &Client) {
        let last_ms = self.first_ms + self.next as i64 * 10;
        let data = client.query("filled[2h]", last_ms).data();
        let mut found = Acked::new();
        for series in data["result"].as_array().unwrap() {
            let number: u64 = series["metric"]["series"].as_str().unwrap().parse().unwrap();
            for pair in series["values"].as_array().unwrap() {
                let time = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
                let bits = pair[1].as_str().unwrap().parse::<f64>().unwrap().to_bits();
                found.insert((number, time), bits);
            }
        }
        for (place, bits) in &self.acked {
            assert_eq!(found.get(place), Some(bits), "an acknowledged sample at {place:?}");
        }
    }
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_resumes() {
    let fills = number("TSDB_FAULTS_FILLS").unwrap_or(FILLS_DEFAULT);
    let dir = temp_dir();
    let Some(volume) = Volume::mount(dir.path(), VOLUME_BYTES) else {
        println!("skipped: an ext4 in a file cannot be mounted here");
        return;
    };
    let data_dir = volume.path().join("data");
    let mut server = Server::start(&data_dir, &FLAGS);
    let mut writer = Writer { first_ms: now_ms() - 3_600_000, next: 0, acked: Acked::new() };
    for fill in 0..fills {
        for _ in 0..50 {
            assert_eq!(writer.send(&server.client), 204);
        }
        volume.fill();
        let refused = (0..REQUESTS_MAX).any(|_| writer.send(&server.client) == 503);
        assert!(refused, "the full disk refuses writes");
        writer.check(&server.client);
        if fill % 3 == 2 {
            server.program.kill();
            expect_whole(&data_dir);
            volume.free();
            server = Server::start(&data_dir, &FLAGS);
        } else {
            volume.free();
        }
        common::wait::until("writes to be taken again", || {
            (writer.send(&server.client) == 204).then_some(())
        });
        writer.check(&server.client);
        if fill % 2 == 0 {
            server.stop();
        } else {
            server.program.kill();
        }
        expect_whole(&data_dir);
        server = Server::start(&data_dir, &FLAGS);
        writer.check(&server.client);
    }
    println!("{} acknowledged samples, none lost; {fills} fills, whole after each", writer.acked.len());
    server.stop();
    expect_whole(&data_dir);
}

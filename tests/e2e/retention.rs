//! What retention deletes, while others read; and its change while the server runs.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::http::{Client, only_series};
use crate::common::random::noise;
use crate::common::remote_write::Request;
use crate::common::server::{RESTLESS, Server, now_ms, temp_dir};
use crate::common::verify::expect_whole;
use crate::common::volume::Volume;
use crate::common::wait;

const HOUR: i64 = 3_600_000;
const MIB: u64 = 1 << 20;
const SERIES: u64 = 64;
/// Samples of a series in a window of two hours, about 1 MiB of all series.
const SAMPLES: i64 = 2000;
const STEP_MS: i64 = 3600;
const PER_REQUEST: i64 = 200;
/// Windows that are written, the oldest first; the newest has not ended yet.
const WINDOWS: i64 = 18;
/// Beside the restless ones.
const FLAGS: [&str; 5] = ["--shards", "1", "--disk-reserve", "0", "--enable-admin-api"];

/// Samples that do not compress.
struct Ballast {
    first_ms: i64,
}

impl Ballast {
    fn new() -> Self {
        Self::since(WINDOWS * 2 * HOUR)
    }

    fn since(ago_ms: i64) -> Self {
        Self { first_ms: now_ms() - ago_ms }
    }

    fn time_ms(&self, window: i64, sample: i64) -> i64 {
        self.first_ms + window * 2 * HOUR + sample * STEP_MS
    }

    fn value(series: u64, time_ms: i64) -> f64 {
        noise(series, time_ms as u64)
    }

    /// Writes a window.
    fn write(&self, client: &Client, window: i64) {
        for first in (0..SAMPLES).step_by(PER_REQUEST as usize) {
            let mut request = Request::new();
            for series in 0..SERIES {
                let times = (first..first + PER_REQUEST).map(|sample| self.time_ms(window, sample));
                let samples: Vec<_> = times.map(|time_ms| (time_ms, Self::value(series, time_ms))).collect();
                let number = series.to_string();
                request.push_series(&[(b"__name__", b"ballast"), (b"series", number.as_bytes())], &samples);
            }
            let status = wait::until("a write to be taken", || {
                Some(client.write(&request.body()).status).filter(|status| *status != 503)
            });
            assert_eq!(status, 204);
        }
    }

    fn write_all(&self, client: &Client) {
        for window in 0..WINDOWS {
            self.write(client, window);
        }
    }

    /// Samples that are left of a window.
    fn left(&self, client: &Client, window: i64) -> i64 {
        let data = client.query("sum(count_over_time(ballast[2h]))", self.time_ms(window + 1, 0) - 1).data();
        if data["result"].as_array().unwrap().is_empty() {
            return 0;
        }
        only_series(&data)[0].1.parse::<f64>().unwrap() as i64
    }

    /// The newest minutes are whole, which are in no block yet, and of the oldest window there is
    /// nothing.
    fn expect_the_newest(&self, client: &Client) {
        let last_ms = self.time_ms(WINDOWS - 1, SAMPLES - 1);
        let data = client.query("sum(count_over_time(ballast[9m]))", last_ms).data();
        assert_eq!(only_series(&data), [(last_ms, (SERIES * 150).to_string())]);
        assert_eq!(self.left(client, 0), 0);
    }

    /// Reads a series until told to stop: each answer is good, each value the one that was written.
    fn read(&self, client: &Client, stop: &AtomicBool) {
        for turn in 0.. {
            let series = turn % SERIES;
            let query = format!("ballast{{series=\"{series}\"}}[{}h]", WINDOWS * 2 + 2);
            let data = client.query(&query, self.time_ms(WINDOWS, 0)).data();
            for found in data["result"].as_array().unwrap() {
                for pair in found["values"].as_array().unwrap() {
                    let time_ms = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
                    let value: f64 = pair[1].as_str().unwrap().parse().unwrap();
                    assert_eq!(value.to_bits(), Self::value(series, time_ms).to_bits(), "at {time_ms}");
                }
            }
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Does something while somebody reads.
    fn while_read<T>(&self, client: &Client, work: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| self.read(client, &stop));
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            stop.store(true, Ordering::Relaxed);
            reader.join().unwrap();
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// Bytes of all files of the shard.
fn bytes_of(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries
        .map(
            |path| {
                if path.is_dir() { bytes_of(&path) } else { path.metadata().map_or(0, |file| file.len()) }
            },
        )
        .sum()
}

/// Waits until the files take no more than so much.
fn wait_bytes(data_dir: &Path, most: u64) {
    wait::until("the files to be few", || (bytes_of(&data_dir.join("shard-000")) <= most).then_some(()));
}

/// A server on one shard, with some flags more.
fn start(data_dir: &Path, flags: &[&str]) -> Server {
    Server::start(data_dir, &[&RESTLESS[..], &FLAGS, flags].concat())
}

/// A file of settings, and how it is read again.
struct Settings(PathBuf);

impl Settings {
    fn new(directory: &Path, text: &str) -> Self {
        let settings = Self(directory.join("settings.json"));
        settings.set(text);
        settings
    }

    fn flags(&self) -> [&str; 2] {
        ["--settings-file", self.0.to_str().unwrap()]
    }

    fn set(&self, text: &str) {
        std::fs::write(&self.0, text).unwrap();
    }

    fn change(&self, server: &Server, text: &str) {
        self.set(text);
        server.program.signal(rustix::process::Signal::HUP);
    }
}

#[test]
fn the_oldest_go_when_the_files_take_too_much() {
    let dir = temp_dir();
    let data_dir = dir.path().join("data");
    let server = start(&data_dir, &["--retention-bytes", "10MiB"]);
    let ballast = Ballast::new();
    ballast.while_read(&server.client, || {
        ballast.write_all(&server.client);
        server.client.admin("flush", &[]);
        wait_bytes(&data_dir, 10 * MIB);
    });
    ballast.expect_the_newest(&server.client);
    server.stop();
    expect_whole(&data_dir);
}

#[test]
fn the_oldest_go_when_the_files_take_too_much_of_the_disk() {
    let dir = temp_dir();
    let Some(volume) = Volume::mount(dir.path(), 256 << 20) else {
        println!("skipped: an ext4 in a file cannot be mounted here");
        return;
    };
    let data_dir = volume.path().join("data");
    let server = start(&data_dir, &["--retention-percent", "4"]);
    let ballast = Ballast::new();
    ballast.while_read(&server.client, || {
        ballast.write_all(&server.client);
        server.client.admin("flush", &[]);
        wait_bytes(&data_dir, (256 * MIB) * 4 / 100);
    });
    ballast.expect_the_newest(&server.client);
    server.stop();
    expect_whole(&data_dir);
}

#[test]
fn it_changes_while_the_server_runs() {
    let dir = temp_dir();
    let data_dir = dir.path().join("data");
    let settings = Settings::new(dir.path(), "{\"retention\": \"20d\"}");
    let server = start(&data_dir, &settings.flags());
    let client = &server.client;
    let ballast = Ballast::new();
    ballast.write_all(client);
    client.admin("flush", &[]);
    let all = SERIES as i64 * SAMPLES;
    assert_eq!([0, 1, WINDOWS - 1].map(|window| ballast.left(client, window)), [all; 3]);

    // What cannot be read changes nothing.
    settings.change(&server, "{\"retention_bytes\": \"a lot\"}");
    wait::until("the settings to be refused", || {
        server.program.printed().contains("settings stay as they are").then_some(())
    });
    assert_eq!(ballast.left(client, 0), all);

    ballast.while_read(client, || {
        settings.change(&server, "{\"retention_bytes\": \"12MiB\"}");
        wait_bytes(&data_dir, 12 * MIB);
    });
    ballast.expect_the_newest(client);

    // Percent of a disk that is much larger; bytes are lifted, so what is written now stays.
    client.admin("retention", &[("bytes", ""), ("percent", "100")]);
    ballast.write_all(client);
    client.admin("flush", &[]);
    assert_eq!([0, 1, WINDOWS - 1].map(|window| ballast.left(client, window)), [all; 3]);
    ballast.while_read(client, || {
        client.admin("retention", &[("bytes", "10MiB")]);
        wait_bytes(&data_dir, 10 * MIB);
    });
    ballast.expect_the_newest(client);

    for refused in [("percent", "101"), ("bytes", "many"), ("age", "0")] {
        assert_eq!(client.post_form("/api/v1/admin/tsdb/retention", &[refused]).status, 400);
    }
    server.stop();
    expect_whole(&data_dir);
}

#[test]
fn what_is_too_old_goes_and_is_not_taken() {
    let dir = temp_dir();
    let data_dir = dir.path().join("data");
    let server = start(&data_dir, &[]);
    let client = &server.client;
    // Parts go as a whole: no part has samples of both.
    let (old, new) = (Ballast::since(10 * 24 * HOUR), Ballast::since(2 * HOUR));
    for ballast in [&old, &new] {
        ballast.write(client, 0);
    }
    client.admin("flush", &[]);
    let all = SERIES as i64 * SAMPLES;
    assert_eq!([&old, &new].map(|ballast| ballast.left(client, 0)), [all; 2]);
    old.while_read(client, || {
        client.admin("retention", &[("age", "8d")]);
        wait::until("the old to go", || (old.left(client, 0) == 0).then_some(()));
    });
    assert_eq!(new.left(client, 0), all);
    let late = Request::new().series(&[("__name__", "ballast")], &[(old.time_ms(0, 0), 1.0)]);
    assert_eq!(client.write(&late.body()).status, 400);
    server.stop();
    expect_whole(&data_dir);
}

#[test]
fn settings_that_are_not_named_are_those_of_the_flags() {
    let dir = temp_dir();
    let data_dir = dir.path().join("data");
    let settings = Settings::new(dir.path(), "{\"retention\": \"20d\"}");
    let server = start(&data_dir, &[&["--retention-bytes", "10MiB"][..], &settings.flags()].concat());
    let ballast = Ballast::new();
    ballast.write_all(&server.client);
    server.client.admin("flush", &[]);
    wait_bytes(&data_dir, 10 * MIB);
    settings.change(&server, "{\"retention_bytes\": \"1GiB\"}");
    wait::until("the change", || server.program.printed().contains("retention changed").then_some(()));
    ballast.write_all(&server.client);
    server.client.admin("flush", &[]);
    assert_eq!(ballast.left(&server.client, 0), SERIES as i64 * SAMPLES);
    settings.change(&server, "{}");
    wait_bytes(&data_dir, 10 * MIB);
    ballast.expect_the_newest(&server.client);
    server.stop();
}

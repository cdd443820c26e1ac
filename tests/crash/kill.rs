//! The loop: start, check, write, kill.

use std::sync::Mutex;

use crate::common::random::random;
use crate::common::server::{RESTLESS, Server, temp_dir};
use crate::common::variable::number;
use crate::common::verify::expect_whole;
use crate::common::writers::{Times, Writers};

const KILLS_DEFAULT: u64 = 30;
/// The server is killed when so many requests at most have been acknowledged since it started.
const REQUESTS_MAX: u64 = 120;
/// One start in so many is killed before it is ready: in the middle of recovery.
const KILLED_EARLY_ONE_IN: u64 = 4;

#[test]
fn acknowledged_samples_survive_every_kill() {
    let kills = number("TSDB_CRASH_KILLS").unwrap_or(KILLS_DEFAULT);
    let seed = number("TSDB_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("TSDB_CRASH_SEED={seed} TSDB_CRASH_KILLS={kills}");
    let dir = temp_dir();
    let data_dir = dir.path().join("data");
    let mut writers = Writers::new(seed, Times::since(3_600_000, 10));
    for kill in 0..kills {
        let drawn = random(seed, kill);
        if kill > 0 && drawn.is_multiple_of(KILLED_EARLY_ONE_IN) {
            kill_while_it_recovers(&data_dir, drawn >> 8);
        }
        let mut server = Server::start(&data_dir, &RESTLESS);
        writers.check(&server.client);
        let client = server.client.clone();
        let requests = 1 + (drawn >> 16) % REQUESTS_MAX;
        let program = Mutex::new(&mut server.program);
        writers.run(&client, |acked| {
            if acked + 1 == requests {
                program.lock().unwrap().kill();
            }
            true
        });
        expect_whole(&data_dir);
    }
    let server = Server::start(&data_dir, &RESTLESS);
    writers.check(&server.client);
    println!("{} acknowledged samples, none lost, none wrong", writers.acked());
    assert!(writers.acked() as u64 > kills * 100, "too few samples to prove anything: {}", writers.acked());
    server.stop();
}

/// Kills a server that has begun to start, after asking so often whether it is ready.
fn kill_while_it_recovers(data_dir: &std::path::Path, drawn: u64) {
    let mut server = Server::spawn(data_dir, &RESTLESS);
    for _ in 0..drawn % 30 {
        if server.client.try_get("/-/ready", &[]).is_ok_and(|answer| answer.status == 200) {
            break;
        }
    }
    server.program.kill();
}

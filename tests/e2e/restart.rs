//! What a restart brings back.

use crate::common::http::{Client, only_series};
use crate::common::remote_write::Request;
use crate::common::server::{Server, now_ms, temp_dir};

fn write(client: &Client, now: i64, first: i64, count: i64) {
    let mut request = Request::new();
    for index in first..first + count {
        let number = index.to_string();
        request.push_series(
            &[(b"__name__", b"kept"), (b"index", number.as_bytes())],
            &[(now - 1000 + index, index as f64)],
        );
    }
    assert_eq!(client.write(&request.body()).status, 204);
}

fn check(client: &Client, now: i64, count: i64) {
    let sum = only_series(&client.query("sum(kept)", now).data())[0].1.parse::<f64>().unwrap();
    let number = only_series(&client.query("count(kept)", now).data())[0].1.parse::<f64>().unwrap();
    assert_eq!((number, sum), (count as f64, (count * (count - 1) / 2) as f64));
}

#[test]
fn a_stopped_server_comes_back_with_all_it_had() {
    let (dir, now) = (temp_dir(), now_ms());
    let data_dir = dir.path().join("data");
    for turn in 0..4 {
        let server = Server::start(&data_dir, &[]);
        if turn > 0 {
            check(&server.client, now, turn * 100);
        }
        write(&server.client, now, turn * 100, 100);
        check(&server.client, now, (turn + 1) * 100);
        server.stop();
    }
}

#[test]
fn a_killed_server_comes_back_with_all_it_acknowledged() {
    let (dir, now) = (temp_dir(), now_ms());
    let data_dir = dir.path().join("data");
    for turn in 0..4 {
        let mut server = Server::start(&data_dir, &[]);
        if turn > 0 {
            check(&server.client, now, turn * 100);
        }
        write(&server.client, now, turn * 100, 100);
        server.program.kill();
    }
    check(&Server::start(&data_dir, &[]).client, now, 400);
}

#[test]
fn the_number_of_shards_belongs_to_the_data() {
    let (dir, now) = (temp_dir(), now_ms());
    let data_dir = dir.path().join("data");
    let server = Server::start(&data_dir, &["--shards", "3"]);
    write(&server.client, now, 0, 50);
    server.stop();
    let server = Server::start(&data_dir, &[]);
    check(&server.client, now, 50);
    server.stop();
}

#[test]
fn other_sync_policies_survive_a_stop() {
    for policy in ["interval=100ms", "off"] {
        let (dir, now) = (temp_dir(), now_ms());
        let data_dir = dir.path().join("data");
        let server = Server::start(&data_dir, &["--wal-sync", policy]);
        write(&server.client, now, 0, 100);
        server.stop();
        let server = Server::start(&data_dir, &["--wal-sync", policy]);
        check(&server.client, now, 100);
        server.stop();
    }
}

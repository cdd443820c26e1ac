//! The admin API, and what it leaves on the disk.

use crate::common::http::{Client, only_series};
use crate::common::remote_write::Request;
use crate::common::server::{Server, now_ms, temp_dir};
use crate::common::verify::{expect_whole, verify};

const ADMIN: [&str; 1] = ["--enable-admin-api"];
const MINUTE: i64 = 60_000;

fn write(client: &Client, first_ms: i64, minutes: i64) {
    for minute in 0..minutes {
        let mut request = Request::new();
        for series in 0..30 {
            let (number, group) = (series.to_string(), (series % 3).to_string());
            request.push_series(
                &[(b"__name__", b"kept"), (b"group", group.as_bytes()), (b"series", number.as_bytes())],
                &[(first_ms + minute * MINUTE, (series * 1000 + minute) as f64)],
            );
        }
        assert_eq!(client.write(&request.body()).status, 204);
    }
}

/// Number and sum of all samples of the last day.
fn totals(client: &Client, now: i64) -> (f64, f64) {
    let number = |query: &str| {
        let found = only_series(&client.query(query, now).data());
        found.first().map_or(0.0, |(_, text)| text.parse().unwrap())
    };
    (number("sum(count_over_time(kept[1d]))"), number("sum(sum_over_time(kept[1d]))"))
}

#[test]
fn it_is_off_unless_asked_for() {
    let dir = temp_dir();
    let server = Server::start(&dir.path().join("data"), &[]);
    let answer = server.client.post_form("/api/v1/admin/tsdb/flush", &[]);
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("--enable-admin-api"), "{}", answer.text());
    server.stop();
}

#[test]
fn flushed_and_compacted_data_are_the_same_data() {
    let (dir, now) = (temp_dir(), now_ms());
    let data_dir = dir.path().join("data");
    let mut server = Server::start(&data_dir, &ADMIN);
    let first = now - 600 * MINUTE;
    write(&server.client, first, 300);
    let expected = totals(&server.client, now);
    assert_eq!(expected.0, 9000.0);
    for action in ["flush", "compact"] {
        server.client.admin(action, &[]);
        assert_eq!(totals(&server.client, now), expected, "after {action}");
    }
    let figures = server.client.get("/metrics", &[]).text();
    let blocks = figures.lines().filter(|line| line.starts_with("tsdb_blocks{"));
    assert!(blocks.clone().count() > 0 && blocks.clone().all(|line| !line.ends_with(" 0")), "{figures}");
    write(&server.client, now - 30 * MINUTE, 10);
    let expected = totals(&server.client, now);
    server.program.kill();
    expect_whole(&data_dir);
    let server = Server::start(&data_dir, &ADMIN);
    assert_eq!(totals(&server.client, now), expected);
    let values = server.client.get("/api/v1/label/series/values", &[]).data();
    assert_eq!(values.as_array().unwrap().len(), 30);
    server.stop();
    expect_whole(&data_dir);
}

#[test]
fn deleted_samples_are_gone_at_once_and_stay_away() {
    let (dir, now) = (temp_dir(), now_ms());
    let data_dir = dir.path().join("data");
    let mut server = Server::start(&data_dir, &ADMIN);
    write(&server.client, now - 300 * MINUTE, 20);
    server.client.admin("flush", &[]);
    write(&server.client, now - 280 * MINUTE, 20);
    let before = totals(&server.client, now).0;
    server.client.admin("delete_series", &[("match[]", "kept{group=\"1\"}")]);
    let check = |client: &Client| {
        assert_eq!(totals(client, now).0, before / 3.0 * 2.0);
        let groups = client.get("/api/v1/label/group/values", &[]).data();
        assert_eq!(groups, serde_json::json!(["0", "2"]));
    };
    check(&server.client);
    server.program.kill();
    let server = Server::start(&data_dir, &ADMIN);
    check(&server.client);
    server.client.admin("clean_tombstones", &[]);
    check(&server.client);
    server.client.admin("compact", &[]);
    check(&server.client);
    let refused = server.client.post_form("/api/v1/admin/tsdb/delete_series", &[]);
    assert_eq!(refused.status, 400, "{}", refused.text());
    server.stop();
    expect_whole(&data_dir);
}

#[test]
fn a_snapshot_is_a_data_directory() {
    let (dir, now) = (temp_dir(), now_ms());
    let data_dir = dir.path().join("data");
    let server = Server::start(&data_dir, &ADMIN);
    write(&server.client, now - 300 * MINUTE, 20);
    let expected = totals(&server.client, now);
    let answer = server.client.post_form("/api/v1/admin/tsdb/snapshot", &[]).data();
    let copy = data_dir.join("snapshots").join(answer["name"].as_str().unwrap());
    write(&server.client, now - 200 * MINUTE, 20);
    server.client.admin("compact", &[]);
    server.stop();
    expect_whole(&copy);
    let server = Server::start(&copy, &[]);
    assert_eq!(totals(&server.client, now), expected);
    server.stop();
}

#[test]
fn damage_is_found_by_name() {
    let (dir, now) = (temp_dir(), now_ms());
    let data_dir = dir.path().join("data");
    let server = Server::start(&data_dir, &["--enable-admin-api", "--shards", "1"]);
    write(&server.client, now - 300 * MINUTE, 20);
    server.client.admin("compact", &[]);
    server.stop();
    expect_whole(&data_dir);
    let blocks = data_dir.join("shard-000/blocks");
    let block = std::fs::read_dir(&blocks).unwrap().next().unwrap().unwrap().path();
    let chunks = block.join("chunks");
    let mut bytes = std::fs::read(&chunks).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&chunks, bytes).unwrap();
    let output = verify(&data_dir);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains(chunks.to_str().unwrap()), "{told}");
    // The rest is served.
    let server = Server::start(&data_dir, &[]);
    assert!(totals(&server.client, now).0 > 0.0);
    server.stop();
}

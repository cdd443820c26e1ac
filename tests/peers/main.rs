//! A real Prometheus writes to us and is asked the same questions.
//!
//! Prometheus scrapes itself and node_exporter and sends all of it to us by remote write. Then the
//! exporter is stopped, so that its series end with staleness markers. All queries are asked of both
//! at the same times and must give the same labels, times and (to 1e-9) values.
//!
//! `PROMETHEUS_BIN` and `NODE_EXPORTER_BIN` name other builds. Debian's Prometheus is older than the
//! PromQL we follow: its windows are closed, ours are open on the left. So times and ranges are
//! chosen such that no sample lies on a bound of a window; see [`setup::Times`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod queries;
mod setup;

use std::path::PathBuf;

use compare::{differences, same_rows};
use setup::Peers;

#[test]
fn a_real_prometheus_and_we_give_the_same_answers() {
    let prometheus = common::program::find("PROMETHEUS_BIN", "prometheus");
    let exporter = common::program::find("NODE_EXPORTER_BIN", "prometheus-node-exporter");
    let (Some(prometheus), Some(exporter)): (Option<PathBuf>, Option<PathBuf>) = (prometheus, exporter)
    else {
        eprintln!("SKIPPED: prometheus or prometheus-node-exporter is not installed");
        return;
    };
    let mut peers = Peers::start(&prometheus, &exporter);
    let times = peers.record();

    let mut wrong = Vec::new();
    let mut empty = Vec::new();
    for query in queries::all(&times) {
        let mut points = 0;
        for time_ms in [times.alive_ms, times.ended_ms] {
            let (theirs, ours) =
                (peers.theirs.query(&query, time_ms), peers.ours.client.query(&query, time_ms));
            points += differences(&query, &theirs, &ours, &mut wrong);
        }
        let (start, end) = (times.range_start_ms, times.ended_ms);
        for step_ms in [1000, 3500] {
            let theirs = peers.theirs.query_range(&query, start, end, step_ms);
            let ours = peers.ours.client.query_range(&query, start, end, step_ms);
            points += differences(&query, &theirs, &ours, &mut wrong);
        }
        if points == 0 {
            empty.push(query);
        }
    }
    for (path, parameters) in queries::METADATA {
        let (theirs, ours) = (peers.theirs.get(path, parameters), peers.ours.client.get(path, parameters));
        same_rows(path, &theirs, &ours, &mut wrong);
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(empty.is_empty(), "queries that prove nothing, since nothing comes back: {empty:#?}");
}

//! The load generator against a small server that answers as it is told.

use super::*;
use crate::acklog::AckList;
use crate::encode::tests::read_body;
use crate::fake::serve;

fn shape() -> Shape {
    Shape {
        series: 300,
        metrics: 100,
        labels: 10,
        scrapes: 3,
        interval_ms: 15_000,
        start_ms: 1_700_000_000_000,
        churn: 0.0,
        out_of_order: 0.0,
        seed: 1,
    }
}

fn options(url: Url) -> Options {
    Options {
        url,
        connections: 2,
        batch: 50,
        rate: None,
        prepare_bytes: 1 << 20,
        pid: Some(std::process::id()),
        retries: 3,
        timeout: Duration::from_secs(10),
        settle: Duration::ZERO,
        ack_log: None,
    }
}

const DONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nbusy";
const BAD: &str = "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad";

#[test]
fn every_sample_is_sent_and_listed_as_acknowledged() {
    let (url, bodies) = serve(2, &[DONE]);
    let dir = tempfile::tempdir().unwrap();
    let acks = dir.path().join("acks");
    let report = run(shape(), &Options { ack_log: Some(acks.clone()), ..options(url) }).unwrap();

    assert_eq!(report.scrapes.len(), 3);
    assert_eq!(report.scrapes[0].new_series, 300);
    assert!(report.scrapes.iter().all(|scrape| scrape.posts.samples == 300 && scrape.cpu_seconds.is_some()));
    let list = AckList::read(&acks).unwrap();
    let mut acked: Vec<_> = list.samples.iter().map(|sample| (sample.timestamp_ms, sample.bits)).collect();
    let mut sent: Vec<_> = bodies
        .lock()
        .unwrap()
        .iter()
        .flat_map(|body| read_body(body))
        .flat_map(|(_, samples)| samples)
        .collect();
    acked.sort_unstable();
    sent.sort_unstable();
    assert_eq!(acked, sent);
    assert_eq!(list.labels.len(), 300);
}

#[test]
fn a_busy_server_is_asked_again() {
    let (url, bodies) = serve(2, &[BUSY, DONE]);
    let report = run(Shape { scrapes: 1, ..shape() }, &options(url)).unwrap();
    let posts = &report.scrapes[0].posts;
    assert_eq!((posts.samples, posts.retries, posts.failures()), (300, 1, 0));
    assert_eq!(bodies.lock().unwrap().len(), 7);
}

#[test]
fn a_refusal_is_counted_and_not_repeated() {
    let (url, _) = serve(2, &[BAD, DONE]);
    let report = run(Shape { scrapes: 1, ..shape() }, &options(url)).unwrap();
    let posts = &report.scrapes[0].posts;
    assert_eq!((posts.samples, posts.retries, posts.failed.get(&400)), (250, 0, Some(&1)));
    assert_eq!(posts.first_error.as_deref(), Some("status 400: bad"));
    assert_eq!(report.failures(), 1);
}

#[test]
fn a_small_budget_prepares_scrape_by_scrape() {
    let (url, bodies) = serve(1, &[DONE]);
    let report = run(shape(), &Options { prepare_bytes: 0, connections: 1, ..options(url) }).unwrap();
    assert_eq!(report.scrapes.len(), 3);
    assert_eq!(bodies.lock().unwrap().len(), 18);
}

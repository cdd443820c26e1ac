//! Remote write: what is taken, what is refused, what that costs others.

use crate::common::http::{Client, only_series};
use crate::common::remote_write::{Request, STALE_NAN_BITS};
use crate::common::server::{FreshServer, now_ms};

const DAY_MS: i64 = 86_400_000;

/// All raw samples of a metric with one series.
fn samples(client: &Client, metric: &str) -> Vec<(i64, String)> {
    only_series(&client.query(&format!("{metric}[1d]"), now_ms() + 1000).data())
}

fn text(samples: &[(i64, &str)]) -> Vec<(i64, String)> {
    samples.iter().map(|(time, value)| (*time, (*value).to_owned())).collect()
}

#[test]
fn what_was_written_can_be_read_at_once() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let labels = [("__name__", "temperature"), ("room", "kitchen")];
    let request = Request::new().series(&labels, &[(now - 2000, 20.5), (now - 1000, 0.1 + 0.2)]);
    let answer = server.client.write(&request.body());
    assert_eq!((answer.status, answer.body.len()), (204, 0), "{}", answer.text());
    let found = samples(&server.client, "temperature");
    assert_eq!(found, text(&[(now - 2000, "20.5"), (now - 1000, "0.30000000000000004")]));
}

#[test]
fn samples_may_come_in_any_order_and_again() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let labels = [("__name__", "m")];
    let write = |samples: &[(i64, f64)]| server.client.write(&Request::new().series(&labels, samples).body());
    for batch in [[(now - 1000, 3.0)], [(now - 3000, 1.0)], [(now - 2000, 2.0)], [(now - 3000, 1.0)]] {
        assert_eq!(write(&batch).status, 204);
    }
    assert_eq!(
        samples(&server.client, "m"),
        text(&[(now - 3000, "1"), (now - 2000, "2"), (now - 1000, "3")])
    );
    assert_eq!(write(&[(now - 2000, 7.0)]).status, 204, "the last write of a timestamp wins");
    assert_eq!(
        samples(&server.client, "m"),
        text(&[(now - 3000, "1"), (now - 2000, "7"), (now - 1000, "3")])
    );
}

#[test]
fn a_refused_sample_does_not_cost_the_good_ones() {
    let server = FreshServer::start(&["--retention", "2d"]);
    let now = now_ms();
    let request = Request::new()
        .series(&[("__name__", "early")], &[(now - 5 * DAY_MS, 1.0)])
        .series(&[("__name__", "good")], &[(now, 2.0)])
        .series(&[("__name__", "ahead"), ("host", "h1")], &[(now + DAY_MS, 3.0), (now, 4.0)]);
    let answer = server.client.write(&request.body());
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("early"), "the refused series are named: {}", answer.text());
    assert!(answer.text().contains("ahead"), "the refused series are named: {}", answer.text());
    assert!(answer.text().contains("h1"), "{}", answer.text());
    assert_eq!(answer.header("X-Prometheus-Remote-Write-Samples-Written"), Some("2"));
    assert_eq!(samples(&server.client, "good"), text(&[(now, "2")]));
    assert_eq!(samples(&server.client, "ahead"), text(&[(now, "4")]));
    assert_eq!(server.client.query("early[30d]", now).data()["result"].as_array().unwrap().len(), 0);
}

#[test]
fn special_values_are_kept() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX];
    let pairs: Vec<_> = values.iter().zip(0..).map(|(value, index)| (now - 10_000 + index, *value)).collect();
    let answer = server.client.write(&Request::new().series(&[("__name__", "m")], &pairs).body());
    assert_eq!(answer.status, 204);
    let found: Vec<f64> =
        samples(&server.client, "m").iter().map(|(_, value)| value.parse().unwrap()).collect();
    assert!(found[0].is_nan());
    for (sent, read) in values.iter().zip(&found).skip(1) {
        assert_eq!(sent.to_bits(), read.to_bits(), "{sent} came back as {read}");
    }
}

#[test]
fn a_stale_marker_ends_a_series() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let stale = f64::from_bits(STALE_NAN_BITS);
    let request = Request::new().series(&[("__name__", "m")], &[(now - 20_000, 1.0), (now - 10_000, stale)]);
    assert_eq!(server.client.write(&request.body()).status, 204);
    assert_eq!(only_series(&server.client.query("m", now - 15_000).data())[0].1, "1");
    assert_eq!(server.client.query("m", now - 5000).data()["result"].as_array().unwrap().len(), 0);
    assert_eq!(samples(&server.client, "m"), text(&[(now - 20_000, "1")]));
}

#[test]
fn empty_requests_and_metadata_are_fine() {
    let server = FreshServer::start(&[]);
    let requests = [
        Request::new(),
        Request::new().series(&[("__name__", "no_samples")], &[]),
        Request::new().metadata("http_requests", 1, "How many.", ""),
    ];
    for request in requests {
        let answer = server.client.write(&request.body());
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
}

#[test]
fn other_formats_are_told_what_to_send() {
    let server = FreshServer::start(&[]);
    let body = Request::new().series(&[("__name__", "m")], &[(now_ms(), 1.0)]).body();
    let v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    for (name, value) in
        [("Content-Type", "application/json"), ("Content-Type", v2), ("Content-Encoding", "gzip")]
    {
        let answer = server.client.try_post("/api/v1/write", &[(name, value)], &body).unwrap();
        assert_eq!(answer.status, 415, "{name}: {value}: {}", answer.text());
        assert!(!answer.body.is_empty());
    }
    assert_eq!(server.client.get("/api/v1/write", &[]).status, 405);
    let plain = server.client.try_post("/api/v1/write", &[], &body).unwrap();
    assert_eq!(plain.status, 204, "without headers it is taken for remote write 1.0: {}", plain.text());
}

#[test]
fn a_large_request_with_many_series_is_stored_whole() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let mut request = Request::new();
    for index in 0..20_000 {
        let number = index.to_string();
        request.push_series(
            &[(b"__name__", b"many"), (b"index", number.as_bytes())],
            &[(now - 1000, f64::from(index)), (now, f64::from(index) + 0.5)],
        );
    }
    assert_eq!(server.client.write(&request.body()).status, 204);
    let sum = only_series(&server.client.query("sum(many)", now).data())[0].1.parse::<f64>().unwrap();
    assert_eq!(sum, 19_999.0 * 20_000.0 / 2.0 + 10_000.0);
    let count = only_series(&server.client.query("sum(count_over_time(many[5s]))", now + 1).data());
    assert_eq!(count[0].1, "40000");
}

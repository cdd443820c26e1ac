//! Limits of single requests, each with its error.

use serde_json::json;

use crate::common::remote_write::{Request, compress};
use crate::common::server::{FreshServer, now_ms};

#[test]
fn a_range_of_too_many_points_is_refused() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let most = server.client.query_range("1", now - 10_999_000, now, 1000);
    assert_eq!(most.status, 200, "{}", most.text());
    let answer = server.client.query_range("1", now - 11_001_000, now, 1000);
    assert_eq!((answer.status, &answer.json()["errorType"]), (400, &json!("bad_data")));
    assert!(answer.text().contains("11,000"), "{}", answer.text());
}

#[test]
fn a_query_that_reads_too_much_is_refused() {
    let server = FreshServer::start(&["--query-max-samples", "1000"]);
    let now = now_ms();
    let samples: Vec<_> = (0..2000).map(|index| (now - 2000 + index, 1.0)).collect();
    assert_eq!(
        server.client.write(&Request::new().series(&[("__name__", "m")], &samples).body()).status,
        204
    );
    let answer = server.client.query("m[1m]", now);
    assert_eq!((answer.status, &answer.json()["errorType"]), (422, &json!("execution")), "{}", answer.text());
    assert_eq!(server.client.query("m", now).status, 200);
}

#[test]
fn bodies_have_limits() {
    let server = FreshServer::start(&["--max-body-bytes", "64KiB", "--max-decompressed-bytes", "1MiB"]);
    let now = now_ms();
    let good = Request::new().series(&[("__name__", "m")], &[(now, 1.0)]).body();
    let answer = server.client.write(&vec![0x55; 65 << 10]);
    assert_eq!(answer.status, 413, "{}", answer.text());
    let answer = server.client.write(&compress(&vec![0; 2 << 20]));
    assert!(matches!(answer.status, 400 | 413), "{} {}", answer.status, answer.text());
    assert_eq!(server.client.write(&good).status, 204);
}

#[test]
fn a_query_that_takes_too_long_is_ended() {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let mut request = Request::new();
    for index in 0..200 {
        let number = index.to_string();
        let samples: Vec<_> =
            (0..1000).map(|step| (now - 1_000_000 + step * 1000, f64::from(index))).collect();
        request = request.series(&[("__name__", "m"), ("n", &number)], &samples);
    }
    assert_eq!(server.client.write(&request.body()).status, 204);
    let query = "sum(max_over_time(rate(m[10m])[10m:1s]))";
    let (start, end) = ((now / 1000 - 10_000).to_string(), (now / 1000).to_string());
    let parameters = [("query", query), ("start", &start), ("end", &end), ("step", "1"), ("timeout", "1ms")];
    let answer = server.client.post_form("/api/v1/query_range", &parameters);
    assert_eq!((answer.status, &answer.json()["errorType"]), (503, &json!("timeout")), "{}", answer.text());
    assert_eq!(server.client.query("count(m)", now).status, 200);
}

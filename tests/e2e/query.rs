//! The query endpoints: forms of answers, of parameters and of errors. PromQL itself is tested by
//! scripts (tests/promql) and next to a Prometheus (tests/peers).

use serde_json::json;

use crate::common::http::{only_series, seconds};
use crate::common::remote_write::Request;
use crate::common::server::{FreshServer, now_ms};

/// A server with one counter on two hosts: 1 a second on host a, 2 a second on host b.
fn server_with_counters() -> (FreshServer, i64) {
    let server = FreshServer::start(&[]);
    let now = now_ms() / 1000 * 1000;
    let mut request = Request::new();
    for (host, per_second) in [("a", 1.0), ("b", 2.0)] {
        let samples: Vec<_> =
            (0..=60).map(|index| (now - 60_000 + index * 1000, index as f64 * per_second)).collect();
        request = request.series(&[("__name__", "work_total"), ("host", host)], &samples);
    }
    assert_eq!(server.client.write(&request.body()).status, 204);
    (server, now)
}

#[test]
fn instant_answers_have_the_form_of_their_type() {
    let (server, now) = server_with_counters();
    let vector = server.client.query("work_total{host=\"a\"}", now).data();
    let metric = json!({"__name__": "work_total", "host": "a"});
    assert_eq!(vector["resultType"], "vector");
    assert_eq!(vector["result"][0]["metric"], metric);
    assert_eq!(vector["result"][0]["value"], json!([now / 1000, "60"]));
    let matrix = server.client.query("work_total{host=\"a\"}[2s]", now + 500).data();
    assert_eq!(matrix["resultType"], "matrix");
    assert_eq!(matrix["result"][0]["values"], json!([[now / 1000 - 1, "59"], [now / 1000, "60"]]));
    let scalar = server.client.query("1 / 0", now).data();
    assert_eq!((&scalar["resultType"], &scalar["result"][1]), (&json!("scalar"), &json!("+Inf")));
    let string = server.client.query("\"text\"", now).data();
    assert_eq!((&string["resultType"], &string["result"][1]), (&json!("string"), &json!("text")));
}

#[test]
fn ranges_are_evaluated_at_each_step() {
    let (server, now) = server_with_counters();
    let data = server.client.query_range("sum(rate(work_total[10s]))", now - 30_000, now, 10_000).data();
    let values = only_series(&data);
    let times: Vec<_> = values.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [now - 30_000, now - 20_000, now - 10_000, now]);
    for (_, value) in values {
        assert!((value.parse::<f64>().unwrap() - 3.0).abs() < 1e-9, "{value}");
    }
}

#[test]
fn get_and_form_and_every_form_of_time_mean_the_same() {
    let (server, now) = server_with_counters();
    let time = seconds(now);
    let query = "sum(work_total)";
    let expected = server.client.query(query, now).data();
    let by_get = server.client.get("/api/v1/query", &[("query", query), ("time", &time)]);
    assert_eq!(by_get.data(), expected);
    assert!(by_get.header("content-type").unwrap().starts_with("application/json"));
    let start = "1970-01-01T00:00:00Z";
    let parameters = [("query", "1"), ("start", start), ("end", "60.5"), ("step", "30s")];
    let data = server.client.get("/api/v1/query_range", &parameters).data();
    assert_eq!(data["result"][0]["values"], json!([[0, "1"], [30, "1"], [60, "1"]]));
    let now_by_default = server.client.get("/api/v1/query", &[("query", "time()")]).data();
    let answered: f64 = now_by_default["result"][1].as_str().unwrap().parse().unwrap();
    assert!(answered * 1000.0 >= now as f64);
}

#[test]
fn faults_of_the_caller_are_told_with_their_place() {
    let (server, now) = server_with_counters();
    let cases = [
        ("sum(", "1:5"),
        ("rate(work_total)", "1:6"),
        ("work_total{host=~\"(\"}", "parse error"),
        ("", "query"),
        ("no_such_function(work_total)", "no_such_function"),
    ];
    for (query, expected) in cases {
        let answer = server.client.query(query, now);
        let json = answer.json();
        assert_eq!((answer.status, &json["errorType"]), (400, &json!("bad_data")), "{query}: {json}");
        let text = json["error"].as_str().unwrap();
        assert!(text.contains(expected) && text.contains("query"), "{query}: {text}");
    }
    let many_to_many = "work_total * on () work_total";
    let answer = server.client.query(many_to_many, now);
    assert_eq!((answer.status, &answer.json()["errorType"]), (422, &json!("execution")));
}

#[test]
fn bad_parameters_are_named() {
    let (server, _) = server_with_counters();
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("query", "1"), ("start", "x"), ("end", "2"), ("step", "1")], "start"),
        (&[("query", "1"), ("start", "1"), ("end", ""), ("step", "1")], "end"),
        (&[("query", "1"), ("start", "1"), ("end", "2"), ("step", "0")], "step"),
        (&[("query", "1"), ("start", "1"), ("end", "2"), ("step", "-5")], "step"),
        (&[("query", "1"), ("start", "5"), ("end", "2"), ("step", "1")], "end"),
    ];
    for (parameters, name) in cases {
        let answer = server.client.get("/api/v1/query_range", parameters);
        let text = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, 400, "{text}");
        assert!(text.contains(&format!("\"{name}\"")), "{name}: {text}");
    }
    assert_eq!(server.client.get("/api/v1/nothing", &[]).status, 404);
}

//! Names, values and series; what the server says about itself.

use serde_json::json;

use crate::common::remote_write::Request;
use crate::common::server::{FreshServer, now_ms};

fn server_with_series() -> (FreshServer, i64) {
    let server = FreshServer::start(&[]);
    let now = now_ms();
    let request = Request::new()
        .series(&[("__name__", "up"), ("instance", "a:1"), ("job", "x")], &[(now, 1.0)])
        .series(&[("__name__", "up"), ("instance", "b:1"), ("job", "y")], &[(now, 1.0)])
        .series(&[("__name__", "load"), ("caf\u{e9}", "\u{20ac}"), ("job", "x")], &[(now, 0.5)]);
    assert_eq!(server.client.write(&request.body()).status, 204);
    (server, now)
}

#[test]
fn names_and_values_are_sorted_and_may_be_narrowed() {
    let (server, _) = server_with_series();
    let get = |path: &str, parameters: &[(&str, &str)]| server.client.get(path, parameters).data();
    assert_eq!(get("/api/v1/labels", &[]), json!(["__name__", "caf\u{e9}", "instance", "job"]));
    assert_eq!(get("/api/v1/labels", &[("match[]", "up")]), json!(["__name__", "instance", "job"]));
    assert_eq!(get("/api/v1/label/job/values", &[]), json!(["x", "y"]));
    assert_eq!(get("/api/v1/label/job/values", &[("match[]", "load")]), json!(["x"]));
    let two = [("match[]", "load"), ("match[]", "{instance=\"b:1\"}")];
    assert_eq!(get("/api/v1/label/__name__/values", &two), json!(["load", "up"]));
    assert_eq!(get("/api/v1/label/no_such_label/values", &[]), json!([]));
    let posted = server.client.post_form("/api/v1/labels", &[("match[]", "up")]).data();
    assert_eq!(posted, json!(["__name__", "instance", "job"]));
    let limited = server.client.get("/api/v1/labels", &[("limit", "2")]);
    assert_eq!(limited.data(), json!(["__name__", "caf\u{e9}"]));
    assert!(limited.json()["warnings"][0].as_str().unwrap().contains("truncated"));
}

#[test]
fn series_are_found_by_matchers() {
    let (server, _) = server_with_series();
    let found = server.client.post_form("/api/v1/series", &[("match[]", "{job=\"x\"}")]).data();
    let mut found: Vec<String> = found.as_array().unwrap().iter().map(ToString::to_string).collect();
    found.sort();
    let mut expected = [
        json!({"__name__": "load", "caf\u{e9}": "\u{20ac}", "job": "x"}).to_string(),
        json!({"__name__": "up", "instance": "a:1", "job": "x"}).to_string(),
    ];
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(server.client.get("/api/v1/series", &[]).status, 400);
    assert_eq!(server.client.get("/api/v1/series", &[("match[]", "{job=")]).status, 400);
}

#[test]
fn the_server_tells_about_itself() {
    let (server, _) = server_with_series();
    assert_eq!(server.client.get("/-/healthy", &[]).status, 200);
    assert_eq!(server.client.get("/-/ready", &[]).status, 200);
    let version = server.client.get("/api/v1/status/buildinfo", &[]).data()["version"].clone();
    let major: u32 = version.as_str().unwrap().split('.').next().unwrap().parse().unwrap();
    assert!(major >= 3, "Grafana takes {version} for an old server");
    let metrics = server.client.get("/metrics", &[]);
    assert_eq!(metrics.status, 200);
    for line in metrics.text().lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("tsdb_") || name.starts_with("process_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(metrics.text().contains("# TYPE "));
}

#[test]
fn by_default_it_writes_its_own_figures_into_itself() {
    let server = FreshServer::start(&["--self-scrape-interval", "1s"]);
    let found = crate::common::wait::until("the server's own figures", || {
        let data = server.client.query("count({job=\"tsdb\"})", now_ms()).data();
        data["result"].get(0)?["value"][1].as_str()?.parse::<f64>().ok()
    });
    assert!(found > 5.0, "{found}");
}

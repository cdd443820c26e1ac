//! The API over real sockets, in front of a service that says what it was asked.

use std::cell::RefCell;
use std::io::Read as _;
use std::sync::mpsc;

use serde_json::{Value as Json, json};
use shards::model::{Labels, Matcher};

use super::conn::ConnOptions;
use super::conn::tests::{Answered, Client, TestServer};
use super::service::*;
use super::*;
use crate::promql::annotation::Annotations;
use crate::promql::value::{EvalSeries, QueryOutput, Value};
use crate::promql::window::Grid;

const NOW_MS: i64 = 1_700_000_000_500;

/// What the service was asked, in words.
type Asked = mpsc::Sender<String>;

struct FakeService {
    asked: Asked,
    readiness: RefCell<Readiness>,
}

impl FakeService {
    fn say(&self, text: impl std::fmt::Display) {
        let _ = self.asked.send(text.to_string());
    }

    fn evaluate(&self, text: &str, grid: Grid) -> Result<QueryAnswer, ApiError> {
        if text.is_empty() {
            return Err(ApiError::bad_data("1:1: parse error: no expression"));
        }
        if text == "slow" {
            return Err(ApiError::new(ErrorKind::Timeout, "query timed out"));
        }
        let series = |n: i32| EvalSeries {
            labels: Labels::from_pairs([("n", n.to_string())]),
            values: vec![f64::from(n); grid.steps],
            drop_name: false,
        };
        let value = Value::Vector((0..3).map(series).collect());
        let output = QueryOutput { grid, value, annotations: Annotations::new(), samples: 0 };
        Ok(QueryAnswer { output, stats: None })
    }
}

fn selection_text(request: &Selection) -> String {
    let selectors: Vec<String> = request
        .selectors
        .iter()
        .map(|matchers: &Vec<Matcher>| {
            let texts: Vec<String> =
                matchers.iter().map(|m| format!("{}{}{}", m.name(), m.op().as_str(), m.value())).collect();
            texts.join(",")
        })
        .collect();
    format!("{} {}..{} {:?}", selectors.join(";"), request.start_ms, request.end_ms, request.limit)
}

impl Service for FakeService {
    fn readiness(&self) -> Readiness {
        self.readiness.borrow().clone()
    }

    fn write(&self, request: WriteRequest) -> Answer<'_, WriteAnswer> {
        Box::pin(async move {
            self.say(format_args!("write {} bytes", request.body.len()));
            match &request.body[..] {
                b"partial" => Ok(WriteAnswer {
                    samples_written: 3,
                    samples_refused: 2,
                    refusals: vec!["too old: {a=\"1\"}".to_owned()],
                    ..WriteAnswer::default()
                }),
                b"busy" => Err(ApiError::busy("no room")),
                _ => Ok(WriteAnswer { samples_written: 5, ..WriteAnswer::default() }),
            }
        })
    }

    fn query(&self, request: QueryRequest) -> Answer<'_, QueryAnswer> {
        Box::pin(async move {
            let options = &request.options;
            self.say(format_args!(
                "query {} at {} within {:?} lookback {:?} stats {:?}",
                request.text, request.time_ms, options.timeout, options.lookback_ms, options.stats
            ));
            if request.text == "boot" {
                *self.readiness.borrow_mut() = Readiness::Starting("replaying".to_owned());
            }
            self.evaluate(&request.text, Grid::instant(request.time_ms))
        })
    }

    fn query_range(&self, request: RangeRequest) -> Answer<'_, QueryAnswer> {
        Box::pin(async move {
            let RangeRequest { text, start_ms, end_ms, step_ms, .. } = request;
            self.say(format_args!("range {text} {start_ms}..{end_ms} by {step_ms}"));
            self.evaluate(&text, Grid::range(start_ms, end_ms, step_ms))
        })
    }

    fn labels(&self, request: Selection) -> Answer<'_, Listing<String>> {
        Box::pin(async move {
            self.say(format_args!("labels {}", selection_text(&request)));
            Ok(Listing { items: vec!["a".to_owned()], truncated: true, warnings: Vec::new() })
        })
    }

    fn label_values(&self, name: String, request: Selection) -> Answer<'_, Listing<String>> {
        Box::pin(async move {
            self.say(format_args!("values of {name} {}", selection_text(&request)));
            Ok(Listing { items: vec!["v".to_owned()], truncated: false, warnings: Vec::new() })
        })
    }

    fn series(&self, request: Selection) -> Answer<'_, Listing<Labels>> {
        Box::pin(async move {
            self.say(format_args!("series {}", selection_text(&request)));
            let items = vec![Labels::from_pairs([("a", "1")])];
            Ok(Listing { items, truncated: false, warnings: Vec::new() })
        })
    }

    fn admin(&self, action: AdminAction) -> Answer<'_, AdminDone> {
        Box::pin(async move {
            self.say(format_args!("admin {action:?}"));
            let snapshot = matches!(action, AdminAction::Snapshot).then(|| "copy".to_owned());
            Ok(AdminDone { snapshot })
        })
    }

    fn metrics_text(&self) -> Answer<'_, String> {
        Box::pin(async { Ok("tsdb_up 1\n".to_owned()) })
    }
}

struct Fixture {
    // Dropped before the server, which waits for its connections.
    client: Client,
    asked: mpsc::Receiver<String>,
    _server: TestServer,
}

impl Fixture {
    fn new() -> Self {
        let (asked_to, asked) = mpsc::channel();
        let server = TestServer::start(ConnOptions::default(), move || {
            let service = FakeService { asked: asked_to, readiness: RefCell::new(Readiness::Ready) };
            let options = ApiOptions { body_bytes_max: 1000, ..ApiOptions::default() };
            let clock = Clock::Manual(Rc::new(std::cell::Cell::new(NOW_MS)));
            Api::new(Rc::new(service), options, clock, Rc::default())
        });
        Self { client: server.connect(), asked, _server: server }
    }

    fn get(&mut self, target: &str) -> Answered {
        self.client.get(target)
    }

    fn form(&mut self, target: &str, form: &str) -> Answered {
        self.client.post(target, "content-type: application/x-www-form-urlencoded\r\n", form.as_bytes())
    }

    fn asked(&self) -> String {
        self.asked.recv().unwrap()
    }
}

fn error_of(answer: &Answered) -> (u16, Json, String) {
    let json: Json = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(json["status"], "error");
    (answer.status, json["errorType"].clone(), json["error"].as_str().unwrap().to_owned())
}

#[test]
fn queries_take_their_parameters_from_url_and_form() {
    let mut fixture = Fixture::new();
    let answer = fixture
        .get("/api/v1/query?query=up%7Ba%3D%22b%22%7D&time=12.5&timeout=1m&lookback_delta=10s&stats=all");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(fixture.asked(), "query up{a=\"b\"} at 12500 within 60s lookback Some(10000) stats All");
    fixture.form("/api/v1/query?query=other&time=1", "query=up");
    assert_eq!(fixture.asked(), "query up at 1000 within 120s lookback None stats None");
    fixture.get("/api/v1/query?query=up&timeout=1h");
    assert_eq!(fixture.asked(), format!("query up at {NOW_MS} within 120s lookback None stats None"));
    fixture.form("/api/v1/query_range", "query=up&start=0&end=1970-01-01T01:00:00Z&step=1m");
    assert_eq!(fixture.asked(), "range up 0..3600000 by 60000");
}

#[test]
fn a_limit_cuts_results_with_a_warning() {
    let mut fixture = Fixture::new();
    let answer = fixture.get("/api/v1/query?query=up&limit=2");
    let json: Json = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(json["data"]["result"].as_array().unwrap().len(), 2);
    assert_eq!(json["warnings"], json!(["results truncated due to limit"]));
    let answer = fixture.get("/api/v1/query?query=up&limit=3");
    assert!(!answer.text().contains("warnings"));
}

#[test]
fn bad_queries_are_refused_in_the_words_of_upstream() {
    let mut fixture = Fixture::new();
    let range = "/api/v1/query_range?query=up";
    for (target, message) in [
        ("/api/v1/query".to_owned(), "invalid parameter \"query\": 1:1: parse error: no expression"),
        (
            "/api/v1/query?query=up&time=x".to_owned(),
            "invalid parameter \"time\": cannot parse \"x\" to a valid timestamp",
        ),
        (range.to_owned(), "invalid parameter \"start\": cannot parse \"\" to a valid timestamp"),
        (
            format!("{range}&start=2&end=1&step=1"),
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            format!("{range}&start=1&end=2&step=0"),
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        (
            format!("{range}&start=0&end=11001&step=1"),
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ),
        ("/api/v1/series".to_owned(), "no match[] parameter provided"),
        (
            "/api/v1/series?match[]=%7B%7D".to_owned(),
            "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher",
        ),
        ("/api/v1/labels?limit=-1".to_owned(), "invalid parameter \"limit\": limit must be non-negative"),
    ] {
        let (status, kind, text) = error_of(&fixture.get(&target));
        assert_eq!((status, kind, text.as_str()), (400, json!("bad_data"), message), "{target}");
    }
    assert_eq!(fixture.get(&format!("{range}&start=0&end=11000&step=1")).status, 200);
    let (status, kind, _) = error_of(&fixture.get("/api/v1/query?query=slow"));
    assert_eq!((status, kind), (503, json!("timeout")));
    let (_, _, text) = error_of(&fixture.get("/api/v1/series?match[]=up%7B"));
    assert!(text.starts_with("invalid parameter \"match[]\": 1:"), "{text}");
}

#[test]
fn metadata_requests_name_series_and_times() {
    let mut fixture = Fixture::new();
    let all = format!("{}..{}", request::TIME_MIN_MS, request::TIME_MAX_MS);
    let answer = fixture.get("/api/v1/labels?limit=1");
    assert_eq!(
        answer.text(),
        r#"{"status":"success","data":["a"],"warnings":["results truncated due to limit"]}"#
    );
    assert_eq!(fixture.asked(), format!("labels  {all} Some(1)"));
    fixture.get("/api/v1/label/U__http_2e_code/values?start=1&end=2");
    assert_eq!(fixture.asked(), "values of http.code  1000..2000 None");
    fixture.get("/api/v1/label/a%2Fb+c/values");
    assert_eq!(fixture.asked(), format!("values of a/b+c  {all} None"));
    let answer = fixture.form("/api/v1/series?match[]=x", "match[]=up%7Ba%3D~%22b%22%7D");
    assert_eq!(answer.text(), r#"{"status":"success","data":[{"a":"1"}]}"#);
    let asked = fixture.asked();
    assert!(asked.contains("a=~b") && asked.contains(";__name__=x"), "{asked}");
}

#[test]
fn writes_are_answered_by_what_became_of_them() {
    let mut fixture = Fixture::new();
    let written = "x-prometheus-remote-write-samples-written";
    let headers = "content-type: application/x-protobuf\r\ncontent-encoding: snappy\r\n";
    let answer = fixture.client.post("/api/v1/write", headers, b"body");
    assert_eq!((answer.status, answer.header(written)), (204, Some("5")));
    assert_eq!(fixture.asked(), "write 4 bytes");
    assert_eq!(fixture.client.post("/api/v1/write", "", b"body").status, 204);
    let answer = fixture.client.post("/api/v1/write", "", b"partial");
    assert_eq!((answer.status, answer.header(written)), (400, Some("3")));
    assert_eq!(answer.text(), "refused 2 samples, stored the other 3\ntoo old: {a=\"1\"}\n");
    let answer = fixture.client.post("/api/v1/write", "", b"busy");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(fixture.client.post("/api/v1/write", "", &[0; 1001]).status, 413);
    for headers in [
        "content-encoding: gzip\r\n",
        "content-type: text/plain\r\n",
        "content-type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n",
    ] {
        let answer = fixture.client.post("/api/v1/write", headers, b"body");
        assert_eq!(answer.status, 415, "{headers}");
    }
    let good = "content-type: application/x-protobuf; proto=prometheus.WriteRequest\r\n";
    assert_eq!(fixture.client.post("/api/v1/write", good, b"body").status, 204);
}

#[test]
fn paths_and_methods_are_told_apart() {
    let mut fixture = Fixture::new();
    for (target, status) in [
        ("/", 200),
        ("/metrics", 200),
        ("/-/healthy", 200),
        ("/-/ready", 200),
        ("/api/v1/status/buildinfo", 200),
        ("/nowhere", 404),
        ("/api/v1/label/a/b/values", 404),
    ] {
        assert_eq!(fixture.get(target).status, status, "{target}");
    }
    let answer = fixture.get("/api/v1/write");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert_eq!(error_of(&fixture.get("/api/v1/nothing")).1, json!("not_found"));
    fixture.client.send("OPTIONS /api/v1/query HTTP/1.1\r\nhost: x\r\norigin: http://y\r\n\r\n");
    let answer = fixture.client.answer();
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, Some("*")));
    let build: Json = serde_json::from_str(fixture.get("/api/v1/status/buildinfo").text()).unwrap();
    assert!(build["data"]["version"].as_str().unwrap().starts_with("3."));
}

#[test]
fn queries_wait_for_a_server_that_starts() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.get("/api/v1/query?query=boot").status, 200);
    for target in ["/-/ready", "/api/v1/query?query=up", "/api/v1/labels"] {
        let answer = fixture.get(target);
        assert_eq!((answer.status, answer.header("x-prometheus-stopping")), (503, Some("false")), "{target}");
    }
    assert_eq!(fixture.get("/-/healthy").status, 200);
}

#[test]
fn large_answers_are_compressed_on_request() {
    let mut fixture = Fixture::new();
    let target = "/api/v1/query_range?query=up&start=0&end=10000&step=1";
    let plain = fixture.get(target);
    assert_eq!(plain.header("content-encoding"), None);
    fixture
        .client
        .send(format!("GET {target} HTTP/1.1\r\nhost: x\r\naccept-encoding: br, gzip;q=0.5\r\n\r\n"));
    let packed = fixture.client.answer();
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() < plain.body.len() / 2, "{} of {}", packed.body.len(), plain.body.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, plain.text());
    fixture.client.send("GET /-/ready HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n");
    assert_eq!(fixture.client.answer().text(), "tsdb is Ready.\n");
    fixture.client.send(format!("GET {target} HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip;q=0\r\n\r\n"));
    assert_eq!(fixture.client.answer().header("content-encoding"), None);
}

//! What nobody should send: a clear 4xx, the server alive, nothing else lost.

use crate::common::http::{Answer, only_series};
use crate::common::remote_write::{Request, compress, put_uvarint};
use crate::common::server::{FreshServer, now_ms};

const DAY_MS: i64 = 86_400_000;

/// Labels as bytes, since not all of them are text.
type RawLabels<'a> = &'a [(&'a [u8], &'a [u8])];

/// A server that holds one series which must stay as it is.
struct Victim {
    server: FreshServer,
    now: i64,
}

impl Victim {
    fn start() -> Self {
        let server = FreshServer::start(&[]);
        let now = now_ms();
        let request = Request::new().series(&[("__name__", "canary")], &[(now, 1.5)]);
        assert_eq!(server.client.write(&request.body()).status, 204);
        Self { server, now }
    }

    /// Sends a body that must be refused, and looks after the rest.
    #[track_caller]
    fn refuses(&self, what: &str, body: &[u8]) -> Answer {
        let answer = self.server.client.write(body);
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        assert!(!answer.body.is_empty(), "{what}: no reason is given");
        assert!(!answer.text().contains("panicked"), "{what}: {}", answer.text());
        self.is_unharmed(what);
        answer
    }

    #[track_caller]
    fn is_unharmed(&self, what: &str) {
        let found = only_series(&self.server.client.query("canary", self.now).data());
        assert_eq!(found[0].1, "1.5", "after {what}");
    }

    /// How many series match at the time of the canary.
    #[track_caller]
    fn count(&self, selector: &str) -> usize {
        self.server.client.query(selector, self.now).data()["result"].as_array().unwrap().len()
    }
}

#[test]
fn broken_snappy_is_refused() {
    let victim = Victim::start();
    let body = Request::new().series(&[("__name__", "broken")], &[(victim.now, 1.0)]).body();
    victim.refuses("nothing at all", &[]);
    for cut in 1..body.len() {
        victim.refuses("truncated snappy", &body[..cut]);
    }
    let mut longer = body;
    longer.push(7);
    victim.refuses("snappy with something behind it", &longer);
    victim.refuses("no snappy", b"{\"metric\": \"up\"}");
    assert_eq!(victim.count("broken"), 0);
}

#[test]
fn length_bombs_cost_nothing() {
    let victim = Victim::start();
    for claimed in [1_u64 << 28, (1 << 32) - 1, 1 << 40, u64::MAX] {
        let mut bomb = Vec::new();
        put_uvarint(&mut bomb, claimed);
        bomb.extend_from_slice(&[0; 32]);
        victim.refuses("a snappy length bomb", &bomb);
    }
    let real = compress(&vec![0; 200 << 20]);
    let answer = victim.refuses("200 MiB of zeros", &real);
    assert!(matches!(answer.status, 400 | 413), "{}", answer.status);
}

#[test]
fn protobuf_garbage_is_refused() {
    let victim = Victim::start();
    let good = Request::new().series(&[("__name__", "half"), ("a", "b")], &[(victim.now, 1.0)]);
    let message = good.message();
    let cases: [(&str, Vec<u8>); 6] = [
        ("ones", vec![0xff; 100]),
        ("an endless varint", vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("a length beyond the end", vec![0x0a, 0x7f, 0x00]),
        ("a wire type that does not exist", vec![0x0f, 0x00]),
        ("text", b"up{job=\"x\"} 1\n".to_vec()),
        ("field zero", vec![0x02, 0x00]),
    ];
    for (what, garbage) in cases {
        victim.refuses(what, &compress(&garbage));
    }
    // A cut at the end of a field is a valid message; all other cuts are not.
    for cut in 1..message.len() {
        let answer = victim.server.client.write(&compress(&message[..cut]));
        assert!(matches!(answer.status, 204 | 400), "cut at {cut}: {} {}", answer.status, answer.text());
    }
    victim.is_unharmed("cut messages");
    assert_eq!(victim.count("half"), 0);
}

#[test]
fn bad_labels_are_refused_and_the_rest_of_the_request_is_stored() {
    let victim = Victim::start();
    let long_name = "n".repeat(100_000);
    let many: Vec<(String, String)> =
        (0..2000).map(|index| (format!("l{index:04}"), "v".to_owned())).collect();
    let mut many: Vec<(&[u8], &[u8])> =
        many.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    many.insert(0, (b"__name__", b"bad"));
    let cases: [(&str, RawLabels); 8] = [
        ("duplicate labels", &[(b"__name__", b"bad"), (b"a", b"1"), (b"a", b"2")]),
        ("an empty label name", &[(b"", b"x"), (b"__name__", b"bad")]),
        ("no metric name", &[(b"a", b"1")]),
        ("no labels", &[]),
        ("a name that is not UTF-8", &[(b"__name__", b"bad"), (b"a\xff", b"1")]),
        ("a value that is not UTF-8", &[(b"__name__", b"bad"), (b"a", b"\xc3\x28")]),
        ("a long label name", &[(b"__name__", b"bad"), (long_name.as_bytes(), b"1")]),
        ("too many labels", &many),
    ];
    for (index, (what, labels)) in cases.into_iter().enumerate() {
        let number = index.to_string();
        let mut request = Request::new();
        request.push_series(&[(b"__name__", b"before"), (b"n", number.as_bytes())], &[(victim.now, 1.0)]);
        request.push_series(labels, &[(victim.now, 1.0)]);
        request.push_series(&[(b"__name__", b"behind"), (b"n", number.as_bytes())], &[(victim.now, 1.0)]);
        victim.refuses(what, &request.body());
        assert_eq!(victim.count(&format!("{{__name__=~\"before|behind\",n=\"{number}\"}}")), 2, "{what}");
    }
    assert_eq!(victim.count("bad"), 0);
}

#[test]
fn unsorted_labels_are_the_same_series_as_sorted_ones() {
    let victim = Victim::start();
    let now = victim.now;
    let sorted = Request::new().series(&[("__name__", "m"), ("a", "1"), ("b", "2")], &[(now - 1, 1.0)]);
    let unsorted = Request::new().series(&[("b", "2"), ("__name__", "m"), ("a", "1")], &[(now, 2.0)]);
    let with_empty =
        Request::new().series(&[("__name__", "m"), ("a", "1"), ("b", "2"), ("c", "")], &[(now + 1, 3.0)]);
    for request in [sorted, unsorted, with_empty] {
        let answer = victim.server.client.write(&request.body());
        assert_eq!(answer.status, 204, "{}", answer.text());
    }
    let found = only_series(&victim.server.client.query("m[1m]", now + 1).data());
    assert_eq!(found.len(), 3);
}

#[test]
fn a_label_value_of_ten_megabytes_is_refused() {
    let victim = Victim::start();
    let huge = "v".repeat(10_000_000);
    let request = Request::new()
        .series(&[("__name__", "huge"), ("a", &huge)], &[(victim.now, 1.0)])
        .series(&[("__name__", "small")], &[(victim.now, 1.0)]);
    let answer = victim.refuses("a label value of 10 MB", &request.body());
    assert!(answer.body.len() < 10_000, "the answer repeats it: {} bytes", answer.body.len());
    assert_eq!(victim.count("huge"), 0);
    if answer.status == 400 {
        assert_eq!(victim.count("small"), 1);
    }
}

#[test]
fn timestamps_out_of_bounds_are_refused_alone() {
    let victim = Victim::start();
    let now = victim.now;
    for far in [i64::MIN, i64::MIN + 1, -1, 0, now - 400 * DAY_MS, now + DAY_MS, i64::MAX - 1, i64::MAX] {
        let samples = [(now - 1, 1.0), (far, 2.0), (now, 3.0)];
        let request = Request::new().series(&[("__name__", "far")], &samples);
        victim.refuses(&format!("timestamp {far}"), &request.body());
        let found = only_series(&victim.server.client.query("far[1h]", now).data());
        assert_eq!(found.len(), 2, "timestamp {far}");
    }
}

#[test]
fn deep_and_long_expressions_are_refused() {
    let victim = Victim::start();
    let cases = [
        ("brackets", format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000))),
        ("open brackets", "(".repeat(100_000)),
        ("minus signs", format!("{}1", "-".repeat(100_000))),
        ("functions", format!("{}canary{}", "abs(".repeat(100_000), ")".repeat(100_000))),
        ("powers", format!("1{}", "^1".repeat(100_000))),
        ("subqueries", format!("canary{}", "[1m:1s]".repeat(100_000))),
    ];
    for (what, query) in cases {
        let answer = victim.server.client.query(&query, victim.now);
        assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
        assert!(answer.body.len() < 10_000, "{what}: the answer repeats it: {} bytes", answer.body.len());
        victim.is_unharmed(what);
    }
    // A long chain of additions is a deep tree too: refused, or computed.
    let sum = format!("1{}", "+1".repeat(100_000));
    let answer = victim.server.client.query(&sum, victim.now);
    assert!(matches!(answer.status, 200 | 400 | 422), "{}", answer.status);
    victim.is_unharmed("a long sum");
}

#[test]
fn noise_never_harms() {
    let victim = Victim::start();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let good = Request::new()
        .series(&[("__name__", "noise"), ("a", "b")], &[(victim.now, 1.0), (victim.now - 1, 2.0)])
        .metadata("noise", 2, "help", "unit");
    for _ in 0..300 {
        let mut message = good.message().to_vec();
        for _ in 0..1 + random() % 4 {
            let place = random() as usize % message.len();
            message[place] = random() as u8;
        }
        let answer = victim.server.client.write(&compress(&message));
        assert!(matches!(answer.status, 204 | 400), "{} {} for {message:?}", answer.status, answer.text());
    }
    victim.is_unharmed("noise");
}

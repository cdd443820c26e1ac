//! Writers that remember what was acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::http::Client;
use super::random::random;
use super::remote_write::Request;
use super::server::now_ms;
use super::wait;

/// Writers at the same time, and series of each at the beginning.
const WRITERS: u64 = 4;
const SERIES: u64 = 20;
/// So many requests bring one more series; when so many are alive, the oldest ends.
const REQUESTS_PER_SERIES: u64 = 8;
const SERIES_ALIVE: u64 = 80;
/// One request in so many goes back in time.
const LATE_ONE_IN: u64 = 7;

/// One sample: writer, series, timestamp.
type Place = (u64, u64, i64);

/// Timestamps of the samples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub(crate) start_ms: i64,
    /// From a writer's request to the next.
    pub(crate) step_ms: i64,
}

impl Times {
    /// Begins so long ago.
    pub(crate) fn since(ago_ms: i64, step_ms: i64) -> Self {
        Self { start_ms: now_ms() - ago_ms, step_ms }
    }
}

/// What was sent and became of it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Acknowledged: must be there. Where late requests met, the last value counts.
    acked: BTreeMap<Place, u64>,
    /// Sent without an answer: may be there, also in the place of an acknowledged value.
    unknown: BTreeSet<(Place, u64)>,
}

/// All writers; they go on where they stopped when the server is back.
#[derive(Debug)]
pub(crate) struct Writers {
    seed: u64,
    times: Times,
    requests: [u64; WRITERS as usize],
    ledger: Ledger,
}

impl Writers {
    pub(crate) fn new(seed: u64, times: Times) -> Self {
        Self { seed, times, requests: [0; WRITERS as usize], ledger: Ledger::default() }
    }

    pub(crate) fn acked(&self) -> usize {
        self.ledger.acked.len()
    }

    /// Writes until the server is gone, or an acknowledgement does not count any more: `counts` is told
    /// how many were acknowledged before, and tells whether this one counts.
    pub(crate) fn run(&mut self, client: &Client, counts: impl Fn(u64) -> bool + Sync) {
        let acked_requests = AtomicU64::new(0);
        let (seed, times) = (self.seed, self.times);
        let ledgers: Vec<Ledger> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..)
                .zip(&mut self.requests)
                .map(|(writer, number)| {
                    let (counts, acked_requests, client) = (&counts, &acked_requests, client.clone());
                    scope.spawn(move || {
                        let mut ledger = Ledger::default();
                        loop {
                            let (body, samples) = request(seed, times, writer, *number);
                            *number += 1;
                            // Refused for now, by a server with a full memory: the same once more.
                            let answer = wait::until("a write to be taken", || {
                                Some(client.try_write(&body)).filter(|answer| {
                                    !answer.as_ref().is_ok_and(|answer| answer.status == 503)
                                })
                            });
                            let Ok(answer) = answer else {
                                ledger.unknown.extend(samples);
                                return ledger;
                            };
                            assert!(matches!(answer.status, 200..300), "{} {}", answer.status, answer.text());
                            if !counts(acked_requests.fetch_add(1, Ordering::Relaxed)) {
                                ledger.unknown.extend(samples);
                                return ledger;
                            }
                            ledger.acked.extend(samples);
                        }
                    })
                })
                .collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        for ledger in ledgers {
            self.ledger.acked.extend(ledger.acked);
            self.ledger.unknown.extend(ledger.unknown);
        }
    }

    /// Reads everything back and compares bits.
    pub(crate) fn check(&self, client: &Client) {
        let mut found = BTreeMap::new();
        let most = self.requests.iter().max().copied().unwrap();
        let length_ms = most as i64 * self.times.step_ms + 1000;
        let query = format!("{{job=\"crash\"}}[{}ms]", length_ms + 1000);
        let data = client.query(&query, self.times.start_ms + length_ms).data();
        for series in data["result"].as_array().unwrap() {
            let number = |name: &str| series["metric"][name].as_str().unwrap().parse::<u64>().unwrap();
            let (writer, series_number) = (number("writer"), number("series"));
            for pair in series["values"].as_array().unwrap() {
                let (timestamp_ms, bits) = sample(pair);
                found.insert((writer, series_number, timestamp_ms), bits);
            }
        }
        let lost: BTreeSet<_> = self.ledger.acked.keys().filter(|place| !found.contains_key(place)).collect();
        assert!(lost.is_empty(), "{} acknowledged samples are lost, as {:?}", lost.len(), lost.first());
        for (place, bits) in &found {
            let acked = self.ledger.acked.get(place);
            let sent = acked == Some(bits) || self.ledger.unknown.contains(&(*place, *bits));
            assert!(sent, "{place:?} holds {bits:#x}, which was not sent; acknowledged was {acked:x?}");
        }
    }
}

fn sample(pair: &Value) -> (i64, u64) {
    let timestamp_ms = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
    (timestamp_ms, pair[1].as_str().unwrap().parse::<f64>().unwrap().to_bits())
}

/// The body of a writer's request and the samples in it. Late requests may meet at a time, so that a
/// place is written twice.
fn request(seed: u64, times: Times, writer: u64, number: u64) -> (Vec<u8>, Vec<(Place, u64)>) {
    let series = SERIES + number / REQUESTS_PER_SERIES;
    // Late requests lie between the steps.
    let drawn = random(seed, writer << 40 | number);
    let step = number as i64 * times.step_ms;
    let late = drawn.is_multiple_of(LATE_ONE_IN) && number > 0;
    let offset = if late {
        let back = 1 + (drawn >> 8) as i64 % number as i64;
        step - times.step_ms * back + 1 + (drawn >> 40) as i64 % (times.step_ms - 1).min(9)
    } else {
        step
    };
    let mut request = Request::new();
    let mut samples = Vec::new();
    let all = number.is_multiple_of(REQUESTS_PER_SERIES) || drawn.is_multiple_of(4);
    let first = if all { 0 } else { drawn % 4 } + series.saturating_sub(SERIES_ALIVE);
    for index in (first..series).step_by(if all { 1 } else { 2 }) {
        let timestamp_ms = times.start_ms + offset;
        let value = any_number(seed, writer << 48 | index << 24 | number);
        let (writer_text, series_text) = (writer.to_string(), index.to_string());
        let labels = [
            ("__name__", "crash_test_value"),
            ("job", "crash"),
            ("series", series_text.as_str()),
            ("writer", &writer_text),
        ];
        request = request.series(&labels, &[(timestamp_ms, value)]);
        samples.push(((writer, index, timestamp_ms), value.to_bits()));
    }
    (request.body(), samples)
}

/// Any finite number, from all its bits.
fn any_number(seed: u64, purpose: u64) -> f64 {
    (1..).map(|turn| f64::from_bits(random(seed ^ turn, purpose))).find(|value| value.is_finite()).unwrap()
}

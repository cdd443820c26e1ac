//! An operator who deletes series and asks for flushes and merges, and remembers what was done.

use std::collections::BTreeSet;

use crate::common::http::Client;
use crate::common::remote_write::Request;
use crate::common::writers::Times;

/// A series is deleted when so many newer ones have been written.
const DELAY: u64 = 8;

#[derive(Debug)]
pub(crate) struct Operator {
    times: Times,
    next: u64,
    /// Series with an acknowledged sample, which nobody has asked to delete.
    written: BTreeSet<u64>,
    /// Series whose deletion was acknowledged.
    deleted: BTreeSet<u64>,
}

impl Operator {
    pub(crate) fn new(times: Times) -> Self {
        Self { times, next: 0, written: BTreeSet::new(), deleted: BTreeSet::new() }
    }

    pub(crate) fn deleted(&self) -> usize {
        self.deleted.len()
    }

    fn time_ms(&self, number: u64) -> i64 {
        self.times.start_ms + number as i64 * self.times.step_ms
    }

    /// Works until the server is gone, or what it says does not count any more.
    pub(crate) fn run(&mut self, client: &Client, counts: impl Fn() -> bool) {
        while self.work(client, &counts).is_some() {}
    }

    fn work(&mut self, client: &Client, counts: impl Fn() -> bool) -> Option<()> {
        let number = self.next;
        self.next += 1;
        let text = number.to_string();
        let labels = [("__name__", "doomed"), ("number", text.as_str())];
        let request = Request::new().series(&labels, &[(self.time_ms(number), number as f64)]);
        let status = client.try_write(&request.body()).ok()?.status;
        if status == 204 && counts() {
            self.written.insert(number);
        }
        if let Some(doomed) = number.checked_sub(DELAY) {
            self.written.remove(&doomed);
            let done = act(client, "delete_series", &format!("match[]=doomed{{number=\"{doomed}\"}}"))?;
            if done && counts() {
                self.deleted.insert(doomed);
            }
        }
        match number % 16 {
            3 | 11 => act(client, "flush", "")?,
            7 => act(client, "clean_tombstones", "")?,
            15 => act(client, "compact", "")?,
            _ => true,
        };
        counts().then_some(())
    }

    /// What was written is there, what was deleted is not.
    pub(crate) fn check(&self, client: &Client) {
        let length_ms = self.next as i64 * self.times.step_ms + 1000;
        let query = format!("doomed[{}ms]", length_ms + 1000);
        let data = client.query(&query, self.times.start_ms + length_ms).data();
        let series = data["result"].as_array().unwrap().iter();
        let found: BTreeSet<u64> =
            series.map(|series| series["metric"]["number"].as_str().unwrap().parse().unwrap()).collect();
        let lost: Vec<_> = self.written.difference(&found).collect();
        assert!(lost.is_empty(), "acknowledged series are lost: {lost:?}");
        let back: Vec<_> = self.deleted.intersection(&found).collect();
        assert!(back.is_empty(), "deleted series are back: {back:?}");
    }
}

/// Whether the server did it; `None` when it is gone.
fn act(client: &Client, action: &str, form: &str) -> Option<bool> {
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let path = format!("/api/v1/admin/tsdb/{action}");
    let answer = client.try_post(&path, &headers, form.as_bytes()).ok()?;
    assert!(matches!(answer.status, 204 | 503), "{action}: {} {}", answer.status, answer.text());
    Some(answer.status == 204)
}

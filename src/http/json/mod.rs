//! The Prometheus envelope, written in pieces.
//!
//! An answer is never held as JSON as a whole: it is written from the values while it is sent, and
//! values are dropped as they are written. So the memory of an answer is that of its values.

mod items;
mod number;
mod string;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use shards::model::Labels;

use super::reply::{Pieces, ReplyBody};
use super::service::{Listing, QueryStats};
use crate::limits::{ANNOTATIONS_SHOWN_MAX, ANSWER_PIECE_BYTES};
use crate::promql::value::{QueryOutput, Value};
use items::{GridMatrix, Instant, Items, LabelSets, Nothing, RawMatrix, Texts};

/// Room for what the last item of a piece adds to it.
const PIECE_SLACK_BYTES: usize = 8 << 10;

/// What an answer tells beside its data.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    pub warnings: Vec<String>,
    pub infos: Vec<String>,
}

/// Which query an output answers: the same vector reads differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKind {
    Instant,
    Range,
}

/// Answer to a query.
#[must_use]
pub fn query(kind: QueryKind, output: QueryOutput, stats: Option<&QueryStats>, notes: &Notes) -> ReplyBody {
    let mut tail = Vec::new();
    if let Some(stats) = stats {
        tail.extend_from_slice(b",\"stats\":");
        put_stats(&mut tail, stats);
    }
    tail.push(b'}');
    put_notes(&mut tail, notes);
    let grid = output.grid;
    let head = |kind: &str, open: &str| {
        format!("{{\"status\":\"success\",\"data\":{{\"resultType\":\"{kind}\",\"result\":{open}")
            .into_bytes()
    };
    let closed = |tail: Vec<u8>| [b"]".as_slice(), &tail].concat();
    match (kind, output.value) {
        (QueryKind::Instant, Value::Vector(series)) => {
            body(head("vector", "["), Instant::new(grid.start_ms, series), closed(tail))
        }
        (QueryKind::Range, Value::Vector(series)) => {
            body(head("matrix", "["), GridMatrix::new(grid, series), closed(tail))
        }
        (_, Value::Matrix(series)) => body(head("matrix", "["), RawMatrix::new(series), closed(tail)),
        (_, Value::Scalar(values)) => {
            let mut head = head("scalar", "[");
            number::float(&mut head, grid.start_ms as f64 / 1000.0);
            head.extend_from_slice(b",\"");
            number::plain(&mut head, values.first().copied().unwrap_or(f64::NAN));
            head.extend_from_slice(b"\"]");
            body(head, Nothing, tail)
        }
        (_, Value::String(text)) => {
            let mut head = head("string", "[");
            number::float(&mut head, grid.start_ms as f64 / 1000.0);
            head.push(b',');
            string::html_safe(&mut head, &text);
            head.push(b']');
            body(head, Nothing, tail)
        }
    }
}

/// Answer that lists texts.
#[must_use]
pub fn texts(listing: Listing<String>, notes: &Notes) -> ReplyBody {
    let mut tail = b"]".to_vec();
    put_notes(&mut tail, notes);
    body(LIST_HEAD.to_vec(), Texts::new(listing.items), tail)
}

/// Answer that lists label sets.
#[must_use]
pub fn label_sets(listing: Listing<Labels>, notes: &Notes) -> ReplyBody {
    let mut tail = b"]".to_vec();
    put_notes(&mut tail, notes);
    body(LIST_HEAD.to_vec(), LabelSets::new(listing.items), tail)
}

/// Answer whose data is one object of texts.
#[must_use]
pub fn object(members: &[(&str, &str)]) -> ReplyBody {
    let mut out = b"{\"status\":\"success\",\"data\":{".to_vec();
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        string::html_safe(&mut out, name);
        out.push(b':');
        string::html_safe(&mut out, value);
    }
    out.extend_from_slice(b"}}");
    ReplyBody::Whole(Bytes::from(out))
}

/// The envelope of a failed request.
#[must_use]
pub fn error(error_type: &str, message: &str) -> Bytes {
    let mut out = b"{\"status\":\"error\",\"errorType\":".to_vec();
    string::html_safe(&mut out, error_type);
    out.extend_from_slice(b",\"error\":");
    string::html_safe(&mut out, message);
    out.push(b'}');
    Bytes::from(out)
}

const LIST_HEAD: &[u8] = b"{\"status\":\"success\",\"data\":[";

fn body(head: Vec<u8>, items: impl Items + 'static, mut tail: Vec<u8>) -> ReplyBody {
    tail.push(b'}');
    ReplyBody::from_pieces(Answer { head, items: Some(items), tail })
}

/// An answer on its way.
struct Answer<I> {
    /// What comes before the items; empty once sent.
    head: Vec<u8>,
    /// `None` once all is sent.
    items: Option<I>,
    tail: Vec<u8>,
}

impl<I: Items> Pieces for Answer<I> {
    fn next_piece(&mut self) -> Option<Bytes> {
        let items = self.items.as_mut()?;
        let mut out = Vec::with_capacity(ANSWER_PIECE_BYTES + PIECE_SLACK_BYTES);
        out.append(&mut self.head);
        while out.len() < ANSWER_PIECE_BYTES {
            if !items.put_next(&mut out) {
                out.append(&mut self.tail);
                self.items = None;
                break;
            }
        }
        if out.capacity() > 2 * out.len() {
            out.shrink_to_fit();
        }
        Some(Bytes::from(out))
    }
}

fn put_notes(out: &mut Vec<u8>, notes: &Notes) {
    for (name, kind, texts) in [("warnings", "warning", &notes.warnings), ("infos", "info", &notes.infos)] {
        if texts.is_empty() {
            continue;
        }
        out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
        for (index, text) in texts.iter().take(ANNOTATIONS_SHOWN_MAX).enumerate() {
            if index > 0 {
                out.push(b',');
            }
            string::html_safe(out, text);
        }
        if texts.len() > ANNOTATIONS_SHOWN_MAX {
            out.push(b',');
            let more = texts.len() - ANNOTATIONS_SHOWN_MAX;
            string::html_safe(out, &format!("{more} more {kind} annotations omitted"));
        }
        out.push(b']');
    }
}

fn put_stats(out: &mut Vec<u8>, stats: &QueryStats) {
    let timings = [
        ("evalTotalTime", stats.eval_total_seconds),
        ("resultSortTime", stats.result_sort_seconds),
        ("queryPreparationTime", stats.query_preparation_seconds),
        ("innerEvalTime", stats.inner_eval_seconds),
        ("execQueueTime", stats.exec_queue_seconds),
        ("execTotalTime", stats.exec_total_seconds),
    ];
    let samples = [
        ("totalQueryableSamples", stats.total_queryable_samples),
        ("samplesRead", stats.samples_read),
        ("peakSamples", stats.peak_samples),
    ];
    out.extend_from_slice(b"{\"timings\":{");
    for (index, (name, seconds)) in timings.into_iter().enumerate() {
        put_member(out, index, name);
        number::float(out, seconds);
    }
    out.extend_from_slice(b"},\"samples\":{");
    for (index, (name, count)) in samples.into_iter().enumerate() {
        put_member(out, index, name);
        number::integer(out, count);
    }
    out.extend_from_slice(b"}}");
}

fn put_member(out: &mut Vec<u8>, index: usize, name: &str) {
    if index > 0 {
        out.push(b',');
    }
    string::plain(out, name);
    out.push(b':');
}

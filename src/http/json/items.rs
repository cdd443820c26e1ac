//! The items of an answer's list, written one after the other and dropped as they are written.
//!
//! A step writes little: an item, or some points of one, so that a piece of an answer stays small
//! however long a series is.

use std::vec::IntoIter;

use shards::model::Labels;

use super::{number, string};
use crate::promql::value::{EvalSeries, RawSeries, is_present};
use crate::promql::window::Grid;

/// Points written in one step.
const POINTS_PER_STEP: usize = 256;

pub(super) trait Items {
    /// Writes the next step; `false` when there was nothing left to write.
    fn put_next(&mut self, out: &mut Vec<u8>) -> bool;
}

/// No list: all has been said in the head.
pub(super) struct Nothing;

impl Items for Nothing {
    fn put_next(&mut self, _: &mut Vec<u8>) -> bool {
        false
    }
}

/// Knows whether a comma is due.
#[derive(Default)]
struct Separator {
    started: bool,
}

impl Separator {
    fn put(&mut self, out: &mut Vec<u8>) {
        if self.started {
            out.push(b',');
        }
        self.started = true;
    }
}

pub(super) struct Texts {
    items: IntoIter<String>,
    separator: Separator,
}

impl Texts {
    pub(super) fn new(items: Vec<String>) -> Self {
        Self { items: items.into_iter(), separator: Separator::default() }
    }
}

impl Items for Texts {
    fn put_next(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(text) = self.items.next() else { return false };
        self.separator.put(out);
        string::html_safe(out, &text);
        true
    }
}

pub(super) struct LabelSets {
    items: IntoIter<Labels>,
    separator: Separator,
}

impl LabelSets {
    pub(super) fn new(items: Vec<Labels>) -> Self {
        Self { items: items.into_iter(), separator: Separator::default() }
    }
}

impl Items for LabelSets {
    fn put_next(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(labels) = self.items.next() else { return false };
        self.separator.put(out);
        put_labels(out, &labels);
        true
    }
}

/// Vector of an instant query.
pub(super) struct Instant {
    time_ms: i64,
    series: IntoIter<EvalSeries>,
    separator: Separator,
}

impl Instant {
    pub(super) fn new(time_ms: i64, series: Vec<EvalSeries>) -> Self {
        Self { time_ms, series: series.into_iter(), separator: Separator::default() }
    }
}

impl Items for Instant {
    fn put_next(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(series) = self.series.next() else { return false };
        if let Some(value) = series.values.first().copied().filter(|value| is_present(*value)) {
            self.separator.put(out);
            out.extend_from_slice(b"{\"metric\":");
            put_labels(out, &series.labels);
            out.extend_from_slice(b",\"value\":");
            put_point(out, self.time_ms, value);
            out.push(b'}');
        }
        true
    }
}

/// Matrix of a range query.
pub(super) struct GridMatrix {
    times: Times,
    series: IntoIter<EvalSeries>,
    separator: Separator,
    current: Option<GridSeries>,
}

/// Texts of the times of a grid, which all series share; made when they are needed.
struct Times {
    grid: Grid,
    text: Vec<u8>,
    /// End of the text of each step.
    ends: Vec<usize>,
}

impl Times {
    const fn new(grid: Grid) -> Self {
        Self { grid, text: Vec::new(), ends: Vec::new() }
    }

    fn at(&mut self, step: usize) -> &[u8] {
        while self.ends.len() <= step {
            number::seconds(&mut self.text, self.grid.at(self.ends.len()));
            self.ends.push(self.text.len());
        }
        let start = step.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(step).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }
}

/// A series of which some points are written.
struct GridSeries {
    values: Vec<f64>,
    step: usize,
    separator: Separator,
}

impl GridMatrix {
    pub(super) fn new(grid: Grid, series: Vec<EvalSeries>) -> Self {
        Self {
            times: Times::new(grid),
            series: series.into_iter(),
            separator: Separator::default(),
            current: None,
        }
    }
}

impl Items for GridMatrix {
    fn put_next(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(current) = &mut self.current else {
            let Some(series) = self.series.next() else { return false };
            self.separator.put(out);
            put_series_head(out, &series.labels);
            self.current =
                Some(GridSeries { values: series.values, step: 0, separator: Separator::default() });
            return true;
        };
        let end = current.values.len().min(current.step + POINTS_PER_STEP);
        for (step, value) in (current.step..).zip(current.values.get(current.step..end).unwrap_or_default()) {
            if is_present(*value) {
                current.separator.put(out);
                out.push(b'[');
                out.extend_from_slice(self.times.at(step));
                put_value(out, *value);
            }
        }
        current.step = end;
        if end == current.values.len() {
            out.extend_from_slice(b"]}");
            self.current = None;
        }
        true
    }
}

/// Matrix of an instant query: samples as stored.
pub(super) struct RawMatrix {
    series: IntoIter<RawSeries>,
    separator: Separator,
    /// The series being written and how many of its points are.
    current: Option<(RawSeries, usize)>,
}

impl RawMatrix {
    pub(super) fn new(series: Vec<RawSeries>) -> Self {
        Self { series: series.into_iter(), separator: Separator::default(), current: None }
    }
}

impl Items for RawMatrix {
    fn put_next(&mut self, out: &mut Vec<u8>) -> bool {
        let Some((series, written)) = &mut self.current else {
            let Some(series) = self.series.next() else { return false };
            self.separator.put(out);
            put_series_head(out, &series.labels);
            self.current = Some((series, 0));
            return true;
        };
        let points = series.timestamps.iter().zip(&series.values);
        for (time_ms, value) in points.skip(*written).take(POINTS_PER_STEP) {
            if *written > 0 {
                out.push(b',');
            }
            put_point(out, *time_ms, *value);
            *written += 1;
        }
        if *written >= series.timestamps.len().min(series.values.len()) {
            out.extend_from_slice(b"]}");
            self.current = None;
        }
        true
    }
}

fn put_series_head(out: &mut Vec<u8>, labels: &Labels) {
    out.extend_from_slice(b"{\"metric\":");
    put_labels(out, labels);
    out.extend_from_slice(b",\"values\":[");
}

#[inline]
fn put_point(out: &mut Vec<u8>, time_ms: i64, value: f64) {
    out.push(b'[');
    number::seconds(out, time_ms);
    put_value(out, value);
}

#[inline]
fn put_value(out: &mut Vec<u8>, value: f64) {
    out.extend_from_slice(b",\"");
    number::float(out, value);
    out.extend_from_slice(b"\"]");
}

fn put_labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    let mut separator = Separator::default();
    for (name, value) in labels.iter() {
        separator.put(out);
        string::plain(out, name);
        out.push(b':');
        string::plain(out, value);
    }
    out.push(b'}');
}

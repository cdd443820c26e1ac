//! Leaving out samples that a reader does not need, before they are decoded.
//!
//! Which samples of a column are needed follows from its timestamps, which many series share, and
//! sometimes from its values. Where a page directory tells that values only rise, the times decide
//! alone, and of pages without a needed sample nothing is read.

use std::ops::Range;

use crate::chunk::ChunkError;
use crate::chunk::column::{Decoder, is_ascending};
use crate::model::need::{Need, Windows};
use crate::model::{SampleColumns, TimeRange, is_stale_nan};

/// A column of timestamps and what is needed of the values that belong to it.
pub(super) struct Times {
    pub(super) times: Vec<i64>,
    /// Places that are in the range of the read.
    inside: Range<usize>,
    /// Needed places, or where segments begin and the last one ends; see [`Times::new`].
    places: Vec<u32>,
}

impl Times {
    pub(super) fn new(times: Vec<i64>, need: &Need, range: TimeRange) -> Self {
        let start = times.partition_point(|time| *time < range.start_ms);
        let end = times.partition_point(|time| *time < range.end_ms).max(start);
        let mut this = Self { times, inside: start..end, places: Vec::new() };
        if !this.inside.is_empty() {
            match need {
                Need::All => {}
                Need::Last(windows) => this.last_of(windows),
                Need::Ends(windows) => this.ends_of(windows),
                Need::Greatest(windows) | Need::Least(windows) => this.bounds_of(windows),
            }
        }
        this
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.times.len() * 8 + self.places.len() * 4 + size_of::<Self>()
    }

    /// Calls `each` with the places at which every window that is not void begins and ends.
    fn windows(&self, windows: &Windows, mut each: impl FnMut(usize, usize)) {
        let Some(inside) = self.times.get(self.inside.clone()) else { return };
        let (Some(first_ms), Some(last_ms)) = (inside.first(), inside.last()) else { return };
        let (mut begin, mut end) = (0, 0);
        for number in windows.first_from(*first_ms)..windows.count {
            let end_ms = windows.end_of(number);
            let before_ms = end_ms.saturating_sub(windows.range_ms);
            if before_ms >= *last_ms {
                break;
            }
            end = advance(inside, end, end_ms);
            begin = advance(inside, begin, before_ms).min(end);
            if begin < end {
                each(self.inside.start + begin, self.inside.start + end);
            }
        }
    }

    fn last_of(&mut self, windows: &Windows) {
        // A sample at the end itself counts even in a window without length.
        let windows = Windows { range_ms: windows.range_ms.max(1), ..*windows };
        let mut places = std::mem::take(&mut self.places);
        self.windows(&windows, |_, end| {
            if places.last() != Some(&(end as u32 - 1)) {
                places.push(end as u32 - 1);
            }
        });
        self.places = places;
    }

    /// The ends of the windows, and those of the column: what falls between two columns shows there.
    fn ends_of(&mut self, windows: &Windows) {
        let mut places = vec![self.inside.start as u32];
        self.windows(windows, |begin, end| places.extend([begin as u32, end as u32 - 1]));
        places.push(self.inside.end as u32 - 1);
        places.sort_unstable();
        places.dedup();
        self.places = places;
    }

    /// No window begins or ends inside of a segment, so one sample of each is enough.
    fn bounds_of(&mut self, windows: &Windows) {
        let mut places = Vec::new();
        self.windows(windows, |begin, end| places.extend([begin as u32, end as u32]));
        places.sort_unstable();
        places.dedup();
        self.places = places;
    }
}

/// Index of the first timestamp after `time_ms`, searched from `from` on with growing strides.
fn advance(times: &[i64], from: usize, time_ms: i64) -> usize {
    let is_before = |index: usize| times.get(index).is_some_and(|time| *time <= time_ms);
    let (mut low, mut stride) = (from, 1);
    while is_before(low + stride - 1) {
        low += stride;
        stride *= 2;
    }
    let high = (low + stride - 1).min(times.len());
    low + times.get(low..high).map_or(0, |rest| rest.partition_point(|time| *time <= time_ms))
}

/// Passes columns of one series, in order of time, and keeps what is needed of them.
pub(super) struct Sieve {
    need: Need,
    /// Values of a column that had to be decoded as a whole.
    dense: Vec<f64>,
    places: Vec<u32>,
    /// Samples passed so far.
    passed: u32,
}

impl Sieve {
    pub(super) const fn new(need: Need) -> Self {
        Self { need, dense: Vec::new(), places: Vec::new(), passed: 0 }
    }

    pub(super) const fn need(&self) -> &Need {
        &self.need
    }

    /// Begins with another series.
    pub(super) const fn begin(&mut self) {
        self.passed = 0;
    }

    /// Takes in an encoded column.
    pub(super) fn column(
        &mut self,
        decoder: &mut Decoder,
        bytes: &[u8],
        times: &Times,
        out: &mut SampleColumns,
    ) -> Result<(), ChunkError> {
        let count = times.times.len();
        let alone = match self.need {
            Need::All => false,
            Need::Last(_) => true,
            Need::Ends(_) | Need::Greatest(_) | Need::Least(_) => is_ascending(bytes, count)?,
        };
        if !alone {
            self.dense.clear();
            decoder.decode_values(bytes, count, &mut self.dense)?;
            self.decoded(times, out);
            return Ok(());
        }
        self.places.clear();
        match self.need {
            Need::Greatest(_) => self.places.extend(times.places.iter().skip(1).map(|end| end - 1)),
            Need::Least(_) => {
                self.places.extend(times.places.iter().take(times.places.len().saturating_sub(1)));
            }
            _ => self.places.extend_from_slice(&times.places),
        }
        decoder.decode_values_at(bytes, count, &self.places, &mut out.values)?;
        self.tell(times, out);
        Ok(())
    }

    /// Takes in samples of memory, which are all later than those before.
    pub(super) fn memory(&mut self, times_ms: &[i64], values: &[f64], out: &mut SampleColumns) {
        let is_ends = matches!(self.need, Need::Ends(_));
        for (time_ms, value) in times_ms.iter().zip(values) {
            if is_ends && is_stale_nan(*value) {
                continue;
            }
            out.timestamps_ms.push(*time_ms);
            out.values.push(*value);
            if is_ends {
                out.places.push(self.passed);
                self.passed += 1;
            }
        }
    }

    /// Chooses from the values of a whole column.
    fn decoded(&mut self, times: &Times, out: &mut SampleColumns) {
        let inside = times.inside.clone();
        let dense = std::mem::take(&mut self.dense);
        let values = dense.get(inside.clone()).unwrap_or_default();
        match self.need {
            Need::All | Need::Last(_) => {
                out.timestamps_ms.extend_from_slice(times.times.get(inside).unwrap_or_default());
                out.values.extend_from_slice(values);
            }
            Need::Ends(_) if values.iter().any(|value| value.is_nan()) => {
                self.memory(times.times.get(inside).unwrap_or_default(), values, out);
            }
            Need::Ends(_) => {
                self.places.clear();
                self.places.extend_from_slice(&times.places);
                for (place, [before, value]) in (inside.start as u32..).zip(values.array_windows()) {
                    if value < before {
                        self.places.extend([place, place + 1]);
                    }
                }
                self.places.sort_unstable();
                self.places.dedup();
                self.pick(&dense, times, out);
            }
            Need::Greatest(_) => self.choose(&dense, times, out, |value, best| value > best),
            Need::Least(_) => self.choose(&dense, times, out, |value, best| value < best),
        }
        self.dense = dense;
    }

    /// Of each segment the first value that none beats.
    fn choose(
        &mut self,
        dense: &[f64],
        times: &Times,
        out: &mut SampleColumns,
        beats: impl Fn(f64, f64) -> bool,
    ) {
        self.places.clear();
        for [start, end] in times.places.array_windows() {
            let segment = dense.get(*start as usize..*end as usize).unwrap_or_default();
            let mut best: Option<(u32, f64)> = None;
            for (place, value) in (*start..).zip(segment) {
                let better = best.is_none_or(|(_, best)| beats(*value, best) || best.is_nan());
                if better && !is_stale_nan(*value) {
                    best = Some((place, *value));
                }
            }
            self.places.extend(best.map(|(place, _)| place));
        }
        self.pick(dense, times, out);
    }

    fn pick(&mut self, dense: &[f64], times: &Times, out: &mut SampleColumns) {
        let value = |place: &u32| dense.get(*place as usize).copied().unwrap_or(f64::NAN);
        out.values.extend(self.places.iter().map(value));
        self.tell(times, out);
    }

    /// Adds the times of the chosen places, and the places if they are needed.
    fn tell(&mut self, times: &Times, out: &mut SampleColumns) {
        let time = |place: &u32| times.times.get(*place as usize).copied().unwrap_or(i64::MAX);
        out.timestamps_ms.extend(self.places.iter().map(time));
        if matches!(self.need, Need::Ends(_)) {
            let start = times.inside.start as u32;
            let passed = self.passed;
            out.places.extend(self.places.iter().map(|place| passed + (place - start)));
            self.passed += times.inside.len() as u32;
        }
    }
}

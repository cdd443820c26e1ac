//! Leaving out samples that a reader does not need, before they are decoded.
//!
//! Which samples of a column are needed follows from its timestamps, which many series share, and
//! sometimes from its values. Where a page directory tells that values only rise, the times decide
//! alone, and of pages without a needed sample nothing is read.

use super::times::Times;
use crate::chunk::ChunkError;
use crate::chunk::column::{Decoder, is_ascending};
use crate::model::need::Need;
use crate::model::{SampleColumns, is_stale_nan};

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
        if self.need == Need::All && times.inside == (0..count) {
            decoder.decode_values(bytes, count, &mut out.values)?;
            out.timestamps_ms.extend_from_slice(&times.times);
            return Ok(());
        }
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

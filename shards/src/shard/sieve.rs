//! Leaving out samples that a reader does not need, before they are decoded.
//!
//! Which samples of a column are needed follows from its timestamps, which many series share, and
//! sometimes from its values. Where a page directory tells that values only rise, the times decide
//! alone, and of pages without a needed sample nothing is read.

use super::times::Times;
use crate::chunk::ChunkError;
use crate::chunk::column::Decoder;
use crate::model::need::Need;
use crate::model::{SampleColumns, is_stale_nan};

const MINUS_ZERO: u64 = (-0.0_f64).to_bits();

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

    /// Takes in an encoded column. False if which samples are needed depended on their values, and
    /// not on their times alone.
    ///
    /// With `tell` false the times and places are in `out` already: only values are added, or, if
    /// the answer is false, nothing.
    pub(super) fn column(
        &mut self,
        decoder: &mut Decoder,
        bytes: &[u8],
        times: &Times,
        tell: bool,
        out: &mut SampleColumns,
    ) -> Result<bool, ChunkError> {
        let count = times.times.len();
        if self.need == Need::All {
            let (base, inside) = (out.values.len(), &times.inside);
            decoder.decode_values(bytes, count, &mut out.values)?;
            out.values.truncate(base + inside.end);
            out.values.drain(base..base + inside.start);
            if tell {
                out.timestamps_ms.extend_from_slice(times.times.get(inside.clone()).unwrap_or_default());
            }
            return Ok(true);
        }
        self.put_places_of_rising(times);
        if let Need::Last(_) = self.need {
            decoder.decode_values_at(bytes, count, &self.places, &mut out.values)?;
        } else if !decoder.decode_rising_values_at(bytes, count, &self.places, &mut out.values)? {
            self.dense.clear();
            decoder.decode_values(bytes, count, &mut self.dense)?;
            return Ok(self.decoded(times, tell, out));
        }
        if tell {
            self.tell(times, out);
        }
        Ok(true)
    }

    /// Sets the places that are needed of values of which none is less than the one before.
    fn put_places_of_rising(&mut self, times: &Times) {
        self.places.clear();
        match self.need {
            Need::Greatest(_) => self.places.extend(times.places.iter().skip(1).map(|end| end - 1)),
            Need::Least(_) => {
                self.places.extend(times.places.iter().take(times.places.len().saturating_sub(1)));
            }
            _ => self.places.extend_from_slice(&times.places),
        }
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

    /// Chooses from the values of a whole column; the answer as in [`Self::column`].
    fn decoded(&mut self, times: &Times, tell: bool, out: &mut SampleColumns) -> bool {
        let dense = std::mem::take(&mut self.dense);
        let by_times = is_rising(dense.get(times.inside.clone()).unwrap_or_default());
        if by_times {
            self.put_places_of_rising(times);
            self.pick(&dense, times, tell, out);
        } else if tell {
            self.choose_by_values(&dense, times, out);
        }
        self.dense = dense;
        by_times
    }

    fn choose_by_values(&mut self, dense: &[f64], times: &Times, out: &mut SampleColumns) {
        let inside = times.inside.clone();
        let values = dense.get(inside.clone()).unwrap_or_default();
        self.places.clear();
        match self.need {
            Need::Greatest(_) => self.choose(dense, times, |value, best| value > best),
            Need::Least(_) => self.choose(dense, times, |value, best| value < best),
            _ if values.iter().any(|value| value.is_nan()) => {
                return self.memory(times.times.get(inside).unwrap_or_default(), values, out);
            }
            _ => {
                self.places.extend_from_slice(&times.places);
                for (place, [before, value]) in (inside.start as u32..).zip(values.array_windows()) {
                    if value < before {
                        self.places.extend([place, place + 1]);
                    }
                }
                self.places.sort_unstable();
                self.places.dedup();
            }
        }
        self.pick(dense, times, true, out);
    }

    /// Adds the values at the chosen places, and what else is to be told of them.
    fn pick(&mut self, dense: &[f64], times: &Times, tell: bool, out: &mut SampleColumns) {
        let value = |place: &u32| dense.get(*place as usize).copied().unwrap_or(f64::NAN);
        out.values.extend(self.places.iter().map(value));
        if tell {
            self.tell(times, out);
        }
    }

    /// Adds the place of the first value of each segment that none beats.
    fn choose(&mut self, dense: &[f64], times: &Times, beats: impl Fn(f64, f64) -> bool) {
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

/// Whether no value is less than the one before, and none is NaN or minus zero: zeros of both signs
/// are equal, but not the same to a reader.
fn is_rising(values: &[f64]) -> bool {
    let is_plain = |value: f64| !value.is_nan() & (value.to_bits() != MINUS_ZERO);
    values.iter().fold(true, |all, value| all & is_plain(*value))
        && values.array_windows().fold(true, |all, [before, value]| all & (before <= value))
}

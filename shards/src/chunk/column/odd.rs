//! Exceptions: runs of values that the scale of their column has no integer for.
//!
//! | field    | encoding           | notes                                                        |
//! |----------|--------------------|--------------------------------------------------------------|
//! | runs     | uvarint            |                                                              |
//! | - gap    | uvarint            | samples between the run before and this one                  |
//! | - head   | uvarint            | (samples of the run - 1) * 4 + kind                          |
//! | - value  | 8 bytes            | bits of the value, if the kind is 2                          |
//!
//! Kind 0 is the staleness marker, 1 the NaN `7ff8000000000001`, 3 is -0.

use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::varint::put_uvarint;
use crate::model::STALE_NAN_BITS;

/// The NaN that Go programs make.
pub(super) const GO_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;
const MINUS_ZERO_BITS: u64 = 1 << 63;

/// Values of the same bits in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) len: usize,
    pub(super) bits: u64,
}

impl Run {
    pub(super) const fn end(&self) -> usize {
        self.start + self.len
    }
}

/// Adds the value at `index`, which is behind all others.
pub(super) fn add(runs: &mut Vec<Run>, index: usize, value: f64) {
    let bits = value.to_bits();
    match runs.last_mut() {
        Some(run) if run.end() == index && run.bits == bits => run.len += 1,
        _ => runs.push(Run { start: index, len: 1, bits }),
    }
}

/// Appends the runs.
pub(super) fn write(runs: &[Run], out: &mut Vec<u8>) {
    put_uvarint(out, runs.len() as u64);
    let mut next = 0;
    for run in runs {
        let kind = match run.bits {
            STALE_NAN_BITS => 0,
            GO_NAN_BITS => 1,
            MINUS_ZERO_BITS => 3,
            _ => 2,
        };
        put_uvarint(out, (run.start - next) as u64);
        put_uvarint(out, (run.len as u64 - 1) << 2 | kind);
        if kind == 2 {
            out.extend_from_slice(&run.bits.to_le_bytes());
        }
        next = run.end();
    }
}

/// Replaces `runs` by those of a column of `count` values.
pub(super) fn read(cursor: &mut Cursor<'_>, count: usize, runs: &mut Vec<Run>) -> Result<(), ChunkError> {
    runs.clear();
    let told = cursor.uvarint()?;
    let mut next = 0u64;
    // Each run has a sample at least, so there are never more than `count`.
    for _ in 0..told {
        let start = next.saturating_add(cursor.uvarint()?);
        let head = cursor.uvarint()?;
        let len = (head >> 2) + 1;
        next = start.saturating_add(len);
        if next > count as u64 {
            return Err(ChunkError::Corrupt);
        }
        let bits = match head & 3 {
            0 => STALE_NAN_BITS,
            1 => GO_NAN_BITS,
            2 => cursor.u64_le()?,
            _ => MINUS_ZERO_BITS,
        };
        runs.push(Run { start: start as usize, len: len as usize, bits });
    }
    Ok(())
}

/// Gives the places of exceptions integers that are easily predicted: on the line through the two
/// before, or, at the start, that of the first value that has one.
pub(super) fn bridge(runs: &[Run], integers: &mut [i64]) {
    let mut leading = 0;
    for run in runs {
        if run.start == leading {
            leading = run.end();
            continue;
        }
        let (before, rest) = integers.split_at_mut(run.start);
        let (mut x, delta) = match before.get(leading..).unwrap_or_default() {
            [.., far, near] => (*near, near.wrapping_sub(*far)),
            [near] => (*near, 0),
            [] => (0, 0),
        };
        for place in rest.iter_mut().take(run.len) {
            x = x.wrapping_add(delta);
            *place = x;
        }
    }
    let first = integers.get(leading).copied().unwrap_or(0);
    integers.iter_mut().take(leading).for_each(|place| *place = first);
}

/// Overwrites the places of exceptions among values that begin at sample `from`.
pub(super) fn apply(runs: &[Run], from: usize, values: &mut [f64]) {
    let to = from + values.len();
    for run in runs {
        let (start, end) = (run.start.max(from), run.end().min(to));
        if start < end {
            let places = values.get_mut(start - from..end - from).unwrap_or_default();
            places.fill(f64::from_bits(run.bits));
        }
    }
}

//! Columns of timestamps.
//!
//! | tag | name  | behind the tag                                                                    |
//! |----:|-------|-----------------------------------------------------------------------------------|
//! |   1 | grid  | varint first; uvarint step; uvarint number of jumps, per jump uvarint samples since the jump before and varint milliseconds; then the distances from the grid, packed (see [`super::ints`]) |
//! |   2 | delta | varint first; then the differences, one less than there are timestamps, packed     |
//!
//! The grid begins at the first timestamp; a jump moves it for its sample and all later ones. So
//! the jitter of a scrape is stored once, and not in two differences.

#![deny(clippy::indexing_slicing)]

use super::ints::{put_ints, read_ints};
use super::{ChunkError, Decoder, Effort, Encoder};
use crate::codec::Cursor;
use crate::codec::varint::{put_uvarint, put_varint};

const GRID: u8 = 1;
const DELTA: u8 = 2;

impl Encoder {
    /// Appends a column of timestamps, which ascend.
    pub fn encode_timestamps(&mut self, timestamps_ms: &[i64], effort: Effort, out: &mut Vec<u8>) {
        let first = timestamps_ms.first().copied().unwrap_or(0);
        self.residuals.clear();
        let pairs = timestamps_ms.iter().zip(timestamps_ms.iter().skip(1));
        self.residuals.extend(pairs.map(|(left, right)| right.wrapping_sub(*left)));
        self.payloads.clear();
        self.payloads.push(DELTA);
        put_varint(&mut self.payloads, first);
        if !self.residuals.is_empty() {
            put_ints(&mut self.payloads, &self.residuals, effort);
        }
        let step = {
            self.integers.clone_from(&self.residuals);
            let middle = self.integers.len() / 2;
            let median = (!self.integers.is_empty()).then(|| *self.integers.select_nth_unstable(middle).1);
            median.filter(|step| (1..1 << 40).contains(step))
        };
        if let Some(step) = step
            && let Some(step) = self.grid_step(timestamps_ms, step)
        {
            self.grid(timestamps_ms, first, step, effort);
            if self.directory.len() < self.payloads.len() {
                out.extend_from_slice(&self.directory);
                return;
            }
        }
        out.extend_from_slice(&self.payloads);
    }

    /// The step of the grid: the median of the differences, made exact over the whole column.
    fn grid_step(&self, timestamps_ms: &[i64], median: i64) -> Option<i64> {
        let (first, last) = (timestamps_ms.first()?, timestamps_ms.last()?);
        let span = last.checked_sub(*first)?;
        let steps = span.checked_add(median / 2)? / median;
        let exact = (steps > 0).then(|| (span + steps / 2) / steps)?;
        // Gaps are multiples of the step.
        Some(if exact.abs_diff(median) <= 1 + median.unsigned_abs() / 1000 { exact } else { median })
    }

    /// Fills `directory` with the column in the form of a grid.
    fn grid(&mut self, timestamps_ms: &[i64], first: i64, step: i64, effort: Effort) {
        let mut expected = first;
        let (mut jumps, mut last_jump) = (0u64, 0);
        let mut jump_bytes = std::mem::take(&mut self.integers);
        jump_bytes.clear();
        self.residuals.clear();
        for (at, time) in timestamps_ms.iter().enumerate() {
            let distance = time.wrapping_sub(expected);
            if distance.unsigned_abs() > step.unsigned_abs() / 2 {
                let jump = distance.wrapping_add(step / 2).div_euclid(step).wrapping_mul(step);
                jumps += 1;
                jump_bytes.push((at - last_jump) as i64);
                jump_bytes.push(jump);
                last_jump = at;
                expected = expected.wrapping_add(jump);
            }
            self.residuals.push(time.wrapping_sub(expected));
            expected = expected.wrapping_add(step);
        }
        let out = &mut self.directory;
        out.clear();
        out.push(GRID);
        put_varint(out, first);
        put_uvarint(out, step as u64);
        put_uvarint(out, jumps);
        for pair in jump_bytes.chunks_exact(2) {
            if let [gap, jump] = pair {
                put_uvarint(out, *gap as u64);
                put_varint(out, *jump);
            }
        }
        self.integers = jump_bytes;
        put_ints(out, &self.residuals, effort);
    }
}

impl Decoder {
    /// Appends the `count` timestamps of a column; they ascend. On an error nothing is appended.
    pub fn decode_timestamps(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<i64>,
    ) -> Result<(), ChunkError> {
        let base = out.len();
        let decoded = self.timestamps(bytes, count, out);
        let ascending = |out: &[i64]| out.is_sorted_by(|left, right| left < right);
        let checked = decoded.and_then(|()| {
            let right = out.len() - base == count && ascending(out.get(base..).unwrap_or_default());
            if right { Ok(()) } else { Err(ChunkError::BadColumn) }
        });
        if checked.is_err() {
            out.truncate(base);
        }
        checked
    }

    fn timestamps(&mut self, bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Result<(), ChunkError> {
        if count == 0 || count > super::CHUNK_LEN_MAX {
            return Err(ChunkError::BadColumn);
        }
        let mut cursor = Cursor::new(bytes);
        let tag = cursor.u8()?;
        let first = cursor.varint()?;
        match tag {
            GRID => {
                let step = cursor.uvarint()? as i64;
                let jumps = cursor.uvarint()?;
                if jumps > count as u64 {
                    return Err(ChunkError::BadColumn);
                }
                let mut list = Vec::with_capacity(jumps as usize);
                let mut at = 0u64;
                for _ in 0..jumps {
                    at = at.saturating_add(cursor.uvarint()?);
                    list.push((at, cursor.varint()?));
                }
                read_ints(cursor.take(cursor.remaining())?, count, &mut self.integers)?;
                let mut expected = first;
                let mut list = list.into_iter().peekable();
                let mut next_jump = list.peek().map_or(u64::MAX, |(at, _)| *at);
                for (at, distance) in (0u64..).zip(&self.integers) {
                    while at >= next_jump {
                        expected = expected.wrapping_add(list.next().map_or(0, |(_, jump)| jump));
                        next_jump = list.peek().map_or(u64::MAX, |(at, _)| *at);
                    }
                    out.push(expected.wrapping_add(*distance));
                    expected = expected.wrapping_add(step);
                }
                Ok(())
            }
            DELTA => {
                let mut time = first;
                out.push(time);
                if count == 1 {
                    return if cursor.is_empty() { Ok(()) } else { Err(ChunkError::BadColumn) };
                }
                read_ints(cursor.take(cursor.remaining())?, count - 1, &mut self.integers)?;
                for delta in &self.integers {
                    time = time.wrapping_add(*delta);
                    out.push(time);
                }
                Ok(())
            }
            _ => Err(ChunkError::BadColumn),
        }
    }
}

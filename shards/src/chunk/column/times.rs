//! Columns of timestamps.
//!
//! | field    | encoding           | notes                                                            |
//! |----------|--------------------|------------------------------------------------------------------|
//! | shape    | u8, then u8        | as of values, scale 0; the exception flag tells that gaps follow |
//! | gaps     | uvarint, then each | number of gaps, if told                                          |
//! | - at     | uvarint            | samples between the gap before and the sample behind this one    |
//! | - length | uvarint            | milliseconds by which this and all later samples are moved back  |
//! | integers |                    | timestamps less the gaps, see [`super::ints`]                    |

use super::Effort;
use super::ints::{Body, IntDecoder, IntEncoder};
use super::values::{read_shape, write_shape};
use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::varint::put_uvarint;

/// Samples by which the interval between scrapes is told.
const PROBES: usize = 33;

/// Writes columns of timestamps.
#[derive(Debug, Default)]
pub(super) struct TimeEncoder {
    ungapped: Vec<i64>,
    gaps: Vec<(usize, u64)>,
    ints: IntEncoder,
}

impl TimeEncoder {
    pub(super) fn encode(&mut self, timestamps_ms: &[i64], effort: Effort, out: &mut Vec<u8>) {
        self.close_gaps(timestamps_ms);
        let plan = self.ints.plan(&self.ungapped, false, effort);
        write_shape(0, plan.shape, !self.gaps.is_empty(), out);
        if !self.gaps.is_empty() {
            put_uvarint(out, self.gaps.len() as u64);
            let mut next = 0;
            for (at, len) in &self.gaps {
                put_uvarint(out, (at - next) as u64);
                put_uvarint(out, *len);
                next = at + 1;
            }
        }
        self.ints.write(&plan, &[], out);
    }

    /// Fills `ungapped` and `gaps`: scrapes that were missed leave whole intervals out.
    fn close_gaps(&mut self, timestamps_ms: &[i64]) {
        self.gaps.clear();
        self.ungapped.clear();
        let interval = interval(timestamps_ms);
        let mut moved = 0i64;
        let mut before = timestamps_ms.first().copied().unwrap_or(0);
        for (index, time) in timestamps_ms.iter().enumerate() {
            let delta = time.wrapping_sub(before) as u64;
            before = *time;
            // Half an interval more than there should be.
            if interval > 0 && delta > interval + interval / 2 {
                let missed = (delta + interval / 2) / interval - 1;
                let len = missed.saturating_mul(interval);
                self.gaps.push((index, len));
                moved = moved.wrapping_add(len as i64);
            }
            self.ungapped.push(time.wrapping_sub(moved));
        }
        // Irregular times, not gaps.
        if self.gaps.len() > timestamps_ms.len() / 16 + 1 {
            self.gaps.clear();
            self.ungapped.clear();
            self.ungapped.extend_from_slice(timestamps_ms);
        }
    }
}

/// The interval between most samples, 0 if there is none to speak of.
fn interval(timestamps_ms: &[i64]) -> u64 {
    if timestamps_ms.len() < 4 {
        return 0;
    }
    let mut probes = [0u64; PROBES];
    let stride = timestamps_ms.len().div_ceil(PROBES);
    let mut taken = 0;
    for (probe, [before, time]) in probes.iter_mut().zip(timestamps_ms.array_windows().step_by(stride)) {
        *probe = time.wrapping_sub(*before) as u64;
        taken += 1;
    }
    let sorted = probes.get_mut(..taken).unwrap_or_default();
    sorted.sort_unstable();
    let middle = sorted.get(taken / 2).copied().unwrap_or(0);
    if middle > u64::MAX / 4 { 0 } else { middle }
}

/// Reads columns of timestamps.
#[derive(Debug, Default)]
pub(super) struct TimeDecoder {
    gaps: Vec<(usize, u64)>,
    ints: IntDecoder,
}

impl TimeDecoder {
    /// Replaces `out` by the timestamps; on an error it holds anything.
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<i64>,
    ) -> Result<(), ChunkError> {
        let mut cursor = Cursor::new(bytes);
        let first = cursor.u8()?;
        let (shape, gapped) = read_shape(first, &mut cursor)?;
        if first & 7 != 0 || shape.paged {
            return Err(ChunkError::UnknownEncoding(first));
        }
        self.gaps.clear();
        if gapped {
            self.read_gaps(&mut cursor, count)?;
        }
        let body = Body::read(cursor, shape, count)?;
        self.ints.decode(&body, |_| true, out)?;
        let mut from = 0;
        let mut moved = 0u64;
        for (at, len) in self.gaps.iter().copied().chain([(count, 0)]) {
            let part = out.get_mut(from..at).ok_or(ChunkError::Corrupt)?;
            if moved != 0 {
                part.iter_mut().for_each(|time| *time = time.wrapping_add(moved as i64));
            }
            from = at;
            moved = moved.wrapping_add(len);
        }
        let ascending = out.array_windows().fold(true, |all, [before, time]| all & (before < time));
        if !ascending {
            return Err(ChunkError::Unordered);
        }
        Ok(())
    }

    fn read_gaps(&mut self, cursor: &mut Cursor<'_>, count: usize) -> Result<(), ChunkError> {
        let told = cursor.uvarint()?;
        let mut next = 0u64;
        // Each gap is before a sample of its own, so there are never more than `count`.
        for _ in 0..told {
            let at = next.saturating_add(cursor.uvarint()?);
            if at >= count as u64 {
                return Err(ChunkError::Corrupt);
            }
            self.gaps.push((at as usize, cursor.uvarint()?));
            next = at + 1;
        }
        Ok(())
    }
}

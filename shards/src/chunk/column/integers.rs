//! Columns of integers that are neither values nor timestamps: counts of buckets, say.
//!
//! As a column of values of scale 0 without exceptions or pages; all integers alike are told as
//! one value is. See [`super::values`].

use super::Effort;
use super::ints::{Body, IntDecoder, IntEncoder};
use super::values::{CONSTANT, SMALL, SMALL_MAX, read_shape, write_shape};
use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::varint::put_varint;

/// First byte of one integer as varint.
const ONE: u8 = CONSTANT | 3 << 3;

/// Writes columns of integers.
#[derive(Debug, Default)]
pub(super) struct IntegerEncoder {
    ints: IntEncoder,
}

impl IntegerEncoder {
    pub(super) fn encode(&mut self, integers: &[i64], effort: Effort, out: &mut Vec<u8>) {
        let Some(first) = integers.first().copied() else { return };
        if integers.iter().all(|integer| *integer == first) {
            if (0..=SMALL_MAX).contains(&first) {
                return out.push(SMALL | (first as u8) << 3);
            }
            out.push(ONE);
            return put_varint(out, first);
        }
        let plan = self.ints.plan(integers, false, effort);
        write_shape(0, plan.shape, false, out);
        self.ints.write(&plan, &[], out);
    }
}

/// Reads columns of integers.
#[derive(Debug, Default)]
pub(super) struct IntegerDecoder {
    ints: IntDecoder,
    integers: Vec<i64>,
}

impl IntegerDecoder {
    pub(super) fn decode(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<i64>,
    ) -> Result<(), ChunkError> {
        let mut cursor = Cursor::new(bytes);
        let first = cursor.u8()?;
        if first & 7 == SMALL || first == ONE {
            let integer = if first == ONE { cursor.varint()? } else { i64::from(first >> 3) };
            if !cursor.is_empty() {
                return Err(ChunkError::Surplus);
            }
            out.resize(out.len() + count, integer);
            return Ok(());
        }
        let (shape, odd) = read_shape(first, &mut cursor)?;
        if first & 7 != 0 || odd || shape.paged {
            return Err(ChunkError::UnknownEncoding(first));
        }
        let body = Body::read(cursor, shape, count)?;
        self.ints.decode(&body, |_| true, &mut self.integers)?;
        out.extend_from_slice(&self.integers);
        Ok(())
    }
}

//! A page of series: the symbols of their labels, coded against the series before, and their entries.

#![deny(clippy::indexing_slicing)]

use super::format::PAGE_SERIES;
use crate::codec::crc::{seal, unsealed};
use crate::codec::varint::{put_uvarint, put_varint};
use crate::codec::{Cursor, Truncated};
use crate::limits::LABELS_MAX;

/// A page that is being filled.
#[derive(Debug, Default)]
pub(super) struct PageBuilder {
    bytes: Vec<u8>,
    before: Vec<u32>,
    series: u32,
}

impl PageBuilder {
    pub(super) fn push(&mut self, symbols: &[u32], entry: &[u8]) {
        put_uvarint(&mut self.bytes, symbols.len() as u64);
        for (group, symbols) in symbols.chunks(8).enumerate() {
            let mut mask = 0;
            for (bit, symbol) in symbols.iter().enumerate() {
                mask |= u8::from(self.before.get(group * 8 + bit) == Some(symbol)) << bit;
            }
            self.bytes.push(mask);
        }
        for (place, symbol) in symbols.iter().enumerate() {
            let before = self.before.get(place).copied();
            if before != Some(*symbol) {
                put_varint(&mut self.bytes, i64::from(*symbol) - i64::from(before.unwrap_or(0)));
            }
        }
        put_uvarint(&mut self.bytes, entry.len() as u64);
        self.bytes.extend_from_slice(entry);
        self.before.clear();
        self.before.extend_from_slice(symbols);
        self.series += 1;
    }

    pub(super) const fn is_full(&self) -> bool {
        self.series >= PAGE_SERIES
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.series == 0
    }

    /// Hands the bytes of the page to `put` and begins the next page.
    pub(super) fn finish<R>(&mut self, put: impl FnOnce(&[u8]) -> R) -> R {
        seal(&mut self.bytes);
        let result = put(&self.bytes);
        self.bytes.clear();
        self.before.clear();
        self.series = 0;
        result
    }
}

/// Symbols and entry of a series.
pub(super) type PageSeries<'a> = (&'a [u32], &'a [u8]);

/// Reads a page series by series.
#[derive(Debug, Default)]
pub(super) struct PageReader {
    position: usize,
    symbols: Vec<u32>,
}

impl PageReader {
    /// The checked bytes of a page, from its bytes with checksum.
    pub(super) fn payload(bytes: &[u8]) -> Option<&[u8]> {
        unsealed(bytes)
    }

    /// Starts at the beginning of a page.
    pub(super) fn rewind(&mut self) {
        self.position = 0;
        self.symbols.clear();
    }

    /// Symbols and entry of the next series of a payload; `None` at its end.
    pub(super) fn next<'a>(&'a mut self, payload: &'a [u8]) -> Result<Option<PageSeries<'a>>, Truncated> {
        let rest = payload.get(self.position..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let mut cursor = Cursor::new(rest);
        let bad = Truncated { offset: self.position };
        let count = usize::try_from(cursor.uvarint()?).map_err(|_| bad)?;
        if count == 0 || count > LABELS_MAX {
            return Err(bad);
        }
        let masks = cursor.take(count.div_ceil(8))?;
        let known = self.symbols.len();
        self.symbols.resize(count, 0);
        for (place, symbol) in self.symbols.iter_mut().enumerate() {
            let same = masks.get(place / 8).is_some_and(|mask| mask >> (place % 8) & 1 == 1);
            if same {
                if place >= known {
                    return Err(bad);
                }
                continue;
            }
            let moved = i64::from(*symbol).checked_add(cursor.varint()?).ok_or(bad)?;
            *symbol = u32::try_from(moved).map_err(|_| bad)?;
        }
        let entry = cursor.length_prefixed()?;
        self.position += cursor.position();
        Ok(Some((&self.symbols, entry)))
    }
}

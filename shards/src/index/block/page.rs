//! A page of series: their labels, coded against the series before, and their entries.

#![deny(clippy::indexing_slicing)]

use super::format::{PAGE_SERIES, seal, unsealed};
use crate::codec::varint::put_uvarint;
use crate::codec::{Cursor, Truncated};
use crate::limits::LABELS_BYTES_MAX;

/// A page that is being filled.
#[derive(Debug, Default)]
pub(super) struct PageBuilder {
    bytes: Vec<u8>,
    before: Vec<u8>,
    series: u32,
}

impl PageBuilder {
    pub(super) fn push(&mut self, labels: &[u8], entry: &[u8]) {
        let prefix = self.before.iter().zip(labels).take_while(|(left, right)| left == right).count();
        let rest = self.before.len().min(labels.len()) - prefix;
        let back = self.before.iter().rev().zip(labels.iter().rev()).take(rest);
        let suffix = back.take_while(|(left, right)| left == right).count();
        let middle = labels.get(prefix..labels.len() - suffix).unwrap_or_default();
        put_uvarint(&mut self.bytes, prefix as u64);
        put_uvarint(&mut self.bytes, suffix as u64);
        put_uvarint(&mut self.bytes, middle.len() as u64);
        self.bytes.extend_from_slice(middle);
        put_uvarint(&mut self.bytes, entry.len() as u64);
        self.bytes.extend_from_slice(entry);
        self.before.clear();
        self.before.extend_from_slice(labels);
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

/// Labels and entry of a series.
pub(super) type PageSeries<'a> = (&'a [u8], &'a [u8]);

/// Reads a page series by series.
#[derive(Debug, Default)]
pub(super) struct PageReader {
    position: usize,
    labels: Vec<u8>,
    scratch: Vec<u8>,
}

impl PageReader {
    /// The checked bytes of a page, from its bytes with checksum.
    pub(super) fn payload(bytes: &[u8]) -> Option<&[u8]> {
        unsealed(bytes)
    }

    /// Starts at the beginning of a page.
    pub(super) fn rewind(&mut self) {
        self.position = 0;
        self.labels.clear();
    }

    /// Labels and entry of the next series of a payload; `None` at its end.
    pub(super) fn next<'a>(&'a mut self, payload: &'a [u8]) -> Result<Option<PageSeries<'a>>, Truncated> {
        let rest = payload.get(self.position..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let mut cursor = Cursor::new(rest);
        let bad = Truncated { offset: self.position };
        let prefix = usize::try_from(cursor.uvarint()?).map_err(|_| bad)?;
        let suffix = usize::try_from(cursor.uvarint()?).map_err(|_| bad)?;
        let middle = cursor.length_prefixed()?;
        let shared = prefix.checked_add(suffix).filter(|shared| *shared <= self.labels.len()).ok_or(bad)?;
        if shared + middle.len() > LABELS_BYTES_MAX {
            return Err(bad);
        }
        let entry = cursor.length_prefixed()?;
        self.scratch.clear();
        let tail = self.labels.len() - suffix;
        self.scratch.extend_from_slice(self.labels.get(tail..).unwrap_or_default());
        self.labels.truncate(prefix);
        self.labels.extend_from_slice(middle);
        self.labels.extend_from_slice(&self.scratch);
        self.position += cursor.position();
        Ok(Some((&self.labels, entry)))
    }
}

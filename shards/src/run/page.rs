//! A page of the directory of a run: up to 64 series with their entries.

#![deny(clippy::indexing_slicing)]

use crate::codec::varint::{put_uvarint, put_varint};
use crate::codec::{Cursor, Truncated};
use crate::model::SeriesRef;

use super::PAGE_SERIES;

/// Appends a page of these series and the lengths of their entries, which lie in `entries`.
pub(super) fn put_page(out: &mut Vec<u8>, series: &[(SeriesRef, usize)], entries: &[u8]) {
    put_uvarint(out, series.len() as u64);
    let mut before = 0i64;
    let mut rest = entries;
    for (number, len) in series {
        put_varint(out, i64::from(number.0) - before);
        put_uvarint(out, *len as u64);
        let (entry, behind) = rest.split_at_checked(*len).unwrap_or((rest, &[]));
        out.extend_from_slice(entry);
        rest = behind;
        before = i64::from(number.0);
    }
}

/// A page that was read: its series in label order.
#[derive(Debug, Default)]
pub struct RunPage {
    /// Number of the series, and where its entry lies.
    series: Vec<(SeriesRef, std::ops::Range<usize>)>,
}

impl RunPage {
    /// Replaces the content by that of other bytes, without their checksum.
    pub fn refill(&mut self, bytes: &[u8]) -> Result<(), Truncated> {
        self.series.clear();
        let mut cursor = Cursor::new(bytes);
        let count = cursor.uvarint()?;
        if count == 0 || count > PAGE_SERIES as u64 {
            return Err(Truncated { offset: 0 });
        }
        let mut before = 0i64;
        for _ in 0..count {
            let bad = Truncated { offset: cursor.position() };
            before = before.checked_add(cursor.varint()?).ok_or(bad)?;
            let number = u32::try_from(before).map_err(|_| bad)?;
            let len = usize::try_from(cursor.uvarint()?).map_err(|_| bad)?;
            let start = cursor.position();
            cursor.take(len)?;
            self.series.push((SeriesRef(number), start..start + len));
        }
        if cursor.is_empty() { Ok(()) } else { Err(Truncated { offset: cursor.position() }) }
    }

    /// Series with the entries that lie in the bytes of the page.
    pub fn entries<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = (SeriesRef, &'a [u8])> {
        self.series.iter().map(|(series, at)| (*series, bytes.get(at.clone()).unwrap_or_default()))
    }
}

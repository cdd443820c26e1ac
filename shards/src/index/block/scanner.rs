//! Reading the series of an index from one end to the other.

use std::path::{Path, PathBuf};

use super::format::{PIECE_LEN_MAX, PageOffsets, TRAILER_LEN, Trailer, read_pages};
use super::page::PageReader;
use super::symbols::{checked_page, page_len, page_of, symbol_at};
use hashbrown::HashMap;

use super::{BulkRead, ScannedSeries};
use crate::error::{Error, Result};

/// Pages of symbols that are kept at hand.
const SYMBOL_PAGES_MAX: usize = 2048;

/// The series of an index in label order.
pub struct IndexScanner<R: BulkRead> {
    reader: R,
    path: PathBuf,
    series: u32,
    ordinal: u32,
    page_offsets: PageOffsets,
    symbols: u32,
    symbol_offsets: PageOffsets,
    symbol_pages: HashMap<u32, Vec<u8>>,
    labels: Vec<u8>,
    next_page: usize,
    page: Vec<u8>,
    pages: PageReader,
}

impl<R: BulkRead> IndexScanner<R> {
    /// Opens the index in a file of `len` bytes; `path` is for messages.
    pub fn open(mut reader: R, path: &Path, len: u64) -> Result<Self> {
        let corrupt = |offset, what| Error::Corrupt { path: path.to_path_buf(), offset, what };
        let trailer_at =
            len.checked_sub(TRAILER_LEN as u64).ok_or_else(|| corrupt(0, "the index is too short"))?;
        let trailer = Trailer::decode(&reader.read(trailer_at, TRAILER_LEN)?, len)
            .ok_or_else(|| corrupt(trailer_at, "the trailer of the index is damaged"))?;
        if trailer.pages_len() > PIECE_LEN_MAX {
            return Err(corrupt(trailer_at, "the index tells of a part that is too large"));
        }
        let pages = reader.read(trailer.pages_at, trailer.pages_len() as usize)?;
        let (page_offsets, symbol_offsets) = read_pages(&pages, &trailer)
            .ok_or_else(|| corrupt(trailer.pages_at, "the table of pages is damaged"))?;
        Ok(Self {
            reader,
            path: path.to_path_buf(),
            series: trailer.series,
            ordinal: 0,
            page_offsets,
            symbols: trailer.symbols,
            symbol_offsets,
            symbol_pages: HashMap::new(),
            labels: Vec::new(),
            next_page: 0,
            page: Vec::new(),
            pages: PageReader::default(),
        })
    }

    /// Ordinal, labels and entry of the next series.
    #[expect(clippy::should_implement_trait, reason = "what it gives is borrowed from it")]
    pub fn next(&mut self) -> Result<Option<ScannedSeries<'_>>> {
        if self.ordinal == self.series {
            return Ok(None);
        }
        if self.ordinal.is_multiple_of(super::format::PAGE_SERIES) {
            let bounds = self.page_offsets.get(self.next_page).zip(self.page_offsets.get(self.next_page + 1));
            let Some((offset, end)) = bounds else { return Ok(None) };
            self.page = self.reader.read(*offset, (end - offset) as usize)?;
            self.next_page += 1;
            let payload = PageReader::payload(&self.page).map(<[u8]>::len).ok_or_else(|| Error::Corrupt {
                path: self.path.clone(),
                offset: *offset,
                what: "a page of series is damaged",
            })?;
            self.page.truncate(payload);
            self.pages.rewind();
        }
        let unreadable = || Error::Corrupt {
            path: self.path.clone(),
            offset: self.page_offsets.get(self.next_page.saturating_sub(1)).copied().unwrap_or(0),
            what: "a page of series cannot be read",
        };
        let ordinal = self.ordinal;
        self.ordinal += 1;
        let (symbols, entry) =
            self.pages.next(&self.page).map_err(|_| unreadable())?.ok_or_else(unreadable)?;
        self.labels.clear();
        for symbol in symbols {
            let page = page_of(*symbol);
            let count = page_len(page, self.symbols);
            if !self.symbol_pages.contains_key(&page) {
                let bounds =
                    self.symbol_offsets.get(page as usize).zip(self.symbol_offsets.get(page as usize + 1));
                let (offset, end) = bounds.ok_or_else(unreadable)?;
                let mut bytes = self.reader.read(*offset, (end - offset) as usize)?;
                let payload = checked_page(&bytes, count).map(<[u8]>::len).ok_or_else(|| Error::Corrupt {
                    path: self.path.clone(),
                    offset: *offset,
                    what: "a page of labels is damaged",
                })?;
                bytes.truncate(payload);
                if self.symbol_pages.len() >= SYMBOL_PAGES_MAX {
                    self.symbol_pages.clear();
                }
                self.symbol_pages.insert(page, bytes);
            }
            let bytes = self.symbol_pages.get(&page).ok_or_else(unreadable)?;
            self.labels.extend_from_slice(symbol_at(bytes, count, *symbol).ok_or_else(unreadable)?);
        }
        Ok(Some((ordinal, &self.labels, entry)))
    }

    /// The reader, for other parts of the file.
    pub(super) fn into_reader(self) -> R {
        self.reader
    }
}

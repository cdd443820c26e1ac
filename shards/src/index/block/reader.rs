//! An open index: its top in memory, all else read as it is needed.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::format::{
    NameEntry, PAGE_SERIES, PIECE_LEN_MAX, PageOffsets, Place, TRAILER_LEN, Trailer, read_pages, read_top,
};
use super::list::read_list;
use super::page::PageReader;
use super::symbols::{checked_page, page_len, page_of, symbol_at};
use super::{PageSource, SeriesVisitor};
use crate::error::{Error, Result};

/// Pages of symbols that a walk over series keeps at hand.
const SYMBOL_PAGES_MAX: usize = 256;

/// See the module's text.
pub struct BlockIndex<S: PageSource> {
    source: S,
    path: PathBuf,
    series: u32,
    pub(super) names: Vec<NameEntry>,
    page_offsets: PageOffsets,
    symbols: u32,
    symbol_offsets: PageOffsets,
    /// Behind the lists and dictionaries.
    top_at: u64,
}

impl<S: PageSource> BlockIndex<S> {
    /// Opens the index in a file of `len` bytes; `path` is for messages.
    pub async fn open(source: S, path: &Path, len: u64) -> Result<Self> {
        let corrupt = |offset, what| Error::Corrupt { path: path.to_path_buf(), offset, what };
        let trailer_at =
            len.checked_sub(TRAILER_LEN as u64).ok_or_else(|| corrupt(0, "the index is too short"))?;
        let trailer = source.read(trailer_at, TRAILER_LEN).await?;
        let trailer = Trailer::decode(&trailer, len)
            .ok_or_else(|| corrupt(trailer_at, "the trailer of the index is damaged"))?;
        if trailer.top_len() > PIECE_LEN_MAX || trailer.pages_len() > PIECE_LEN_MAX {
            return Err(corrupt(trailer_at, "the index tells of a part that is too large"));
        }
        let top = source.read(trailer.top_at, trailer.top_len() as usize).await?;
        let names = read_top(&top, trailer.top_at)
            .ok_or_else(|| corrupt(trailer.top_at, "the label names of the index are damaged"))?;
        let pages = source.read(trailer.pages_at, trailer.pages_len() as usize).await?;
        let (page_offsets, symbol_offsets) = read_pages(&pages, &trailer)
            .ok_or_else(|| corrupt(trailer.pages_at, "the table of pages is damaged"))?;
        Ok(Self {
            source,
            path: path.to_path_buf(),
            series: trailer.series,
            names,
            page_offsets,
            symbols: trailer.symbols,
            symbol_offsets,
            top_at: trailer.top_at,
        })
    }

    #[must_use]
    pub const fn series_count(&self) -> u32 {
        self.series
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let names = self.names.iter().map(|name| {
            let dictionaries = name.dictionaries.iter().map(|one| one.first.capacity() + size_of_val(one));
            name.name.capacity() + size_of_val(name) + dictionaries.sum::<usize>()
        });
        names.sum::<usize>()
            + (self.page_offsets.capacity() + self.symbol_offsets.capacity()) * size_of::<u64>()
    }

    pub(super) fn corrupt(&self, offset: u64, what: &'static str) -> Error {
        Error::Corrupt { path: self.path.clone(), offset, what }
    }

    pub(super) async fn piece(&self, offset: u64, len: usize) -> Result<Rc<[u8]>> {
        self.source.read(offset, len).await
    }

    /// Labels and entry of one series.
    pub async fn series(&self, ordinal: u32, labels: &mut Vec<u8>, entry: &mut Vec<u8>) -> Result<()> {
        let mut wanted = RoaringBitmap::new();
        wanted.insert(ordinal);
        let mut found = false;
        self.for_each(&wanted, &mut |_, label_bytes, entry_bytes| {
            labels.clear();
            labels.extend_from_slice(label_bytes);
            entry.clear();
            entry.extend_from_slice(entry_bytes);
            found = true;
            Ok(())
        })
        .await?;
        if found { Ok(()) } else { Err(self.corrupt(0, "there is no series of this number")) }
    }

    /// Hands over series with their labels and entries, in order.
    pub async fn for_each(&self, ordinals: &RoaringBitmap, put: &mut SeriesVisitor<'_>) -> Result<()> {
        let mut reader = PageReader::default();
        let mut wanted = ordinals.iter().take_while(|ordinal| *ordinal < self.series).peekable();
        let mut symbol_pages: HashMap<u32, Rc<[u8]>> = HashMap::new();
        let mut labels = Vec::new();
        while let Some(first) = wanted.peek().copied() {
            let page = first / PAGE_SERIES;
            let bounds = self.page_offsets.get(page as usize).zip(self.page_offsets.get(page as usize + 1));
            let Some((offset, end)) = bounds else { return Ok(()) };
            let bytes = self.piece(*offset, (end - offset) as usize).await?;
            let unreadable = || self.corrupt(*offset, "a page of series cannot be read");
            let payload = PageReader::payload(&bytes)
                .ok_or_else(|| self.corrupt(*offset, "a page of series is damaged"))?;
            reader.rewind();
            let mut at = page * PAGE_SERIES;
            while let Some(next) = wanted.next_if(|next| next / PAGE_SERIES == page) {
                let (symbols, entry) = loop {
                    let series = reader.next(payload).map_err(|_| unreadable())?;
                    let last = at == next;
                    if last {
                        break series.ok_or_else(unreadable)?;
                    }
                    series.ok_or_else(unreadable)?;
                    at += 1;
                };
                at += 1;
                labels.clear();
                for symbol in symbols {
                    let page = page_of(*symbol);
                    let bytes = match symbol_pages.get(&page) {
                        Some(bytes) => Rc::clone(bytes),
                        None => {
                            if symbol_pages.len() >= SYMBOL_PAGES_MAX {
                                symbol_pages.clear();
                            }
                            let bytes = self.symbol_page(page).await?;
                            symbol_pages.insert(page, Rc::clone(&bytes));
                            bytes
                        }
                    };
                    let count = page_len(page, self.symbols);
                    labels.extend_from_slice(symbol_at(&bytes, count, *symbol).ok_or_else(unreadable)?);
                }
                put(next, &labels, entry)?;
            }
        }
        Ok(())
    }

    /// The payload of a page of symbols.
    async fn symbol_page(&self, page: u32) -> Result<Rc<[u8]>> {
        let bounds = self.symbol_offsets.get(page as usize).zip(self.symbol_offsets.get(page as usize + 1));
        let (offset, end) = bounds.ok_or_else(|| self.corrupt(0, "a label is not in the index"))?;
        let bytes = self.piece(*offset, (end - offset) as usize).await?;
        let payload = checked_page(&bytes, page_len(page, self.symbols))
            .ok_or_else(|| self.corrupt(*offset, "a page of labels is damaged"))?;
        Ok(Rc::from(payload))
    }

    /// The series at a place.
    pub(super) async fn list(&self, place: u64) -> Result<RoaringBitmap> {
        let bad = |offset| self.corrupt(offset, "a list of series is damaged");
        match Place::decode(place, self.series, self.top_at).ok_or_else(|| bad(0))? {
            Place::Only(ordinal) => Ok(RoaringBitmap::from_iter([ordinal])),
            Place::List { offset, len } => {
                let bytes = self.piece(offset, len).await?;
                read_list(&bytes, self.series).ok_or_else(|| bad(offset))
            }
        }
    }
}

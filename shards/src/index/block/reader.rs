//! An open index: its top in memory, all else read as it is needed.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use roaring::RoaringBitmap;

use super::format::{
    NameEntry, PAGE_SERIES, PIECE_LEN_MAX, Place, TRAILER_LEN, Trailer, read_pages, read_top,
};
use super::list::read_list;
use super::page::PageReader;
use super::{PageSource, SeriesVisitor};
use crate::error::{Error, Result};

/// See the module's text.
pub struct BlockIndex<S: PageSource> {
    source: S,
    path: PathBuf,
    series: u32,
    pub(super) names: Vec<NameEntry>,
    page_offsets: Vec<u64>,
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
        let page_offsets = read_pages(&pages, trailer.series, trailer.top_at)
            .ok_or_else(|| corrupt(trailer.pages_at, "the table of series pages is damaged"))?;
        let path = path.to_path_buf();
        Ok(Self { source, path, series: trailer.series, names, page_offsets, top_at: trailer.top_at })
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
        names.sum::<usize>() + self.page_offsets.capacity() * size_of::<u64>()
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
        while let Some(first) = wanted.peek().copied() {
            let page = first / PAGE_SERIES;
            let bounds = self.page_offsets.get(page as usize).zip(self.page_offsets.get(page as usize + 1));
            let Some((offset, end)) = bounds else { return Ok(()) };
            let bytes = self.piece(*offset, (end - offset) as usize).await?;
            let payload = PageReader::payload(&bytes)
                .ok_or_else(|| self.corrupt(*offset, "a page of series is damaged"))?;
            reader.rewind();
            let mut at = page * PAGE_SERIES;
            while let Some(next) = wanted.next_if(|next| next / PAGE_SERIES == page) {
                loop {
                    let unreadable = || self.corrupt(*offset, "a page of series cannot be read");
                    let series = reader.next(payload).map_err(|_| unreadable())?;
                    let (labels, entry) = series.ok_or_else(unreadable)?;
                    at += 1;
                    if at > next {
                        put(next, labels, entry)?;
                        break;
                    }
                }
            }
        }
        Ok(())
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

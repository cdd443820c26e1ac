//! Writing an index in one pass over the series. Held in memory until the end: the distinct labels
//! with their lists, not the series.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::Sink;
use super::dictionary::DictionaryBuilder;
use super::format::{DictionaryEntry, HEADER_LEN, LENGTH_BITS, NameEntry, Place, Trailer, header, put_top};
use super::list::ListBuilder;
use super::page::PageBuilder;
use super::symbols::{PAGE_SYMBOLS, encode_page};
use crate::codec::Cursor;
use crate::codec::crc::seal;
use crate::codec::varint::put_uvarint;
use crate::error::{Error, Result};
use crate::model::label::next_label;

/// A label, by its canonical bytes in the arena, and the series that have it.
struct LabelEntry {
    at: usize,
    len: u32,
    name_entry: u32,
    list: ListBuilder,
}

/// A name, the series that have it, and its values with theirs.
pub(super) type SortedName = (String, ListBuilder, Vec<(String, ListBuilder)>);

/// Distinct labels with their lists.
#[derive(Default)]
pub(super) struct LabelLists {
    arena: Vec<u8>,
    entries: Vec<LabelEntry>,
    names: Vec<(String, ListBuilder)>,
    table: HashTable<u32>,
    hasher: ahash::RandomState,
    /// Labels of the series before: range of their bytes and entry.
    before: Vec<(usize, usize, u32)>,
    before_bytes: Vec<u8>,
    symbols: Vec<u32>,
}

impl LabelLists {
    /// Adds the labels of a series, which comes behind all others.
    pub(super) fn add(&mut self, ordinal: u32, labels: &[u8]) -> std::result::Result<(), &'static str> {
        let mut cursor = Cursor::new(labels);
        let before = std::mem::take(&mut self.before);
        let mut now = Vec::with_capacity(before.len() + 2);
        let mut old = before.iter();
        while !cursor.is_empty() {
            let start = cursor.position();
            let Some((name, _)) = next_label(&mut cursor) else { return Err("labels are not canonical") };
            let end = cursor.position();
            let bytes = labels.get(start..end).unwrap_or_default();
            // Neighbours share most labels, in the same places.
            let same = old.next().filter(|(from, to, _)| self.before_bytes.get(*from..*to) == Some(bytes));
            let entry = match same {
                Some((_, _, entry)) => *entry,
                None => self.intern(bytes, name),
            };
            let Some(label) = self.entries.get_mut(entry as usize) else { continue };
            label.list.push(ordinal);
            let name_entry = label.name_entry;
            if let Some((_, list)) = self.names.get_mut(name_entry as usize) {
                list.push(ordinal);
            }
            now.push((start, end, entry));
        }
        self.symbols.clear();
        self.symbols.extend(now.iter().map(|(_, _, symbol)| *symbol));
        self.before = now;
        self.before_bytes.clear();
        self.before_bytes.extend_from_slice(labels);
        Ok(())
    }

    fn intern(&mut self, bytes: &[u8], name: &str) -> u32 {
        let hash = self.hasher.hash_one(bytes);
        let (arena, entries, hasher) = (&self.arena, &self.entries, &self.hasher);
        let text = |index: u32| {
            let entry = entries.get(index as usize);
            entry.and_then(|entry| arena.get(entry.at..entry.at + entry.len as usize)).unwrap_or_default()
        };
        let next = self.entries.len() as u32;
        match self.table.entry(hash, |index| text(*index) == bytes, |index| hasher.hash_one(text(*index))) {
            Entry::Occupied(entry) => return *entry.get(),
            Entry::Vacant(entry) => {
                entry.insert(next);
            }
        }
        // There are few names.
        let name_entry = self.names.iter().position(|(other, _)| other == name).unwrap_or_else(|| {
            self.names.push((name.to_owned(), ListBuilder::default()));
            self.names.len() - 1
        });
        let (at, len) = (self.arena.len(), bytes.len() as u32);
        self.arena.extend_from_slice(bytes);
        let list = ListBuilder::default();
        self.entries.push(LabelEntry { at, len, name_entry: name_entry as u32, list });
        next
    }

    /// Symbols of the labels of the series that was added last.
    pub(super) fn symbols(&self) -> &[u32] {
        &self.symbols
    }

    /// The labels by their symbols.
    pub(super) fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let text = |entry: &LabelEntry| self.arena.get(entry.at..entry.at + entry.len as usize);
        self.entries.iter().map(move |entry| text(entry).unwrap_or_default())
    }

    /// Takes everything out, sorted: per name its list, and per value its list.
    pub(super) fn into_sorted(self) -> Vec<SortedName> {
        let Self { arena, entries, names, .. } = self;
        let mut sorted: Vec<_> = names.into_iter().map(|(name, list)| (name, list, Vec::new())).collect();
        for entry in entries {
            let bytes = arena.get(entry.at..entry.at + entry.len as usize).unwrap_or_default();
            let Some((_, value)) = next_label(&mut Cursor::new(bytes)) else { continue };
            if let Some((_, _, values)) = sorted.get_mut(entry.name_entry as usize) {
                values.push((value.to_owned(), entry.list));
            }
        }
        sorted.sort_by(|left, right| left.0.cmp(&right.0));
        for (_, _, values) in &mut sorted {
            values.sort_by(|left, right| left.0.cmp(&right.0));
        }
        sorted
    }
}

/// Writes an index; the series come in label order.
pub struct IndexWriter<W: Sink> {
    sink: W,
    position: u64,
    page: PageBuilder,
    page_lens: Vec<u32>,
    series: u32,
    labels: LabelLists,
    before: Vec<u8>,
    begun: bool,
}

fn misuse(what: &str) -> Error {
    Error::Executor { reason: format!("a block index cannot be written: {what}") }
}

impl<W: Sink> IndexWriter<W> {
    #[must_use]
    pub fn new(sink: W) -> Self {
        Self {
            sink,
            position: 0,
            page: PageBuilder::default(),
            page_lens: Vec::new(),
            series: 0,
            labels: LabelLists::default(),
            before: Vec::new(),
            begun: false,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.position += bytes.len() as u64;
        self.sink.write(bytes)
    }

    fn begin(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.begun, true) {
            self.put(&header())?;
        }
        Ok(())
    }

    /// Adds a series whose canonical label bytes are greater than those before.
    pub fn add(&mut self, labels: &[u8], entry: &[u8]) -> Result<()> {
        self.begin()?;
        if self.series > 0 && self.before.as_slice() >= labels {
            return Err(misuse("series are not in label order"));
        }
        self.before.clear();
        self.before.extend_from_slice(labels);
        self.labels.add(self.series, labels).map_err(misuse)?;
        self.page.push(self.labels.symbols(), entry);
        self.series = self.series.checked_add(1).ok_or_else(|| misuse("there are too many series"))?;
        if self.page.is_full() { self.end_page() } else { Ok(()) }
    }

    fn end_page(&mut self) -> Result<()> {
        let sink = &mut self.sink;
        let len = self.page.finish(|bytes| sink.write(bytes).map(|()| bytes.len()))?;
        self.position += len as u64;
        self.page_lens.push(u32::try_from(len).map_err(|_| misuse("a page is too large"))?);
        Ok(())
    }

    /// Writes the rest. Gives the sink back, the length of the file and the number of series.
    pub fn finish(mut self) -> Result<(W, u64, u32)> {
        self.begin()?;
        if !self.page.is_empty() {
            self.end_page()?;
        }
        let labels = std::mem::take(&mut self.labels);
        let all: Vec<&[u8]> = labels.labels().collect();
        let symbols = u32::try_from(all.len()).map_err(|_| misuse("there are too many labels"))?;
        let mut symbol_lens = Vec::new();
        for page in all.chunks(PAGE_SYMBOLS as usize) {
            let bytes = encode_page(page.iter().copied());
            symbol_lens.push(bytes.len() as u64);
            self.put(&bytes)?;
        }
        drop(all);
        let labels = labels.into_sorted();
        let mut names = Vec::with_capacity(labels.len());
        for (name, list, values) in labels {
            let place = self.list(list)?;
            let mut entry = NameEntry { name, values: values.len() as u64, place, dictionaries: Vec::new() };
            let mut first = String::new();
            let mut builder = DictionaryBuilder::new();
            for (value, list) in values {
                let place = self.list(list)?;
                if builder.is_full() {
                    let full = std::mem::replace(&mut builder, DictionaryBuilder::new());
                    entry.dictionaries.push(self.dictionary(std::mem::take(&mut first), full)?);
                }
                if builder.values() == 0 {
                    first.clone_from(&value);
                }
                if !builder.push(&value, place) {
                    return Err(misuse("values are not sorted"));
                }
            }
            entry.dictionaries.push(self.dictionary(first, builder)?);
            names.push(entry);
        }
        let top_at = self.position;
        let mut top = Vec::new();
        put_top(&mut top, &names);
        self.put(&top)?;
        let pages_at = self.position;
        let mut pages = Vec::new();
        self.page_lens.iter().for_each(|len| put_uvarint(&mut pages, u64::from(*len)));
        symbol_lens.iter().for_each(|len| put_uvarint(&mut pages, *len));
        seal(&mut pages);
        self.put(&pages)?;
        let file_len = self.position + super::format::TRAILER_LEN as u64;
        self.put(&Trailer { series: self.series, top_at, pages_at, file_len, symbols }.encode())?;
        debug_assert!(self.position >= HEADER_LEN as u64);
        Ok((self.sink, self.position, self.series))
    }

    fn list(&mut self, list: ListBuilder) -> Result<u64> {
        if let Some(ordinal) = list.only() {
            return Ok(Place::Only(ordinal).encode());
        }
        let bytes = list.finish();
        if bytes.len() >= 1 << LENGTH_BITS {
            return Err(misuse("a list is too long"));
        }
        let place = Place::List { offset: self.position, len: bytes.len() }.encode();
        self.put(&bytes)?;
        Ok(place)
    }

    fn dictionary(&mut self, first: String, builder: DictionaryBuilder) -> Result<DictionaryEntry> {
        let values = builder.values();
        let bytes = builder.finish().ok_or_else(|| misuse("a dictionary cannot be built"))?;
        let entry = DictionaryEntry { first, offset: self.position, len: bytes.len(), values };
        self.put(&bytes)?;
        Ok(entry)
    }
}

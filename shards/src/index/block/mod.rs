//! The index of a block: which series it has, with which labels, and where their chunks are.
//!
//! Series are named by their *ordinals*, their places in label order. All multi-byte numbers are
//! little-endian; every piece ends with a u32 CRC of its bytes before.
//!
//! | part         | content                                                                        |
//! |--------------|--------------------------------------------------------------------------------|
//! | header       | magic `TSDBIDX1`, u32 version 1, u32 CRC                                       |
//! | series pages | per 64 series, see [`page`]: per series uvarint number of labels; per 8 labels a byte whose bits tell which are those of the series before in the same place; per other label varint its symbol minus the one in that place before (0 if there is none); uvarint length of the entry and the entry. The first of a page has no series before |
//! | symbol pages | per 64 symbols, see [`symbols`]: u32 end of each; their canonical label bytes. Symbols are numbered as the series bring them |
//! | lists        | sorted ordinals, see [`list`]                                                  |
//! | dictionaries | per label name one or more finite-state maps (crate `fst`) from value to place: 2 x ordinal + 1 of the only series, or 2 x (offset x 2^24 + length) of a list |
//! | top          | uvarint number of names; per name, sorted: uvarint length and text, uvarint values, place of the list of its series, uvarint number of dictionaries, per dictionary uvarint length and text of its first value, uvarint offset, uvarint length, uvarint values |
//! | pages        | per series page, then per symbol page, uvarint length, CRC included            |
//! | trailer      | 48 bytes: magic `TSDBIDXT`, u32 version 1, u32 series, u64 offset of the top, u64 offset of the pages, u64 length of the file, u32 symbols, u32 CRC |

mod dictionary;
mod format;
mod list;
mod page;
mod reader;
mod scanner;
mod search;
mod symbols;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use self::reader::BlockIndex;
pub use self::scanner::IndexScanner;
pub use self::verify::{Finding, verify};
pub use self::writer::IndexWriter;

use std::future::Future;
use std::rc::Rc;

use crate::error::Result;

/// Where the bytes of an index come from. The same pieces are asked for again and again.
pub trait PageSource {
    fn read(&self, offset: u64, len: usize) -> impl Future<Output = Result<Rc<[u8]>>>;
}

/// Takes a series: ordinal, canonical label bytes, entry.
pub type SeriesVisitor<'a> = dyn FnMut(u32, &[u8], &[u8]) -> Result<()> + 'a;

/// A series as it is scanned: ordinal, canonical label bytes, entry.
pub type ScannedSeries<'a> = (u32, &'a [u8], &'a [u8]);

/// Receives the bytes of an index in order.
pub trait Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Gives the bytes of an index at any place, mostly in order.
pub trait BulkRead {
    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>>;
}

impl Sink for Vec<u8> {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}

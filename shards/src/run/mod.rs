//! Runs: what one generation of the memtable had in one window, and what was merged from such.
//!
//! A run is one file `runs/<ULID>.run`. It has no label index: its series are numbers of the series
//! table, in label order, and a query asks the registry which numbers it wants.
//!
//! | part    | content                                                                             |
//! |---------|-------------------------------------------------------------------------------------|
//! | columns | header with magic `TSDBRUN1` and columns ([`crate::part`])                          |
//! | pages   | per 64 series one page: uvarint number of series, then per series varint number minus that of the one before (first: minus 0), uvarint length of the entry, entry ([`crate::part::chunk`]); then u32 CRC |
//! | numbers | the numbers of all series as a serialized roaring bitmap; then u32 CRC              |
//! | table   | per page u32 first number, u32 length of the page with its CRC, u64 offset; then u32 CRC |
//! | meta    | JSON ([`crate::part::PartMeta`]); then u32 CRC                                      |
//! | trailer | 56 bytes: magic `TSDBRTR1`, u32 version 1, u32 pages, then for numbers, table and meta u64 offset; u64 length of the file, u32 zero, u32 CRC of the 52 bytes before |

mod head;
mod page;
mod reader;
mod scanner;
mod trailer;
mod writer;

pub use self::page::RunPage;
pub use self::reader::Run;
pub use self::scanner::RunScanner;
pub use self::writer::RunWriter;

use crate::part::PartId;

/// First bytes of a run.
pub const MAGIC: &[u8; 8] = b"TSDBRUN1";
/// Series of one page.
pub const PAGE_SERIES: usize = 64;
/// Ending of the name of a run.
pub const FILE_SUFFIX: &str = ".run";

/// Name of the file of a run.
#[must_use]
pub fn file_name(id: PartId) -> String {
    format!("{id}{FILE_SUFFIX}")
}

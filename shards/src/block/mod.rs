//! Blocks: the samples of one window with an index of their own.
//!
//! A block is a directory `blocks/<ULID>/`, published by a rename:
//!
//! | file        | content                                                                         |
//! |-------------|---------------------------------------------------------------------------------|
//! | `chunks`    | header with magic `TSDBCHK1` and columns ([`crate::part`])                      |
//! | `index`     | labels and, per series, its entry ([`crate::index::block`], [`crate::part::chunk`]) |
//! | `meta.json` | `{"crc":"<8 hex digits>","meta":<PartMeta>}` and a line feed; the CRC is that of the bytes of `<PartMeta>` |

mod reader;
mod scanner;
mod writer;

pub use self::reader::Block;
pub use self::scanner::BlockScanner;
pub use self::writer::BlockWriter;

use std::path::Path;

use crate::codec::crc::crc32c;
use crate::error::{Error, Result};
use crate::part::PartMeta;

/// First bytes of a chunks file.
pub const MAGIC: &[u8; 8] = b"TSDBCHK1";
pub const CHUNKS_FILE: &str = "chunks";
pub const INDEX_FILE: &str = "index";
pub const META_FILE: &str = "meta.json";

const META_BEFORE: &str = "{\"crc\":\"";
const META_BETWEEN: &str = "\",\"meta\":";
const META_AFTER: &str = "}\n";

fn encode_meta(meta: &PartMeta) -> Vec<u8> {
    let json = meta.encode();
    let mut bytes = format!("{META_BEFORE}{:08x}{META_BETWEEN}", crc32c(&json)).into_bytes();
    bytes.extend_from_slice(&json);
    bytes.extend_from_slice(META_AFTER.as_bytes());
    bytes
}

fn decode_meta(path: &Path, bytes: &[u8]) -> Result<PartMeta> {
    let corrupt = || Error::Corrupt { path: path.to_path_buf(), offset: 0, what: "the meta is damaged" };
    let rest = bytes.strip_prefix(META_BEFORE.as_bytes()).ok_or_else(corrupt)?;
    let (crc, rest) = rest.split_at_checked(8).ok_or_else(corrupt)?;
    let rest = rest.strip_prefix(META_BETWEEN.as_bytes()).ok_or_else(corrupt)?;
    let json = rest.strip_suffix(META_AFTER.as_bytes()).ok_or_else(corrupt)?;
    if crc != format!("{:08x}", crc32c(json)).as_bytes() {
        return Err(corrupt());
    }
    PartMeta::decode(path, json)
}

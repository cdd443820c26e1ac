//! The file of pending deletes, `deletes` in the shard's directory; written as a whole.
//!
//! | size | field   | encoding | notes                                                       |
//! |-----:|---------|----------|-------------------------------------------------------------|
//! |    8 | magic   | bytes    | `TSDBDEL1`                                                  |
//! |    4 | version | u32      | 1                                                           |
//! |    4 | crc     | u32      | of the JSON                                                 |
//! |    n | deletes | JSON     | `{"last_id":N,"deletes":[{"id":N,"sequence":N,"start_ms":N,"end_ms":N,"matchers":[["=","name","value"],..]},..]}`; `end_ms` is not deleted any more |

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::codec::Cursor;
use crate::codec::crc::crc32c;
use crate::error::{Error, Result};
use crate::model::{Delete, MatchOp, Matcher, TimeRange};

/// Name of the file.
pub const DELETES_FILE: &str = "deletes";
const MAGIC: &[u8; 8] = b"TSDBDEL1";
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Content {
    last_id: u64,
    deletes: Vec<Item>,
}

#[derive(Serialize, Deserialize)]
struct Item {
    id: u64,
    sequence: u64,
    start_ms: i64,
    end_ms: i64,
    matchers: Vec<(String, String, String)>,
}

/// The bytes of the file.
#[must_use]
pub fn encode(last_id: u64, deletes: &[Delete]) -> Vec<u8> {
    let item = |delete: &Delete| Item {
        id: delete.id,
        sequence: delete.sequence,
        start_ms: delete.range.start_ms,
        end_ms: delete.range.end_ms,
        matchers: delete.matchers.iter().map(triple).collect(),
    };
    let content = Content { last_id, deletes: deletes.iter().map(item).collect() };
    // Plain fields cannot fail.
    let json = serde_json::to_vec(&content).unwrap_or_default();
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&crc32c(&json).to_le_bytes());
    bytes.extend_from_slice(&json);
    bytes
}

fn triple(matcher: &Matcher) -> (String, String, String) {
    (matcher.op().as_str().to_owned(), matcher.name().to_owned(), matcher.value().to_owned())
}

/// Reads the file: the highest number ever given to a delete, and the pending deletes.
pub fn decode(path: &Path, bytes: &[u8]) -> Result<(u64, Vec<Delete>)> {
    let corrupt = || Error::Corrupt { path: path.to_path_buf(), offset: 0, what: "the deletes are damaged" };
    let mut cursor = Cursor::new(bytes);
    let (Ok(magic), Ok(version), Ok(crc)) = (cursor.take(8), cursor.u32_le(), cursor.u32_le()) else {
        return Err(corrupt());
    };
    let json = cursor.take(cursor.remaining()).map_err(|_| corrupt())?;
    if magic != MAGIC || version != VERSION || crc != crc32c(json) {
        return Err(corrupt());
    }
    let content: Content = serde_json::from_slice(json).map_err(|_| corrupt())?;
    let mut deletes = Vec::with_capacity(content.deletes.len());
    for item in content.deletes {
        let mut matchers = Vec::with_capacity(item.matchers.len());
        for (op, name, value) in item.matchers {
            let op = MatchOp::from_text(&op).ok_or_else(corrupt)?;
            matchers.push(Matcher::new(op, &name, &value).map_err(|_| corrupt())?);
        }
        let range = TimeRange::new(item.start_ms, item.end_ms);
        deletes.push(Delete { id: item.id, sequence: item.sequence, range, matchers });
    }
    Ok((content.last_id, deletes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletes_round_trip_and_damage_is_found() {
        let matchers = vec![
            Matcher::new(MatchOp::Equal, "a", "x\"\u{fc}").unwrap(),
            Matcher::new(MatchOp::NotRegex, "b", "y.*").unwrap(),
        ];
        let delete = Delete { id: 7, sequence: 3, range: TimeRange::new(i64::MIN, 5), matchers };
        let bytes = encode(9, &[delete]);
        let (last_id, read) = decode(Path::new("deletes"), &bytes).unwrap();
        assert_eq!((last_id, read.len()), (9, 1));
        assert_eq!(encode(9, &read), bytes);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(Path::new("deletes"), &damaged).is_err(), "bit {bit}");
        }
    }
}

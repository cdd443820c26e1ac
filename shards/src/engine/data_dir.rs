//! The top of a data directory: what is fixed when it is made.
//!
//! `tsdb.json` is written once, before anything else, and read at every start:
//!
//! | key              | type   | meaning                                                    |
//! |------------------|--------|------------------------------------------------------------|
//! | `format_version` | number | layout of the directory, 1                                 |
//! | `shards`         | number | shards, 1 to 1024; series are spread over them by their key |
//! | `key_seed`       | string | 16 hex digits: seed of the series keys                     |

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::limits::SHARDS_MAX;

const FILE_NAME: &str = "tsdb.json";
const FORMAT_VERSION: u32 = 1;

/// What a data directory was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DataDirMeta {
    pub shards: u16,
    pub key_seed: u64,
}

#[derive(Serialize, Deserialize)]
struct MetaFile {
    format_version: u32,
    shards: u32,
    key_seed: String,
}

/// Reads the directory's meta file, or makes one for `shards` shards where there is none.
///
/// A directory made with another number of shards keeps its own; the caller says so.
pub(super) fn open_or_create(directory: &Path, shards: u16) -> Result<DataDirMeta> {
    let path = directory.join(FILE_NAME);
    match fs::read(&path) {
        Ok(bytes) => parse(&path, &bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert!((1..=SHARDS_MAX).contains(&shards), "{shards} shards were checked by the caller");
            let meta = DataDirMeta { shards, key_seed: random_seed()? };
            write(directory, meta)?;
            Ok(meta)
        }
        Err(source) => Err(Error::io("read", &path, &source)),
    }
}

/// Reads the directory's meta file.
pub fn read_meta(directory: &Path) -> Result<DataDirMeta> {
    let path = directory.join(FILE_NAME);
    let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, &error))?;
    parse(&path, &bytes)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<DataDirMeta> {
    let corrupt = |what| Error::Corrupt { path: path.to_path_buf(), offset: 0, what };
    let file: MetaFile =
        serde_json::from_slice(bytes).map_err(|_| corrupt("not the JSON object of a data directory"))?;
    if file.format_version != FORMAT_VERSION {
        return Err(corrupt("written in a format that this version does not know; use a newer tsdb"));
    }
    let shards = u16::try_from(file.shards)
        .ok()
        .filter(|shards| (1..=SHARDS_MAX).contains(shards))
        .ok_or_else(|| corrupt("number of shards out of range"))?;
    let key_seed =
        u64::from_str_radix(&file.key_seed, 16).map_err(|_| corrupt("key_seed is not 16 hex digits"))?;
    Ok(DataDirMeta { shards, key_seed })
}

/// Makes a directory a data directory.
pub(super) fn write(directory: &Path, meta: DataDirMeta) -> Result<()> {
    let path = directory.join(FILE_NAME);
    let file = MetaFile {
        format_version: FORMAT_VERSION,
        shards: u32::from(meta.shards),
        key_seed: format!("{:016x}", meta.key_seed),
    };
    let io = |op| {
        let path = path.clone();
        move |source: std::io::Error| Error::io(op, &path, &source)
    };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| io("write")(error.into()))?;
    let temporary = directory.join(format!("{FILE_NAME}.tmp"));
    let mut out = fs::File::create(&temporary).map_err(io("create"))?;
    out.write_all(&text).map_err(io("write"))?;
    out.sync_all().map_err(io("sync"))?;
    fs::rename(&temporary, &path).map_err(io("rename"))?;
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(io("sync"))
}

fn random_seed() -> Result<u64> {
    let path = PathBuf::from("/dev/urandom");
    let mut seed = [0; 8];
    fs::File::open(&path)
        .and_then(|mut source| source.read_exact(&mut seed))
        .map_err(|source| Error::io("read", &path, &source))?;
    Ok(u64::from_le_bytes(seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let made = open_or_create(directory.path(), 3).unwrap();
        assert_eq!(made.shards, 3);
        assert_eq!(open_or_create(directory.path(), 8).unwrap(), made);
    }

    #[test]
    fn damage_is_named() {
        let directory = tempfile::tempdir().unwrap();
        for text in [
            "",
            "{",
            r#"{"format_version":2,"shards":1,"key_seed":"00"}"#,
            r#"{"format_version":1,"shards":0,"key_seed":"00"}"#,
        ] {
            fs::write(directory.path().join(FILE_NAME), text).unwrap();
            let error = open_or_create(directory.path(), 1).unwrap_err().to_string();
            assert!(error.contains("tsdb.json"), "{error}");
        }
    }
}

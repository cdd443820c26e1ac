//! Looking into a data directory that no server has open: what is in it, and whether it is whole.
//!
//! Nothing is changed, and nothing is taken on trust: every file is read from its bytes.

mod log;
mod parts;
mod series;

use std::path::{Path, PathBuf};

pub use self::log::LogSummary;
pub use self::parts::PartSummary;
pub use self::series::SeriesSummary;
use crate::engine::{DataDirMeta, read_meta};
use crate::error::{Error, Result};
use crate::io::{Disk, dirs};
use crate::model::ShardId;

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub path: PathBuf,
    pub offset: u64,
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: at byte {}: {}", self.path.display(), self.offset, self.what)
    }
}

/// What a shard has.
#[derive(Debug)]
pub struct ShardSummary {
    pub shard: ShardId,
    pub parts: Vec<PartSummary>,
    pub log: LogSummary,
    pub series: SeriesSummary,
    pub findings: Vec<Finding>,
}

/// What a data directory has.
#[derive(Debug)]
pub struct Summary {
    pub meta: DataDirMeta,
    pub shards: Vec<ShardSummary>,
}

/// Reads a data directory. `deeply`: every chunk is decoded and every list compared.
pub fn inspect(directory: &Path, deeply: bool) -> Result<Summary> {
    if !directory.exists() {
        return Err(Error::io("open", directory, &std::io::ErrorKind::NotFound.into()));
    }
    let _lock = dirs::lock(directory)?;
    let meta = read_meta(directory)?;
    let disk = Disk::Dma;
    let mut shards = Vec::new();
    for number in 0..meta.shards {
        let shard = ShardId(number);
        let directory = dirs::shard_directory(directory, shard);
        let mut findings = Vec::new();
        let (series, numbers) = series::read(&disk, &directory, shard, &mut findings)?;
        let log = log::read(&disk, &directory, shard, &mut findings)?;
        let parts = parts::read(&disk, &directory, deeply, &numbers, &mut findings)?;
        shards.push(ShardSummary { shard, parts, log, series, findings });
    }
    Ok(Summary { meta, shards })
}

/// Notes an error as a finding if it is about damage; other errors stay errors.
fn note<T>(findings: &mut Vec<Finding>, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(Error::Corrupt { path, offset, what }) => {
            findings.push(Finding { path, offset, what: what.to_owned() });
            Ok(None)
        }
        Err(Error::Io { kind: std::io::ErrorKind::NotFound, path, .. }) => {
            findings.push(Finding { path, offset: 0, what: "the file is missing".to_owned() });
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

//! What a part says of itself, as JSON.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::window::Window;
use crate::error::{Error, Result};
use crate::model::TimeRange;

/// Version of runs and blocks that is written and read.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of the longest meta that is read.
pub const META_LEN_MAX: u64 = 1 << 20;

/// Name of a part, unique in its shard: a ULID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartId(Ulid);

impl PartId {
    /// A new name; those made later sort behind those made in an earlier millisecond.
    #[must_use]
    pub fn generate() -> Self {
        Self(Ulid::new())
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for PartId {
    type Err = ulid::DecodeError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ulid::from_string(text).map(Self)
    }
}

impl TryFrom<String> for PartId {
    type Error = ulid::DecodeError;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PartId> for String {
    fn from(id: PartId) -> Self {
        id.to_string()
    }
}

/// Which kind of part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// One file; its series are numbers of the series table.
    Run,
    /// A directory; its series are in its own index.
    Block,
}

/// Generations of the memtable whose samples are in a part, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequences {
    pub min: u64,
    pub max: u64,
}

/// See the module's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartMeta {
    pub format_version: u32,
    pub id: PartId,
    pub kind: PartKind,
    pub window: Window,
    /// Oldest and newest timestamp, both inclusive.
    pub min_ms: i64,
    pub max_ms: i64,
    pub series: u64,
    pub chunks: u64,
    pub samples: u64,
    pub sequences: Sequences,
    /// Deletes up to this one have been carried out on the samples.
    pub deletes_applied: u64,
    /// What it was merged from; empty for what was flushed.
    #[serde(default)]
    pub parents: Vec<PartId>,
}

impl PartMeta {
    /// Reads what [`PartMeta::encode`] wrote.
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let corrupt = |what| Error::Corrupt { path: path.to_path_buf(), offset: 0, what };
        let meta: Self = serde_json::from_slice(bytes).map_err(|_| corrupt("the meta cannot be read"))?;
        if meta.format_version != FORMAT_VERSION {
            return Err(corrupt("the format version is not known"));
        }
        let inside = meta.window.range().contains(meta.min_ms) && meta.window.range().contains(meta.max_ms);
        let ordered = meta.min_ms <= meta.max_ms && meta.sequences.min <= meta.sequences.max;
        let aligned = meta.window.level.window_at(meta.window.start_ms) == meta.window;
        if !inside || !ordered || !aligned {
            return Err(corrupt("the meta contradicts itself"));
        }
        Ok(meta)
    }

    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Plain fields cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether any of its samples may be in the range.
    #[must_use]
    pub const fn overlaps(&self, range: TimeRange) -> bool {
        range.overlaps_inclusive(self.min_ms, self.max_ms)
    }
}

//! API skeleton.
use roaring::RoaringBitmap;

use crate::model::{Labels, LabelsError, Matcher, SeriesKey, SeriesRef};

/// Why a series is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// First sight of bytes that are not canonical: canonicalise them and come back with that key.
    #[error("label bytes are not canonical: {0}")]
    NotCanonical(#[from] LabelsError),
    #[error("series has no labels")]
    NoLabels,
    #[error("series has {count} labels; at most {max} are allowed")]
    TooManyLabels { count: usize, max: usize },
    #[error("label name {name:?}.. has {bytes} bytes; at most {max} are allowed")]
    NameTooLong { name: String, bytes: usize, max: usize },
    #[error("value of label {name:?} has {bytes} bytes; at most {max} are allowed")]
    ValueTooLong { name: String, bytes: usize, max: usize },
    #[error("labels have {bytes} bytes; at most {max} are allowed")]
    LabelsTooLong { bytes: usize, max: usize },
    #[error("shard holds {max} series already, which is its limit")]
    TooManySeries { max: u32 },
    /// Replay only: the number or the key belongs to another series.
    #[error("series {series} is in conflict: its number or key is taken by another series")]
    Conflict { series: u32 },
}

/// Bytes held, by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistryMemory {
    pub names: usize,
    pub pairs: usize,
    pub series: usize,
    pub table: usize,
    pub postings: usize,
}

impl RegistryMemory {
    #[must_use]
    pub const fn total(&self) -> usize {
        self.names + self.pairs + self.series + self.table + self.postings
    }
}

#[derive(Debug)]
pub struct Registry {}

impl Registry {
    /// An empty registry that takes at most `series_max` series.
    #[must_use]
    pub fn new(series_max: u32) -> Self {
        todo!("{series_max}")
    }
    /// Number of the series with this key.
    #[must_use]
    pub fn lookup(&self, key: SeriesKey) -> Option<SeriesRef> {
        todo!("{key:?}")
    }
    /// Looks up all keys at once; `out` is cleared and gets one entry per key.
    pub fn lookup_many(&self, keys: &[SeriesKey], out: &mut Vec<Option<SeriesRef>>) {
        todo!("{keys:?} {out:?}")
    }
    /// Takes a series at first sight; a known key keeps its number.
    pub fn insert(&mut self, key: SeriesKey, label_bytes: &[u8]) -> Result<SeriesRef, RegistryError> {
        todo!("{key:?} {label_bytes:?}")
    }
    /// Replay: takes a series under a given number. The same series again is fine.
    pub fn insert_at(
        &mut self,
        series: SeriesRef,
        key: SeriesKey,
        label_bytes: &[u8],
    ) -> Result<(), RegistryError> {
        todo!("{series:?} {key:?} {label_bytes:?}")
    }
    /// Forgets a series; its number is given to a later one, so nothing may refer to it any more.
    pub fn remove(&mut self, series: SeriesRef) -> bool {
        todo!("{series:?}")
    }
    #[must_use]
    pub fn contains(&self, series: SeriesRef) -> bool {
        todo!("{series:?}")
    }
    #[must_use]
    pub fn key(&self, series: SeriesRef) -> Option<SeriesKey> {
        todo!("{series:?}")
    }
    /// Labels of a series; none if there is no such series.
    #[must_use]
    pub fn labels(&self, series: SeriesRef) -> Labels {
        todo!("{series:?}")
    }
    /// Appends the canonical label bytes of a series.
    pub fn labels_into(&self, series: SeriesRef, out: &mut Vec<u8>) {
        todo!("{series:?} {out:?}")
    }
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// One more than the highest number in use.
    #[must_use]
    pub fn refs_end(&self) -> u32 {
        todo!()
    }
    /// Live series in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = SeriesRef> + '_ {
        std::iter::empty()
    }
    /// Numbers of the series that satisfy every matcher; all series without any matcher.
    #[must_use]
    pub fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        todo!("{matchers:?}")
    }
    /// Label names, sorted; of the given series only if `within` is given.
    #[must_use]
    pub fn label_names(&self, within: Option<&RoaringBitmap>) -> Vec<String> {
        todo!("{within:?}")
    }
    /// Values of one label, sorted; of the given series only if `within` is given.
    #[must_use]
    pub fn label_values(&self, name: &str, within: Option<&RoaringBitmap>) -> Vec<String> {
        todo!("{name} {within:?}")
    }
    #[must_use]
    pub fn memory(&self) -> RegistryMemory {
        todo!()
    }
    /// Total of [`Registry::memory`].
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.memory().total()
    }
}

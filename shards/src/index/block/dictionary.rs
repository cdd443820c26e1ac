//! The values of a label name with the places of their series.

use fst::{IntoStreamer, Map, MapBuilder, Streamer};

use crate::codec::crc::{seal, unsealed};

/// A dictionary is ended when it has this many values or bytes, so that a lookup reads little.
const VALUES_MAX: u64 = 8192;
const BYTES_MAX: u64 = 48 << 10;

/// A dictionary that is being filled, in order of the values.
pub(super) struct DictionaryBuilder {
    builder: MapBuilder<Vec<u8>>,
    values: u64,
}

impl DictionaryBuilder {
    pub(super) fn new() -> Self {
        Self { builder: MapBuilder::memory(), values: 0 }
    }

    /// Whether the value was taken: it has to be greater than those before.
    pub(super) fn push(&mut self, value: &str, place: u64) -> bool {
        self.values += 1;
        self.builder.insert(value, place).is_ok()
    }

    pub(super) fn is_full(&self) -> bool {
        self.values >= VALUES_MAX || self.builder.bytes_written() >= BYTES_MAX
    }

    pub(super) const fn values(&self) -> u64 {
        self.values
    }

    /// The bytes, checksum included.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        let mut bytes = self.builder.into_inner().ok()?;
        seal(&mut bytes);
        Some(bytes)
    }
}

/// A dictionary that was read.
pub(super) struct Dictionary<B: AsRef<[u8]>>(Map<B>);

impl<'a> Dictionary<&'a [u8]> {
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        Map::new(unsealed(bytes)?).ok().map(Self)
    }

    pub(super) fn get(&self, value: &str) -> Option<u64> {
        self.0.get(value)
    }

    /// Hands over the values from `from` on, in order, until `put` returns false. `None` if one is
    /// not text.
    pub(super) fn for_each(&self, from: &str, put: &mut dyn FnMut(&str, u64) -> bool) -> Option<()> {
        let mut stream = self.0.range().ge(from).into_stream();
        while let Some((value, place)) = stream.next() {
            if !put(std::str::from_utf8(value).ok()?, place) {
                break;
            }
        }
        Some(())
    }
}

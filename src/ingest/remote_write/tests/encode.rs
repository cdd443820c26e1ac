//! A protobuf encoder that shares nothing with the decoder.

use shards::model::KeyHasher;

use crate::ingest::batch::WriteRequest;
use crate::ingest::error::DecodeError;
use crate::ingest::limits::DecodeLimits;
use crate::ingest::remote_write::Decoder;

pub(super) const SHARDS: u16 = 3;

pub(super) fn hasher() -> KeyHasher {
    KeyHasher::new(99)
}

pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(value % 128).unwrap();
        value /= 128;
        if value == 0 {
            out.push(low);
            return out;
        }
        out.push(low + 128);
    }
}

pub(super) fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field * 8), varint(value)].concat()
}

pub(super) fn double(field: u64, value: f64) -> Vec<u8> {
    [varint(field * 8 + 1), value.to_bits().to_le_bytes().to_vec()].concat()
}

pub(super) fn bytes(field: u64, content: &[u8]) -> Vec<u8> {
    [varint(field * 8 + 2), varint(content.len() as u64), content.to_vec()].concat()
}

pub(super) fn label(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    bytes(1, &[bytes(1, name.as_ref()), bytes(2, value.as_ref())].concat())
}

pub(super) fn sample(timestamp_ms: i64, value: f64) -> Vec<u8> {
    bytes(2, &[double(1, value), number(2, timestamp_ms.cast_unsigned())].concat())
}

/// A time series as a field of the request.
pub(super) fn series(fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(1, &fields.concat())
}

pub(super) fn compress(body: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(body).unwrap()
}

/// Decodes an uncompressed body with the default limits.
pub(super) fn decode(body: &[u8]) -> Result<WriteRequest, DecodeError> {
    decode_within(body, DecodeLimits::default())
}

pub(super) fn decode_within(body: &[u8], limits: DecodeLimits) -> Result<WriteRequest, DecodeError> {
    Decoder::new(hasher(), SHARDS, limits).decode(&compress(body))
}

/// Label bytes, times and bits of values of all series, in the order of shards.
pub(super) type Staged = Vec<(Vec<u8>, Vec<i64>, Vec<u64>)>;

/// What is staged; checks on the way that every series is with its owner.
pub(super) fn staged(request: &WriteRequest) -> Staged {
    assert_eq!(request.batches.len(), usize::from(SHARDS));
    let mut all = Vec::new();
    for (shard, batch) in request.batches.iter().enumerate() {
        for series in batch.series() {
            assert_eq!(series.key, hasher().key(series.labels));
            assert_eq!(series.key.shard(SHARDS).index(), shard);
            let bits = series.values.iter().map(|value| value.to_bits()).collect();
            all.push((series.labels.to_vec(), series.timestamps_ms.to_vec(), bits));
        }
    }
    all
}

//! Start timestamps: since when each sample of a counter counts.
//!
//! | field    | encoding | notes                                                            |
//! |----------|----------|------------------------------------------------------------------|
//! | version  | u8       | 1                                                                |
//! | count    | uvarint  |                                                                  |
//! | starts   |          | as a column of integers, see [`super::column`]                   |

#![deny(clippy::indexing_slicing)]

use super::ChunkError;
use super::column::{CHUNK_LEN_MAX, Decoder, Effort, Encoder};
use crate::codec::Cursor;
use crate::codec::varint::put_uvarint;

const VERSION: u8 = 1;

/// Appends the start timestamps of 1 to [`CHUNK_LEN_MAX`] samples.
pub fn encode_starts(starts_ms: &[i64], out: &mut Vec<u8>) -> Result<(), ChunkError> {
    match starts_ms.len() {
        0 => return Err(ChunkError::Empty),
        1..=CHUNK_LEN_MAX => {}
        _ => return Err(ChunkError::TooLong),
    }
    out.push(VERSION);
    put_uvarint(out, starts_ms.len() as u64);
    Encoder::new().encode_integers(starts_ms, Effort::Best, out);
    Ok(())
}

/// The start timestamps that take all of `bytes`.
pub fn decode_starts(bytes: &[u8]) -> Result<Vec<i64>, ChunkError> {
    let mut cursor = Cursor::new(bytes);
    match cursor.u8()? {
        VERSION => {}
        other => return Err(ChunkError::UnknownEncoding(other)),
    }
    let count = usize::try_from(cursor.uvarint()?).map_err(|_| ChunkError::TooLong)?;
    let mut starts = Vec::new();
    Decoder::new().decode_integers(cursor.take(cursor.remaining())?, count, &mut starts)?;
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(starts: &[i64]) -> usize {
        let mut bytes = Vec::new();
        encode_starts(starts, &mut bytes).unwrap();
        assert_eq!(decode_starts(&bytes).as_deref(), Ok(starts));
        for cut in 0..bytes.len() {
            let _ = decode_starts(&bytes[..cut]);
        }
        bytes.len()
    }

    proptest! {
        #[test]
        fn starts_round_trip(
            runs in proptest::collection::vec((prop_oneof![any::<i64>(), Just(0), 1_700_000_000_000i64..1_800_000_000_000], 1usize..90), 1..12),
        ) {
            round_trip(&runs.into_iter().flat_map(|(start, len)| std::iter::repeat_n(start, len)).collect::<Vec<_>>());
        }

        #[test]
        fn noise_is_decoded_or_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_starts(&bytes);
            bytes.splice(0..0, [1, 77, 0]);
            let _ = decode_starts(&bytes);
        }
    }

    #[test]
    fn starts_are_tiny() {
        assert!(round_trip(&[1_700_000_000_000; 480]) <= 10);
        assert!(
            round_trip(&(0..480).map(|index| 1_700_000_000_000 + index * 15_000).collect::<Vec<_>>()) <= 16
        );
        let mut restarted = [1_700_000_000_000; 480];
        restarted[200..].fill(1_700_003_111_222);
        assert!(round_trip(&restarted) <= 24);
        assert_eq!(encode_starts(&[], &mut Vec::new()), Err(ChunkError::Empty));
    }

    #[test]
    fn encoding_is_part_of_the_disk_contract() {
        let mut bytes = Vec::new();
        encode_starts(&[1000, 1000, 1000, 61_000], &mut bytes).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "01044001d00fe0d403010004");
    }
}

//! Segment files and frames.
//!
//! A segment is a file of fixed size in a numbered slot, used again and again. Its first block says
//! which use this is:
//!
//! | offset | size | field          | encoding | notes                                        |
//! |-------:|-----:|----------------|----------|----------------------------------------------|
//! |      0 |    8 | magic          | bytes    | `TSDBWAL1`                                   |
//! |      8 |    4 | format version | u32 LE   | 1                                            |
//! |     12 |    4 | shard          | u32 LE   |                                              |
//! |     16 |    8 | epoch          | u64 LE   | number of this use; 0: free, nothing in it   |
//! |     24 |    8 | first sequence | u64 LE   | sequence number of the first frame           |
//! |     32 |    4 | salt           | u32 LE   | random, repeated in every frame of this use  |
//! |     36 |    4 | crc            | u32 LE   | CRC-32C of bytes 0 to 36                     |
//!
//! Frames follow, each at a multiple of 4096 and filled up with zeros to the next:
//!
//! | offset | size | field    | encoding | notes                                              |
//! |-------:|-----:|----------|----------|----------------------------------------------------|
//! |      0 |    4 | magic    | bytes    | `TWF1`                                             |
//! |      4 |    4 | crc      | u32 LE   | CRC-32C of bytes 8 to the end of the payload       |
//! |      8 |    4 | length   | u32 LE   | bytes of the payload                               |
//! |     12 |    4 | salt     | u32 LE   | the segment's                                      |
//! |     16 |    8 | epoch    | u64 LE   | the segment's                                      |
//! |     24 |    8 | sequence | u64 LE   | one more than the frame before, across segments    |
//! |     32 |    n | payload  |          | records, see [`super::record`]                     |
//!
//! Frames of an earlier use are told by their epoch; the salt keeps bytes that somebody sent as a
//! label value from passing for a frame. A frame never spans two segments.

#![deny(clippy::indexing_slicing)]

use crate::codec::Cursor;
use crate::codec::crc::crc32c;
use crate::limits::{BLOCK_LEN, WAL_FRAME_PAYLOAD_MAX};
use crate::model::ShardId;

pub const FRAME_HEADER_LEN: usize = 32;
const SEGMENT_MAGIC: &[u8; 8] = b"TSDBWAL1";
const FORMAT_VERSION: u32 = 1;
const FRAME_MAGIC: &[u8; 4] = b"TWF1";
const SEGMENT_CRC_AT: usize = 36;

/// What the first block of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHeader {
    pub shard: ShardId,
    pub epoch: u64,
    pub first_sequence: u64,
    pub salt: u32,
}

/// File name of a slot.
#[must_use]
pub fn file_name(slot: u32) -> String {
    format!("segment-{slot:05}.wal")
}

/// Slot of a file name.
#[must_use]
pub fn slot_of(name: &str) -> Option<u32> {
    name.strip_prefix("segment-")?.strip_suffix(".wal")?.parse().ok()
}

impl SegmentHeader {
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK_LEN);
        block.extend_from_slice(SEGMENT_MAGIC);
        block.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        block.extend_from_slice(&u32::from(self.shard.0).to_le_bytes());
        block.extend_from_slice(&self.epoch.to_le_bytes());
        block.extend_from_slice(&self.first_sequence.to_le_bytes());
        block.extend_from_slice(&self.salt.to_le_bytes());
        assert_eq!(block.len(), SEGMENT_CRC_AT, "the layout above");
        block.extend_from_slice(&crc32c(&block).to_le_bytes());
        block.resize(BLOCK_LEN, 0);
        block
    }

    /// Reads the first block; the error says what is wrong with it.
    pub fn decode(block: &[u8]) -> Result<Self, &'static str> {
        let mut cursor = Cursor::new(block);
        let mut read = || {
            let magic = cursor.take(SEGMENT_MAGIC.len())?;
            let version = cursor.u32_le()?;
            let shard = cursor.u32_le()?;
            let header = (cursor.u64_le()?, cursor.u64_le()?, cursor.u32_le()?);
            Ok::<_, crate::codec::Truncated>((magic, version, shard, header, cursor.u32_le()?))
        };
        let (magic, version, shard, (epoch, first_sequence, salt), crc) =
            read().map_err(|_| "segment header is cut short")?;
        if magic != SEGMENT_MAGIC {
            return Err("not a log segment");
        }
        if block.get(..SEGMENT_CRC_AT).map(crc32c) != Some(crc) {
            return Err("segment header has a wrong checksum");
        }
        if version != FORMAT_VERSION {
            return Err("segment has a format version that this program does not know");
        }
        let shard = ShardId(u16::try_from(shard).map_err(|_| "segment header names an impossible shard")?);
        Ok(Self { shard, epoch, first_sequence, salt })
    }
}

/// Bytes that a frame with this payload takes in the file.
#[must_use]
pub const fn frame_len(payload_len: usize) -> usize {
    (FRAME_HEADER_LEN + payload_len).next_multiple_of(BLOCK_LEN)
}

/// Appends a whole frame, padding included.
pub fn put_frame(out: &mut Vec<u8>, segment: &SegmentHeader, sequence: u64, payload: &[u8]) {
    assert!(payload.len() <= WAL_FRAME_PAYLOAD_MAX, "{} bytes in one frame", payload.len());
    let start = out.len();
    let mut body = [0; FRAME_HEADER_LEN - 8];
    let fields = (payload.len() as u32)
        .to_le_bytes()
        .into_iter()
        .chain(segment.salt.to_le_bytes())
        .chain(segment.epoch.to_le_bytes())
        .chain(sequence.to_le_bytes());
    for (slot, byte) in body.iter_mut().zip(fields) {
        *slot = byte;
    }
    let crc = crate::codec::crc::crc32c_append(crc32c(&body), payload);
    out.extend_from_slice(FRAME_MAGIC);
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&body);
    out.extend_from_slice(payload);
    out.resize(start + frame_len(payload.len()), 0);
}

/// What stands at a block boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    crc: u32,
    pub payload_len: usize,
    pub sequence: u64,
}

impl FrameHeader {
    /// The header of a frame of this segment, or `None` where something else stands.
    #[must_use]
    pub fn decode(bytes: &[u8], segment: &SegmentHeader) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        if cursor.take(FRAME_MAGIC.len()).ok()? != FRAME_MAGIC {
            return None;
        }
        let crc = cursor.u32_le().ok()?;
        let payload_len = usize::try_from(cursor.u32_le().ok()?).ok()?;
        let (salt, epoch, sequence) = (cursor.u32_le().ok()?, cursor.u64_le().ok()?, cursor.u64_le().ok()?);
        let ours = salt == segment.salt && epoch == segment.epoch && sequence >= segment.first_sequence;
        (ours && payload_len <= WAL_FRAME_PAYLOAD_MAX).then_some(Self { crc, payload_len, sequence })
    }

    /// The payload of the frame that begins with these bytes, if all of it is there and whole.
    #[must_use]
    pub fn payload<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let end = FRAME_HEADER_LEN + self.payload_len;
        (crc32c(frame.get(8..end)?) == self.crc).then(|| frame.get(FRAME_HEADER_LEN..end)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SEGMENT: SegmentHeader =
        SegmentHeader { shard: ShardId(3), epoch: 7, first_sequence: 100, salt: 0xdead_beef };

    #[test]
    fn segment_header_round_trips_and_every_flip_is_noticed() {
        let block = SEGMENT.encode();
        assert_eq!(block.len(), BLOCK_LEN);
        assert_eq!(SegmentHeader::decode(&block), Ok(SEGMENT));
        for bit in 0..(SEGMENT_CRC_AT + 4) * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn frames_round_trip_and_flips_are_noticed(payload in proptest::collection::vec(any::<u8>(), 0..9000), sequence in 100u64.., flip: proptest::sample::Index) {
            let mut bytes = Vec::new();
            put_frame(&mut bytes, &SEGMENT, sequence, &payload);
            prop_assert_eq!(bytes.len(), frame_len(payload.len()));
            let header = FrameHeader::decode(&bytes, &SEGMENT).unwrap();
            prop_assert_eq!(header.sequence, sequence);
            prop_assert_eq!(header.payload(&bytes), Some(&payload[..]));
            let bit = flip.index((FRAME_HEADER_LEN + payload.len()) * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = FrameHeader::decode(&bytes, &SEGMENT).and_then(|h| h.payload(&bytes).map(<[u8]>::to_vec));
            prop_assert_eq!(read, None);
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>) {
            let _ = SegmentHeader::decode(&bytes);
            let _ = FrameHeader::decode(&bytes, &SEGMENT).map(|header| header.payload(&bytes).is_some());
        }
    }

    #[test]
    fn a_frame_of_an_earlier_use_is_not_ours() {
        let mut bytes = Vec::new();
        put_frame(&mut bytes, &SEGMENT, 100, b"x");
        assert!(FrameHeader::decode(&bytes, &SegmentHeader { epoch: 8, ..SEGMENT }).is_none());
        assert!(FrameHeader::decode(&bytes, &SegmentHeader { salt: 1, ..SEGMENT }).is_none());
        assert!(FrameHeader::decode(&bytes, &SegmentHeader { first_sequence: 101, ..SEGMENT }).is_none());
    }
}

//! Bytes of a series file.
//!
//! The file begins with two copies of this header, one in each of its first two blocks of 4096 bytes,
//! so that a damaged block does not cost the table:
//!
//! | offset | size | field          | encoding | notes                                          |
//! |-------:|-----:|----------------|----------|------------------------------------------------|
//! |      0 |    8 | magic          | bytes    | `TSDBSER1`                                     |
//! |      8 |    4 | format version | u32 LE   | 1                                              |
//! |     12 |    4 | shard          | u32 LE   |                                                |
//! |     16 |    8 | generation     | u64 LE   | one more with each checkpoint, also in the name |
//! |     24 |    4 | salt           | u32 LE   | random, repeated in every frame                |
//! |     28 |    4 | crc            | u32 LE   | CRC-32C of bytes 0 to 28                       |
//!
//! Frames follow, each at a multiple of 4096 and filled up with zeros to the next:
//!
//! | offset | size | field      | encoding | notes                                              |
//! |-------:|-----:|------------|----------|----------------------------------------------------|
//! |      0 |    4 | magic      | bytes    | `TSF1`                                             |
//! |      4 |    4 | crc        | u32 LE   | CRC-32C of bytes 8 to the end of the payload       |
//! |      8 |    4 | length     | u32 LE   | bytes of the payload                               |
//! |     12 |    4 | salt       | u32 LE   | the file's                                         |
//! |     16 |    8 | generation | u64 LE   | the file's                                         |
//! |     24 |    8 | sequence   | u64 LE   | 0 for the first frame, one more with each          |
//! |     32 |    n | payload    |          | entries                                            |
//!
//! The payload is one entry per series. Neighbours share most of their labels, and labels come again
//! and again, so an entry tells which labels are those of the entry before it in the same frame, and
//! names the others by their numbers in the frame; a label is spelled out where it comes first:
//!
//! | size | field      | encoding | notes                                                          |
//! |-----:|------------|----------|----------------------------------------------------------------|
//! | 1-5  | series ref | varint   | minus that of the entry before, the first minus 0              |
//! | 1-2  | labels     | uvarint  | number of labels                                               |
//! | n    | same       | bits     | a byte per 8 labels, least significant bit first: the label is that of the entry before in the same place |
//! |      | others     |          | per other label: varint its number minus that of the label in the same place before (0 if there is none); if it is the number of labels that the frame has named so far, uvarint length and the canonical bytes of the label follow |
//!
//! Invariant: a frame is readable without any other.

#![deny(clippy::indexing_slicing)]

use hashbrown::HashMap;

use crate::codec::crc::crc32c;
use crate::codec::varint::{put_uvarint, put_varint};
use crate::codec::{Cursor, Truncated};
use crate::limits::{BLOCK_LEN, LABELS_BYTES_MAX, LABELS_MAX};
use crate::model::label::next_label;
use crate::model::{SeriesRef, ShardId};

/// Payload of one frame.
pub const FRAME_PAYLOAD_MAX: usize = 1 << 20;
/// Where frames begin: behind the two copies of the header.
pub(super) const FRAMES_AT: u64 = 2 * BLOCK_LEN as u64;
const FRAME_HEADER_LEN: usize = 32;
/// Bytes of the longest entry.
const ENTRY_LEN_MAX: usize = 32 + LABELS_BYTES_MAX + (LABELS_MAX + 1) * 16;
const FILE_MAGIC: &[u8; 8] = b"TSDBSER1";
const FORMAT_VERSION: u32 = 1;
const FRAME_MAGIC: &[u8; 4] = b"TSF1";
const HEADER_CRC_AT: usize = 28;

const _: () = assert!(ENTRY_LEN_MAX <= FRAME_PAYLOAD_MAX / 2);
const _: () = assert!((FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX) < u32::MAX as usize);

/// Which file this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileHeader {
    pub shard: ShardId,
    pub generation: u64,
    pub salt: u32,
}

/// Why a header block is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// Its bytes are not what was written.
    Damaged,
    /// Whole, but of a format that this program does not know.
    UnknownVersion,
}

/// Name of the file of a generation.
#[must_use]
pub fn file_name(generation: u64) -> String {
    format!("series-{generation:010}.tbl")
}

/// Generation of a file name.
#[must_use]
pub fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix("series-")?.strip_suffix(".tbl")?.parse().ok()
}

impl FileHeader {
    /// Both copies.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(2 * BLOCK_LEN);
        block.extend_from_slice(FILE_MAGIC);
        block.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        block.extend_from_slice(&u32::from(self.shard.0).to_le_bytes());
        block.extend_from_slice(&self.generation.to_le_bytes());
        block.extend_from_slice(&self.salt.to_le_bytes());
        assert_eq!(block.len(), HEADER_CRC_AT, "the layout above");
        block.extend_from_slice(&crc32c(&block).to_le_bytes());
        block.resize(BLOCK_LEN, 0);
        block.extend_from_within(..);
        block
    }

    /// Reads whichever copy is whole.
    pub fn decode(blocks: &[u8]) -> Result<Self, HeaderFault> {
        let mut copies = blocks.chunks(BLOCK_LEN).take(2).map(Self::decode_copy);
        let first = copies.next().unwrap_or(Err(HeaderFault::Damaged));
        if first == Err(HeaderFault::Damaged) { copies.next().unwrap_or(first) } else { first }
    }

    fn decode_copy(block: &[u8]) -> Result<Self, HeaderFault> {
        let mut cursor = Cursor::new(block);
        let mut read = || {
            let magic = cursor.take(FILE_MAGIC.len())?;
            let (version, shard) = (cursor.u32_le()?, cursor.u32_le()?);
            Ok::<_, Truncated>((magic, version, shard, cursor.u64_le()?, cursor.u32_le()?, cursor.u32_le()?))
        };
        let (magic, version, shard, generation, salt, crc) = read().map_err(|_| HeaderFault::Damaged)?;
        if magic != FILE_MAGIC || block.get(..HEADER_CRC_AT).map(crc32c) != Some(crc) {
            return Err(HeaderFault::Damaged);
        }
        if version != FORMAT_VERSION {
            return Err(HeaderFault::UnknownVersion);
        }
        let shard = ShardId(u16::try_from(shard).map_err(|_| HeaderFault::Damaged)?);
        Ok(Self { shard, generation, salt })
    }
}

/// A frame that is being filled with series.
#[derive(Debug, Default)]
pub struct SeriesFrame {
    /// Room for the header, then the payload.
    bytes: Vec<u8>,
    previous_ref: u32,
    /// Numbers of the labels of the entry before.
    previous: Vec<u32>,
    labels: HashMap<Box<[u8]>, u32>,
    count: u64,
}

impl SeriesFrame {
    /// Whether there may be no room for another series.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.bytes.len() + ENTRY_LEN_MAX > FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Series in it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds a series; the frame is not full.
    pub fn push(&mut self, series: SeriesRef, labels: &[u8]) {
        assert!(!self.is_full(), "{} bytes in the frame", self.bytes.len());
        assert!(labels.len() <= LABELS_BYTES_MAX, "{} label bytes were checked on first sight", labels.len());
        if self.bytes.is_empty() {
            self.bytes.resize(FRAME_HEADER_LEN, 0);
        }
        put_varint(&mut self.bytes, i64::from(series.0) - i64::from(self.previous_ref));
        let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
        for label in pieces(labels) {
            let next = self.labels.len() as u32;
            let number = match self.labels.get(label) {
                Some(number) => *number,
                None => {
                    self.labels.insert(label.into(), next);
                    fresh.push((numbers.len(), label));
                    next
                }
            };
            numbers.push(number);
        }
        put_uvarint(&mut self.bytes, numbers.len() as u64);
        for (group, numbers) in numbers.chunks(8).enumerate() {
            let mut mask = 0;
            for (bit, number) in numbers.iter().enumerate() {
                mask |= u8::from(self.previous.get(group * 8 + bit) == Some(number)) << bit;
            }
            self.bytes.push(mask);
        }
        let mut fresh = fresh.into_iter().peekable();
        for (place, number) in numbers.iter().enumerate() {
            let before = self.previous.get(place).copied();
            if before == Some(*number) {
                continue;
            }
            put_varint(&mut self.bytes, i64::from(*number) - i64::from(before.unwrap_or(0)));
            if let Some((_, label)) = fresh.next_if(|(fresh, _)| *fresh == place) {
                put_uvarint(&mut self.bytes, label.len() as u64);
                self.bytes.extend_from_slice(label);
            }
        }
        self.previous_ref = series.0;
        self.previous = numbers;
        self.count += 1;
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.previous_ref = 0;
        self.previous.clear();
        self.labels.clear();
        self.count = 0;
    }

    /// The whole frame, padding included.
    pub(super) fn seal(&mut self, file: &FileHeader, sequence: u64) -> &[u8] {
        let payload_len = self.bytes.len() - FRAME_HEADER_LEN;
        assert!(payload_len <= FRAME_PAYLOAD_MAX, "{payload_len} bytes in one frame");
        let fields = (payload_len as u32)
            .to_le_bytes()
            .into_iter()
            .chain(file.salt.to_le_bytes())
            .chain(file.generation.to_le_bytes())
            .chain(sequence.to_le_bytes());
        for (slot, byte) in self.bytes.iter_mut().skip(8).zip(fields) {
            *slot = byte;
        }
        let crc = crc32c(self.bytes.get(8..).unwrap_or_default());
        for (slot, byte) in self.bytes.iter_mut().zip(FRAME_MAGIC.iter().copied().chain(crc.to_le_bytes())) {
            *slot = byte;
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK_LEN), 0);
        &self.bytes
    }
}

/// The labels of label bytes; what is not a label is one piece.
fn pieces(labels: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = labels;
    let mut count = 0;
    std::iter::from_fn(move || {
        count += 1;
        if rest.is_empty() {
            return None;
        }
        let mut cursor = Cursor::new(rest);
        let len = match next_label(&mut cursor) {
            Some(_) if count <= LABELS_MAX => cursor.position(),
            _ => rest.len(),
        };
        let (label, behind) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        rest = behind;
        Some(label)
    })
}

/// What stands at a block boundary.
#[derive(Debug, Clone, Copy)]
pub struct FrameHeader {
    crc: u32,
    payload_len: usize,
    pub sequence: u64,
}

impl FrameHeader {
    /// The header of a frame of this file, or `None` where something else stands.
    #[must_use]
    pub fn decode(bytes: &[u8], file: &FileHeader) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        if cursor.take(FRAME_MAGIC.len()).ok()? != FRAME_MAGIC {
            return None;
        }
        let crc = cursor.u32_le().ok()?;
        let payload_len = usize::try_from(cursor.u32_le().ok()?).ok()?;
        let (salt, generation) = (cursor.u32_le().ok()?, cursor.u64_le().ok()?);
        let sequence = cursor.u64_le().ok()?;
        let ours = salt == file.salt && generation == file.generation;
        (ours && payload_len <= FRAME_PAYLOAD_MAX).then_some(Self { crc, payload_len, sequence })
    }

    /// Bytes of the frame in the file.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        (FRAME_HEADER_LEN + self.payload_len).next_multiple_of(BLOCK_LEN)
    }

    /// The payload of the frame that begins with these bytes, if all of it is there and whole.
    #[must_use]
    pub fn payload<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let end = FRAME_HEADER_LEN + self.payload_len;
        (crc32c(frame.get(8..end)?) == self.crc).then(|| frame.get(FRAME_HEADER_LEN..end)).flatten()
    }
}

/// A series as a frame tells it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub series: SeriesRef,
    /// Canonical label bytes.
    pub labels: &'a [u8],
    /// The labels by their numbers in the frame: places in `named`.
    pub numbers: &'a [u32],
    /// The labels that the frame has named so far. The next entry of the same frame has these and more.
    pub named: &'a [&'a [u8]],
    /// The first entry of its frame.
    pub first: bool,
    /// Stands behind the entry before it of the same frame in label order.
    pub ascends: bool,
}

/// Hands the series of a frame's payload to `on_series`, and says how many they were. What came
/// before a malformed entry has been handed over.
pub fn read_payload(payload: &[u8], mut on_series: impl FnMut(Entry<'_>)) -> Result<u64, Truncated> {
    let mut cursor = Cursor::new(payload);
    let mut series = 0_i64;
    let mut named: Vec<&[u8]> = Vec::new();
    let mut numbers: Vec<u32> = Vec::new();
    // The label bytes of the entry, and where each label begins.
    let (mut labels, mut starts): (Vec<u8>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut count = 0;
    while !cursor.is_empty() {
        let start = Truncated { offset: cursor.position() };
        series = series.checked_add(cursor.varint()?).ok_or(start)?;
        let number = u32::try_from(series).map_err(|_| start)?;
        let len = usize::try_from(cursor.uvarint()?).map_err(|_| start)?;
        if len > LABELS_MAX + 1 {
            return Err(start);
        }
        let masks = cursor.take(len.div_ceil(8))?;
        let before = numbers.len();
        numbers.resize(len, 0);
        // Up to here the labels are those of the entry before.
        let mut kept = len.min(before);
        for (place, number) in numbers.iter_mut().enumerate() {
            let same = masks.get(place / 8).is_some_and(|mask| mask >> (place % 8) & 1 == 1);
            if !same {
                kept = kept.min(place);
                let moved = i64::from(*number).checked_add(cursor.varint()?).ok_or(start)?;
                *number = u32::try_from(moved).map_err(|_| start)?;
                if *number as usize == named.len() {
                    named.push(cursor.length_prefixed()?);
                }
            } else if place >= before {
                return Err(start);
            }
        }
        // The first label that differs decides about the order.
        let differing =
            numbers.get(kept).map(|number| named.get(*number as usize).ok_or(start)).transpose()?;
        let ascends = differing.is_some_and(|label| match starts.get(kept) {
            Some(from) => {
                let to = starts.get(kept + 1).copied().unwrap_or(labels.len());
                labels.get(*from..to).is_some_and(|before| before < *label)
            }
            None => count > 0,
        });
        if let Some(from) = starts.get(kept) {
            labels.truncate(*from);
            starts.truncate(kept);
        }
        for number in numbers.iter().skip(kept) {
            starts.push(labels.len());
            labels.extend_from_slice(named.get(*number as usize).ok_or(start)?);
        }
        if labels.len() > LABELS_BYTES_MAX {
            return Err(start);
        }
        let first = count == 0;
        let series = SeriesRef(number);
        on_series(Entry { series, labels: &labels, numbers: &numbers, named: &named, first, ascends });
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: FileHeader = FileHeader { shard: ShardId(2), generation: 9, salt: 0x1234_5678 };

    fn read_all(payload: &[u8]) -> Result<Vec<(u32, Vec<u8>)>, Truncated> {
        let mut series = Vec::new();
        let count = read_payload(payload, |entry| series.push((entry.series.0, entry.labels.to_vec())))?;
        assert_eq!(count, series.len() as u64);
        Ok(series)
    }

    #[test]
    fn header_survives_the_loss_of_either_copy() {
        let blocks = FILE.encode();
        assert_eq!(blocks.len() as u64, FRAMES_AT);
        assert_eq!(FileHeader::decode(&blocks), Ok(FILE));
        for byte in 0..HEADER_CRC_AT + 4 {
            let mut damaged = blocks.clone();
            damaged[byte] ^= 0x40;
            assert_eq!(FileHeader::decode(&damaged), Ok(FILE), "byte {byte} of the first copy");
            damaged[BLOCK_LEN + byte] ^= 0x40;
            assert_eq!(FileHeader::decode(&damaged), Err(HeaderFault::Damaged));
        }
        assert_eq!(generation_of(&file_name(9)), Some(9));
        assert_eq!(generation_of("series-9.tmp"), None);
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut blocks = FILE.encode();
        blocks[8] = 2;
        let crc = crc32c(&blocks[..HEADER_CRC_AT]);
        blocks[HEADER_CRC_AT..HEADER_CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(FileHeader::decode(&blocks), Err(HeaderFault::UnknownVersion));
    }

    #[test]
    fn neighbours_cost_only_what_differs() {
        let mut frame = SeriesFrame::default();
        for number in 0..1000_u32 {
            let (name, host, pod) = (format!("metric_{}", number / 100), number % 100, number % 100 + 7);
            let (host, pod) = (format!("host-{host}.example.com:9100"), format!("pod-{pod}"));
            let pairs = [("__name__", name.as_str()), ("cluster", "a"), ("host", &host), ("pod", &pod)];
            let labels = crate::model::Labels::from_pairs(pairs);
            frame.push(SeriesRef(number), labels.as_bytes());
        }
        assert!(frame.bytes.len() < 1000 * 6 + 200 * 40, "{} bytes", frame.bytes.len());
    }

    proptest! {
        #[test]
        fn frames_round_trip_and_flips_are_noticed(
            series in proptest::collection::vec((any::<u32>(), "[ab]{0,30}c[ab]{0,30}"), 1..50),
            sequence: u64,
            flip: proptest::sample::Index,
        ) {
            let mut frame = SeriesFrame::default();
            for (number, labels) in &series {
                frame.push(SeriesRef(*number), labels.as_bytes());
            }
            prop_assert_eq!(frame.count(), series.len() as u64);
            let used = frame.bytes.len();
            let mut bytes = frame.seal(&FILE, sequence).to_vec();
            let header = FrameHeader::decode(&bytes, &FILE).unwrap();
            prop_assert_eq!((header.sequence, header.frame_len()), (sequence, bytes.len()));
            let expected: Vec<_> = series.into_iter().map(|(number, labels)| (number, labels.into_bytes())).collect();
            prop_assert_eq!(read_all(header.payload(&bytes).unwrap()), Ok(expected));
            let bit = flip.index(used * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = FrameHeader::decode(&bytes, &FILE).and_then(|header| header.payload(&bytes).map(<[u8]>::to_vec));
            prop_assert_eq!(read, None);
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>) {
            let _ = read_payload(&bytes, |_| {});
            let _ = FileHeader::decode(&bytes);
            let _ = FrameHeader::decode(&bytes, &FILE).map(|header| header.payload(&bytes).is_some());
        }
    }

    #[test]
    fn a_full_frame_stays_within_its_bound() {
        let mut frame = SeriesFrame::default();
        let mut number = 0;
        while !frame.is_full() {
            let mut labels = vec![0; LABELS_BYTES_MAX];
            labels[0] = number as u8;
            labels[LABELS_BYTES_MAX - 1] = number as u8;
            frame.push(SeriesRef(u32::MAX - number), &labels);
            number += 1;
        }
        assert!(number >= 3, "{number} longest label sets fit");
        let bytes = frame.seal(&FILE, 0).to_vec();
        let payload = FrameHeader::decode(&bytes, &FILE).unwrap().payload(&bytes).unwrap().to_vec();
        assert_eq!(read_all(&payload).unwrap().len(), number as usize);
    }
}

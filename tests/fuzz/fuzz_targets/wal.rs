//! Noise in place of a log: headers, frames, records and the entries of the series table.
//!
//! The checksum would stop nearly all noise at the door, so payloads are read without it too.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shards::codec::Cursor;
use shards::model::ShardId;
use shards::registry::file::format as table;
use shards::wal::record::{self, Record};
use shards::wal::segment::{FrameHeader, SegmentHeader, frame_len, put_frame};

const SEGMENT: SegmentHeader = SegmentHeader { shard: ShardId(0), epoch: 1, first_sequence: 0, salt: 0 };

/// Reads records, and writes those again that are whole: the second reading sees the same.
fn read_records(payload: &[u8]) {
    let mut cursor = Cursor::new(payload);
    while let Ok(Some(record)) = record::next_record(&mut cursor) {
        match record {
            Record::Series { series, labels } if labels.len() <= shards::limits::LABELS_BYTES_MAX => {
                let mut again = Vec::new();
                record::put_series(&mut again, series, labels);
                let read = record::next_record(&mut Cursor::new(&again));
                assert!(matches!(read, Ok(Some(Record::Series { series: s, labels: l })) if s == series && l == labels));
            }
            Record::Samples(samples) => {
                let whole: Vec<_> = samples.map_while(Result::ok).take(record::RECORD_SAMPLES_MAX).collect();
                let mut again = Vec::new();
                let mut encoder = record::SamplesEncoder::begin(&mut again, 0);
                for entry in &whole {
                    encoder.push(entry.series, entry.timestamp_ms, entry.value);
                }
                encoder.finish();
                let Ok(Some(Record::Samples(read))) = record::next_record(&mut Cursor::new(&again)) else {
                    panic!("a samples record is read as one");
                };
                let bits = |entry: &record::SampleEntry| (entry.series, entry.timestamp_ms, entry.value.to_bits());
                assert!(read.map_while(Result::ok).map(|entry| bits(&entry)).eq(whole.iter().map(bits)));
            }
            _ => {}
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let segment = SegmentHeader::decode(bytes).unwrap_or(SEGMENT);
    for at in (0..bytes.len()).step_by(512) {
        if let Some(header) = FrameHeader::decode(&bytes[at..], &segment) {
            let _ = header.payload(&bytes[at..]);
        }
    }
    read_records(bytes);

    let mut frame = Vec::new();
    put_frame(&mut frame, &SEGMENT, 7, bytes);
    assert_eq!(frame.len(), frame_len(bytes.len()));
    let header = FrameHeader::decode(&frame, &SEGMENT).expect("a frame is read as one");
    assert_eq!((header.sequence, header.payload(&frame)), (7, Some(bytes)));

    let _ = table::FileHeader::decode(bytes);
    let mut again = table::SeriesFrame::default();
    let mut entries = Vec::new();
    let _ = table::read_payload(bytes, |entry| {
        if !again.is_full() {
            again.push(entry.series, entry.labels);
            entries.push((entry.series, entry.labels.to_vec()));
        }
    });
    assert_eq!(again.count(), entries.len() as u64);
});

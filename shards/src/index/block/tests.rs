//! The index against a naive model, and with damage.

use super::*;
use crate::error::Error;
use crate::model::{Labels, MatchOp, Matcher};
use futures_lite::future::block_on;
use proptest::prelude::*;
use roaring::RoaringBitmap;
use std::collections::BTreeSet;
use std::path::Path;

struct Bytes(Vec<u8>);

impl PageSource for Bytes {
    async fn read(&self, offset: u64, len: usize) -> Result<Rc<[u8]>> {
        piece(&self.0, offset, len).map(Rc::from)
    }
}

impl BulkRead for &Bytes {
    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>> {
        piece(&self.0, offset, len).map(<[u8]>::to_vec)
    }
}

fn piece(bytes: &[u8], offset: u64, len: usize) -> Result<&[u8]> {
    let end = usize::try_from(offset).ok().and_then(|offset| offset.checked_add(len));
    end.and_then(|end| bytes.get(offset as usize..end)).ok_or_else(|| Error::Corrupt {
        path: "index".into(),
        offset,
        what: "beyond the end",
    })
}

fn write(series: &BTreeSet<Vec<u8>>) -> Vec<u8> {
    let mut writer = IndexWriter::new(Vec::new());
    for (ordinal, labels) in series.iter().enumerate() {
        writer.add(labels, &(ordinal as u32 * 3).to_le_bytes()).unwrap();
    }
    let (bytes, len, count) = writer.finish().unwrap();
    assert_eq!((bytes.len() as u64, count as usize), (len, series.len()));
    bytes
}

fn open(bytes: Vec<u8>) -> Result<BlockIndex<Bytes>> {
    let len = bytes.len() as u64;
    block_on(BlockIndex::open(Bytes(bytes), Path::new("index"), len))
}

fn label_sets() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    let value = prop_oneof![Just(""), Just("a"), Just("b"), Just("abc"), Just("b1"), Just("\u{fc}")];
    let set = (value.clone(), value.clone(), value, 0..90u32).prop_map(|(x, y, z, n)| {
        let n = n.to_string();
        let pairs = [("x", x), ("y", y), ("zz", z), ("n", n.as_str())];
        Labels::from_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty())).as_bytes().to_vec()
    });
    proptest::collection::btree_set(set, 1..300)
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop_oneof![
        Just(MatchOp::Equal),
        Just(MatchOp::NotEqual),
        Just(MatchOp::Regex),
        Just(MatchOp::NotRegex)
    ];
    let name = prop_oneof![Just("x"), Just("y"), Just("zz"), Just("n"), Just("missing")];
    let value = prop_oneof![
        Just(""),
        Just("a"),
        Just("a|b"),
        Just("a.*"),
        Just(".+"),
        Just(".*"),
        Just("|a"),
        Just(".*b.*"),
        Just("[0-4].?"),
        Just("1"),
        Just("1.*"),
        Just(".*c")
    ];
    (op, name, value).prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap())
}

fn naive(series: &BTreeSet<Vec<u8>>, matchers: &[Matcher]) -> RoaringBitmap {
    let fits = |labels: &Vec<u8>| {
        let labels = Labels::from_canonical_trusted(labels);
        matchers.iter().all(|matcher| matcher.matches(labels.get(matcher.name()).unwrap_or_default()))
    };
    series.iter().enumerate().filter(|(_, labels)| fits(labels)).map(|(ordinal, _)| ordinal as u32).collect()
}

proptest! {
    #[test]
    fn answers_as_a_naive_model(series in label_sets(), matchers in proptest::collection::vec(matcher(), 0..4)) {
        let index = open(write(&series)).unwrap();
        let selected = block_on(index.select(&matchers)).unwrap();
        prop_assert_eq!(&selected, &naive(&series, &matchers));
        let list: Vec<_> = series.iter().collect();
        let mut seen = RoaringBitmap::new();
        block_on(index.for_each(&selected, &mut |ordinal, labels, entry| {
            assert_eq!(labels, list[ordinal as usize].as_slice());
            assert_eq!(entry, (ordinal * 3).to_le_bytes());
            seen.insert(ordinal);
            Ok(())
        })).unwrap();
        prop_assert_eq!(&seen, &selected);
        for within in [None, Some(&selected)] {
            let mut names = BTreeSet::new();
            let mut values = BTreeSet::new();
            for (ordinal, labels) in list.iter().enumerate() {
                if within.is_none_or(|within| within.contains(ordinal as u32)) {
                    for (name, value) in Labels::from_canonical_trusted(labels).iter() {
                        names.insert(name.to_owned());
                        if name == "n" {
                            values.insert(value.to_owned());
                        }
                    }
                }
            }
            prop_assert_eq!(block_on(index.label_names(within)).unwrap(), names.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(block_on(index.label_values("n", within)).unwrap(), values.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn is_read_back_from_end_to_end(series in label_sets()) {
        let bytes = Bytes(write(&series));
        let mut scanner = IndexScanner::open(&bytes, Path::new("index"), bytes.0.len() as u64).unwrap();
        for labels in &series {
            let (ordinal, read, entry) = scanner.next().unwrap().unwrap();
            prop_assert_eq!(read, labels.as_slice());
            prop_assert_eq!(entry, (ordinal * 3).to_le_bytes());
        }
        prop_assert!(scanner.next().unwrap().is_none());
        prop_assert_eq!(verify(&bytes, Path::new("index"), bytes.0.len() as u64).unwrap(), []);
    }
}

fn small() -> BTreeSet<Vec<u8>> {
    let set = |n: u32| {
        let (job, n) = (if n.is_multiple_of(3) { "api" } else { "db" }, n.to_string());
        Labels::from_pairs([("__name__", "up"), ("instance", n.as_str()), ("job", job)]).as_bytes().to_vec()
    };
    (0..70).map(set).collect()
}

#[test]
fn every_flipped_bit_is_found_or_harmless() {
    let series = small();
    let bytes = write(&series);
    let matchers = [
        vec![Matcher::new(MatchOp::Equal, "job", "api").unwrap()],
        vec![Matcher::new(MatchOp::Regex, "instance", "1.").unwrap()],
        vec![],
    ];
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let checked = Bytes(damaged.clone());
        let verified = verify(&checked, Path::new("index"), bytes.len() as u64);
        assert!(verified.is_err() || verified.is_ok_and(|found| !found.is_empty()), "bit {bit} is not found");
        let Ok(index) = open(damaged) else { continue };
        for matchers in &matchers {
            let Ok(selected) = block_on(index.select(matchers)) else { continue };
            assert_eq!(selected, naive(&series, matchers), "bit {bit}");
            let list: Vec<_> = series.iter().collect();
            let _ = block_on(index.for_each(&selected, &mut |ordinal, labels, _| {
                assert_eq!(labels, list[ordinal as usize].as_slice(), "bit {bit}");
                Ok(())
            }));
        }
    }
}

#[test]
fn what_is_cut_off_is_refused() {
    let bytes = write(&small());
    for len in 0..bytes.len() {
        assert!(open(bytes[..len].to_vec()).is_err(), "{len} bytes");
    }
}

#[test]
fn large_dictionaries_are_cut() {
    let labels = |n: u32| {
        let id = format!("{:08x}", n.wrapping_mul(2_654_435_761));
        Labels::from_pairs([("id", id.as_str()), ("job", "x")]).as_bytes().to_vec()
    };
    let series: BTreeSet<_> = (0..30_000).map(labels).collect();
    let index = open(write(&series)).unwrap();
    let list: Vec<_> = series.iter().collect();
    for ordinal in (0..30_000).step_by(997) {
        let id = Labels::from_canonical_trusted(list[ordinal]).get("id").unwrap().to_owned();
        let matcher = Matcher::new(MatchOp::Equal, "id", &id).unwrap();
        assert_eq!(block_on(index.select(&[matcher])).unwrap(), RoaringBitmap::from_iter([ordinal as u32]));
    }
    let prefix = Matcher::new(MatchOp::Regex, "id", "a.*").unwrap();
    assert_eq!(block_on(index.select(std::slice::from_ref(&prefix))).unwrap(), naive(&series, &[prefix]));
    assert_eq!(block_on(index.label_values("id", None)).unwrap().len(), 30_000);
    assert!(index.memory_bytes() < 64 << 10);
}

/// The bytes of format version 1.
#[test]
fn golden_index() {
    let bytes = write(&small());
    assert_eq!((bytes.len(), crate::codec::crc::crc32c(&bytes)), GOLDEN);
}

const GOLDEN: (usize, u32) = (2737, 2_462_029_886);

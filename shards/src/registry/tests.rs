//! The registry against maps and a naive filter.

use std::collections::{BTreeMap, BTreeSet};

use futures_lite::future::block_on;
use proptest::prelude::*;

use super::file::SeriesFile;
use super::*;
use crate::io::Disk;
use crate::io::sim::SimDisk;
use crate::model::label::put_label;
use crate::model::{KeyHasher, MatchOp, ShardId};

const HASHER: KeyHasher = KeyHasher::new(7);

fn labels() -> impl Strategy<Value = Labels> {
    let pair = ("[a-d]", "[xyz]{1,2}");
    proptest::collection::btree_map(pair.0, pair.1, 1..5).prop_map(Labels::from_pairs)
}

fn insert(registry: &mut Registry, labels: &Labels) -> SeriesRef {
    registry.insert(HASHER.key(labels.as_bytes()), labels.as_bytes()).unwrap()
}

fn check(registry: &Registry, model: &BTreeMap<u32, Labels>) {
    assert_eq!(registry.len(), model.len());
    assert_eq!(
        registry.iter().map(|(series, _)| series.0).collect::<Vec<_>>(),
        model.keys().copied().collect::<Vec<_>>()
    );
    let mut keys = vec![SeriesKey(1)];
    for (series, labels) in model {
        let key = HASHER.key(labels.as_bytes());
        keys.push(key);
        assert_eq!(registry.find(key), Some(SeriesRef(*series)));
        assert_eq!(registry.key(SeriesRef(*series)), Some(key));
        assert_eq!(&registry.labels(SeriesRef(*series)), labels);
    }
    let mut found = vec![None; 3];
    registry.lookup_many(&keys, &mut found);
    let expected: Vec<_> =
        std::iter::once(None).chain(model.keys().map(|series| Some(SeriesRef(*series)))).collect();
    assert_eq!(found, expected);
    let names: BTreeSet<_> =
        model.values().flat_map(|labels| labels.iter().map(|(name, _)| name.to_owned())).collect();
    assert_eq!(registry.label_names(None), names.into_iter().collect::<Vec<_>>());
    let pairs: BTreeSet<_> =
        model.values().flat_map(|labels| labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned()))).collect();
    assert_eq!(registry.pair_count(), pairs.len());
}

proptest! {
    #[test]
    fn equals_a_map_under_insertions_and_removals(
        steps in proptest::collection::vec((labels(), 0u32..3), 0..200)
    ) {
        let mut registry = Registry::new();
        let mut model: BTreeMap<u32, Labels> = BTreeMap::new();
        let mut most = 0;
        for (labels, action) in steps {
            let known = model.iter().find(|(_, known)| **known == labels).map(|(series, _)| *series);
            if action > 0 {
                let series = insert(&mut registry, &labels);
                prop_assert!(known.is_none_or(|known| known == series.0));
                model.insert(series.0, labels);
                most = most.max(model.len());
                prop_assert_eq!(registry.refs_end() as usize, most);
            } else if let Some(series) = known {
                prop_assert!(registry.remove(SeriesRef(series)));
                prop_assert!(!registry.remove(SeriesRef(series)));
                prop_assert!(registry.labels(SeriesRef(series)).is_empty());
                model.remove(&series);
            }
        }
        check(&registry, &model);
    }

    #[test]
    fn replayed_numbers_are_kept_and_gaps_are_filled(
        sets in proptest::collection::btree_set(labels(), 1..40), seed in 0usize..1000
    ) {
        let mut registry = Registry::new();
        let mut model = BTreeMap::new();
        for (index, labels) in sets.iter().enumerate() {
            // Multiples of three in some order, so that each leaves a gap of two.
            let series = ((index * 7 + seed) % 41 * 3) as u32;
            let key = HASHER.key(labels.as_bytes());
            prop_assert_eq!(registry.insert_at(SeriesRef(series), key, labels.as_bytes()), Ok(()));
            prop_assert_eq!(registry.insert_at(SeriesRef(series), key, labels.as_bytes()), Ok(()));
            let conflict = Err(RegistryError::Taken);
            prop_assert_eq!(registry.insert_at(SeriesRef(series), SeriesKey(5), labels.as_bytes()), conflict);
            prop_assert_eq!(registry.insert_at(SeriesRef(series + 1), key, labels.as_bytes()), conflict);
            model.insert(series, labels.clone());
        }
        let end = registry.refs_end();
        while registry.len() < end as usize {
            let labels = Labels::from_pairs([("new", registry.len().to_string())]);
            let series = insert(&mut registry, &labels);
            prop_assert!(model.insert(series.0, labels).is_none());
        }
        prop_assert_eq!(registry.refs_end(), end);
        check(&registry, &model);
    }

    #[test]
    fn a_loaded_table_equals_its_entries_taken_up_one_by_one(
        mut appends in proptest::collection::vec(proptest::collection::vec((0u32..300, labels()), 1..40), 0..8),
        ordered: bool,
    ) {
        if ordered {
            // As a checkpoint has them.
            appends.iter_mut().for_each(|append| append.sort_by(|left, right| left.1.as_bytes().cmp(right.1.as_bytes())));
        }
        let disk = Disk::Sim(SimDisk::new(1));
        let directory = std::path::Path::new("/series");
        let (table, _) = block_on(SeriesFile::open(&disk, directory, ShardId(0), |_| {})).unwrap();
        let mut one_by_one = Registry::new();
        for append in &appends {
            let entries: Vec<_> =
                append.iter().map(|(number, labels)| (SeriesRef(*number), labels.as_bytes())).collect();
            block_on(table.append(&entries)).unwrap();
            for (series, labels) in entries {
                one_by_one.replace_at(series, HASHER.key(labels), labels).unwrap();
            }
        }
        drop(table);
        let mut registry = Registry::new();
        let mut loader = registry.load();
        block_on(SeriesFile::open(&disk, directory, ShardId(0), |entry| {
            loader.add(entry, HASHER.key(entry.labels)).unwrap();
        })).unwrap();
        futures_lite::future::block_on(loader.finish(&Disk::Sim(SimDisk::new(0))));
        prop_assert_eq!(registry.take_unsaved(), vec![]);
        let model: BTreeMap<u32, Labels> =
            one_by_one.iter().map(|(series, _)| (series.0, one_by_one.labels(series))).collect();
        check(&registry, &model);
        for name in ["a", "b", "c", "d", "none"] {
            for (op, pattern) in [(MatchOp::Equal, "x"), (MatchOp::Equal, ""), (MatchOp::NotRegex, "x|yz")] {
                let matchers = [Matcher::new(op, name, pattern).unwrap()];
                prop_assert_eq!(registry.select(&matchers), one_by_one.select(&matchers));
            }
        }
        prop_assert_eq!(registry.in_label_order(), one_by_one.in_label_order());
        // It goes on as any other.
        for series in model.keys() {
            prop_assert!(registry.remove(SeriesRef(*series)));
        }
        check(&registry, &BTreeMap::new());
    }

    #[test]
    fn long_lists_are_loaded_too(ranges in proptest::collection::vec((1u32..90, 1u32..90), 1..2000), at_once in 1usize..2000) {
        let mut postings = crate::index::Postings::default();
        let mut at = 0;
        let place = |(gap, len): &(u32, u32)| {
            let start = at + gap;
            at = start + len;
            start..at
        };
        let ranges: Vec<std::ops::Range<u32>> = ranges.iter().map(place).collect();
        for part in ranges.chunks(at_once) {
            postings.extend(part);
        }
        prop_assert!(postings.view().to_bitmap().iter().eq(ranges.into_iter().flatten()));
    }

    #[test]
    fn label_order_is_that_of_label_bytes(sections in proptest::collection::vec(
        proptest::collection::btree_set("[a-e]{1,3}", 1..20), 1..20
    )) {
        let mut registry = Registry::new();
        for value in sections.iter().flatten() {
            let labels = Labels::from_pairs([("a", "same"), ("b", value.as_str())]);
            registry.insert(HASHER.key(labels.as_bytes()), labels.as_bytes()).unwrap();
        }
        let ordered: Vec<Vec<u8>> = registry
            .in_label_order()
            .into_iter()
            .map(|series| registry.labels(series).as_bytes().to_vec())
            .collect();
        prop_assert_eq!(ordered.len(), registry.len());
        prop_assert!(ordered.is_sorted(), "{:?}", ordered);
    }

    #[test]
    fn selection_equals_a_filter_of_all_series(
        sets in proptest::collection::btree_set(labels(), 0..60),
        matchers in proptest::collection::vec((0usize..4, "[a-e]", pattern()), 0..4),
        removed in proptest::collection::vec(any::<proptest::sample::Index>(), 0..5),
    ) {
        let mut registry = Registry::new();
        let mut model = BTreeMap::new();
        for labels in sets {
            model.insert(insert(&mut registry, &labels).0, labels);
        }
        for index in removed {
            if let Some(series) = (!model.is_empty()).then(|| *model.keys().nth(index.index(model.len())).unwrap()) {
                registry.remove(SeriesRef(series));
                model.remove(&series);
            }
        }
        let ops = [MatchOp::Equal, MatchOp::NotEqual, MatchOp::Regex, MatchOp::NotRegex];
        let matchers: Vec<_> =
            matchers.iter().map(|(op, name, value)| Matcher::new(ops[*op], name, value).unwrap()).collect();
        let expected: Vec<u32> = model
            .iter()
            .filter(|(_, labels)| {
                matchers.iter().all(|matcher| {
                    let value = labels.get(matcher.name()).unwrap_or("");
                    let equal = value == matcher.value();
                    match matcher.op() {
                        MatchOp::Equal => equal,
                        MatchOp::NotEqual => !equal,
                        op => {
                            let regex = regex::Regex::new(&format!("^(?s:{})$", matcher.value())).unwrap();
                            regex.is_match(value) == (op == MatchOp::Regex)
                        }
                    }
                })
            })
            .map(|(series, _)| *series)
            .collect();
        let selected = registry.select(&matchers);
        prop_assert_eq!(selected.iter().collect::<Vec<_>>(), expected, "{:?}", matchers);

        let chosen = model.iter().filter(|(series, _)| selected.contains(**series));
        let pairs: BTreeSet<_> = chosen.flat_map(|(_, labels)| labels.iter()).collect();
        let names: BTreeSet<_> = pairs.iter().map(|(name, _)| *name).collect();
        prop_assert_eq!(registry.label_names(Some(&selected)), names.into_iter().collect::<Vec<_>>());
        for name in ["a", "b", "e"] {
            let values: Vec<_> = pairs.iter().filter(|pair| pair.0 == name).map(|pair| pair.1).collect();
            prop_assert_eq!(registry.label_values(name, Some(&selected)), values);
        }
    }
}

fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[xyz]{1,2}",
        Just(".*".to_owned()),
        Just(".+".to_owned()),
        "[xyz]\\.\\*",
        "\\.\\*[xyz]",
        "\\.\\*[xyz]\\.\\*",
        "[xyz]\\|[xyz]{2}",
        "[xyz]\\|",
        "\\[xy\\]z\\?",
        "\\[\\^x\\]\\+",
        "[xyz]\\*",
        "\\(x\\|y\\)\\*",
    ]
}

#[test]
fn damaged_label_bytes_leave_no_trace() {
    let mut registry = Registry::new();
    let mut bytes = Vec::new();
    put_label(&mut bytes, "a", "1");
    put_label(&mut bytes, "b", "2");
    let many: Vec<u8> = bytes.repeat(LABELS_MAX);
    for damaged in [&b""[..], &bytes[..bytes.len() - 1], &[bytes.as_slice(), b"\n"].concat(), &many] {
        assert_eq!(registry.insert(SeriesKey(1), damaged), Err(RegistryError::Labels));
        assert_eq!(registry.insert_at(SeriesRef(3), SeriesKey(1), damaged), Err(RegistryError::Labels));
    }
    assert!(registry.is_empty());
    assert_eq!((registry.pair_count(), registry.refs_end()), (0, 0));
    assert_eq!(registry.insert(SeriesKey(1), &bytes), Ok(SeriesRef(0)));
    assert_eq!(registry.insert(SeriesKey(1), b""), Ok(SeriesRef(0)), "a known key is not looked into");
    assert_eq!(registry.insert_at(SeriesRef(SERIES_MAX), SeriesKey(2), &bytes), Err(RegistryError::Taken));
}

//! The registry against a naive model.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::model::{KeyHasher, MatchOp};

fn labels() -> impl Strategy<Value = Labels> {
    let pair = (0usize..4, 0usize..5);
    proptest::collection::vec(pair, 1..4).prop_map(|pairs| {
        let names = ["__name__", "job", "instance", "x"];
        Labels::from_pairs(pairs.into_iter().map(|(name, value)| (names[name], format!("v{value}"))))
    })
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let op = prop_oneof![
        Just(MatchOp::Equal),
        Just(MatchOp::NotEqual),
        Just(MatchOp::Regex),
        Just(MatchOp::NotRegex)
    ];
    let name = prop_oneof![Just("__name__"), Just("job"), Just("instance"), Just("x"), Just("absent")];
    let value = prop_oneof![
        Just(""),
        Just("v0"),
        Just("v1"),
        Just("v[12]"),
        Just("v1|v2|"),
        Just(".*"),
        Just(".+"),
        Just("v.?"),
        Just("(?i)V3"),
        Just("v(0|4)")
    ];
    (op, name, value).prop_map(|(op, name, value)| Matcher::new(op, name, value).unwrap())
}

fn matches(labels: &Labels, matchers: &[Matcher]) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels.get(matcher.name()).unwrap_or("")))
}

proptest! {
    #[test]
    fn behaves_as_a_map_of_series(steps in proptest::collection::vec((any::<u8>(), labels()), 1..60), matchers in proptest::collection::vec(matcher(), 0..4)) {
        let hasher = KeyHasher::new(1);
        let mut registry = Registry::new();
        let mut model = BTreeMap::<SeriesRef, Labels>::new();
        for (action, labels) in steps {
            let key = hasher.key(labels.as_bytes());
            let known = model.iter().find(|(_, there)| **there == labels).map(|(series, _)| *series);
            prop_assert_eq!(registry.find(key), known);
            match known {
                Some(series) if action % 3 == 0 => {
                    registry.remove(series);
                    model.remove(&series);
                }
                Some(series) => prop_assert_eq!(registry.insert_at(series, key, labels.as_bytes()), Ok(())),
                None => {
                    let series = registry.insert(key, labels.as_bytes()).unwrap();
                    prop_assert_eq!(model.insert(series, labels), None);
                }
            }
        }
        prop_assert_eq!(registry.len(), model.len());
        let keys: Vec<_> = model.values().map(|labels| hasher.key(labels.as_bytes())).collect();
        let mut found = Vec::new();
        registry.lookup_many(&keys, &mut found);
        prop_assert_eq!(found, model.keys().copied().map(Some).collect::<Vec<_>>());
        for (series, labels) in &model {
            prop_assert_eq!(&registry.labels(*series), labels);
        }
        let expected: Vec<u32> = model.iter().filter(|(_, labels)| matches(labels, &matchers)).map(|(series, _)| series.0).collect();
        let selected = registry.select(&matchers);
        prop_assert_eq!(selected.iter().collect::<Vec<_>>(), expected);
        let mut values = registry.label_values("job", Some(&selected));
        values.sort();
        let mut expected: Vec<_> = model.values().filter(|labels| matches(labels, &matchers)).filter_map(|labels| labels.get("job").map(str::to_owned)).collect();
        expected.sort();
        expected.dedup();
        prop_assert_eq!(values, expected);
    }
}

#[test]
fn many_series_are_found_again() {
    let hasher = KeyHasher::new(7);
    let mut registry = Registry::new();
    let keys: Vec<_> = (0..20_000)
        .map(|number| {
            let labels = Labels::from_pairs([("__name__", "m"), ("n", &number.to_string())]);
            let key = hasher.key(labels.as_bytes());
            registry.insert(key, labels.as_bytes()).unwrap();
            key
        })
        .collect();
    let mut found = Vec::new();
    registry.lookup_many(&keys, &mut found);
    assert_eq!(found, (0..20_000).map(|number| Some(SeriesRef(number))).collect::<Vec<_>>());
    for number in (0..20_000).step_by(2) {
        registry.remove(SeriesRef(number));
    }
    registry.lookup_many(&keys, &mut found);
    let left = (0..20_000).map(|number| (number % 2 == 1).then_some(SeriesRef(number)));
    assert_eq!(found, left.collect::<Vec<_>>());
    assert_eq!(registry.select(&[Matcher::new(MatchOp::Equal, "__name__", "m").unwrap()]).len(), 10_000);
}

#[test]
fn numbers_skipped_by_a_replay_are_given_out_later() {
    let hasher = KeyHasher::new(7);
    let labels = |n: u32| Labels::from_pairs([("__name__", format!("m{n}"))]);
    let mut registry = Registry::new();
    for number in [3, 1] {
        let labels = labels(number);
        registry.insert_at(SeriesRef(number), hasher.key(labels.as_bytes()), labels.as_bytes()).unwrap();
    }
    let taken: Vec<_> = (10..13)
        .map(|n| registry.insert(hasher.key(labels(n).as_bytes()), labels(n).as_bytes()).unwrap().0)
        .collect();
    assert_eq!(taken, [0, 2, 4]);
    let other = labels(99);
    let refused = registry.insert_at(SeriesRef(3), hasher.key(other.as_bytes()), other.as_bytes());
    assert_eq!(refused, Err(RegistryError::Taken));
}

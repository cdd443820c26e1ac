//! Reads back every acknowledged sample and compares bits.
//!
//! Series are asked for in groups of one scrape target: an instant query for a range selector
//! `{instance="..."}[..]` returns raw samples. Samples that the server has beyond the list are
//! counted, not wrong: they were on their way when the list ended. Staleness markers are never part
//! of an answer, so they are only counted.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::acklog::AckList;
use crate::client::{Client, Url};
use crate::encode::{STALE_NAN_BITS, read_labels};

/// Label by which series are fetched together.
const GROUP_LABEL: &str = "instance";
/// Differences that are spelled out.
const EXAMPLES_MAX: usize = 10;

/// Labels of a series, sorted.
type LabelSet = BTreeMap<String, String>;
/// Value bits by timestamp.
type Samples = BTreeMap<i64, u64>;

/// The outcome of a comparison.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub series: u64,
    pub samples: u64,
    pub missing: u64,
    pub different: u64,
    /// Stored, but not on the list.
    pub beyond: u64,
    /// Staleness markers, which no answer shows.
    pub stale: u64,
    pub examples: Vec<String>,
}

impl Verdict {
    #[must_use]
    pub fn good(&self) -> bool {
        self.missing == 0 && self.different == 0
    }

    fn complain(&mut self, text: String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text);
        }
    }

    fn compare(&mut self, labels: &LabelSet, expected: &Samples, found: &Samples) {
        self.series += 1;
        for (&timestamp, &bits) in expected {
            if bits == STALE_NAN_BITS {
                self.stale += 1;
                continue;
            }
            self.samples += 1;
            match found.get(&timestamp) {
                None => {
                    self.missing += 1;
                    self.complain(format!("{labels:?} at {timestamp}: missing"));
                }
                Some(&other) if !same_value(bits, other) => {
                    self.different += 1;
                    let (sent, read) = (f64::from_bits(bits), f64::from_bits(other));
                    self.complain(format!("{labels:?} at {timestamp}: sent {sent}, read {read}"));
                }
                Some(_) => {}
            }
        }
        self.beyond += found.keys().filter(|timestamp| !expected.contains_key(timestamp)).count() as u64;
    }
}

/// Text tells no NaN from another.
fn same_value(sent: u64, read: u64) -> bool {
    sent == read || (f64::from_bits(sent).is_nan() && f64::from_bits(read).is_nan())
}

/// Compares a list with what the server at `base` (without `/api/v1`) holds.
pub fn verify(list: &Path, base: &Url, timeout: Duration) -> Result<Verdict> {
    let list = AckList::read(list)?;
    let mut client = Client::new(base.join("/api/v1/query"), timeout);
    let mut verdict = Verdict::default();
    for (group, expected) in grouped(&list)? {
        let first = expected.values().filter_map(|samples| samples.keys().next()).min();
        let last = expected.values().filter_map(|samples| samples.keys().next_back()).max();
        let (Some(&first), Some(&last)) = (first, last) else { continue };
        let query = format!("{{{GROUP_LABEL}={group:?}}}[{}ms]", last - first + 1);
        let time = format!("{}.{:03}", last.div_euclid(1000), last.rem_euclid(1000));
        let response = client.post_form(&[("query", &query), ("time", &time)])?;
        if response.status != 200 {
            bail!("{query}: status {}: {}", response.status, String::from_utf8_lossy(&response.body));
        }
        let answer: Value =
            serde_json::from_slice(&response.body).with_context(|| format!("{query}: no JSON"))?;
        let found = read_matrix(&answer).with_context(|| format!("{query}: not a matrix"))?;
        let none = Samples::new();
        for (labels, samples) in &expected {
            verdict.compare(labels, samples, found.get(labels).unwrap_or(&none));
        }
    }
    Ok(verdict)
}

/// Expected samples by value of the group label, then by series.
fn grouped(list: &AckList) -> Result<BTreeMap<String, HashMap<LabelSet, Samples>>> {
    let mut by_series: HashMap<u32, Samples> = HashMap::new();
    for sample in &list.samples {
        by_series.entry(sample.series).or_default().insert(sample.timestamp_ms, sample.bits);
    }
    let mut groups: BTreeMap<String, HashMap<LabelSet, Samples>> = BTreeMap::new();
    for (series, samples) in by_series {
        let bytes = list.labels.get(&series).with_context(|| format!("series {series} has no labels"))?;
        let labels =
            read_labels(bytes).with_context(|| format!("labels of series {series} are malformed"))?;
        let labels: LabelSet = labels.into_iter().collect();
        let group = labels.get(GROUP_LABEL).cloned().unwrap_or_default();
        groups.entry(group).or_default().insert(labels, samples);
    }
    Ok(groups)
}

fn read_matrix(answer: &Value) -> Option<HashMap<LabelSet, Samples>> {
    let mut found = HashMap::new();
    for series in answer.pointer("/data/result")?.as_array()? {
        let labels = series.get("metric")?.as_object()?;
        let labels =
            labels.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let mut samples = Samples::new();
        for pair in series.get("values")?.as_array()? {
            let timestamp = (pair.get(0)?.as_f64()? * 1000.0).round() as i64;
            samples.insert(timestamp, pair.get(1)?.as_str()?.parse::<f64>().ok()?.to_bits());
        }
        found.insert(labels.collect(), samples);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn missing_and_different_samples_are_told_apart() {
        let labels = LabelSet::from([("instance".to_owned(), "a".to_owned())]);
        let expected = Samples::from([(1, 1.0_f64.to_bits()), (2, 2.0_f64.to_bits()), (3, STALE_NAN_BITS)]);
        let found = Samples::from([(2, 2.5_f64.to_bits()), (9, 0)]);
        let mut verdict = Verdict::default();
        verdict.compare(&labels, &expected, &found);
        assert_eq!(
            (verdict.samples, verdict.missing, verdict.different, verdict.beyond, verdict.stale),
            (2, 1, 1, 1, 1)
        );
        assert!(!verdict.good());
        assert_eq!(verdict.examples.len(), 2);
    }

    #[test]
    fn answers_keep_every_bit() {
        let exact = 0.1_f64 + 0.2;
        let answer = json!({"data": {"result": [
            {"metric": {"a": "b"}, "values": [[1_700_000_000.123, exact.to_string()], [1_700_000_001, "+Inf"]]}
        ]}});
        let found = read_matrix(&answer).unwrap();
        let samples = &found[&LabelSet::from([("a".to_owned(), "b".to_owned())])];
        assert_eq!(samples[&1_700_000_000_123], exact.to_bits());
        assert_eq!(samples[&1_700_000_001_000], f64::INFINITY.to_bits());
    }

    #[test]
    fn a_nan_equals_any_other_nan_but_no_number() {
        assert!(same_value(f64::NAN.to_bits(), f64::NAN.to_bits() ^ 1));
        assert!(!same_value(f64::NAN.to_bits(), 0));
        assert!(!same_value(0.0_f64.to_bits(), (-0.0_f64).to_bits()));
    }
}

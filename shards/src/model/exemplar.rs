//! Exemplars: a sample with labels of its own, a trace say, kept as an example of its series.

use super::Labels;

/// One exemplar; equality of values means equality of bits.
#[derive(Debug, Clone)]
pub struct Exemplar {
    pub timestamp_ms: i64,
    pub value: f64,
    pub labels: Labels,
}

impl PartialEq for Exemplar {
    fn eq(&self, other: &Self) -> bool {
        self.timestamp_ms == other.timestamp_ms
            && self.value.to_bits() == other.value.to_bits()
            && self.labels == other.labels
    }
}

impl Eq for Exemplar {}

//! Label sets in their canonical bytes.
//!
//! The canonical form is the protobuf encoding that remote write uses for the labels of a series,
//! with labels sorted by name, names unique, values not empty and lengths in shortest form:
//!
//! | field     | encoding                                   |
//! |-----------|--------------------------------------------|
//! | tag       | `0x0a`                                     |
//! | length    | uvarint, bytes of the four fields below    |
//! | name tag  | `0x0a`                                     |
//! | name      | uvarint length, UTF-8                      |
//! | value tag | `0x12`                                     |
//! | value     | uvarint length, UTF-8                      |
//!
//! repeated per label. So the bytes that a well-behaved sender sends are the canonical bytes, and
//! one hash of them finds the series (see [`super::hash`]). Equal sets have equal bytes.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::codec::varint::{put_uvarint, uvarint_len};
use crate::codec::{Cursor, Truncated};

/// Label that holds the metric name.
pub const METRIC_NAME: &str = "__name__";

const TAG_NAME: u8 = 0x0a;
const TAG_VALUE: u8 = 0x12;
const TAG_LABEL: u8 = 0x0a;

/// Why bytes are not a canonical label set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelsError {
    #[error("labels are not a sequence of name and value fields: {0}")]
    Malformed(#[from] Truncated),
    #[error("labels hold an unexpected field at byte {0}")]
    UnexpectedField(usize),
    #[error("label name or value at byte {0} is not UTF-8")]
    NotUtf8(usize),
    #[error("label name is empty")]
    EmptyName,
    #[error("label {0:?} has an empty value")]
    EmptyValue(String),
    #[error("label {0:?} is given twice")]
    Duplicate(String),
    #[error("label {0:?} is out of order")]
    Unsorted(String),
    #[error("label {0:?} is not in shortest form")]
    NotCanonical(String),
}

/// Appends the canonical encoding of one label.
pub fn put_label(out: &mut Vec<u8>, name: &str, value: &str) {
    let inner =
        2 + uvarint_len(name.len() as u64) + name.len() + uvarint_len(value.len() as u64) + value.len();
    out.push(TAG_LABEL);
    put_uvarint(out, inner as u64);
    out.push(TAG_NAME);
    put_uvarint(out, name.len() as u64);
    out.extend_from_slice(name.as_bytes());
    out.push(TAG_VALUE);
    put_uvarint(out, value.len() as u64);
    out.extend_from_slice(value.as_bytes());
}

/// An immutable, sorted set of labels. Clones share the bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[u8]>);

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl Labels {
    #[must_use]
    pub fn empty() -> Self {
        Self(Arc::from([].as_slice()))
    }

    /// Set of these pairs: sorted here, empty values left out, the last of equal names wins.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut builder = LabelsBuilder::new();
        for (name, value) in pairs {
            builder.set(name.as_ref(), value.as_ref());
        }
        builder.build()
    }

    /// Takes over bytes that claim to be canonical, after checking that they are.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, LabelsError> {
        check_canonical(bytes)?;
        Ok(Self(Arc::from(bytes)))
    }

    /// Takes over bytes that the engine itself made canonical. Checked in debug builds; reading
    /// other bytes gives wrong labels but is not undefined.
    #[must_use]
    pub fn from_canonical_trusted(bytes: &[u8]) -> Self {
        debug_assert!(check_canonical(bytes).is_ok(), "label bytes are canonical");
        Self(Arc::from(bytes))
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Name and value pairs in order of names.
    #[must_use]
    pub fn iter(&self) -> LabelsIter<'_> {
        LabelsIter { cursor: Cursor::new(&self.0) }
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    #[must_use]
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels for which `keep` holds.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&str, &str) -> bool) -> Self {
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut cursor = Cursor::new(&self.0);
        loop {
            let start = cursor.position();
            let Some((name, value)) = next_label(&mut cursor) else { break };
            if keep(name, value) {
                bytes.extend_from_slice(self.0.get(start..cursor.position()).unwrap_or_default());
            }
        }
        if bytes.len() == self.0.len() { self.clone() } else { Self(Arc::from(bytes)) }
    }

    /// The labels but the metric name.
    #[must_use]
    pub fn without_name(&self) -> Self {
        self.filter(|name, _| name != METRIC_NAME)
    }

    #[must_use]
    pub fn builder(&self) -> LabelsBuilder {
        LabelsBuilder {
            pairs: self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

/// Order of Prometheus: by first differing name, then value; a prefix comes first.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.iter().cmp(other.iter()) }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl std::fmt::Debug for Labels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Iterator of [`Labels::iter`].
#[derive(Clone)]
pub struct LabelsIter<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Iterator for LabelsIter<'a> {
    type Item = (&'a str, &'a str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        next_label(&mut self.cursor)
    }
}

/// Name and value of the next label of canonical bytes.
#[inline]
pub(crate) fn next_label<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a str, &'a str)> {
    cursor.u8().ok()?;
    cursor.uvarint().ok()?;
    cursor.u8().ok()?;
    let name = cursor.length_prefixed().ok()?;
    cursor.u8().ok()?;
    let value = cursor.length_prefixed().ok()?;
    Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
}

fn check_canonical(bytes: &[u8]) -> Result<(), LabelsError> {
    let mut cursor = Cursor::new(bytes);
    let mut previous: Option<&str> = None;
    while !cursor.is_empty() {
        let start = cursor.position();
        if cursor.u8()? != TAG_LABEL {
            return Err(LabelsError::UnexpectedField(start));
        }
        let inner_len = cursor.uvarint()?;
        let inner_start = cursor.position();
        if cursor.u8()? != TAG_NAME {
            return Err(LabelsError::UnexpectedField(inner_start));
        }
        let name =
            std::str::from_utf8(cursor.length_prefixed()?).map_err(|_| LabelsError::NotUtf8(inner_start))?;
        let value_start = cursor.position();
        if cursor.u8()? != TAG_VALUE {
            return Err(LabelsError::UnexpectedField(value_start));
        }
        let value =
            std::str::from_utf8(cursor.length_prefixed()?).map_err(|_| LabelsError::NotUtf8(value_start))?;
        if name.is_empty() {
            return Err(LabelsError::EmptyName);
        }
        if value.is_empty() {
            return Err(LabelsError::EmptyValue(name.to_owned()));
        }
        match previous.map(|previous| previous.cmp(name)) {
            Some(Ordering::Equal) => return Err(LabelsError::Duplicate(name.to_owned())),
            Some(Ordering::Greater) => return Err(LabelsError::Unsorted(name.to_owned())),
            _ => {}
        }
        let inner = cursor.position() - inner_start;
        let shortest_inner =
            2 + uvarint_len(name.len() as u64) + name.len() + uvarint_len(value.len() as u64) + value.len();
        let shortest = 1 + uvarint_len(shortest_inner as u64) + shortest_inner;
        if inner as u64 != inner_len || inner != shortest_inner || cursor.position() - start != shortest {
            return Err(LabelsError::NotCanonical(name.to_owned()));
        }
        previous = Some(name);
    }
    Ok(())
}

/// Collects labels in any order.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    /// Sorted by name, names unique, values not empty.
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    #[must_use]
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// Sets or replaces a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        match self.pairs.binary_search_by(|(candidate, _)| candidate.as_str().cmp(name)) {
            Ok(at) if value.is_empty() => {
                self.pairs.remove(at);
            }
            Ok(at) => {
                if let Some((_, old)) = self.pairs.get_mut(at) {
                    value.clone_into(old);
                }
            }
            Err(_) if value.is_empty() => {}
            Err(at) => self.pairs.insert(at, (name.to_owned(), value.to_owned())),
        }
        self
    }

    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.set(name, "")
    }

    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.pairs.binary_search_by(|(candidate, _)| candidate.as_str().cmp(name)).ok()?;
        self.pairs.get(at).map(|(_, value)| value.as_str())
    }

    #[must_use]
    pub fn build(&self) -> Labels {
        let mut bytes = Vec::new();
        for (name, value) in &self.pairs {
            put_label(&mut bytes, name, value);
        }
        Labels(Arc::from(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs() -> impl Strategy<Value = std::collections::BTreeMap<String, String>> {
        proptest::collection::btree_map("[a-z_]{1,12}", ".{1,300}", 0..12)
    }

    proptest! {
        #[test]
        fn built_labels_are_canonical(pairs in pairs()) {
            let labels = Labels::from_pairs(pairs.iter().rev());
            prop_assert_eq!(Labels::from_canonical(labels.as_bytes()), Ok(labels.clone()));
            let read: Vec<_> = labels.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(read, pairs.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn order_is_that_of_the_pairs(left in pairs(), right in pairs()) {
            prop_assert_eq!(Labels::from_pairs(&left).cmp(&Labels::from_pairs(&right)), left.iter().cmp(right.iter()));
        }

        #[test]
        fn noise_is_refused_or_canonical(bytes: Vec<u8>) {
            if let Ok(labels) = Labels::from_canonical(&bytes) {
                let again = Labels::from_pairs(labels.iter());
                prop_assert_eq!(again.as_bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn faults_are_named() {
        let encode = |pairs: &[(&str, &str)]| {
            let mut bytes = Vec::new();
            for (name, value) in pairs {
                put_label(&mut bytes, name, value);
            }
            Labels::from_canonical(&bytes)
        };
        assert_eq!(encode(&[("b", "1"), ("a", "1")]), Err(LabelsError::Unsorted("a".into())));
        assert_eq!(encode(&[("a", "1"), ("a", "2")]), Err(LabelsError::Duplicate("a".into())));
        assert_eq!(encode(&[("", "1")]), Err(LabelsError::EmptyName));
        assert_eq!(encode(&[("a", "")]), Err(LabelsError::EmptyValue("a".into())));
        assert_eq!(Labels::from_canonical(&[0x0a, 5, 0x0a, 1, 0xff, 0x12, 0]), Err(LabelsError::NotUtf8(2)));
    }

    #[test]
    fn filter_and_builder_edit_sets() {
        let labels = Labels::from_pairs([("__name__", "up"), ("job", "a"), ("x", "y")]);
        assert_eq!(labels.without_name(), Labels::from_pairs([("job", "a"), ("x", "y")]));
        let mut builder = labels.builder();
        builder.set("job", "b").remove("x");
        assert_eq!(builder.build(), Labels::from_pairs([("__name__", "up"), ("job", "b")]));
        assert_eq!(labels.to_string(), r#"{__name__="up", job="a", x="y"}"#);
    }
}

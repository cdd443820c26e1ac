//! Labels in any encoding to canonical label bytes, or what is wrong with them.
//!
//! Runs once per series, when its owner shard sees bytes that it does not know and that are not
//! canonical: a sender that does not sort, sends empty values, or frames its labels in another way.

use shards::codec::Cursor;
use shards::limits::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, LABELS_BYTES_MAX, LABELS_MAX};
use shards::model::METRIC_NAME;
use shards::model::label::put_label;

use super::refusal::RefuseReason;
use super::wire::{WireFault, field};

/// What is wrong with the labels of a series.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LabelFault {
    #[error("labels cannot be read: {0}")]
    Malformed(&'static str),
    #[error("name of label {index} is not UTF-8")]
    NameNotUtf8 { index: usize },
    #[error("value of label {name:?} is not UTF-8")]
    ValueNotUtf8 { name: String },
    #[error("name of label {index} is empty")]
    EmptyName { index: usize },
    #[error("label {name:?} is given twice")]
    Duplicate { name: String },
    #[error("no metric name (label __name__)")]
    MissingMetricName,
    #[error("{count} labels, the limit is {LABELS_MAX}")]
    TooMany { count: usize },
    #[error("name of label {index} has {bytes} bytes, the limit is {LABEL_NAME_BYTES_MAX}")]
    NameTooLong { index: usize, bytes: usize },
    #[error("value of label {name:?} has {bytes} bytes, the limit is {LABEL_VALUE_BYTES_MAX}")]
    ValueTooLong { name: String, bytes: usize },
    #[error("labels take {bytes} bytes, the limit is {LABELS_BYTES_MAX}")]
    LabelsTooLong { bytes: usize },
    #[error("labels of the request take more than {max} bytes; send smaller requests")]
    RequestTooLarge { max: usize },
}

impl LabelFault {
    /// How refusals for this fault are counted.
    #[must_use]
    pub const fn reason(&self) -> RefuseReason {
        match self {
            Self::Malformed(_)
            | Self::NameNotUtf8 { .. }
            | Self::ValueNotUtf8 { .. }
            | Self::EmptyName { .. } => RefuseReason::InvalidLabels,
            Self::Duplicate { .. } => RefuseReason::DuplicateLabels,
            Self::MissingMetricName => RefuseReason::MissingMetricName,
            Self::TooMany { .. }
            | Self::NameTooLong { .. }
            | Self::ValueTooLong { .. }
            | Self::LabelsTooLong { .. }
            | Self::RequestTooLarge { .. } => RefuseReason::LabelsTooLarge,
        }
    }
}

/// Canonical bytes of the labels in `label_bytes`: repeated protobuf fields of number 1, in any order
/// and encoding.
pub fn canonicalise(label_bytes: &[u8]) -> Result<Vec<u8>, LabelFault> {
    let mut pairs = parse(label_bytes)?;
    pairs.sort_unstable();
    check_pairs(&pairs)?;
    let mut out = Vec::with_capacity(label_bytes.len());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        put_label(&mut out, name, value);
    }
    if out.len() > LABELS_BYTES_MAX {
        return Err(LabelFault::LabelsTooLong { bytes: out.len() });
    }
    Ok(out)
}

/// Checks labels that are sorted by name: names present, unique and short enough, values short
/// enough, a metric name among them.
pub fn check_pairs(sorted: &[(&str, &str)]) -> Result<(), LabelFault> {
    if sorted.len() > LABELS_MAX {
        return Err(LabelFault::TooMany { count: sorted.len() });
    }
    let mut named = false;
    let mut previous = None;
    let mut bytes = 0;
    for (index, (name, value)) in sorted.iter().enumerate() {
        if name.is_empty() {
            return Err(LabelFault::EmptyName { index });
        }
        if name.len() > LABEL_NAME_BYTES_MAX {
            return Err(LabelFault::NameTooLong { index, bytes: name.len() });
        }
        if value.len() > LABEL_VALUE_BYTES_MAX {
            return Err(LabelFault::ValueTooLong { name: (*name).to_owned(), bytes: value.len() });
        }
        if previous == Some(*name) {
            return Err(LabelFault::Duplicate { name: (*name).to_owned() });
        }
        previous = Some(*name);
        named |= *name == METRIC_NAME && !value.is_empty();
        bytes += name.len() + value.len();
    }
    if bytes > LABELS_BYTES_MAX {
        return Err(LabelFault::LabelsTooLong { bytes });
    }
    if named { Ok(()) } else { Err(LabelFault::MissingMetricName) }
}

/// Names and values in the order of the bytes.
fn parse(label_bytes: &[u8]) -> Result<Vec<(&str, &str)>, LabelFault> {
    let malformed = |fault: WireFault| LabelFault::Malformed(fault.what);
    let mut pairs = Vec::new();
    let mut cursor = Cursor::new(label_bytes);
    while !cursor.is_empty() {
        let (number, payload) = field(&mut cursor).map_err(malformed)?;
        let (1, Some(label)) = (number, payload.bytes()) else {
            return Err(LabelFault::Malformed("a field that is no label"));
        };
        if pairs.len() == LABELS_MAX {
            return Err(LabelFault::TooMany { count: LABELS_MAX + 1 });
        }
        pairs.push(parse_label(label, pairs.len())?);
    }
    Ok(pairs)
}

fn parse_label(label: &[u8], index: usize) -> Result<(&str, &str), LabelFault> {
    let (mut name, mut value) = (&[][..], &[][..]);
    let mut cursor = Cursor::new(label);
    while !cursor.is_empty() {
        let (number, payload) = field(&mut cursor).map_err(|fault| LabelFault::Malformed(fault.what))?;
        match (number, payload.bytes()) {
            (1, Some(bytes)) => name = bytes,
            (2, Some(bytes)) => value = bytes,
            (1 | 2, None) => return Err(LabelFault::Malformed("a name or value that is no string")),
            _ => {}
        }
    }
    if name.len() > LABEL_NAME_BYTES_MAX {
        return Err(LabelFault::NameTooLong { index, bytes: name.len() });
    }
    let name = std::str::from_utf8(name).map_err(|_| LabelFault::NameNotUtf8 { index })?;
    if value.len() > LABEL_VALUE_BYTES_MAX {
        return Err(LabelFault::ValueTooLong { name: name.to_owned(), bytes: value.len() });
    }
    let value = std::str::from_utf8(value).map_err(|_| LabelFault::ValueNotUtf8 { name: name.to_owned() })?;
    Ok((name, value))
}

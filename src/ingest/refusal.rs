//! What of a request was not stored, and why: counted by reason, the first few described.

use std::fmt;

use shards::codec::Cursor;

use super::canonical::LabelFault;
use super::limits::{REFUSED_EXAMPLES_MAX, REFUSED_LABELS_BYTES_MAX};

/// Why samples were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
#[non_exhaustive]
pub enum RefuseReason {
    TooOld,
    TooFarInFuture,
    InvalidLabels,
    DuplicateLabels,
    MissingMetricName,
    LabelsTooLarge,
    SeriesLimit,
    HistogramUnsupported,
}

/// Reasons there are.
pub const REFUSE_REASONS: usize = 8;

impl RefuseReason {
    /// Every reason, at its own [`RefuseReason::index`].
    pub const ALL: [Self; REFUSE_REASONS] = [
        Self::TooOld,
        Self::TooFarInFuture,
        Self::InvalidLabels,
        Self::DuplicateLabels,
        Self::MissingMetricName,
        Self::LabelsTooLarge,
        Self::SeriesLimit,
        Self::HistogramUnsupported,
    ];

    /// Place in tables by reason.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Value of the label `reason` of counters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::TooFarInFuture => "too_far_in_future",
            Self::InvalidLabels => "invalid_labels",
            Self::DuplicateLabels => "duplicate_labels",
            Self::MissingMetricName => "missing_metric_name",
            Self::LabelsTooLarge => "labels_too_large",
            Self::SeriesLimit => "series_limit",
            Self::HistogramUnsupported => "histogram_unsupported",
        }
    }

    /// The reason in an answer.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::TooOld => "older than the retention period",
            Self::TooFarInFuture => "too far in the future",
            Self::InvalidLabels => "invalid labels",
            Self::DuplicateLabels => "label given twice",
            Self::MissingMetricName => "no metric name (label __name__)",
            Self::LabelsTooLarge => "labels too large",
            Self::SeriesLimit => "limit of series reached",
            Self::HistogramUnsupported => "native histograms are not supported yet",
        }
    }
}

/// One refused sample, or all samples of a series that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub reason: RefuseReason,
    /// The labels as text, cut to a sensible length.
    pub labels: String,
    /// Time of the sample; none when the whole series is refused.
    pub timestamp_ms: Option<i64>,
    /// More than the reason says, such as the offending label; may be empty.
    pub detail: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.labels)?;
        if let Some(timestamp_ms) = self.timestamp_ms {
            write!(f, " at {timestamp_ms}")?;
        }
        if self.detail.is_empty() {
            write!(f, ": {}", self.reason.describe())
        } else {
            write!(f, ": {}", self.detail)
        }
    }
}

/// What became of the samples of one request. Plain data that crosses cores and is merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteSummary {
    stored: u64,
    counts: [u64; REFUSE_REASONS],
    examples: Vec<Refused>,
}

impl WriteSummary {
    #[must_use]
    pub const fn new() -> Self {
        Self { stored: 0, counts: [0; REFUSE_REASONS], examples: Vec::new() }
    }

    /// Counts samples that are stored (or were already there).
    pub const fn store(&mut self, samples: u64) {
        self.stored += samples;
    }

    /// Counts `samples` refused samples of the series with these label bytes, which may be anything.
    pub fn refuse(
        &mut self,
        reason: RefuseReason,
        label_bytes: &[u8],
        timestamp_ms: Option<i64>,
        samples: u64,
    ) {
        self.refuse_with(reason, label_bytes, timestamp_ms, samples, String::new);
    }

    /// Counts all samples of a series whose labels are at fault.
    pub fn refuse_labels(&mut self, fault: &LabelFault, label_bytes: &[u8], samples: u64) {
        self.refuse_with(fault.reason(), label_bytes, None, samples, || fault.to_string());
    }

    fn refuse_with(
        &mut self,
        reason: RefuseReason,
        label_bytes: &[u8],
        timestamp_ms: Option<i64>,
        samples: u64,
        detail: impl FnOnce() -> String,
    ) {
        if samples == 0 {
            return;
        }
        self.count(reason, samples);
        if self.examples.len() < REFUSED_EXAMPLES_MAX {
            let labels = labels_text(label_bytes);
            self.examples.push(Refused { reason, labels, timestamp_ms, detail: detail() });
        }
    }

    /// Counts refused samples without describing one.
    pub const fn count(&mut self, reason: RefuseReason, samples: u64) {
        self.counts[reason.index()] += samples;
    }

    /// Shows a refused sample that is counted already, if there is room.
    pub fn describe(&mut self, refused: Refused) {
        if self.examples.len() < REFUSED_EXAMPLES_MAX {
            self.examples.push(refused);
        }
    }

    /// Adds what became of another part of the same request.
    pub fn merge(&mut self, other: Self) {
        self.stored += other.stored;
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        let room = REFUSED_EXAMPLES_MAX.saturating_sub(self.examples.len());
        self.examples.extend(other.examples.into_iter().take(room));
    }

    #[must_use]
    pub const fn stored(&self) -> u64 {
        self.stored
    }

    #[must_use]
    pub fn refused(&self) -> u64 {
        self.counts.iter().sum()
    }

    #[must_use]
    pub fn is_all_stored(&self) -> bool {
        self.refused() == 0
    }

    /// Refused samples by reason, without the reasons that did not occur.
    pub fn by_reason(&self) -> impl Iterator<Item = (RefuseReason, u64)> + '_ {
        RefuseReason::ALL.into_iter().zip(self.counts).filter(|(_, count)| *count > 0)
    }

    /// The first few that were refused.
    #[must_use]
    pub fn examples(&self) -> &[Refused] {
        &self.examples
    }
}

/// The text of the answer to a request of which something was refused.
impl fmt::Display for WriteSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = self.refused();
        write!(f, "{refused} of {} samples refused, the others are stored:", refused + self.stored)?;
        for (index, (reason, count)) in self.by_reason().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {count} {}", reason.describe())?;
        }
        for example in &self.examples {
            write!(f, "\n{example}")?;
        }
        if refused > self.examples.len() as u64 && !self.examples.is_empty() {
            f.write_str("\n...")?;
        }
        Ok(())
    }
}

/// Label bytes in the form `{name="value", ..}`, as far as they can be read, cut to a sensible length.
#[must_use]
pub fn labels_text(label_bytes: &[u8]) -> String {
    use fmt::Write;

    let mut text = String::from("{");
    let mut cursor = Cursor::new(label_bytes);
    while !cursor.is_empty() && text.len() <= REFUSED_LABELS_BYTES_MAX {
        let Some((name, value)) = next_pair(&mut cursor) else {
            text.push_str("...}");
            return text;
        };
        if text.len() > 1 {
            text.push_str(", ");
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{}={:?}", cut(name), cut(value));
    }
    if text.len() > REFUSED_LABELS_BYTES_MAX {
        let end = text.floor_char_boundary(REFUSED_LABELS_BYTES_MAX);
        text.truncate(end);
        text.push_str("...");
    }
    text.push('}');
    text
}

/// Name and value of the next label, in this order, whatever they hold.
fn next_pair<'a>(cursor: &mut Cursor<'a>) -> Option<(&'a [u8], &'a [u8])> {
    if cursor.u8().ok()? != 0x0a {
        return None;
    }
    let mut label = Cursor::new(cursor.length_prefixed().ok()?);
    let (mut name, mut value) = (&[][..], &[][..]);
    while !label.is_empty() {
        match label.u8().ok()? {
            0x0a => name = label.length_prefixed().ok()?,
            0x12 => value = label.length_prefixed().ok()?,
            _ => return None,
        }
    }
    Some((name, value))
}

/// The beginning of a text that may be long and may not be UTF-8.
fn cut(bytes: &[u8]) -> String {
    let head = bytes.get(..REFUSED_LABELS_BYTES_MAX).unwrap_or(bytes);
    String::from_utf8_lossy(head).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shards::model::label::put_label;

    fn encode(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, value) in pairs {
            put_label(&mut bytes, name, value);
        }
        bytes
    }

    #[test]
    fn reasons_are_at_their_own_index() {
        for (index, reason) in RefuseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }

    #[test]
    fn the_answer_counts_all_and_shows_the_first_few() {
        let labels = encode(&[("__name__", "up"), ("job", "a\"b")]);
        let mut summary = WriteSummary::new();
        summary.store(10);
        summary.refuse(RefuseReason::TooOld, &labels, Some(1_000), 1);
        let mut other = WriteSummary::new();
        other.refuse(RefuseReason::HistogramUnsupported, &labels, None, 2);
        summary.merge(other);
        assert_eq!(
            summary.to_string(),
            "3 of 13 samples refused, the others are stored: 1 older than the retention period, \
             2 native histograms are not supported yet\n\
             {__name__=\"up\", job=\"a\\\"b\"} at 1000: older than the retention period\n\
             {__name__=\"up\", job=\"a\\\"b\"}: native histograms are not supported yet\n..."
        );
    }

    #[test]
    fn examples_are_bounded_in_number_and_length() {
        let labels = encode(&[("__name__", &"x".repeat(10_000_000))]);
        let mut summary = WriteSummary::new();
        for timestamp in 0..100 {
            let mut part = WriteSummary::new();
            part.refuse(RefuseReason::LabelsTooLarge, &labels, Some(timestamp), 1);
            summary.merge(part);
        }
        assert_eq!(summary.refused(), 100);
        assert_eq!(summary.examples().len(), REFUSED_EXAMPLES_MAX);
        assert!(summary.to_string().len() < 4096);
    }

    #[test]
    fn labels_of_any_bytes_have_a_text() {
        assert_eq!(labels_text(b""), "{}");
        assert_eq!(labels_text(&[0xff; 9]), "{...}");
        assert_eq!(labels_text(&[0x0a, 6, 0x0a, 1, b'a', 0x12, 1, 0xff]), "{a=\"\u{fffd}\"}");
    }
}

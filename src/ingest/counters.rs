//! What the decoding of one core did, and its lines in the exposition.

use super::batch::WriteRequest;
use super::error::DecodeError;
use super::refusal::{REFUSE_REASONS, RefuseReason, WriteSummary};
use crate::telemetry::{Counter, Exposition};

/// Live counters of one core.
#[derive(Debug, Default)]
pub struct IngestCounters {
    requests: Counter,
    requests_unreadable: Counter,
    compressed_bytes: Counter,
    series: Counter,
    samples: Counter,
    exemplars_ignored: Counter,
    metadata_ignored: Counter,
    refused: [Counter; REFUSE_REASONS],
}

impl IngestCounters {
    /// Counts a decoded body of `compressed_bytes`, or that it could not be read.
    pub fn decoded(&self, compressed_bytes: usize, result: &Result<WriteRequest, DecodeError>) {
        self.requests.inc();
        self.compressed_bytes.add(compressed_bytes as u64);
        match result {
            Ok(request) => {
                self.series.add(request.series);
                self.samples.add(request.samples);
                self.exemplars_ignored.add(request.exemplars_ignored);
                self.metadata_ignored.add(request.metadata_ignored);
            }
            Err(_) => self.requests_unreadable.inc(),
        }
    }

    /// Counts what was refused of a request in the end, by the decoder and by the shards.
    pub fn finished(&self, summary: &WriteSummary) {
        for (reason, count) in summary.by_reason() {
            if let Some(counter) = self.refused.get(reason.index()) {
                counter.add(count);
            }
        }
    }

    #[must_use]
    pub fn figures(&self) -> IngestFigures {
        IngestFigures {
            requests: self.requests.get(),
            requests_unreadable: self.requests_unreadable.get(),
            compressed_bytes: self.compressed_bytes.get(),
            series: self.series.get(),
            samples: self.samples.get(),
            exemplars_ignored: self.exemplars_ignored.get(),
            metadata_ignored: self.metadata_ignored.get(),
            refused: std::array::from_fn(|index| self.refused.get(index).map_or(0, Counter::get)),
        }
    }
}

/// The counters at one moment; may cross cores and be added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IngestFigures {
    pub requests: u64,
    pub requests_unreadable: u64,
    pub compressed_bytes: u64,
    pub series: u64,
    pub samples: u64,
    pub exemplars_ignored: u64,
    pub metadata_ignored: u64,
    /// By [`RefuseReason::index`].
    pub refused: [u64; REFUSE_REASONS],
}

impl IngestFigures {
    /// Adds those of another core.
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.requests_unreadable += other.requests_unreadable;
        self.compressed_bytes += other.compressed_bytes;
        self.series += other.series;
        self.samples += other.samples;
        self.exemplars_ignored += other.exemplars_ignored;
        self.metadata_ignored += other.metadata_ignored;
        for (count, more) in self.refused.iter_mut().zip(other.refused) {
            *count += more;
        }
    }

    pub fn expose(&self, exposition: &mut Exposition) {
        let counters = [
            ("tsdb_ingest_requests_total", "Write bodies decoded.", self.requests),
            (
                "tsdb_ingest_requests_unreadable_total",
                "Write bodies that could not be decoded.",
                self.requests_unreadable,
            ),
            ("tsdb_ingest_compressed_bytes_total", "Bytes of write bodies as sent.", self.compressed_bytes),
            ("tsdb_ingest_series_total", "Series in write bodies.", self.series),
            ("tsdb_ingest_samples_total", "Samples handed to shards.", self.samples),
            ("tsdb_ingest_exemplars_ignored_total", "Exemplars not stored.", self.exemplars_ignored),
            (
                "tsdb_ingest_metadata_ignored_total",
                "Metadata entries that cannot be stored.",
                self.metadata_ignored,
            ),
        ];
        for (name, help, value) in counters {
            exposition.counter(name, help).count(&[], value);
        }
        let mut refused = exposition.counter("tsdb_ingest_samples_refused_total", "Samples not stored.");
        for (reason, count) in RefuseReason::ALL.into_iter().zip(self.refused) {
            refused.count(&[("reason", reason.as_str())], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_cores_add_up() {
        let counters = IngestCounters::default();
        counters.decoded(10, &Ok(WriteRequest { series: 2, samples: 3, ..WriteRequest::default() }));
        counters.decoded(5, &Err(DecodeError::TooManySeries { max: 1 }));
        let mut summary = WriteSummary::new();
        summary.refuse(RefuseReason::TooOld, b"", None, 4);
        counters.finished(&summary);
        let mut figures = counters.figures();
        figures.merge(&counters.figures());
        assert_eq!((figures.requests, figures.requests_unreadable, figures.samples), (4, 2, 6));
        let mut exposition = Exposition::new();
        figures.expose(&mut exposition);
        let text = exposition.finish();
        assert!(text.contains("\ntsdb_ingest_samples_refused_total{reason=\"too_old\"} 8\n"), "{text}");
        assert!(text.contains("\ntsdb_ingest_compressed_bytes_total 30\n"), "{text}");
    }
}

//! The nouns of the engine: labels, series, samples, matchers and time ranges. No I/O.

pub mod batch;
pub mod columns;
pub mod delete;
pub mod exemplar;
pub mod hash;
pub mod histogram;
pub mod label;
pub mod matcher;
pub mod metadata;
pub mod need;
mod re2;
pub mod regex;
pub mod sample;
pub mod series;
pub mod time;

pub use batch::{BatchSeries, SampleBatch};
pub use columns::SampleColumns;
pub use delete::Delete;
pub use exemplar::Exemplar;
pub use hash::{KeyHasher, SeriesKey};
pub use histogram::{CounterReset, Counts, HistogramError, NativeHistogram, Span};
pub use label::{Labels, LabelsBuilder, LabelsError, METRIC_NAME};
pub use matcher::{MatchOp, Matcher, MatcherError};
pub use metadata::{Metadata, MetricType};
pub use sample::{STALE_NAN_BITS, Sample, is_stale_nan, stale_nan};
pub use series::{SeriesRef, ShardId};
pub use time::TimeRange;

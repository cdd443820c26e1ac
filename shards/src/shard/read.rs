//! Reading: series by matchers with their samples.
//!
//! The series come in label order: those of the registry, which the memtable and the runs have, and
//! those of each block, joined by their labels. They are prepared in batches, so that the reads of
//! many chunks are in flight at once; samples are decoded when a series is reached.

use std::collections::VecDeque;
use std::rc::Rc;

use super::Shard;
use super::fetch::Fetched;
use super::metrics::add;
use super::stream::SeriesStream;
use super::view::View;
use crate::error::Result;
use crate::model::need::Need;
use crate::model::{Labels, Matcher, Metadata, SampleColumns, TimeRange};

/// The selected series, one after the other. Lives on the shard's core.
///
/// It sees the parts that are there when it begins; dropping it ends the read.
pub struct SeriesCursor {
    shard: Rc<Shard>,
    matchers: Vec<Matcher>,
    range: TimeRange,
    labelled: bool,
    stream: Option<SeriesStream>,
    fetched: VecDeque<Fetched>,
    fetcher: super::fetch::Fetcher,
}

impl SeriesCursor {
    /// For a reader that does not look at labels: they may come empty.
    #[must_use]
    pub const fn without_labels(mut self) -> Self {
        self.labelled = false;
        self
    }

    /// The next series that has samples in the range, with these samples in `columns`. What a reader
    /// has taken out of them is told again, but single timestamps must not be changed meanwhile.
    pub async fn next(&mut self, columns: &mut SampleColumns) -> Result<Option<Labels>> {
        loop {
            self.shard.disk.yield_if_needed().await;
            let stream = match &mut self.stream {
                Some(stream) => stream,
                none => {
                    let view = View::take_ranked(&self.shard);
                    let mut stream =
                        SeriesStream::begin(view, &self.matchers, self.range, self.fetcher.need()).await?;
                    if !self.labelled {
                        stream.leave_labels();
                    }
                    none.insert(stream)
                }
            };
            if self.fetched.is_empty() {
                self.fetcher.fill(stream, &mut self.fetched).await?;
            }
            let Some(mut fetched) = self.fetched.pop_front() else { return Ok(None) };
            self.fetcher.decode(stream.view(), &mut fetched, columns);
            if !columns.is_empty() {
                add(&self.shard.counters.select_series, 1);
                add(&self.shard.counters.select_samples, columns.len() as u64);
                return Ok(Some(Labels::from_canonical_trusted(&fetched.labels)));
            }
        }
    }
}

impl Shard {
    /// Begins a read of the series that satisfy all matchers.
    #[must_use]
    pub fn select(self: &Rc<Self>, matchers: &[Matcher], range: TimeRange) -> SeriesCursor {
        self.select_needed(matchers, range, Need::All)
    }

    /// Likewise, of a reader that needs less than all samples.
    #[must_use]
    pub fn select_needed(
        self: &Rc<Self>,
        matchers: &[Matcher],
        range: TimeRange,
        need: Need,
    ) -> SeriesCursor {
        add(&self.counters.selects, 1);
        SeriesCursor {
            shard: Rc::clone(self),
            matchers: matchers.to_vec(),
            range,
            labelled: true,
            stream: None,
            fetched: VecDeque::new(),
            fetcher: super::fetch::Fetcher::new(range, need),
        }
    }

    /// What senders said about their metric families, in no order.
    #[must_use]
    pub fn metadata(&self) -> Vec<Metadata> {
        self.state.borrow().metadata.values().cloned().collect()
    }
}

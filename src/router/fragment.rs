//! Running the fragments of a query where the data is.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use shards::shard::{SampleColumns, Shard};

use super::Router;
use crate::promql::eval::{EvalError, FragmentOutput, FragmentRunner};
use crate::promql::plan::Fragment;

/// Series between two looks at the clock.
const CHECK_EVERY: u64 = 64;

/// How long one query may run and what it has read, shared by all cores that work for it. The limit
/// of samples is the evaluation's own.
#[derive(Debug)]
pub struct QueryBudget {
    deadline: Instant,
    canceled: AtomicBool,
    samples: AtomicU64,
}

impl QueryBudget {
    #[must_use]
    pub const fn new(deadline: Instant) -> Self {
        Self { deadline, canceled: AtomicBool::new(false), samples: AtomicU64::new(0) }
    }

    /// Tells all cores to stop working for this query.
    pub fn cancel(&self) {
        self.canceled.store(true, Ordering::Relaxed);
    }

    /// Fails when the query was canceled or its time is over.
    pub fn check(&self) -> Result<(), EvalError> {
        if self.canceled.load(Ordering::Relaxed) {
            return Err(EvalError::Canceled);
        }
        if Instant::now() >= self.deadline { Err(EvalError::Timeout) } else { Ok(()) }
    }

    /// Counts samples that were read.
    pub fn count(&self, samples: u64) {
        self.samples.fetch_add(samples, Ordering::Relaxed);
    }

    /// Samples read so far.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }
}

impl Router {
    /// Runs a fragment on every shard; outputs in shard order, so that the same query over the
    /// same data gives the same bits.
    pub async fn run_fragment(
        &self,
        fragment: Fragment,
        budget: &Arc<QueryBudget>,
    ) -> Result<Vec<FragmentOutput>, EvalError> {
        let fragment = Arc::new(fragment);
        let mut replies = Vec::with_capacity(self.shards.len());
        for handle in self.shards.iter() {
            let (fragment, budget) = (Arc::clone(&fragment), Arc::clone(budget));
            let work = move |shard| async move { run(&shard, &fragment, &budget).await };
            let reply = handle.call(work);
            replies.push(reply.map_err(|error| EvalError::Unavailable(error.to_string()))?);
        }
        let mut outputs = Vec::with_capacity(replies.len());
        for reply in replies {
            outputs.push(reply.await.map_err(|error| EvalError::Unavailable(error.to_string()))??);
        }
        Ok(outputs)
    }
}

/// Runs on the shard's core.
async fn run(
    shard: &Rc<Shard>,
    fragment: &Fragment,
    budget: &QueryBudget,
) -> Result<FragmentOutput, EvalError> {
    budget.check()?;
    let mut cursor = shard.select_needed(&fragment.matchers, fragment.range(), fragment.need());
    if !fragment.needs_labels() {
        cursor = cursor.without_labels();
    }
    let mut runner = FragmentRunner::new(fragment);
    let mut columns = SampleColumns::default();
    let mut series = 0_u64;
    loop {
        let next = cursor.next(&mut columns).await;
        let Some(labels) = next.map_err(|error| EvalError::Storage(error.to_string()))? else { break };
        budget.count(columns.timestamps_ms.len() as u64);
        runner.push(&labels, &columns)?;
        series += 1;
        if series.is_multiple_of(CHECK_EVERY) {
            budget.check()?;
        }
    }
    Ok(runner.finish())
}

//! From the text of a query to its value: admission, parsing, planning, evaluation.

pub mod admission;

use std::sync::Arc;
use std::time::{Duration, Instant};

use self::admission::Gate;
use crate::promql::eval::{EvalError, FragmentHost, FragmentOutput, evaluate};
use crate::promql::plan::{Fragment, Plan, QueryParams, QueryTimes};
use crate::promql::value::QueryOutput;
use crate::promql::{ParseError, ParserOptions, parse};
use crate::router::fragment::QueryBudget;
use crate::router::{Router, coop};

/// Why a query has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    #[error(transparent)]
    Parse(#[from] ParseError),
    #[error(transparent)]
    Eval(#[from] EvalError),
}

/// Limits and defaults of queries.
#[derive(Debug, Clone, Copy)]
pub struct QuerySettings {
    /// Samples that one query may read, and values it may hold.
    pub samples_max: u64,
    pub lookback_ms: i64,
    /// Resolution of subqueries that name none.
    pub subquery_step_ms: i64,
    pub parser: ParserOptions,
}

/// One query to answer.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub text: &'a str,
    pub times: QueryTimes,
    pub timeout: Duration,
    /// Overrides the server's lookback delta.
    pub lookback_ms: Option<i64>,
}

/// The answer with what it cost.
#[derive(Debug, Clone)]
pub struct Answer {
    pub output: QueryOutput,
    /// Time spent waiting for a free slot.
    pub queued: Duration,
    /// Time spent parsing and planning.
    pub prepared: Duration,
    pub evaluated: Duration,
    pub samples_read: u64,
}

/// Answers queries on one router core; the slots are those of the whole server.
#[derive(Clone)]
pub struct QueryService {
    router: Router,
    settings: QuerySettings,
    gate: Gate,
}

impl QueryService {
    #[must_use]
    pub const fn new(router: Router, settings: QuerySettings, gate: Gate) -> Self {
        Self { router, settings, gate }
    }

    /// Answers a query. Dropping the future cancels it on all cores.
    pub async fn answer(&self, question: Question<'_>) -> Result<Answer, QueryError> {
        let started = Instant::now();
        let expr = parse(question.text, &self.settings.parser)?;
        let params = QueryParams {
            times: question.times,
            lookback_ms: question.lookback_ms.unwrap_or(self.settings.lookback_ms),
            subquery_step_ms: self.settings.subquery_step_ms,
            samples_max: self.settings.samples_max,
            delayed_name_removal: false,
        };
        let plan = Plan::new(&expr, &params)?;
        let prepared = started.elapsed();
        let slot = coop::within(question.timeout, self.gate.enter()).await;
        let slot = slot.ok_or(EvalError::Timeout)?;
        let queued = started.elapsed().saturating_sub(prepared);
        let deadline = started + question.timeout;
        let budget = Arc::new(QueryBudget::new(deadline));
        let host = Host { router: &self.router, budget: &budget };
        let evaluating = Instant::now();
        let running = Running(&budget);
        let output = evaluate(&plan, &host).await?;
        drop(running);
        drop(slot);
        Ok(Answer {
            output,
            queued,
            prepared,
            evaluated: evaluating.elapsed(),
            samples_read: budget.samples(),
        })
    }
}

/// Cancels the work of all cores when the query ends, however it ends.
struct Running<'a>(&'a QueryBudget);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

struct Host<'a> {
    router: &'a Router,
    budget: &'a Arc<QueryBudget>,
}

impl FragmentHost for Host<'_> {
    async fn fetch(&self, fragment: Fragment) -> Result<Vec<FragmentOutput>, EvalError> {
        self.router.run_fragment(fragment, self.budget).await
    }

    async fn yield_now(&self) -> Result<(), EvalError> {
        coop::yield_if_needed().await;
        self.budget.check()
    }
}

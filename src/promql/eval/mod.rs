//! Evaluation of plans.
//!
//! Shards run the fragments of a plan ([`FragmentRunner`], one call per series); the router asks for
//! them through a [`FragmentHost`], merges what comes back in shard order and evaluates the rest
//! ([`evaluate`]). Nothing here knows executors or storage.

mod maps;
pub mod runner;
mod selector;

pub use super::eval_error::EvalError;
pub use runner::{FragmentOutput, FragmentRunner};

use super::plan::{Fragment, Plan};
use super::value::QueryOutput;

/// Steps or series handled between two calls of [`FragmentHost::yield_now`].
pub const YIELD_ITEMS: usize = 4_096;

/// What evaluation needs from its surroundings.
#[expect(async_fn_in_trait, reason = "evaluation stays on one core, its futures need not be Send")]
pub trait FragmentHost {
    /// Runs the fragment on every shard; outputs in shard order.
    async fn fetch(&self, fragment: Fragment) -> Result<Vec<FragmentOutput>, EvalError>;

    /// Lets other work run; fails when the query is past its deadline or was canceled.
    async fn yield_now(&self) -> Result<(), EvalError>;
}

/// Evaluates a plan.
pub async fn evaluate<H: FragmentHost>(plan: &Plan, host: &H) -> Result<QueryOutput, EvalError> {
    let _ = (plan, host);
    Err(EvalError::Unsupported("evaluation".to_owned()))
}

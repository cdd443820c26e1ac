//! From a router core to the shards and back: which shard does what, and how the answers come
//! together.
//!
//! A [`Router`] is a cheap handle that any core may hold. Work goes to a shard's core as a closure
//! through its bounded mailbox; a full mailbox is an error that tells the client to come back.

pub mod admin;
pub mod coop;
pub mod fragment;
pub mod listing;
pub mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shards::engine::{CallError, Engine, EngineHandle, ShardHandle, ShardState};
use shards::model::KeyHasher;
use shards::shard::ShardMetrics;

use crate::ingest::DecodeLimits;

/// Why a shard did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RouterError {
    /// Later it may work: the shard has too much to do, no room on its disk, or is starting.
    #[error("{0}")]
    TryLater(String),
    #[error("{0}")]
    Failed(String),
}

impl From<CallError> for RouterError {
    fn from(error: CallError) -> Self {
        Self::TryLater(error.to_string())
    }
}

impl From<shards::error::Error> for RouterError {
    fn from(error: shards::error::Error) -> Self {
        match error {
            shards::error::Error::Busy | shards::error::Error::DiskFull { .. } => {
                Self::TryLater(error.to_string())
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Handle to all shards of the server.
#[derive(Clone)]
pub struct Router {
    engine: EngineHandle,
    shards: Arc<[ShardHandle]>,
    hasher: Arc<KeyHasher>,
    limits: DecodeLimits,
    next: Arc<AtomicUsize>,
}

impl Router {
    #[must_use]
    pub fn new(engine: &Engine, limits: DecodeLimits) -> Self {
        Self {
            engine: engine.handle(),
            shards: Arc::clone(engine.shards()),
            hasher: Arc::new(engine.hasher().clone()),
            limits,
            next: Arc::new(AtomicUsize::new(0)),
        }
    }

    #[must_use]
    pub fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    #[must_use]
    pub fn shard_count(&self) -> u16 {
        u16::try_from(self.shards.len()).unwrap_or(u16::MAX)
    }

    /// Whether every shard has read its log.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.shards.iter().all(|shard| shard.state() == ShardState::Ready)
    }

    /// Shards that have read their log.
    #[must_use]
    pub fn ready_shards(&self) -> usize {
        self.shards.iter().filter(|shard| shard.state() == ShardState::Ready).count()
    }

    /// The shard that has least to do; among equals they take turns.
    fn least_loaded(&self) -> &ShardHandle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.shards.len();
        let (before, after) = self.shards.split_at(turn);
        let in_turn = after.iter().chain(before);
        // A server has at least one shard, so there is always one to fall back on.
        in_turn.min_by_key(|shard| shard.backlog()).unwrap_or(&self.shards[0])
    }

    /// Figures of every shard that answers.
    pub async fn metrics(&self) -> Vec<(u16, ShardMetrics)> {
        let calls = self.shards.iter().filter_map(|shard| {
            let reply = shard.call(|shard| async move { shard.metrics() }).ok()?;
            Some(async move { reply.await.ok().map(|metrics| (shard.shard().0, metrics)) })
        });
        futures_util::future::join_all(calls).await.into_iter().flatten().collect()
    }
}

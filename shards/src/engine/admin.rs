//! What is asked of all shards at once: flush, compaction, deletes, snapshots, retention.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Engine, EngineHandle, Retention, shard_retention};
use crate::engine::CallError;
use crate::error::{Error, Result};
use crate::io::dirs;
use crate::model::{Matcher, TimeRange};
use crate::shard::Shard;

impl From<CallError> for Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Busy(_) => Self::Busy,
            other => Self::Executor { reason: other.to_string() },
        }
    }
}

impl EngineHandle {
    /// Has every shard do something and waits for all of them; the first failure counts.
    async fn all<F, Fut>(&self, work: F) -> Result<()>
    where
        F: FnOnce(Rc<Shard>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Result<()>> + 'static,
    {
        let asked: Vec<_> = self.shards.iter().map(|shard| shard.call(work.clone())).collect();
        let mut outcome = Ok(());
        for reply in asked {
            let done = match reply {
                Ok(reply) => reply.await.map_err(Error::from).flatten(),
                Err(error) => Err(error.into()),
            };
            if outcome.is_ok() {
                outcome = done;
            }
        }
        outcome
    }

    /// Writes what is in memory to disk as runs.
    pub async fn flush(&self) -> Result<()> {
        self.all(|shard| async move { shard.flush_and_trim().await }).await
    }

    /// Flushes, then merges everything to the highest level.
    pub async fn compact(&self) -> Result<()> {
        self.all(|shard| async move { shard.compact().await }).await
    }

    /// Deletes the samples in a range of the series that satisfy one of the selectors.
    pub async fn delete(&self, selectors: Vec<Vec<Matcher>>, range: TimeRange) -> Result<()> {
        self.all(move |shard| async move { shard.delete(&selectors, range).await }).await
    }

    /// Carries deletes out on everything on disk.
    pub async fn clean_tombstones(&self) -> Result<()> {
        self.all(|shard| async move { shard.clean_tombstones().await }).await
    }

    /// Copies everything into a directory that does not exist yet, by links: a data directory of its
    /// own, on the same file system. A relative path is one below the data directory.
    pub async fn snapshot(&self, directory: &Path) -> Result<PathBuf> {
        let directory = self.directory.join(directory);
        if directory.exists() {
            let exists = std::io::ErrorKind::AlreadyExists.into();
            return Err(Error::io("create", &directory, &exists));
        }
        dirs::create_directory(&directory)?;
        let to = directory.clone();
        let linked = self
            .all(move |shard| async move { shard.snapshot(&dirs::shard_directory(&to, shard.id())).await });
        // The file that makes it a data directory comes last.
        let outcome = linked.await.and_then(|()| super::data_dir::write(&directory, self.meta));
        if outcome.is_err() {
            // Half a snapshot is of no use.
            let _ = dirs::remove_directory(&directory);
        }
        outcome.map(|()| directory)
    }

    /// Changes what is kept.
    pub async fn set_retention(&self, retention: Retention) -> Result<()> {
        let share = shard_retention(retention, &self.directory, self.meta.shards)?;
        self.all(move |shard| async move {
            shard.set_retention(share);
            shard.apply_retention()
        })
        .await
    }
}

impl Engine {
    /// A handle for the same things that may go to other threads.
    #[must_use]
    pub fn handle(&self) -> EngineHandle {
        EngineHandle {
            meta: self.meta,
            directory: self.directory.clone(),
            shards: std::sync::Arc::clone(&self.shards),
        }
    }
}

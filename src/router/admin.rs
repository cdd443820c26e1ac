//! What operators ask for: passed on to the engine as a whole.

use std::path::{Path, PathBuf};

use shards::engine::Retention;
use shards::model::{Matcher, TimeRange};

use super::{Router, RouterError};

/// Directory of the snapshots in a data directory.
const SNAPSHOTS_DIRECTORY: &str = "snapshots";

impl Router {
    pub async fn flush(&self) -> Result<(), RouterError> {
        Ok(self.engine.flush().await?)
    }

    pub async fn compact(&self) -> Result<(), RouterError> {
        Ok(self.engine.compact().await?)
    }

    pub async fn clean_tombstones(&self) -> Result<(), RouterError> {
        Ok(self.engine.clean_tombstones().await?)
    }

    pub async fn delete(&self, selectors: Vec<Vec<Matcher>>, range: TimeRange) -> Result<(), RouterError> {
        Ok(self.engine.delete(selectors, range).await?)
    }

    /// Makes a snapshot of this name; tells where it is.
    pub async fn snapshot(&self, name: &str) -> Result<PathBuf, RouterError> {
        let directory = Path::new(SNAPSHOTS_DIRECTORY).join(name);
        Ok(self.engine.snapshot(&directory).await?)
    }

    pub async fn set_retention(&self, retention: Retention) -> Result<(), RouterError> {
        Ok(self.engine.set_retention(retention).await?)
    }
}

//! What is kept, as it is now: set at the start, changed by operators and by SIGHUP.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use shards::engine::Retention;

use crate::http::service::RetentionChange;
use crate::router::{Router, RouterError};
use crate::units::{parse_duration, parse_size};

/// The present retention, shared by all cores.
#[derive(Clone)]
pub(super) struct SharedRetention {
    flags: Retention,
    now: Arc<Mutex<Retention>>,
}

impl SharedRetention {
    /// Begins with what the flags say, and the file of settings if there is one.
    pub(super) fn new(flags: Retention, settings: RetentionChange) -> Self {
        Self { flags, now: Arc::new(Mutex::new(changed(flags, settings))) }
    }

    pub(super) fn now(&self) -> Retention {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is given and has all shards follow.
    pub(super) async fn change(&self, router: &Router, change: RetentionChange) -> Result<(), RouterError> {
        self.replace(router, |now| changed(now, change)).await
    }

    /// Begins anew with the flags and a file of settings.
    pub(super) async fn reload(&self, router: &Router, settings: RetentionChange) -> Result<(), RouterError> {
        self.replace(router, |_| changed(self.flags, settings)).await
    }

    async fn replace(
        &self,
        router: &Router,
        change: impl FnOnce(Retention) -> Retention,
    ) -> Result<(), RouterError> {
        let changed = {
            let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
            *now = change(*now);
            *now
        };
        tracing::info!(age = ?changed.age, bytes = ?changed.bytes, percent = ?changed.percent, "retention changed");
        router.set_retention(changed).await
    }
}

/// Retention after a change.
fn changed(now: Retention, change: RetentionChange) -> Retention {
    Retention {
        age: change.age.unwrap_or(now.age),
        bytes: change.bytes.unwrap_or(now.bytes),
        percent: change.percent.unwrap_or(now.percent),
    }
}

/// The file of settings that may change while the server runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SettingsFile {
    retention: Option<String>,
    retention_bytes: Option<String>,
    retention_percent: Option<u8>,
}

/// Reads the file of settings: what it names counts instead of the flags.
pub(super) fn read_settings(path: &PathBuf) -> anyhow::Result<RetentionChange> {
    use anyhow::Context;
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file: SettingsFile = serde_json::from_slice(&text)
        .with_context(|| format!("{} is not a file of settings", path.display()))?;
    let age = match &file.retention {
        Some(text) => {
            let age = parse_duration(text).filter(|age| !age.is_zero());
            Some(age.with_context(|| format!("retention {text:?}: expected a duration such as 30d"))?)
        }
        None => None,
    };
    let bytes = match &file.retention_bytes {
        Some(text) => Some(
            parse_size(text)
                .with_context(|| format!("retention_bytes {text:?}: expected a size such as 100GiB"))?,
        ),
        None => None,
    };
    if let Some(percent) = file.retention_percent
        && !(1..=100).contains(&percent)
    {
        anyhow::bail!("retention_percent {percent}: expected a number from 1 to 100");
    }
    Ok(RetentionChange { age, bytes: bytes.map(Some), percent: file.retention_percent.map(Some) })
}

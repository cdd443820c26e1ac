//! Deleting samples by matchers and range: visible at once, carried out by flushes and merges.

use std::rc::Rc;

use super::Shard;
use crate::error::{Error, Result};
use crate::model::{Delete, Matcher, SeriesRef, TimeRange};
use crate::tombstone;
use crate::wal::record::put_delete;

impl Shard {
    /// Deletes the samples in the range of the series that satisfy one of the selectors. What is
    /// written later is not touched. When this returns the delete is as durable as a write.
    pub async fn delete(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Result<()> {
        self.wal.admit()?;
        let lsn = {
            let mut state = self.state.borrow_mut();
            if state.deletes.len() + selectors.len() > tombstone::DELETES_MAX {
                return Err(Error::Busy);
            }
            let mut deletes = Vec::new();
            for matchers in selectors {
                state.last_delete += 1;
                let (id, sequence) = (state.last_delete, state.sequence - 1);
                deletes.push(Delete { id, sequence, range, matchers: matchers.clone() });
            }
            let lsn = self.wal.append(|log| {
                for delete in &deletes {
                    log.record(|out| put_delete(out, delete));
                }
            });
            deletes.into_iter().for_each(|delete| state.apply_delete(delete));
            lsn
        };
        self.wal.commit(lsn).await
    }

    /// Forgets the deletes that concern no part any more.
    pub(super) fn drop_finished_deletes(&self) -> Result<()> {
        let mut state = self.state.borrow_mut();
        let frozen = state.frozen.map(|frozen| frozen.sequence);
        let pending = |delete: &Delete| {
            frozen.is_some_and(|sequence| delete.sequence >= sequence)
                || state.parts.iter().any(|part| tombstone::concerns(delete, &part.meta))
        };
        let kept: Vec<Delete> = state.deletes.iter().filter(|delete| pending(delete)).cloned().collect();
        if kept.len() < state.deletes.len() {
            state.deletes = Rc::new(kept);
            state.deletes_saved = false;
        }
        Ok(())
    }
}

impl super::State {
    /// Carries a delete out on the active generation, and keeps it for what is older.
    pub(super) fn apply_delete(&mut self, delete: Delete) {
        let series = self.registry.select(&delete.matchers);
        self.memtable.delete(series.into_iter().map(SeriesRef), delete.range);
        self.last_delete = self.last_delete.max(delete.id);
        Rc::make_mut(&mut self.deletes).push(delete);
        self.deletes_saved = false;
    }
}

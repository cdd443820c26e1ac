//! Merging parts, in the background or on demand.

use std::rc::Rc;
use std::time::Duration;

use super::Shard;
use super::metrics::add;
use super::parts::{Part, part_set, path_of};
use crate::compaction::merge::{LabelBatch, Merge, MergeFigures, MergeInput, MergeSpec, Step};
use crate::compaction::plan::{Goal, MergeTask, PlanPart, plan};
use crate::error::{Error, Result};
use crate::io::{Priority, dirs};
use crate::model::SeriesRef;
use crate::part::{PartId, PartKind, PartMeta};

/// Parts from which on merging is urgent: it then runs at the priority of flushes.
const PARTS_URGENT: usize = 40;
/// How much newer than its last sample others must be before a series counts as ended: queries look
/// back no further, unless told otherwise.
const ENDED_AFTER_MS: i64 = 5 * 60_000;

impl Shard {
    /// Flushes, then merges everything to the highest level.
    pub async fn compact(&self) -> Result<()> {
        self.flush_and_trim().await?;
        // What comes later is for the next time, or this would go on as long as there are writes.
        let sequence = self.state.borrow().sequence.saturating_sub(1);
        self.merge_all(Goal::Everything(sequence)).await
    }

    /// Carries pending deletes out on all parts.
    pub async fn clean_tombstones(&self) -> Result<()> {
        self.flush().await?;
        self.merge_all(Goal::Purge).await?;
        self.drop_finished_deletes()
    }

    async fn merge_all(&self, goal: Goal) -> Result<()> {
        loop {
            let _turn = self.merging.take().await;
            if self.closing.get() {
                return Err(Error::Busy);
            }
            if !self.merge_next(goal, Priority::Flush).await? {
                return Ok(());
            }
        }
    }

    /// Does one merge that is worth it, if there is one and no other is under way. Whether there was
    /// one.
    pub(super) async fn merge_routinely(&self) -> Result<bool> {
        let Some(_turn) = self.merging.try_take() else { return Ok(false) };
        let urgent = self.state.borrow().parts.len() >= PARTS_URGENT;
        let priority = if urgent { Priority::Flush } else { Priority::Compaction };
        self.merge_next(Goal::Routine, priority).await
    }

    /// Plans and does the next merge. The caller has the turn.
    async fn merge_next(&self, goal: Goal, priority: Priority) -> Result<bool> {
        self.count_ended();
        let task = {
            let state = self.state.borrow();
            let usable = state.parts.iter().filter(|part| !part.stuck.get());
            let parts: Vec<_> = usable
                .map(|part| PlanPart { meta: &part.meta, bytes: part.bytes, ended: part.ended.get() })
                .collect();
            plan(&parts, &state.deletes, state.frontier_ms, goal)
        };
        let Some(task) = task else { return Ok(false) };
        let inputs: Vec<Rc<Part>> = {
            let state = self.state.borrow();
            state.parts.iter().filter(|part| task.inputs.contains(&part.meta.id)).cloned().collect()
        };
        let outcome = self.merge(&task, &inputs, priority).await;
        if let Err(error) = &outcome {
            add(&self.counters.merge_failures, 1);
            match error {
                Error::DiskFull { .. } => self.note_disk(true),
                Error::Corrupt { path, .. } => {
                    tracing::error!(shard = self.id().0, %error, "a part is too damaged to be merged; it is left as it is");
                    for part in inputs.iter().filter(|part| path.starts_with(&part.path)) {
                        super::damage::report(self, part, &error.to_string());
                        part.stuck.set(true);
                    }
                    return Ok(true);
                }
                _ => {}
            }
        }
        outcome.map(|()| true)
    }

    /// Counts the series of each run that neither memory nor younger runs have, if there was a flush or
    /// a merge since it was done last.
    fn count_ended(&self) {
        let changes = self.counters.flushes.get() + self.counters.merges.get();
        if self.counters.ended_looked_at.replace(changes) == changes {
            return;
        }
        let state = self.state.borrow();
        let young_ms = state.frontier_ms.saturating_sub(ENDED_AFTER_MS);
        let runs = state.parts.iter().filter_map(|part| part.as_run().map(|run| (part, run)));
        let (young, old): (Vec<_>, Vec<_>) = runs.partition(|(part, _)| part.meta.max_ms > young_ms);
        if old.is_empty() {
            return;
        }
        let mut going_on = state.memtable.series();
        for (_, run) in young {
            going_on |= run.numbers();
        }
        for (part, run) in old {
            part.ended.set(run.numbers().difference_len(&going_on));
        }
    }

    async fn merge(&self, task: &MergeTask, inputs: &[Rc<Part>], priority: Priority) -> Result<()> {
        let id = PartId::generate();
        let path = path_of(&self.options.directory, id, task.kind);
        let temporary = dirs::temporary(&path);
        let spec = {
            let mut state = self.state.borrow_mut();
            state.registry.rank_new();
            let concerns = |delete: &&crate::model::Delete| {
                inputs.iter().any(|part| crate::tombstone::concerns(delete, &part.meta))
            };
            let deletes = state.deletes.iter().filter(concerns);
            MergeSpec {
                disk: self.disk.clone(),
                inputs: inputs
                    .iter()
                    .map(|part| MergeInput { meta: part.meta.clone(), path: part.path.clone() })
                    .collect(),
                window: task.window,
                kind: task.kind,
                id,
                path: temporary.clone(),
                ranks: state.registry.ranks(),
                deletes: deletes
                    .map(|delete| (delete.clone(), state.registry.select(&delete.matchers)))
                    .collect(),
                horizon_ms: self.clock.now_ms().saturating_sub(self.retention.get().age_ms),
            }
        };
        let turn = self.workers.merge_turn().await;
        let outcome = self.merge_steps(spec, priority).await;
        drop(turn);
        let (meta, figures) = match outcome {
            Ok(done) => done,
            Err(error) => {
                // Left behind, it is deleted at the next start.
                let _ = match task.kind {
                    PartKind::Run => self.disk.remove(&temporary),
                    PartKind::Block => self.disk.remove_directory(&temporary),
                };
                return Err(error);
            }
        };
        let mut merged = None;
        if let Some(meta) = &meta {
            self.disk.publish(&temporary, &path)?;
            let opened = Part::open(&self.disk, &self.cache, &self.options.directory, meta.id, task.kind);
            merged = Some(Rc::new(opened.await?));
        }
        if figures.damaged_chunks > 0 || figures.nameless_series > 0 {
            // Which input it was in is in the log; the files of all are kept.
            inputs.iter().for_each(|part| part.damaged.set(true));
            add(&self.counters.damage_found, figures.damaged_chunks + figures.nameless_series);
        }
        self.count_merge(&figures, merged.as_deref());
        self.replace_parts(inputs, merged)?;
        tracing::info!(
            shard = self.id().0,
            inputs = inputs.len(),
            kind = ?task.kind,
            window = ?task.window,
            samples = figures.samples,
            "merged"
        );
        Ok(())
    }

    async fn merge_steps(
        &self,
        spec: MergeSpec,
        priority: Priority,
    ) -> Result<(Option<PartMeta>, MergeFigures)> {
        let needs_labels = spec.kind == PartKind::Block;
        let mut merge = self.workers.run(priority, move || Merge::begin(spec)).await??;
        let mut labels = LabelBatch::default();
        let mut written = 0;
        loop {
            if self.closing.get() {
                return Err(Error::Busy);
            }
            let batch = std::mem::take(&mut labels);
            let stepped = self.workers.run(priority, move || {
                let step = merge.step(&batch);
                (merge, step)
            });
            let (back, step) = stepped.await?;
            merge = back;
            let figures = merge.figures();
            match step? {
                Step::Done(meta) => return Ok((meta, figures)),
                Step::Labels(series) => {
                    if needs_labels {
                        labels = self.labels_of(&series).await;
                    }
                }
            }
            if let Some(rate) = self.options.merge_bytes_per_second {
                let bytes = figures.bytes_written.saturating_sub(written);
                self.disk.sleep(Duration::from_micros(bytes.saturating_mul(1_000_000) / rate.max(1))).await;
            }
            written = figures.bytes_written;
        }
    }

    async fn labels_of(&self, series: &[SeriesRef]) -> LabelBatch {
        let mut labels = LabelBatch::default();
        for part in series.chunks(128) {
            {
                let state = self.state.borrow();
                for series in part {
                    state.registry.labels_into(*series, &mut labels.bytes);
                    labels.ends.push(labels.bytes.len());
                }
            }
            self.disk.yield_if_needed().await;
        }
        labels
    }

    fn count_merge(&self, figures: &MergeFigures, merged: Option<&Part>) {
        let counters = &self.counters;
        add(&counters.merges, 1);
        add(&counters.merge_samples, figures.samples);
        add(&counters.merge_bytes_read, figures.bytes_read);
        add(&counters.merge_bytes_written, merged.map_or(0, |part| part.bytes));
    }

    /// Puts a part in the place of others, and deletes their files.
    fn replace_parts(&self, gone: &[Rc<Part>], fresh: Option<Rc<Part>>) -> Result<()> {
        {
            let mut state = self.state.borrow_mut();
            let kept = state.parts.iter().filter(|part| !gone.iter().any(|other| Rc::ptr_eq(part, other)));
            let parts = kept.cloned().chain(fresh).collect();
            state.parts = part_set(parts);
        }
        for part in gone {
            part.discard(&self.disk)?;
        }
        // A part that came back after a power cut would be told from a live one only as long as
        // what it was merged into is there.
        for directory in self.part_directories() {
            self.disk.sync_directory(&directory)?;
        }
        Ok(())
    }

    /// Drops parts as they are: their samples are not wanted any more.
    pub(super) fn drop_parts(&self, ids: &[PartId]) -> Result<()> {
        let gone: Vec<Rc<Part>> = {
            let state = self.state.borrow();
            state.parts.iter().filter(|part| ids.contains(&part.meta.id)).cloned().collect()
        };
        add(&self.counters.parts_expired, gone.len() as u64);
        self.replace_parts(&gone, None)
    }
}

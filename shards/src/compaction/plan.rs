//! What to merge next.
//!
//! Sequences decide between samples of equal time, so a merge must not leave out a part whose
//! sequences lie between those of its inputs where their windows overlap. It does not: what lies
//! loose in a window is newer than the blocks of the window's level, all of it is taken, and of the
//! blocks the newest.
//!
//! Runs have no labels, so that the registry must keep every series of theirs. Where many of these
//! have ended, the runs of a window become a block at once, though the window is open.

use std::collections::BTreeMap;

use super::is_closed;
use crate::model::Delete;
use crate::part::{Level, PartId, PartKind, PartMeta, Window};
use crate::tombstone;

/// Loose parts that are merged although a block is there that is much larger than they are.
const LATE_PARTS_MAX: usize = 4;
/// An older block is taken along into a quiet window's merge if it is at most this many times as large
/// as all newer parts.
const SIZE_RATIO: u64 = 4;
/// Runs of like size that are merged to one while their window still gets data. As each run is then
/// as many times as large as its inputs, a sample is rewritten once per such step, not once per flush.
const LIKE_RUNS_MAX: usize = 8;
/// Runs of a window that are merged whatever their sizes.
const RUNS_MAX: usize = 32;
/// Runs are of like size up to this many times the mean of the newer ones.
const LIKE_RATIO: u64 = 4;

/// A run is deserted when one of so many of its series has ended. A block costs an index, and with
/// fewer of them there are more series in memory that need not be.
const ENDED_SHARE: u64 = 5;

/// A part as the plan sees it.
#[derive(Debug, Clone, Copy)]
pub struct PlanPart<'a> {
    pub meta: &'a PartMeta,
    pub bytes: u64,
    /// Of a run: its series that have no newer samples any more, as it seems.
    pub ended: u64,
}

impl PlanPart<'_> {
    const fn is_deserted(&self) -> bool {
        self.ended > 0 && self.ended.saturating_mul(ENDED_SHARE) >= self.meta.series
    }
}

/// How far merging goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// What is worth it.
    Routine,
    /// Until, of the parts that begin with this sequence or an older one, every window of 7 d is one
    /// block.
    Everything(u64),
    /// Until no part holds what was deleted.
    Purge,
}

/// One merge: all inputs become one part of this window and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeTask {
    pub inputs: Vec<PartId>,
    pub window: Window,
    pub kind: PartKind,
}

/// The next merge, if there is one to be done.
#[must_use]
pub fn plan(parts: &[PlanPart<'_>], deletes: &[Delete], frontier_ms: i64, goal: Goal) -> Option<MergeTask> {
    let concerned =
        |part: &&PlanPart<'_>| deletes.iter().any(|delete| tombstone::concerns(delete, part.meta));
    let purge = || {
        let part = parts.iter().find(concerned)?;
        Some(MergeTask { inputs: vec![part.meta.id], window: part.meta.window, kind: part.meta.kind })
    };
    match goal {
        Goal::Purge => purge(),
        Goal::Everything(sequence) => {
            let old = parts.iter().filter(|part| part.meta.sequences.min <= sequence).copied();
            let old: Vec<_> = old.collect();
            let mut windows = by_window(&old, Level::Days7).into_iter();
            windows.find_map(|(window, inside)| {
                let done = |part: &PlanPart<'_>| is_block_of(part, Level::Days7) && !concerned(&part);
                let finished = inside.len() == 1 && inside.iter().all(done);
                (!finished).then(|| task(&inside, window, PartKind::Block))
            })
        }
        Goal::Routine => {
            let newest = parts.iter().map(|part| part.meta.sequences.max).max()?;
            let closed = Level::ALL.into_iter().rev().find_map(|level| {
                let mut windows = by_window(parts, level).into_iter();
                windows.find_map(|(window, inside)| {
                    // A window that the last flush brought data for will get more, most likely.
                    let quiet = inside.iter().all(|part| part.meta.sequences.max < newest);
                    is_closed(window, frontier_ms).then(|| close(&inside, window, quiet))?
                })
            });
            closed.or_else(|| leave(parts, frontier_ms)).or_else(|| thin_out(parts)).or_else(purge)
        }
    }
}

fn is_block_of(part: &PlanPart<'_>, level: Level) -> bool {
    part.meta.kind == PartKind::Block && part.meta.window.level == level
}

/// Parts that lie within the windows of a level, the newest first.
fn by_window<'a>(parts: &[PlanPart<'a>], level: Level) -> BTreeMap<Window, Vec<PlanPart<'a>>> {
    let mut windows: BTreeMap<Window, Vec<PlanPart<'a>>> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.meta.window.level <= level) {
        windows.entry(level.window_at(part.meta.window.start_ms)).or_default().push(*part);
    }
    for inside in windows.values_mut() {
        inside.sort_by_key(|part| std::cmp::Reverse((part.meta.sequences.max, part.meta.id)));
    }
    windows
}

fn task(inputs: &[PlanPart<'_>], window: Window, kind: PartKind) -> MergeTask {
    MergeTask { inputs: inputs.iter().map(|part| part.meta.id).collect(), window, kind }
}

/// What a closed window wants merged. One that is not quiet waits until it is worth more, for it will
/// have to be merged again.
fn close(inside: &[PlanPart<'_>], window: Window, quiet: bool) -> Option<MergeTask> {
    let (blocks, loose): (Vec<_>, Vec<_>) =
        inside.iter().copied().partition(|part| is_block_of(part, window.level));
    let bytes = |parts: &[PlanPart<'_>]| parts.iter().map(|part| part.bytes).sum::<u64>();
    let worth = if quiet {
        blocks.is_empty()
            || loose.len() >= LATE_PARTS_MAX
            || loose.iter().any(PlanPart::is_deserted)
            || bytes(&loose).saturating_mul(SIZE_RATIO) >= bytes(&blocks)
    } else {
        loose.len() >= LIKE_RUNS_MAX
    };
    if loose.is_empty() || !worth {
        return None;
    }
    let mut inputs = loose;
    extend_by_size(&mut inputs, &blocks, if quiet { SIZE_RATIO } else { 1 });
    Some(task(&inputs, window, PartKind::Block))
}

/// Takes along older parts, the newest first, as long as they are not too large.
fn extend_by_size<'a>(inputs: &mut Vec<PlanPart<'a>>, older: &[PlanPart<'a>], ratio: u64) {
    let mut bytes: u64 = inputs.iter().map(|part| part.bytes).sum();
    for part in older {
        if part.bytes > bytes.saturating_mul(ratio) {
            return;
        }
        bytes = bytes.saturating_add(part.bytes);
        inputs.push(*part);
    }
}

/// The runs of each window, the newest first.
fn runs_by_window<'a>(parts: &[PlanPart<'a>]) -> BTreeMap<Window, Vec<PlanPart<'a>>> {
    let mut windows: BTreeMap<Window, Vec<PlanPart<'a>>> = BTreeMap::new();
    for part in parts.iter().filter(|part| part.meta.kind == PartKind::Run) {
        windows.entry(part.meta.window).or_default().push(*part);
    }
    for runs in windows.values_mut() {
        runs.sort_by_key(|part| std::cmp::Reverse((part.meta.sequences.max, part.meta.id)));
    }
    windows
}

/// Makes a block of the runs of an open window when one of them is deserted: all of them, for each
/// may have the series that ended. Only runs lie loose in an open window.
fn leave(parts: &[PlanPart<'_>], frontier_ms: i64) -> Option<MergeTask> {
    let mut open = runs_by_window(parts).into_iter().filter(|(window, _)| !is_closed(*window, frontier_ms));
    open.find_map(|(window, runs)| {
        runs.iter().any(PlanPart::is_deserted).then(|| task(&runs, window, PartKind::Block))
    })
}

/// Merges runs of a window that still gets data when there are many of like size.
fn thin_out(parts: &[PlanPart<'_>]) -> Option<MergeTask> {
    runs_by_window(parts).into_iter().find_map(|(window, runs)| {
        let mut bytes = 0_u64;
        let like = runs.iter().zip(0_u64..).take_while(|(run, newer)| {
            let is_like = run.bytes.saturating_mul(*newer) <= bytes.saturating_mul(LIKE_RATIO);
            bytes = bytes.saturating_add(run.bytes);
            is_like
        });
        let like = if runs.len() >= RUNS_MAX { runs.len() } else { like.count() };
        (like >= LIKE_RUNS_MAX).then(|| task(runs.get(..like).unwrap_or_default(), window, PartKind::Run))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Sequences;
    use crate::part::meta::FORMAT_VERSION;
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn part(kind: PartKind, window: Window, sequence: u64, bytes: u64) -> (PartMeta, u64) {
        let meta = PartMeta {
            format_version: FORMAT_VERSION,
            id: PartId::generate(),
            kind,
            window,
            min_ms: window.start_ms,
            max_ms: window.end_ms() - 1,
            series: 1,
            chunks: 1,
            samples: 1,
            sequences: Sequences { min: sequence, max: sequence },
            deletes_applied: 0,
            parents: Vec::new(),
        };
        (meta, bytes)
    }

    fn next(parts: &[(PartMeta, u64)], frontier_ms: i64, goal: Goal) -> Option<MergeTask> {
        next_with(parts, frontier_ms, goal, |_| 0)
    }

    fn next_with(
        parts: &[(PartMeta, u64)],
        frontier_ms: i64,
        goal: Goal,
        ended: impl Fn(&PartMeta) -> u64,
    ) -> Option<MergeTask> {
        let seen = |(meta, bytes)| PlanPart { meta, bytes, ended: ended(meta) };
        let parts: Vec<_> = parts.iter().map(|(meta, bytes)| seen((meta, *bytes))).collect();
        plan(&parts, &[], frontier_ms, goal)
    }

    /// Carries a task out on the metas.
    fn carry_out(parts: &mut Vec<(PartMeta, u64)>, task: &MergeTask) {
        let inputs: Vec<_> = parts.extract_if(.., |(meta, _)| task.inputs.contains(&meta.id)).collect();
        assert_eq!(inputs.len(), task.inputs.len());
        assert!(inputs.iter().all(|(meta, _)| task.window.contains(meta.window)));
        let min = inputs.iter().map(|(meta, _)| meta.sequences.min).min().unwrap();
        let max = inputs.iter().map(|(meta, _)| meta.sequences.max).max().unwrap();
        // Nothing that overlaps and lies between is left out.
        for (meta, _) in parts.iter() {
            let overlaps = meta.window.contains(task.window) || task.window.contains(meta.window);
            let between = meta.sequences.max > min && meta.sequences.min < max;
            assert!(!(overlaps && between), "{task:?} leaves out {meta:?}");
        }
        let bytes = inputs.iter().map(|(_, bytes)| bytes).sum();
        let (mut merged, _) = part(task.kind, task.window, max, bytes);
        merged.sequences.min = min;
        parts.push((merged, bytes));
    }

    #[test]
    fn open_windows_are_left_alone_until_there_are_many_runs() {
        let window = Level::Hours2.window_at(100 * HOUR);
        let mut parts: Vec<_> = (0..7).map(|n| part(PartKind::Run, window, n, 10)).collect();
        assert_eq!(next(&parts, window.end_ms(), Goal::Routine), None);
        parts.push(part(PartKind::Run, window, 7, 10));
        let task = next(&parts, window.end_ms(), Goal::Routine).unwrap();
        assert_eq!((task.kind, task.window, task.inputs.len()), (PartKind::Run, window, 8));
        let task = next(&parts, window.end_ms() + HOUR, Goal::Routine).unwrap();
        assert_eq!((task.kind, task.window, task.inputs.len()), (PartKind::Block, window, 8));
        // Closed, but the last flush had data for it.
        parts.pop();
        assert_eq!(next(&parts, window.end_ms() + HOUR, Goal::Routine), None);
        parts.push(part(PartKind::Run, Level::Hours2.window_at(102 * HOUR), 9, 10));
        let task = next(&parts, window.end_ms() + HOUR, Goal::Routine).unwrap();
        assert_eq!((task.kind, task.window, task.inputs.len()), (PartKind::Block, window, 7));
    }

    #[test]
    fn runs_whose_series_have_ended_become_a_block_of_their_open_window() {
        let window = Level::Hours2.window_at(100 * HOUR);
        let mut parts: Vec<_> = (0..3).map(|n| part(PartKind::Run, window, n, 10)).collect();
        parts.iter_mut().for_each(|(meta, _)| meta.series = 100);
        let ended_in_oldest = |ended| move |meta: &PartMeta| if meta.sequences.max == 0 { ended } else { 0 };
        let frontier = window.end_ms();
        assert_eq!(next_with(&parts, frontier, Goal::Routine, ended_in_oldest(19)), None);
        let task = next_with(&parts, frontier, Goal::Routine, ended_in_oldest(20)).unwrap();
        assert_eq!((task.kind, task.window, task.inputs.len()), (PartKind::Block, window, 3));
        carry_out(&mut parts, &task);
        // What comes later is merged apart, and with the block when the window is closed.
        for sequence in 3..11 {
            parts.push(part(PartKind::Run, window, sequence, 10));
        }
        let task = next(&parts, frontier, Goal::Routine).unwrap();
        assert_eq!((task.kind, task.inputs.len()), (PartKind::Run, 8));
        carry_out(&mut parts, &task);
        parts.push(part(PartKind::Run, Level::Hours2.window_at(102 * HOUR), 12, 10));
        let task = next(&parts, frontier + HOUR, Goal::Routine).unwrap();
        assert_eq!((task.kind, task.window, task.inputs.len()), (PartKind::Block, window, 2));
    }

    #[test]
    fn runs_of_a_window_stay_few_and_are_rewritten_seldom() {
        let window = Level::Hours2.window_at(100 * HOUR);
        for sizes in [[10, 10], [10, 1000]] {
            let (mut parts, mut rewritten, mut most) = (Vec::new(), 0, 0);
            for (sequence, bytes) in sizes.iter().cycle().take(512).enumerate() {
                parts.push(part(PartKind::Run, window, sequence as u64, *bytes));
                while let Some(task) = next(&parts, window.end_ms(), Goal::Routine) {
                    let inputs = parts.iter().filter(|(meta, _)| task.inputs.contains(&meta.id));
                    rewritten += inputs.map(|(_, bytes)| bytes).sum::<u64>();
                    carry_out(&mut parts, &task);
                }
                most = most.max(parts.len());
            }
            let written: u64 = sizes.iter().sum::<u64>() * 256;
            assert!(most < RUNS_MAX, "{most} runs");
            // Steps of 8 to 64 and 512; or all of 32 at a time where sizes differ much.
            assert!(rewritten <= written * 3 || sizes[0] != sizes[1], "{rewritten} of {written}");
        }
    }

    #[test]
    fn what_is_flushed_later_is_not_waited_for() {
        let window = Level::Hours2.window_at(100 * HOUR);
        let mut parts: Vec<_> = (0..3).map(|n| part(PartKind::Run, window, n, 10)).collect();
        let goal = Goal::Everything(2);
        let task = next(&parts, window.end_ms(), goal).unwrap();
        assert_eq!(task.inputs.len(), 3);
        parts.push(part(PartKind::Run, window, 3, 10));
        carry_out(&mut parts, &task);
        assert_eq!(next(&parts, window.end_ms(), goal), None);
    }

    #[test]
    fn a_little_late_data_does_not_rewrite_a_large_block() {
        let window = Level::Days7.window_at(1000 * HOUR);
        let frontier = window.end_ms() + HOUR;
        let elsewhere = part(PartKind::Run, Level::Hours2.window_at(frontier), 9, 10);
        let mut parts = vec![part(PartKind::Block, window, 1, 1_000_000), elsewhere];
        for sequence in 2..5 {
            parts.push(part(PartKind::Run, window, sequence, 10));
            assert_eq!(next(&parts, frontier, Goal::Routine), None);
        }
        parts.push(part(PartKind::Run, window, 5, 10));
        let task = next(&parts, frontier, Goal::Routine).unwrap();
        assert_eq!(task.inputs.len(), 4);
        assert!(!task.inputs.contains(&parts[0].0.id));
        carry_out(&mut parts, &task);
        assert_eq!(next(&parts, frontier, Goal::Routine), None);
        while let Some(task) = next(&parts, frontier, Goal::Everything(u64::MAX)) {
            carry_out(&mut parts, &task);
        }
        assert_eq!(parts.len(), 2, "one of each window");
    }

    proptest! {
        /// Whatever is flushed in whatever order: merging ends, keeps the order of writes, and
        /// leaves few parts. The series of some flushes have ended.
        #[test]
        fn any_history_is_merged_in_order(
            flushes in proptest::collection::vec((prop_oneof![0..2000i64, 1990..2000i64], 1..1000u64, any::<bool>()), 1..120)
        ) {
            let mut parts = Vec::new();
            let mut frontier = i64::MIN;
            let ended = |meta: &PartMeta| flushes.get(meta.sequences.max as usize).map_or(0, |flush| u64::from(flush.2));
            for (sequence, (hour, bytes, _)) in flushes.iter().enumerate() {
                frontier = frontier.max(hour * HOUR);
                let window = super::super::placement(hour * HOUR, frontier);
                parts.push(part(PartKind::Run, window, sequence as u64, *bytes));
                let mut steps = 0;
                while let Some(task) = next_with(&parts, frontier, Goal::Routine, ended) {
                    carry_out(&mut parts, &task);
                    steps += 1;
                    prop_assert!(steps < 100, "merging does not end");
                }
            }
            while let Some(task) = next(&parts, frontier, Goal::Everything(u64::MAX)) {
                carry_out(&mut parts, &task);
            }
            prop_assert!(parts.iter().all(|(meta, _)| meta.window.level == Level::Days7));
            let mut windows: Vec<_> = parts.iter().map(|(meta, _)| meta.window).collect();
            windows.sort();
            windows.dedup();
            prop_assert_eq!(windows.len(), parts.len());
        }
    }
}

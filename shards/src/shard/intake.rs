//! Writes that come while a shard is being opened: checked as far as they can be without the shard,
//! logged, acknowledged, and stored by the shard as soon as it is there.
//!
//! The log is an ordinary one in a directory of its own. Its series records name every series of
//! every write with its labels, under a number that is used once, so that it needs nothing but
//! itself. It exists until the shard has all of it in its own log: [`Shard::take_over`] stores what
//! it holds, [`Shard::end_intake`] deletes it. Between the two, and before, nothing newer is stored;
//! so a crash at any moment does no more than have the same stored again.

use std::cell::Cell;
use std::path::PathBuf;

use hashbrown::HashMap;

use super::admission::{Accepted, AcceptedTimes, acceptable};
use super::metrics::add;
use super::refusal::AppendOutcome;
use super::{Shard, ShardOptions};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::io::{Disk, dirs};
use crate::limits::{INTAKE_BYTES_MAX, METADATA_BYTES_MAX};
use crate::model::{Metadata, SampleBatch, SeriesRef};
use crate::wal::record::{put_metadata, put_series};
use crate::wal::{Lsn, Record, Wal, read_log, remove_log};

/// The log of the writes that come while a shard is being opened.
pub(super) struct Intake {
    wal: Wal,
    clock: Clock,
    retention_ms: i64,
    future_ms_max: i64,
    /// Number of the next series record.
    next: Cell<u32>,
}

fn intake_directory(options: &ShardOptions) -> PathBuf {
    options.directory.join(dirs::INTAKE_DIRECTORY)
}

impl Intake {
    pub(super) async fn open(disk: &Disk, clock: Clock, options: &ShardOptions) -> Result<Self> {
        let directory = intake_directory(options);
        let mut next = 0_u32;
        let mut count = |record: Record<'_>| {
            if let Record::Series { series, .. } = record {
                next = next.max(series.0.saturating_add(1));
            }
        };
        let opened = Wal::open(disk.clone(), &directory, options.shard, options.wal.clone(), &mut count);
        let (wal, _) = opened.await?;
        Ok(Self {
            wal,
            clock,
            retention_ms: options.retention.age_ms,
            future_ms_max: options.future_ms_max,
            next: Cell::new(next),
        })
    }

    /// Like [`Shard::append`]; whether samples replace others is not known yet, and the limit on the
    /// number of series does not hold.
    pub(super) async fn append(&self, batch: &SampleBatch) -> Result<AppendOutcome> {
        let (outcome, lsn) = self.log(batch)?;
        if let Some(lsn) = lsn {
            self.wal.commit(lsn).await?;
        }
        Ok(outcome)
    }

    pub(super) async fn append_metadata(&self, metadata: Vec<Metadata>) -> Result<()> {
        self.admit(0)?;
        let lsn = self.wal.append(|log| {
            for one in metadata.iter().filter(|one| one.text_len() <= METADATA_BYTES_MAX) {
                log.record(|out| put_metadata(out, one));
            }
        });
        self.wal.commit(lsn).await
    }

    /// What is logged is durable when this returns; nothing is acknowledged afterwards.
    pub(super) async fn end(&self) -> Result<()> {
        self.wal.end().await
    }

    fn admit(&self, series: usize) -> Result<()> {
        self.wal.admit()?;
        let numbers_left = usize::try_from(u32::MAX - self.next.get()).unwrap_or(usize::MAX);
        if self.wal.unreleased_bytes() > INTAKE_BYTES_MAX || series > numbers_left {
            return Err(Error::Busy);
        }
        Ok(())
    }

    fn log(&self, batch: &SampleBatch) -> Result<(AppendOutcome, Option<Lsn>)> {
        self.admit(batch.series_count())?;
        let times = AcceptedTimes::at(self.clock.now_ms(), self.retention_ms, self.future_ms_max);
        let mut outcome = AppendOutcome::default();
        let (mut accepted, mut named) = (Accepted::default(), Vec::new());
        for (index, series) in batch.series().enumerate() {
            if series.timestamps_ms.is_empty() {
                continue;
            }
            if !acceptable(series.labels) {
                outcome.unacceptable.push(index);
                continue;
            }
            let number = SeriesRef(self.next.get());
            accepted.take(number, index, &series, times, &mut outcome);
            if accepted.series.last() == Some(&number) {
                named.push((number, series.labels));
                self.next.set(number.0 + 1);
            }
        }
        outcome.stored = accepted.series.len() as u64;
        if accepted.series.is_empty() {
            return Ok((outcome, None));
        }
        let lsn = self.wal.append(|log| {
            for (number, labels) in &named {
                log.record(|out| put_series(out, *number, labels));
            }
            log.samples(&accepted.series, &accepted.timestamps_ms, &accepted.values);
        });
        Ok((outcome, Some(lsn)))
    }
}

impl Shard {
    /// Stores what the intake log holds, in memory and in the buffer of the shard's own log.
    pub(super) async fn take_over(&self) -> Result<()> {
        let directory = intake_directory(&self.options);
        let mut taken = Taken { shard: self, series: HashMap::new(), lost_series: 0, lost_samples: 0 };
        let mut take = |record: Record<'_>| taken.record(record);
        let report = read_log(&self.disk, &directory, self.options.shard, &mut take).await?;
        if taken.lost_series + taken.lost_samples > 0 {
            // Of damage, or of a crash that left the end of the log: the shard's own log has the rest.
            tracing::warn!(
                shard = self.options.shard.0,
                samples = taken.lost_samples,
                series = taken.lost_series,
                "records of the intake log are incomplete; they were skipped"
            );
        }
        add(&self.counters.damage_found, report.damage());
        Ok(())
    }

    /// Deletes the intake log once the shard's own log has all of it. Before this has succeeded,
    /// nothing may be written.
    pub(super) async fn end_intake(&self) -> Result<()> {
        self.wal.sync().await?;
        let directory = intake_directory(&self.options);
        remove_log(&self.disk, &directory, self.options.shard).await
    }
}

/// The records of an intake log on their way into the shard.
struct Taken<'a> {
    shard: &'a Shard,
    /// Series of the shard by number in the intake log.
    series: HashMap<SeriesRef, SeriesRef>,
    lost_series: u64,
    lost_samples: u64,
}

impl Taken<'_> {
    fn record(&mut self, record: Record<'_>) {
        match record {
            Record::Series { series, labels } => match self.shard.enter_series(labels) {
                Some(known) => {
                    self.series.insert(series, known);
                }
                None => self.lost_series += 1,
            },
            Record::Samples(samples) => {
                self.lost_samples +=
                    self.shard.store_record(samples, |series| self.series.get(&series).copied());
            }
            Record::Metadata(metadata) => {
                self.shard.apply_metadata(vec![metadata]);
            }
            Record::Delete(_) | Record::Extras { .. } | Record::Unknown { .. } => {}
        }
    }
}

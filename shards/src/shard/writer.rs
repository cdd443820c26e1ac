//! The door for writes: open before the shard is, and the same afterwards.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::intake::Intake;
use super::refusal::AppendOutcome;
use super::{Shard, ShardOptions};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::io::Disk;
use crate::model::{Metadata, SampleBatch, ShardId};
use crate::waiters::Waiters;

/// How long a full disk is left alone before the next try.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Takes writes for a shard, from before its log is read until it ends. Cheap to clone; lives on the
/// shard's core.
#[derive(Clone)]
pub struct Writer(Rc<Inner>);

struct Inner {
    shard: ShardId,
    stage: RefCell<Stage>,
    waiting: Waiters,
}

#[derive(Clone)]
enum Stage {
    /// The shard is being opened.
    Opening(Rc<Intake>),
    /// The shard stores what came meanwhile; writes wait.
    TakingOver,
    /// The shard cannot log what came meanwhile; writes are refused with this.
    Refusing(Error),
    Open(Rc<Shard>),
}

/// Who takes a write.
enum Target {
    Intake(Rc<Intake>),
    Shard(Rc<Shard>),
}

impl Writer {
    /// Opens the door of the shard that these options describe.
    pub async fn open(disk: &Disk, clock: Clock, options: &ShardOptions) -> Result<Self> {
        let intake = Rc::new(Intake::open(disk, clock, options).await?);
        let stage = RefCell::new(Stage::Opening(intake));
        Ok(Self(Rc::new(Inner { shard: options.shard, stage, waiting: Waiters::default() })))
    }

    #[must_use]
    pub fn id(&self) -> ShardId {
        self.0.shard
    }

    /// Stores samples. When this returns, those counted as stored are as durable as the sync policy
    /// promises; an error means that nothing is promised about any of them.
    pub async fn append(&self, batch: &SampleBatch) -> Result<AppendOutcome> {
        match self.admit().await? {
            Target::Intake(intake) => intake.append(batch).await,
            Target::Shard(shard) => shard.append(batch).await,
        }
    }

    /// Stores what is said about metric families. What is known already costs nothing.
    pub async fn append_metadata(&self, metadata: Vec<Metadata>) -> Result<()> {
        match self.admit().await? {
            Target::Intake(intake) => intake.append_metadata(metadata).await,
            Target::Shard(shard) => shard.append_metadata(metadata).await,
        }
    }

    /// Waits until it is known who takes a write now.
    async fn admit(&self) -> Result<Target> {
        loop {
            match self.stage() {
                Stage::Opening(intake) => return Ok(Target::Intake(intake)),
                Stage::TakingOver => self.0.waiting.wait().await,
                Stage::Refusing(error) => return Err(error),
                Stage::Open(shard) => return Ok(Target::Shard(shard)),
            }
        }
    }

    /// Has the opened shard store what came meanwhile: it can be read when this returns. New writes
    /// wait for [`Writer::finish`].
    pub async fn take_over(&self, shard: &Rc<Shard>) -> Result<()> {
        let Stage::Opening(intake) = self.stage() else { return Ok(()) };
        self.enter(Stage::TakingOver);
        if let Err(error) = intake.end().await {
            // What was acknowledged is on the disk.
            tracing::warn!(shard = self.0.shard.0, %error, "the end of the intake log is lost, unacknowledged");
        }
        let outcome = shard.take_over().await;
        if let Err(error) = &outcome {
            self.refuse(error.clone());
        }
        outcome
    }

    /// Makes durable what the shard has taken over, and lets new writes in. A full disk is waited
    /// for, until the shard is to end.
    pub async fn finish(&self, shard: &Rc<Shard>) {
        loop {
            match shard.end_intake().await {
                // A shard whose log is poisoned says so to every write; it is taken over once more
                // after the next start.
                Ok(()) | Err(Error::Poisoned { .. }) => return self.enter(Stage::Open(Rc::clone(shard))),
                Err(error) => self.refuse(error),
            }
            if shard.is_closing() {
                return;
            }
            shard.disk.sleep(RETRY_AFTER).await;
        }
    }

    /// Refuses all writes from now on.
    pub fn refuse(&self, error: Error) {
        self.enter(Stage::Refusing(error));
    }

    fn stage(&self) -> Stage {
        self.0.stage.borrow().clone()
    }

    fn enter(&self, stage: Stage) {
        *self.0.stage.borrow_mut() = stage;
        self.0.waiting.wake();
    }
}

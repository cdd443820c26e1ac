//! Bounded mailboxes through which any thread asks a shard to do something.
//!
//! What is sent is a closure that runs on the shard's core with the shard in hand, or the door for
//! its writes, which is open before the shard is; the reply comes back through a one-shot channel. A
//! full mailbox refuses at once: nothing queues without bound. Each shard has two, so that a pile of
//! queries never holds up writes.
//!
//! A caller that drops its [`Reply`] does not stop a write: the closure runs to its end on the
//! shard's core. Long reads watch a cancel flag of their own.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender, TrySendError};

use crate::model::ShardId;
use crate::shard::{Shard, Writer};

/// Jobs that may wait in one mailbox of one shard.
pub const MAILBOX_DEPTH_MAX: usize = 1024;

type LocalFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Work for the shard's core.
pub(super) type Job<T> = Box<dyn FnOnce(T) -> LocalFuture + Send>;

/// Why a shard did not take or finish a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    #[error("shard {0} has too much to do; try again later")]
    Busy(ShardId),
    #[error("shard {0} is still reading its log; try again later")]
    NotReady(ShardId),
    #[error("shard {0} has stopped")]
    Stopped(ShardId),
}

/// How far a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ShardState {
    Recovering = 0,
    Ready = 1,
    Stopped = 2,
    Failed = 3,
}

#[derive(Debug, Default)]
pub(super) struct SharedState(AtomicU8);

impl SharedState {
    pub(super) fn set(&self, state: ShardState) {
        self.0.store(state as u8, Ordering::Release);
    }

    fn get(&self) -> ShardState {
        match self.0.load(Ordering::Acquire) {
            0 => ShardState::Recovering,
            1 => ShardState::Ready,
            3 => ShardState::Failed,
            _ => ShardState::Stopped,
        }
    }
}

/// Address of one shard. Cheap to clone; usable from any thread.
pub struct ShardHandle {
    shard: ShardId,
    write: Sender<Job<Writer>>,
    read: Sender<Job<Rc<Shard>>>,
    state: Arc<SharedState>,
}

impl Clone for ShardHandle {
    fn clone(&self) -> Self {
        Self {
            shard: self.shard,
            write: self.write.clone(),
            read: self.read.clone(),
            state: Arc::clone(&self.state),
        }
    }
}

/// The shard's ends of its mailboxes.
pub(super) struct Inbox {
    pub(super) shard: ShardId,
    pub(super) write: Receiver<Job<Writer>>,
    pub(super) read: Receiver<Job<Rc<Shard>>>,
    pub(super) state: Arc<SharedState>,
}

/// Both ends of a new shard's mailboxes.
pub(super) fn mailbox(shard: ShardId) -> (ShardHandle, Inbox) {
    let (write, write_inbox) = async_channel::bounded(MAILBOX_DEPTH_MAX);
    let (read, read_inbox) = async_channel::bounded(MAILBOX_DEPTH_MAX);
    let state = Arc::new(SharedState::default());
    let handle = ShardHandle { shard, write, read, state: Arc::clone(&state) };
    (handle, Inbox { shard, write: write_inbox, read: read_inbox, state })
}

impl ShardHandle {
    #[must_use]
    pub const fn shard(&self) -> ShardId {
        self.shard
    }

    #[must_use]
    pub fn state(&self) -> ShardState {
        self.state.get()
    }

    /// Writes that wait: a measure of how loaded the shard is.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.write.len()
    }

    /// Takes no more jobs; those waiting are still done.
    pub(super) fn close(&self) {
        self.write.close();
        self.read.close();
    }

    /// Has `work` write on the shard's core, also while the shard is still reading its log. The job is
    /// queued when this returns `Ok`.
    pub fn write<R, F, Fut>(&self, work: F) -> Result<Reply<R>, CallError>
    where
        R: Send + 'static,
        F: FnOnce(Writer) -> Fut + Send + 'static,
        Fut: Future<Output = R> + 'static,
    {
        match self.state.get() {
            ShardState::Recovering | ShardState::Ready => send(self.shard, &self.write, work),
            ShardState::Stopped | ShardState::Failed => Err(CallError::Stopped(self.shard)),
        }
    }

    /// Has `work` done on the shard's core. The job is queued when this returns `Ok`.
    pub fn call<R, F, Fut>(&self, work: F) -> Result<Reply<R>, CallError>
    where
        R: Send + 'static,
        F: FnOnce(Rc<Shard>) -> Fut + Send + 'static,
        Fut: Future<Output = R> + 'static,
    {
        match self.state.get() {
            ShardState::Ready => send(self.shard, &self.read, work),
            ShardState::Recovering => Err(CallError::NotReady(self.shard)),
            ShardState::Stopped | ShardState::Failed => Err(CallError::Stopped(self.shard)),
        }
    }
}

fn send<T, R, F, Fut>(shard: ShardId, mailbox: &Sender<Job<T>>, work: F) -> Result<Reply<R>, CallError>
where
    T: 'static,
    R: Send + 'static,
    F: FnOnce(T) -> Fut + Send + 'static,
    Fut: Future<Output = R> + 'static,
{
    let (sender, receiver) = oneshot::async_channel();
    let job: Job<T> = Box::new(move |target| {
        Box::pin(async move {
            // A caller that has gone away does not want the reply.
            let _ = sender.send(work(target).await);
        })
    });
    match mailbox.try_send(job) {
        Ok(()) => Ok(Reply { shard, receiver }),
        Err(TrySendError::Full(_)) => Err(CallError::Busy(shard)),
        Err(TrySendError::Closed(_)) => Err(CallError::Stopped(shard)),
    }
}

/// The answer to come. Await it on an executor, or [`Reply::wait`] for it on an ordinary thread.
#[must_use = "the shard's answer is lost"]
pub struct Reply<R> {
    shard: ShardId,
    receiver: oneshot::AsyncReceiver<R>,
}

impl<R> Reply<R> {
    /// Blocks the calling thread; never call it on an executor.
    pub fn wait(self) -> Result<R, CallError> {
        futures_lite::future::block_on(self)
    }
}

impl<R> Future for Reply<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let shard = self.shard;
        Pin::new(&mut self.receiver).poll(context).map_err(|_| CallError::Stopped(shard))
    }
}

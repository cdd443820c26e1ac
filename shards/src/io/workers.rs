//! Threads for work that would hold up an executor: writing runs, merging, verifying.
//!
//! A task queue of the executor does not isolate such work; threads of low priority do. Flushes run
//! at the priority of the process, since writers wait for them in the end; merges run at the lowest,
//! except where they are overdue.

use std::sync::Arc;

use crate::error::{Error, Result};

/// Jobs that may wait for threads: every shard has at most a few.
const JOBS_MAX: usize = 4096;
/// Niceness of merges.
const NICE_LOWEST: i32 = 19;

/// How urgent a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Writers wait for it, or soon will.
    Flush,
    /// Done when nobody else wants the processor.
    Compaction,
}

type Job = Box<dyn FnOnce() + Send>;

/// Hands work to threads. Cheap to clone; usable from any executor.
#[derive(Clone)]
pub struct Workers(Arc<Kind>);

enum Kind {
    Threads {
        flush: async_channel::Sender<Job>,
        compaction: async_channel::Sender<Job>,
        flush_turns: Turns,
        merge_turns: Turns,
    },
    /// Work is done at once, where it is asked for: for the simulated disk.
    Inline,
}

/// A bag of tokens: who has one may do what they are for.
struct Turns {
    back: async_channel::Sender<()>,
    tokens: async_channel::Receiver<()>,
}

impl Turns {
    fn new(count: usize) -> Self {
        let (back, tokens) = async_channel::bounded(count);
        for _ in 0..count {
            let _ = back.try_send(());
        }
        Self { back, tokens }
    }

    async fn take(&self) -> WorkerTurn {
        // The channel lives as long as the workers do.
        let _ = self.tokens.recv().await;
        WorkerTurn(Some(self.back.clone()))
    }
}

/// The right to flush or to merge: few shards at a time have it, so that the memory it takes is
/// bounded, and their turns are spread over time.
pub struct WorkerTurn(Option<async_channel::Sender<()>>);

impl Drop for WorkerTurn {
    fn drop(&mut self) {
        if let Some(back) = &self.0 {
            // The channel has room for all tokens there are.
            let _ = back.try_send(());
        }
    }
}

impl Workers {
    /// Starts `threads` threads of each kind. They end when the last handle is dropped.
    pub fn start(threads: usize) -> Result<Self> {
        let flush = pool("flush", threads, 0)?;
        let compaction = pool("compaction", threads, NICE_LOWEST)?;
        let (flush_turns, merge_turns) = (Turns::new(threads.max(1)), Turns::new(1));
        Ok(Self(Arc::new(Kind::Threads { flush, compaction, flush_turns, merge_turns })))
    }

    /// Does all work where it is asked for.
    #[must_use]
    pub fn inline() -> Self {
        Self(Arc::new(Kind::Inline))
    }

    /// Has `work` done by a thread and waits for what it returns.
    pub async fn run<R: Send + 'static>(
        &self,
        priority: Priority,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R> {
        let (flush, compaction) = match &*self.0 {
            Kind::Threads { flush, compaction, .. } => (flush, compaction),
            Kind::Inline => return Ok(work()),
        };
        let (sender, receiver) = oneshot::async_channel();
        let job: Job = Box::new(move || {
            let _ = sender.send(work());
        });
        let lane = if priority == Priority::Flush { flush } else { compaction };
        let gone = || Error::Executor { reason: "the background threads have ended".into() };
        lane.send(job).await.map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())
    }

    /// Waits for the right to freeze a generation and to flush it. As many shards have it at once as
    /// there are threads for it: a frozen generation is not kept while it would only wait.
    pub async fn flush_turn(&self) -> WorkerTurn {
        match &*self.0 {
            Kind::Threads { flush_turns, .. } => flush_turns.take().await,
            Kind::Inline => WorkerTurn(None),
        }
    }

    /// Waits for the right to merge, which one shard has at a time.
    pub async fn merge_turn(&self) -> WorkerTurn {
        match &*self.0 {
            Kind::Threads { merge_turns, .. } => merge_turns.take().await,
            Kind::Inline => WorkerTurn(None),
        }
    }
}

fn pool(name: &str, threads: usize, nice: i32) -> Result<async_channel::Sender<Job>> {
    let (sender, receiver) = async_channel::bounded::<Job>(JOBS_MAX);
    for _ in 0..threads.max(1) {
        let receiver = receiver.clone();
        let started = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            if nice != 0 {
                let thread = rustix::thread::gettid();
                if let Err(error) = rustix::process::setpriority_process(Some(thread), nice) {
                    tracing::warn!(%error, "background threads run at normal priority");
                }
            }
            while let Ok(job) = receiver.recv_blocking() {
                job();
            }
        });
        started.map_err(|error| Error::Executor { reason: error.to_string() })?;
    }
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_comes_back_from_its_thread() {
        let workers = Workers::start(1).unwrap();
        let here = std::thread::current().id();
        let there = workers.run(Priority::Compaction, || std::thread::current().id());
        assert_ne!(futures_lite::future::block_on(there).unwrap(), here);
    }

    #[test]
    fn one_merges_at_a_time() {
        let workers = Workers::start(1).unwrap();
        let first = futures_lite::future::block_on(workers.merge_turn());
        let second = workers.merge_turn();
        let mut second = std::pin::pin!(second);
        assert!(futures_lite::future::block_on(futures_lite::future::poll_once(&mut second)).is_none());
        drop(first);
        assert!(futures_lite::future::block_on(futures_lite::future::poll_once(&mut second)).is_some());
    }
}

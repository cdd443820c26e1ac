//! One executor thread: it opens its shards, taking writes for them from the start, works off their
//! mailboxes until these close, and then makes durable what is left.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use glommio::{
    ExecutorJoinHandle, Latency, LocalExecutorBuilder, Placement, Shares, TaskQueueHandle, executor,
    spawn_local, spawn_local_into,
};

use super::mailbox::{Inbox, Job, ShardState};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::io::{Disk, Workers, coop, nudge};
use crate::shard::{Shard, ShardOptions, Writer};
use crate::waiters::Waiters;
use crate::wal::SyncPolicy;

/// Task queue shares: while both have work, writes get this much more than reads.
const SHARES_WRITE: usize = 1000;
const SHARES_READ: usize = 500;
/// With `--wal-sync off`, what is buffered is written (not awaited by anybody) this often.
const UNSYNCED_WRITE_EVERY: Duration = Duration::from_secs(1);

/// Memory for direct reads and writes, pinned by the kernel; more comes from the allocator.
const IO_MEMORY: usize = 4 << 20;

/// How often a shard looks whether its memtable is to be flushed, and at its parts.
const TEND_MEMORY_EVERY: Duration = Duration::from_millis(100);
const TEND_PARTS_EVERY: Duration = Duration::from_secs(1);

/// What an executor needs to open one of its shards.
pub(super) struct Tenancy {
    pub(super) inbox: Inbox,
    pub(super) options: ShardOptions,
}

/// Starts an executor for these shards, on CPU `cpu` where one is given.
pub(super) fn spawn(
    name: &str,
    cpu: Option<usize>,
    tenants: Vec<Tenancy>,
    workers: Workers,
) -> Result<ExecutorJoinHandle<Result<()>>> {
    let placement = cpu.map_or(Placement::Unbound, Placement::Fixed);
    LocalExecutorBuilder::new(placement)
        .name(name)
        .preempt_timer(coop::PREEMPT)
        .io_memory(IO_MEMORY)
        .spawn(move || run(tenants, workers))
        .map_err(|error| Error::Executor { reason: error.to_string() })
}

async fn run(tenants: Vec<Tenancy>, workers: Workers) -> Result<()> {
    let nudged = nudge::nudge_this_thread();
    let _nudged = nudged.map_err(|error| Error::Executor { reason: error.to_string() })?;
    let write_queue =
        executor().create_task_queue(Shares::Static(SHARES_WRITE), Latency::NotImportant, "write");
    let read_queue = executor().create_task_queue(Shares::Static(SHARES_READ), Latency::NotImportant, "read");
    let serving: Vec<_> = tenants
        .into_iter()
        .map(|tenant| spawn_local(serve(tenant, workers.clone(), write_queue, read_queue)).detach())
        .collect();
    let mut outcome = Ok(());
    for shard in serving {
        match shard.await {
            Some(Ok(())) => {}
            Some(Err(error)) => outcome = Err(error),
            None => outcome = Err(Error::Executor { reason: "a shard's task was cancelled".into() }),
        }
    }
    outcome
}

async fn serve(
    tenant: Tenancy,
    workers: Workers,
    write_queue: TaskQueueHandle,
    read_queue: TaskQueueHandle,
) -> Result<()> {
    let Tenancy { inbox, options } = tenant;
    let state = Arc::clone(&inbox.state);
    let gate = Gate::default();
    let fail = |error: &Error| {
        state.set(ShardState::Failed);
        tracing::error!(shard = inbox.shard.0, %error, "shard did not open");
    };
    crate::io::prepare_executor(&options.directory).await.inspect_err(fail)?;
    let writer = Writer::open(&Disk::Dma, Clock::System, &options).await.inspect_err(fail)?;
    let writes = work_off(writer.clone(), inbox.write, gate.clone(), write_queue);
    let writes = start(writes, write_queue)?;
    let opened = Shard::open(Disk::Dma, workers, Clock::System, options).await.map(Rc::new);
    let opened = match opened {
        Ok(shard) => writer.take_over(&shard).await.map(|()| shard),
        Err(error) => Err(error),
    };
    let shard = opened.inspect_err(|error| {
        fail(error);
        writer.refuse(error.clone());
    })?;
    let admitting = spawn_local({
        let (writer, shard) = (writer.clone(), Rc::clone(&shard));
        async move { writer.finish(&shard).await }
    });
    state.set(ShardState::Ready);
    let timer = sync_timer(&shard, &gate);
    let upkeep = upkeep(&shard, &gate);
    let reads = start(work_off(Rc::clone(&shard), inbox.read, gate.clone(), read_queue), read_queue)?;
    writes.await;
    shard.begin_close();
    admitting.await;
    reads.await;
    gate.drained().await;
    for task in upkeep {
        task.cancel().await;
    }
    if let Some(timer) = timer {
        timer.cancel().await;
    }
    let closed = shard.close().await;
    state.set(ShardState::Stopped);
    closed
}

fn start(
    work: impl Future<Output = ()> + 'static,
    queue: TaskQueueHandle,
) -> Result<glommio::task::JoinHandle<()>> {
    let started = spawn_local_into(work, queue);
    started.map(glommio::Task::detach).map_err(|error| Error::Executor { reason: error.to_string() })
}

/// Starts every job that comes, until all senders are gone or the mailbox is closed.
async fn work_off<T: Clone + 'static>(
    target: T,
    inbox: async_channel::Receiver<Job<T>>,
    gate: Gate,
    queue: TaskQueueHandle,
) {
    while let Ok(job) = inbox.recv().await {
        let pass = gate.enter();
        let work = job(target.clone());
        let running = spawn_local_into(
            async move {
                work.await;
                drop(pass);
            },
            queue,
        );
        match running {
            Ok(task) => drop(task.detach()),
            Err(error) => tracing::error!(%error, "a job could not be started"),
        }
    }
}

/// The task that writes in intervals, for the policies under which nobody waits for a write.
fn sync_timer(shard: &Rc<Shard>, gate: &Gate) -> Option<glommio::Task<()>> {
    let every = match shard.sync_policy() {
        SyncPolicy::Always => return None,
        SyncPolicy::Interval(every) => every,
        SyncPolicy::Off => UNSYNCED_WRITE_EVERY,
    };
    let shard = Rc::clone(shard);
    let gate = gate.clone();
    Some(spawn_local(async move {
        loop {
            glommio::timer::sleep(every).await;
            // Whoever stops the timer waits at the gate first: a write cut off midway poisons the log.
            let _pass = gate.enter();
            if let Err(error) = shard.sync().await {
                tracing::error!(shard = shard.id().0, %error, "log not written");
            }
        }
    }))
}

/// The tasks that flush and merge.
fn upkeep(shard: &Rc<Shard>, gate: &Gate) -> [glommio::Task<()>; 2] {
    let memory = (Rc::clone(shard), gate.clone());
    let parts = (Rc::clone(shard), gate.clone());
    [
        spawn_local(async move {
            let (shard, gate) = memory;
            while !shard.is_closing() {
                glommio::timer::sleep(TEND_MEMORY_EVERY).await;
                let _pass = gate.enter();
                if shard.is_closing() {
                    break;
                }
                // What fails is logged and counted where it fails; it is tried again after a while.
                if shard.tend_memory().await.is_err() {
                    glommio::timer::sleep(TEND_PARTS_EVERY).await;
                }
            }
        }),
        spawn_local(async move {
            let (shard, gate) = parts;
            while !shard.is_closing() {
                glommio::timer::sleep(TEND_PARTS_EVERY).await;
                let _pass = gate.enter();
                if shard.is_closing() {
                    break;
                }
                if let Err(error) = shard.tend_parts().await
                    && !shard.is_closing()
                {
                    tracing::warn!(shard = shard.id().0, %error, "upkeep failed; it is tried again");
                }
            }
        }),
    ]
}

/// Counts running jobs so that closing can wait for them.
#[derive(Clone, Default)]
struct Gate(Rc<GateState>);

#[derive(Default)]
struct GateState {
    inside: Cell<usize>,
    waiting: Waiters,
}

struct Pass(Rc<GateState>);

impl Gate {
    fn enter(&self) -> Pass {
        self.0.inside.set(self.0.inside.get() + 1);
        Pass(Rc::clone(&self.0))
    }

    async fn drained(&self) {
        while self.0.inside.get() > 0 {
            self.0.waiting.wait().await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.inside.set(self.0.inside.get() - 1);
        if self.0.inside.get() == 0 {
            self.0.waiting.wake();
        }
    }
}

//! What a read sees: the parts, generations and deletes of one moment.
//!
//! A generation that is active when a read begins stays readable until the read ends, also when it
//! is frozen and flushed meanwhile; so does the registry entry of every series.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::parts::PartSet;
use super::{Shard, State};
use crate::memtable::Generation;
use crate::model::{Delete, SeriesRef};
use crate::registry::Ranks;

/// Reads under way.
#[derive(Default)]
pub(super) struct Readers {
    next_ticket: u64,
    /// By ticket: the sequence that was active, and that generation once it is frozen.
    open: BTreeMap<u64, (u64, Option<Arc<Generation>>)>,
}

impl Readers {
    /// A number that is smaller than the tickets of all reads that begin from now on.
    pub(super) const fn last_ticket(&self) -> u64 {
        self.next_ticket
    }

    /// Whether all reads that had begun at a ticket have ended.
    pub(super) fn have_ended(&self, ticket: u64) -> bool {
        self.open.keys().next().is_none_or(|oldest| *oldest > ticket)
    }

    /// Keeps a generation that is frozen now for the reads that see it as active.
    pub(super) fn keep(&mut self, sequence: u64, generation: &Arc<Generation>) {
        for (active, kept) in self.open.values_mut() {
            if *active == sequence {
                *kept = Some(Arc::clone(generation));
            }
        }
    }
}

/// See the module's text.
pub(super) struct View {
    shard: Rc<Shard>,
    ticket: u64,
    sequence: u64,
    frozen: Option<(u64, Arc<Generation>)>,
    pub(super) parts: PartSet,
    pub(super) deletes: Rc<Vec<Delete>>,
    pub(super) ranks: Arc<Ranks>,
}

impl View {
    pub(super) fn take(shard: &Rc<Shard>) -> Self {
        let mut state = shard.state.borrow_mut();
        state.readers.next_ticket += 1;
        let ticket = state.readers.next_ticket;
        let sequence = state.sequence;
        state.readers.open.insert(ticket, (sequence, None));
        Self {
            shard: Rc::clone(shard),
            ticket,
            sequence,
            frozen: state.frozen_generation(),
            parts: Rc::clone(&state.parts),
            deletes: Rc::clone(&state.deletes),
            ranks: state.registry.ranks(),
        }
    }

    /// The generations of the view, the older one first, with their sequences.
    pub(super) fn with_generations<R>(
        &self,
        state: &State,
        read: impl FnOnce(&[(u64, &Generation)]) -> R,
    ) -> R {
        let kept;
        let active = if state.sequence == self.sequence {
            state.memtable.active()
        } else {
            kept =
                state.readers.open.get(&self.ticket).and_then(|(_, kept)| kept.clone()).unwrap_or_default();
            &kept
        };
        match &self.frozen {
            Some((sequence, frozen)) => read(&[(*sequence, frozen), (self.sequence, active)]),
            None => read(&[(self.sequence, active)]),
        }
    }

    pub(super) const fn shard(&self) -> &Rc<Shard> {
        &self.shard
    }

    /// Place of a series in label order.
    pub(super) fn rank(&self, series: SeriesRef) -> Option<u32> {
        self.ranks.get(series)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.shard.state.borrow_mut().readers.open.remove(&self.ticket);
    }
}

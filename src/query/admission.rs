//! How many queries run at once.

use async_channel::{Receiver, Sender};

/// The slots for queries, shared by all router cores. Who finds none free waits in line.
#[derive(Clone, Debug)]
pub struct Gate {
    free: Receiver<()>,
    back: Sender<()>,
}

/// A slot in use; dropping it lets the next query in.
#[derive(Debug)]
pub struct Slot(Sender<()>);

impl Gate {
    /// A gate with this many slots, at least one.
    #[must_use]
    pub fn new(slots: usize) -> Self {
        let slots = slots.max(1);
        let (back, free) = async_channel::bounded(slots);
        for _ in 0..slots {
            // The channel has room for exactly as many tokens as there are slots.
            let _ = back.try_send(());
        }
        Self { free, back }
    }

    /// Waits for a free slot.
    pub async fn enter(&self) -> Slot {
        // The gate holds a sender itself, so the channel never closes.
        let _ = self.free.recv().await;
        Slot(self.back.clone())
    }

    /// Slots in use.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.free.capacity().unwrap_or(0).saturating_sub(self.free.len())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    #[test]
    fn a_full_gate_lets_the_next_in_when_a_slot_is_free() {
        let gate = Gate::new(2);
        let first = block_on(gate.enter());
        let _second = block_on(gate.enter());
        assert_eq!(gate.busy(), 2);
        let mut third = Box::pin(gate.enter());
        assert!(block_on(poll_once(&mut third)).is_none());
        drop(first);
        assert!(block_on(poll_once(&mut third)).is_some());
        assert_eq!(gate.busy(), 1);
    }
}

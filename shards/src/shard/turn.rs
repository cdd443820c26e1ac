//! Turns on one core: who holds the turn goes on, the others wait in line.

use std::cell::Cell;
use std::rc::Rc;

use crate::waiters::Waiters;

#[derive(Default)]
struct State {
    taken: Cell<bool>,
    waiting: Waiters,
}

/// Something that one task at a time may do.
#[derive(Clone, Default)]
pub(super) struct Turns(Rc<State>);

/// The turn; it ends when this is dropped.
pub(super) struct Turn(Turns);

impl Turns {
    pub(super) async fn take(&self) -> Turn {
        loop {
            if let Some(turn) = self.try_take() {
                return turn;
            }
            self.0.waiting.wait().await;
        }
    }

    /// The turn, if nobody has it.
    pub(super) fn try_take(&self) -> Option<Turn> {
        (!self.0.taken.replace(true)).then(|| Turn(self.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.taken.set(false);
        self.0.0.waiting.wake();
    }
}

//! Turns on one core: who holds the turn goes on, the others wait in line.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Poll, Waker};

#[derive(Default)]
struct State {
    taken: bool,
    waiting: VecDeque<Waker>,
}

/// Something that one task at a time may do.
#[derive(Clone, Default)]
pub(super) struct Turns(Rc<RefCell<State>>);

/// The turn; it ends when this is dropped.
pub(super) struct Turn(Turns);

impl Turns {
    pub(super) async fn take(&self) -> Turn {
        std::future::poll_fn(|context| match self.try_take() {
            Some(turn) => Poll::Ready(turn),
            None => {
                self.0.borrow_mut().waiting.push_back(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// The turn, if nobody has it.
    pub(super) fn try_take(&self) -> Option<Turn> {
        let mut state = self.0.borrow_mut();
        (!std::mem::replace(&mut state.taken, true)).then(|| Turn(self.clone()))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let waiting = {
            let mut state = self.0.0.borrow_mut();
            state.taken = false;
            std::mem::take(&mut state.waiting)
        };
        // All look again: the first gets it, the others wait anew.
        waiting.into_iter().for_each(Waker::wake);
    }
}

//! Tasks of one core that wait for something to change.

use std::cell::RefCell;
use std::task::{Poll, Waker};

/// Those who wait. Whoever changes what they wait for wakes all; they look again, in the order in which
/// they came, and wait anew if it is not for them.
#[derive(Debug, Default)]
pub struct Waiters(RefCell<Vec<Waker>>);

impl Waiters {
    /// Waits for the next change. A wake that came from elsewhere ends it too.
    pub async fn wait(&self) {
        let mut registered = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut registered, true) {
                return Poll::Ready(());
            }
            self.0.borrow_mut().push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub fn wake(&self) {
        self.0.take().into_iter().for_each(Waker::wake);
    }
}

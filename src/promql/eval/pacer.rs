//! Yields between portions of work, so that one query does not hold its core.

use std::cell::Cell;

use super::{EvalError, FragmentHost, YIELD_ITEMS};

/// Counts work and gives way when there was enough of it.
#[derive(Debug)]
pub(super) struct Pacer<'a, H> {
    host: &'a H,
    left: Cell<usize>,
}

impl<'a, H: FragmentHost> Pacer<'a, H> {
    pub(super) const fn new(host: &'a H) -> Self {
        Self { host, left: Cell::new(YIELD_ITEMS) }
    }

    /// Accounts for `items` values handled just now.
    pub(super) async fn spend(&self, items: usize) -> Result<(), EvalError> {
        // Even a series without steps costs something.
        match self.left.get().checked_sub(items + 1) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.left.set(YIELD_ITEMS);
                self.host.yield_now().await
            }
        }
    }
}

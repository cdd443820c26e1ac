//! Buffers of uncompressed bodies, used again and again.
//!
//! A body outlives its decoding: its batches refer to it until the last shard has looked up its
//! series. Taking a fresh megabyte from the system for each request costs more in page faults than
//! all of the decoding, so the buffer goes back to its decoder's pool when its last batch is dropped,
//! on whichever core that happens.

use std::sync::{Arc, Mutex, PoisonError};

use super::limits::{POOLED_BODIES_MAX, POOLED_BODY_BYTES_MAX};

/// Free buffers of one decoder.
#[derive(Debug, Clone, Default)]
pub(crate) struct BodyPool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl BodyPool {
    /// A buffer of `len` bytes of any content.
    pub(crate) fn take(&self, len: usize) -> Body {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut bytes = free.unwrap_or_default();
        if bytes.len() < len {
            // Not resized but made anew: what it holds need not be copied.
            bytes = vec![0; len];
        }
        Body { bytes, len, pool: self.clone() }
    }

    fn give(&self, bytes: Vec<u8>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < POOLED_BODIES_MAX && bytes.len() <= POOLED_BODY_BYTES_MAX {
            free.push(bytes);
        }
    }
}

/// A buffer on loan; it returns to its pool when dropped.
#[derive(Debug)]
pub(crate) struct Body {
    bytes: Vec<u8>,
    len: usize,
    pool: BodyPool,
}

impl Body {
    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }

    /// Adds bytes behind those there are.
    pub(crate) fn append(&mut self, more: &[u8]) {
        self.bytes.truncate(self.len);
        self.bytes.extend_from_slice(more);
        self.len = self.bytes.len();
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.pool.give(std::mem::take(&mut self.bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_come_back_and_keep_their_length() {
        let pool = BodyPool::default();
        let mut body = pool.take(100);
        body.as_mut_slice().fill(1);
        body.append(b"xyz");
        assert_eq!(body.as_ref().len(), 103);
        let shared = bytes::Bytes::from_owner(body);
        let other = shared.clone();
        drop(shared);
        assert!(pool.free.lock().unwrap().is_empty(), "still in use");
        drop(other);
        assert_eq!(pool.take(50).as_ref().len(), 50);
        assert_eq!(pool.take(103).as_ref().last(), Some(&b'z'), "the same buffer again");
        assert_eq!(pool.take(5_000).as_ref().len(), 5_000);
    }

    #[test]
    fn huge_and_superfluous_buffers_are_freed() {
        let pool = BodyPool::default();
        drop(pool.take(POOLED_BODY_BYTES_MAX + 1));
        assert!(pool.free.lock().unwrap().is_empty());
        let loans: Vec<_> = (0..2 * POOLED_BODIES_MAX).map(|_| pool.take(1)).collect();
        drop(loans);
        assert_eq!(pool.free.lock().unwrap().len(), POOLED_BODIES_MAX);
    }
}

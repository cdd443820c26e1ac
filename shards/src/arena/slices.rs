//! Slices of varying length behind 32-bit handles, with reuse of freed ones.
//!
//! Lengths are rounded up to the granule, and a freed slice is given out again to the next of the
//! same rounded length. What churns is of similar lengths (label values, label lists), so this
//! keeps the garbage small without ever moving anything.

/// Elements of a page; no slice is longer.
const PAGE_ELEMENTS: usize = 1 << 17;

/// Arena of slices of `T` whose handles count granules of `GRANULE` elements.
#[derive(Debug)]
pub struct SliceArena<T, const GRANULE: usize> {
    pages: Vec<Vec<T>>,
    /// Freed handles by length in granules.
    free: Vec<Vec<u32>>,
}

impl<T, const GRANULE: usize> Default for SliceArena<T, GRANULE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const GRANULE: usize> SliceArena<T, GRANULE> {
    #[must_use]
    pub const fn new() -> Self {
        Self { pages: Vec::new(), free: Vec::new() }
    }
}

impl<T: Copy + Default, const GRANULE: usize> SliceArena<T, GRANULE> {
    /// Longest slice.
    pub const LEN_MAX: usize = PAGE_ELEMENTS;

    /// Keeps a copy of `slice`, which is not empty and at most [`Self::LEN_MAX`] long.
    pub fn alloc(&mut self, slice: &[T]) -> u32 {
        const { assert!(GRANULE.is_power_of_two() && GRANULE <= PAGE_ELEMENTS) }
        assert!(!slice.is_empty(), "no handles for empty slices");
        assert!(slice.len() <= PAGE_ELEMENTS, "slice of {} elements", slice.len());
        let granules = slice.len().div_ceil(GRANULE);
        if let Some(handle) = self.free.get_mut(granules).and_then(Vec::pop) {
            let (page, offset) = Self::place(handle);
            if let Some(place) =
                self.pages.get_mut(page).and_then(|page| page.get_mut(offset..offset + slice.len()))
            {
                place.copy_from_slice(slice);
            }
            return handle;
        }
        let rounded = granules * GRANULE;
        if self.pages.last().is_none_or(|page| page.len() + rounded > PAGE_ELEMENTS) {
            self.pages.push(Vec::with_capacity(PAGE_ELEMENTS));
        }
        let index = self.pages.len() - 1;
        let Some(page) = self.pages.last_mut() else { return 0 };
        let offset = page.len();
        page.extend_from_slice(slice);
        page.resize(offset + rounded, T::default());
        let handle = (index * PAGE_ELEMENTS + offset) / GRANULE;
        assert!(handle < u32::MAX as usize, "32-bit handles are used up");
        handle as u32
    }

    #[inline]
    const fn place(handle: u32) -> (usize, usize) {
        let element = handle as usize * GRANULE;
        (element / PAGE_ELEMENTS, element % PAGE_ELEMENTS)
    }

    /// The first `len` elements behind a handle.
    #[inline]
    #[must_use]
    pub fn get(&self, handle: u32, len: usize) -> &[T] {
        let (page, offset) = Self::place(handle);
        self.pages.get(page).and_then(|page| page.get(offset..offset + len)).unwrap_or_default()
    }

    /// Gives back a slice of `len` elements.
    pub fn free(&mut self, handle: u32, len: usize) {
        let granules = len.div_ceil(GRANULE);
        if self.free.len() <= granules {
            self.free.resize_with(granules + 1, Vec::new);
        }
        if let Some(list) = self.free.get_mut(granules) {
            list.push(handle);
        }
    }

    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let lists: usize = self.free.iter().map(|list| list.capacity() * size_of::<u32>()).sum();
        self.pages.len() * PAGE_ELEMENTS * size_of::<T>()
            + (self.pages.capacity() + self.free.capacity()) * size_of::<Vec<T>>()
            + lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_slices_are_used_again() {
        let mut arena = SliceArena::<u8, 8>::default();
        let first = arena.alloc(b"hello");
        let second = arena.alloc(b"a longer text");
        assert_eq!(arena.get(first, 5), b"hello");
        arena.free(first, 5);
        let third = arena.alloc(b"goodbye");
        assert_eq!(third, first);
        assert_eq!(arena.get(third, 7), b"goodbye");
        assert_eq!(arena.get(second, 13), b"a longer text");
    }

    #[test]
    fn slices_do_not_cross_pages() {
        let mut arena = SliceArena::<u32, 1>::default();
        let handles: Vec<_> = (0..2000u32).map(|value| (value, arena.alloc(&[value; 200]))).collect();
        for (value, handle) in handles {
            assert_eq!(arena.get(handle, 200), [value; 200]);
        }
        let whole = arena.alloc(&vec![7; SliceArena::<u32, 1>::LEN_MAX]);
        assert_eq!(arena.get(whole, SliceArena::<u32, 1>::LEN_MAX).len(), SliceArena::<u32, 1>::LEN_MAX);
    }
}

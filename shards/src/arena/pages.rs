//! A growing array in pages of `PAGE` elements.

/// Array whose elements never move. `PAGE` is a power of two.
#[derive(Debug)]
pub struct Pages<T, const PAGE: usize> {
    pages: Vec<Vec<T>>,
}

impl<T, const PAGE: usize> Default for Pages<T, PAGE> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const PAGE: usize> Pages<T, PAGE> {
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(PAGE.is_power_of_two()) }
        Self { pages: Vec::new() }
    }

    #[inline]
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.pages.get(index as usize / PAGE)?.get(index as usize % PAGE)
    }

    #[inline]
    #[must_use]
    pub fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.pages.get_mut(index as usize / PAGE)?.get_mut(index as usize % PAGE)
    }

    /// Adds an element and returns its index.
    #[inline]
    pub fn push(&mut self, value: T) -> u32 {
        let index = self.len();
        assert!(index < u32::MAX as usize, "32-bit handles are used up");
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => page.push(value),
            _ => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(value);
                self.pages.push(page);
            }
        }
        index as u32
    }

    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        match self.pages.last() {
            Some(page) => (self.pages.len() - 1) * PAGE + page.len(),
            None => 0,
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    /// Bytes of the elements, of the unused rest of the last page and of the list of pages.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.pages.len() * PAGE * size_of::<T>() + self.pages.capacity() * size_of::<Vec<T>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_by_index_across_pages() {
        let mut pages = Pages::<u32, 4>::new();
        assert!(pages.is_empty());
        for value in 0..11 {
            assert_eq!(pages.push(value * 10), value);
        }
        assert_eq!(pages.len(), 11);
        assert_eq!(pages.get(10), Some(&100));
        assert_eq!(pages.get(11), None);
        *pages.get_mut(4).unwrap() = 1;
        assert_eq!(pages.iter().sum::<u32>(), 550 - 40 + 1);
        assert!(pages.memory_bytes() >= 12 * 4);
    }
}

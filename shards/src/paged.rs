//! Growing arrays that never move and waste at most one page.

/// A vector in pages of `PAGE` items: growth copies nothing.
#[derive(Debug)]
pub struct PagedVec<T, const PAGE: usize = 1024> {
    pages: Vec<Vec<T>>,
    len: usize,
}

impl<T, const PAGE: usize> Default for PagedVec<T, PAGE> {
    fn default() -> Self {
        Self { pages: Vec::new(), len: 0 }
    }
}

impl<T, const PAGE: usize> PagedVec<T, PAGE> {
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.pages.get_mut(index / PAGE)?.get_mut(index % PAGE)
    }

    /// Adds an item and gives its index.
    pub fn push(&mut self, item: T) -> usize {
        if self.len.is_multiple_of(PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
        }
        let last = self.pages.len() - 1;
        if let Some(page) = self.pages.get_mut(last) {
            page.push(item);
        }
        self.len += 1;
        self.len - 1
    }

    /// Adds items until there are `len`.
    pub fn grow(&mut self, len: usize, mut item: impl FnMut() -> T) {
        while self.len < len {
            self.push(item());
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    /// Bytes of the pages themselves.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.pages.len() * (PAGE * size_of::<T>() + size_of::<Vec<T>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behaves_as_a_vector() {
        let mut paged = PagedVec::<usize, 4>::default();
        for item in 0..10 {
            assert_eq!(paged.push(item * 2), item);
        }
        paged.grow(13, || 99);
        *paged.get_mut(3).unwrap() = 7;
        let expected = [0, 2, 4, 7, 8, 10, 12, 14, 16, 18, 99, 99, 99];
        assert_eq!(paged.iter().copied().collect::<Vec<_>>(), expected);
        assert_eq!((paged.len(), paged.get(9), paged.get(13)), (13, Some(&18), None));
    }
}

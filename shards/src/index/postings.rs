//! Posting lists: the numbers of the series that share something, sorted.
//!
//! Most pairs of a label with many values have one series, those of few values have most series.
//! So a list is a single number, a sorted array or a roaring bitmap, whichever is smaller.

use std::ops::Range;

use roaring::{MultiOps, RoaringBitmap};

/// Numbers up to which an array is kept: spread over the shard's numbers, a bitmap pays some 60
/// bytes for each 65,536 of them that it touches.
const LIST_MAX: usize = 128;
/// Mean length from which ranges are added as such to a bitmap, and not number by number.
const LONG_RANGE: usize = 32;

/// A growing posting list.
#[derive(Debug, Clone, Default)]
pub enum Postings {
    #[default]
    Empty,
    One(u32),
    List(Vec<u32>),
    Bitmap(Box<RoaringBitmap>),
}

impl Postings {
    /// Adds a series; whether it is new.
    pub fn insert(&mut self, series: u32) -> bool {
        match self {
            Self::Empty => *self = Self::One(series),
            Self::One(one) => {
                let one = *one;
                if one == series {
                    return false;
                }
                *self = Self::List(vec![one.min(series), one.max(series)]);
            }
            Self::List(list) => {
                // Numbers mostly ascend.
                let at = match list.last() {
                    Some(last) if *last < series => list.len(),
                    _ => match list.binary_search(&series) {
                        Ok(_) => return false,
                        Err(at) => at,
                    },
                };
                list.insert(at, series);
                if list.len() > LIST_MAX {
                    *self = Self::Bitmap(Box::new(bitmap_of_sorted(list.iter().copied())));
                }
            }
            Self::Bitmap(bitmap) => return bitmap.insert(series),
        }
        true
    }

    /// Adds ranges of series that ascend.
    pub fn extend(&mut self, ranges: &[Range<u32>]) {
        let added: usize = ranges.iter().map(ExactSizeIterator::len).sum();
        if self.view().len() + added as u64 <= LIST_MAX as u64 {
            for series in ranges.iter().cloned().flatten() {
                self.insert(series);
            }
            return;
        }
        let bitmap = self.as_bitmap();
        if added >= LONG_RANGE * ranges.len() {
            for range in ranges {
                bitmap.insert_range(range.clone());
            }
        } else if let Some(dense) = dense_bitmap(ranges, added) {
            *bitmap |= dense;
        } else if bitmap.append(ranges.iter().cloned().flatten()).is_err() {
            // Not all come behind those that are there.
            bitmap.extend(ranges.iter().cloned().flatten());
        }
    }

    fn as_bitmap(&mut self) -> &mut RoaringBitmap {
        if !matches!(self, Self::Bitmap(_)) {
            *self = Self::Bitmap(Box::new(self.view().to_bitmap()));
        }
        match self {
            Self::Bitmap(bitmap) => bitmap,
            _ => unreachable!("it was made one"),
        }
    }

    /// Takes a series out; whether it was there.
    pub fn remove(&mut self, series: u32) -> bool {
        match self {
            Self::Empty => false,
            Self::One(one) => {
                let found = *one == series;
                if found {
                    *self = Self::Empty;
                }
                found
            }
            Self::List(list) => {
                let Ok(at) = list.binary_search(&series) else { return false };
                list.remove(at);
                if let &[one] = list.as_slice() {
                    *self = Self::One(one);
                }
                true
            }
            Self::Bitmap(bitmap) => {
                let found = bitmap.remove(series);
                // Well below the threshold, so that a list at the border does not go to and fro.
                if found && bitmap.len() <= LIST_MAX as u64 / 2 {
                    *self = Self::List(bitmap.iter().collect());
                }
                found
            }
        }
    }

    #[must_use]
    pub fn view(&self) -> PostingsView<'_> {
        match self {
            Self::Empty => PostingsView::Empty,
            Self::One(one) => PostingsView::One(*one),
            Self::List(list) => PostingsView::List(list),
            Self::Bitmap(bitmap) => PostingsView::Bitmap(bitmap),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Bytes behind the list, itself not counted.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Empty | Self::One(_) => 0,
            Self::List(list) => list.capacity() * size_of::<u32>(),
            Self::Bitmap(bitmap) => size_of::<RoaringBitmap>() + bitmap_bytes(bitmap),
        }
    }
}

/// Bitmap of ranges that ascend, by way of the bits of all numbers from the first to the last; `None`
/// where the `count` numbers lie too far apart for that.
fn dense_bitmap(ranges: &[Range<u32>], count: usize) -> Option<RoaringBitmap> {
    let (first, last) = (ranges.first()?.start / 8 * 8, ranges.last()?.end);
    let len = (last.checked_sub(first)? as usize).div_ceil(8);
    if len > 4 * count {
        return None;
    }
    let mut bytes = vec![0_u8; len];
    for range in ranges {
        for number in range.clone() {
            let at = number.checked_sub(first)? as usize;
            *bytes.get_mut(at / 8)? |= 1 << (at % 8);
        }
    }
    Some(RoaringBitmap::from_lsb0_bytes(first, &bytes))
}

/// Bytes behind a bitmap: its containers and what they hold.
#[must_use]
pub fn bitmap_bytes(bitmap: &RoaringBitmap) -> usize {
    /// What a container takes beside its numbers.
    const CONTAINER_BYTES: usize = 40;
    const BITSET_BYTES: usize = 8192;
    let statistics = bitmap.statistics();
    // The library counts an array as if its numbers had 32 bits, and a bitset by its bits.
    statistics.n_containers as usize * CONTAINER_BYTES
        + statistics.n_bytes_array_containers as usize / 2
        + statistics.n_bitset_containers as usize * BITSET_BYTES
        + statistics.n_bytes_run_containers as usize
}

/// A posting list as it lies somewhere.
#[derive(Debug, Clone, Copy)]
pub enum PostingsView<'a> {
    Empty,
    One(u32),
    /// Sorted, unique.
    List(&'a [u32]),
    Bitmap(&'a RoaringBitmap),
}

impl PostingsView<'_> {
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::One(_) => 1,
            Self::List(list) => list.len() as u64,
            Self::Bitmap(bitmap) => bitmap.len(),
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[must_use]
    pub fn to_bitmap(&self) -> RoaringBitmap {
        match self {
            Self::Empty => RoaringBitmap::new(),
            Self::One(one) => bitmap_of_sorted([*one]),
            Self::List(list) => bitmap_of_sorted(list.iter().copied()),
            Self::Bitmap(bitmap) => (*bitmap).clone(),
        }
    }

    /// Whether any series is in both.
    #[must_use]
    pub fn intersects(&self, other: &RoaringBitmap) -> bool {
        match self {
            Self::Empty => false,
            Self::One(one) => other.contains(*one),
            Self::List(list) => list.iter().any(|series| other.contains(*series)),
            Self::Bitmap(bitmap) => !bitmap.is_disjoint(other),
        }
    }

    /// Leaves in `set` what is here too.
    pub fn intersect_with(&self, set: &mut RoaringBitmap) {
        match self {
            Self::Empty => set.clear(),
            Self::One(one) => {
                let kept = set.contains(*one).then_some(*one);
                *set = bitmap_of_sorted(kept);
            }
            Self::List(list) => {
                *set = bitmap_of_sorted(list.iter().copied().filter(|series| set.contains(*series)));
            }
            Self::Bitmap(bitmap) => *set &= *bitmap,
        }
    }

    /// Takes out of `set` what is here.
    pub fn subtract_from(&self, set: &mut RoaringBitmap) {
        match self {
            Self::Empty => {}
            Self::One(one) => {
                set.remove(*one);
            }
            Self::List(list) => {
                for series in *list {
                    set.remove(*series);
                }
            }
            Self::Bitmap(bitmap) => *set -= *bitmap,
        }
    }
}

/// Union of any number of lists.
#[must_use]
pub fn union(views: &[PostingsView<'_>]) -> RoaringBitmap {
    if let &[view] = views {
        return view.to_bitmap();
    }
    let mut small = Vec::new();
    let mut bitmaps = Vec::new();
    for view in views {
        match view {
            PostingsView::Empty => {}
            PostingsView::One(one) => small.push(*one),
            PostingsView::List(list) => small.extend_from_slice(list),
            PostingsView::Bitmap(bitmap) => bitmaps.push(*bitmap),
        }
    }
    small.sort_unstable();
    small.dedup();
    let small = bitmap_of_sorted(small);
    bitmaps.push(&small);
    bitmaps.union()
}

/// Bitmap of numbers that ascend.
#[must_use]
pub fn bitmap_of_sorted(sorted: impl IntoIterator<Item = u32>) -> RoaringBitmap {
    let mut bitmap = RoaringBitmap::new();
    for series in sorted {
        // Appending is cheap; what is out of order would be refused, so it is inserted.
        if bitmap.try_push(series).is_err() {
            bitmap.insert(series);
        }
    }
    bitmap
}

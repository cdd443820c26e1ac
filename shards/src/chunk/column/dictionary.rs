//! Dictionaries: residuals of which there are only a few different ones, wherever they lie.

use crate::codec::varint::uvarint_len;

/// Most entries of a dictionary.
pub(super) const ENTRIES_MAX: usize = 128;
const SLOTS: usize = 512;

/// Different zigzagged residuals and how often each occurs.
#[derive(Debug, Clone)]
pub(super) struct Dictionary {
    entries: Vec<(u64, u32)>,
    /// One more than the place of an entry, 0 if none; used until the entries are sorted.
    slots: Box<[u16; SLOTS]>,
}

impl Default for Dictionary {
    fn default() -> Self {
        Self { entries: Vec::new(), slots: Box::new([0; SLOTS]) }
    }
}

impl Dictionary {
    /// Takes in all residuals, unless there are too many different ones.
    pub(super) fn fill(&mut self, mut residuals: impl Iterator<Item = u64>) -> bool {
        self.entries.clear();
        self.slots.fill(0);
        residuals.all(|u| self.add(u))
    }

    fn add(&mut self, u: u64) -> bool {
        let mut slot = (u.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize;
        loop {
            let Some(place) = self.slots.get_mut(slot % SLOTS) else { return false };
            let Some(known) = usize::from(*place).checked_sub(1) else {
                if self.entries.len() == ENTRIES_MAX {
                    return false;
                }
                self.entries.push((u, 1));
                *place = self.entries.len() as u16;
                return true;
            };
            if let Some((entry, count)) = self.entries.get_mut(known)
                && *entry == u
            {
                *count += 1;
                return true;
            }
            slot += 1;
        }
    }

    /// Sorts the entries by value; their places are their tokens from now on.
    pub(super) fn sort(&mut self) {
        self.entries.sort_unstable_by_key(|(u, _)| *u);
    }

    pub(super) fn entries(&self) -> &[(u64, u32)] {
        &self.entries
    }

    /// Token of a residual that was taken in.
    pub(super) fn token(&self, u: u64) -> u8 {
        self.entries.binary_search_by_key(&u, |(entry, _)| *entry).unwrap_or(0) as u8
    }

    /// About how many bits the residuals and the model take.
    pub(super) fn bits(&self) -> f32 {
        let total: u32 = self.entries.iter().map(|(_, count)| count).sum();
        let each = self.entries.iter().map(|(u, count)| {
            let told = 3.5 + 8.0 * uvarint_len(*u) as f32;
            told + *count as f32 * (total as f32 / *count as f32).log2()
        });
        40.0 + each.sum::<f32>()
    }
}

//! Pairs of label name and value, each kept once as its canonical label bytes.
//!
//! So the canonical bytes of a series are the concatenation of its pairs, and a label of a new
//! series is found by a hash over its bytes as they came. Names are interned too, and each knows
//! its pairs.

use crate::arena::Pages;
use crate::codec::Cursor;
use crate::model::label::next_label;
use crate::model::label::put_label;

use super::symbols::Symbols;

#[derive(Debug, Clone, Copy)]
struct Pair {
    name: u32,
    /// Place in the list of the name.
    position: u32,
}

/// All pairs of the shard's series.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    names: Symbols,
    labels: Symbols,
    pairs: Pages<Pair, 1024>,
    /// By name id: the pairs with this name, in no order.
    by_name: Vec<Vec<u32>>,
}

/// The canonical bytes of the labels of a series, one label at a time.
pub(super) fn label_slices(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut cursor = Cursor::new(bytes);
    std::iter::from_fn(move || {
        let start = cursor.position();
        cursor.u8().ok()?;
        let len = usize::try_from(cursor.uvarint().ok()?).ok()?;
        cursor.take(len).ok()?;
        bytes.get(start..cursor.position())
    })
}

/// Name and value of the canonical bytes of one label.
pub(super) fn split_label(bytes: &[u8]) -> Option<(&str, &str)> {
    next_label(&mut Cursor::new(bytes))
}

impl Pairs {
    /// Id of a pair given as canonical label bytes; made if there is none.
    pub(super) fn intern(&mut self, label: &[u8]) -> u32 {
        let (id, new) = self.labels.intern(label);
        if new {
            let name = split_label(label).map_or("", |(name, _)| name);
            let (name, new_name) = self.names.intern(name.as_bytes());
            if new_name && self.by_name.len() <= name as usize {
                self.by_name.push(Vec::new());
            }
            let mut position = 0;
            if let Some(list) = self.by_name.get_mut(name as usize) {
                position = list.len() as u32;
                list.push(id);
            }
            let pair = Pair { name, position };
            match self.pairs.get_mut(id) {
                Some(place) => *place = pair,
                None => {
                    let pushed = self.pairs.push(pair);
                    assert_eq!(pushed, id, "ids are dense");
                }
            }
        }
        id
    }

    /// Forgets a pair that no series has any more, and its name with the last pair. Returns the
    /// name if it is gone.
    pub(super) fn remove(&mut self, id: u32) -> Option<u32> {
        let Pair { name, position } = *self.pairs.get(id)?;
        self.labels.remove(id);
        let list = self.by_name.get_mut(name as usize)?;
        list.swap_remove(position as usize);
        if let Some(moved) = list.get(position as usize)
            && let Some(moved) = self.pairs.get_mut(*moved)
        {
            moved.position = position;
        }
        if !list.is_empty() {
            return None;
        }
        *list = Vec::new();
        self.names.remove(name);
        Some(name)
    }

    /// One more than the highest id ever used.
    pub(super) fn end(&self) -> u32 {
        self.pairs.len() as u32
    }

    /// Canonical bytes of a pair.
    #[inline]
    pub(super) fn label(&self, id: u32) -> &[u8] {
        self.labels.get(id)
    }

    /// Value of a pair.
    #[inline]
    pub(super) fn value(&self, id: u32) -> &str {
        split_label(self.labels.get(id)).map_or("", |(_, value)| value)
    }

    /// Name id of a pair.
    #[inline]
    pub(super) fn name_of(&self, id: u32) -> u32 {
        self.pairs.get(id).map_or(u32::MAX, |pair| pair.name)
    }

    pub(super) fn lookup(&self, name: &str, value: &str) -> Option<u32> {
        let mut label = Vec::with_capacity(name.len() + value.len() + 16);
        put_label(&mut label, name, value);
        self.labels.lookup(&label)
    }

    pub(super) fn lookup_name(&self, name: &str) -> Option<u32> {
        self.names.lookup(name.as_bytes())
    }

    /// The pairs with a name.
    pub(super) fn of_name(&self, name: u32) -> &[u32] {
        self.by_name.get(name as usize).map_or(&[], Vec::as_slice)
    }

    /// Ids and texts of the names, in no order.
    pub(super) fn names(&self) -> impl Iterator<Item = (u32, &str)> {
        let live = self.by_name.iter().enumerate().filter(|(_, pairs)| !pairs.is_empty());
        live.map(|(id, _)| {
            let id = id as u32;
            (id, std::str::from_utf8(self.names.get(id)).unwrap_or_default())
        })
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let lists: usize = self.by_name.iter().map(|list| list.capacity() * size_of::<u32>()).sum();
        self.names.memory_bytes()
            + self.labels.memory_bytes()
            + self.pairs.memory_bytes()
            + self.by_name.capacity() * size_of::<Vec<u32>>()
            + lists
    }
}

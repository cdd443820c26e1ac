//! Columns of timestamps of one read: decoded once for all series that share them, and with what
//! is needed of the values that belong to them.

use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use hashbrown::HashMap;

use crate::model::TimeRange;
use crate::model::need::{Need, Windows};
use crate::model::time::advance;

/// Memory for columns of one read; little in tests, so that they see it filled.
const BYTES_MAX: usize = if cfg!(test) { 32 << 10 } else { 8 << 20 };

/// By part and offset.
pub(super) type TimesKey = (usize, u64);

/// The columns that were used last.
#[derive(Default)]
pub(super) struct TimesCache {
    columns: HashMap<TimesKey, Rc<Times>>,
    /// The oldest first.
    order: VecDeque<TimesKey>,
    bytes: usize,
    /// Memory of columns that were dropped.
    spare: Vec<Vec<i64>>,
}

impl TimesCache {
    /// The column of this key and length.
    pub(super) fn get(&self, key: TimesKey, count: usize) -> Option<Rc<Times>> {
        self.columns.get(&key).filter(|times| times.times.len() == count).cloned()
    }

    /// Memory for a column to be put here, empty.
    pub(super) fn buffer(&mut self) -> Vec<i64> {
        self.spare.pop().unwrap_or_default()
    }

    /// Keeps a column; the oldest ones go when there are too many.
    pub(super) fn put(&mut self, key: TimesKey, times: &Rc<Times>) {
        while self.bytes + times.bytes() > BYTES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some(oldest) = self.columns.remove(&oldest) {
                self.bytes -= oldest.bytes();
                if let Ok(mut oldest) = Rc::try_unwrap(oldest) {
                    oldest.times.clear();
                    self.spare.push(oldest.times);
                }
            }
        }
        // One of another length, of bytes that were damaged, is replaced.
        if let Some(other) = self.columns.insert(key, Rc::clone(times)) {
            self.bytes -= other.bytes();
        } else {
            self.order.push_back(key);
        }
        self.bytes += times.bytes();
    }
}

/// A column of timestamps and what is needed of the values that belong to it.
pub(super) struct Times {
    pub(super) times: Vec<i64>,
    /// Places that are in the range of the read.
    pub(super) inside: Range<usize>,
    /// Needed places; for extremes, where segments begin and the last one ends.
    pub(super) places: Vec<u32>,
}

impl Times {
    pub(super) fn new(times: Vec<i64>, need: &Need, range: TimeRange) -> Self {
        let start = times.partition_point(|time| *time < range.start_ms);
        let end = times.partition_point(|time| *time < range.end_ms).max(start);
        let mut this = Self { times, inside: start..end, places: Vec::new() };
        if !this.inside.is_empty() {
            match need {
                Need::All => {}
                Need::Last(windows) => this.last_of(windows),
                Need::Ends(windows) => this.ends_of(windows),
                Need::Greatest(windows) | Need::Least(windows) => this.bounds_of(windows),
            }
        }
        this
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.times.len() * 8 + self.places.len() * 4 + size_of::<Self>()
    }

    /// Calls `each` with the places at which every window that is not void begins and ends.
    fn windows(&self, windows: &Windows, mut each: impl FnMut(usize, usize)) {
        let Some(inside) = self.times.get(self.inside.clone()) else { return };
        let (Some(first_ms), Some(last_ms)) = (inside.first(), inside.last()) else { return };
        let (mut begin, mut end) = (0, 0);
        for number in windows.first_from(*first_ms)..windows.count {
            let end_ms = windows.end_of(number);
            let before_ms = end_ms.saturating_sub(windows.range_ms);
            if before_ms >= *last_ms {
                break;
            }
            end = advance(inside, end, end_ms);
            begin = advance(inside, begin, before_ms).min(end);
            if begin < end {
                each(self.inside.start + begin, self.inside.start + end);
            }
        }
    }

    fn last_of(&mut self, windows: &Windows) {
        // A sample at the end itself counts even in a window without length.
        let windows = Windows { range_ms: windows.range_ms.max(1), ..*windows };
        let mut places = std::mem::take(&mut self.places);
        self.windows(&windows, |_, end| {
            if places.last() != Some(&(end as u32 - 1)) {
                places.push(end as u32 - 1);
            }
        });
        self.places = places;
    }

    /// The ends of the windows, and those of the column: what falls between two columns shows there.
    fn ends_of(&mut self, windows: &Windows) {
        let (mut firsts, mut lasts) = (vec![self.inside.start as u32], Vec::new());
        self.windows(windows, |begin, end| {
            firsts.push(begin as u32);
            lasts.push(end as u32 - 1);
        });
        lasts.push(self.inside.end as u32 - 1);
        self.places = merged(&firsts, &lasts);
    }

    /// No window begins or ends inside of a segment, so one sample of each is enough.
    fn bounds_of(&mut self, windows: &Windows) {
        let (mut begins, mut ends) = (Vec::new(), Vec::new());
        self.windows(windows, |begin, end| {
            begins.push(begin as u32);
            ends.push(end as u32);
        });
        self.places = merged(&begins, &ends);
    }
}

/// Both ascending lists as one, without repetitions.
fn merged(one: &[u32], other: &[u32]) -> Vec<u32> {
    let mut merged = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    while let Some(least) = match (one.peek(), other.peek()) {
        (Some(left), Some(right)) if left <= right => one.next(),
        (Some(_), None) => one.next(),
        _ => other.next(),
    } {
        if merged.last() != Some(least) {
            merged.push(*least);
        }
    }
    merged
}

//! Single samples of a column of values: pages that have none of them are not decoded, and neither
//! are pages of which only an end is asked for, since the directory tells the ends.

use super::directory::Entry;
use super::scale::Scale;
use super::values::{Column, ValueDecoder, open};
use super::{CHUNK_LEN_MAX, PAGE_LEN};
use crate::chunk::ChunkError;

const PAGES_MAX: usize = CHUNK_LEN_MAX / PAGE_LEN;

/// Working memory.
#[derive(Debug, Default)]
pub(super) struct Picks {
    integers: Vec<i64>,
    dense: Vec<f64>,
}

/// What the directory tells of a page, and where its integers are if they were decoded.
#[derive(Debug, Clone, Copy, Default)]
struct PageEnds {
    first: i64,
    last: i64,
    wanted: bool,
    start: usize,
}

impl ValueDecoder {
    /// Appends the values at ascending places.
    pub(super) fn decode_at(
        &mut self,
        bytes: &[u8],
        count: usize,
        places: &[u32],
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        if places.is_empty() {
            return Ok(());
        }
        let column = open(bytes, count, &mut self.runs)?;
        let (scale, body) = match column {
            Column::Constant(value) => {
                out.resize(out.len() + places.len(), value);
                return Ok(());
            }
            Column::Scaled(scale, body, None) => (scale, body),
            Column::Scaled(_, _, Some(_)) => return self.pick_dense(bytes, count, places, out),
        };
        let mut pages = [PageEnds::default(); PAGES_MAX];
        let paged = body.paged();
        if paged {
            body.entries(|page, entry| {
                if let Some(ends) = pages.get_mut(page) {
                    (ends.first, ends.last) = (entry.first, entry.last);
                }
            })?;
        }
        // Of an exception an end tells nothing of its own, but its place is overwritten anyway.
        let is_end = |place: usize| paged && (place.is_multiple_of(PAGE_LEN) || ends_page(place, count));
        let mut any = !paged;
        for place in places {
            let place = *place as usize;
            if let Some(ends) = pages.get_mut(place / PAGE_LEN)
                && !is_end(place)
            {
                ends.wanted = true;
                any = true;
            }
        }
        if any {
            let wanted = |page: usize| pages.get(page).is_some_and(|ends| ends.wanted);
            let all = self.ints.decode(&body, wanted, &mut self.integers)?;
            let mut start = 0;
            for (page, ends) in pages.iter_mut().enumerate() {
                ends.start = if all { page * PAGE_LEN } else { start };
                ends.wanted |= all;
                start += if ends.wanted { PAGE_LEN } else { 0 };
            }
        }
        let mut picks = std::mem::take(&mut self.picks);
        picks.integers.clear();
        for place in places {
            let place = *place as usize;
            let Some(ends) = pages.get(place / PAGE_LEN) else { return Err(ChunkError::NoSuchPage) };
            picks.integers.push(if ends.wanted {
                let integer = self.integers.get(ends.start + place % PAGE_LEN);
                *integer.ok_or(ChunkError::NoSuchPage)?
            } else {
                body.integer(if place.is_multiple_of(PAGE_LEN) { ends.first } else { ends.last })
            });
        }
        let base = out.len();
        scale.values(&picks.integers, out);
        self.picks = picks;
        self.put_exceptions(places, out.get_mut(base..).unwrap_or_default());
        Ok(())
    }

    /// Sets the values at those places that are exceptions.
    fn put_exceptions(&self, places: &[u32], values: &mut [f64]) {
        let mut chosen = places.iter().zip(values).peekable();
        for run in &self.runs {
            while chosen.next_if(|(place, _)| (**place as usize) < run.start).is_some() {}
            while let Some((_, value)) = chosen.next_if(|(place, _)| (**place as usize) < run.end()) {
                *value = f64::from_bits(run.bits);
            }
        }
    }

    fn pick_dense(
        &mut self,
        bytes: &[u8],
        count: usize,
        places: &[u32],
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        let mut dense = std::mem::take(&mut self.picks.dense);
        dense.clear();
        self.decode(bytes, count, &(0..count.div_ceil(PAGE_LEN)), &mut dense)?;
        for place in places {
            out.push(*dense.get(*place as usize).ok_or(ChunkError::NoSuchPage)?);
        }
        self.picks.dense = dense;
        Ok(())
    }
}

const fn ends_page(place: usize, count: usize) -> bool {
    place % PAGE_LEN == PAGE_LEN - 1 || place + 1 == count
}

/// Whether the directory tells that no value is less than the one before, nor NaN or minus zero.
pub(super) fn is_ascending(bytes: &[u8], count: usize) -> Result<bool, ChunkError> {
    let mut runs = Vec::new();
    let body = match open(bytes, count, &mut runs)? {
        Column::Constant(value) => return Ok(!value.is_nan()),
        Column::Scaled(Scale::Bits, ..) | Column::Scaled(_, _, Some(_)) => return Ok(false),
        Column::Scaled(_, body, None) => body,
    };
    if !body.paged() || !runs.is_empty() || !body.rising() {
        return Ok(false);
    }
    let (mut ascending, mut before) = (true, i64::MIN);
    body.entries(|_, entry: &Entry| {
        ascending &= entry.ascending && entry.first >= before;
        before = entry.last;
    })?;
    Ok(ascending)
}

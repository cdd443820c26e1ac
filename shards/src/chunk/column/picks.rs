//! Single samples of a column of values: pages that have none of them are not decoded, and neither
//! are pages of which only an end is asked for, since the directory tells the ends.

use super::PAGE_LEN;
use super::ints::{Body, PageSpan};
use super::odd::Run;
use super::scale::Scale;
use super::values::{Column, ValueDecoder, open};
use crate::chunk::ChunkError;

/// Working memory.
#[derive(Debug, Default)]
pub(super) struct Picks {
    integers: Vec<i64>,
    pages: Vec<PageEnds>,
    dense: Vec<f64>,
}

/// What the directory tells of a page, and where its integers are if they were decoded.
#[derive(Debug, Clone, Default)]
struct PageEnds {
    span: PageSpan,
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
        self.pick_of(column, bytes, count, places, out)
    }

    /// Likewise, if the column tells that its values rise; else the answer is false.
    pub(super) fn decode_rising_at(
        &mut self,
        bytes: &[u8],
        count: usize,
        places: &[u32],
        out: &mut Vec<f64>,
    ) -> Result<bool, ChunkError> {
        let column = open(bytes, count, &mut self.runs)?;
        let rising = is_rising(&column, &self.runs);
        if rising {
            self.pick_of(column, bytes, count, places, out)?;
        }
        Ok(rising)
    }

    /// Appends the values at ascending places of a column that was opened.
    fn pick_of(
        &mut self,
        column: Column<'_>,
        bytes: &[u8],
        count: usize,
        places: &[u32],
        out: &mut Vec<f64>,
    ) -> Result<(), ChunkError> {
        let (scale, body) = match column {
            Column::Constant(value) => {
                out.resize(out.len() + places.len(), value);
                return Ok(());
            }
            Column::Scaled(scale, body, None) => (scale, body),
            Column::Scaled(_, _, Some(_)) => return self.pick_dense(bytes, count, places, out),
        };
        let mut picks = std::mem::take(&mut self.picks);
        picks.integers.clear();
        let outcome = self.pick_integers(&body, count, places, &mut picks);
        if outcome.is_ok() {
            let base = out.len();
            scale.values(&picks.integers, out);
            self.put_exceptions(places, out.get_mut(base..).unwrap_or_default());
        }
        self.picks = picks;
        outcome
    }

    /// Appends the integers at ascending places.
    fn pick_integers(
        &mut self,
        body: &Body<'_>,
        count: usize,
        places: &[u32],
        picks: &mut Picks,
    ) -> Result<(), ChunkError> {
        if !body.paged() {
            self.ints.decode(body, |_| true, &mut self.integers)?;
            return pick(&self.integers, places.iter().map(|place| *place as usize), picks);
        }
        picks.pages.clear();
        picks.pages.extend(body.spans().map(|(span, last)| PageEnds { span, last, ..PageEnds::default() }));
        // Of an exception an end tells nothing of its own, but its place is overwritten anyway.
        let page_of = |place: &u32| *place as usize / PAGE_LEN;
        let groups = || places.chunk_by(|one, other| page_of(one) == page_of(other));
        let is_end = |place: &u32| place.is_multiple_of(PAGE_LEN as u32) || ends_page(*place as usize, count);
        if !body.packed() {
            let (pages, mut start) = (&mut picks.pages, 0);
            for group in groups() {
                if let Some(ends) = group.first().and_then(|place| pages.get_mut(page_of(place)))
                    && !group.iter().all(is_end)
                {
                    (ends.wanted, ends.start) = (true, start);
                    start += PAGE_LEN;
                }
            }
            let wanted = |page: usize| pages.get(page).is_some_and(|ends| ends.wanted);
            self.ints.decode(body, wanted, &mut self.integers)?;
        }
        let pages = std::mem::take(&mut picks.pages);
        for group in groups() {
            let Some(ends) = group.first().and_then(|place| pages.get(page_of(place))) else {
                return Err(ChunkError::NoSuchPage);
            };
            let within = group.iter().map(|place| *place as usize % PAGE_LEN);
            if ends.wanted {
                pick(&self.integers, within.map(|place| ends.start + place), picks)?;
            } else if group.iter().all(is_end) {
                let of_end = |place| body.integer(if place == 0 { ends.span.first } else { ends.last });
                picks.integers.extend(within.map(of_end));
            } else {
                self.ints.pick(body, &ends.span, within, &mut picks.integers)?;
            }
        }
        picks.pages = pages;
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

/// Appends the integers at these places.
fn pick(integers: &[i64], places: impl Iterator<Item = usize>, picks: &mut Picks) -> Result<(), ChunkError> {
    for place in places {
        picks.integers.push(*integers.get(place).ok_or(ChunkError::NoSuchPage)?);
    }
    Ok(())
}

const fn ends_page(place: usize, count: usize) -> bool {
    place % PAGE_LEN == PAGE_LEN - 1 || place + 1 == count
}

/// Whether it tells that no value is less than the one before, nor NaN or minus zero.
fn is_rising(column: &Column<'_>, exceptions: &[Run]) -> bool {
    match column {
        Column::Constant(value) => !value.is_nan(),
        Column::Scaled(Scale::Bits, ..) | Column::Scaled(_, _, Some(_)) => false,
        Column::Scaled(_, body, None) => {
            body.paged()
                && body.rising()
                && exceptions.is_empty()
                && body.entries().iter().all(|entry| entry.ascending)
                && body.entries().is_sorted_by(|before, entry| before.last <= entry.first)
        }
    }
}

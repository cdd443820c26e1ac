//! Columns of integers: prediction, division into pages, and one of two codes for the residuals.
//!
//! An integer is `base + g * x` (all arithmetic wraps), where `x` of the first is 0. What follows
//! is the body; its [`Shape`] is kept by the holder.
//!
//! | field     | encoding | notes                                                                  |
//! |-----------|----------|------------------------------------------------------------------------|
//! | base      | varint   |                                                                        |
//! | g         | uvarint  | if the shape tells so, else 1                                          |
//! | step      | varint   | if the order is change or line, see [`super::order`]                   |
//! | directory |          | if paged: an entry per page, see [`super::directory`]                  |
//! | center    | varint   | if entropy-coded: taken from each residual                             |
//! | model     | bits     | if entropy-coded, see [`super::entropy`]                               |
//! | pages     |          | residuals of each page, see [`super::pack`] and [`super::entropy`]     |
//!
//! Without a directory there is one page, of all integers and all bytes that are left.

use super::bits::BitSource;
use super::dictionary::Dictionary;
use super::directory::{Entry, Figures};
use super::entropy::{DICTIONARY, EntropyEncoder, Histogram};
use super::entropy_decoder::{EntropyDecoder, GROUP_MAX};
use super::order::Order;
use super::pack::{self, PackedPage};
use super::{Effort, PAGE_LEN};
use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::varint::{put_uvarint, put_varint, zigzag};

/// Residuals looked at to choose a centre or an order.
const PROBES: usize = 33;
/// Bits that a patch is thought to take besides its number.
const PATCH_BITS: i64 = 11;
/// With fewer integers a model costs more than it saves, and a few probes see all of them.
const ENTROPY_LEN_MIN: usize = 48;
/// Bits that entropy coding must save of each residual of values: packed ones are read several times
/// as fast, and a reader that wants a few of a page need not restore the others. Timestamps are read
/// once for many series.
const ENTROPY_GAIN_BITS: f32 = 1.0;
/// A dictionary saves plain bits; with fewer of them it is not worth a try.
const DICTIONARY_BITS_MIN: u32 = 128;
/// A page of fewer bytes than this is not worth an entry in a directory.
const PAGED_BYTES_MIN: usize = 96;

/// What the holder of a body keeps of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) order: Order,
    pub(super) entropy: bool,
    pub(super) divided: bool,
    pub(super) paged: bool,
}

/// How a column is going to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) shape: Shape,
    base: i64,
    divisor: u64,
    step: i64,
    center: i64,
    grain: u32,
}

/// Writes columns of integers.
#[derive(Debug, Default)]
pub(super) struct IntEncoder {
    reduced: Vec<i64>,
    residuals: Vec<i64>,
    histogram: Histogram,
    trial: Histogram,
    dictionary: Dictionary,
    dictionary_trial: Dictionary,
    entropy: EntropyEncoder,
    payload: Vec<u8>,
}

impl IntEncoder {
    /// Decides how to write these integers, of which there is one at least. Pages are made only
    /// if `pages` allows.
    pub(super) fn plan(&mut self, integers: &[i64], pages: bool, effort: Effort) -> Plan {
        let (base, divisor) = self.reduce(integers);
        let (page_len, gain) = if pages { (PAGE_LEN, ENTROPY_GAIN_BITS) } else { (usize::MAX, 0.0) };
        let mut plan = Plan {
            shape: Shape { order: Order::Level, entropy: false, divided: divisor > 1, paged: false },
            base,
            divisor,
            step: 0,
            center: 0,
            grain: 0,
        };
        let cost_bits = self.try_pages(&mut plan, page_len, gain, effort);
        plan.shape.paged =
            integers.len() > page_len && cost_bits / 8 >= integers.len().div_ceil(page_len) * PAGED_BYTES_MIN;
        if integers.len() > page_len && !plan.shape.paged {
            // What is left of the first integers of pages is to be stored as well.
            self.try_pages(&mut plan, usize::MAX, gain, effort);
        }
        plan
    }

    /// Sets order and code for pages of this length, and returns about how many bits they take.
    fn try_pages(&mut self, plan: &mut Plan, page_len: usize, gain: f32, effort: Effort) -> usize {
        if effort == Effort::Best && self.reduced.len() >= ENTROPY_LEN_MIN {
            self.try_orders(plan, page_len, gain)
        } else {
            let (order, step, bits) = probe_orders(&self.reduced, page_len);
            (plan.shape.order, plan.step) = (order, step);
            bits
        }
    }

    /// Fills `reduced`; returns the base and the divisor, 1 or more.
    fn reduce(&mut self, integers: &[i64]) -> (i64, u64) {
        let base = integers.first().copied().unwrap_or(0);
        self.reduced.clear();
        self.reduced.extend(integers.iter().map(|integer| integer.wrapping_sub(base)));
        let mut divisor = 0u64;
        for x in &self.reduced {
            let x = x.unsigned_abs();
            if x != 0 && (divisor == 0 || x % divisor != 0) {
                divisor = common_divisor(divisor, x);
                if divisor == 1 {
                    return (base, 1);
                }
            }
        }
        let divisor = divisor.max(1);
        if let (Ok(by), true) = (i64::try_from(divisor), divisor > 1) {
            for x in &mut self.reduced {
                *x /= by;
            }
            return (base, divisor);
        }
        (base, 1)
    }

    /// Sets the order and code that take the fewest bits, if entropy coding costs `gain` bits more of
    /// each residual than it does; returns about how many without.
    fn try_orders(&mut self, plan: &mut Plan, page_len: usize, gain: f32) -> usize {
        let (mut best_cost, mut best_bits) = (f32::INFINITY, 0.0);
        let (step, line_step) = steps(&self.reduced);
        for order in Order::ALL {
            let step = if order == Order::Line { line_step } else { step };
            self.residuals.clear();
            for page in self.reduced.chunks(page_len) {
                order.residuals(page, step, &mut self.residuals);
            }
            let center = middle(&self.residuals);
            self.trial.counts.fill(0);
            for residual in &self.residuals {
                self.trial.add(zigzag(residual.wrapping_sub(center)));
            }
            // Either in one width above the least, or above the centre with outliers.
            let (_, patched) = pack::cheapest_width(&self.trial.lens());
            let packed = patched.min(unpatched_bits(&self.residuals));
            let extra = if order.has_step() { 8.0 * varint_len(step) as f32 } else { 0.0 };
            let packed = packed as f32 + extra + 24.0;
            let gain = gain * self.residuals.len() as f32;
            if packed < best_cost {
                (best_cost, best_bits) = (packed, packed);
                (plan.shape.order, plan.shape.entropy, plan.step) = (order, false, step);
            }
            // A column that is all but free by one order needs no other.
            if packed <= 24.0 + extra {
                break;
            }
            // No code gains that much.
            if best_cost <= gain {
                continue;
            }
            let (mut grain, mut coded) = self.trial.cheapest();
            if self.trial.plain_bits() > DICTIONARY_BITS_MIN {
                let us = self.residuals.iter().map(|residual| zigzag(residual.wrapping_sub(center)));
                if self.dictionary_trial.fill(us) && self.dictionary_trial.bits() < coded {
                    (grain, coded) = (DICTIONARY, self.dictionary_trial.bits());
                }
            }
            let coded = coded + extra + 8.0 * varint_len(center) as f32;
            if coded + gain < best_cost {
                (best_cost, best_bits) = (coded + gain, coded);
                (plan.shape.order, plan.shape.entropy, plan.step) = (order, true, step);
                (plan.center, plan.grain) = (center, grain);
                std::mem::swap(&mut self.histogram, &mut self.trial);
                std::mem::swap(&mut self.dictionary, &mut self.dictionary_trial);
            }
        }
        best_bits as usize
    }

    /// Appends the body of the integers that were planned for last. `figures` are those of each
    /// page, needed only if the plan has pages.
    pub(super) fn write(&mut self, plan: &Plan, figures: &[Figures], out: &mut Vec<u8>) {
        put_varint(out, plan.base);
        if plan.shape.divided {
            put_uvarint(out, plan.divisor);
        }
        if plan.shape.order.has_step() {
            put_varint(out, plan.step);
        }
        self.payload.clear();
        if plan.shape.entropy {
            put_varint(&mut self.payload, plan.center);
            if plan.grain == DICTIONARY {
                self.entropy.write_dictionary(&mut self.dictionary, &mut self.payload);
            } else {
                self.entropy.write_model(&self.histogram, plan.grain, &mut self.payload);
            }
        }
        let (residuals, entropy, payload) = (&mut self.residuals, &mut self.entropy, &mut self.payload);
        if plan.shape.paged {
            let mut before = None;
            for (page, figures) in self.reduced.chunks(PAGE_LEN).zip(figures) {
                let start = payload.len();
                write_page(plan, page, residuals, entropy, payload);
                before = Some(figures.write(page, before, payload.len() - start, out));
            }
        } else {
            write_page(plan, &self.reduced, residuals, entropy, payload);
        }
        out.extend_from_slice(payload);
    }
}

fn write_page(
    plan: &Plan,
    page: &[i64],
    residuals: &mut Vec<i64>,
    entropy: &mut EntropyEncoder,
    out: &mut Vec<u8>,
) {
    residuals.clear();
    plan.shape.order.residuals(page, plan.step, residuals);
    if plan.shape.entropy {
        entropy.write_page(residuals, plan.center, out);
    } else if !residuals.is_empty() {
        pack::write_page(residuals, out);
    }
}

fn varint_len(value: i64) -> usize {
    crate::codec::varint::uvarint_len(zigzag(value))
}

fn common_divisor(mut one: u64, mut other: u64) -> u64 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// The middle one of a few of the residuals.
fn middle(residuals: &[i64]) -> i64 {
    let mut probes = [0i64; PROBES];
    let stride = residuals.len().div_ceil(PROBES).max(1);
    let mut taken = 0;
    for (probe, residual) in probes.iter_mut().zip(residuals.iter().step_by(stride)) {
        *probe = *residual;
        taken += 1;
    }
    middle_of(probes.get_mut(..taken).unwrap_or_default())
}

fn middle_of(probes: &mut [i64]) -> i64 {
    probes.sort_unstable();
    probes.get(probes.len() / 2).copied().unwrap_or(0)
}

/// Steps for the orders change and line.
fn steps(reduced: &[i64]) -> (i64, i64) {
    let count = reduced.len();
    let mut probes = [0i64; PROBES];
    let stride = count.div_ceil(PROBES).max(1);
    let mut taken = 0;
    for (probe, [before, x]) in probes.iter_mut().zip(reduced.array_windows().step_by(stride)) {
        *probe = x.wrapping_sub(*before);
        taken += 1;
    }
    let step = middle_of(probes.get_mut(..taken).unwrap_or_default());
    let whole = reduced.last().copied().unwrap_or(0);
    let gaps = i64::try_from(count.saturating_sub(1).max(1)).unwrap_or(1);
    let mean = whole.saturating_add(gaps / 2 * whole.signum()) / gaps;
    // The mean is the better one unless something jumped.
    let near = mean.wrapping_sub(step).unsigned_abs() <= step.unsigned_abs() / 8 + 8;
    (step, if near { mean } else { step })
}

/// Order that makes a few residuals the shortest, its step, and about the bits of all.
fn probe_orders(reduced: &[i64], page_len: usize) -> (Order, i64, usize) {
    let count = reduced.len();
    let (step, line_step) = steps(reduced);
    let stride = count.saturating_sub(2).div_ceil(PROBES).max(1);
    let mut probes = [[0i64; PROBES]; 4];
    let mut taken = 0;
    for (index, [far, before, x]) in reduced.array_windows().enumerate().step_by(stride).take(PROBES) {
        let place = (index + 2) % page_len;
        let first = reduced.get(index + 2 - place).copied().unwrap_or(0);
        let delta = x.wrapping_sub(*before);
        let line = first.wrapping_add(line_step.wrapping_mul(place as i64));
        let residuals = [*x, delta, delta.wrapping_sub(before.wrapping_sub(*far)), x.wrapping_sub(line)];
        for (probes, residual) in probes.iter_mut().zip(residuals) {
            if let Some(probe) = probes.get_mut(taken) {
                *probe = residual;
            }
        }
        taken += 1;
    }
    let mut best = (Order::Level, 0, usize::MAX);
    for (order, probes) in Order::ALL.into_iter().zip(&mut probes) {
        let step = if order == Order::Line { line_step } else { step };
        let probes = probes.get_mut(..taken).unwrap_or_default();
        let center = middle_of(probes);
        for probe in probes.iter_mut() {
            *probe = i64::from(64 - zigzag(probe.wrapping_sub(center)).leading_zeros());
        }
        let told = if order.has_step() { 8 * varint_len(step) } else { 0 };
        let bits = packed_bits(probes) * stride + told;
        if bits < best.2 {
            best = (order, step, bits);
        }
    }
    best
}

/// Bits of residuals that are all in one width.
fn unpatched_bits(residuals: &[i64]) -> usize {
    let range = residuals.iter().fold((i64::MAX, i64::MIN), |(min, max), x| (min.min(*x), max.max(*x)));
    let span = range.1.wrapping_sub(range.0) as u64;
    residuals.len() * (64 - span.leading_zeros()) as usize
}

/// Bits that numbers of these bit lengths take in one width, the longest patched.
fn packed_bits(lens: &mut [i64]) -> usize {
    lens.sort_unstable();
    let count = lens.len() as i64;
    let (mut best, mut patches) = (i64::MAX, 0);
    for (outliers, len) in (0..).zip(lens.iter().rev()).take(lens.len() / 4 + 1) {
        best = best.min((count - outliers) * len + patches);
        patches += len + PATCH_BITS;
    }
    if lens.is_empty() { 0 } else { best as usize }
}

/// Reads columns of integers.
#[derive(Debug, Default)]
pub(super) struct IntDecoder {
    entropy: EntropyDecoder,
    source: BitSource,
    pages: Vec<PageSpan>,
    /// One page, for picks.
    page: Vec<i64>,
}

/// The parts of a body.
#[derive(Debug)]
pub(super) struct Body<'a> {
    shape: Shape,
    base: i64,
    divisor: i64,
    step: i64,
    count: usize,
    /// Of the pages, if there is a directory.
    entries: Vec<Entry>,
    payload: &'a [u8],
}

impl<'a> Body<'a> {
    /// Reads all before the model and the pages.
    pub(super) fn read(mut cursor: Cursor<'a>, shape: Shape, count: usize) -> Result<Self, ChunkError> {
        let base = cursor.varint()?;
        let divisor = if shape.divided { cursor.uvarint()? as i64 } else { 1 };
        let step = if shape.order.has_step() { cursor.varint()? } else { 0 };
        let mut entries: Vec<Entry> = Vec::new();
        if shape.paged {
            for _ in 0..count.div_ceil(PAGE_LEN) {
                let before = entries.last().map(|entry| entry.last);
                entries.push(Entry::read(&mut cursor, before)?);
            }
        }
        let payload = cursor.take(cursor.remaining())?;
        Ok(Self { shape, base, divisor, step, count, entries, payload })
    }

    /// The integer of a reduced one.
    pub(super) const fn integer(&self, x: i64) -> i64 {
        self.base.wrapping_add(x.wrapping_mul(self.divisor))
    }

    pub(super) const fn paged(&self) -> bool {
        self.shape.paged
    }

    pub(super) const fn packed(&self) -> bool {
        !self.shape.entropy
    }

    /// Whether a greater `x` stands for a greater integer, as it does unless bytes were damaged.
    pub(super) const fn rising(&self) -> bool {
        self.divisor > 0
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Every page of the directory: where it is, and its last `x`.
    pub(super) fn spans(&self) -> impl Iterator<Item = (PageSpan, i64)> {
        let (mut end, mut left) = (0usize, self.count);
        self.entries.iter().map(move |entry| {
            let start = end;
            end = end.saturating_add(entry.len);
            let count = left.min(PAGE_LEN);
            left -= count;
            (PageSpan { first: entry.first, bytes: start..end, count }, entry.last)
        })
    }
}

/// A page of a body: its first `x`, where its bytes are, and its integers.
#[derive(Debug, Clone, Default)]
pub(super) struct PageSpan {
    pub(super) first: i64,
    pub(super) bytes: std::ops::Range<usize>,
    pub(super) count: usize,
}

impl IntDecoder {
    /// Appends the integers at ascending places (counted within the page, not the first) of a page
    /// with packed residuals. What lies between them is passed over, not restored.
    pub(super) fn pick(
        &mut self,
        body: &Body<'_>,
        page: &PageSpan,
        places: impl Iterator<Item = usize>,
        out: &mut Vec<i64>,
    ) -> Result<(), ChunkError> {
        let bytes = body.payload.get(page.bytes.clone()).ok_or(ChunkError::Truncated)?;
        self.page.resize(page.count, 0);
        let residuals = tail_of(self.page.get_mut(..page.count).unwrap_or_default());
        let order = body.shape.order;
        if order == Order::Delta {
            let packed = PackedPage::read(bytes, residuals.len())?;
            packed.fill(&mut self.source, residuals)?;
            let (mut x, mut at) = (page.first, 0usize);
            for place in places {
                let passed = residuals.get(at..place).ok_or(ChunkError::NoSuchPage)?;
                let lows = passed.iter().fold(0i64, |sum, low| sum.wrapping_add(*low));
                x = x.wrapping_add(lows).wrapping_add(packed.base.wrapping_mul(passed.len() as i64));
                at = place;
                out.push(body.integer(x));
            }
            return Ok(());
        }
        pack::read_page(bytes, &mut self.source, residuals)?;
        let whole = self.page.get_mut(..page.count).unwrap_or_default();
        if let Some(first) = whole.first_mut() {
            *first = page.first;
        }
        order.restore(whole, body.step);
        for place in places {
            out.push(body.integer(*whole.get(place).ok_or(ChunkError::NoSuchPage)?));
        }
        Ok(())
    }

    /// Replaces `out` by the integers of the wanted pages, or by all if there is no directory: then
    /// the answer is true.
    pub(super) fn decode(
        &mut self,
        body: &Body<'_>,
        wanted: impl Fn(usize) -> bool,
        out: &mut Vec<i64>,
    ) -> Result<bool, ChunkError> {
        let mut payload = Cursor::new(body.payload);
        if body.shape.entropy {
            let center = payload.varint()?;
            self.entropy.read_model(center, &mut payload)?;
        }
        let bytes = payload.take(payload.remaining())?;
        self.pages.clear();
        if body.shape.paged {
            let mut end = 0;
            for (page, (span, _)) in body.spans().enumerate() {
                end = span.bytes.end;
                if wanted(page) {
                    self.pages.push(span);
                }
            }
            if end > bytes.len() {
                return Err(ChunkError::Truncated);
            } else if end < bytes.len() {
                return Err(ChunkError::Surplus);
            }
        } else {
            self.pages.push(PageSpan { first: 0, bytes: 0..bytes.len(), count: body.count });
        }
        // What stands in `out` is overwritten.
        out.resize(self.pages.iter().map(|page| page.count).sum(), 0);
        self.residuals(body, bytes, out)?;
        let mut rest = out.as_mut_slice();
        // All that follows from the first integer of a page has its base already.
        let shifted = body.divisor == 1 && body.shape.order != Order::Level;
        for page in &self.pages {
            let (part, behind) = rest.split_at_mut_checked(page.count).ok_or(ChunkError::Corrupt)?;
            rest = behind;
            if let Some(first) = part.first_mut() {
                *first = if shifted { body.integer(page.first) } else { page.first };
            }
            body.shape.order.restore(part, body.step);
            if !shifted && (body.divisor != 1 || body.base != 0) {
                for x in part {
                    *x = body.integer(*x);
                }
            }
        }
        Ok(!body.shape.paged)
    }

    /// Fills all but the first place of each page with its residuals.
    fn residuals(&mut self, body: &Body<'_>, bytes: &[u8], out: &mut [i64]) -> Result<(), ChunkError> {
        if body.shape.entropy {
            self.entropy.load(bytes);
        }
        let all = std::mem::take(&mut self.pages);
        let outcome = self.residuals_of(&all, body, bytes, out);
        self.pages = all;
        outcome
    }

    fn residuals_of(
        &mut self,
        mut pages: &[PageSpan],
        body: &Body<'_>,
        bytes: &[u8],
        out: &mut [i64],
    ) -> Result<(), ChunkError> {
        let mut rest = out;
        while let Some((page, others)) = pages.split_first() {
            // The last page may be shorter; others are of one length.
            let alike = pages.iter().take(GROUP_MAX).take_while(|other| other.count == page.count).count();
            if body.shape.entropy && alike > 1 {
                let (group, behind) = pages.split_at_checked(alike).ok_or(ChunkError::Corrupt)?;
                let (part, after) =
                    rest.split_at_mut_checked(alike * page.count).ok_or(ChunkError::Corrupt)?;
                match alike {
                    2 => self.entropy_pages::<2>(group, part)?,
                    3 => self.entropy_pages::<3>(group, part)?,
                    _ => self.entropy_pages::<GROUP_MAX>(group, part)?,
                }
                (pages, rest) = (behind, after);
                continue;
            }
            let (part, after) = rest.split_at_mut_checked(page.count).ok_or(ChunkError::Corrupt)?;
            let residuals = tail_of(part);
            let own = bytes.get(page.bytes.clone()).ok_or(ChunkError::Truncated)?;
            if residuals.is_empty() {
                if !own.is_empty() {
                    return Err(ChunkError::Surplus);
                }
            } else if body.shape.entropy {
                self.entropy.read_pages([page.bytes.clone()], [residuals])?;
            } else {
                pack::read_page(own, &mut self.source, residuals)?;
            }
            (pages, rest) = (others, after);
        }
        Ok(())
    }

    /// Entropy-coded pages of one length.
    fn entropy_pages<const N: usize>(
        &mut self,
        pages: &[PageSpan],
        out: &mut [i64],
    ) -> Result<(), ChunkError> {
        let count = pages.first().map_or(1, |page| page.count);
        let mut parts = out.chunks_exact_mut(count);
        let outs = std::array::from_fn(|_| tail_of(parts.next().unwrap_or_default()));
        let ranges = std::array::from_fn(|at| pages.get(at).map_or(0..0, |page| page.bytes.clone()));
        self.entropy.read_pages::<N>(ranges, outs)
    }
}

/// All but the first place.
fn tail_of(page: &mut [i64]) -> &mut [i64] {
    page.split_first_mut().map(|(_, rest)| rest).unwrap_or_default()
}

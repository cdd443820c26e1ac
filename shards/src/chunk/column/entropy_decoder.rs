//! Decoder of entropy-coded residuals; [`super::entropy`] has the format.
//!
//! What follows a token depends on it alone, but where it stands depends on all tokens before. So
//! pages are read several at a time: while one waits for its next state, the others go on.

use super::bits::{BitSource, PEEK_BITS};
use super::entropy::{
    DICTIONARY, LANES, LEVEL_MAX, LEVEL_START, MODEL_BYTES_MAX, STATES_LOG_MAX, STATES_LOG_MIN, STATES_MAX,
    deal, shares,
};
use super::token::{TOKENS, TokenRule, rule_of};
use crate::chunk::ChunkError;
use crate::codec::Cursor;
use crate::codec::varint::unzigzag;

/// Most pages that are read at the same time.
pub(super) const GROUP_MAX: usize = 4;

/// Grain whose plain bits have the sign.
const COARSE: u32 = 2;

/// One state: its token, and how the next state follows from it.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    base: u16,
    bits: u8,
    token: u8,
}

/// How a token and its plain bits become a residual: inverted if `flip` is all ones, and added.
#[derive(Debug, Clone, Copy, Default)]
struct Rule {
    add: i64,
    flip: i64,
    plain: u32,
}

/// The decoder's side of a model.
#[derive(Debug)]
pub(super) struct EntropyDecoder {
    log: u32,
    grain: u32,
    center: i64,
    plain_max: u32,
    states: Box<[State; STATES_MAX]>,
    rules: Box<[Rule; TOKENS]>,
    tokens: Vec<u8>,
    source: BitSource,
}

impl Default for EntropyDecoder {
    fn default() -> Self {
        Self {
            log: 0,
            grain: 0,
            center: 0,
            plain_max: 0,
            states: Box::new([State::default(); STATES_MAX]),
            rules: Box::new([Rule::default(); TOKENS]),
            tokens: Vec::new(),
            source: BitSource::default(),
        }
    }
}

impl EntropyDecoder {
    /// Reads a model; `center` is added to every residual.
    pub(super) fn read_model(&mut self, center: i64, cursor: &mut Cursor<'_>) -> Result<(), ChunkError> {
        let most = cursor.remaining().min(MODEL_BYTES_MAX);
        self.source.load(cursor.clone().take(most)?);
        let grain = self.source.read(0, 2) as u32;
        self.log = self.source.read(2, 3) as u32 + STATES_LOG_MIN;
        if self.log > STATES_LOG_MAX {
            return Err(ChunkError::Corrupt);
        }
        (self.grain, self.center, self.plain_max) = (grain, center, 0);
        let (levels, position) = read_levels(&self.source, 5)?;
        if position > self.source.len_bits() {
            return Err(ChunkError::Truncated);
        }
        cursor.take(position.div_ceil(8))?;
        let shares = shares(&levels, self.log).ok_or(ChunkError::Corrupt)?;
        let mut next = 0u64;
        for ((token, share), rule) in (0u8..=255).zip(&shares).zip(self.rules.iter_mut()) {
            if *share == 0 {
                continue;
            }
            let told = if grain == DICTIONARY {
                let base = next.checked_add(cursor.uvarint()?).ok_or(ChunkError::Corrupt)?;
                next = base.wrapping_add(1);
                TokenRule { base, plain: 0 }
            } else {
                rule_of(token, grain).ok_or(ChunkError::Corrupt)?
            };
            *rule = Rule::of(told, grain, center);
            self.plain_max = self.plain_max.max(rule.plain);
        }
        self.make_tables(&shares);
        Ok(())
    }

    fn make_tables(&mut self, shares: &[u16; TOKENS]) {
        let count = 1usize << self.log;
        let states = &mut self.states;
        deal(shares, self.log, |token, state| {
            if let Some(place) = states.get_mut(state) {
                place.token = token;
            }
        });
        let mut next = *shares;
        for state in self.states.iter_mut().take(count) {
            let Some(share) = next.get_mut(usize::from(state.token)) else { continue };
            let bits = self.log - u32::from(*share).max(1).ilog2();
            state.bits = bits as u8;
            state.base = ((u32::from(*share) << bits) as usize & (count - 1)) as u16;
            *share += 1;
        }
    }

    /// Takes the bytes of all pages, one behind the other.
    pub(super) fn load(&mut self, pages: &[u8]) {
        self.source.load(pages);
    }

    /// Fills each of `outs`, all of one length, with the residuals of the page in its range of the
    /// loaded bytes.
    pub(super) fn read_pages<const N: usize>(
        &mut self,
        pages: [std::ops::Range<usize>; N],
        outs: [&mut [i64]; N],
    ) -> Result<(), ChunkError> {
        let len = outs.first().map_or(0, |out| out.len());
        let starts = std::array::from_fn(|page| pages.get(page).map_or(0, |bytes| bytes.start * 8));
        let mut tokens = std::mem::take(&mut self.tokens);
        tokens.resize(N * len, 0);
        let positions = self.read_tokens::<N>(starts, len, &mut tokens);
        let mut outcome = Ok(());
        for (((out, tokens), position), bytes) in
            outs.into_iter().zip(tokens.chunks_exact(len.max(1))).zip(positions).zip(pages)
        {
            let end = self.read_plain(tokens, position, out);
            if end.div_ceil(8) != bytes.end {
                outcome = Err(ChunkError::Corrupt);
            }
        }
        self.tokens = tokens;
        outcome
    }

    /// Turns tokens and the plain bits from `position` on into residuals; returns where they end.
    fn read_plain(&self, tokens: &[u8], position: usize, out: &mut [i64]) -> usize {
        let peek = |position: usize, plain: u32| self.source.peek(position) & ((1u64 << plain) - 1);
        if self.grain == COARSE || self.plain_max > PEEK_BITS {
            return self
                .plain_with(tokens, position, out, |position, plain| self.source.read(position, plain));
        }
        if self.plain_max == 0 {
            for (value, token) in out.iter_mut().zip(tokens) {
                *value = self.rule(*token).add;
            }
            return position;
        }
        self.plain_with(tokens, position, out, peek)
    }

    #[inline(always)]
    fn plain_with(
        &self,
        tokens: &[u8],
        mut position: usize,
        out: &mut [i64],
        read: impl Fn(usize, u32) -> u64,
    ) -> usize {
        let coarse = self.grain == COARSE;
        for (value, token) in out.iter_mut().zip(tokens) {
            let rule = self.rule(*token);
            let bits = read(position, rule.plain) as i64;
            position += rule.plain as usize;
            *value = if coarse && rule.plain > 0 {
                unzigzag((rule.add as u64).wrapping_add(bits as u64)).wrapping_add(self.center)
            } else {
                (bits ^ rule.flip).wrapping_add(rule.add)
            };
        }
        position
    }

    #[inline]
    fn rule(&self, token: u8) -> Rule {
        self.rules.get(usize::from(token)).copied().unwrap_or_default()
    }

    /// Reads the tokens of pages that begin at these bits and have `len` tokens each; returns the
    /// positions behind them.
    #[inline]
    fn read_tokens<const N: usize>(
        &self,
        mut positions: [usize; N],
        len: usize,
        tokens: &mut [u8],
    ) -> [usize; N] {
        let log = self.log;
        let source = &self.source;
        let state_of = |state: usize| self.states.get(state & (STATES_MAX - 1)).copied().unwrap_or_default();
        let mut lanes = [[0usize; LANES]; N];
        for (lanes, position) in lanes.iter_mut().zip(&mut positions) {
            for lane in lanes.iter_mut().take(len) {
                *lane = source.read(*position, log) as usize;
                *position += log as usize;
            }
        }
        let mut parts = tokens.chunks_exact_mut(len.max(1));
        let mut pages: [&mut [u8]; N] = std::array::from_fn(|_| parts.next().unwrap_or_default());
        let moving = len.saturating_sub(LANES);
        for at in (0..moving - moving % LANES).step_by(LANES) {
            for ((tokens, position), [first, second]) in pages.iter_mut().zip(&mut positions).zip(&mut lanes)
            {
                let bits = source.peek(*position);
                let (one, two) = (state_of(*first), state_of(*second));
                if let Some([place_one, place_two]) = tokens.get_mut(at..at + LANES) {
                    *place_one = one.token;
                    *place_two = two.token;
                }
                let (len_one, len_two) = (u32::from(one.bits), u32::from(two.bits));
                *first = usize::from(one.base) + (bits & ((1 << len_one) - 1)) as usize;
                *second = usize::from(two.base) + ((bits >> len_one) & ((1 << len_two) - 1)) as usize;
                *position += (len_one + len_two) as usize;
            }
        }
        for ((tokens, position), [first, second]) in pages.iter_mut().zip(&mut positions).zip(lanes) {
            let (mut first, mut second) = (first, second);
            let mut at = moving - moving % LANES;
            if at < moving {
                let one = state_of(first);
                if let Some(place) = tokens.get_mut(at) {
                    *place = one.token;
                }
                let next = usize::from(one.base) + source.read(*position, u32::from(one.bits)) as usize;
                *position += usize::from(one.bits);
                (first, second) = (second, next);
                at += 1;
            }
            for (place, state) in tokens.get_mut(at..).unwrap_or_default().iter_mut().zip([first, second]) {
                *place = state_of(state).token;
            }
        }
        positions
    }
}

impl Rule {
    /// The sign of a token of the finer grains is the lowest bit of its base.
    fn of(told: TokenRule, grain: u32, center: i64) -> Self {
        let plain = u32::from(told.plain);
        if plain == 0 {
            return Self { add: unzigzag(told.base).wrapping_add(center), flip: 0, plain };
        }
        if grain == COARSE {
            return Self { add: told.base as i64, flip: 0, plain };
        }
        let half = (told.base >> 1) as i64;
        if told.base & 1 == 0 {
            Self { add: half.wrapping_add(center), flip: 0, plain }
        } else {
            Self { add: center.wrapping_sub(half), flip: -1, plain }
        }
    }
}

/// Levels of the tokens, and the position behind them.
fn read_levels(source: &BitSource, start: usize) -> Result<([u8; TOKENS], usize), ChunkError> {
    let mut levels = [0u8; TOKENS];
    let (mut token, mut before, mut position) = (0usize, LEVEL_START, start);
    loop {
        let bits = source.peek(position);
        let (level, len) = match (bits & 3, (bits >> 2) & 3) {
            (0, _) => (0, 2),
            (1, _) => (before, 2),
            (2, _) => (before.wrapping_sub(1), 2),
            (_, 0) => (before + 1, 4),
            (_, 1) => ((bits >> 4 & 31) as u32, 9),
            (_, 2) => {
                token += (bits >> 4 & 15) as usize + 2;
                position += 8;
                continue;
            }
            (_, _) => (before.wrapping_sub(2), 4),
        };
        position += len;
        if len == 9 && level == 0 {
            return Ok((levels, position));
        }
        if len != 2 || bits & 3 != 0 {
            if !(1..=LEVEL_MAX).contains(&level) {
                return Err(ChunkError::Corrupt);
            }
            before = level;
        }
        *levels.get_mut(token).ok_or(ChunkError::Corrupt)? = level as u8;
        token += 1;
    }
}

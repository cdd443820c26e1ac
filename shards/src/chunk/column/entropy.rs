//! Entropy coding of residuals: tokens by asymmetric numeral systems (tANS), plain bits after.
//!
//! The model of a column, as bits from the least significant on:
//!
//! | bits | field                                                                        |
//! |-----:|------------------------------------------------------------------------------|
//! |    2 | grain of the tokens, see [`super::token`]                                    |
//! |    3 | log2 of the number of states, less 5; at most 5                              |
//! |    n | level of each token from 0 on, up to an end code; then zeros up to a byte    |
//!
//! With grain 3 the tokens are those of a dictionary, without plain bits. What each that occurs
//! stands for follows as uvarints: the first zigzagged residual, and by how much each later one
//! is more than the one before, less 1.
//!
//! A level tells how frequent a token is in half powers of two: weight 2, 3, 4, 6, 8, 12, ... for
//! level 1, 2, 3, ... up to 31. It is told relative to the level of the token before that has one
//! (8 at first):
//!
//! | code           | meaning                                         |
//! |----------------|-------------------------------------------------|
//! | `0` in 2 bits  | token does not occur                            |
//! | `1` in 2 bits  | same level                                      |
//! | `2` in 2 bits  | level less 1                                    |
//! | `3`, `0` in 2  | level and 1                                     |
//! | `3`, `1` in 2  | level in 5 bits; 0 ends the model               |
//! | `3`, `2` in 2  | 2 to 17 tokens do not occur: 4 bits, less 2     |
//! | `3`, `3` in 2  | level less 2                                    |
//!
//! A token's share of the states is its weight times the states through the sum of the weights,
//! rounded down, 1 at least; the first token of the largest share takes what is left over or
//! missing. States are dealt out in steps of `states / 2 + states / 8 + 3`.
//!
//! A page of residuals: the states of two lanes, then what each token but each lane's last adds to
//! its lane's state, then the plain bits of all tokens. Tokens alternate between the lanes.

use super::bits::BitSink;
use super::dictionary::Dictionary;
use super::token::{GRAINS, TOKENS, coarsen, plain_bits, plain_len, token_of};
use crate::codec::bits::low_bits;
use crate::codec::varint::{put_uvarint, zigzag};

pub(super) const STATES_LOG_MIN: u32 = 5;
pub(super) const STATES_LOG_MAX: u32 = 10;
pub(super) const STATES_MAX: usize = 1 << STATES_LOG_MAX;
pub(super) const LANES: usize = 2;
pub(super) const LEVEL_START: u32 = 8;
pub(super) const LEVEL_MAX: u32 = 31;
/// Most bits of the model of all tokens.
pub(super) const MODEL_BYTES_MAX: usize = 5 + TOKENS * 9 / 8;

/// Grain of the tokens of a dictionary.
pub(super) const DICTIONARY: u32 = GRAINS;

/// How often each token of grain 0 occurs.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    pub(super) counts: [u32; TOKENS],
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [0; TOKENS] }
    }
}

impl Histogram {
    #[inline]
    pub(super) fn add(&mut self, u: u64) {
        let (token, _) = token_of(u, 0);
        if let Some(count) = self.counts.get_mut(usize::from(token)) {
            *count += 1;
        }
    }

    /// How many residuals there are of each bit length.
    pub(super) fn lens(&self) -> [u32; 66] {
        let mut lens = [0; 66];
        for (token, count) in (0u8..=255).zip(&self.counts) {
            let len = if token < 16 { 8 - token.leading_zeros() } else { u32::from(token) / 4 + 1 };
            if let Some(sum) = lens.get_mut(len as usize) {
                *sum += count;
            }
        }
        lens
    }

    fn merged(&self, grain: u32) -> Self {
        let mut merged = Self::default();
        for (token, count) in (0u8..=255).zip(&self.counts) {
            if let Some(sum) = merged.counts.get_mut(usize::from(coarsen(token, grain).0)) {
                *sum += count;
            }
        }
        merged
    }

    /// Plain bits of all residuals at grain 0.
    pub(super) fn plain_bits(&self) -> u32 {
        (0u8..=255).zip(&self.counts).map(|(token, count)| plain_len(token) * count).sum()
    }

    /// Grain by which the residuals take the fewest bits, and about how many.
    pub(super) fn cheapest(&self) -> (u32, f32) {
        let total: u32 = self.counts.iter().sum();
        let mut best = (0, f32::INFINITY);
        let plain = self.plain_bits();
        for grain in 0..GRAINS {
            let merged = if grain == 0 { None } else { Some(self.merged(grain)) };
            let counts = merged.as_ref().map_or(&self.counts, |merged| &merged.counts);
            let (mut bits, mut tokens, mut direct) = (0.0f32, 0u32, 0u32);
            for (token, count) in counts.iter().enumerate() {
                if *count > 0 {
                    bits += *count as f32 * (total as f32 / *count as f32).log2();
                    tokens += 1;
                    direct += if token < 16 { *count } else { 0 };
                }
            }
            let gained = (total - direct) * grain;
            let bits = bits + (plain + gained) as f32 + 3.5 * tokens as f32 + 40.0;
            if bits < best.1 {
                best = (grain, bits);
            }
        }
        best
    }
}

/// Level whose weight is nearest to `count`, which is not 0.
fn level_of(count: u32) -> u32 {
    // Weight of level 2k + 1 is 2 << k, of level 2k + 2 it is 3 << k: a count of 1 is level 1.
    let doubled = count * 2;
    let log = doubled.ilog2() - 1;
    let rest = doubled - (2 << log);
    // Between 2 and 4 (times a power of two) the borders are the geometric means, 2.45 and 3.46.
    let eighths = (rest * 16) >> log;
    let step = if eighths < 7 {
        0
    } else if eighths < 23 {
        1
    } else {
        2
    };
    (log * 2 + 1 + step).min(LEVEL_MAX)
}

const fn weight_of(level: u32) -> u32 {
    match level {
        0 => 0,
        _ => (if level % 2 == 1 { 2 } else { 3 }) << ((level - 1) / 2),
    }
}

/// Shares of `1 << log` states; `None` if there are no tokens or more than states.
pub(super) fn shares(levels: &[u8; TOKENS], log: u32) -> Option<[u16; TOKENS]> {
    let states = 1u32 << log;
    let sum: u64 = levels.iter().map(|level| u64::from(weight_of(u32::from(*level)))).sum();
    let tokens = levels.iter().filter(|level| **level > 0).count();
    if sum == 0 || tokens > states as usize / 2 {
        return None;
    }
    let mut shares = [0u16; TOKENS];
    let mut left = i32::try_from(states).ok()?;
    for (share, level) in shares.iter_mut().zip(levels) {
        if *level > 0 {
            let part = (u64::from(weight_of(u32::from(*level))) << log) / sum;
            *share = (part as u16).max(1);
            left -= i32::from(*share);
        }
    }
    while left != 0 {
        let most = *shares.iter().max()?;
        let largest = shares.iter_mut().find(|share| **share == most)?;
        let change = left.max(1 - i32::from(most));
        *largest = (i32::from(most) + change) as u16;
        left -= change;
        if change == 0 {
            return None;
        }
    }
    Some(shares)
}

/// Calls `deal` with each state in the order of the tokens that own them.
pub(super) fn deal(shares: &[u16; TOKENS], log: u32, mut deal: impl FnMut(u8, usize)) {
    let states = 1usize << log;
    let step = states / 2 + states / 8 + 3;
    let mut state = 0;
    for (token, share) in (0u8..=255).zip(shares) {
        for _ in 0..*share {
            deal(token, state);
            state = (state + step) & (states - 1);
        }
    }
}

/// The encoder's side of a model.
#[derive(Debug)]
pub(super) struct EntropyEncoder {
    grain: u32,
    log: u32,
    /// Per token: its share, and where its states begin in `next`.
    shares: [u16; TOKENS],
    starts: [u16; TOKENS],
    next: Box<[u16; STATES_MAX]>,
    moves: Vec<(u16, u8)>,
    owners: Box<[u8; STATES_MAX]>,
    tokens: Vec<(u8, u8)>,
    dictionary: Dictionary,
}

impl Default for EntropyEncoder {
    fn default() -> Self {
        Self {
            grain: 0,
            log: 0,
            shares: [0; TOKENS],
            starts: [0; TOKENS],
            next: Box::new([0; STATES_MAX]),
            moves: Vec::new(),
            owners: Box::new([0; STATES_MAX]),
            tokens: Vec::new(),
            dictionary: Dictionary::default(),
        }
    }
}

impl EntropyEncoder {
    /// Makes the model for residuals of this histogram and appends it.
    pub(super) fn write_model(&mut self, histogram: &Histogram, grain: u32, out: &mut Vec<u8>) {
        self.write_counts(&histogram.merged(grain), grain, out);
    }

    /// Makes the model for residuals that are all in the dictionary, and appends it.
    pub(super) fn write_dictionary(&mut self, dictionary: &mut Dictionary, out: &mut Vec<u8>) {
        dictionary.sort();
        std::mem::swap(&mut self.dictionary, dictionary);
        let mut counts = Histogram::default();
        for (place, (_, count)) in counts.counts.iter_mut().zip(self.dictionary.entries()) {
            *place = *count;
        }
        self.write_counts(&counts, DICTIONARY, out);
        let mut next = 0;
        for (u, _) in self.dictionary.entries() {
            put_uvarint(out, u.wrapping_sub(next));
            next = u.wrapping_add(1);
        }
    }

    fn write_counts(&mut self, merged: &Histogram, grain: u32, out: &mut Vec<u8>) {
        let mut levels = [0u8; TOKENS];
        for (level, count) in levels.iter_mut().zip(&merged.counts) {
            *level = if *count > 0 { level_of(*count) as u8 } else { 0 };
        }
        let total: u32 = merged.counts.iter().sum();
        let tokens = merged.counts.iter().filter(|count| **count > 0).count() as u32;
        let needed = tokens.max(1).ilog2() + 2;
        self.grain = grain;
        self.log = (total.max(1).ilog2().saturating_sub(1)).max(needed).clamp(STATES_LOG_MIN, STATES_LOG_MAX);
        self.shares = shares(&levels, self.log).unwrap_or([0; TOKENS]);
        self.make_tables();
        let mut bits = BitSink::new(out);
        bits.push(u64::from(grain), 2);
        bits.push(u64::from(self.log - STATES_LOG_MIN), 3);
        write_levels(&levels, &mut bits);
        bits.finish();
    }

    fn make_tables(&mut self) {
        let states = 1usize << self.log;
        let mut start = 0;
        for (place, share) in self.starts.iter_mut().zip(&self.shares) {
            *place = start;
            start += share;
        }
        let owners = &mut self.owners;
        deal(&self.shares, self.log, |token, state| {
            if let Some(owner) = owners.get_mut(state) {
                *owner = token;
            }
        });
        let mut filled = self.starts;
        for (state, owner) in self.owners.iter().take(states).enumerate() {
            if let Some(place) = filled.get_mut(usize::from(*owner)) {
                if let Some(next) = self.next.get_mut(usize::from(*place)) {
                    *next = (states + state) as u16;
                }
                *place += 1;
            }
        }
    }

    /// Appends a page of residuals.
    pub(super) fn write_page(&mut self, residuals: &[i64], center: i64, out: &mut Vec<u8>) {
        let (log, grain) = (self.log, self.grain);
        self.moves.clear();
        self.moves.resize(residuals.len(), (0, 0));
        self.tokens.clear();
        let us = residuals.iter().map(|residual| zigzag(residual.wrapping_sub(center)));
        if grain == DICTIONARY {
            self.tokens.extend(us.clone().map(|u| (self.dictionary.token(u), 0)));
        } else {
            self.tokens.extend(us.clone().map(|u| {
                let (token, plain) = token_of(u, grain);
                (token, plain as u8)
            }));
        }
        let mut lanes = [0u32; LANES];
        for (index, (token, _)) in self.tokens.iter().enumerate().rev() {
            let token = usize::from(*token);
            let share = u32::from(self.shares.get(token).copied().unwrap_or(1)).max(1);
            let start = usize::from(self.starts.get(token).copied().unwrap_or(0));
            let Some(state) = lanes.get_mut(index % LANES) else { continue };
            let (low, owned) = if *state == 0 {
                ((0, 0), 0)
            } else {
                let most = log - share.ilog2();
                let bits = if *state >> most >= share { most } else { most - 1 };
                ((low_bits(u64::from(*state), bits) as u16, bits as u8), (*state >> bits) - share)
            };
            *state = u32::from(self.next.get(start + owned as usize).copied().unwrap_or(0));
            if let Some(place) = self.moves.get_mut(index) {
                *place = low;
            }
        }
        let mut bits = BitSink::new(out);
        for (state, _) in lanes.iter().zip(residuals) {
            bits.push(low_bits(u64::from(*state), log), log);
        }
        for (value, len) in &self.moves {
            bits.push(u64::from(*value), u32::from(*len));
        }
        for (u, (_, plain)) in us.zip(&self.tokens) {
            let plain = u32::from(*plain);
            bits.push(plain_bits(u, plain, grain), plain);
        }
        bits.finish();
    }
}

fn write_levels(levels: &[u8; TOKENS], bits: &mut BitSink<'_>) {
    let (mut before, mut absent) = (LEVEL_START, 0u64);
    for level in levels.iter().map(|level| u32::from(*level)) {
        if level == 0 {
            absent += 1;
            continue;
        }
        while absent > 0 {
            if absent >= 4 {
                let run = absent.min(17);
                bits.push(0b1011 | (run - 2) << 4, 8);
                absent -= run;
            } else {
                bits.push(0, 2);
                absent -= 1;
            }
        }
        match i64::from(level) - i64::from(before) {
            0 => bits.push(1, 2),
            -1 => bits.push(2, 2),
            1 => bits.push(0b0011, 4),
            -2 => bits.push(0b1111, 4),
            _ => bits.push(0b0111 | u64::from(level) << 4, 9),
        }
        before = level;
    }
    bits.push(0b0111, 9);
}

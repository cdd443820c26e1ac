//! The distinct labels of a block, numbered in the order in which the series bring them.
//!
//! A page of symbols has up to 64 of them: u32 end of each, counted from behind these numbers, then
//! their canonical label bytes.

#![deny(clippy::indexing_slicing)]

use crate::codec::crc::{seal, unsealed};

/// Symbols of one page.
pub(super) const PAGE_SYMBOLS: u32 = 64;

/// Page of a symbol.
pub(super) const fn page_of(symbol: u32) -> u32 {
    symbol / PAGE_SYMBOLS
}

/// Symbols that a page has, of so many in all.
pub(super) const fn page_len(page: u32, symbols: u32) -> u32 {
    let rest = symbols.saturating_sub(page.saturating_mul(PAGE_SYMBOLS));
    if rest < PAGE_SYMBOLS { rest } else { PAGE_SYMBOLS }
}

/// The bytes of a page of symbols, checksum included.
pub(super) fn encode_page<'a>(symbols: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut ends, mut bytes) = (Vec::new(), Vec::new());
    for symbol in symbols {
        bytes.extend_from_slice(symbol);
        ends.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    }
    ends.extend_from_slice(&bytes);
    seal(&mut ends);
    ends
}

/// The payload of a page of `count` symbols, if it is whole.
pub(super) fn checked_page(bytes: &[u8], count: u32) -> Option<&[u8]> {
    let payload = unsealed(bytes)?;
    (payload.len() >= count as usize * 4).then_some(payload)
}

/// A symbol of a payload of `count` symbols.
pub(super) fn symbol_at(payload: &[u8], count: u32, symbol: u32) -> Option<&[u8]> {
    let place = (symbol % PAGE_SYMBOLS) as usize;
    let text = payload.get(count as usize * 4..)?;
    let end = |place: usize| -> Option<usize> {
        let bytes = payload.get(place * 4..place * 4 + 4)?.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    };
    if place >= count as usize {
        return None;
    }
    let start = match place.checked_sub(1) {
        Some(before) => end(before)?,
        None => 0,
    };
    text.get(start..end(place)?)
}

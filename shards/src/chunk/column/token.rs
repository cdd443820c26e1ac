//! Tokens: a residual as a small symbol, which is entropy-coded, and plain bits after it.
//!
//! A residual is taken less the column's centre and zigzagged to `u`. Below 16, `u` is its own
//! token and has no plain bits. Above, with `n` the bit length of `u` (5 to 64):
//!
//! | grain | token                                            | plain bits                    |
//! |------:|--------------------------------------------------|-------------------------------|
//! |     0 | 16 + (n - 5) * 4 + second highest bit * 2 + sign | n - 3: those between          |
//! |     1 | 16 + (n - 5) * 2 + sign                          | n - 2: those below, less sign |
//! |     2 | 16 + (n - 5)                                     | n - 1: those below            |
//!
//! The sign is the lowest bit of `u`.

/// Tokens of any grain.
pub(super) const TOKENS: usize = 256;
/// Grains of tokens, from fine to coarse.
pub(super) const GRAINS: u32 = 3;
/// Smallest `u` with plain bits.
const DIRECT: u64 = 16;

/// Token and number of plain bits of `u`.
#[inline]
pub(super) const fn token_of(u: u64, grain: u32) -> (u8, u32) {
    if u < DIRECT {
        return (u as u8, 0);
    }
    let len = 64 - u.leading_zeros();
    let second = (u >> (len - 2)) & 1;
    let sign = u & 1;
    let class = (len - 5) as u64;
    match grain {
        0 => ((DIRECT + class * 4 + second * 2 + sign) as u8, len - 3),
        1 => ((DIRECT + class * 2 + sign) as u8, len - 2),
        _ => ((DIRECT + class) as u8, len - 1),
    }
}

/// Plain bits of `u`, of which its token has `plain`.
#[inline]
pub(super) const fn plain_bits(u: u64, plain: u32, grain: u32) -> u64 {
    crate::codec::bits::low_bits(u >> plain_shift(grain), plain)
}

/// By how much the plain bits are above the lowest bit of `u`.
pub(super) const fn plain_shift(grain: u32) -> u32 {
    if grain < 2 { 1 } else { 0 }
}

/// How the token turns back into `u`: the plain bits, shifted, are added to the base.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TokenRule {
    pub(super) base: u64,
    pub(super) plain: u8,
}

/// Rule of a token, `None` if no `u` has it.
pub(super) const fn rule_of(token: u8, grain: u32) -> Option<TokenRule> {
    let token = token as u64;
    if token < DIRECT {
        return Some(TokenRule { base: token, plain: 0 });
    }
    let rest = token - DIRECT;
    let (class, second, sign, less) = match grain {
        0 => (rest / 4, (rest >> 1) & 1, rest & 1, 3),
        1 => (rest / 2, 0, rest & 1, 2),
        _ => (rest, 0, 0, 1),
    };
    if class > 59 {
        return None;
    }
    let len = class + 5;
    let base = 1 << (len - 1) | second << (len - 2) | sign;
    Some(TokenRule { base, plain: (len - less) as u8 })
}

/// Token of a coarser grain for a token of grain 0, and the plain bits that it gains.
pub(super) const fn coarsen(token: u8, grain: u32) -> (u8, u32) {
    if (token as u64) < DIRECT {
        return (token, 0);
    }
    let rest = token - DIRECT as u8;
    match grain {
        0 => (token, 0),
        1 => (DIRECT as u8 + rest / 4 * 2 + (rest & 1), 1),
        _ => (DIRECT as u8 + rest / 4, 2),
    }
}

/// Plain bits of a token of grain 0.
pub(super) const fn plain_len(token: u8) -> u32 {
    match token.checked_sub(DIRECT as u8) {
        None => 0,
        Some(rest) => rest as u32 / 4 + 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tokens_turn_back(bits: u64, len in 0u32..=64) {
            let u = crate::codec::bits::low_bits(bits, len);
            let (fine, fine_plain) = token_of(u, 0);
            prop_assert_eq!(fine_plain, plain_len(fine));
            for grain in 0..GRAINS {
                let (token, plain) = token_of(u, grain);
                prop_assert_eq!(coarsen(fine, grain), (token, plain - fine_plain));
                let rule = rule_of(token, grain).unwrap();
                prop_assert_eq!(u32::from(rule.plain), plain);
                prop_assert_eq!(rule.base + (plain_bits(u, plain, grain) << plain_shift(grain)), u);
            }
        }
    }
}

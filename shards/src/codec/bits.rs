//! Bit streams in 64-bit words, least significant bit first.
//!
//! A stream is a sequence of full words and one pending word. Writing touches the pending word
//! only and hands out each word once, when it is full, so the place where the words are kept is
//! visited once per 64 bits. Reading past the end gives zeros: a decoder reads without checks and
//! compares its position with the length once, at its end.

/// Bits of a word.
pub const WORD_BITS: u32 = u64::BITS;

/// Adds the low `len` bits of `value` to the stream whose pending word has `used` bits so far.
/// Returns the word that became full, if one did.
///
/// Expects `used < 64`, `1 <= len <= 64` and no bits of `value` above `len`.
#[inline]
pub fn push_bits(pending: &mut u64, used: u32, value: u64, len: u32) -> Option<u64> {
    debug_assert!(used < WORD_BITS, "pending word holds {used} bits");
    debug_assert!((1..=WORD_BITS).contains(&len), "pushing {len} bits");
    debug_assert!(len == WORD_BITS || value >> len == 0, "{value:#x} has more than {len} bits");
    *pending |= value << used;
    if used + len < WORD_BITS {
        return None;
    }
    let full = *pending;
    *pending = if used == 0 { 0 } else { value >> (WORD_BITS - used) };
    Some(full)
}

/// The 64 bits from bit `position` on; zeros beyond the end.
#[inline]
#[must_use]
pub fn peek_bits(words: &[u64], position: usize) -> u64 {
    let index = position / WORD_BITS as usize;
    let shift = (position % WORD_BITS as usize) as u32;
    if let Some(&[low, high]) = words.get(index..index + 2) {
        // Shifted in two steps, since a shift by 64 is not defined.
        return (low >> shift) | ((high << 1) << (WORD_BITS - 1 - shift));
    }
    words.get(index).map_or(0, |low| low >> shift)
}

/// The low `len` bits; `len` is at most 64.
#[inline]
#[must_use]
pub const fn low_bits(value: u64, len: u32) -> u64 {
    if len == 0 { 0 } else { value & (u64::MAX >> (WORD_BITS - len)) }
}

/// Reads the low `len` bits as a two's complement number; `1 <= len <= 64`.
#[inline]
#[must_use]
pub const fn sign_extend(value: u64, len: u32) -> i64 {
    let shift = WORD_BITS - len;
    ((value << shift) as i64) >> shift
}

/// Appends the bytes of the first `len_bits` bits of the stream.
pub fn words_to_bytes(words: &[u64], len_bits: usize, out: &mut Vec<u8>) {
    let mut left = len_bits.div_ceil(8);
    for word in words {
        let taken = left.min(8);
        out.extend(word.to_le_bytes().iter().take(taken));
        left -= taken;
    }
}

/// Replaces `out` by the words of `bytes`, the last one filled up with zeros.
pub fn bytes_to_words(bytes: &[u8], out: &mut Vec<u64>) {
    out.clear();
    let (whole, rest) = bytes.as_chunks::<8>();
    out.extend(whole.iter().map(|word| u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        out.push(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pushed_bits_are_read_back(fields in proptest::collection::vec((any::<u64>(), 1..=64u32), 0..200)) {
            let mut words = Vec::new();
            let (mut pending, mut len_bits) = (0u64, 0usize);
            for (value, len) in &fields {
                let used = (len_bits % 64) as u32;
                words.extend(push_bits(&mut pending, used, low_bits(*value, *len), *len));
                len_bits += *len as usize;
            }
            words.push(pending);
            let mut bytes = Vec::new();
            words_to_bytes(&words, len_bits, &mut bytes);
            prop_assert_eq!(bytes.len(), len_bits.div_ceil(8));
            let mut read = Vec::new();
            bytes_to_words(&bytes, &mut read);
            let mut position = 0;
            for (value, len) in fields {
                let bits = peek_bits(&read, position);
                prop_assert_eq!(low_bits(bits, len), low_bits(value, len));
                prop_assert_eq!(sign_extend(bits, len) as u64 & (u64::MAX >> (64 - len)), low_bits(value, len));
                position += len as usize;
            }
            prop_assert_eq!(position, len_bits);
        }
    }

    #[test]
    fn beyond_the_end_are_zeros() {
        assert_eq!(peek_bits(&[u64::MAX], 60), 0xf);
        assert_eq!(peek_bits(&[u64::MAX], 64), 0);
        assert_eq!(peek_bits(&[], usize::MAX - 64), 0);
    }
}

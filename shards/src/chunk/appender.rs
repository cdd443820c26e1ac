//! Appending to an open chunk.
//!
//! [`XorAppender`] is the state between two samples: 40 bytes, no heap, the last partial word of
//! the stream included. Whoever owns it keeps the full words, which it hands out through `sink`
//! with their index; [`ChunkBuilder`] keeps them in a `Vec`. [`PackedAppender`] is the same in 32
//! bytes, for whoever has very many.

use super::CHUNK_SAMPLES_MAX;
use super::xor::{FIRST_SAMPLE_BITS, LEADING_MAX, SAMPLE_BITS_MAX, WINDOW_BITS, delta_code};
use crate::codec::bits::{WORD_BITS, push_bits};

/// Most bits of one chunk; positions are kept in 16 bits.
pub const CHUNK_BITS_MAX: usize = FIRST_SAMPLE_BITS + (CHUNK_SAMPLES_MAX as usize - 1) * SAMPLE_BITS_MAX;
const _: () = assert!(CHUNK_BITS_MAX <= u16::MAX as usize);

/// Encoder state of one open chunk; never empty, since it begins with its first sample.
#[derive(Debug, Clone, Copy)]
pub struct XorAppender {
    last_ms: i64,
    delta: i64,
    last_bits: u64,
    pending: u64,
    len_bits: u16,
    count: u8,
    leading: u8,
    /// Length of the window in bits, 0 before there is one.
    window: u8,
}

impl XorAppender {
    /// Begins a chunk with its first sample.
    #[inline]
    pub fn start(timestamp_ms: i64, value_bits: u64, mut sink: impl FnMut(u32, u64)) -> Self {
        sink(0, timestamp_ms as u64);
        sink(1, value_bits);
        Self {
            last_ms: timestamp_ms,
            delta: 0,
            last_bits: value_bits,
            pending: 0,
            len_bits: FIRST_SAMPLE_BITS as u16,
            count: 1,
            leading: 0,
            window: 0,
        }
    }

    /// Timestamp of the last sample.
    #[inline]
    #[must_use]
    pub const fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// Bits of the last value.
    #[inline]
    #[must_use]
    pub const fn last_bits(&self) -> u64 {
        self.last_bits
    }

    #[inline]
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.count
    }

    #[inline]
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.count >= CHUNK_SAMPLES_MAX
    }

    /// Length of the stream.
    #[inline]
    #[must_use]
    pub const fn len_bits(&self) -> u16 {
        self.len_bits
    }

    /// Words handed out so far.
    #[inline]
    #[must_use]
    pub const fn words(&self) -> u32 {
        self.len_bits as u32 / WORD_BITS
    }

    /// Whether the stream goes on in a word after those.
    #[inline]
    #[must_use]
    pub const fn has_pending(&self) -> bool {
        !(self.len_bits as u32).is_multiple_of(WORD_BITS)
    }

    /// That word.
    #[inline]
    #[must_use]
    pub const fn pending(&self) -> u64 {
        self.pending
    }

    #[inline(always)]
    fn push(&mut self, value: u64, len: u32, sink: &mut impl FnMut(u32, u64)) {
        let index = self.words();
        let full = push_bits(&mut self.pending, u32::from(self.len_bits) % WORD_BITS, value, len);
        self.len_bits += len as u16;
        if let Some(word) = full {
            sink(index, word);
        }
    }

    /// For what is rarely pushed.
    #[cold]
    #[inline(never)]
    fn push_rare(&mut self, value: u64, len: u32, sink: &mut impl FnMut(u32, u64)) {
        self.push(value, len, sink);
    }

    /// Adds a sample. Times should ascend, but any can be encoded.
    #[inline]
    pub fn append(&mut self, timestamp_ms: i64, value_bits: u64, mut sink: impl FnMut(u32, u64)) {
        assert!(self.count < CHUNK_SAMPLES_MAX, "append to a full chunk of {} samples", self.count);
        let delta = timestamp_ms.wrapping_sub(self.last_ms);
        let delta_of_delta = delta.wrapping_sub(self.delta);
        let xor = value_bits ^ self.last_bits;
        self.last_ms = timestamp_ms;
        self.delta = delta;
        self.last_bits = value_bits;
        self.count += 1;

        let (mut code, mut len) = match delta_code(delta_of_delta) {
            Some(code) => code,
            None => {
                self.push_rare(0b11111, 5, &mut sink);
                self.push_rare(delta_of_delta as u64, WORD_BITS, &mut sink);
                (0, 0)
            }
        };
        // One zero bit tells that the value is the same.
        let (mut payload, mut payload_len) = (0, 1);
        if xor != 0 {
            (code, len, payload, payload_len) = self.value_code(xor, code, len);
        }
        if len + payload_len <= WORD_BITS {
            payload = code | payload << len;
            payload_len += len;
        } else {
            self.push_rare(code, len, &mut sink);
        }
        self.push(payload, payload_len, &mut sink);
    }

    /// Code of another value behind that of its time, and the payload with its length.
    #[inline(always)]
    fn value_code(&mut self, xor: u64, code: u64, len: u32) -> (u64, u32, u64, u32) {
        let leading = xor.leading_zeros().min(LEADING_MAX);
        let trailing = xor.trailing_zeros();
        let needed = WORD_BITS - leading - trailing;
        let window = u32::from(self.window);
        let window_leading = u32::from(self.leading);
        let window_trailing = WORD_BITS - window_leading - window;
        let fits = leading >= window_leading && trailing >= window_trailing;
        // A window that fits but is so wide that telling a new one is cheaper is given up.
        if fits && window != 0 && window <= needed + WINDOW_BITS {
            (code | 0b01 << len, len + 2, xor >> window_trailing, window)
        } else {
            self.leading = leading as u8;
            self.window = needed as u8;
            let opening = 0b11 | u64::from(leading) << 2 | u64::from(needed - 1) << 7;
            (code | opening << len, len + 2 + WINDOW_BITS, xor >> trailing, needed)
        }
    }
}

/// Bits of [`PackedAppender::leading`] that tell of leading zeros.
const LEADING_BITS: u32 = 5;
const _: () = assert!(LEADING_MAX < 1 << LEADING_BITS);
/// Greatest delta that is kept packed, nearly five hours.
const PACKED_DELTA_MAX: i64 = 0xff_ffff;

/// State of an open chunk whose times ascend by steps that are not too long.
#[derive(Debug, Clone, Copy)]
pub struct PackedAppender {
    last_ms: i64,
    last_bits: u64,
    pending: u64,
    /// The delta in the upper 24 bits, the window in the lower 8.
    delta: u32,
    len_bits: u16,
    count: u8,
    /// With a bit for whoever owns the chunk.
    leading: u8,
}

const _: () = assert!(size_of::<PackedAppender>() == 32);

impl PackedAppender {
    /// Packs the state. The last delta must be one for which [`PackedAppender::takes`] was true.
    #[inline]
    #[must_use]
    pub const fn pack(chunk: &XorAppender, flag: bool) -> Self {
        Self {
            last_ms: chunk.last_ms,
            last_bits: chunk.last_bits,
            pending: chunk.pending,
            delta: (chunk.delta as u32) << 8 | chunk.window as u32,
            len_bits: chunk.len_bits,
            count: chunk.count,
            leading: chunk.leading | (flag as u8) << LEADING_BITS,
        }
    }

    #[inline]
    #[must_use]
    pub const fn unpack(&self) -> XorAppender {
        XorAppender {
            last_ms: self.last_ms,
            delta: (self.delta >> 8) as i64,
            last_bits: self.last_bits,
            pending: self.pending,
            len_bits: self.len_bits,
            count: self.count,
            leading: self.leading & LEADING_MAX as u8,
            window: self.delta as u8,
        }
    }

    /// Whether a sample of this time, which is newer than the last, can be added.
    #[inline]
    #[must_use]
    pub const fn takes(&self, timestamp_ms: i64) -> bool {
        self.count < CHUNK_SAMPLES_MAX
            && timestamp_ms.wrapping_sub(self.last_ms) as u64 <= PACKED_DELTA_MAX as u64
    }

    /// The owner's bit.
    #[inline]
    #[must_use]
    pub const fn flag(&self) -> bool {
        self.leading >> LEADING_BITS != 0
    }

    /// Timestamp of the last sample.
    #[inline]
    #[must_use]
    pub const fn last_ms(&self) -> i64 {
        self.last_ms
    }

    /// Bits of the last value.
    #[inline]
    #[must_use]
    pub const fn last_bits(&self) -> u64 {
        self.last_bits
    }
}

/// An open chunk that keeps its own words.
#[derive(Debug, Clone, Default)]
pub struct ChunkBuilder {
    words: Vec<u64>,
    appender: Option<XorAppender>,
}

impl ChunkBuilder {
    #[must_use]
    pub const fn new() -> Self {
        Self { words: Vec::new(), appender: None }
    }

    /// Adds a sample; there must be room for it.
    pub fn append(&mut self, timestamp_ms: i64, value: f64) {
        let words = &mut self.words;
        match &mut self.appender {
            Some(appender) => appender.append(timestamp_ms, value.to_bits(), |_, word| words.push(word)),
            none => {
                *none = Some(XorAppender::start(timestamp_ms, value.to_bits(), |_, word| words.push(word)));
            }
        }
    }

    #[must_use]
    pub fn count(&self) -> u8 {
        self.appender.as_ref().map_or(0, XorAppender::count)
    }

    #[must_use]
    pub fn is_full(&self) -> bool {
        self.appender.as_ref().is_some_and(XorAppender::is_full)
    }

    /// Bits of the stream so far.
    #[must_use]
    pub fn len_bits(&self) -> usize {
        self.appender.as_ref().map_or(0, |appender| usize::from(appender.len_bits()))
    }

    /// Ends the chunk: its stream in words. The builder is empty afterwards.
    pub fn finish(&mut self) -> Vec<u64> {
        if let Some(appender) = self.appender.take()
            && appender.has_pending()
        {
            self.words.push(appender.pending());
        }
        std::mem::take(&mut self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_packed_state_goes_on_as_if_it_had_never_been_packed(
            first in any::<(i64, u64)>(),
            samples in proptest::collection::vec((1..=PACKED_DELTA_MAX, any::<u64>(), any::<u8>(), any::<bool>()), 0..119),
        ) {
            let (mut words, mut packed_words) = (Vec::new(), Vec::new());
            let mut chunk = XorAppender::start(first.0, first.1, |_, word| words.push(word));
            let mut packed = PackedAppender::pack(&chunk, false);
            packed_words.extend_from_slice(&words);
            let mut time = first.0;
            for (delta, xor, shift, flag) in samples {
                time = time.saturating_add(delta);
                if time == chunk.last_ms() {
                    break;
                }
                prop_assert!(packed.takes(time));
                let bits = chunk.last_bits() ^ (xor >> (shift % 64));
                chunk.append(time, bits, |_, word| words.push(word));
                let mut unpacked = packed.unpack();
                unpacked.append(time, bits, |_, word| packed_words.push(word));
                packed = PackedAppender::pack(&unpacked, flag);
                prop_assert_eq!(packed.flag(), flag);
                prop_assert_eq!((packed.last_ms(), packed.last_bits()), (time, bits));
            }
            let end = packed.unpack();
            prop_assert_eq!((end.count(), end.len_bits(), end.pending()), (chunk.count(), chunk.len_bits(), chunk.pending()));
            prop_assert_eq!(words, packed_words);
        }
    }

    #[test]
    fn a_packed_state_takes_no_sample_that_is_far_ahead_and_none_when_full() {
        let mut chunk = XorAppender::start(i64::MIN, 1, |_, _| {});
        let packed = PackedAppender::pack(&chunk, true);
        assert!(packed.takes(i64::MIN + PACKED_DELTA_MAX));
        assert!(!packed.takes(i64::MIN + PACKED_DELTA_MAX + 1));
        assert!(!packed.takes(i64::MAX));
        while !chunk.is_full() {
            chunk.append(chunk.last_ms() + 1, 1, |_, _| {});
        }
        assert!(!PackedAppender::pack(&chunk, false).takes(chunk.last_ms() + 1));
    }
}

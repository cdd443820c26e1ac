//! Writing and reading single bits, most significant first.

use super::Truncated;

/// Appends bits to a byte vector; the last byte is filled up with zeros.
///
/// The writer's whole state is `bytes` and the number of bits used in the last byte, so that an
/// open chunk can be put down and taken up again.
#[derive(Debug)]
pub struct BitWriter<'a> {
    bytes: &'a mut Vec<u8>,
    /// Bits used in the last byte: 1 to 8, or 8 where there is no byte.
    used: u8,
}

impl<'a> BitWriter<'a> {
    #[inline]
    pub const fn resume(bytes: &'a mut Vec<u8>, used: u8) -> Self {
        Self { bytes, used }
    }

    #[inline]
    #[must_use]
    pub const fn used(&self) -> u8 {
        self.used
    }

    /// Appends the lowest `count` bits of `bits`, at most 64.
    #[inline]
    pub fn write(&mut self, bits: u64, count: u8) {
        debug_assert!(count <= 64, "{count} bits");
        if count > 48 {
            self.write_few(bits >> 48, count - 48);
            self.write_few(bits, 48);
        } else if count > 0 {
            self.write_few(bits, count);
        }
    }

    /// At most 48 bits, so that they fit a word behind the started byte.
    #[inline]
    fn write_few(&mut self, bits: u64, count: u8) {
        let bits = bits & ((1 << count) - 1);
        let free = 8 - self.used;
        let room = 64 - u32::from(count);
        // The new bits at the top of a word, moved behind the bits in use of the last byte.
        let word = (bits << room) >> (8 - u32::from(free));
        let word = if free == 0 { bits << room } else { word };
        let bytes = word.to_be_bytes();
        if free > 0
            && let Some(last) = self.bytes.last_mut()
        {
            *last |= bytes[0];
            if count <= free {
                self.used += count;
                return;
            }
            let rest = count - free;
            let len = usize::from(rest.div_ceil(8));
            self.bytes.extend_from_slice(&bytes[1..=len]);
            self.used = rest - (rest.div_ceil(8) - 1) * 8;
        } else {
            let len = usize::from(count.div_ceil(8));
            self.bytes.extend_from_slice(&bytes[..len]);
            self.used = count - (count.div_ceil(8) - 1) * 8;
        }
    }
}

/// Reads bits from bytes.
#[derive(Debug, Clone)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    /// Next byte to load.
    next: usize,
    /// Loaded bits, at the top.
    word: u64,
    loaded: u8,
}

impl<'a> BitReader<'a> {
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0, word: 0, loaded: 0 }
    }

    #[inline]
    fn refill(&mut self) {
        if let Some(eight) = self.bytes.get(self.next..self.next + 8)
            && let Ok(eight) = <[u8; 8]>::try_from(eight)
        {
            self.word |= u64::from_be_bytes(eight) >> self.loaded;
            let taken = (64 - self.loaded) / 8;
            self.next += usize::from(taken);
            self.loaded += taken * 8;
            // Bits beyond `loaded` are repeated by the next refill.
            if self.loaded < 64 {
                self.word &= !(u64::MAX >> self.loaded);
            }
            return;
        }
        while self.loaded <= 56
            && let Some(byte) = self.bytes.get(self.next)
        {
            self.word |= u64::from(*byte) << (56 - self.loaded);
            self.loaded += 8;
            self.next += 1;
        }
    }

    /// The next `count` bits, at most 64.
    #[inline]
    pub fn read(&mut self, count: u8) -> Result<u64, Truncated> {
        debug_assert!(count <= 64, "{count} bits");
        if count > 32 {
            let high = self.read_few(count - 32)?;
            return Ok((high << 32) | self.read_few(32)?);
        }
        self.read_few(count)
    }

    #[inline]
    fn read_few(&mut self, count: u8) -> Result<u64, Truncated> {
        if count == 0 {
            return Ok(0);
        }
        if self.loaded < count {
            self.refill();
            if self.loaded < count {
                return Err(Truncated { offset: self.next });
            }
        }
        let bits = self.word >> (64 - count);
        self.word <<= count;
        self.loaded -= count;
        Ok(bits)
    }

    /// One bit.
    #[inline]
    pub fn bit(&mut self) -> Result<bool, Truncated> {
        Ok(self.read_few(1)? == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bits_round_trip(fields in proptest::collection::vec((any::<u64>(), 0u8..=64), 0..200)) {
            let mut bytes = Vec::new();
            let mut used = 8;
            for (bits, count) in &fields {
                // Put down and taken up between any two fields.
                let mut writer = BitWriter::resume(&mut bytes, used);
                writer.write(*bits, *count);
                used = writer.used();
            }
            let total: usize = fields.iter().map(|(_, count)| usize::from(*count)).sum();
            prop_assert_eq!(bytes.len(), total.div_ceil(8));
            let mut reader = BitReader::new(&bytes);
            for (bits, count) in &fields {
                let mask = if *count == 64 { u64::MAX } else { (1 << count) - 1 };
                prop_assert_eq!(reader.read(*count).unwrap(), bits & mask);
            }
            prop_assert!(reader.read(8).is_err());
        }
    }
}

//! The XOR encoding of one sample: the codes that encoder and decoder share.
//!
//! A stream is written least significant bit first; codes below are given in the order in which
//! their bits are read. All arithmetic on timestamps wraps, so any `i64` can be encoded.
//!
//! | sample | part      | code                                                            |
//! |--------|-----------|-----------------------------------------------------------------|
//! | first  | timestamp | 64 bits                                                         |
//! | first  | value     | 64 bits of the IEEE 754 double                                  |
//! | later  | timestamp | `0`: delta of delta is 0                                        |
//! |        |           | `10` + 5 bits, `110` + 9, `1110` + 17, `11110` + 32, `11111` + 64: |
//! |        |           | delta of delta in two's complement; the delta before the second |
//! |        |           | sample counts as 0                                              |
//! | later  | value     | `0`: bits are those of the value before                         |
//! |        |           | `10` + window bits: XOR with the value before, in the window    |
//! |        |           | `11` + 5 bits leading zeros (at most 31) + 6 bits (length - 1)  |
//! |        |           | + length bits: XOR, which sets the window                       |
//!
//! Widths are chosen for scrapes: 5 bits take jitter of up to 16 ms, 9 bits of a busy target, 17
//! bits a missed scrape and the first delta of intervals of up to a minute.

/// Bits of the first sample.
pub const FIRST_SAMPLE_BITS: usize = 128;
/// Fewest and most bits of a later sample.
pub const SAMPLE_BITS_MIN: usize = 2;
pub const SAMPLE_BITS_MAX: usize = 5 + 64 + 2 + 5 + 6 + 64;

/// Leading zeros that the window code can tell.
pub const LEADING_MAX: u32 = 31;
/// Bits by which a new window costs more than the old one of the same length.
pub const WINDOW_BITS: u32 = 5 + 6;

/// One width class of deltas of deltas: prefix of `ones` ones, a zero, then the number.
pub struct DeltaClass {
    pub ones: u32,
    pub bits: u32,
}

/// Classes between "zero" and "any 64 bits", which has five ones and no zero after them.
pub const DELTA_CLASSES: [DeltaClass; 4] = [
    DeltaClass { ones: 1, bits: 5 },
    DeltaClass { ones: 2, bits: 9 },
    DeltaClass { ones: 3, bits: 17 },
    DeltaClass { ones: 4, bits: 32 },
];
/// Ones of the class that takes any 64 bits.
pub const DELTA_ONES_MAX: u32 = 5;

/// Code and length of a delta of delta that fits one of the classes, `None` if it needs 64 bits.
#[inline]
#[must_use]
pub fn delta_code(delta_of_delta: i64) -> Option<(u64, u32)> {
    if delta_of_delta == 0 {
        return Some((0, 1));
    }
    for class in &DELTA_CLASSES {
        let half = 1i64 << (class.bits - 1);
        if (-half..half).contains(&delta_of_delta) {
            let prefix = (1u64 << class.ones) - 1;
            let payload = delta_of_delta as u64 & ((1u64 << class.bits) - 1);
            return Some((prefix | payload << (class.ones + 1), class.ones + 1 + class.bits));
        }
    }
    None
}

//! Recordings of real metrics: every series with all its samples, bit by bit.
//!
//! | field   | encoding                                                        |
//! |---------|-----------------------------------------------------------------|
//! | magic   | `TSD1`                                                          |
//! | series  | u32 number of series; then of each:                             |
//! | - text  | u32 length, `name{a="b",...}`                                   |
//! | - count | u32 number of samples; then of each timestamp i64 ms, value f64 |
//!
//! Little endian. Timestamps of a series are ascending.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

const MAGIC: &[u8; 4] = b"TSD1";
const SAMPLE_BYTES: usize = 16;

/// A series in exposition form and its samples.
#[derive(Debug, Clone, Default)]
pub struct RecordedSeries {
    pub text: String,
    pub samples: Vec<(i64, f64)>,
}

#[derive(Debug, Clone, Default)]
pub struct Recording {
    pub series: Vec<RecordedSeries>,
}

/// All samples of one time, by place of their series.
#[derive(Debug, Clone, PartialEq)]
pub struct Scrape {
    pub at_ms: i64,
    pub samples: Vec<(usize, f64)>,
}

impl Recording {
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&bytes).with_context(|| path.display().to_string())
    }

    /// Replaces the file as a whole.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut beside = path.to_owned().into_os_string();
        beside.push(".tmp");
        fs::write(&beside, self.encode()?)
            .and_then(|()| fs::rename(&beside, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let Some(rest) = bytes.strip_prefix(MAGIC.as_slice()) else { bail!("not a recording") };
        let mut cursor = Cursor { rest, total: bytes.len() };
        let count = cursor.number().context("number of series")?;
        let mut recording = Self::default();
        for number in 0..count {
            let series = cursor.series().with_context(|| format!("series {number} of {count}"))?;
            recording.series.push(series);
        }
        if !cursor.rest.is_empty() {
            bail!("{} bytes behind the last series, from byte {} on", cursor.rest.len(), cursor.at());
        }
        Ok(recording)
    }

    pub fn encode(&self) -> Result<Vec<u8>> {
        let number =
            |len: usize| u32::try_from(len).context("too much for a recording").map(u32::to_le_bytes);
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&number(self.series.len())?);
        for RecordedSeries { text, samples } in &self.series {
            out.extend_from_slice(&number(text.len())?);
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(&number(samples.len())?);
            for (timestamp, value) in samples {
                out.extend_from_slice(&timestamp.to_le_bytes());
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
        }
        Ok(out)
    }

    /// The samples as they came, in order of time.
    #[must_use]
    pub fn scrapes(&self) -> Vec<Scrape> {
        let mut by_time: BTreeMap<i64, Vec<(usize, f64)>> = BTreeMap::new();
        for (place, series) in self.series.iter().enumerate() {
            for &(at_ms, value) in &series.samples {
                by_time.entry(at_ms).or_default().push((place, value));
            }
        }
        by_time.into_iter().map(|(at_ms, samples)| Scrape { at_ms, samples }).collect()
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
    total: usize,
}

impl<'a> Cursor<'a> {
    fn at(&self) -> usize {
        self.total - self.rest.len()
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            bail!("{len} bytes wanted at byte {}, only {} are left", self.at(), self.rest.len());
        };
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32> {
        let bytes = self.take(4)?;
        Ok(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    }

    fn series(&mut self) -> Result<RecordedSeries> {
        let len = self.number()? as usize;
        let at = self.at();
        let text = std::str::from_utf8(self.take(len)?).with_context(|| format!("text at byte {at}"))?;
        let len = (self.number()? as usize).checked_mul(SAMPLE_BYTES).context("too many samples")?;
        let at = self.at();
        let (samples, _) = self.take(len)?.as_chunks::<SAMPLE_BYTES>();
        let samples: Vec<_> = samples.iter().map(|bytes| read_sample(*bytes)).collect();
        if let Some(place) = samples.array_windows().position(|[before, after]| before.0 >= after.0) {
            let at = at + (place + 1) * SAMPLE_BYTES;
            bail!("sample {} at byte {at} is not newer than the one before", place + 1);
        }
        Ok(RecordedSeries { text: text.to_owned(), samples })
    }
}

fn read_sample(bytes: [u8; SAMPLE_BYTES]) -> (i64, f64) {
    let both = u128::from_le_bytes(bytes);
    (both as i64, f64::from_bits((both >> 64) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::STALE_NAN_BITS;

    fn recording() -> Recording {
        let values = [1.5_f64.to_bits(), f64::NAN.to_bits() ^ 5, STALE_NAN_BITS, (-0.0_f64).to_bits()];
        let samples = (-1..).zip(values).map(|(at, bits)| (at * 1000, f64::from_bits(bits))).collect();
        let first = RecordedSeries { text: r#"up{a="b"}"#.to_owned(), samples };
        let second = RecordedSeries { text: "x".to_owned(), samples: vec![(1000, 7.0), (i64::MAX, 8.0)] };
        Recording { series: vec![first, RecordedSeries::default(), second] }
    }

    fn bits(recording: &Recording) -> Vec<(String, Vec<(i64, u64)>)> {
        let samples =
            |series: &RecordedSeries| series.samples.iter().map(|(t, v)| (*t, v.to_bits())).collect();
        recording.series.iter().map(|series| (series.text.clone(), samples(series))).collect()
    }

    #[test]
    fn a_recording_reads_back_bit_by_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recording");
        recording().write(&path).unwrap();
        assert_eq!(bits(&Recording::read(&path).unwrap()), bits(&recording()));
        Recording::default().write(&path).unwrap();
        assert!(Recording::read(&path).unwrap().series.is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn bytes_that_are_cut_or_too_many_are_errors() {
        let mut bytes = recording().encode().unwrap();
        for len in 0..bytes.len() {
            assert!(Recording::parse(&bytes[..len]).is_err(), "{len}");
        }
        bytes.push(0);
        let error = format!("{:#}", Recording::parse(&bytes).unwrap_err());
        assert_eq!(error, format!("1 bytes behind the last series, from byte {} on", bytes.len() - 1));
    }

    #[test]
    fn flipped_bytes_do_no_harm() {
        let whole = recording().encode().unwrap();
        for at in 0..whole.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                // Either outcome is fine.
                let _ = Recording::parse(&bytes);
            }
        }
    }

    #[test]
    fn errors_name_the_place() {
        let error = |bytes: &[u8]| format!("{:#}", Recording::parse(bytes).unwrap_err());
        assert_eq!(error(b"TSD2"), "not a recording");
        assert_eq!(
            error(b"TSD1\x01\0\0\0\xff\xff\xff\xffabc"),
            "series 0 of 1: 4294967295 bytes wanted at byte 12, only 3 are left"
        );
        let mut unsorted = recording();
        unsorted.series[2].samples.reverse();
        let bytes = unsorted.encode().unwrap();
        let at = bytes.len() - SAMPLE_BYTES;
        assert_eq!(
            error(&bytes),
            format!("series 2 of 3: sample 1 at byte {at} is not newer than the one before")
        );
        assert!(error(b"TSD1\x01\0\0\0\x01\0\0\0\xff\0\0\0\0").contains("text at byte 12"));
    }

    #[test]
    fn scrapes_gather_what_has_the_same_time() {
        let scrapes = recording().scrapes();
        let times: Vec<_> = scrapes.iter().map(|scrape| (scrape.at_ms, scrape.samples.len())).collect();
        assert_eq!(times, [(-1000, 1), (0, 1), (1000, 2), (2000, 1), (i64::MAX, 1)]);
        assert_eq!(scrapes[2].samples[1], (2, 7.0));
    }
}

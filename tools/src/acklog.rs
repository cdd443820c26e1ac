//! The list of acknowledged samples, written while load runs, read back by the verifier.
//!
//! | kind | fields                                                         |
//! |------|----------------------------------------------------------------|
//! | `S`  | series u32, length u32, labels as sent                          |
//! | `A`  | count u32, then count times: series u32, timestamp i64, value u64 |
//!
//! Little endian, behind the eight bytes of [`MAGIC`]. A series comes before its samples. A record
//! cut at the end of the file (the load generator was killed) ends the list.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

const MAGIC: &[u8; 8] = b"TSDBACK1";

/// One acknowledged sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    pub series: u32,
    pub timestamp_ms: i64,
    pub bits: u64,
}

/// Appends acknowledged samples to a file.
#[derive(Debug)]
pub struct AckWriter {
    file: BufWriter<File>,
    known: Vec<bool>,
}

impl AckWriter {
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        let mut file = BufWriter::with_capacity(1 << 20, file);
        file.write_all(MAGIC)?;
        Ok(Self { file, known: Vec::new() })
    }

    /// Writes the samples of one acknowledged request; `labels` tells the labels of a series.
    pub fn append(&mut self, samples: &[Acked], labels: impl Fn(usize) -> Vec<u8>) -> Result<()> {
        for (position, sample) in samples.iter().enumerate() {
            let index = sample.series as usize;
            if self.known.len() <= index {
                self.known.resize(index + 1, false);
            }
            let Some(known) = self.known.get_mut(index) else { continue };
            if !std::mem::replace(known, true) {
                let bytes = labels(position);
                self.file.write_all(b"S")?;
                self.file.write_all(&sample.series.to_le_bytes())?;
                self.file.write_all(&(bytes.len() as u32).to_le_bytes())?;
                self.file.write_all(&bytes)?;
            }
        }
        self.file.write_all(b"A")?;
        self.file.write_all(&(samples.len() as u32).to_le_bytes())?;
        for sample in samples {
            self.file.write_all(&sample.series.to_le_bytes())?;
            self.file.write_all(&sample.timestamp_ms.to_le_bytes())?;
            self.file.write_all(&sample.bits.to_le_bytes())?;
        }
        Ok(self.file.flush()?)
    }
}

/// What a list holds: labels by series, and the samples in order of acknowledgement.
#[derive(Debug, Default)]
pub struct AckList {
    pub labels: HashMap<u32, Vec<u8>>,
    pub samples: Vec<Acked>,
}

impl AckList {
    pub fn read(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|mut file| file.read_to_end(&mut bytes))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let Some(mut rest) = bytes.strip_prefix(MAGIC.as_slice()) else {
            bail!("{}: not a list of acknowledged samples", path.display());
        };
        let mut list = Self::default();
        while !rest.is_empty() {
            let Some(left) = list.take_record(rest) else { break };
            rest = left;
        }
        Ok(list)
    }

    fn take_record<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let (&kind, rest) = bytes.split_first()?;
        let (first, rest) = rest.split_first_chunk::<4>()?;
        let first = u32::from_le_bytes(*first);
        match kind {
            b'S' => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                let (labels, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
                self.labels.insert(first, labels.to_vec());
                Some(rest)
            }
            b'A' => {
                let (samples, rest) = rest.split_at_checked((first as usize).checked_mul(20)?)?;
                for sample in samples.chunks_exact(20) {
                    let (series, tail) = sample.split_first_chunk::<4>()?;
                    let (timestamp, tail) = tail.split_first_chunk::<8>()?;
                    let (bits, _) = tail.split_first_chunk::<8>()?;
                    self.samples.push(Acked {
                        series: u32::from_le_bytes(*series),
                        timestamp_ms: i64::from_le_bytes(*timestamp),
                        bits: u64::from_le_bytes(*bits),
                    });
                }
                Some(rest)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_and_a_cut_record_ends_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("acks");
        let samples = [
            Acked { series: 3, timestamp_ms: -1, bits: 7 },
            Acked { series: 0, timestamp_ms: 1 << 41, bits: u64::MAX },
        ];
        let mut writer = AckWriter::create(&path).unwrap();
        writer.append(&samples, |position| vec![position as u8; 5]).unwrap();
        writer.append(&samples[..1], |_| panic!("the series is known")).unwrap();
        drop(writer);

        let list = AckList::read(&path).unwrap();
        assert_eq!(list.labels, HashMap::from([(3, vec![0; 5]), (0, vec![1; 5])]));
        assert_eq!(list.samples, [samples[0], samples[1], samples[0]]);

        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(AckList::read(&path).unwrap().samples.len(), 2);
        std::fs::write(&path, b"something else").unwrap();
        assert!(AckList::read(&path).is_err());
    }
}

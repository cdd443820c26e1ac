//! Remote-write 1.0 requests, good ones and, on purpose, bad ones: nothing is sorted or checked.

/// Bits of the NaN that ends a series.
pub(crate) const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// A `WriteRequest` under construction.
#[derive(Debug, Default, Clone)]
pub(crate) struct Request {
    message: Vec<u8>,
}

impl Request {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a series with labels as given and samples of (milliseconds, value).
    #[must_use]
    pub(crate) fn series(mut self, labels: &[(&str, &str)], samples: &[(i64, f64)]) -> Self {
        let labels: Vec<_> = labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        self.push_series(&labels, samples);
        self
    }

    pub(crate) fn push_series(&mut self, labels: &[(&[u8], &[u8])], samples: &[(i64, f64)]) {
        let mut series = Vec::new();
        for (name, value) in labels {
            let mut label = Vec::new();
            put_bytes(&mut label, 1, name);
            put_bytes(&mut label, 2, value);
            put_bytes(&mut series, 1, &label);
        }
        for &(timestamp_ms, value) in samples {
            let mut sample = vec![0x09];
            sample.extend_from_slice(&value.to_bits().to_le_bytes());
            sample.push(0x10);
            put_uvarint(&mut sample, timestamp_ms as u64);
            put_bytes(&mut series, 2, &sample);
        }
        put_bytes(&mut self.message, 1, &series);
    }

    /// Adds metadata: 1 is a counter, 2 a gauge.
    #[must_use]
    pub(crate) fn metadata(mut self, family: &str, kind: u8, help: &str, unit: &str) -> Self {
        let mut metadata = vec![0x08, kind];
        put_bytes(&mut metadata, 2, family.as_bytes());
        put_bytes(&mut metadata, 4, help.as_bytes());
        put_bytes(&mut metadata, 5, unit.as_bytes());
        put_bytes(&mut self.message, 3, &metadata);
        self
    }

    /// The protobuf message.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// The message as a snappy block.
    pub(crate) fn body(&self) -> Vec<u8> {
        compress(&self.message)
    }
}

pub(crate) fn compress(message: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(message).unwrap()
}

pub(crate) fn put_uvarint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    put_uvarint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

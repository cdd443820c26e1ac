//! Why a request cannot be read at all: what is wrong, where, and what the sender can do.

/// A remote-write body that is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    #[error(
        "body of {compressed} bytes is not a snappy block: {reason}; send the block format, not the framed one"
    )]
    Snappy { compressed: usize, reason: String },

    #[error("body declares {declared} uncompressed bytes, the limit is {max}; send smaller requests")]
    TooLarge { declared: usize, max: usize },

    #[error("body of {compressed} bytes declares {declared} uncompressed bytes, which snappy cannot yield")]
    Bomb { declared: usize, compressed: usize },

    #[error("not a prometheus.WriteRequest: {what} at byte {offset} of the uncompressed body{}", in_series(*series))]
    Protobuf { what: &'static str, offset: usize, series: Option<usize> },

    #[error("request holds more than {max} series; send smaller requests")]
    TooManySeries { max: usize },

    #[error("request holds more than {max} samples; send smaller requests")]
    TooManySamples { max: usize },
}

fn in_series(series: Option<usize>) -> String {
    series.map(|index| format!(" (time series {index})")).unwrap_or_default()
}

/// A text exposition that cannot be read; nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct TextError {
    /// Counted from 1.
    pub line: usize,
    pub what: String,
}

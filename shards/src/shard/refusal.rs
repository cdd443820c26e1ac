//! What became of the samples of a write: stored or refused, and why.

/// Refusals of one write that are told one by one; the others are only counted.
const REFUSALS_TOLD_MAX: usize = 10;

/// Why a sample was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefuseReason {
    /// Before what retention keeps.
    TooOld,
    /// Too far ahead of the server's clock.
    TooFarInFuture,
    /// The shard holds as many series as it may.
    SeriesLimit,
}

impl RefuseReason {
    pub const ALL: [Self; 3] = [Self::TooOld, Self::TooFarInFuture, Self::SeriesLimit];

    /// Name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::TooFarInFuture => "too_far_in_future",
            Self::SeriesLimit => "series_limit",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// One refused sample, or the samples of a refused series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub reason: RefuseReason,
    /// Index of the series in the batch.
    pub series: usize,
    /// `None`: all samples of the series.
    pub timestamp_ms: Option<i64>,
}

/// What a write did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppendOutcome {
    pub stored: u64,
    /// Of the stored: those that were there already, bit for bit.
    pub duplicates: u64,
    /// Of the stored: those that took the place of another value.
    pub replaced: u64,
    /// Of the stored: those older than the newest of their series.
    pub out_of_order: u64,
    /// In the order of [`RefuseReason::ALL`].
    refused: [u64; RefuseReason::ALL.len()],
    /// The first few.
    pub refusals: Vec<Refusal>,
    /// Series of the batch, by index, of which nothing was stored because their label bytes are not
    /// canonical or break a limit. Brought into canonical form they may belong to another shard.
    pub unacceptable: Vec<usize>,
}

impl AppendOutcome {
    /// Counts `samples` refused samples and tells of the first few refusals.
    pub(super) fn refuse(&mut self, samples: u64, refusal: Refusal) {
        if let Some(counter) = self.refused.get_mut(refusal.reason.index()) {
            *counter += samples;
        }
        if self.refusals.len() < REFUSALS_TOLD_MAX {
            self.refusals.push(refusal);
        }
    }

    #[must_use]
    pub fn refused(&self, reason: RefuseReason) -> u64 {
        self.refused.get(reason.index()).copied().unwrap_or(0)
    }
}

//! What became of the samples of a write: stored or refused, and why.

/// Refusals of one write that are described one by one; the others are only counted.
pub const REFUSALS_DESCRIBED_MAX: usize = 10;

/// Why a sample was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefuseReason {
    /// Before what retention keeps.
    TooOld,
    /// Too far ahead of the server's clock.
    TooFarInFuture,
    /// The labels break a rule or a limit.
    InvalidLabels,
    /// The shard holds as many series as it may.
    TooManySeries,
}

impl RefuseReason {
    pub const ALL: [Self; 4] =
        [Self::TooOld, Self::TooFarInFuture, Self::InvalidLabels, Self::TooManySeries];

    /// Name in metrics and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::TooFarInFuture => "too_far_in_future",
            Self::InvalidLabels => "invalid_labels",
            Self::TooManySeries => "too_many_series",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// One refused sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: RefuseReason,
    /// The series, as text; long ones are cut.
    pub series: String,
    pub timestamp_ms: i64,
    /// What rule was broken, where the reason alone does not say.
    pub detail: String,
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
    /// By [`RefuseReason`], in the order of [`RefuseReason::ALL`].
    refused: [u64; RefuseReason::ALL.len()],
    /// The first few.
    pub refusals: Vec<Refusal>,
    /// Series of the batch, by index, whose label bytes are not canonical. Nothing of them was
    /// stored: bring them into canonical form and write them to the shard of their new key.
    pub not_canonical: Vec<usize>,
}

impl AppendOutcome {
    /// Counts a refused sample; `describe` is asked for the first few.
    pub fn refuse(&mut self, reason: RefuseReason, describe: impl FnOnce() -> Refusal) {
        self.refuse_many(reason, 1, describe);
    }

    /// Counts refused samples of which one is described.
    pub fn refuse_many(&mut self, reason: RefuseReason, count: u64, describe: impl FnOnce() -> Refusal) {
        if let Some(counter) = self.refused.get_mut(reason.index()) {
            *counter += count;
        }
        if self.refusals.len() < REFUSALS_DESCRIBED_MAX && count > 0 {
            self.refusals.push(describe());
        }
    }

    #[must_use]
    pub fn refused(&self, reason: RefuseReason) -> u64 {
        self.refused.get(reason.index()).copied().unwrap_or(0)
    }

    #[must_use]
    pub fn refused_total(&self) -> u64 {
        self.refused.iter().sum()
    }

    /// Adds what another part of the same request did.
    pub fn merge(&mut self, other: Self) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.replaced += other.replaced;
        self.out_of_order += other.out_of_order;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
        let room = REFUSALS_DESCRIBED_MAX.saturating_sub(self.refusals.len());
        self.refusals.extend(other.refusals.into_iter().take(room));
    }
}

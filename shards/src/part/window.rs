//! Windows of time, aligned to the epoch, and the levels that have them.

use serde::{Deserialize, Serialize};

use crate::model::TimeRange;

const HOUR_MS: i64 = 3_600_000;

/// A chunk holds samples of one slot of this length, so that chunks of neighbouring blocks join
/// without being cut in two.
pub const CHUNK_SLOT_MS: i64 = 24 * HOUR_MS;

/// Length of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    #[serde(rename = "2h")]
    Hours2,
    #[serde(rename = "12h")]
    Hours12,
    #[serde(rename = "7d")]
    Days7,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Hours2, Self::Hours12, Self::Days7];

    #[must_use]
    pub const fn len_ms(self) -> i64 {
        match self {
            Self::Hours2 => 2 * HOUR_MS,
            Self::Hours12 => 12 * HOUR_MS,
            Self::Days7 => 7 * 24 * HOUR_MS,
        }
    }

    /// The window of this level in which a time lies.
    #[must_use]
    pub const fn window_at(self, timestamp_ms: i64) -> Window {
        let start_ms = timestamp_ms.saturating_sub(timestamp_ms.rem_euclid(self.len_ms()));
        Window { level: self, start_ms }
    }
}

/// A window of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    pub level: Level,
    pub start_ms: i64,
}

impl Window {
    /// First time that is behind the window.
    #[must_use]
    pub const fn end_ms(self) -> i64 {
        self.start_ms.saturating_add(self.level.len_ms())
    }

    #[must_use]
    pub const fn range(self) -> TimeRange {
        TimeRange::new(self.start_ms, self.end_ms())
    }

    /// Whether another window lies within this one.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.start_ms <= other.start_ms && other.end_ms() <= self.end_ms()
    }
}

/// First time behind the chunk slot in which a time lies.
#[must_use]
pub const fn slot_end(timestamp_ms: i64) -> i64 {
    timestamp_ms.saturating_sub(timestamp_ms.rem_euclid(CHUNK_SLOT_MS)).saturating_add(CHUNK_SLOT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_nest(time in -1i64 << 50..1i64 << 50) {
            for level in Level::ALL {
                let window = level.window_at(time);
                prop_assert!(window.range().contains(time));
                prop_assert_eq!(window.start_ms.rem_euclid(level.len_ms()), 0);
                for larger in Level::ALL.into_iter().filter(|larger| *larger >= level) {
                    prop_assert!(larger.window_at(time).contains(window));
                }
            }
            prop_assert!(time < slot_end(time) && slot_end(time) - CHUNK_SLOT_MS <= time);
        }
    }
}

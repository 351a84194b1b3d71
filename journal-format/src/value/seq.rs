//! Positions in the journal and points in time.
//!
//! In: numbers. Out: values that cannot be mixed up. Invariant: sequence numbers
//! order events, times never do. Deliberately absent: a clock.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The position of an event in its journal: contiguous, starting at 1.
///
/// Zero means "before the first event".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Seq(pub u64);

impl Seq {
    /// The position before the first event.
    pub const ZERO: Self = Self(0);

    /// Returns the position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A wall-clock time in milliseconds since 1970-01-01T00:00:00Z.
///
/// Times order nothing: they are shown to people and used for deadlines only.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Returns this time moved by `millis`, saturating at the ends.
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Returns the calendar date in UTC as (year, month, day).
    ///
    /// Uses the civil-from-days algorithm of H. Hinnant, "chrono-Compatible
    /// Low-Level Date Algorithms".
    #[must_use]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a day count of 38 bits and remainders of constants"
    )]
    pub const fn date_utc(self) -> (i64, u32, u32) {
        let days = self.0.div_euclid(86_400_000).saturating_add(719_468);
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "1 to 31"
        )]
        let result = (year, month as u32, day as u32);
        result
    }
}

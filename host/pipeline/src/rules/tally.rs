//! Counts of rows, hits and held rows, from which the figures of a rule are computed.

use crate::metrics::UndefinedError;

/// Counts of one date, of one symbol, or of a whole sample.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    /// Number of labelled rows.
    pub(super) n_rows: u64,
    /// Number of rows that are a hit.
    pub(super) n_hits: u64,
    /// Number of rows on which the condition held.
    pub(super) n_held: u64,
    /// Number of hits among the rows on which the condition held.
    pub(super) n_held_hits: u64,
}

impl Tally {
    /// Counts one row.
    pub(super) fn add(&mut self, is_hit: bool, is_held: bool) {
        self.n_rows += 1;
        self.n_hits += u64::from(is_hit);
        self.n_held += u64::from(is_held);
        self.n_held_hits += u64::from(is_held && is_hit);
    }

    /// Returns the share of hits among the rows on which the condition held.
    ///
    /// # Errors
    /// Returns the reason if the condition never held.
    pub(super) fn precision(&self) -> Result<f64, UndefinedError> {
        share(self.n_held_hits as f64, self.n_held).ok_or_else(never_held)
    }

    /// Returns the share of hits among all rows.
    ///
    /// # Errors
    /// Returns the reason if there are no rows.
    pub(super) fn base_rate(&self) -> Result<f64, UndefinedError> {
        share(self.n_hits as f64, self.n_rows).ok_or_else(|| UndefinedError::because("there are no labelled rows"))
    }

    /// Returns the precision divided by the base rate.
    ///
    /// # Errors
    /// Returns the reason if the condition never held, or if none of the rows is a hit.
    pub(super) fn lift(&self) -> Result<f64, UndefinedError> {
        let precision = self.precision()?;
        match self.base_rate()? {
            0.0 => Err(UndefinedError::because("none of the rows is a hit")),
            base_rate => Ok(precision / base_rate),
        }
    }
}

/// Returns the sum of the counts of all dates.
pub(super) fn total(by_date: &[Tally]) -> Tally {
    weighted(by_date, &vec![1; by_date.len()])
}

/// Returns the counts of a resample; `times` is the number of times that it contains each date.
pub(super) fn weighted(by_date: &[Tally], times: &[u32]) -> Tally {
    let mut all = Tally::default();
    for (tally, &times) in by_date.iter().zip(times) {
        let times = u64::from(times);
        all.n_rows += times * tally.n_rows;
        all.n_hits += times * tally.n_hits;
        all.n_held += times * tally.n_held;
        all.n_held_hits += times * tally.n_held_hits;
    }
    all
}

/// Returns a sum divided by a number of rows, or `None` if there are no rows.
pub(super) fn share(sum: f64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| sum / whole as f64)
}

/// Returns the reason why a figure of the held rows is undefined.
pub(super) fn never_held() -> UndefinedError {
    UndefinedError::because("the condition never held")
}

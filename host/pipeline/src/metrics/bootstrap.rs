//! Intervals and standard errors by a bootstrap of whole dates in circular blocks.
//!
//! In: the dates of some rows, and a statistic. Out: the statistic on 1,000 resamples, and its
//! interval or standard error. Labels of neighbouring dates share bars, and symbols move together,
//! so rows are not independent. Blocks of whole dates over all symbols, twice as long as the
//! horizon, are treated as independent (Politis and Romano, *A Circular Block-Resampling Procedure
//! for Stationary Data*, 1992). A comparison of two statistics on the same draws is paired.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    figure::{Finite, UndefinedError},
    random::Random,
};
use crate::labels::Label;

/// Number of resamples.
// With 1,000 resamples, each tail of a 95 % interval contains 25 values.
const N_DRAWS: usize = 1_000;
/// Minimum number of blocks in a sample: resamples of a single block do not vary.
const MIN_BLOCKS: usize = 2;
/// Minimum share of resamples on which a statistic must be defined.
const MIN_DEFINED_SHARE: f64 = 0.9;
/// Half width of an interval of the AUC that is narrow enough to distinguish a small edge from
/// none.
const TARGET_HALF_WIDTH: f64 = 0.05;
const DAYS_PER_YEAR: f64 = 365.25;

/// The distinct dates of some rows, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dates(Vec<i32>);

impl Dates {
    /// Collects the dates of some rows.
    ///
    /// * `day`: one entry per row of the table.
    pub fn from_rows(day: &[i32], rows: &[u32]) -> Self {
        let mut dates: Vec<i32> = rows.iter().map(|&row| day[row as usize]).collect();
        dates.sort_unstable();
        dates.dedup();
        Self(dates)
    }

    /// Returns the index of a date; for a date that is not contained, the index of the next later
    /// one.
    pub fn index(&self, day: i32) -> u32 {
        self.0.partition_point(|&date| date < day) as u32
    }

    /// Returns the number of dates.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are no dates.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the time from the first date to the last one, in years.
    pub fn years(&self) -> f64 {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => f64::from(last - first + 1) / DAYS_PER_YEAR,
            _ => 0.0,
        }
    }
}

/// Returns the number of dates per block: twice the label's horizon in dates, for bars of any
/// length.
pub fn block_dates(label: &Label) -> usize {
    // A horizon contains more bars than sessions if bars are intraday, and more sessions than bars
    // if they are weekly. The smaller number is the number of dates.
    2 * label.key.horizon_days.min(label.horizon_bars).max(1) as usize
}

/// The number of times that each resample contains each date.
#[derive(Clone, Debug)]
pub struct Resamples {
    n_dates: usize,
    block_dates: usize,
    counts: Vec<u32>,
}

impl Resamples {
    /// Draws 1,000 resamples with `n_dates` dates each, in circular blocks.
    ///
    /// # Errors
    /// Returns the reason if there are too few dates for two blocks.
    pub fn draw(n_dates: usize, block_dates: usize, mut random: Random) -> Result<Self, UndefinedError> {
        if n_dates < MIN_BLOCKS * block_dates {
            let expected = MIN_BLOCKS * block_dates;
            return Err(UndefinedError::because(format!(
                "found {n_dates} dates, expected at least {expected} for an interval at this horizon"
            )));
        }
        // `max(1)` below is needed if there are no dates: the length of a chunk and the step must
        // not be 0.
        let mut counts = vec![0; N_DRAWS * n_dates];
        for draw in counts.chunks_exact_mut(n_dates.max(1)) {
            for first in (0..n_dates).step_by(block_dates.max(1)) {
                let start = random.below(n_dates);
                // The last block is shortened, so that every resample has the same number of dates.
                let len = block_dates.min(n_dates - first);
                // Blocks continue at the first date after the last one. Otherwise dates near both
                // ends would be drawn less often.
                (start..start + len).for_each(|idx| draw[idx % n_dates] += 1);
            }
        }
        Ok(Self { n_dates, block_dates, counts })
    }

    /// Returns the number of blocks in the sample, which need not be whole.
    pub fn n_blocks(&self) -> f64 {
        self.n_dates as f64 / self.block_dates.max(1) as f64
    }

    /// Computes a statistic on every resample and returns the defined values. `statistic` receives
    /// the number of times that the resample contains each date.
    ///
    /// # Errors
    /// Returns the reason if the statistic is defined on fewer than 90 % of the resamples.
    pub fn map(&self, statistic: impl Fn(&[u32]) -> Option<f64>) -> Result<Vec<f64>, UndefinedError> {
        let values = self.defined(statistic);
        // An interval of the defined values alone would leave out the resamples without events.
        if (values.len() as f64) < MIN_DEFINED_SHARE * N_DRAWS as f64 {
            let n_defined = values.len();
            return Err(UndefinedError::because(format!(
                "defined in {n_defined} of {N_DRAWS} resamples: too few events"
            )));
        }
        Ok(values)
    }

    /// Computes a statistic on every resample and returns the defined values, even if they are few.
    /// `statistic` receives the number of times that the resample contains each date.
    pub(crate) fn defined(&self, statistic: impl Fn(&[u32]) -> Option<f64>) -> Vec<f64> {
        let draws = self.counts.chunks_exact(self.n_dates.max(1));
        draws.filter_map(statistic).filter(|value| value.is_finite()).collect()
    }
}

/// A 95 % interval, written as `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval(pub Finite, pub Finite);

impl Interval {
    /// Returns half of the width.
    pub fn half_width(self) -> f64 {
        (self.1.get() - self.0.get()) / 2.0
    }
}

/// Computes the percentile interval of a bootstrap: the 2.5 % and 97.5 % quantiles, interpolated
/// linearly (type 7 of Hyndman and Fan, *Sample Quantiles in Statistical Packages*, 1996).
///
/// # Errors
/// Returns the reason if `draws` is empty.
pub fn interval(mut draws: Vec<f64>) -> Result<Interval, UndefinedError> {
    draws.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let position = share * (draws.len().checked_sub(1)? as f64);
        let below = *draws.get(position.floor() as usize)?;
        let above = *draws.get(position.ceil() as usize)?;
        Finite::new(below + (above - below) * position.fract())
    };
    let ends = quantile(0.025).zip(quantile(0.975));
    ends.map(|(low, high)| Interval(low, high)).ok_or_else(|| UndefinedError::because("no resamples"))
}

/// Computes the standard deviation of a bootstrap's draws, which estimates the standard error of
/// the statistic.
///
/// # Errors
/// Returns the reason if there are fewer than two draws.
pub fn standard_error(draws: &[f64]) -> Result<f64, UndefinedError> {
    if draws.len() < 2 {
        return Err(UndefinedError::because("no resamples"));
    }
    let n_draws = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n_draws;
    Ok((draws.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n_draws - 1.0)).sqrt())
}

/// Returns the number of years of test after which an interval of the AUC is ± 0.05. The width of
/// an interval is assumed to fall with the square root of time.
pub fn years_needed(interval: Interval, years: f64) -> f64 {
    years * (interval.half_width() / TARGET_HALF_WIDTH).powi(2)
}

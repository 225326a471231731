//! Uncertainty by resampling whole dates in circular blocks.
//!
//! Labels of neighbouring dates share bars and symbols move together, so rows are not independent: blocks of 2h whole
//! dates over all symbols are (Politis and Romano, 1992). Two statistics read under the same draws are compared paired.

use serde::{Deserialize, Serialize};

use super::{
    figure::{Finite, Undefined},
    random::Random,
};
use crate::labels::Label;

/// Draws of a bootstrap.
const N_DRAWS: usize = 1_000;
/// Blocks that a sample must hold for its resampling to mean anything.
const MIN_BLOCKS: usize = 2;
/// Share of draws in which a statistic must exist.
const MIN_DEFINED_SHARE: f64 = 0.9;
/// Half width of an interval of AUC that tells a small edge from none.
const WANTED_HALF_WIDTH: f64 = 0.05;
const DAYS_A_YEAR: f64 = 365.25;

/// Distinct dates of some rows, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dates(Vec<i32>);

impl Dates {
    /// Collects the dates of `rows`; `day` has one entry per row of the table.
    pub fn from_rows(day: &[i32], rows: &[u32]) -> Self {
        let mut dates: Vec<i32> = rows.iter().map(|&row| day[row as usize]).collect();
        dates.sort_unstable();
        dates.dedup();
        Self(dates)
    }

    /// Position of a date. A date that is not among them gets the position of the next later one.
    pub fn index(&self, day: i32) -> u32 {
        self.0.partition_point(|&date| date < day) as u32
    }

    /// Number of dates.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no date.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From the first date to the last, in years.
    pub fn years(&self) -> f64 {
        match (self.0.first(), self.0.last()) {
            (Some(first), Some(last)) => f64::from(last - first + 1) / DAYS_A_YEAR,
            _ => 0.0,
        }
    }
}

/// Returns the dates per block: twice the label's horizon in dates, whatever the length of a bar.
pub fn block_dates(label: &Label) -> usize {
    // Intraday a horizon has more bars than dates, weekly more sessions than bars.
    2 * label.key.horizon_days.min(label.horizon_bars).max(1) as usize
}

/// How often each date counts in each draw.
#[derive(Clone, Debug)]
pub struct Resamples {
    n_dates: usize,
    counts: Vec<u32>,
}

impl Resamples {
    /// Draws 1,000 samples of as many dates as there are, in circular blocks.
    ///
    /// # Errors
    /// Where the dates hold fewer than two blocks.
    pub fn draw(n_dates: usize, block_dates: usize, mut random: Random) -> Result<Self, Undefined> {
        if n_dates < MIN_BLOCKS * block_dates {
            let needed = MIN_BLOCKS * block_dates;
            return Err(Undefined::because(format!("{n_dates} dates, an interval needs {needed} at this horizon")));
        }
        let mut counts = vec![0; N_DRAWS * n_dates];
        for draw in counts.chunks_exact_mut(n_dates.max(1)) {
            for first in (0..n_dates).step_by(block_dates.max(1)) {
                let start = random.below(n_dates);
                let len = block_dates.min(n_dates - first);
                (start..start + len).for_each(|idx| draw[idx % n_dates] += 1);
            }
        }
        Ok(Self { n_dates, counts })
    }

    /// A statistic of every draw in which it exists.
    ///
    /// # Errors
    /// Where it exists in fewer than nine draws of ten.
    pub fn map(&self, statistic: impl Fn(&[u32]) -> Option<f64>) -> Result<Vec<f64>, Undefined> {
        let draws = self.counts.chunks_exact(self.n_dates.max(1));
        let values: Vec<f64> = draws.filter_map(statistic).filter(|value| value.is_finite()).collect();
        if (values.len() as f64) < MIN_DEFINED_SHARE * N_DRAWS as f64 {
            let n_defined = values.len();
            return Err(Undefined::because(format!("defined in {n_defined} of {N_DRAWS} resamples: too few events")));
        }
        Ok(values)
    }
}

/// A 95 % interval, written as `[low, high]`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval(pub Finite, pub Finite);

impl Interval {
    /// Half of its width.
    pub fn half_width(self) -> f64 {
        (self.1.get() - self.0.get()) / 2.0
    }
}

/// The percentile interval of a bootstrap: the 2.5 % and 97.5 % quantiles, interpolated linearly (Hyndman and Fan's
/// type 7).
///
/// # Errors
/// Without draws.
pub fn interval(mut draws: Vec<f64>) -> Result<Interval, Undefined> {
    draws.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * (draws.len().checked_sub(1)? as f64);
        let below = *draws.get(place.floor() as usize)?;
        let above = *draws.get(place.ceil() as usize)?;
        Finite::new(below + (above - below) * place.fract())
    };
    let ends = quantile(0.025).zip(quantile(0.975));
    ends.map(|(low, high)| Interval(low, high)).ok_or_else(|| Undefined::because("no resamples"))
}

/// The deviation of a bootstrap's draws, which is the standard error of the statistic.
///
/// # Errors
/// With fewer than two draws.
pub fn standard_error(draws: &[f64]) -> Result<f64, Undefined> {
    if draws.len() < 2 {
        return Err(Undefined::because("no resamples"));
    }
    let n_draws = draws.len() as f64;
    let mean = draws.iter().sum::<f64>() / n_draws;
    Ok((draws.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n_draws - 1.0)).sqrt())
}

/// Years of test that would narrow an interval of AUC to ± 0.05, as its width falls with the square root of time.
pub fn years_needed(interval: Interval, years: f64) -> f64 {
    years * (interval.half_width() / WANTED_HALF_WIDTH).powi(2)
}

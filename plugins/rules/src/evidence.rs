//! Evaluates a rule on some rows: its support, its precision and a confidence bound of the
//! precision.
//!
//! The labels of neighbouring rows are correlated, because they depend on common bars. For this
//! reason the confidence bound counts occasions instead of rows. An occasion is a span of time that
//! is long enough for labels to become independent.

use std::ops::AddAssign;

use oculus_plugin_api::prelude::*;

use crate::params::Settings;
use crate::row_set::RowSet;

/// Standard normal quantile of the Wilson bound, for a two-sided interval of 95 %.
const Z: f64 = 1.96;
/// Autocorrelation below which labels are treated as independent.
const INDEPENDENT: f64 = 0.1;
/// Maximum lag, in bars, at which labels are treated as correlated.
const MAX_MEMORY_BARS: usize = 64;

/// The support of a rule on some rows, and its number of hits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Number of rows on which the rule holds.
    pub(crate) n_held: usize,
    /// Number of those rows that have class 1.
    pub(crate) n_hits: usize,
}

impl Counts {
    /// Computes the share of class 1 among the rows on which the rule holds.
    pub(crate) fn precision(self) -> f64 {
        self.n_hits as f64 / self.n_held.max(1) as f64
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.n_held += more.n_held;
        self.n_hits += more.n_hits;
    }
}

/// Evaluates rules on the training rows.
pub(crate) struct Evaluator<'a> {
    /// Limits on the support and the number of occasions of a rule.
    pub(crate) settings: &'a Settings,
    /// Training rows of class 1.
    pub(crate) hits: RowSet,
    /// For each training row, the position of its bar on a time axis on which the symbols follow
    /// each other. The gap between two symbols is larger than the maximum of `memory_bars`, so that
    /// an occasion never spans two symbols.
    clock: Vec<usize>,
    /// Number of bars after which labels are independent.
    memory_bars: usize,
    /// Number of occasions of all training rows, divided by the number of training rows.
    occasions_per_row: f64,
}

impl<'a> Evaluator<'a> {
    /// Measures the autocorrelation of the labels on the training rows.
    pub(crate) fn new(table: &Table<'_>, task: &Task<'_>, settings: &'a Settings) -> Self {
        let row = |idx: usize| task.train_rows[idx] as usize;
        let clock: Vec<usize> = (0..task.train_rows.len())
            .map(|idx| row(idx) + table.symbol()[row(idx)] as usize * MAX_MEMORY_BARS)
            .collect();
        let hits = RowSet::from_fn(clock.len(), |idx| task.label[row(idx)] == 1.0);
        let mut evaluator =
            // `occasions_per_row` is set below, because counting occasions needs the fields `clock`
            // and `memory_bars`.
            Self { settings, memory_bars: memory_bars(&clock, &hits), hits, clock, occasions_per_row: 1.0 };
        let all = RowSet::from_fn(evaluator.n_rows(), |_| true);
        evaluator.occasions_per_row = evaluator.n_occasions(&all) as f64 / evaluator.n_rows() as f64;
        evaluator
    }

    /// Returns the number of training rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.clock.len()
    }

    /// Counts the given rows and the hits among them.
    pub(crate) fn counts(&self, rows: &RowSet) -> Counts {
        Counts { n_held: rows.len(), n_hits: rows.n_common(&self.hits) }
    }

    /// Computes the lower confidence bound of the precision on the given rows.
    pub(crate) fn bound(&self, rows: &RowSet) -> f64 {
        wilson_lower(self.counts(rows).precision(), self.n_occasions(rows) as f64)
    }

    /// Computes the lower confidence bound of the precision from counts alone.
    ///
    /// Without the rows, occasions cannot be counted, so the bound assumes the average number of
    /// occasions per row. Returns `None` if the support is out of range, or if the precision of
    /// `held` is not above the precision of `all`.
    pub(crate) fn bound_by_rows(&self, held: Counts, all: Counts) -> Option<f64> {
        let support = held.n_held as f64 / all.n_held as f64;
        let is_rule = self.settings.allows_support(support) && held.precision() > all.precision();
        is_rule.then(|| wilson_lower(held.precision(), held.n_held as f64 * self.occasions_per_row))
    }

    /// Counts the occasions of the given rows. A row starts a new occasion if it is at least
    /// `memory_bars` after the start of the previous occasion.
    pub(crate) fn n_occasions(&self, rows: &RowSet) -> usize {
        let mut n_occasions = 0;
        let mut next_start = 0;
        for idx in rows.indices() {
            if self.clock[idx] >= next_start {
                n_occasions += 1;
                next_start = self.clock[idx] + self.memory_bars;
            }
        }
        n_occasions
    }
}

/// Returns the number of bars after which labels are independent: the first lag at which their
/// autocorrelation is below [`INDEPENDENT`].
fn memory_bars(clock: &[usize], hits: &RowSet) -> usize {
    let n_bars = clock.last().map_or(0, |last| last + 1);
    // The padding after the last bar allows a read at every lag without a bounds check.
    let mut label = vec![None; n_bars + MAX_MEMORY_BARS];
    let mean = hits.len() as f64 / clock.len() as f64;
    clock.iter().for_each(|&bar| label[bar] = Some(-mean));
    hits.indices().for_each(|idx| label[clock[idx]] = Some(1.0 - mean));
    let covariance = |lag: usize| {
        let pairs = clock.iter().filter_map(|&bar| Some(label[bar]? * label[bar + lag]?));
        let (sum, n) = pairs.fold((0.0, 0_usize), |(sum, n), product| (sum + product, n + 1));
        // If no two rows have this lag, the covariance is 0, so the search below ends at this lag.
        sum / n.max(1) as f64
    };
    let variance = covariance(0);
    (1..MAX_MEMORY_BARS).find(|&lag| covariance(lag) < INDEPENDENT * variance).unwrap_or(MAX_MEMORY_BARS)
}

/// Computes the lower end of the 95 % score interval of a share observed in `n` independent cases
/// (Wilson 1927).
pub(crate) fn wilson_lower(share: f64, n: f64) -> f64 {
    let z2 = Z * Z;
    let half_width = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    (share + z2 / (2.0 * n) - half_width) / (1.0 + z2 / n)
}

/// Computes the standard error of a share observed in `n` independent cases.
pub(crate) fn standard_error(share: f64, n: f64) -> f64 {
    (share * (1.0 - share) / n).sqrt()
}

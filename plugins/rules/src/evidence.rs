//! What a rule is worth on some rows: how often it held, how often class 1 came after, and how sure that is.
//!
//! Labels of rows side by side share bars. So a rule is as sure as it had occasions, not rows: stretches as long as a label
//! remembers.

use std::ops::AddAssign;

use oculus_plugin_api::prelude::*;

use crate::params::Recipe;
use crate::row_set::RowSet;

/// Deviations of the Wilson bound: 95 %, two-sided.
const Z: f64 = 1.96;
/// Autocorrelation below which labels count as unrelated.
const UNRELATED: f64 = 0.1;
/// Bars that a label may remember, at most.
const MOST_BARS: usize = 64;

/// Counts of a rule on some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Rows on which it held.
    pub(crate) n_held: usize,
    /// Of those, rows of class 1.
    pub(crate) n_hits: usize,
}

impl Counts {
    /// Share of class 1 where the rule held.
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

/// Who judges rules by the training rows.
pub(crate) struct Judge<'a> {
    /// What a rule has to be.
    pub(crate) recipe: &'a Recipe,
    /// Training rows of class 1.
    pub(crate) hits: RowSet,
    /// Of each training row, its bar's place in time; symbols lie further apart than a label remembers.
    clock: Vec<usize>,
    memory_bars: usize,
    occasions_per_row: f64,
}

impl<'a> Judge<'a> {
    /// Learns from the labels of the training rows.
    pub(crate) fn new(table: &Table<'_>, task: &Task<'_>, recipe: &'a Recipe) -> Self {
        let row = |place: usize| task.train_rows[place] as usize;
        let clock: Vec<usize> = (0..task.train_rows.len())
            .map(|place| row(place) + table.symbol()[row(place)] as usize * MOST_BARS)
            .collect();
        let hits = RowSet::from_fn(clock.len(), |place| task.label[row(place)] == 1.0);
        let mut judge = Self { recipe, memory_bars: memory_bars(&clock, &hits), hits, clock, occasions_per_row: 1.0 };
        let all = RowSet::from_fn(judge.n_rows(), |_| true);
        judge.occasions_per_row = judge.n_occasions(&all) as f64 / judge.n_rows() as f64;
        judge
    }

    /// Training rows.
    pub(crate) fn n_rows(&self) -> usize {
        self.clock.len()
    }

    /// What a rule is worth on these rows.
    pub(crate) fn counts(&self, rows: &RowSet) -> Counts {
        Counts { n_held: rows.len(), n_hits: rows.n_common(&self.hits) }
    }

    /// Lower bound of the precision on these rows.
    pub(crate) fn bound(&self, rows: &RowSet) -> f64 {
        wilson_lower(self.counts(rows).precision(), self.n_occasions(rows) as f64)
    }

    /// Lower bound of the precision where only counts are known: rows have occasions as all rows do. `None` for what holds
    /// too rarely, too often, or is no better than `all`.
    pub(crate) fn bound_by_rows(&self, held: Counts, all: Counts) -> Option<f64> {
        let support = held.n_held as f64 / all.n_held as f64;
        let is_rule = self.recipe.is_usual(support) && held.precision() > all.precision();
        is_rule.then(|| wilson_lower(held.precision(), held.n_held as f64 * self.occasions_per_row))
    }

    /// Stretches of a label's memory on which rows lie.
    pub(crate) fn n_occasions(&self, rows: &RowSet) -> usize {
        let mut n_occasions = 0;
        let mut free_from = 0;
        for place in rows.places() {
            if self.clock[place] >= free_from {
                n_occasions += 1;
                free_from = self.clock[place] + self.memory_bars;
            }
        }
        n_occasions
    }
}

/// Bars after which labels are unrelated: the first lag at which their autocorrelation is small.
fn memory_bars(clock: &[usize], hits: &RowSet) -> usize {
    let n_bars = clock.last().map_or(0, |last| last + 1);
    let mut label = vec![None; n_bars + MOST_BARS];
    let mean = hits.len() as f64 / clock.len() as f64;
    clock.iter().for_each(|&bar| label[bar] = Some(-mean));
    hits.places().for_each(|place| label[clock[place]] = Some(1.0 - mean));
    let covariance = |lag: usize| {
        let pairs = clock.iter().filter_map(|&bar| Some(label[bar]? * label[bar + lag]?));
        let (sum, n) = pairs.fold((0.0, 0_usize), |(sum, n), product| (sum + product, n + 1));
        sum / n.max(1) as f64
    };
    let variance = covariance(0);
    (1..MOST_BARS).find(|&lag| covariance(lag) < UNRELATED * variance).unwrap_or(MOST_BARS)
}

/// Lower end of the 95 % interval of a share seen in `n` independent cases (Wilson 1927).
pub(crate) fn wilson_lower(share: f64, n: f64) -> f64 {
    let z2 = Z * Z;
    let spread = Z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    (share + z2 / (2.0 * n) - spread) / (1.0 + z2 / n)
}

/// Standard error of a share seen in `n` independent cases.
pub(crate) fn standard_error(share: f64, n: f64) -> f64 {
    (share * (1.0 - share) / n).sqrt()
}

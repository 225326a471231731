//! Computes labels: whether the close has risen by a threshold at the end of a horizon.
//!
//! In: bars, the rows of the feature table, and the job's horizons and thresholds. Out: one
//! [`Label`] per combination of horizon and threshold. Invariant: a row whose horizon ends after
//! the last bar of its symbol has no label; it never becomes class 0.

use std::sync::Arc;

use oculus_job::request::Job;

use crate::bars::{Market, horizon_bars, median_session_bars};
use crate::features::FeatureTable;

/// The definition of a label: a rise of `threshold_pct` over `horizon_days` sessions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelKey {
    /// Horizon in sessions.
    pub horizon_days: u32,
    /// Smallest rise of class 1, in percent.
    pub threshold_pct: f64,
}

/// The values of one label, one per row of the feature table.
#[derive(Clone, Debug)]
pub struct Label {
    /// Definition of the label.
    pub key: LabelKey,
    /// Horizon in bars.
    pub horizon_bars: u32,
    /// Class of each row: 1, 0, or NaN if the row has no label.
    pub value: Vec<f32>,
    /// Forward return of each row in percent; NaN if the row has no label.
    pub forward_return_pct: Arc<[f64]>,
    /// Session date on which each row's label is known, days since 1970-01-01. It is `i32::MAX`,
    /// later than the end of every period, if the row has no label.
    pub known_day: Arc<[i32]>,
}

impl Label {
    /// Returns whether a row has a label.
    pub fn is_known(&self, row: u32) -> bool {
        !self.value[row as usize].is_nan()
    }
}

/// Computes one label per combination of the job's horizons and thresholds, ordered by horizon,
/// then threshold.
///
/// A label is 1 if `100 · (close[t + h] / close[t] − 1) ≥ threshold`, where `h` is
/// [`horizon_bars`].
pub(crate) fn build(market: &Market, table: &FeatureTable, job: &Job) -> Vec<Label> {
    let sessions = Sessions::new(market);
    let mut labels = Vec::new();
    for &horizon_days in &job.design.forward_returns_days_options {
        let forward = ForwardReturns::new(market, &sessions, table, horizon_days);
        for &threshold_pct in &job.design.profit_threshold_options {
            labels.push(forward.label(LabelKey { horizon_days, threshold_pct }));
        }
    }
    labels
}

/// Computes one label; see [`build`].
pub(crate) fn build_one(market: &Market, table: &FeatureTable, key: LabelKey) -> Label {
    ForwardReturns::new(market, &Sessions::new(market), table, key.horizon_days).label(key)
}

/// The sessions of a market's bars.
struct Sessions {
    /// Session date of each bar of each symbol.
    days: Vec<Vec<i32>>,
    bars_per_session: u32,
}

impl Sessions {
    fn new(market: &Market) -> Self {
        let days: Vec<Vec<i32>> = market.bars.iter().map(|bars| bars.session_days(market.timeframe)).collect();
        let bars_per_session = median_session_bars(days.iter().map(Vec::as_slice));
        Self { days, bars_per_session }
    }
}

/// The forward return of each row over one horizon. The labels of all thresholds share it.
struct ForwardReturns {
    horizon_bars: u32,
    return_pct: Arc<[f64]>,
    known_day: Arc<[i32]>,
}

impl ForwardReturns {
    fn new(market: &Market, sessions: &Sessions, table: &FeatureTable, horizon_days: u32) -> Self {
        let Sessions { days, bars_per_session } = sessions;
        let horizon_bars = horizon_bars(horizon_days, market.timeframe, *bars_per_session);
        // If the horizon ends after the last bar, `get` returns `None`, and the row has no label.
        let later = |row: usize| {
            let symbol = table.symbol[row] as usize;
            let bar = table.bar[row] as usize;
            let then = bar + horizon_bars as usize;
            let close = &market.bars[symbol].close;
            // The return is an `f64`. Rounded to an `f32`, a rise of exactly the threshold could be
            // below the threshold.
            Some((100.0 * (close.get(then)? / close[bar] - 1.0), *days[symbol].get(then)?))
        };
        let rows = 0..table.n_rows();
        Self {
            horizon_bars,
            return_pct: rows.clone().map(|row| later(row).map_or(f64::NAN, |(return_pct, _)| return_pct)).collect(),
            known_day: rows.map(|row| later(row).map_or(i32::MAX, |(_, day)| day)).collect(),
        }
    }

    fn label(&self, key: LabelKey) -> Label {
        let class = |&rise: &f64| match rise {
            // Every comparison with NaN is false, so without this case the row would be class 0.
            rise if rise.is_nan() => f32::NAN,
            rise if rise >= key.threshold_pct => 1.0,
            _ => 0.0,
        };
        Label {
            key,
            horizon_bars: self.horizon_bars,
            value: self.return_pct.iter().map(class).collect(),
            forward_return_pct: Arc::clone(&self.return_pct),
            known_day: Arc::clone(&self.known_day),
        }
    }
}

#[cfg(test)]
mod tests;

//! Labels: whether the close rises by a threshold within a horizon.
//!
//! In: bars, the rows of the feature table, the job's horizons and thresholds. Out: one [`Label`] per combination.
//! Invariant: a row whose horizon reaches past its symbol's last bar has no label; it is never counted as class 0.

use std::sync::Arc;

use oculus_job::request::Job;

use crate::bars::{Market, horizon_bars, median_session_bars};
use crate::features::FeatureTable;

/// The definition of a label: a rise of `threshold_pct` over `horizon_days` sessions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelKey {
    /// Sessions ahead.
    pub horizon_days: u32,
    /// Rise in percent.
    pub threshold_pct: f64,
}

/// One label of every row of the feature table.
#[derive(Clone, Debug)]
pub struct Label {
    /// Its definition.
    pub key: LabelKey,
    /// The horizon in bars.
    pub horizon_bars: u32,
    /// 1, 0, or NaN where the horizon reaches past the last bar of the symbol.
    pub value: Vec<f32>,
    /// Forward return in percent, NaN where there is no label.
    pub forward_return_pct: Arc<[f64]>,
    /// Session date at which each row's label is known, days since 1970-01-01; `i32::MAX` where there is no label.
    pub known_day: Arc<[i32]>,
}

impl Label {
    /// Returns whether a row has a label.
    pub fn is_known(&self, row: u32) -> bool {
        !self.value[row as usize].is_nan()
    }
}

/// Labels every row by every combination of the job's horizons and thresholds, horizons first.
///
/// A label is 1 where `100 · (close[t + h] / close[t] − 1) ≥ threshold`, `h` being [`horizon_bars`].
pub(crate) fn build(market: &Market, table: &FeatureTable, job: &Job) -> Vec<Label> {
    let days: Vec<Vec<i32>> = market.bars.iter().map(|bars| bars.session_days(market.timeframe)).collect();
    let bars_per_session = median_session_bars(days.iter().map(Vec::as_slice));
    let mut labels = Vec::new();
    for &horizon_days in &job.design.forward_returns_days_options {
        let horizon_bars = horizon_bars(horizon_days, market.timeframe, bars_per_session);
        let outlook = Outlook::new(market, &days, table, horizon_bars);
        for &threshold_pct in &job.design.profit_threshold_options {
            labels.push(outlook.label(LabelKey { horizon_days, threshold_pct }, horizon_bars));
        }
    }
    labels
}

/// The forward return of each row over one horizon, shared by the labels of all thresholds.
struct Outlook {
    return_pct: Arc<[f64]>,
    known_day: Arc<[i32]>,
}

impl Outlook {
    fn new(market: &Market, days: &[Vec<i32>], table: &FeatureTable, horizon_bars: u32) -> Self {
        let later = |row: usize| {
            let symbol = table.symbol[row] as usize;
            let bar = table.bar[row] as usize;
            let then = bar + horizon_bars as usize;
            let close = &market.bars[symbol].close;
            Some((100.0 * (close.get(then)? / close[bar] - 1.0), *days[symbol].get(then)?))
        };
        let rows = 0..table.n_rows();
        Self {
            return_pct: rows.clone().map(|row| later(row).map_or(f64::NAN, |(return_pct, _)| return_pct)).collect(),
            known_day: rows.map(|row| later(row).map_or(i32::MAX, |(_, day)| day)).collect(),
        }
    }

    fn label(&self, key: LabelKey, horizon_bars: u32) -> Label {
        let class = |&rise: &f64| match rise {
            rise if rise.is_nan() => f32::NAN,
            rise if rise >= key.threshold_pct => 1.0,
            _ => 0.0,
        };
        Label {
            key,
            horizon_bars,
            value: self.return_pct.iter().map(class).collect(),
            forward_return_pct: Arc::clone(&self.return_pct),
            known_day: Arc::clone(&self.known_day),
        }
    }
}

#[cfg(test)]
mod tests;

//! Labels of synthetic series: their base rate, and the AUC of the oracle.
//!
//! In: series, a horizon and a threshold. Out: a base rate, or an AUC. Invariant: labels have the
//! definition that jobs use.

use oculus_pipeline::bars::Bars;
use oculus_pipeline::metrics::auc;

use super::series::SyntheticSeries;

/// Returns the base rate: the share of labelled bars with a positive label. A label is positive if
/// the close after `horizon_bars` bars is at least `threshold_pct` percent higher. Returns `None`
/// if no bar has a label.
pub fn base_rate(bars: &Bars, horizon_bars: usize, threshold_pct: f64) -> Option<f64> {
    let rises = (0..bars.len()).filter_map(|bar| rises(bars, bar, horizon_bars, threshold_pct));
    let (n_rises, n_bars) = rises.fold((0_usize, 0_usize), |(sum, n), rises| (sum + usize::from(rises), n + 1));
    (n_bars > 0).then(|| n_rises as f64 / n_bars as f64)
}

/// Returns the AUC of the oracle's probabilities on the labels. It is 0.5 if the series cannot be
/// forecast, and `None` if all labels are equal.
pub fn oracle_auc(series: &[SyntheticSeries], horizon_bars: usize, threshold_pct: f64) -> Option<f64> {
    let mut labels = Vec::new();
    let mut scores = Vec::new();
    for SyntheticSeries { bars, oracle } in series {
        for (bar, probability) in oracle.probabilities(horizon_bars, threshold_pct) {
            if let Some(rises) = rises(bars, bar, horizon_bars, threshold_pct) {
                labels.push(f32::from(u8::from(rises)));
                scores.push(probability as f32);
            }
        }
    }
    auc(&labels, &scores).ok()
}

/// Returns whether the close after `horizon_bars` bars is at least `threshold_pct` percent higher,
/// or `None` if that bar does not exist.
fn rises(bars: &Bars, bar: usize, horizon_bars: usize, threshold_pct: f64) -> Option<bool> {
    let later = bars.close.get(bar + horizon_bars)?;
    Some(100.0 * (later / bars.close[bar] - 1.0) >= threshold_pct)
}

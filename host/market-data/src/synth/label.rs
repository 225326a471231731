//! The labels of synthetic series: how many rise, and how well the oracle forecasts them.
//!
//! In: series, a horizon and a threshold. Out: a base rate, or an AUC. Invariant: labels are defined as
//! those of a job.

use oculus_pipeline::bars::Bars;
use oculus_pipeline::metrics::auc;

use super::series::Synthetic;

/// Returns the share of bars after which the close is `threshold_pct` percent higher `horizon_bars`
/// later; `None` without any.
pub fn base_rate(bars: &Bars, horizon_bars: usize, threshold_pct: f64) -> Option<f64> {
    let rises = (0..bars.len()).filter_map(|bar| rises(bars, bar, horizon_bars, threshold_pct));
    let (n_rises, n_bars) = rises.fold((0_usize, 0_usize), |(sum, n), rises| (sum + usize::from(rises), n + 1));
    (n_bars > 0).then(|| n_rises as f64 / n_bars as f64)
}

/// Returns the AUC of the oracle's probabilities on the labels; 0.5 if a series cannot be forecast,
/// `None` if a class is missing.
pub fn oracle_auc(series: &[Synthetic], horizon_bars: usize, threshold_pct: f64) -> Option<f64> {
    let mut labels = Vec::new();
    let mut scores = Vec::new();
    for Synthetic { bars, oracle } in series {
        for (bar, probability) in oracle.probabilities(horizon_bars, threshold_pct) {
            if let Some(rises) = rises(bars, bar, horizon_bars, threshold_pct) {
                labels.push(f32::from(u8::from(rises)));
                scores.push(probability as f32);
            }
        }
    }
    auc(&labels, &scores).ok()
}

/// Returns the label of a bar as a job defines it.
fn rises(bars: &Bars, bar: usize, horizon_bars: usize, threshold_pct: f64) -> Option<bool> {
    let later = bars.close.get(bar + horizon_bars)?;
    Some(100.0 * (later / bars.close[bar] - 1.0) >= threshold_pct)
}

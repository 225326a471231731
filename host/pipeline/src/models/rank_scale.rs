//! Rank scores: the part of a model's scores that volatility does not explain.
//!
//! In: scores of a model, and the log-odds of the volatility baseline. Out: one rank score per row,
//! in deviations. Invariant: no label determines a rank score, apart from the fit of the baseline.
//!
//! A volatile symbol reaches any threshold more often, so the scores of one date order its symbols
//! mainly by volatility, which says nothing about the direction of prices. The regression of scores
//! on the baseline removes this part, and what remains has a higher rank correlation with the forward
//! returns within a date (docs/statistics.md).

use serde::{Deserialize, Serialize};

use crate::{
    baseline::{Volatility, VolatilityModel},
    metrics::ScoreScale,
};

/// Converts the scores of a final model into rank scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RankScale {
    /// Scale of the model's scores.
    scale: ScoreScale,
    /// Volatility baseline of the development period, and the scale of its log-odds.
    volatility: VolatilityModel,
    volatility_scale: ScoreScale,
    /// Deviations of the score per deviation of the baseline.
    slope: f64,
}

impl RankScale {
    /// Fits the scale of a final model; `None` if the baseline cannot be fitted.
    ///
    /// * `slope`: from [`slope`].
    /// * `label`: one per row of the table.
    pub(super) fn fit(
        volatility: &Volatility,
        label: &[f32],
        train_rows: &[u32],
        scale: ScoreScale,
        slope: f64,
    ) -> Option<Self> {
        let model = volatility.fit(label, train_rows)?;
        let log_odds = volatility.base_score(&model);
        let of_training: Vec<f32> = train_rows.iter().map(|&row| log_odds[row as usize]).collect();
        let volatility_scale = ScoreScale::from_scores(&of_training);
        Some(Self { scale, volatility: model, volatility_scale, slope })
    }

    /// Returns one rank score per row; NaN for a row without a score.
    ///
    /// * `rows`: rows of the table of `volatility`.
    /// * `scores`: the model's score of each of these rows.
    pub fn rank_scores(&self, volatility: &Volatility, rows: &[u32], scores: &[f32]) -> Vec<f32> {
        let log_odds = volatility.base_score(&self.volatility);
        let rank_score = |(&row, &score): (&u32, &f32)| {
            let baseline = self.volatility_scale.standardise(log_odds[row as usize]);
            beyond(self.scale.standardise(score), baseline, self.slope)
        };
        rows.iter().zip(scores).map(rank_score).collect()
    }
}

/// Returns the slope of the regression of scores on the baseline, over the rows that have both; 0 if
/// the baseline does not vary.
///
/// * `scores`, `baseline`: in deviations, one per row of the table, NaN for rows without one.
pub(super) fn slope(scores: &[f32], baseline: &[f32]) -> f64 {
    let pairs = || scores.iter().zip(baseline).map(|(&y, &x)| (f64::from(x), f64::from(y)));
    let known: Vec<(f64, f64)> = pairs().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let n = known.len().max(1) as f64;
    let mean_x = known.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = known.iter().map(|(_, y)| y).sum::<f64>() / n;
    let covariance: f64 = known.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = known.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    if variance > 0.0 { covariance / variance } else { 0.0 }
}

/// Returns the rank scores of out-of-fold scores. Without a baseline, they are the scores.
///
/// * `scores`, `baseline`: in deviations, one per row of the table, NaN for rows without one.
pub(super) fn out_of_fold(scores: &[f32], baseline: Option<&[f32]>) -> Vec<f32> {
    let Some(baseline) = baseline else { return scores.to_vec() };
    let slope = slope(scores, baseline);
    scores.iter().zip(baseline).map(|(&score, &baseline)| beyond(score, baseline, slope)).collect()
}

/// Returns the part of a score that the baseline does not explain.
fn beyond(score: f32, baseline: f32, slope: f64) -> f32 {
    (f64::from(score) - slope * f64::from(baseline)) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rank_scores_are_not_correlated_with_the_baseline(
            rows in prop::collection::vec((-3.0..3.0_f32, -3.0..3.0_f32), 3..60),
            weight in -2.0..2.0_f32,
        ) {
            let baseline: Vec<f32> = rows.iter().map(|(x, _)| *x).collect();
            let scores: Vec<f32> = rows.iter().map(|(x, noise)| weight * x + noise).collect();
            let ranked = out_of_fold(&scores, Some(&baseline));
            prop_assert!(slope(&ranked, &baseline).abs() < 1e-4);
        }
    }

    #[test]
    fn a_row_without_a_score_has_no_rank_score_and_a_constant_baseline_changes_nothing() {
        let (scores, baseline) = ([1.0, f32::NAN, -0.5], [0.25, 0.25, 0.25]);
        let ranked = out_of_fold(&scores, Some(&baseline));
        assert_eq!((ranked[0], ranked[2]), (1.0, -0.5));
        assert!(ranked[1].is_nan());
    }
}

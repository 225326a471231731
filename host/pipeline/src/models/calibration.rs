//! Calibrates scores: converts them into probabilities.
//!
//! In: the out-of-fold scores of a family in deviations, and their labels. Out: a [`Calibration`].
//! Scores of a model are not probabilities: a model is too sure of itself on rows that it was not
//! fitted on. The log-odds are a straight line in the score (Platt, *Probabilistic Outputs for
//! Support Vector Machines*, 1999). Its slope is between 0 and 1 per deviation: out-of-fold scores
//! that rank the wrong way carry no information, and with slope 0 the probability is the base rate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metrics::{Finite, ScoreScale, UndefinedError};

/// Maximum number of Newton steps.
const MAX_STEPS: usize = 50;
/// The iteration has converged if both components of a step are smaller than this.
const SMALL_STEP: f64 = 1e-10;
/// Number of bins of the reliability table.
const N_BINS: usize = 5;

/// The conversion of a model's scores into probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Scale of the model's scores of its training rows.
    #[serde(flatten)]
    pub scale: ScoreScale,
    /// Log-odds of a score equal to the mean score of the training rows.
    pub intercept: f64,
    /// Log-odds per standard deviation of the score, from 0 to 1.
    pub slope: f64,
}

impl Calibration {
    /// Fits the line to out-of-fold scores. Rows with a NaN score or without a label are left out.
    ///
    /// * `standard_scores`: in deviations of each fold's model.
    /// * `scale`: scale of the model whose scores are converted.
    ///
    /// # Errors
    /// Returns the reason if the rows lack a class.
    pub(super) fn fit(label: &[f32], standard_scores: &[f32], scale: ScoreScale) -> Result<Self, UndefinedError> {
        let rows = standard_scores.iter().zip(label);
        let rows: Vec<(f64, bool)> = rows
            .filter(|(score, label)| !score.is_nan() && matches!(label, 0.0 | 1.0))
            .map(|(&score, &label)| (f64::from(score), label == 1.0))
            .collect();
        let n_positive = rows.iter().filter(|(_, is_positive)| *is_positive).count();
        if n_positive == 0 || n_positive == rows.len() {
            let n_rows = rows.len();
            return Err(UndefinedError::because(format!(
                "found {n_positive} positives among {n_rows} out-of-fold rows, expected both classes"
            )));
        }
        let free = maximise(&rows, None);
        let (intercept, slope) = match free {
            (_, slope) if slope < 0.0 => maximise(&rows, Some(0.0)),
            (_, slope) if slope > 1.0 => maximise(&rows, Some(1.0)),
            line => line,
        };
        Ok(Self { scale, intercept, slope })
    }

    /// Returns the probability of a score of the model.
    pub fn probability(&self, score: f32) -> f64 {
        self.standard_probability(self.scale.standardise(score))
    }

    fn standard_probability(&self, standard_score: f32) -> f64 {
        sigmoid(self.intercept + self.slope * f64::from(standard_score))
    }
}

/// Maximises the likelihood of the labels with smoothed targets, by Newton's method. Returns the
/// intercept and the slope.
///
/// * `slope`: fixed slope, if only the intercept is fitted.
fn maximise(rows: &[(f64, bool)], slope: Option<f64>) -> (f64, f64) {
    // Platt's targets: with `n` positives, a positive has the target (n + 1) / (n + 2), so that
    // separable scores have finite weights.
    let n_positive = rows.iter().filter(|(_, is_positive)| *is_positive).count() as f64;
    let n_negative = rows.len() as f64 - n_positive;
    let target =
        |is_positive| if is_positive { (n_positive + 1.0) / (n_positive + 2.0) } else { 1.0 / (n_negative + 2.0) };
    let mut line = ((n_positive / n_negative).ln(), slope.unwrap_or(0.0));
    for _ in 0..MAX_STEPS {
        let (mut gradient, mut hessian) = ([0.0; 2], [[f64::EPSILON, 0.0], [0.0, f64::EPSILON]]);
        for &(score, is_positive) in rows {
            let p = sigmoid(line.0 + line.1 * score);
            let (error, variance) = (target(is_positive) - p, p * (1.0 - p));
            let x = [1.0, score];
            for i in 0..2 {
                gradient[i] += error * x[i];
                (0..2).for_each(|j| hessian[i][j] += variance * x[i] * x[j]);
            }
        }
        let step = match slope {
            Some(_) => [gradient[0] / hessian[0][0], 0.0],
            None => {
                let determinant = (hessian[0][0] * hessian[1][1] - hessian[0][1].powi(2)).max(f64::EPSILON);
                [
                    (gradient[0] * hessian[1][1] - gradient[1] * hessian[0][1]) / determinant,
                    (gradient[1] * hessian[0][0] - gradient[0] * hessian[0][1]) / determinant,
                ]
            }
        };
        line = (line.0 + step[0], line.1 + step[1]);
        if step.iter().all(|part| part.abs() < SMALL_STEP) {
            break;
        }
    }
    line
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// Rows of similar probability, and how often their label was 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReliabilityBin {
    /// Number of rows.
    pub n_rows: usize,
    /// Mean probability of the rows.
    pub mean_probability: Finite,
    /// Share of positives among the rows; equal to the mean probability if the probabilities are
    /// calibrated.
    pub base_rate: Finite,
}

/// Computes the Brier score: the mean squared difference of probability and label (Brier,
/// *Verification of Forecasts Expressed in Terms of Probability*, 1950).
///
/// # Errors
/// Returns the reason if there are no rows.
pub(super) fn brier_score(label: &[f32], probability: &[f64]) -> Result<f64, UndefinedError> {
    if label.is_empty() {
        return Err(UndefinedError::because("the test period has no labelled row"));
    }
    let errors = label.iter().zip(probability).map(|(&label, probability)| (probability - f64::from(label)).powi(2));
    Ok(errors.sum::<f64>() / label.len() as f64)
}

/// Divides rows into up to five bins of equal numbers by ascending probability. Equal probabilities
/// are in the same bin.
pub(super) fn reliability(label: &[f32], probability: &[f64]) -> Vec<ReliabilityBin> {
    let mut rows: Vec<(f64, f64)> = probability.iter().copied().zip(label.iter().copied().map(f64::from)).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut bins = Vec::new();
    let mut start = 0;
    for bin in 1..=N_BINS {
        let mut end = (bin * rows.len() / N_BINS).max(start);
        while end > start && end < rows.len() && rows[end].0 == rows[end - 1].0 {
            end += 1;
        }
        let members = &rows[start..end];
        start = end;
        let mean = |value: fn(&(f64, f64)) -> f64| members.iter().map(value).sum::<f64>() / members.len() as f64;
        // A bin without rows has no finite means and is left out.
        let means = Finite::new(mean(|row| row.0)).zip(Finite::new(mean(|row| row.1)));
        bins.extend(means.map(|(mean_probability, base_rate)| ReliabilityBin {
            n_rows: members.len(),
            mean_probability,
            base_rate,
        }));
    }
    bins
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Random;

    fn scale() -> ScoreScale {
        ScoreScale::from_scores(&[-1.0, 1.0])
    }

    /// Returns scores, and labels that are 1 with log-odds of `intercept + slope · score`.
    fn rows(intercept: f64, slope: f64) -> (Vec<f32>, Vec<f32>) {
        let mut random = Random::new(7, "calibration");
        let row = |_| {
            let score = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
            let is_positive = random.unit() < sigmoid(intercept + slope * score);
            (score as f32, f32::from(u8::from(is_positive)))
        };
        (0..20_000).map(row).unzip()
    }

    #[test]
    fn the_line_of_the_labels_is_recovered() {
        let (scores, labels) = rows(-1.0, 0.4);
        let found = Calibration::fit(&labels, &scores, scale()).unwrap();
        // Four standard errors of a logistic regression on 20,000 rows.
        assert!((found.intercept + 1.0).abs() < 0.07 && (found.slope - 0.4).abs() < 0.07, "{found:?}");
    }

    #[test]
    fn the_slope_is_between_0_and_1_and_the_mean_probability_is_the_base_rate() {
        for (true_slope, expected) in [(-0.5, 0.0), (2.0, 1.0)] {
            let (scores, labels) = rows(-0.5, true_slope);
            let found = Calibration::fit(&labels, &scores, scale()).unwrap();
            assert_eq!(found.slope, expected);
            let mean = scores.iter().map(|&score| found.standard_probability(score)).sum::<f64>() / scores.len() as f64;
            let base_rate = labels.iter().map(|&label| f64::from(label)).sum::<f64>() / labels.len() as f64;
            assert!((mean - base_rate).abs() < 1e-3, "{mean}, {base_rate}");
        }
    }

    #[test]
    fn separable_scores_have_a_finite_line_and_one_class_has_none() {
        let found = Calibration::fit(&[0.0, 0.0, 1.0, 1.0], &[-2.0, -1.0, 1.0, 2.0], scale()).unwrap();
        assert!(found.intercept.is_finite() && (0.0..=1.0).contains(&found.slope));
        assert!(Calibration::fit(&[1.0, 1.0], &[0.0, 1.0], scale()).is_err());
    }

    #[test]
    fn bins_have_equal_numbers_of_rows_and_ties_stay_together() {
        let probability: Vec<f64> = (0..50).map(|idx| f64::from(idx) / 50.0).collect();
        let label: Vec<f32> = (0..50).map(|idx| f32::from(u8::from(idx >= 40))).collect();
        let bins = reliability(&label, &probability);
        assert_eq!(bins.iter().map(|bin| bin.n_rows).collect::<Vec<_>>(), [10; 5]);
        assert_eq!((bins[4].base_rate.get(), bins[0].base_rate.get()), (1.0, 0.0));
        let equal = reliability(&label, &[0.2; 50]);
        assert_eq!((equal.len(), equal[0].n_rows, equal[0].base_rate.get()), (1, 50, 0.2));
        assert!(reliability(&[], &[]).is_empty());
    }
}

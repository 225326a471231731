//! The scale of a model's scores, which makes the scores of different models comparable.
//!
//! The models of the folds and the final model are fitted on different rows and with different
//! numbers of rounds, so the spread of their scores differs. Both ways to choose a threshold were
//! measured on null panels (random walks, 4 symbols × 2,200 rows, horizon 5, 12 seeds, LightGBM,
//! base rate 0.31):
//!
//! - A raw threshold on pooled scores flags 0.17 of the test rows. This share is less than 2 % for
//!   five seeds, and within a factor of two of the base rate for four.
//! - A threshold on scores standardised by each model's own training rows flags 0.24 of the test
//!   rows. This share is never less than 2 %, and within a factor of two of the base rate for nine
//!   seeds.

use serde::{Deserialize, Serialize};

/// Mean and standard deviation of a model's scores of its own training rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreScale {
    mean: f64,
    /// Standard deviation; 1 if all scores are equal, so that a division by it is possible.
    deviation: f64,
}

impl ScoreScale {
    /// Measures scores; without scores the mean is 0 and the deviation is 1.
    pub fn from_scores(scores: &[f32]) -> Self {
        let n_scores = scores.len().max(1) as f64;
        // The sums are `f64`, because a sum of many `f32` scores would lose the small differences
        // between the scores.
        let mean = scores.iter().copied().map(f64::from).sum::<f64>() / n_scores;
        let variance = scores.iter().map(|&score| (f64::from(score) - mean).powi(2)).sum::<f64>() / n_scores;
        Self { mean, deviation: if variance > 0.0 { variance.sqrt() } else { 1.0 } }
    }

    /// Converts a score into deviations from the mean.
    pub fn standardise(&self, score: f32) -> f32 {
        ((f64::from(score) - self.mean) / self.deviation) as f32
    }

    /// Converts deviations from the mean into a score.
    pub fn destandardise(&self, standard: f32) -> f32 {
        (self.mean + f64::from(standard) * self.deviation) as f32
    }
}

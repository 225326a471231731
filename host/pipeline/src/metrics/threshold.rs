//! Metrics of rows that are flagged by a threshold on their score, and the choice of that
//! threshold.

use super::figure::UndefinedError;

/// Numbers of rows by label and flag; a row is flagged if its score reaches the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Number of flagged rows of class 1.
    pub true_positive: usize,
    /// Number of flagged rows of class 0.
    pub false_positive: usize,
    /// Number of rows of class 1 that are not flagged.
    pub false_negative: usize,
    /// Number of rows of class 0 that are not flagged.
    pub true_negative: usize,
}

impl Confusion {
    /// Counts the rows that have a label and a score, by label and by whether the score reaches the
    /// threshold.
    pub fn at(threshold: f32, label: &[f32], score: &[f32]) -> Self {
        let mut counts = Self::default();
        for (score, is_positive) in usable(label, score) {
            let is_flagged = score >= threshold;
            counts.true_positive += usize::from(is_flagged && is_positive);
            counts.false_positive += usize::from(is_flagged && !is_positive);
            counts.false_negative += usize::from(!is_flagged && is_positive);
            counts.true_negative += usize::from(!is_flagged && !is_positive);
        }
        counts
    }

    /// Counts rows by label and flag; rows without a label or without a flag are left out.
    pub fn from_flags(label: &[f32], flags: &[Option<bool>]) -> Self {
        let mut counts = Self::default();
        for (flag, &label) in flags.iter().zip(label).filter(|(_, label)| matches!(label, 0.0 | 1.0)) {
            let Some(is_flagged) = *flag else { continue };
            let is_positive = label == 1.0;
            counts.true_positive += usize::from(is_flagged && is_positive);
            counts.false_positive += usize::from(is_flagged && !is_positive);
            counts.false_negative += usize::from(!is_flagged && is_positive);
            counts.true_negative += usize::from(!is_flagged && !is_positive);
        }
        counts
    }

    /// Returns the share of flagged rows.
    ///
    /// # Errors
    /// Returns the reason if there are no rows.
    pub fn flagged_share(&self) -> Result<f64, UndefinedError> {
        let n_flagged = self.true_positive + self.false_positive;
        share(n_flagged, n_flagged + self.false_negative + self.true_negative, "no row has a label and a score")
    }

    /// Returns the share of positives among the flagged rows.
    ///
    /// # Errors
    /// Returns the reason if no row is flagged.
    pub fn precision(&self) -> Result<f64, UndefinedError> {
        share(self.true_positive, self.true_positive + self.false_positive, "no row is flagged")
    }

    /// Returns the share of flagged rows among the positives.
    ///
    /// # Errors
    /// Returns the reason if there are no positives.
    pub fn recall(&self) -> Result<f64, UndefinedError> {
        share(self.true_positive, self.true_positive + self.false_negative, "no row is positive")
    }

    /// Returns the harmonic mean of precision and recall, `2TP / (2TP + FP + FN)` (van Rijsbergen,
    /// *Information Retrieval*, 1979).
    ///
    /// # Errors
    /// Returns the reason if there are neither positives nor flagged rows.
    pub fn f1(&self) -> Result<f64, UndefinedError> {
        let hits = 2 * self.true_positive;
        share(hits, hits + self.false_positive + self.false_negative, "no row is positive and none is flagged")
    }
}

/// Returns the score at which a threshold flags the share of rows nearest to the share of
/// positives. Of two equally near scores, it returns the higher one.
///
/// Use out-of-fold scores: a model's scores of its own training rows have a wider spread.
///
/// # Errors
/// Returns the reason if none of the rows has a label and a score.
pub fn decision_threshold(label: &[f32], score: &[f32]) -> Result<f32, UndefinedError> {
    let mut n_positive = 0;
    let mut scores = Vec::new();
    for (score, is_positive) in usable(label, score) {
        n_positive += usize::from(is_positive);
        scores.push(score);
    }
    // The scores descend, so a threshold equal to the score at an index flags index + 1 rows.
    scores.sort_by(|a, b| b.total_cmp(a));
    // Equal scores are flagged together, so only the last of them is a possible threshold.
    let is_end_of_tie = |idx: &usize| scores.get(idx + 1).is_none_or(|next| *next != scores[*idx]);
    // `min_by_key` returns the first minimum, which has the higher score.
    let best = (0..scores.len()).filter(is_end_of_tie).min_by_key(|idx| (idx + 1).abs_diff(n_positive));
    best.map(|idx| scores[idx]).ok_or_else(|| UndefinedError::because("no row has a label and a score"))
}

/// Returns the score of each row that has a label and a score, and whether its label is positive.
fn usable<'a>(label: &'a [f32], score: &'a [f32]) -> impl Iterator<Item = (f32, bool)> + 'a {
    let rows = score.iter().zip(label).filter(|(score, label)| !score.is_nan() && matches!(label, 0.0 | 1.0));
    rows.map(|(&score, &label)| (score, label == 1.0))
}

fn share(part: usize, whole: usize, reason_if_empty: &str) -> Result<f64, UndefinedError> {
    if whole == 0 { Err(UndefinedError::because(reason_if_empty)) } else { Ok(part as f64 / whole as f64) }
}

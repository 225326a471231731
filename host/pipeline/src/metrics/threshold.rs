//! What flagging rows by a threshold of their score does.

use super::figure::Undefined;

/// Share of flagged rows below which a precision is undefined.
const MIN_FLAGGED_SHARE: f64 = 0.02;

/// Rows by label and flag; a row is flagged where its score reaches the threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Flagged, class 1.
    pub true_positive: usize,
    /// Flagged, class 0.
    pub false_positive: usize,
    /// Not flagged, class 1.
    pub false_negative: usize,
    /// Not flagged, class 0.
    pub true_negative: usize,
}

impl Confusion {
    /// Counts the rows that have a label and a score.
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

    /// Share of flagged rows.
    ///
    /// # Errors
    /// Without rows.
    pub fn flagged_share(&self) -> Result<f64, Undefined> {
        let n_flagged = self.true_positive + self.false_positive;
        share(n_flagged, n_flagged + self.false_negative + self.true_negative, "no row has a label and a score")
    }

    /// Share of positives among the flagged rows.
    ///
    /// # Errors
    /// Where under 2 % of the rows are flagged.
    pub fn precision(&self) -> Result<f64, Undefined> {
        let flagged = self.flagged_share()?;
        if flagged < MIN_FLAGGED_SHARE {
            let found = 100.0 * flagged;
            let needed = 100.0 * MIN_FLAGGED_SHARE;
            return Err(Undefined::because(format!("{found:.1} % of the rows are flagged, needs {needed} %")));
        }
        share(self.true_positive, self.true_positive + self.false_positive, "no row is flagged")
    }

    /// Share of flagged rows among the positives.
    ///
    /// # Errors
    /// Without positives.
    pub fn recall(&self) -> Result<f64, Undefined> {
        share(self.true_positive, self.true_positive + self.false_negative, "no row is positive")
    }

    /// `2TP / (2TP + FP + FN)`, the harmonic mean of precision and recall (van Rijsbergen, 1979).
    ///
    /// # Errors
    /// Where no row is positive and none is flagged.
    pub fn f1(&self) -> Result<f64, Undefined> {
        let hits = 2 * self.true_positive;
        share(hits, hits + self.false_positive + self.false_negative, "no row is positive and none is flagged")
    }
}

/// The score at which the flagged share comes nearest to the share of positives; the higher one of two equally near.
///
/// Chosen on out-of-fold scores, since a model's scores of its own training rows are spread wider.
///
/// # Errors
/// Where no row has a label and a score.
pub fn decision_threshold(label: &[f32], score: &[f32]) -> Result<f32, Undefined> {
    let mut n_positive = 0;
    let mut scores = Vec::new();
    for (score, is_positive) in usable(label, score) {
        n_positive += usize::from(is_positive);
        scores.push(score);
    }
    scores.sort_by(|a, b| b.total_cmp(a));
    let is_end_of_tie = |idx: &usize| scores.get(idx + 1).is_none_or(|next| *next != scores[*idx]);
    let best = (0..scores.len()).filter(is_end_of_tie).min_by_key(|idx| (idx + 1).abs_diff(n_positive));
    best.map(|idx| scores[idx]).ok_or_else(|| Undefined::because("no row has a label and a score"))
}

/// (score, is positive) of the rows that have both.
fn usable<'a>(label: &'a [f32], score: &'a [f32]) -> impl Iterator<Item = (f32, bool)> + 'a {
    let rows = score.iter().zip(label).filter(|(score, label)| !score.is_nan() && matches!(label, 0.0 | 1.0));
    rows.map(|(&score, &label)| (score, label == 1.0))
}

fn share(part: usize, whole: usize, without: &str) -> Result<f64, Undefined> {
    if whole == 0 { Err(Undefined::because(without)) } else { Ok(part as f64 / whole as f64) }
}

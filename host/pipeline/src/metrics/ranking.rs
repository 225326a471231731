//! Rank statistics: rows are sorted by score once, then evaluated with any number of date weights.
//!
//! In: the scores, labels and dates of rows. Out: the AUC and the average precision.

use super::figure::UndefinedError;

/// Labelled rows in ascending order of score.
///
/// All sums are sums of integers, so they are exact in any order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking(Vec<RankedRow>);

/// A row to rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredRow {
    /// Score of the row; a row with NaN is left out.
    pub score: f32,
    /// Label of the row; a row with a label other than 0 and 1 is left out.
    pub label: f32,
    /// Index of the row's date among the dates of all rows.
    pub date_idx: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct RankedRow {
    date_idx: u32,
    is_positive: bool,
    /// Whether the next row has a higher score.
    ends_tie: bool,
}

impl Ranking {
    /// Sorts rows by score. Rows with a NaN score, or with a label other than 0 and 1, are left
    /// out.
    pub fn new(rows: impl IntoIterator<Item = ScoredRow>) -> Self {
        let is_usable = |row: &ScoredRow| !row.score.is_nan() && matches!(row.label, 0.0 | 1.0);
        let mut rows: Vec<ScoredRow> = rows.into_iter().filter(is_usable).collect();
        rows.sort_by(|a, b| a.score.total_cmp(&b.score));
        // `total_cmp` sorts -0 before 0, and `!=` then treats both as one tie.
        let ends_tie = |idx: usize| rows.get(idx + 1).is_none_or(|next| next.score != rows[idx].score);
        let ranked = |idx: usize| RankedRow {
            date_idx: rows[idx].date_idx,
            is_positive: rows[idx].label == 1.0,
            ends_tie: ends_tie(idx),
        };
        Self((0..rows.len()).map(ranked).collect())
    }

    /// Sorts rows that have no dates. Both slices have one entry per row.
    pub fn from_scores(label: &[f32], score: &[f32]) -> Self {
        let row = |(&score, &label): (&f32, &f32)| ScoredRow { score, label, date_idx: 0 };
        Self::new(score.iter().zip(label).map(row))
    }

    /// Returns the number of ranked rows.
    pub fn n_rows(&self) -> usize {
        self.0.len()
    }

    /// Returns the number of ranked rows of class 1.
    pub fn n_positive(&self) -> usize {
        self.0.iter().filter(|row| row.is_positive).count()
    }

    /// Computes the area under the ROC curve; every row has the weight 1.
    ///
    /// # Errors
    /// Returns the reason if either class is missing.
    pub fn defined_auc(&self) -> Result<f64, UndefinedError> {
        self.auc(None).ok_or_else(|| {
            let n_rows = self.n_rows();
            let n_positive = self.n_positive();
            UndefinedError::because(format!("found {n_positive} positives among {n_rows} rows, expected both classes"))
        })
    }

    /// Returns whether all ranked rows have the same score.
    pub fn has_equal_scores(&self) -> bool {
        // The last row always ends a tie.
        self.0.iter().filter(|row| row.ends_tie).count() <= 1
    }

    /// Computes the area under the ROC curve, with each row weighted by the count of its date.
    ///
    /// The AUC is the share of pairs of a positive and a negative in which the positive has the
    /// higher score; a tie contributes one half (Mann and Whitney, *On a Test of Whether One of Two
    /// Random Variables Is Stochastically Larger than the Other*, 1947). The result is `None` if
    /// either class is missing.
    ///
    /// * `date_counts`: the count of each date, by date index. The result is `None` if the date of
    ///   a row has no entry. Without counts, every row has the weight 1.
    pub fn auc(&self, date_counts: Option<&[u32]>) -> Option<f64> {
        let mut n_below = 0_u64;
        let mut n_positive = 0_u64;
        // Twice the number of pairs in which the positive has the higher score. A tie counts one
        // half, so only the doubled number is an integer.
        let mut twice_won = 0_u64;
        let mut tie = [0_u64; 2];
        for row in &self.0 {
            let count = date_counts.map_or(Some(1), |counts| counts.get(row.date_idx as usize).copied())?;
            tie[usize::from(row.is_positive)] += u64::from(count);
            if row.ends_tie {
                // Each positive of the tie beats all lower negatives and ties with the negatives of
                // the tie.
                twice_won += tie[1] * (2 * n_below + tie[0]);
                n_below += tie[0];
                n_positive += tie[1];
                tie = [0; 2];
            }
        }
        let n_pairs = n_positive * n_below;
        (n_pairs > 0).then(|| twice_won as f64 / (2.0 * n_pairs as f64))
    }
}

/// Computes the area under the ROC curve; see [`Ranking::auc`].
///
/// ```
/// use oculus_pipeline::metrics::auc;
///
/// assert_eq!(auc(&[0.0, 0.0, 1.0, 1.0], &[0.1, 0.4, 0.35, 0.8]), Ok(0.75));
/// ```
///
/// # Errors
/// Returns the reason if either class is missing among the rows with a label and a score.
pub fn auc(label: &[f32], score: &[f32]) -> Result<f64, UndefinedError> {
    Ranking::from_scores(label, score).defined_auc()
}

/// Computes the average precision, the area under the precision-recall curve without interpolation:
/// `Σ (Rₙ − Rₙ₋₁) · Pₙ` over the distinct scores, from the highest to the lowest (Manning, Raghavan
/// and Schütze, *Introduction to Information Retrieval*, 8.4).
///
/// # Errors
/// Returns the reason if none of the rows with a label and a score is positive.
pub fn average_precision(label: &[f32], score: &[f32]) -> Result<f64, UndefinedError> {
    let ranking = Ranking::from_scores(label, score);
    let n_positive = ranking.n_positive();
    if n_positive == 0 {
        return Err(UndefinedError::because(format!("none of {} rows is positive", ranking.n_rows())));
    }
    let mut n_flagged = 0_u64;
    let mut n_hit = 0_u64;
    let mut n_tie_hit = 0_u64;
    let mut area = 0.0;
    for (idx, row) in ranking.0.iter().enumerate().rev() {
        n_flagged += 1;
        n_tie_hit += u64::from(row.is_positive);
        // Rows with equal scores are flagged together, so the precision is read at the end of a
        // tie.
        let is_lowest_of_tie = idx == 0 || ranking.0[idx - 1].ends_tie;
        if is_lowest_of_tie {
            n_hit += n_tie_hit;
            area += n_tie_hit as f64 / n_positive as f64 * (n_hit as f64 / n_flagged as f64);
            n_tie_hit = 0;
        }
    }
    Ok(area)
}

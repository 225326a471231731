//! Rank statistics: rows ordered by score once, then read under as many reweightings as wanted.

use super::figure::Undefined;

/// Labelled rows in ascending order of score.
///
/// Sums are of whole numbers, so they are exact whatever their order.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking(Vec<RankedRow>);

/// A row to rank.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoredRow {
    /// Score; the row is left out if it is NaN.
    pub score: f32,
    /// Label; the row is left out unless it is 0 or 1.
    pub label: f32,
    /// Position of the row's date among the dates of all rows.
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
    /// Orders rows. Rows with a NaN score, or a label other than 0 and 1, are left out.
    pub fn new(rows: impl IntoIterator<Item = ScoredRow>) -> Self {
        let is_usable = |row: &ScoredRow| !row.score.is_nan() && matches!(row.label, 0.0 | 1.0);
        let mut rows: Vec<ScoredRow> = rows.into_iter().filter(is_usable).collect();
        rows.sort_by(|a, b| a.score.total_cmp(&b.score));
        let ends_tie = |idx: usize| rows.get(idx + 1).is_none_or(|next| next.score != rows[idx].score);
        let ranked = |idx: usize| RankedRow {
            date_idx: rows[idx].date_idx,
            is_positive: rows[idx].label == 1.0,
            ends_tie: ends_tie(idx),
        };
        Self((0..rows.len()).map(ranked).collect())
    }

    /// Orders rows without regard to their dates; both slices have one entry per row.
    pub fn from_scores(label: &[f32], score: &[f32]) -> Self {
        let row = |(&score, &label): (&f32, &f32)| ScoredRow { score, label, date_idx: 0 };
        Self::new(score.iter().zip(label).map(row))
    }

    /// Number of ranked rows.
    pub fn n_rows(&self) -> usize {
        self.0.len()
    }

    /// Number of ranked rows of class 1.
    pub fn n_positive(&self) -> usize {
        self.0.iter().filter(|row| row.is_positive).count()
    }

    /// Area under the ROC curve with every row counted as often as its date.
    ///
    /// The share of pairs of a positive and a negative in which the positive has the higher score, ties counting half
    /// (Mann and Whitney, 1947). `None` where either class is missing.
    ///
    /// * `date_counts`: by date index, one for each date of the rows, else the result is `None`; without any, every row
    ///   counts once.
    pub fn auc(&self, date_counts: Option<&[u32]>) -> Option<f64> {
        let mut n_below = 0_u64;
        let mut n_positive = 0_u64;
        let mut twice_won = 0_u64;
        let mut tie = [0_u64; 2];
        for row in &self.0 {
            let count = date_counts.map_or(Some(1), |counts| counts.get(row.date_idx as usize).copied())?;
            tie[usize::from(row.is_positive)] += u64::from(count);
            if row.ends_tie {
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

/// Area under the ROC curve; see [`Ranking::auc`].
///
/// ```
/// use oculus_pipeline::metrics::auc;
///
/// assert_eq!(auc(&[0.0, 0.0, 1.0, 1.0], &[0.1, 0.4, 0.35, 0.8]), Ok(0.75));
/// ```
///
/// # Errors
/// Where either class is missing among the rows with a label and a score.
pub fn auc(label: &[f32], score: &[f32]) -> Result<f64, Undefined> {
    let ranking = Ranking::from_scores(label, score);
    ranking.auc(None).ok_or_else(|| {
        let n_rows = ranking.n_rows();
        let n_positive = ranking.n_positive();
        Undefined::because(format!("{n_positive} of {n_rows} rows are positive; needs both classes"))
    })
}

/// Average precision, the area under the precision-recall curve without interpolation: `Σ (Rₙ − Rₙ₋₁) · Pₙ` over the
/// distinct scores from the highest down (Manning, Raghavan and Schütze, *Introduction to Information Retrieval*, 8.4).
///
/// # Errors
/// Where no row with a label and a score is positive.
pub fn average_precision(label: &[f32], score: &[f32]) -> Result<f64, Undefined> {
    let ranking = Ranking::from_scores(label, score);
    let n_positive = ranking.n_positive();
    if n_positive == 0 {
        return Err(Undefined::because(format!("none of {} rows is positive", ranking.n_rows())));
    }
    let mut n_flagged = 0_u64;
    let mut n_hit = 0_u64;
    let mut n_tie_hit = 0_u64;
    let mut area = 0.0;
    for (idx, row) in ranking.0.iter().enumerate().rev() {
        n_flagged += 1;
        n_tie_hit += u64::from(row.is_positive);
        let is_lowest_of_tie = idx == 0 || ranking.0[idx - 1].ends_tie;
        if is_lowest_of_tie {
            n_hit += n_tie_hit;
            area += n_tie_hit as f64 / n_positive as f64 * (n_hit as f64 / n_flagged as f64);
            n_tie_hit = 0;
        }
    }
    Ok(area)
}

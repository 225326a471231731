//! Merges row sets, separates the scores of their rows, and checks that no score is missing.

/// Merges two ascending row sets that share no row.
pub(crate) fn merge_rows(some: &[u32], others: &[u32]) -> Vec<u32> {
    let mut rows = [some, others].concat();
    rows.sort_unstable();
    rows
}

/// Scores of a row set, separated into the scores of a subset and the scores of the other rows.
pub(crate) struct SeparatedScores {
    /// Scores of the rows of the subset.
    pub(crate) selected: Vec<f32>,
    /// Scores of the other rows.
    pub(crate) others: Vec<f32>,
}

/// Separates the scores of `selected`, an ascending subset of `rows`, from the scores of the other
/// rows.
///
/// * `scores`: one per row of `rows`.
pub(crate) fn separate_scores(rows: &[u32], scores: &[f32], selected: &[u32]) -> SeparatedScores {
    let mut separated = SeparatedScores { selected: Vec::with_capacity(selected.len()), others: Vec::new() };
    for (row, &score) in rows.iter().zip(scores) {
        let scores = match selected.binary_search(row) {
            Ok(_) => &mut separated.selected,
            Err(_) => &mut separated.others,
        };
        scores.push(score);
    }
    separated
}

/// Scores that do not cover every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MissingScoresError {
    /// The number of scores differs from the number of rows.
    #[error("the family returned {n_scores} scores for {n_rows} rows")]
    WrongNumber { n_scores: usize, n_rows: usize },
    /// Some scores are not finite.
    #[error("the family left {n_missing} of {n_rows} rows without a score")]
    NotFinite { n_missing: usize, n_rows: usize },
}

/// Checks that a family scored every row: families are compared on the same rows, so no family may
/// leave rows out.
///
/// # Errors
/// Returns [`MissingScoresError`] with the number of scores found and the number of rows.
pub(crate) fn every_row_scored(scores: &[f32], rows: &[u32]) -> Result<(), MissingScoresError> {
    let n_scores = scores.len();
    let n_rows = rows.len();
    if n_scores != n_rows {
        return Err(MissingScoresError::WrongNumber { n_scores, n_rows });
    }
    match scores.iter().filter(|score| !score.is_finite()).count() {
        0 => Ok(()),
        n_missing => Err(MissingScoresError::NotFinite { n_missing, n_rows }),
    }
}

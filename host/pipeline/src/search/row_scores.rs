//! Chooses and merges row sets, separates the scores of their rows, and checks that no score is
//! missing.

use std::borrow::Cow;

use oculus_plugin_api::Manifest;

/// Largest number of training rows from which the scale of a family with windows is measured.
/// Neighbouring windows share almost all their rows, so more rows add little: with 256, the standard
/// error of the mean score is a sixteenth of a deviation. A score of a window costs as much as
/// hundreds of scores of a tabular family.
const MAX_SCALE_WINDOWS: usize = 256;

/// Returns the training rows whose scores define the scale of a model: all of them, or evenly spaced
/// ones if the family reads a window per row.
pub(crate) fn scale_rows<'r>(manifest: &Manifest, train_rows: &'r [u32]) -> Cow<'r, [u32]> {
    if manifest.lookback_param.is_none() || train_rows.len() <= MAX_SCALE_WINDOWS {
        return Cow::Borrowed(train_rows);
    }
    (0..MAX_SCALE_WINDOWS).map(|idx| train_rows[idx * train_rows.len() / MAX_SCALE_WINDOWS]).collect()
}

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

#[cfg(test)]
mod tests {
    use oculus_plugin_api::{Manifest, Param};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_scale_of_windows_is_measured_on_evenly_spaced_rows(n_rows in 1_usize..5_000) {
            let rows: Vec<u32> = (0..n_rows as u32).map(|row| 3 * row).collect();
            let tabular = Manifest::new("trees", "1.0.0");
            prop_assert_eq!(&*scale_rows(&tabular, &rows), &rows[..]);
            let windows = Manifest::new("net", "1.0.0").lookback_param("length").param(Param::int("length", 5));
            let chosen = scale_rows(&windows, &rows);
            prop_assert_eq!(chosen.len(), n_rows.min(MAX_SCALE_WINDOWS));
            let steps: Vec<u32> = chosen.windows(2).map(|pair| (pair[1] - pair[0]) / 3).collect();
            let (least, most) = (steps.iter().min(), steps.iter().max());
            prop_assert!(least.zip(most).is_none_or(|(least, most)| *least >= 1 && most - least <= 1), "{:?}", steps);
        }
    }
}

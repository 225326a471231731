//! What makes two models the same: their bytes, and the bits of their scores.

use super::claim_error::{ClaimError, ClaimResult, describe};
use crate::testing::{Fitted, Frame};

/// A model's bytes, and its scores of some rows.
pub(crate) struct Likeness {
    saved: Vec<u8>,
    scores: Scores,
}

/// Scores of rows.
#[derive(Clone, Debug)]
pub(crate) struct Scores(Vec<(u32, f32)>);

impl Scores {
    /// The scores of `rows`.
    pub(crate) fn predict(model: &Fitted, frame: &Frame, rows: &[u32]) -> Result<Self, ClaimError> {
        let scores = model.predict(frame, rows).map_err(|error| {
            ClaimError::broken(describe(&error), format!("scores of {} rows", rows.len()), "see what `predict` refused")
        })?;
        Ok(Self(rows.iter().copied().zip(scores).collect()))
    }

    /// Whether these, or those of them that `others` has too, are the same to the bit.
    pub(crate) fn same_as(&self, others: &Self, remedy: &str) -> ClaimResult {
        let of_row = |row: u32| self.0.binary_search_by_key(&row, |(row, _)| *row).ok().map(|idx| self.0[idx].1);
        // One NaN is as good as another.
        let differs = |a: f32, b: f32| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
        for &(row, other) in &others.0 {
            if let Some(score) = of_row(row).filter(|score| differs(*score, other)) {
                return Err(ClaimError::broken(
                    format!("score {score} and then {other} for row {row}"),
                    "the same bits",
                    remedy,
                ));
            }
        }
        Ok(())
    }
}

impl Likeness {
    /// What a model is, by its scores of `rows`.
    pub(crate) fn from_model(model: &Fitted, frame: &Frame, rows: &[u32]) -> Result<Self, ClaimError> {
        let saved = model
            .save()
            .map_err(|error| ClaimError::broken(describe(&error), "the model's bytes", "see what `save` refused"))?;
        Ok(Self { saved, scores: Scores::predict(model, frame, rows)? })
    }
}

/// Whether two models are the same.
pub(crate) fn same(first: &Likeness, second: &Likeness, remedy: &str) -> ClaimResult {
    first.scores.same_as(&second.scores, remedy)?;
    if first.saved != second.saved {
        let pairs = first.saved.iter().zip(&second.saved);
        let n_same = pairs.take_while(|(a, b)| a == b).count();
        let found = format!("the same scores, but other saved bytes from byte {n_same} on");
        return Err(ClaimError::broken(found, "the same bytes", remedy));
    }
    Ok(())
}

impl FromIterator<(u32, f32)> for Scores {
    /// Scores by ascending row.
    fn from_iter<I: IntoIterator<Item = (u32, f32)>>(scores: I) -> Self {
        Self(scores.into_iter().collect())
    }
}

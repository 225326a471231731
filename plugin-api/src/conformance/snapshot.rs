//! Compares two models by their saved bytes and by the bits of their scores.

use super::claim_error::{ClaimError, ClaimResult, describe};
use crate::testing::{Fitted, Frame, Listener};

/// The saved bytes of a model, and its scores for some rows.
pub(crate) struct ModelSnapshot {
    saved: Vec<u8>,
    scores: Scores,
}

/// Scores with their rows, ascending by row.
#[derive(Clone, Debug)]
pub(crate) struct Scores(Vec<(u32, f32)>);

impl Scores {
    /// Computes the scores that a model gives to `rows`.
    pub(crate) fn predict(model: &Fitted, frame: &Frame, rows: &[u32]) -> Result<Self, ClaimError> {
        let scores = model.predict(frame, rows).map_err(|error| {
            ClaimError::broken(describe(&error), format!("scores of {} rows", rows.len()), "check why `predict` failed")
        })?;
        Ok(Self(rows.iter().copied().zip(scores).collect()))
    }

    /// Checks that every row that is in both `self` and `others` has a score with the same bits in
    /// both.
    pub(crate) fn check_equal(&self, others: &Self, remedy: &str) -> ClaimResult {
        let score_of = |row: u32| self.0.binary_search_by_key(&row, |(row, _)| *row).ok().map(|idx| self.0[idx].1);
        // Two NaNs count as equal, because every bit pattern of NaN means that there is no score.
        let differs = |a: f32, b: f32| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
        for &(row, other) in &others.0 {
            if let Some(score) = score_of(row).filter(|score| differs(*score, other)) {
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

impl ModelSnapshot {
    /// Saves the model and computes the scores that it gives to `rows`.
    pub(crate) fn from_model(model: &Fitted, frame: &Frame, rows: &[u32]) -> Result<Self, ClaimError> {
        let saved = model
            .save()
            .map_err(|error| ClaimError::broken(describe(&error), "the model's bytes", "check why `save` failed"))?;
        Ok(Self { saved, scores: Scores::predict(model, frame, rows)? })
    }

    /// Saves the model and computes the scores that it gives to `rows` with a base score.
    pub(crate) fn from_model_with(
        model: &Fitted,
        frame: &Frame,
        rows: &[u32],
        base_score: &[f32],
    ) -> Result<Self, ClaimError> {
        let failed =
            |error| ClaimError::broken(describe(&error), "a model and its scores", "check why the call failed");
        let saved = model.save().map_err(failed)?;
        let scores = model.predict_with(frame, rows, base_score, &Listener::default()).map_err(failed)?;
        Ok(Self { saved, scores: rows.iter().copied().zip(scores).collect() })
    }
}

/// Checks that two models have the same scores and the same saved bytes.
pub(crate) fn check_equal(first: &ModelSnapshot, second: &ModelSnapshot, remedy: &str) -> ClaimResult {
    first.scores.check_equal(&second.scores, remedy)?;
    if first.saved != second.saved {
        let pairs = first.saved.iter().zip(&second.saved);
        let n_same = pairs.take_while(|(a, b)| a == b).count();
        let found = format!("the same scores, but different saved bytes from byte {n_same} on");
        return Err(ClaimError::broken(found, "the same bytes", remedy));
    }
    Ok(())
}

impl FromIterator<(u32, f32)> for Scores {
    /// Collects pairs of row and score, which must be ascending by row.
    fn from_iter<I: IntoIterator<Item = (u32, f32)>>(scores: I) -> Self {
        Self(scores.into_iter().collect())
    }
}

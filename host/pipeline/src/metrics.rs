//! The statistics behind every figure of a result.
//!
//! In: labels (0, 1, NaN) and scores of rows, with their dates. Out: figures that are finite, or [`Undefined`] with the
//! reason. Sums run in a fixed order and randomness starts from a seed, so equal inputs give equal bits.

mod bootstrap;
mod figure;
mod overfitting;
mod random;
mod ranking;
mod score_scale;
mod sharpe;
#[cfg(test)]
mod tests;
mod threshold;

pub use self::{
    bootstrap::{Dates, Interval, Resamples, block_dates, interval, standard_error, years_needed},
    figure::{Finite, Reasons, Undefined, shortest_decimal},
    overfitting::{Selected, cross_validate, probability_of_overfitting},
    random::Random,
    ranking::{Ranking, ScoredRow, auc, average_precision},
    score_scale::ScoreScale,
    sharpe::{Moments, expected_max_sharpe, sharpe_ratio},
    threshold::{Confusion, decision_threshold},
};

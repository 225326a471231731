//! The statistics from which the figures of a result are computed.
//!
//! In: the labels (0, 1 or NaN), scores and dates of rows, or one return per date. Out: per figure,
//! a finite number, or an [`UndefinedError`] with the reason. Invariant: sums have a fixed order
//! and random numbers have a seed, so equal inputs produce equal bits.

mod bootstrap;
mod figure;
mod overfitting;
mod random;
mod rank_function;
mod rank_ic;
mod ranking;
mod score_scale;
mod sharpe;
mod student_t;
mod t_interval;
#[cfg(test)]
mod tests;
mod threshold;

pub(crate) use self::student_t::{beta_quantile, t_quantile};
pub use self::{
    bootstrap::{Dates, Interval, Resamples, block_dates, interval, standard_error, years_needed},
    figure::{Finite, Reasons, UndefinedError, shortest_decimal},
    overfitting::{Selected, cross_validate, probability_of_overfitting},
    random::Random,
    rank_function::{RankFunction, mid_ranks},
    rank_ic::{MIN_RANKED_SYMBOLS, RankIc, RankIcRows, rank_ic},
    ranking::{Ranking, ScoredRow, auc, average_precision},
    score_scale::ScoreScale,
    sharpe::{Moments, expected_max_sharpe, sharpe_ratio},
    t_interval::{logit_t_interval, t_interval},
    threshold::{Confusion, decision_threshold},
};

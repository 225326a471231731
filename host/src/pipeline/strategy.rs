//! Searches a strategy on the validation dates, and puts the chosen one to the test once.
//!
//! In: bars, rules, out-of-fold scores. Out: [`Optimized`]. Signals at a close act at the next open. Invariant: what
//! happens in the development period is decided by rules and scores that were made before each of its dates; nothing of
//! the test period has a part in the choice.

pub mod backtest;
pub mod honesty;

use serde::Serialize;

use self::{
    backtest::Trade,
    honesty::{Call, DevelopmentHonesty, TestHonesty, Verdict},
};
use super::{
    bars::Market,
    features::FeatureTable,
    labels::Label,
    metrics::{Finite, Reasons},
    rules::RuleBook,
    splits::Partition,
};

/// What a strategy is made of and tried on.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// Bars.
    pub market: &'a Market,
    /// Features.
    pub table: &'a FeatureTable,
    /// The calendar: fold k's rules and scores are followed on block k + 1.
    pub partition: &'a Partition,
    /// What the model forecasts: its horizon and threshold scale holding periods, stops and targets.
    pub label: &'a Label,
    /// Rules.
    pub book: &'a RuleBook,
    /// The winner's scores in deviations, one a row of the table: out of fold on development rows, of the final model on
    /// test rows, NaN elsewhere.
    pub scores: &'a [f32],
    /// Entry rules that the job wants to hold at once.
    pub entry_score_threshold: u32,
    /// Exit rules that the job wants to hold at once.
    pub exit_score_threshold: u32,
    /// Cost of a fill in hundredths of a percent of what is traded.
    pub cost_bps: f64,
    /// Strategies to try.
    pub n_trials: usize,
    /// Where all randomness starts.
    pub seed: u64,
    /// Threads; changes no byte of what comes out.
    pub n_side_by_side: usize,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Optimized {
    /// For the result.
    pub report: StrategyReport,
    /// Whether there is an edge.
    pub verdict: Verdict,
    /// The chosen strategy's course, for the artifacts.
    pub course: Course,
}

/// The chosen strategy in the result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StrategyReport {
    /// Strategies tried.
    pub n_candidates: usize,
    /// Cost of a fill in hundredths of a percent of what is traded.
    pub cost_bps: Finite,
    /// How far the development period can be trusted.
    pub honesty: DevelopmentHonesty,
    /// How far the test can be trusted.
    pub test_honesty: TestHonesty,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The course of the chosen strategy over development and test.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// One a date.
    pub equity: Vec<EquityPoint>,
    /// One a round trip.
    pub trades: Vec<Trade>,
}

/// The strategy's worth at the end of a date, 1 at the beginning of its part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EquityPoint {
    /// Days since 1970-01-01.
    pub day: i32,
    /// Whether it belongs to the test.
    pub is_test: bool,
    /// Worth of the strategy.
    pub strategy: f64,
    /// Worth of holding all symbols as much as the strategy does on average.
    pub buy_and_hold: f64,
    /// Worth of holding all symbols all the time.
    pub always_in: f64,
    /// Share of the capital that is invested.
    pub exposure: f64,
}

/// Searches, chooses, and tests once.
pub fn optimize(inputs: &Inputs<'_>) -> Optimized {
    let mut reasons = Reasons::default();
    let cost_bps = Finite::of(inputs.cost_bps).unwrap_or_else(Finite::zero);
    let honesty = DevelopmentHonesty::default();
    let _ = reasons.figure("none", Ok(0.0));
    Optimized {
        report: StrategyReport { n_candidates: 0, cost_bps, honesty, test_honesty: TestHonesty::default(), reasons },
        verdict: Verdict { verdict: Call::Inconclusive, reason: "no strategy was tried".to_owned() },
        course: Course::default(),
    }
}

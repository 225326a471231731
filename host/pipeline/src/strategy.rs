//! Searches for a strategy on the validation dates, and tests the chosen one once.
//!
//! In: the bars, the rules, and the out-of-fold scores. Out: [`OptimizedStrategy`]. Signals at a
//! close act at the next open. Invariant: the rules and the models that are used on a date of the
//! development period come from earlier dates. Only a strategy's parameters are chosen on the
//! development period as a whole, and the test period does not influence the choice.

pub mod backtest;
mod backtest_period;
mod candidate;
mod dates_per_year;
mod equity_curve;
mod inputs;
pub mod performance;
mod period_bars;
mod portfolio;
mod report;
mod signals;
pub mod significance;
#[cfg(test)]
mod tests;
mod trial_run;

use self::{
    backtest_period::BacktestPeriod,
    candidate::SearchSpace,
    significance::{TestReturns, Verdict, VerdictInputs, VerdictKind},
    trial_run::{MIN_ROUND_TRIPS, TrialRun, choose},
};
pub use self::{
    equity_curve::{EquityCurve, EquityPoint, Trade},
    inputs::StrategyInputs,
    report::{
        CandidateRow, FollowedCondition, FollowedRules, FollowedSource, PeriodReport, StrategyParameters,
        StrategyReport,
    },
    significance::ModelChance,
};
use super::{metrics::UndefinedError, parallel::parallel_map, rules::RuleSide};

/// Lower bound of the label's threshold, in percent, where the threshold scales stops and targets.
/// A label with a threshold near 0 would otherwise have stops that every bar reaches.
const MIN_SCALE_PCT: f64 = 1.0;

/// The result of the strategy search.
#[derive(Clone, Debug)]
pub struct OptimizedStrategy {
    /// The strategy section of the result.
    pub report: StrategyReport,
    /// The conclusion of the strategy's test.
    pub verdict: Verdict,
    /// Equity and trades of the chosen strategy, for the artifacts.
    pub equity_curve: EquityCurve,
}

/// Tries strategies on the development period, chooses one, and tests it once.
pub fn optimize(inputs: &StrategyInputs<'_>) -> OptimizedStrategy {
    let timeframe = inputs.market.timeframe;
    let days: Vec<Vec<i32>> = inputs.market.bars.iter().map(|bars| bars.session_days(timeframe)).collect();
    let development = BacktestPeriod::development(inputs, &days);
    // The scores are sorted only once, because the threshold of every candidate is an element of
    // this list.
    let scores = development.scores();
    let candidates = search_space(inputs, &development).draw(inputs.n_trials, inputs.seed);
    let runs = parallel_map(inputs.n_parallel, &candidates, |candidate| {
        development.try_candidate(*candidate, candidate.score_threshold(&scores))
    });
    let chosen_idx = choose(&runs);
    let report = StrategyReport::from_runs(inputs.cost_bps, &runs, chosen_idx);
    match chosen_idx {
        Some(chosen_idx) => test_chosen(inputs, &days, &development, TriedStrategies { runs, chosen_idx, report }),
        None => nothing_chosen(report),
    }
}

/// The strategies that were tried, and the choice among them.
struct TriedStrategies {
    runs: Vec<TrialRun>,
    chosen_idx: usize,
    report: StrategyReport,
}

/// Tests the chosen strategy, and completes the report.
fn test_chosen(
    inputs: &StrategyInputs<'_>,
    days: &[Vec<i32>],
    development: &BacktestPeriod<'_>,
    tried: TriedStrategies,
) -> OptimizedStrategy {
    let TriedStrategies { runs, chosen_idx, report } = tried;
    let TrialRun { candidate, score_threshold, .. } = runs[chosen_idx];
    let test = BacktestPeriod::test(inputs, days);
    // Trial runs store only what the choice needs, so the chosen candidate is backtested again.
    let before = development.backtest(&candidate, score_threshold);
    let after = test.backtest(&candidate, score_threshold);
    let is_eligible: Vec<bool> = runs.iter().map(TrialRun::is_eligible).collect();
    let excesses: Vec<Vec<f64>> = runs.into_iter().map(|run| run.excess).collect();
    let before_significance = significance::development(&excesses, &is_eligible, chosen_idx);
    let excess = after.excess(&test.market, &before.exposure);
    let after_significance = significance::test(&TestReturns {
        excess: &excess,
        n_round_trips: after.trades.len(),
        dates_per_year: test.dates_per_year,
        block_dates: significance::return_block_dates(excess.len()),
        seed: inputs.seed,
    });
    let verdict = significance::verdict(&VerdictInputs {
        development: &before_significance,
        test: &after_significance,
        n_round_trips: after.trades.len(),
        label_judged: inputs.label_judged,
        n_submissions: inputs.n_submissions,
        model: candidate.score.map(|_| inputs.model_chance),
    });
    let report = StrategyReport {
        parameters: Some(report::parameters(&candidate, score_threshold, inputs)),
        development: Some(development.report(&before, &[], before_significance)),
        test: Some(test.report(&after, &before.exposure, after_significance)),
        ..report
    };
    let equity = [development.equity(&before, &[], false), test.equity(&after, &before.exposure, true)].concat();
    let equity_curve = EquityCurve { equity, development_trades: before.trades, test_trades: after.trades };
    OptimizedStrategy { report, verdict, equity_curve }
}

/// Returns the parameter ranges from which candidates are drawn.
fn search_space(inputs: &StrategyInputs<'_>, development: &BacktestPeriod<'_>) -> SearchSpace {
    SearchSpace {
        n_entry_rules: signals::n_rules(inputs.rule_set, RuleSide::Entry),
        n_exit_rules: signals::n_rules(inputs.rule_set, RuleSide::Exit),
        entry_score_threshold: inputs.entry_score_threshold,
        exit_score_threshold: inputs.exit_score_threshold,
        base_rate: development.base_rate(inputs.label),
        n_scored_symbols: development.n_scored_symbols(),
        horizon_bars: inputs.label.horizon_bars as usize,
        // The threshold of a label may be negative, but stops and targets are distances.
        threshold_pct: inputs.label.key.threshold_pct.abs().max(MIN_SCALE_PCT),
    }
}

/// Reports that no strategy was chosen, with the reason.
fn nothing_chosen(mut report: StrategyReport) -> OptimizedStrategy {
    let reason = match (report.n_candidates, report.n_eligible) {
        (0, _) => "there is no strategy to try: the job has no rules and no out-of-fold scores".to_owned(),
        (n_tried, 0) => {
            format!(
                "none of the strategies tried ({n_tried}) made {MIN_ROUND_TRIPS} round trips in the development period"
            )
        }
        (_, n_eligible) => format!("the excess returns of all {n_eligible} eligible strategies are constant"),
    };
    for name in ["parameters", "development", "test"] {
        report.reasons.value::<()>(name, Err(UndefinedError::because(reason.clone())));
    }
    OptimizedStrategy {
        report,
        verdict: Verdict { verdict: VerdictKind::Inconclusive, reason },
        equity_curve: EquityCurve::default(),
    }
}

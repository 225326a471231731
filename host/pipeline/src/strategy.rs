//! Searches a strategy on the validation dates, and puts the chosen one to the test once.
//!
//! In: bars, rules, out-of-fold scores. Out: [`Optimized`]. Signals at a close act at the next open. Invariant: the rules
//! that are followed and the models that score on a date of the development period were made from earlier ones; only a
//! strategy's parameters are chosen on that period as a whole, and nothing of the test period has a part in the choice.

pub mod backtest;
mod candidate;
pub mod honesty;
mod part;
pub mod performance;
mod portfolio;
mod report;
mod signals;
mod stretch;
#[cfg(test)]
mod tests;

pub use self::report::{CandidateRow, Condition, Followed, Parameters, Period, StrategyReport};
use self::{
    backtest::RoundTrip,
    candidate::Space,
    honesty::{Call, Tested, Verdict},
    stretch::{Attempt, Stretch},
};
use super::{
    bars::Market,
    features::FeatureTable,
    labels::Label,
    metrics::{Spread, Undefined, block_dates},
    parallel::side_by_side,
    rules::RuleBook,
    splits::Partition,
};

/// Round trips in the development period below which a strategy is not chosen.
const MIN_ROUND_TRIPS: usize = 10;
/// Size of a label's threshold that stops and targets are scaled by, at least, in percent.
const MIN_SCALE_PCT: f64 = 1.0;

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
    /// How the final model's own scores become deviations.
    pub spread: Option<Spread>,
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

/// The course of the chosen strategy over development and test; empty where none was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// One a date.
    pub equity: Vec<EquityPoint>,
    /// Round trips of the development period, by symbol, then time.
    pub development_trades: Vec<Trade>,
    /// Those of the test.
    pub test_trades: Vec<Trade>,
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

/// A round trip in one of the symbols.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trade {
    /// Which symbol of the market.
    pub symbol_idx: usize,
    /// The round trip, its bars counted from the symbol's first.
    pub trip: RoundTrip,
}

/// Searches, chooses, and tests once.
pub fn optimize(inputs: &Inputs<'_>) -> Optimized {
    let timeframe = inputs.market.timeframe;
    let days: Vec<Vec<i32>> = inputs.market.bars.iter().map(|bars| bars.session_days(timeframe)).collect();
    let development = Stretch::of_development(inputs, &days);
    let scores = development.scores();
    let candidates = space(inputs, &development).draw(inputs.n_trials, inputs.seed);
    let tried = side_by_side(inputs.n_side_by_side, &candidates, |candidate| {
        development.attempt(*candidate, candidate.gate(&scores))
    });
    let report = report::of_attempts(inputs.cost_bps, &tried);
    let Some(chosen_idx) = choose(&tried) else { return nothing_chosen(report) };

    let Attempt { candidate, gate, .. } = tried[chosen_idx];
    let test = Stretch::of_test(inputs, &days);
    let (before, after) = (development.hold(&candidate, gate), test.hold(&candidate, gate));
    let is_eligible: Vec<bool> = tried.iter().map(Attempt::is_eligible).collect();
    let excesses: Vec<Vec<f64>> = tried.into_iter().map(|attempt| attempt.excess).collect();
    let honesty = honesty::development(&excesses, &is_eligible, chosen_idx);
    let test_honesty = honesty::test(&Tested {
        excess: &test.excess(&after),
        n_round_trips: after.trades.len(),
        dates_a_year: test.dates_a_year,
        block_dates: block_dates(inputs.label),
        seed: inputs.seed,
    });
    let verdict = honesty::verdict(&honesty, &test_honesty, after.trades.len());
    let report = StrategyReport {
        parameters: Some(report::parameters(&candidate, gate, inputs)),
        development: Some(development.period(&before, honesty)),
        test: Some(test.period(&after, test_honesty)),
        ..report
    };
    let equity = [development.equity(&before, false), test.equity(&after, true)].concat();
    let course = Course { equity, development_trades: before.trades, test_trades: after.trades };
    Optimized { report, verdict, course }
}

/// What candidates may be made of.
fn space(inputs: &Inputs<'_>, development: &Stretch<'_>) -> Space {
    Space {
        n_entry_rules: signals::n_rules(inputs.book, |job| &job.entry, |mined| &mined.entry),
        n_exit_rules: signals::n_rules(inputs.book, |job| &job.exit, |mined| &mined.exit),
        entry_score_threshold: inputs.entry_score_threshold,
        exit_score_threshold: inputs.exit_score_threshold,
        base_rate: development.base_rate(inputs.label),
        horizon_bars: inputs.label.horizon_bars as usize,
        threshold_pct: inputs.label.key.threshold_pct.abs().max(MIN_SCALE_PCT),
    }
}

/// The best Sharpe ratio of those with enough round trips; the first of equals.
fn choose(tried: &[Attempt]) -> Option<usize> {
    let eligible = tried.iter().enumerate().filter(|(_, attempt)| attempt.is_eligible());
    let sharpes = eligible.filter_map(|(idx, attempt)| Some((idx, *attempt.excess_sharpe.as_ref().ok()?)));
    sharpes.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(idx, _)| idx)
}

/// What is said where there is nothing to put to the test.
fn nothing_chosen(mut report: StrategyReport) -> Optimized {
    let reason = match (report.n_candidates, report.n_eligible) {
        (0, _) => "there is no strategy to try: no rule of any source and no out-of-fold score".to_owned(),
        (n_tried, 0) => {
            format!(
                "none of the strategies tried ({n_tried}) made {MIN_ROUND_TRIPS} round trips in the development period"
            )
        }
        (_, n_eligible) => format!("the excess returns of {n_eligible} strategies never differ from date to date"),
    };
    for name in ["parameters", "development", "test"] {
        report.reasons.value::<()>(name, Err(Undefined::because(reason.clone())));
    }
    Optimized { report, verdict: Verdict { verdict: Call::Inconclusive, reason }, course: Course::default() }
}

//! A stretch of time with all that a strategy needs there: bars, signals, and the market to compare with.
//!
//! In: the job's material, dates, the rules that may be followed on them. Out: what candidates do there. Invariant: only
//! bars, rows and labels of its own dates are looked at.

use std::ops::Range;

use super::{
    EquityPoint, Inputs, MIN_ROUND_TRIPS,
    backtest::Orders,
    candidate::Candidate,
    part::Part,
    performance::{self, equity},
    portfolio::{self, Held},
    report::Period,
    signals::{Evidence, Mined},
};
use crate::{
    date::iso_date,
    labels::Label,
    metrics::{Undefined, sharpe_ratio},
    splits::Partition,
};
use oculus_job::request::Timeframe;

const SESSIONS_A_YEAR: f64 = 252.0;
const WEEKS_A_YEAR: f64 = 52.0;

/// A stretch of time.
pub(super) struct Stretch<'a> {
    part: Part<'a>,
    evidence: Evidence,
    /// Returns of the market, one a date.
    market: Vec<f64>,
    /// Cost of a fill as a fraction of what is traded.
    cost: f64,
    /// Returns in a year.
    pub(super) dates_a_year: f64,
}

/// A candidate and what is remembered of what it did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attempt {
    /// The candidate.
    pub(super) candidate: Candidate,
    /// The score from which it enters, where it has one.
    pub(super) gate: Option<f32>,
    /// Round trips.
    pub(super) n_trades: usize,
    /// Returns beyond those of the market at equal exposure, one a date.
    pub(super) excess: Vec<f64>,
    /// Their annualised Sharpe ratio.
    pub(super) excess_sharpe: Result<f64, Undefined>,
}

impl Attempt {
    /// Whether it made enough round trips to be chosen.
    pub(super) fn is_eligible(&self) -> bool {
        self.n_trades >= MIN_ROUND_TRIPS
    }
}

impl<'a> Stretch<'a> {
    /// The dates that have out-of-fold scores: fold k's rules are followed on block k + 1, which they were not mined from.
    ///
    /// * `days`: session date of each bar of each symbol.
    pub(super) fn of_development(inputs: &Inputs<'a>, days: &[Vec<i32>]) -> Self {
        let Partition { blocks, test, .. } = inputs.partition;
        let start = blocks.get(1).map_or(test.start, |block| block.start);
        let mined: Vec<Mined<'_>> = blocks.iter().skip(1).cloned().zip(&inputs.book.folds).collect();
        Self::new(inputs, days, start..test.start, &mined)
    }

    /// The test period, and the rules of the whole development period.
    pub(super) fn of_test(inputs: &Inputs<'a>, days: &[Vec<i32>]) -> Self {
        let test = inputs.partition.test.clone();
        Self::new(inputs, days, test.clone(), &[(test, &inputs.book.last)])
    }

    fn new(inputs: &Inputs<'a>, days: &[Vec<i32>], span: Range<i32>, mined: &[Mined<'_>]) -> Self {
        let part = Part::of(inputs.market, inputs.table, days, &span);
        let evidence = Evidence::of(&part, inputs.table, (&inputs.book.job, mined), inputs.scores);
        let is_weekly = inputs.market.timeframe == Timeframe::Week1;
        Self {
            market: portfolio::market(&part),
            part,
            evidence,
            cost: inputs.cost_bps / 1e4,
            dates_a_year: if is_weekly { WEEKS_A_YEAR } else { SESSIONS_A_YEAR },
        }
    }

    /// All scores, highest first.
    pub(super) fn scores(&self) -> Vec<f32> {
        let mut scores: Vec<f32> = self.evidence.scores(&self.part).map(|(_, score)| score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores
    }

    /// Share of positives among the rows with a score whose label is known on these dates; `None` without such rows.
    pub(super) fn base_rate(&self, label: &Label) -> Option<f64> {
        let last_day = *self.part.dates.last()?;
        let known = |row: &u32| label.is_known(*row) && label.known_day[*row as usize] <= last_day;
        let rows: Vec<u32> = self.evidence.scores(&self.part).map(|(row, _)| row).filter(known).collect();
        let n_positive = rows.iter().filter(|&&row| label.value[row as usize] == 1.0).count();
        (!rows.is_empty()).then(|| n_positive as f64 / rows.len() as f64)
    }

    /// What a candidate does here.
    ///
    /// * `gate`: the score from which it may enter, where it has one.
    pub(super) fn hold(&self, candidate: &Candidate, gate: Option<f32>) -> Held {
        let orders = Orders {
            holding_bars: candidate.holding_bars,
            stop_pct: candidate.stop_pct,
            target_pct: candidate.target_pct,
            cost: self.cost,
        };
        portfolio::hold(&self.part, &orders, |symbol_idx| self.evidence.signals(symbol_idx, candidate, gate))
    }

    /// What is to be remembered of it.
    pub(super) fn attempt(&self, candidate: Candidate, gate: Option<f32>) -> Attempt {
        let held = self.hold(&candidate, gate);
        let excess = self.excess(&held);
        let excess_sharpe = sharpe_ratio(&excess).map(|ratio| ratio * self.dates_a_year.sqrt());
        Attempt { candidate, gate, n_trades: held.trades.len(), excess, excess_sharpe }
    }

    /// Returns beyond those of the market at equal exposure, one a date.
    pub(super) fn excess(&self, held: &Held) -> Vec<f64> {
        held.returns.iter().zip(held.matched(&self.market)).map(|(own, matched)| own - matched).collect()
    }

    /// What a strategy did, for the result.
    pub(super) fn period<H>(&self, held: &Held, honesty: H) -> Period<H> {
        let date = |day: Option<&i32>| day.map_or_else(|| "none".to_owned(), |&day| iso_date(day));
        let figures = |returns: &[f64]| performance::figures(returns, self.dates_a_year);
        Period {
            from: date(self.part.dates.first()),
            to: date(self.part.dates.last()),
            n_dates: self.part.n_dates(),
            performance: performance::performance(held, self.part.mean_n_present(), self.dates_a_year),
            buy_and_hold: figures(&held.matched(&self.market)),
            always_in: figures(&portfolio::always_in(&self.part, self.cost)),
            honesty,
        }
    }

    /// What a strategy did, date by date.
    pub(super) fn equity(&self, held: &Held, is_test: bool) -> Vec<EquityPoint> {
        let strategy = equity(&held.returns);
        let buy_and_hold = equity(&held.matched(&self.market));
        let always_in = equity(&portfolio::always_in(&self.part, self.cost));
        let point = |(idx, &day): (usize, &i32)| EquityPoint {
            day,
            is_test,
            strategy: strategy[idx],
            buy_and_hold: buy_and_hold[idx],
            always_in: always_in[idx],
            exposure: held.exposure[idx],
        };
        self.part.dates.iter().enumerate().map(point).collect()
    }
}

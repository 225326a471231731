//! A period of dates with everything that a backtest needs: bars, signals, and the market for
//! comparison.
//!
//! In: the [`StrategyInputs`], a range of dates, and the rules that may be followed on these dates.
//! Out: backtests of candidates. Invariant: only bars, rows and labels of these dates are read.

use std::ops::Range;

use super::{
    backtest::TradeSettings,
    candidate::StrategyCandidate,
    dates_per_year::dates_per_year,
    equity_curve::EquityPoint,
    inputs::StrategyInputs,
    performance::{self, equity},
    period_bars::PeriodBars,
    portfolio::{self, PortfolioRun},
    report::PeriodReport,
    signals::{DatedLists, PeriodRules, SignalTable},
    trial_run::TrialRun,
};
use crate::{date::iso_date, labels::Label, metrics::sharpe_ratio, splits::Partition};

/// The development period or the test period.
pub(super) struct BacktestPeriod<'a> {
    bars: PeriodBars<'a>,
    signals: SignalTable,
    /// Returns of the market, one per date.
    pub(super) market: Vec<f64>,
    /// Cost of a fill as a fraction of the traded value.
    cost: f64,
    /// Number of dates per year.
    pub(super) dates_per_year: f64,
}

impl<'a> BacktestPeriod<'a> {
    /// Returns the period of the dates that have out-of-fold scores. The rules of fold k are
    /// followed on block k + 1, from which they were not mined.
    ///
    /// * `days`: session date of each bar of each symbol.
    pub(super) fn development(inputs: &StrategyInputs<'a>, days: &[Vec<i32>]) -> Self {
        // Every fold trains on the first block, so that block has no out-of-fold scores.
        let Partition { blocks, test, .. } = inputs.partition;
        let start = blocks.get(1).map_or(test.start, |block| block.start);
        let blocks = blocks.iter().skip(1).cloned();
        // Block k + 1 is paired with fold k, because the first block was skipped.
        let mined = blocks.zip(&inputs.rule_set.folds).map(|(dates, lists)| DatedLists { dates, lists }).collect();
        Self::new(inputs, days, start..test.start, mined)
    }

    /// Returns the test period, on which the rules of the whole development period are followed.
    ///
    /// * `days`: session date of each bar of each symbol.
    pub(super) fn test(inputs: &StrategyInputs<'a>, days: &[Vec<i32>]) -> Self {
        let dates = inputs.partition.test.clone();
        let mined = vec![DatedLists { dates: dates.clone(), lists: &inputs.rule_set.last }];
        Self::new(inputs, days, dates, mined)
    }

    fn new(inputs: &StrategyInputs<'a>, days: &[Vec<i32>], dates: Range<i32>, mined: Vec<DatedLists<'_>>) -> Self {
        let bars = PeriodBars::new(inputs.market, inputs.table, days, &dates);
        let rules = PeriodRules { job: &inputs.rule_set.job, mined };
        Self {
            signals: SignalTable::new(&bars, inputs.table, &rules, inputs.scores),
            market: portfolio::market(&bars),
            bars,
            cost: inputs.cost_bps / 1e4,
            dates_per_year: dates_per_year(days, inputs.market.timeframe),
        }
    }

    /// Returns all scores, highest first.
    pub(super) fn scores(&self) -> Vec<f32> {
        let mut scores: Vec<f32> = self.signals.scores(&self.bars).map(|(_, score)| score).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores
    }

    /// Returns the number of symbols that have a score.
    pub(super) fn n_scored_symbols(&self) -> usize {
        self.signals.n_scored_symbols()
    }

    /// Returns the share of positives among the rows that have both a score and a label known by
    /// the end of these dates. Returns `None` without such rows.
    pub(super) fn base_rate(&self, label: &Label) -> Option<f64> {
        let last_day = *self.bars.dates.last()?;
        // A label that is known later depends on bars of the next period.
        let known = |row: &u32| label.is_known(*row) && label.known_day[*row as usize] <= last_day;
        let rows: Vec<u32> = self.signals.scores(&self.bars).map(|(row, _)| row).filter(known).collect();
        let n_positive = rows.iter().filter(|&&row| label.value[row as usize] == 1.0).count();
        (!rows.is_empty()).then(|| n_positive as f64 / rows.len() as f64)
    }

    /// Backtests a candidate.
    ///
    /// * `score_threshold`: the score from which the candidate may enter, if it reads scores.
    pub(super) fn backtest(&self, candidate: &StrategyCandidate, score_threshold: Option<f32>) -> PortfolioRun {
        let settings = TradeSettings {
            holding_bars: candidate.holding_bars,
            stop_pct: candidate.stop_pct,
            target_pct: candidate.target_pct,
            cost: self.cost,
        };
        portfolio::backtest(&self.bars, &settings, |symbol_idx| {
            self.signals.signals(symbol_idx, candidate, score_threshold)
        })
    }

    /// Backtests a candidate and returns the figures by which it is compared.
    pub(super) fn try_candidate(&self, candidate: StrategyCandidate, score_threshold: Option<f32>) -> TrialRun {
        let run = self.backtest(&candidate, score_threshold);
        let excess = run.excess(&self.market, &[]);
        let excess_sharpe = sharpe_ratio(&excess).map(|ratio| ratio * self.dates_per_year.sqrt());
        TrialRun { candidate, score_threshold, n_trades: run.trades.len(), excess, excess_sharpe }
    }

    /// Reports a backtest, with the market's figures for comparison.
    ///
    /// * `history`: the strategy's exposures on the dates before this period, oldest first.
    pub(super) fn report<S>(&self, run: &PortfolioRun, history: &[f64], significance: S) -> PeriodReport<S> {
        let date = |day: Option<&i32>| day.map_or_else(|| "none".to_owned(), |&day| iso_date(day));
        let figures = |returns: &[f64]| performance::figures(returns, self.dates_per_year);
        PeriodReport {
            from: date(self.bars.dates.first()),
            to: date(self.bars.dates.last()),
            n_dates: self.bars.n_dates(),
            performance: performance::performance(run, self.bars.mean_n_present(), self.dates_per_year),
            buy_and_hold: figures(&run.matched_market(&self.market, history)),
            always_in: figures(&portfolio::always_in(&self.bars, self.cost)),
            significance,
        }
    }

    /// Returns the equity of a backtest at the end of each date.
    ///
    /// * `history`: the strategy's exposures on the dates before this period, oldest first.
    pub(super) fn equity(&self, run: &PortfolioRun, history: &[f64], is_test: bool) -> Vec<EquityPoint> {
        let strategy = equity(&run.returns);
        let buy_and_hold = equity(&run.matched_market(&self.market, history));
        let always_in = equity(&portfolio::always_in(&self.bars, self.cost));
        let point = |(idx, &day): (usize, &i32)| EquityPoint {
            day,
            is_test,
            strategy: strategy[idx],
            buy_and_hold: buy_and_hold[idx],
            always_in: always_in[idx],
            exposure: run.exposure[idx],
        };
        self.bars.dates.iter().enumerate().map(point).collect()
    }
}

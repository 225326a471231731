//! Signals of rules and scores at each close of a period.
//!
//! In: the [`PeriodBars`], the rules with the dates on which they may be followed, and the scores.
//! Out: the [`Signals`] of a candidate. The rules that hold are counted once per source and bar, so
//! a candidate costs one comparison per bar. A bar without a row has no signal; a rule on a NaN
//! value and an unresolved rule are not satisfied. Symbols are ranked among the scores of one time,
//! so a signal never depends on a score of a later bar.

use std::ops::Range;

use super::{
    backtest::Signals,
    candidate::{RuleCount, RuleSource, StrategyCandidate},
    period_bars::{PeriodBars, SymbolBars},
};
use crate::{
    features::FeatureTable,
    rules::{Conjunction, PerSide, RuleLists, RuleSet, RuleSide},
};

/// The rules that may be followed in a period.
pub(super) struct PeriodRules<'a> {
    /// The job's own rules, which are followed on all dates.
    pub(super) job: &'a PerSide<Vec<Conjunction>>,
    /// Lists of mined rules with the dates on which they are followed.
    pub(super) mined: Vec<DatedLists<'a>>,
}

/// Lists of mined rules, and the dates on which they may be followed.
pub(super) struct DatedLists<'a> {
    /// Days since 1970-01-01, end exclusive.
    pub(super) dates: Range<i32>,
    /// The lists of both sides.
    pub(super) lists: &'a PerSide<RuleLists>,
}

/// Number of satisfied rules at each bar, per source in the order of [`RuleSource::ALL`].
type RuleCounts = [Vec<u8>; 3];

/// Number of satisfied rules and score at each close of a period.
pub(super) struct SignalTable {
    /// One entry per symbol.
    symbols: Vec<SymbolSignals>,
}

struct SymbolSignals {
    rule_counts: PerSide<RuleCounts>,
    score: Vec<f32>,
    /// Number of symbols with a higher score at the time of each bar; `u32::MAX` without a score.
    n_higher: Vec<u32>,
}

/// Returns the number of rules of each source that a candidate may count. A mined list is usable
/// only if it has rules in both periods: a strategy that is chosen in the development period must
/// be able to trade in the test period.
pub(super) fn n_rules(rule_set: &RuleSet, side: RuleSide) -> [usize; 3] {
    RuleSource::ALL.map(|source| match source.list() {
        None => rule_set.job.get(side).len(),
        Some(name) => {
            let n_listed = |lists: &PerSide<RuleLists>| lists.get(side).get(name).len();
            // One fold with enough rules is sufficient to trade in the development period.
            let n_in_folds = rule_set.folds.iter().map(n_listed).max().unwrap_or(0);
            n_in_folds.min(n_listed(&rule_set.last))
        }
    })
}

impl SignalTable {
    /// Counts the satisfied rules and copies the scores.
    ///
    /// * `scores`: one per row of the table.
    pub(super) fn new(bars: &PeriodBars<'_>, table: &FeatureTable, rules: &PeriodRules<'_>, scores: &[f32]) -> Self {
        let symbol_signals = |symbol: &SymbolBars<'_>| {
            let counter = RuleCounter { bars, symbol, table };
            SymbolSignals {
                rule_counts: PerSide::from_fn(|side| counter.count_all(rules, side)),
                score: symbol.row.iter().map(|row| row.map_or(f32::NAN, |row| scores[row as usize])).collect(),
                n_higher: vec![u32::MAX; symbol.row.len()],
            }
        };
        let mut table = Self { symbols: bars.symbols.iter().map(symbol_signals).collect() };
        table.rank_symbols(bars);
        table
    }

    /// Counts the symbols with a higher score at the time of each bar.
    fn rank_symbols(&mut self, bars: &PeriodBars<'_>) {
        let scored = |(symbol_idx, (signals, symbol)): (usize, (&SymbolSignals, &SymbolBars<'_>))| {
            let bars = signals.score.iter().zip(symbol.time).enumerate();
            let bars = bars.filter(|(_, (score, _))| !score.is_nan());
            bars.map(|(bar, (&score, &time))| ScoredBar { time, score, symbol_idx, bar }).collect::<Vec<_>>()
        };
        let mut scored: Vec<ScoredBar> = self.symbols.iter().zip(&bars.symbols).enumerate().flat_map(scored).collect();
        scored.sort_unstable_by(|a, b| a.time.cmp(&b.time).then(b.score.total_cmp(&a.score)));
        for bars_of_time in scored.chunk_by(|a, b| a.time == b.time) {
            let mut n_higher = 0;
            // Symbols with equal scores share the place of the first one, so that the order of the
            // symbols in the job does not select one of them.
            for tie in bars_of_time.chunk_by(|a, b| a.score == b.score) {
                tie.iter().for_each(|it| self.symbols[it.symbol_idx].n_higher[it.bar] = n_higher);
                n_higher += tie.len() as u32;
            }
        }
    }

    /// Returns the number of symbols that have a score.
    pub(super) fn n_scored_symbols(&self) -> usize {
        self.symbols.iter().filter(|signals| signals.score.iter().any(|score| !score.is_nan())).count()
    }

    /// Returns all rows that have a score, with the score.
    pub(super) fn scores<'a>(&'a self, bars: &'a PeriodBars<'_>) -> impl Iterator<Item = (u32, f32)> + 'a {
        let symbols = self.symbols.iter().zip(&bars.symbols);
        let scored_bars = symbols.flat_map(|(signals, symbol)| symbol.row.iter().zip(&signals.score));
        scored_bars.filter(|(_, score)| !score.is_nan()).filter_map(|(row, &score)| Some(((*row)?, score)))
    }

    /// Returns the signals of a candidate at each close of a symbol.
    ///
    /// * `score_threshold`: the score from which a position may be entered, if the candidate reads
    ///   scores.
    pub(super) fn signals(
        &self,
        symbol_idx: usize,
        candidate: &StrategyCandidate,
        score_threshold: Option<f32>,
    ) -> Signals {
        let SymbolSignals { rule_counts, score, n_higher } = &self.symbols[symbol_idx];
        let best_symbols = candidate.best_symbols();
        // A bar without a score has NaN instead, which passes no threshold.
        let passes = |bar: usize| {
            score_threshold.is_none_or(|threshold| score[bar] >= threshold)
                && best_symbols.is_none_or(|n_symbols| (n_higher[bar] as usize) < n_symbols)
        };
        let entry = |bar| candidate.entry.is_none_or(|count| holds(&rule_counts.entry, count, bar)) && passes(bar);
        let exit = |bar| candidate.exit.is_some_and(|count| holds(&rule_counts.exit, count, bar));
        let bars = 0..score.len();
        Signals { entry: bars.clone().map(entry).collect(), exit: bars.map(exit).collect() }
    }
}

/// A bar with a score.
struct ScoredBar {
    time: i64,
    score: f32,
    symbol_idx: usize,
    bar: usize,
}

fn holds(counts: &RuleCounts, count: RuleCount, bar: usize) -> bool {
    u32::from(counts[count.source as usize][bar]) >= count.threshold
}

/// Counts the rules that hold at each bar of a symbol.
struct RuleCounter<'a> {
    bars: &'a PeriodBars<'a>,
    symbol: &'a SymbolBars<'a>,
    table: &'a FeatureTable,
}

impl RuleCounter<'_> {
    fn count_all(&self, rules: &PeriodRules<'_>, side: RuleSide) -> RuleCounts {
        RuleSource::ALL.map(|source| {
            let mut counts = vec![0; self.symbol.row.len()];
            match source.list() {
                None => self.add(&mut counts, rules.job.get(side), &(i32::MIN..i32::MAX)),
                Some(name) => {
                    for DatedLists { dates, lists } in &rules.mined {
                        self.add(&mut counts, lists.get(side).get(name), dates);
                    }
                }
            }
            counts
        })
    }

    fn add(&self, counts: &mut [u8], rules: &[Conjunction], dates: &Range<i32>) {
        for ((count, row), &date_idx) in counts.iter_mut().zip(&self.symbol.row).zip(&self.symbol.date_idx) {
            // A list is followed on its own dates only: it was mined from the rows before them.
            let row = row.filter(|_| dates.contains(&self.bars.dates[date_idx as usize]));
            let n_held = row.map_or(0, |row| rules.iter().filter(|rule| rule.holds(self.table, row)).count());
            *count = count.saturating_add(u8::try_from(n_held).unwrap_or(u8::MAX));
        }
    }
}

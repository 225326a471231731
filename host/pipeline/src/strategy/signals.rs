//! What rules and scores say at each close of a part.
//!
//! In: a [`Part`], rules with the dates on which they may be followed, scores. Out: [`Signals`] of a candidate. Rules are
//! counted once a source, so a candidate costs a comparison a bar. A bar without a row says nothing, and neither NaN
//! nor a rule that does not resolve counts as satisfied.

use std::ops::Range;

use super::{
    backtest::Signals,
    candidate::{Candidate, RuleCount},
    part::{Part, SymbolPart},
};
use crate::{
    features::FeatureTable,
    rules::{Conjunction, Lists, RuleBook, Sides},
};

/// Mined rules, and the dates on which they may be followed, end exclusive.
pub(super) type Mined<'a> = (Range<i32>, &'a Sides<Lists>);

/// Satisfied rules at each bar, of each source: the job, the stable list, the high-lift list.
type Counts = [Vec<u8>; 3];

/// What is known at each close of a part.
pub(super) struct Evidence {
    /// One a symbol.
    symbols: Vec<SymbolEvidence>,
}

struct SymbolEvidence {
    entry: Counts,
    exit: Counts,
    score: Vec<f32>,
}

/// Rules of each source that a candidate may count: a mined list serves where it has rules both in the development
/// period and in the test.
pub(super) fn n_rules(
    book: &RuleBook,
    job: fn(&Sides<Vec<Conjunction>>) -> &Vec<Conjunction>,
    mined: fn(&Sides<Lists>) -> &Lists,
) -> [usize; 3] {
    let of_list = |list: fn(&Lists) -> &Vec<Conjunction>| {
        let n_rules = |sides| list(mined(sides)).len();
        book.folds.iter().map(n_rules).max().unwrap_or(0).min(n_rules(&book.last))
    };
    [job(&book.job).len(), of_list(|lists| &lists.stable), of_list(|lists| &lists.high_lift)]
}

impl Evidence {
    /// Counts rules and looks up scores.
    ///
    /// * `job`: the job's own rules, followed on all dates.
    /// * `scores`: one a row of the table.
    pub(super) fn of(
        part: &Part<'_>,
        table: &FeatureTable,
        (job, mined): (&Sides<Vec<Conjunction>>, &[Mined<'_>]),
        scores: &[f32],
    ) -> Self {
        let symbol = |symbol: &SymbolPart<'_>| {
            let counter = Counter { part, symbol, table };
            SymbolEvidence {
                entry: counter.counts(&job.entry, mined, |sides| &sides.entry),
                exit: counter.counts(&job.exit, mined, |sides| &sides.exit),
                score: symbol.row.iter().map(|row| row.map_or(f32::NAN, |row| scores[row as usize])).collect(),
            }
        };
        Self { symbols: part.symbols.iter().map(symbol).collect() }
    }

    /// All scores there are, with their rows.
    pub(super) fn scores<'a>(&'a self, part: &'a Part<'_>) -> impl Iterator<Item = (u32, f32)> + 'a {
        let of_bars =
            self.symbols.iter().zip(&part.symbols).flat_map(|(known, symbol)| symbol.row.iter().zip(&known.score));
        of_bars.filter(|(_, score)| !score.is_nan()).filter_map(|(row, &score)| Some(((*row)?, score)))
    }

    /// What a candidate does at each close of a symbol.
    ///
    /// * `gate`: the score from which a position may be entered, where the candidate has one.
    pub(super) fn signals(&self, symbol_idx: usize, candidate: &Candidate, gate: Option<f32>) -> Signals {
        let symbol = &self.symbols[symbol_idx];
        let bars = 0..symbol.score.len();
        let passes = |bar: usize| gate.is_none_or(|gate| symbol.score[bar] >= gate);
        let entry = |bar| candidate.entry.is_none_or(|count| holds(&symbol.entry, count, bar)) && passes(bar);
        let exit = |bar| candidate.exit.is_some_and(|count| holds(&symbol.exit, count, bar));
        Signals { entry: bars.clone().map(entry).collect(), exit: bars.map(exit).collect() }
    }
}

fn holds(counts: &Counts, count: RuleCount, bar: usize) -> bool {
    u32::from(counts[count.source as usize][bar]) >= count.threshold
}

/// Counts the rules that hold at each bar of a symbol.
struct Counter<'a> {
    part: &'a Part<'a>,
    symbol: &'a SymbolPart<'a>,
    table: &'a FeatureTable,
}

impl Counter<'_> {
    fn counts(&self, job: &[Conjunction], mined: &[Mined<'_>], side: fn(&Sides<Lists>) -> &Lists) -> Counts {
        let mut counts: Counts = std::array::from_fn(|_| vec![0; self.symbol.row.len()]);
        let [of_job, stable, high_lift] = &mut counts;
        self.add(of_job, job, &(i32::MIN..i32::MAX));
        for (span, sides) in mined {
            let lists = side(sides);
            self.add(stable, &lists.stable, span);
            self.add(high_lift, &lists.high_lift, span);
        }
        counts
    }

    fn add(&self, counts: &mut [u8], rules: &[Conjunction], span: &Range<i32>) {
        for ((count, row), &date_idx) in counts.iter_mut().zip(&self.symbol.row).zip(&self.symbol.date_idx) {
            let row = row.filter(|_| span.contains(&self.part.dates[date_idx as usize]));
            let n_held = row.map_or(0, |row| rules.iter().filter(|rule| rule.holds(self.table, row)).count());
            *count = count.saturating_add(u8::try_from(n_held).unwrap_or(u8::MAX));
        }
    }
}

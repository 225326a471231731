//! What a condition is worth: how often it held, and what came after.
//!
//! In: rows in parts, and the claims made on each part. Out: [`Evidence`]. A claim is a condition on the rows of one part;
//! several claims are pooled row by row, so a fold may be judged by its own thresholds, and a list by all of its rules.

use serde::Serialize;

use super::{
    book::Conjunction,
    truth::{RuleSide, truth},
};
use crate::{
    labels::Label,
    metrics::{Dates, Finite, Interval, Random, Reasons, Resamples, Undefined, block_dates, interval},
    search::Study,
    splits::n_episodes,
};

/// What a condition did on some rows. A null figure has its reason in `reasons`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Labelled rows; of several rules together, pairs of a rule and a row.
    pub n_rows: usize,
    /// Rows on which it held.
    pub support: usize,
    /// Runs of such rows more than the horizon apart, counted in each symbol: occasions that share no bar of it.
    pub episodes: usize,
    /// Share of hits among those rows.
    pub precision: Option<Finite>,
    /// Share of hits among all rows.
    pub base_rate: Option<Finite>,
    /// Precision divided by base rate.
    pub lift: Option<Finite>,
    /// Its 95 % interval: circular blocks of 2h whole dates, 1,000 draws.
    pub lift_ci95: Option<Interval>,
    /// Mean return over the horizon after such rows, in percent.
    pub mean_forward_return_pct: Option<Finite>,
    /// The symbols on which it held, in the table's order.
    pub per_symbol: Vec<SymbolEvidence>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// What a condition did on the rows of one symbol.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SymbolEvidence {
    /// Ticker.
    pub symbol: String,
    /// Rows on which it held; at least one.
    pub support: usize,
    /// Share of hits among those rows.
    pub precision: Option<Finite>,
    /// Precision divided by the symbol's own base rate.
    pub lift: Option<Finite>,
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Rows with the truth that one side's rules are judged by.
pub(super) struct Judge<'a> {
    study: &'a Study<'a>,
    label: &'a Label,
    truth: Vec<f32>,
    folds: Vec<&'a [u32]>,
    development: Sample<'a>,
    test: Sample<'a>,
}

/// Rows in parts, with resamples of the dates of all parts together.
struct Sample<'a> {
    parts: Vec<Part<'a>>,
    n_dates: usize,
    resamples: Result<Resamples, Undefined>,
}

struct Part<'a> {
    rows: &'a [u32],
    /// Position of each row's date among the sample's dates.
    date_idx: Vec<u32>,
}

/// A condition on the rows of one part of a sample.
type Claim<'c> = (usize, &'c dyn Fn(u32) -> bool);

/// Counts of one date, or of one symbol.
#[derive(Clone, Copy, Default)]
struct Tally {
    n_rows: u64,
    n_hits: u64,
    n_held: u64,
    n_held_hits: u64,
}

/// What all claims come to.
struct Counts {
    by_date: Vec<Tally>,
    by_symbol: Vec<Tally>,
    n_episodes: usize,
    sum_return_pct: f64,
}

impl<'a> Judge<'a> {
    /// A judge of one side's rules.
    ///
    /// # Errors
    /// For exit rules where the label's threshold is no rise, so that its mirror is no fall.
    pub(super) fn new(study: &'a Study<'a>, label_idx: usize, side: RuleSide) -> Result<Self, Undefined> {
        let (label, splits) = (&study.labels[label_idx], &study.splits[label_idx]);
        Ok(Self {
            study,
            label,
            truth: truth(label, side)?,
            folds: splits.folds.iter().map(|fold| fold.valid_rows.as_slice()).collect(),
            development: Sample::of(study, label, &[&splits.development.train_rows], "rules, development"),
            test: Sample::of(study, label, &[&splits.test_rows], "rules, test"),
        })
    }

    pub(super) fn development_rows(&self) -> &'a [u32] {
        self.development.parts[0].rows
    }

    /// The evidence before the test period.
    pub(super) fn development(&self, holds: &dyn Fn(u32) -> bool) -> Evidence {
        self.evidence(&self.development, &[(0, holds)])
    }

    /// The evidence in the test period.
    pub(super) fn test(&self, holds: &dyn Fn(u32) -> bool) -> Evidence {
        self.evidence(&self.test, &[(0, holds)])
    }

    /// The evidence of several rules pooled, before the test period and in it.
    pub(super) fn pooled(&self, rules: &[Conjunction]) -> (Evidence, Evidence) {
        let pooled = |sample| self.conjunctions(sample, rules.iter().map(|rule| (0, rule)));
        (pooled(&self.development), pooled(&self.test))
    }

    /// The evidence of rules on the validation rows of the folds that each was mined for, pooled; each fold has a say
    /// with its own thresholds. Folds without a rule have none.
    ///
    /// * `rules`: position of the fold, and its rule.
    pub(super) fn walk_forward(&self, rules: &[(usize, &Conjunction)]) -> Evidence {
        let mut fold_idxs: Vec<usize> = rules.iter().map(|(fold_idx, _)| *fold_idx).collect();
        fold_idxs.sort_unstable();
        fold_idxs.dedup();
        let rows: Vec<&'a [u32]> = fold_idxs.iter().map(|&fold_idx| self.folds[fold_idx]).collect();
        let sample = Sample::of(self.study, self.label, &rows, "rules, walk-forward");
        let part_idx = |fold_idx: usize| fold_idxs.partition_point(|&other| other < fold_idx);
        self.conjunctions(&sample, rules.iter().map(|(fold_idx, rule)| (part_idx(*fold_idx), *rule)))
    }

    fn conjunctions<'c>(&self, sample: &Sample<'_>, rules: impl Iterator<Item = (usize, &'c Conjunction)>) -> Evidence {
        let table = self.study.table;
        let holds: Vec<_> = rules.map(|(part_idx, rule)| (part_idx, move |row| rule.holds(table, row))).collect();
        let claims: Vec<Claim<'_>> =
            holds.iter().map(|(part_idx, holds)| (*part_idx, holds as &dyn Fn(u32) -> bool)).collect();
        self.evidence(sample, &claims)
    }

    fn evidence(&self, sample: &Sample<'_>, claims: &[Claim<'_>]) -> Evidence {
        let counts = self.count(sample, claims);
        let all = total(&counts.by_date);
        let mean_return = share_of(counts.sum_return_pct, all.n_held);
        let mut reasons = Reasons::default();
        Evidence {
            n_rows: all.n_rows as usize,
            support: all.n_held as usize,
            episodes: counts.n_episodes,
            precision: reasons.figure("precision", all.precision()),
            base_rate: reasons.figure("base_rate", all.base_rate()),
            lift: reasons.figure("lift", all.lift()),
            lift_ci95: reasons.value("lift_ci95", lift_interval(sample, &counts.by_date)),
            mean_forward_return_pct: reasons.figure("mean_forward_return_pct", mean_return.ok_or_else(never)),
            per_symbol: self.per_symbol(&counts.by_symbol),
            reasons,
        }
    }

    fn count(&self, sample: &Sample<'_>, claims: &[Claim<'_>]) -> Counts {
        let table = self.study.table;
        let mut by_date = vec![Tally::default(); sample.n_dates];
        let mut by_symbol = vec![Tally::default(); table.symbols.len()];
        let (mut n_all_episodes, mut sum_return_pct) = (0, 0.0);
        for &(part_idx, holds) in claims {
            let part = &sample.parts[part_idx];
            let mut held = Vec::new();
            for (&row, &date_idx) in part.rows.iter().zip(&part.date_idx) {
                let (is_hit, is_held) = (self.truth[row as usize] == 1.0, holds(row));
                by_date[date_idx as usize].add(is_hit, is_held);
                by_symbol[table.symbol[row as usize] as usize].add(is_hit, is_held);
                if is_held {
                    sum_return_pct += self.label.forward_return_pct[row as usize];
                    held.push(row);
                }
            }
            n_all_episodes += n_episodes(table, self.label, held.into_iter());
        }
        Counts { by_date, by_symbol, n_episodes: n_all_episodes, sum_return_pct }
    }

    fn per_symbol(&self, tallies: &[Tally]) -> Vec<SymbolEvidence> {
        let held = self.study.table.symbols.iter().zip(tallies).filter(|(_, tally)| tally.n_held > 0);
        let row = |(symbol, tally): (&String, &Tally)| {
            let mut reasons = Reasons::default();
            SymbolEvidence {
                symbol: symbol.clone(),
                support: tally.n_held as usize,
                precision: reasons.figure("precision", tally.precision()),
                lift: reasons.figure("lift", tally.lift()),
                reasons,
            }
        };
        held.map(row).collect()
    }
}

impl<'a> Sample<'a> {
    fn of(study: &Study<'_>, label: &Label, parts: &[&'a [u32]], purpose: &str) -> Self {
        let day = &study.table.day;
        let dates = Dates::of(day, &parts.concat());
        let part = |&rows: &&'a [u32]| Part {
            rows,
            date_idx: rows.iter().map(|&row| dates.index(day[row as usize])).collect(),
        };
        let resamples = Resamples::draw(dates.len(), block_dates(label), Random::new(study.seed, purpose));
        Self { parts: parts.iter().map(part).collect(), n_dates: dates.len(), resamples }
    }
}

impl Tally {
    fn add(&mut self, is_hit: bool, is_held: bool) {
        self.n_rows += 1;
        self.n_hits += u64::from(is_hit);
        self.n_held += u64::from(is_held);
        self.n_held_hits += u64::from(is_held && is_hit);
    }

    fn precision(&self) -> Result<f64, Undefined> {
        share_of(self.n_held_hits as f64, self.n_held).ok_or_else(never)
    }

    fn base_rate(&self) -> Result<f64, Undefined> {
        share_of(self.n_hits as f64, self.n_rows).ok_or_else(|| Undefined::because("no labelled row"))
    }

    fn lift(&self) -> Result<f64, Undefined> {
        let precision = self.precision()?;
        match self.base_rate()? {
            0.0 => Err(Undefined::because("there was nothing to hit")),
            base_rate => Ok(precision / base_rate),
        }
    }
}

fn total(by_date: &[Tally]) -> Tally {
    drawn(by_date, &vec![1; by_date.len()])
}

/// The counts of a resample that has each date so many times.
fn drawn(by_date: &[Tally], times: &[u32]) -> Tally {
    let mut all = Tally::default();
    for (tally, &times) in by_date.iter().zip(times) {
        let times = u64::from(times);
        all.n_rows += times * tally.n_rows;
        all.n_hits += times * tally.n_hits;
        all.n_held += times * tally.n_held;
        all.n_held_hits += times * tally.n_held_hits;
    }
    all
}

fn lift_interval(sample: &Sample<'_>, by_date: &[Tally]) -> Result<Interval, Undefined> {
    total(by_date).lift()?;
    let resamples = sample.resamples.as_ref().map_err(Undefined::clone)?;
    interval(resamples.map(|times| drawn(by_date, times).lift().ok())?)
}

fn share_of(sum: f64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| sum / whole as f64)
}

fn never() -> Undefined {
    Undefined::because("the condition never held")
}

//! What a condition is worth: how often it held, and what came after.

use serde::Serialize;

use super::truth::{RuleSide, truth};
use crate::pipeline::{
    labels::Label,
    metrics::{Dates, Finite, Interval, Random, Reasons, Resamples, Undefined, block_dates, interval},
    search::Study,
    splits::n_episodes,
};

/// What a condition did on some rows. A null figure has its reason in `reasons`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Labelled rows.
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
    /// Why figures are null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Rows with the truth that one side's rules are judged by.
pub(super) struct Judge<'a> {
    study: &'a Study<'a>,
    label: &'a Label,
    truth: Vec<f32>,
    development: Part<'a>,
    test: Part<'a>,
}

struct Part<'a> {
    rows: &'a [u32],
    dates: Dates,
    resamples: Result<Resamples, Undefined>,
}

/// Counts of one date.
#[derive(Clone, Copy, Default)]
struct Tally {
    n_rows: u64,
    n_hits: u64,
    n_held: u64,
    n_held_hits: u64,
}

impl<'a> Judge<'a> {
    /// A judge of one side's rules.
    ///
    /// # Errors
    /// For exit rules where the label's threshold is no rise, so that its mirror is no fall.
    pub(super) fn new(study: &'a Study<'a>, label_idx: usize, side: RuleSide) -> Result<Self, Undefined> {
        let (label, splits) = (&study.labels[label_idx], &study.splits[label_idx]);
        let truth = truth(label, side)?;
        let part = |rows: &'a [u32], purpose| {
            let dates = Dates::of(&study.table.day, rows);
            let resamples = Resamples::draw(dates.len(), block_dates(label), Random::new(study.seed, purpose));
            Part { rows, dates, resamples }
        };
        Ok(Self {
            study,
            label,
            truth,
            development: part(&splits.development.train_rows, "rules, development"),
            test: part(&splits.test_rows, "rules, test"),
        })
    }

    pub(super) fn development_rows(&self) -> &'a [u32] {
        self.development.rows
    }

    /// The evidence before the test period.
    pub(super) fn development(&self, holds: &dyn Fn(u32) -> bool) -> Evidence {
        self.evidence(&self.development, holds)
    }

    /// The evidence in the test period.
    pub(super) fn test(&self, holds: &dyn Fn(u32) -> bool) -> Evidence {
        self.evidence(&self.test, holds)
    }

    fn evidence(&self, part: &Part<'_>, holds: &dyn Fn(u32) -> bool) -> Evidence {
        let held: Vec<u32> = part.rows.iter().copied().filter(|&row| holds(row)).collect();
        let tallies = self.tally(part, holds);
        let all = total(&tallies, |_| 1);
        let returns: f64 = held.iter().map(|&row| self.label.forward_return_pct[row as usize]).sum();
        let never = || Undefined::because("the condition never held");
        let mut reasons = Reasons::default();
        Evidence {
            n_rows: part.rows.len(),
            support: held.len(),
            episodes: n_episodes(self.study.table, self.label, held.iter().copied()),
            precision: reasons.figure("precision", share(all.n_held_hits, all.n_held).ok_or_else(never)),
            base_rate: reasons.figure(
                "base_rate",
                share(all.n_hits, all.n_rows).ok_or_else(|| Undefined::because("no labelled row")),
            ),
            lift: reasons.figure("lift", lift(all)),
            lift_ci95: reasons.value("lift_ci95", self.lift_interval(part, &tallies)),
            mean_forward_return_pct: reasons.figure(
                "mean_forward_return_pct",
                if held.is_empty() { Err(never()) } else { Ok(returns / held.len() as f64) },
            ),
            reasons,
        }
    }

    fn lift_interval(&self, part: &Part<'_>, tallies: &[Tally]) -> Result<Interval, Undefined> {
        lift(total(tallies, |_| 1))?;
        let resamples = part.resamples.as_ref().map_err(Undefined::clone)?;
        interval(resamples.map(|counts| lift(total(tallies, |idx| counts[idx].into())).ok())?)
    }

    fn tally(&self, part: &Part<'_>, holds: &dyn Fn(u32) -> bool) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); part.dates.len()];
        for &row in part.rows {
            let tally = &mut tallies[part.dates.index(self.study.table.day[row as usize]) as usize];
            let (is_hit, held) = (u64::from(self.truth[row as usize] == 1.0), u64::from(holds(row)));
            tally.n_rows += 1;
            tally.n_hits += is_hit;
            tally.n_held += held;
            tally.n_held_hits += held * is_hit;
        }
        tallies
    }
}

fn total(tallies: &[Tally], count: impl Fn(usize) -> u64) -> Tally {
    let mut all = Tally::default();
    for (idx, tally) in tallies.iter().enumerate() {
        let times = count(idx);
        all.n_rows += times * tally.n_rows;
        all.n_hits += times * tally.n_hits;
        all.n_held += times * tally.n_held;
        all.n_held_hits += times * tally.n_held_hits;
    }
    all
}

fn lift(all: Tally) -> Result<f64, Undefined> {
    let precision = share(all.n_held_hits, all.n_held).ok_or_else(|| Undefined::because("the condition never held"))?;
    let base_rate = share(all.n_hits, all.n_rows).filter(|&rate| rate > 0.0);
    base_rate.map(|rate| precision / rate).ok_or_else(|| Undefined::because("there was nothing to hit"))
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

//! The two lists of a mining: the rules that promise most, and those that come up again and again.
//!
//! Invariant: the lists of a mining depend on it and on those of fewer rows before it, never on a later one.

use super::{
    book::{Conjunction, Lists, RuleBook, Sides},
    candidate::Candidate,
    mining::{Mining, Minings},
    recurrence::{found_again, says_the_same},
    truth::RuleSide,
};
use crate::{features::FeatureTable, metrics::Undefined, search::Study};

/// Rules of a list.
const MAX_LISTED: usize = 5;
/// Share of resamples, or of earlier minings, from which on a rule is stable.
const MIN_STABILITY: f64 = 0.5;

/// The positions, among the rules of a mining, of those that are listed; the best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Picked {
    /// Those that come up again and again.
    pub(super) stable: Vec<usize>,
    /// Those that promise most.
    pub(super) high_lift: Vec<usize>,
}

/// Lists the rules of a mining.
///
/// High-lift are the first by the extractor's order. Stable are those of the highest stability, from a half on, equals in
/// the extractor's order. In neither list do two rules hold on mostly the same rows: rules are counted, and one fact has
/// one vote. An extractor that does not resample tells no stability: then that of a rule is the share of the
/// earlier minings in which it came up.
pub(super) fn pick(table: &FeatureTable, mining: &Mining<'_>, earlier: &[Mining<'_>]) -> Picked {
    let resamples = mining.rules.iter().any(|candidate| candidate.stability.is_some());
    let stability = |candidate: &Candidate| match resamples {
        true => candidate.stability.unwrap_or(0.0),
        false => recurrence(table, candidate, earlier),
    };
    let shares: Vec<f64> = mining.rules.iter().map(stability).collect();
    let mut stable: Vec<usize> = (0..shares.len()).filter(|&idx| shares[idx] >= MIN_STABILITY).collect();
    stable.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]));
    Picked { stable: distinct(table, mining, stable), high_lift: distinct(table, mining, 0..mining.rules.len()) }
}

/// The first of those that say the same, up to the length of a list.
fn distinct(table: &FeatureTable, mining: &Mining<'_>, ranked: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut listed: Vec<usize> = Vec::with_capacity(MAX_LISTED);
    for idx in ranked {
        let rule = &mining.rules[idx].rule;
        let is_said = |&other: &usize| says_the_same(table, rule, &mining.rules[other].rule, mining.train_rows);
        if listed.len() < MAX_LISTED && !listed.iter().any(is_said) {
            listed.push(idx);
        }
    }
    listed
}

/// The lists of every mining, as a strategy follows them; empty where nothing was mined.
pub(super) fn book(study: &Study<'_>, n_folds: usize, mined: &Sides<Result<Minings<'_>, Undefined>>) -> RuleBook {
    let lists = |side: RuleSide, n_earlier: usize| {
        let Ok(minings) = mined.get(side) else { return Lists::default() };
        let (earlier, mining) = minings.up_to(n_earlier);
        pick(study.table, mining, earlier).of(mining)
    };
    let of = |n_earlier| Sides::of(|side| lists(side, n_earlier));
    RuleBook { job: Sides::default(), folds: (0..n_folds).map(of).collect(), last: of(n_folds) }
}

impl Picked {
    /// The listed rules themselves.
    pub(super) fn of(&self, mining: &Mining<'_>) -> Lists {
        let rules =
            |list: &[usize]| -> Vec<Conjunction> { list.iter().map(|&idx| mining.rules[idx].rule.clone()).collect() };
        Lists { stable: rules(&self.stable), high_lift: rules(&self.high_lift) }
    }
}

/// Share of the earlier minings in which a rule came up; 0 without any.
fn recurrence(table: &FeatureTable, candidate: &Candidate, earlier: &[Mining<'_>]) -> f64 {
    let came_up =
        |mining: &&Mining<'_>| found_again(table, &candidate.rule, &mining.rules, mining.train_rows).is_some();
    earlier.iter().filter(came_up).count() as f64 / earlier.len().max(1) as f64
}

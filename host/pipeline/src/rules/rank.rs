//! Step 3: ranks the mined rules of every run into a stable list and a high-lift list.
//!
//! In: the runs of both sides, the job's rules. Out: a [`RuleSet`]. Invariant: the lists of a run
//! depend on it and on runs of earlier rows, never on a later run. Only listed rules are scored
//! afterwards, so no unlisted rule touches the test.

use super::{
    context::RuleContext,
    mine::{MiningRun, ProposedRule, SideMining},
    rule_set::{Conjunction, PerSide, RuleCondition, RuleLists, RuleSet, RuleSide},
};
use crate::{features::FeatureTable, metrics::Undefined};

/// Rules of one list.
const MAX_LISTED: usize = 5;
/// Share of resamples, or of earlier runs, from which a rule counts as stable.
const MIN_STABILITY: f64 = 0.5;
/// Jaccard similarity from which two rules count as the same: rows on which both hold, as a share
/// of the rows on which at least one holds.
const MIN_JACCARD: f64 = 0.5;

/// Ranks the rules of every run; the lists are empty where nothing was mined.
///
/// * `job`: the job's own rules that can be followed.
pub(super) fn rule_set(
    context: &RuleContext<'_>,
    job: PerSide<Vec<Conjunction>>,
    mined: &PerSide<Result<SideMining<'_>, Undefined>>,
) -> RuleSet {
    let lists = |side: RuleSide, run_idx: usize| match mined.get(side) {
        Ok(mining) => ranked_lists(context.table(), mining, run_idx),
        Err(_) => RuleLists::default(),
    };
    let n_folds = context.splits().folds.len();
    RuleSet {
        job,
        folds: (0..n_folds).map(|fold_idx| PerSide::from_fn(|side| lists(side, fold_idx))).collect(),
        last: PerSide::from_fn(|side| lists(side, n_folds)),
    }
}

/// Ranks the rules of one run of a side.
///
/// * `run_idx`: index of the fold; the index after the last fold is the run on all development rows.
fn ranked_lists(table: &FeatureTable, mining: &SideMining<'_>, run_idx: usize) -> RuleLists {
    match mining.folds.get(run_idx) {
        Some(run) => rank(table, run, &mining.folds[..run_idx]),
        None => rank(table, &mining.last, &mining.folds),
    }
}

/// Ranks the rules of a run.
///
/// The high-lift list has the first rules in the extractor's order. The stable list has the rules
/// of the highest stability, from a half upwards; ties keep the extractor's order. An extractor
/// that does not resample reports no stability: then the stability of a rule is the share of
/// earlier runs that found it.
fn rank(table: &FeatureTable, run: &MiningRun<'_>, earlier: &[MiningRun<'_>]) -> RuleLists {
    let resamples = run.rules.iter().any(|proposed| proposed.stability.is_some());
    let stability = |proposed: &ProposedRule| {
        if resamples { proposed.stability.unwrap_or(0.0) } else { recurrence(table, &proposed.rule, earlier) }
    };
    let mut stable: Vec<(f64, &Conjunction)> =
        run.rules.iter().map(|proposed| (stability(proposed), &proposed.rule)).collect();
    stable.retain(|(share, _)| *share >= MIN_STABILITY);
    stable.sort_by(|a, b| b.0.total_cmp(&a.0));
    RuleLists {
        stable: first_distinct(table, run.train_rows, stable.into_iter().map(|(_, rule)| rule)),
        high_lift: first_distinct(table, run.train_rows, run.rules.iter().map(|proposed| &proposed.rule)),
    }
}

/// Takes the first rules of an order, up to the length of a list, and skips rules that hold on
/// mostly the same rows as one before: a strategy counts rules, so one fact must not count twice.
fn first_distinct<'r>(
    table: &FeatureTable,
    rows: &[u32],
    ordered: impl Iterator<Item = &'r Conjunction>,
) -> Vec<Conjunction> {
    let mut listed: Vec<Conjunction> = Vec::with_capacity(MAX_LISTED);
    for rule in ordered {
        let is_duplicate = |other: &Conjunction| jaccard(table, rule, other, rows) >= MIN_JACCARD;
        if listed.len() < MAX_LISTED && !listed.iter().any(is_duplicate) {
            listed.push(rule.clone());
        }
    }
    listed
}

/// Returns the share of earlier runs that found a rule; 0 without earlier runs.
fn recurrence(table: &FeatureTable, rule: &Conjunction, earlier: &[MiningRun<'_>]) -> f64 {
    let n_found = earlier.iter().filter(|run| same_rule(table, rule, run).is_some()).count();
    n_found as f64 / earlier.len().max(1) as f64
}

/// Returns the rule of a run that is the same as `rule`; of several the most similar one.
///
/// Thresholds vary a little with the rows, so two rules are the same if they apply the same
/// operators to the same features and hold on mostly the same rows of the run.
pub(super) fn same_rule<'m>(
    table: &FeatureTable,
    rule: &Conjunction,
    run: &'m MiningRun<'_>,
) -> Option<&'m Conjunction> {
    let comparisons_of_rule = comparisons(rule);
    let mut best: Option<(f64, &Conjunction)> = None;
    for other in run.rules.iter().map(|proposed| &proposed.rule) {
        if comparisons(other) != comparisons_of_rule {
            continue;
        }
        let similarity = jaccard(table, rule, other, run.train_rows);
        if similarity >= MIN_JACCARD && best.is_none_or(|(highest, _)| similarity > highest) {
            best = Some((similarity, other));
        }
    }
    best.map(|(_, other)| other)
}

/// Returns the features and operators of a rule, sorted, without their thresholds.
fn comparisons(rule: &Conjunction) -> Vec<(usize, &'static str)> {
    let comparison = |condition: &RuleCondition| (condition.feature_idx, condition.operator.sign());
    let mut comparisons: Vec<_> = rule.0.iter().map(comparison).collect();
    comparisons.sort_unstable();
    comparisons
}

/// Returns the Jaccard similarity of the rows on which two rules hold; 0 if neither ever holds.
fn jaccard(table: &FeatureTable, one: &Conjunction, other: &Conjunction, rows: &[u32]) -> f64 {
    let mut n_both = 0_u32;
    let mut n_either = 0_u32;
    for &row in rows {
        let one_holds = one.holds(table, row);
        let other_holds = other.holds(table, row);
        n_both += u32::from(one_holds && other_holds);
        n_either += u32::from(one_holds || other_holds);
    }
    f64::from(n_both) / f64::from(n_either.max(1))
}

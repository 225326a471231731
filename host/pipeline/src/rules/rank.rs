//! Step 3: ranks the mined rules of every run into a stable list and a high-lift list.
//!
//! In: the runs of both sides, and the job's own rules. Out: a [`RuleSet`]. Invariant: the lists of
//! a run depend on that run and on runs of earlier rows, never on a later run. Only listed rules
//! are scored afterwards, so a rule outside the lists is never scored in the test period.

use super::{
    context::RuleContext,
    mine::{MiningRun, ProposedRule, SideMining},
    rule_set::{Conjunction, PerSide, RuleCondition, RuleLists, RuleSet, RuleSide},
};
use crate::{features::FeatureTable, metrics::UndefinedError};

/// Maximum number of rules per list.
const MAX_LISTED: usize = 5;
/// Minimum share of resamples, or of earlier runs, that contain a stable rule.
const MIN_STABILITY: f64 = 0.5;
/// Jaccard similarity from which two rules are treated as the same. It is the number of rows on
/// which both hold, divided by the number of rows on which at least one holds.
const MIN_JACCARD: f64 = 0.5;

/// Ranks the rules of every run; the lists of a side without runs are empty.
///
/// * `job`: the job's own rules that can be followed.
pub(super) fn rule_set(
    context: &RuleContext<'_>,
    job: PerSide<Vec<Conjunction>>,
    mined: &PerSide<Result<SideMining<'_>, UndefinedError>>,
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
/// * `run_idx`: index of the fold; the index after the last fold stands for the run on all
///   development rows.
fn ranked_lists(table: &FeatureTable, mining: &SideMining<'_>, run_idx: usize) -> RuleLists {
    match mining.folds.get(run_idx) {
        Some(run) => rank(table, run, &mining.folds[..run_idx]),
        None => rank(table, &mining.last, &mining.folds),
    }
}

/// Ranks the rules of a run.
///
/// The high-lift list has the first rules in the extractor's order. The stable list has the rules
/// of the highest stability, which is at least 0.5; ties keep the extractor's order. If the
/// extractor does not resample, it reports no stability; the share of earlier runs that found a
/// rule is used instead.
fn rank(table: &FeatureTable, run: &MiningRun<'_>, earlier: &[MiningRun<'_>]) -> RuleLists {
    let resamples = run.rules.iter().any(|proposed| proposed.stability.is_some());
    let stability = |proposed: &ProposedRule| {
        if resamples { proposed.stability.unwrap_or(0.0) } else { recurrence(table, &proposed.rule, earlier) }
    };
    let mut stable: Vec<(f64, &Conjunction)> =
        run.rules.iter().map(|proposed| (stability(proposed), &proposed.rule)).collect();
    stable.retain(|(share, _)| *share >= MIN_STABILITY);
    // The sort is stable, so rules of equal stability keep the extractor's order, best first.
    stable.sort_by(|a, b| b.0.total_cmp(&a.0));
    RuleLists {
        stable: first_distinct(table, run.train_rows, stable.into_iter().map(|(_, rule)| rule)),
        high_lift: first_distinct(table, run.train_rows, run.rules.iter().map(|proposed| &proposed.rule)),
    }
}

/// Takes rules in the given order, up to the maximum length of a list. A rule is skipped if it holds
/// on mostly the same rows as an earlier rule: a strategy counts the rules that hold, so one fact
/// must not be counted twice.
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

/// Returns the rule of a run that is the same as `rule`; if there are several, the most similar
/// one.
///
/// Two rules are treated as one if their features and operators are equal and they hold on mostly
/// equal sets of rows. Equal thresholds are not required, because they vary with the rows.
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
        // Of equally similar rules, the first one wins, because the extractor ranked it higher.
        if similarity >= MIN_JACCARD && best.is_none_or(|(highest, _)| similarity > highest) {
            best = Some((similarity, other));
        }
    }
    best.map(|(_, other)| other)
}

/// Returns the features and operators of a rule, sorted, without their thresholds.
fn comparisons(rule: &Conjunction) -> Vec<(usize, &'static str)> {
    // The sign represents the operator, which does not implement `Ord`.
    let comparison = |condition: &RuleCondition| (condition.feature_idx, condition.operator.sign());
    // An extractor may list the conditions of a conjunction in any order.
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

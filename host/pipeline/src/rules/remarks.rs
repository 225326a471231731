//! Remarks on job rules that hold on every row, on none, or never together, and warnings about
//! values that are valid but probably given in another unit.
//!
//! In: a job rule with its stats and the values of its feature, or the labels. Out: a [`Remark`], or
//! warnings. Every remark is computed from the rows before the test period.

use oculus_job::{
    request::{Operator, Rule},
    warning::{Warning, WarningCode},
};

use super::{
    context::RuleContext,
    describe::short_number,
    job_rules::{JobRuleReport, RuleScore, ScoredJobRule},
    rule_stats::RuleStats,
};
use crate::{labels::Label, metrics::shortest_decimal};

/// A value in percent and the same value as a share differ by this factor.
const PERCENT: f64 = 100.0;
/// Thresholds below this share of the median move are probably given in another unit.
const SMALL_MOVE: f64 = 0.1;

/// A remark on a job rule that does not divide the rows.
pub(super) struct Remark {
    /// The remark for people.
    pub(super) text: String,
    /// Nearest threshold with which a rule that never holds does hold, if there is one.
    pub(super) nearest_threshold: Option<f64>,
}

/// Returns the remark on a rule that holds on every row or on none.
///
/// * `values`: the values of the rule's feature on the same rows.
pub(super) fn remark(rule: &Rule, stats: &RuleStats, values: impl Iterator<Item = f32>) -> Option<Remark> {
    let is_always = stats.support == stats.n_rows;
    // The sort over all values is only worth its time for a rule that always or never holds.
    if stats.n_rows == 0 || (stats.support > 0 && !is_always) {
        return None;
    }
    let mut sorted: Vec<f32> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_by(f32::total_cmp);
    sorted.dedup();
    let sorted: Vec<f64> = sorted.into_iter().map(shortest_decimal).collect();
    let nearest = if is_always { None } else { nearest_threshold(rule, &sorted) };
    let how_often = if is_always { "is true on each of" } else { "is never true on" };
    let condition = format!("{} {} {}", rule.feature, rule.operator.sign(), rule.threshold);
    let sentence = format!("{condition} {how_often} {} rows", stats.n_rows);
    let cause = cause(rule, &sorted, nearest);
    Some(Remark { text: format!("{sentence}: {cause}"), nearest_threshold: nearest })
}

/// Returns why a rule holds on every row or on none, and which threshold would divide the rows.
///
/// * `sorted`: the distinct values of the feature in ascending order.
fn cause(rule: &Rule, sorted: &[f64], nearest: Option<f64>) -> String {
    let (least, largest) = match sorted {
        [] => return format!("{} has no value on these rows, so no threshold changes that", rule.feature),
        [only] => return format!("{} is always {only}, so no threshold divides these rows", rule.feature),
        [least, .., largest] => (*least, *largest),
    };
    let mut cause = format!("{} is between {} and {}", rule.feature, short_number(least), short_number(largest));
    if let Some(nearest) = nearest {
        cause
            .push_str(&format!(", and of these values the nearest threshold with which the rule is true is {nearest}"));
    }
    if let Some(likely) = likely_threshold(rule.threshold, least, largest) {
        cause.push_str(&format!(", but on this scale the threshold was probably meant as {likely}"));
    }
    cause
}

/// Returns the threshold on the feature's scale, if a percentage was given as a share or the other
/// way round.
fn likely_threshold(threshold: f64, least: f64, largest: f64) -> Option<f64> {
    // The rounding removes the error of the multiplication, as in 0.07 · 100.
    let rounded = |value: f64| (value * 1e9).round() / 1e9;
    let candidates = [rounded(threshold * PERCENT), rounded(threshold / PERCENT)];
    candidates.into_iter().find(|likely| threshold != 0.0 && least < *likely && *likely < largest)
}

/// Returns the threshold nearest to the rule's own, among the thresholds with which the rule holds
/// on at least one row. Returns `None` if no value of the feature is such a threshold.
///
/// * `sorted`: the distinct values of the feature in ascending order.
fn nearest_threshold(rule: &Rule, sorted: &[f64]) -> Option<f64> {
    let distance = |value: &f64| (value - rule.threshold).abs();
    // A strict comparison does not hold at the extreme value itself, so the second value is the
    // nearest threshold.
    match rule.operator {
        Operator::AtMost => sorted.first().copied(),
        Operator::AtLeast => sorted.last().copied(),
        Operator::Below => sorted.get(1).copied(),
        Operator::Above => sorted.len().checked_sub(2).map(|idx| sorted[idx]),
        Operator::Equal => sorted.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))),
        // If `!=` never holds, the feature has a single value or none.
        Operator::Unequal => None,
    }
}

/// Returns the warnings about the job's rules and label thresholds.
pub(super) fn warnings(context: &RuleContext<'_>, report: &JobRuleReport) -> Vec<Warning> {
    let rules = [("entry", &report.entry_rules), ("exit", &report.exit_rules)];
    let on_rules = rules.iter().flat_map(|(side, rules)| rules.iter().filter_map(|rule| rule_warning(side, rule)));
    let scores = [("entry", &report.entry_score), ("exit", &report.exit_score)];
    let on_scores = scores.iter().filter_map(|(side, score)| together_warning(side, score.as_ref()?));
    on_rules.chain(on_scores).chain(unit_of_thresholds(context)).collect()
}

/// Returns a warning if too few of the rules of one side ever hold on the same row.
fn together_warning(side: &str, score: &RuleScore) -> Option<Warning> {
    let stats = score.development.as_ref().filter(|stats| stats.support == 0 && stats.n_rows > 0)?;
    // A single rule that never holds has a warning of its own.
    let is_of_several = score.threshold > 1;
    is_of_several.then(|| {
        let RuleScore { threshold, n_rules, .. } = score;
        let message = format!(
            "on none of {} rows before the test period are {threshold} of the {n_rules} {side} rules true at the same \
             time: use rules that can be true together, or a lower {side}_score_threshold",
            stats.n_rows
        );
        Warning::new(WarningCode::RuleNeverTrue, message)
    })
}

fn rule_warning(side: &str, rule: &ScoredJobRule) -> Option<Warning> {
    let (stats, reason) = (rule.development.as_ref()?, rule.reason.as_ref()?);
    let code = if stats.support == 0 { WarningCode::RuleNeverTrue } else { WarningCode::RuleAlwaysTrue };
    Some(Warning::new(code, format!("the {side} rule {reason}")))
}

/// Returns a warning if all label thresholds are tiny compared with the moves of the prices, but
/// plausible after a multiplication by 100: they are then probably shares instead of percentages.
fn unit_of_thresholds(context: &RuleContext<'_>) -> Option<Warning> {
    let labels = &context.search_context.labels;
    let (idx, shortest) = labels.iter().enumerate().min_by_key(|(_, label)| label.key.horizon_days)?;
    let mut moves: Vec<f64> = moves(shortest, &context.search_context.splits[idx].development.train_rows).collect();
    moves.sort_by(f64::total_cmp);
    let (median, largest) = (*moves.get(moves.len() / 2)?, *moves.last()?);
    let horizon = shortest.key.horizon_days;
    let mut thresholds: Vec<f64> = labels.iter().map(|label| label.key.threshold_pct).collect();
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    let is_share = |threshold: &f64| {
        threshold.abs() < SMALL_MOVE * median && threshold.abs() < 1.0 && threshold.abs() * PERCENT <= largest
    };
    // A threshold of 0 is the same in both units.
    thresholds.retain(|threshold| *threshold != 0.0);
    if thresholds.is_empty() || !thresholds.iter().all(is_share) {
        return None;
    }
    let list = |factor: f64| thresholds.iter().map(|value| short_number(value * factor)).collect::<Vec<_>>().join(", ");
    let message = format!(
        "design.profit_threshold_options: found {}, which are percentages, but the median move over {horizon} sessions \
         is {} %. If they are shares, write {}",
        list(1.0),
        short_number(median),
        list(PERCENT)
    );
    Some(Warning::new(WarningCode::UnitSuspected, message))
}

/// Returns the sizes of the forward returns of rows, in percent.
fn moves<'a>(label: &'a Label, rows: &'a [u32]) -> impl Iterator<Item = f64> + 'a {
    rows.iter().map(|&row| label.forward_return_pct[row as usize].abs()).filter(|value| value.is_finite())
}

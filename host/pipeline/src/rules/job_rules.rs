//! Step 1: resolves the job's own entry and exit rules to columns and scores them on the chosen
//! label.
//!
//! In: the requested rules, how their names resolve, the scorers of both sides. Out:
//! [`JobRuleReport`], and the rules that a strategy can follow. The rules come from the job and not
//! from the bars, so the development rows score them fairly; the test rows score them once more,
//! separately.

use oculus_job::request::{Operator, Rule};
use serde::{Deserialize, Serialize};

use super::{
    context::RuleContext,
    rule_set::{Conjunction, PerSide, RuleCondition, RuleSide},
    rule_stats::RuleStats,
    score::RuleScorer,
};
use crate::metrics::{Finite, Reasons, Undefined};

/// Scores of all rules of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRuleReport {
    /// Entry rules, in the job's order.
    pub entry_rules: Vec<ScoredJobRule>,
    /// Exit rules, in the job's order.
    pub exit_rules: Vec<ScoredJobRule>,
    /// Score of counting satisfied entry rules; `None` without entry rules.
    pub entry_score: Option<RuleScore>,
    /// Score of counting satisfied exit rules; `None` without exit rules.
    pub exit_score: Option<RuleScore>,
    /// Rules whose feature does not exist, each once.
    pub unresolved: Vec<UnresolvedRule>,
    /// Why a score is null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// A rule of the job with its scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoredJobRule {
    /// The rule as the job writes it.
    #[serde(flatten)]
    pub rule: Rule,
    /// Canonical name of the feature; `None` where it does not exist.
    pub resolved_feature: Option<String>,
    /// Stats before the test period; `None` for an unresolved rule.
    pub development: Option<RuleStats>,
    /// Stats in the test period.
    pub test: Option<RuleStats>,
    /// For a rule that never holds before the test: the nearest threshold with which it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_threshold: Option<Finite>,
    /// Why something is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Several rules at once: a position is opened or closed where at least `threshold` of them hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleScore {
    /// Number of rules that must hold at once.
    pub threshold: u32,
    /// Rules of the job.
    pub n_rules: usize,
    /// Rules whose feature exists; the others count as not satisfied.
    pub n_resolved: usize,
    /// Stats before the test period; `None` where fewer rules resolve than must hold.
    pub development: Option<RuleStats>,
    /// Stats in the test period.
    pub test: Option<RuleStats>,
    /// Why the stats are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A rule whose feature does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnresolvedRule {
    /// The feature as the job writes it.
    pub feature: String,
    /// Why it does not exist.
    pub reason: String,
    /// The most similar known name.
    pub nearest: Option<String>,
}

/// A rule of the job with its condition on the table, or the reason why it has none.
pub(super) struct JobRule<'a> {
    rule: &'a Rule,
    condition: Result<RuleCondition, UnresolvedRule>,
}

/// Resolves the feature names of all requested rules.
pub(super) fn resolve<'a>(context: &RuleContext<'a>) -> PerSide<Vec<JobRule<'a>>> {
    let resolve_rule = |rule: &'a Rule| JobRule { rule, condition: resolve_condition(context, rule) };
    PerSide::from_fn(|side| context.requested.rules(side).iter().map(resolve_rule).collect())
}

/// Returns the rules that a strategy can follow: those whose feature exists.
pub(super) fn followable(rules: &PerSide<Vec<JobRule<'_>>>) -> PerSide<Vec<Conjunction>> {
    let conjunction = |rule: &JobRule<'_>| rule.condition.as_ref().ok().map(|condition| Conjunction(vec![*condition]));
    PerSide::from_fn(|side| rules.get(side).iter().filter_map(conjunction).collect())
}

/// Scores all rules of a job, one by one and counted together.
pub(super) fn score(
    context: &RuleContext<'_>,
    rules: &PerSide<Vec<JobRule<'_>>>,
    scorers: &PerSide<Result<RuleScorer<'_>, Undefined>>,
) -> JobRuleReport {
    let score_each = |side: RuleSide| {
        rules.get(side).iter().map(|rule| score_rule(context, rule, scorers.get(side))).collect::<Vec<_>>()
    };
    let score_count = |side: RuleSide, name: &str| {
        if rules.get(side).is_empty() {
            return Err(Undefined::because(format!("the job has no {name} rules")));
        }
        Ok(score_satisfied(context, rules.get(side), scorers.get(side), side))
    };
    let mut reasons = Reasons::default();
    JobRuleReport {
        entry_rules: score_each(RuleSide::Entry),
        exit_rules: score_each(RuleSide::Exit),
        entry_score: reasons.value("entry_score", score_count(RuleSide::Entry, "entry")),
        exit_score: reasons.value("exit_score", score_count(RuleSide::Exit, "exit")),
        unresolved: unresolved(rules),
        reasons,
    }
}

/// Lists the rules without a feature, entry rules first, each once.
fn unresolved(rules: &PerSide<Vec<JobRule<'_>>>) -> Vec<UnresolvedRule> {
    let mut unresolved: Vec<UnresolvedRule> = Vec::new();
    for rule in rules.entry.iter().chain(&rules.exit) {
        if let Err(problem) = &rule.condition
            && !unresolved.contains(problem)
        {
            unresolved.push(problem.clone());
        }
    }
    unresolved
}

fn score_rule(
    context: &RuleContext<'_>,
    job_rule: &JobRule<'_>,
    scorer: &Result<RuleScorer<'_>, Undefined>,
) -> ScoredJobRule {
    let rule = job_rule.rule;
    let unscored = |resolved_feature, reason| ScoredJobRule {
        rule: rule.clone(),
        resolved_feature,
        development: None,
        test: None,
        nearest_threshold: None,
        reason: Some(reason),
    };
    let condition = match &job_rule.condition {
        Ok(condition) => condition,
        Err(problem) => return unscored(None, problem.reason.clone()),
    };
    let resolved_feature = Some(context.table().names[condition.feature_idx].clone());
    let scorer = match scorer {
        Ok(scorer) => scorer,
        Err(reason) => return unscored(resolved_feature, reason.to_string()),
    };
    let values = context.table().column(condition.feature_idx);
    let holds = |row: u32| condition.holds(values[row as usize]);
    let development = scorer.development(&holds);
    let never_held = development.support == 0;
    let development_values = context.splits().development.train_rows.iter().map(|&row| values[row as usize]);
    let nearest = if never_held { nearest_threshold(rule, development_values) } else { None };
    ScoredJobRule {
        rule: rule.clone(),
        resolved_feature,
        reason: never_held.then(|| never_true(rule, development.n_rows, nearest)),
        nearest_threshold: nearest.and_then(Finite::new),
        development: Some(development),
        test: Some(scorer.test(&holds)),
    }
}

/// Scores the rows on which the number of rules that hold reaches the job's score threshold. NaN
/// satisfies no rule.
fn score_satisfied(
    context: &RuleContext<'_>,
    rules: &[JobRule<'_>],
    scorer: &Result<RuleScorer<'_>, Undefined>,
    side: RuleSide,
) -> RuleScore {
    let threshold = context.requested.score_threshold(side);
    let conditions: Vec<&RuleCondition> = rules.iter().filter_map(|rule| rule.condition.as_ref().ok()).collect();
    let table = context.table();
    let is_satisfied = |row: u32| {
        let holds = |condition: &&&RuleCondition| condition.holds(table.column(condition.feature_idx)[row as usize]);
        conditions.iter().filter(holds).count() >= threshold as usize
    };
    let scorer = if threshold as usize <= conditions.len() {
        scorer.as_ref().map_err(ToString::to_string)
    } else {
        Err(format!("needs {threshold} of {} resolved", conditions.len()))
    };
    RuleScore {
        threshold,
        n_rules: rules.len(),
        n_resolved: conditions.len(),
        development: scorer.as_ref().ok().map(|scorer| scorer.development(&is_satisfied)),
        test: scorer.as_ref().ok().map(|scorer| scorer.test(&is_satisfied)),
        reason: scorer.err(),
    }
}

fn never_true(rule: &Rule, n_rows: usize, nearest: Option<f64>) -> String {
    let sign = rule.operator.sign();
    let sentence = format!("{} {sign} {} is never true on {n_rows} rows", rule.feature, rule.threshold);
    match nearest {
        Some(nearest) => format!("{sentence}; {sign} {nearest} would be"),
        None => format!("{sentence}, and no other threshold would change that"),
    }
}

/// Returns the threshold nearest to the rule's own with which the rule holds on some row; `None` if
/// there is none.
fn nearest_threshold(rule: &Rule, values: impl Iterator<Item = f32>) -> Option<f64> {
    let mut values: Vec<f64> = values.map(f64::from).filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    let distance = |value: &f64| (value - rule.threshold).abs();
    match rule.operator {
        Operator::AtMost => values.first().copied(),
        Operator::AtLeast => values.last().copied(),
        Operator::Below => values.get(1).copied(),
        Operator::Above => values.len().checked_sub(2).map(|idx| values[idx]),
        Operator::Equal => values.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b))),
        Operator::Unequal => None,
    }
}

/// Returns the condition of a rule on the feature table.
fn resolve_condition(context: &RuleContext<'_>, rule: &Rule) -> Result<RuleCondition, UnresolvedRule> {
    let feature_idx = resolve_feature(context, &rule.feature)?;
    // A threshold that no `f32` reaches stays a number: an infinite one would equal an infinite
    // feature.
    let threshold = (rule.threshold as f32).clamp(f32::MIN, f32::MAX);
    Ok(RuleCondition { feature_idx, operator: rule.operator, threshold })
}

/// Returns the column of a feature as the job spells it.
fn resolve_feature(context: &RuleContext<'_>, requested: &str) -> Result<usize, UnresolvedRule> {
    let features = context.requested.features;
    let name = features.canonical.get(requested).map_or(requested, String::as_str);
    if let Some(idx) = context.table().names.iter().position(|other| other == name) {
        return Ok(idx);
    }
    let unknown = features.unresolved.iter().find(|unresolved| unresolved.asked == requested);
    let left_out = features.left_out.iter().find(|left_out| left_out.name == name);
    let reason = match (unknown, left_out) {
        (Some(unknown), _) => unknown.to_string(),
        (None, Some(left_out)) => format!("`{requested}` is left out: {}", left_out.lack),
        (None, None) => format!("`{requested}` is not in the feature table"),
    };
    let nearest = unknown.and_then(|unknown| unknown.nearest.clone());
    Err(UnresolvedRule { feature: requested.to_owned(), reason, nearest })
}

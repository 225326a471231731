//! Step 1: resolves the job's own entry and exit rules to columns and scores them on the chosen
//! label.
//!
//! In: the requested rules, the resolution of their feature names, and the scorers of both sides.
//! Out: a [`JobRuleReport`], and the rules that a strategy can follow. The rules come from the job
//! and not from the bars, so their scores on the development rows are unbiased. They are scored
//! separately on the test rows.

use oculus_job::request::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    context::RuleContext,
    remarks::remark,
    rule_set::{Conjunction, PerSide, RuleCondition, RuleSide},
    rule_stats::RuleStats,
    score::RuleScorer,
};
use crate::metrics::{Finite, Reasons, UndefinedError};

/// Scores of all rules of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JobRuleReport {
    /// Entry rules, in the job's order.
    pub entry_rules: Vec<ScoredJobRule>,
    /// Exit rules, in the job's order.
    pub exit_rules: Vec<ScoredJobRule>,
    /// Figures of the rows on which at least `entry_score_threshold` of the entry rules held; null
    /// without entry rules.
    pub entry_score: Option<RuleScore>,
    /// Figures of the rows on which at least `exit_score_threshold` of the exit rules held; null
    /// without exit rules.
    pub exit_score: Option<RuleScore>,
    /// Rules whose feature does not exist; each such feature is listed once.
    pub unresolved: Vec<UnresolvedRuleError>,
    /// Reason for each null score, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// A rule of the job with its scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScoredJobRule {
    /// The rule as the job writes it.
    #[serde(flatten)]
    pub rule: Rule,
    /// Canonical name of the feature; null if it does not exist.
    pub resolved_feature: Option<String>,
    /// Stats before the test period; null if the feature does not exist, or if exit rules cannot be
    /// scored.
    pub development: Option<RuleStats>,
    /// Stats in the test period; null together with `development`.
    pub test: Option<RuleStats>,
    /// Nearest threshold with which the rule holds before the test period; present only if the rule
    /// never holds in that period with its own threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_threshold: Option<Finite>,
    /// Reason for a null value, or for a rule that holds on every row or on none before the test
    /// period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Score of several rules together: a position is opened or closed if at least `threshold` of them
/// hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleScore {
    /// Number of rules that must hold at once.
    pub threshold: u32,
    /// Number of the job's rules.
    pub n_rules: usize,
    /// Number of rules whose feature exists; the other rules are treated as not satisfied.
    pub n_resolved: usize,
    /// Stats before the test period; null if `n_resolved` is less than `threshold`.
    pub development: Option<RuleStats>,
    /// Stats in the test period; null together with `development`.
    pub test: Option<RuleStats>,
    /// Reason for missing stats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A rule whose feature does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnresolvedRuleError {
    /// The feature as the job writes it.
    pub feature: String,
    /// Reason why the feature does not exist.
    pub reason: String,
    /// The most similar known name; null if no name is similar.
    pub nearest: Option<String>,
}

/// A rule of the job with its condition on the table, or the reason why it has none.
pub(super) struct JobRule<'a> {
    rule: &'a Rule,
    condition: Result<RuleCondition, UnresolvedRuleError>,
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
    scorers: &PerSide<Result<RuleScorer<'_>, UndefinedError>>,
) -> JobRuleReport {
    let score_each = |side: RuleSide| {
        rules.get(side).iter().map(|rule| score_rule(context, rule, scorers.get(side))).collect::<Vec<_>>()
    };
    let score_count = |side: RuleSide, name: &str| {
        if rules.get(side).is_empty() {
            return Err(UndefinedError::because(format!("the job has no {name} rules")));
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

/// Lists the rules whose feature does not exist, entry rules first, each feature once.
fn unresolved(rules: &PerSide<Vec<JobRule<'_>>>) -> Vec<UnresolvedRuleError> {
    let mut unresolved: Vec<UnresolvedRuleError> = Vec::new();
    for rule in rules.entry.iter().chain(&rules.exit) {
        // Several rules may name the same unknown feature.
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
    scorer: &Result<RuleScorer<'_>, UndefinedError>,
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
    let development_values = context.splits().development.train_rows.iter().map(|&row| values[row as usize]);
    let remark = remark(rule, &development, development_values);
    ScoredJobRule {
        rule: rule.clone(),
        resolved_feature,
        nearest_threshold: remark.as_ref().and_then(|remark| Finite::new(remark.nearest_threshold?)),
        reason: remark.map(|remark| remark.text),
        development: Some(development),
        test: Some(scorer.test(&holds)),
    }
}

/// Scores the rows on which the number of rules that hold reaches the job's score threshold. NaN
/// satisfies no rule.
fn score_satisfied(
    context: &RuleContext<'_>,
    rules: &[JobRule<'_>],
    scorer: &Result<RuleScorer<'_>, UndefinedError>,
    side: RuleSide,
) -> RuleScore {
    let threshold = context.requested.score_threshold(side);
    let conditions: Vec<&RuleCondition> = rules.iter().filter_map(|rule| rule.condition.as_ref().ok()).collect();
    let table = context.table();
    let is_satisfied = |row: u32| {
        let holds = |condition: &&&RuleCondition| condition.holds(table.column(condition.feature_idx)[row as usize]);
        conditions.iter().filter(holds).count() >= threshold as usize
    };
    // With fewer conditions than the threshold requires, no row could reach the threshold, and
    // there would be no rows to compute statistics from.
    let scorer = if threshold as usize <= conditions.len() {
        scorer.as_ref().map_err(ToString::to_string)
    } else {
        Err(format!("resolved rules: found {}, expected at least {threshold}", conditions.len()))
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

/// Returns the condition of a rule on the feature table.
fn resolve_condition(context: &RuleContext<'_>, rule: &Rule) -> Result<RuleCondition, UnresolvedRuleError> {
    let feature_idx = resolve_feature(context, &rule.feature)?;
    // A threshold beyond the range of `f32` must stay finite: an infinite threshold would equal an
    // infinite feature value.
    let threshold = (rule.threshold as f32).clamp(f32::MIN, f32::MAX);
    Ok(RuleCondition { feature_idx, operator: rule.operator, threshold })
}

/// Returns the column of a feature by the name that the job uses.
fn resolve_feature(context: &RuleContext<'_>, requested: &str) -> Result<usize, UnresolvedRuleError> {
    let features = context.requested.features;
    let name = features.canonical.get(requested).map_or(requested, String::as_str);
    if let Some(idx) = context.table().names.iter().position(|other| other == name) {
        return Ok(idx);
    }
    let unknown = features.unresolved.iter().find(|unresolved| unresolved.requested == requested);
    let left_out = features.left_out.iter().find(|left_out| left_out.name == name);
    let reason = match (unknown, left_out) {
        (Some(unknown), _) => unknown.to_string(),
        (None, Some(left_out)) => format!("`{requested}` is left out: {}", left_out.missing),
        (None, None) => format!("`{requested}` is not in the feature table"),
    };
    let nearest = unknown.and_then(|unknown| unknown.nearest.clone());
    Err(UnresolvedRuleError { feature: requested.to_owned(), reason, nearest })
}

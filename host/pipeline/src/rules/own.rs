//! The job's own entry and exit rules, scored on the chosen label.
//!
//! In: the job's rules, what became of their names, the judges of both sides. Out: [`RuleReport`], and the rules that a
//! strategy can follow. The rules come from the job, not from the bars, so the development rows judge them fairly; the
//! test rows do so once more, apart.

use serde::Serialize;

use super::{
    Asked, Judges,
    book::{Clause, Conjunction},
    evidence::{Evidence, Judge},
    score::{self, RuleScore},
    truth::RuleSide,
};
use crate::{
    features::FeatureReport,
    metrics::{Finite, Reasons, Undefined},
    search::Study,
};
use oculus_job::request::{Operator, Rule};

/// All rules of a job, scored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleReport {
    /// Entry rules, in the job's order.
    pub entry_rules: Vec<ScoredRule>,
    /// Exit rules, in the job's order.
    pub exit_rules: Vec<ScoredRule>,
    /// What counting satisfied entry rules does; `None` without entry rules.
    pub entry_score: Option<RuleScore>,
    /// What counting satisfied exit rules does; `None` without exit rules.
    pub exit_score: Option<RuleScore>,
    /// Rules whose feature does not exist, and why.
    pub unresolved: Vec<UnresolvedRule>,
    /// Why a score is null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// A rule of the job with what it is worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredRule {
    /// The rule as the job writes it.
    #[serde(flatten)]
    pub rule: Rule,
    /// The feature's name here; `None` where there is no such feature.
    pub resolved_feature: Option<String>,
    /// Before the test period; `None` for an unresolved rule.
    pub development: Option<Evidence>,
    /// In the test period.
    pub test: Option<Evidence>,
    /// For a rule that is never true before the test: the nearest threshold that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest_threshold: Option<Finite>,
    /// Why something is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A rule that cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnresolvedRule {
    /// The feature as the job writes it.
    pub feature: String,
    /// Why there is no such feature.
    pub reason: String,
    /// The known name most like it.
    pub nearest: Option<String>,
}

/// Scores all rules of a job.
pub(super) fn score(study: &Study<'_>, judges: &Judges<'_>, asked: &Asked<'_>) -> RuleReport {
    let entry = side(study, judges, asked, RuleSide::Entry);
    let exit = side(study, judges, asked, RuleSide::Exit);
    let mut unresolved: Vec<UnresolvedRule> = Vec::new();
    for rule in asked.entry_rules.iter().chain(asked.exit_rules) {
        let problem = resolve(study, asked.features, &rule.feature).err();
        unresolved.extend(problem.filter(|problem| !unresolved.contains(problem)));
    }
    let mut reasons = Reasons::default();
    let none = |which| Undefined::because(format!("the job has no {which} rules"));
    RuleReport {
        entry_rules: entry.0,
        exit_rules: exit.0,
        entry_score: reasons.value("entry_score", entry.1.ok_or_else(|| none("entry"))),
        exit_score: reasons.value("exit_score", exit.1.ok_or_else(|| none("exit"))),
        unresolved,
        reasons,
    }
}

fn side(
    study: &Study<'_>,
    judges: &Judges<'_>,
    asked: &Asked<'_>,
    side: RuleSide,
) -> (Vec<ScoredRule>, Option<RuleScore>) {
    let (rules, threshold) = asked.of(side);
    let judge = judges.get(side);
    let mut scored = Vec::with_capacity(rules.len());
    let mut columns = Vec::new();
    for rule in rules {
        let column = resolve(study, asked.features, &rule.feature);
        scored.push(score_rule(study, judge, rule, &column));
        columns.extend(column.ok().map(|idx| (rule, study.table.column(idx))));
    }
    let count = (!rules.is_empty()).then(|| score::score(judge, rules.len(), &columns, threshold));
    (scored, count)
}

/// The rules that a strategy can follow: those whose feature exists.
pub(super) fn followed(study: &Study<'_>, asked: &Asked<'_>, side: RuleSide) -> Vec<Conjunction> {
    let followed = |rule: &Rule| {
        let feature_idx = resolve(study, asked.features, &rule.feature).ok()?;
        let clause = Clause { feature_idx, operator: rule.operator, threshold: threshold(rule) };
        Some(Conjunction(vec![clause]))
    };
    asked.of(side).0.iter().filter_map(followed).collect()
}

fn score_rule(
    study: &Study<'_>,
    judge: &Result<Judge<'_>, Undefined>,
    rule: &Rule,
    column: &Result<usize, UnresolvedRule>,
) -> ScoredRule {
    let mut scored = ScoredRule {
        rule: rule.clone(),
        resolved_feature: None,
        development: None,
        test: None,
        nearest_threshold: None,
        reason: None,
    };
    let feature_idx = match column {
        Ok(feature_idx) => *feature_idx,
        Err(problem) => return ScoredRule { reason: Some(problem.reason.clone()), ..scored },
    };
    scored.resolved_feature = Some(study.table.names[feature_idx].clone());
    let judge = match judge {
        Ok(judge) => judge,
        Err(reason) => return ScoredRule { reason: Some(reason.to_string()), ..scored },
    };
    let values = study.table.column(feature_idx);
    let holds = |row: u32| holds(rule, values[row as usize]);
    let development = judge.development(&holds);
    if development.support == 0 {
        let nearest = nearest_threshold(rule, judge.development_rows().iter().map(|&row| values[row as usize]));
        scored.nearest_threshold = nearest.and_then(Finite::of);
        scored.reason = Some(never_true(rule, development.n_rows, nearest));
    }
    scored.development = Some(development);
    scored.test = Some(judge.test(&holds));
    scored
}

/// Whether a feature's value satisfies a rule.
///
/// Features are `f32`, so the threshold is taken as one too: what equals it as written would else lie beside it.
pub(super) fn holds(rule: &Rule, value: f32) -> bool {
    rule.operator.holds(f64::from(value), f64::from(threshold(rule)))
}

/// The threshold as features are: what no feature reaches stays finite.
fn threshold(rule: &Rule) -> f32 {
    (rule.threshold as f32).clamp(f32::MIN, f32::MAX)
}

fn never_true(rule: &Rule, n_rows: usize, nearest: Option<f64>) -> String {
    let sign = rule.operator.sign();
    let said = format!("{} {sign} {} is never true on {n_rows} rows", rule.feature, rule.threshold);
    match nearest {
        Some(nearest) => format!("{said}; {sign} {nearest} would be"),
        None => format!("{said}, and no other threshold would change that"),
    }
}

/// The threshold nearest to the rule's own with which it holds on some row; `None` where there is no such threshold.
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

/// The column of a feature as the job spells it.
fn resolve(study: &Study<'_>, features: &FeatureReport, asked: &str) -> Result<usize, UnresolvedRule> {
    let name = features.canonical.get(asked).map_or(asked, String::as_str);
    if let Some(idx) = study.table.names.iter().position(|other| other == name) {
        return Ok(idx);
    }
    let unknown = features.unresolved.iter().find(|unresolved| unresolved.asked == asked);
    let left_out = features.left_out.iter().find(|left_out| left_out.name == name);
    let (reason, nearest) = match (unknown, left_out) {
        (Some(unknown), _) => (unknown.to_string(), unknown.nearest.clone()),
        (None, Some(left_out)) => (format!("`{asked}` is left out: {}", left_out.lack), None),
        (None, None) => (format!("`{asked}` is not in the feature table"), None),
    };
    Err(UnresolvedRule { feature: asked.to_owned(), reason, nearest })
}

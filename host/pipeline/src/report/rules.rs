//! `extracted_rules`: mined rules and the job's own rules with their scores, and the most important features.
//!
//! `entry_rules` and `exit_rules` hold single conditions in the job's own form, `rule_sets` conjunctions: the mined first,
//! then the job's own that exist here and held at least once before the test, so a backend that deploys them deploys rules
//! that fire. The figures at the head of a mined rule are its walk-forward ones, of the job's own those of the development
//! rows, which they were not made from. `suggested_rules` has all of the job's own, and what is wrong with those left out.

use oculus_job::request::{Operator, Rule};
use serde::{Deserialize, Serialize};

use crate::{
    features::FeatureTable,
    metrics::{Finite, Interval, Reasons, Undefined, shortest_decimal},
    models::Winner,
    rules::{
        DescribedRule, JobRuleReport, PerSide, RuleCondition, RuleListName, RuleResults, RuleSide, RuleStats,
        ScoredJobRule, ScoredMinedRule, SideListStats,
    },
};

/// Features listed at most.
const MAX_TOP_FEATURES: usize = 20;

/// Rules and features of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtractedRules {
    /// Single conditions that speak for opening.
    pub entry_rules: Vec<DesignRule>,
    /// Single conditions that speak for closing.
    pub exit_rules: Vec<DesignRule>,
    /// Conjunctions of either side.
    pub rule_sets: Vec<MinedConjunction>,
    /// What the lists of mined rules are worth as wholes.
    pub lists: PerSide<SideListStats>,
    /// Features of the winner, most important first.
    pub top_features: Vec<Importance>,
    /// The job's own rules, all of them, scored.
    pub suggested_rules: JobRuleReport,
}

/// A rule in the job's own form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DesignRule {
    /// Feature, operator, threshold, description.
    #[serde(flatten)]
    pub rule: Rule,
    /// What it is worth.
    #[serde(flatten)]
    pub worth: Worth,
}

/// Conditions that hold together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinedConjunction {
    /// What they speak for.
    pub side: RuleSide,
    /// At least two.
    pub conditions: Vec<Comparison>,
    /// What they mean, for people.
    pub description: String,
    /// What they are worth.
    #[serde(flatten)]
    pub worth: Worth,
}

/// One condition of a set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The feature's name here.
    pub feature: String,
    /// How its value is compared.
    pub operator: Operator,
    /// With what.
    pub threshold: f64,
}

/// What a rule is worth: its figures, and the evidence behind them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Worth {
    /// Rows on which it held.
    pub support: Option<usize>,
    /// Occasions that share no bar of their symbol.
    pub episodes: Option<usize>,
    /// Share of hits among the rows.
    pub precision: Option<Finite>,
    /// Share of hits among all rows.
    pub base_rate: Option<Finite>,
    /// Precision divided by base rate.
    pub lift: Option<Finite>,
    /// Its 95 % interval.
    pub lift_ci95: Option<Interval>,
    /// Mean return over the horizon after such rows, in percent.
    pub mean_forward_return_pct: Option<Finite>,
    /// Where it comes from.
    #[serde(flatten)]
    pub source: RuleOrigin,
    /// In the test period.
    pub test: Option<RuleStats>,
    /// Why something is null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Where a rule comes from, with the evidence that only rules from there have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum RuleOrigin {
    /// From bars.
    Mined {
        /// The lists that it is in.
        lists: Vec<RuleListName>,
        /// Share of the extractor's resamples in which it came up.
        stability: Option<Finite>,
        /// How many folds found it, such as `2 of 3`.
        folds_found: String,
        /// On rows after those that each fold mined it from.
        walk_forward: Option<Box<RuleStats>>,
        /// On the rows that it was mined from: flattered.
        in_sample: Box<RuleStats>,
    },
    /// From the job.
    Job {
        /// Before the test period.
        development: Box<RuleStats>,
    },
}

/// A feature with its share of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// Its name.
    pub feature: String,
    /// Share of the importance of all features, 0 to 1.
    pub importance: Finite,
}

pub(super) fn extracted(table: &FeatureTable, winner: &Winner, rules: &RuleResults) -> ExtractedRules {
    let RuleResults { job_rules, mined_rules, .. } = rules;
    let entry_rules = singles(table, &mined_rules.entry.rules).chain(that_fire(&job_rules.entry_rules)).collect();
    let exit_rules = singles(table, &mined_rules.exit.rules).chain(that_fire(&job_rules.exit_rules)).collect();
    let sets = |side| conjunctions(table, side, &mined_rules.get(side).rules);
    ExtractedRules {
        entry_rules,
        exit_rules,
        rule_sets: sets(RuleSide::Entry).chain(sets(RuleSide::Exit)).collect(),
        lists: PerSide::from_fn(|side| mined_rules.get(side).lists.clone()),
        top_features: top_features(table, winner.importance.as_deref().unwrap_or_default()),
        suggested_rules: job_rules.clone(),
    }
}

fn singles(table: &FeatureTable, found: &[DescribedRule]) -> impl Iterator<Item = DesignRule> {
    found.iter().filter_map(|found| {
        let [condition] = found.scored.rule.0.as_slice() else { return None };
        let Comparison { feature, operator, threshold } = comparison(table, condition);
        let rule = Rule { feature, operator, threshold, description: found.description.clone() };
        Some(DesignRule { rule, worth: Worth::from_mined(&found.scored) })
    })
}

fn conjunctions(
    table: &FeatureTable,
    side: RuleSide,
    found: &[DescribedRule],
) -> impl Iterator<Item = MinedConjunction> {
    let several = found.iter().filter(|found| found.scored.rule.0.len() > 1);
    several.map(move |found| MinedConjunction {
        side,
        conditions: found.scored.rule.0.iter().map(|condition| comparison(table, condition)).collect(),
        description: found.description.clone(),
        worth: Worth::from_mined(&found.scored),
    })
}

fn comparison(table: &FeatureTable, condition: &RuleCondition) -> Comparison {
    let threshold = shortest_decimal(condition.threshold);
    Comparison { feature: table.names[condition.feature_idx].clone(), operator: condition.operator, threshold }
}

fn that_fire(rules: &[ScoredJobRule]) -> impl Iterator<Item = DesignRule> {
    rules.iter().filter_map(|scored| {
        let evidence = scored.development.as_ref().filter(|evidence| evidence.support > 0)?;
        let source = RuleOrigin::Job { development: Box::new(evidence.clone()) };
        let worth = Worth::new(Ok(evidence), source, scored.test.clone(), Reasons::default());
        Some(DesignRule { rule: scored.rule.clone(), worth })
    })
}

impl Worth {
    fn from_mined(found: &ScoredMinedRule) -> Self {
        let mut reasons = Reasons::default();
        let source = RuleOrigin::Mined {
            lists: found.lists.clone(),
            stability: reasons.figure("stability", found.stability.clone()),
            folds_found: format!("{} of {}", found.n_folds_found, found.n_folds),
            walk_forward: reasons.value("walk_forward", found.walk_forward.clone()).map(Box::new),
            in_sample: Box::new(found.in_sample.clone()),
        };
        Self::new(found.walk_forward.as_ref(), source, Some(found.test.clone()), reasons)
    }

    /// The figures of some evidence at the head.
    fn new(
        evidence: Result<&RuleStats, &Undefined>,
        source: RuleOrigin,
        test: Option<RuleStats>,
        mut reasons: Reasons,
    ) -> Self {
        let missing = |name: &str| match evidence {
            Ok(evidence) => Undefined::because(evidence.reasons.get(name).unwrap_or("it is not known")),
            Err(why) => why.clone(),
        };
        let mut figure = |name: &'static str, of: fn(&RuleStats) -> Option<Finite>| {
            reasons.value(name, evidence.ok().and_then(of).ok_or_else(|| missing(name)))
        };
        let precision = figure("precision", |evidence| evidence.precision);
        let base_rate = figure("base_rate", |evidence| evidence.base_rate);
        let lift = figure("lift", |evidence| evidence.lift);
        let mean_forward_return_pct = figure("mean_forward_return_pct", |evidence| evidence.mean_forward_return_pct);
        let interval = evidence.ok().and_then(|evidence| evidence.lift_ci95);
        let counted = |of: fn(&RuleStats) -> usize| evidence.map(of).map_err(Undefined::clone);
        Self {
            support: reasons.value("support", counted(|evidence| evidence.support)),
            episodes: reasons.value("episodes", counted(|evidence| evidence.episodes)),
            precision,
            base_rate,
            lift,
            lift_ci95: reasons.value("lift_ci95", interval.ok_or_else(|| missing("lift_ci95"))),
            mean_forward_return_pct,
            source,
            test,
            reasons,
        }
    }
}

/// Shares, most important first, equals by name; features that the model does not use are left out.
pub(super) fn top_features(table: &FeatureTable, importance: &[f64]) -> Vec<Importance> {
    let used = |value: f64| value.is_finite() && value > 0.0;
    let total: f64 = importance.iter().copied().filter(|&value| used(value)).sum();
    let mut features: Vec<Importance> = table
        .names
        .iter()
        .zip(importance)
        .filter(|(_, value)| used(**value))
        .filter_map(|(name, value)| Some(Importance { feature: name.clone(), importance: Finite::new(value / total)? }))
        .collect();
    features.sort_by(|a, b| b.importance.get().total_cmp(&a.importance.get()).then_with(|| a.feature.cmp(&b.feature)));
    features.truncate(MAX_TOP_FEATURES);
    features
}

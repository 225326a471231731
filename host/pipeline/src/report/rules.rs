//! `extracted_rules`: mined rules and the job's own rules with their scores, and the most important
//! features.
//!
//! In: the rules with their scores, and the winner. Out: the [`ExtractedRules`]. `entry_rules` and
//! `exit_rules` contain single conditions in the form of the job's rules; `rule_sets` contains
//! conjunctions. Mined rules are listed first, then the job's own rules that held at least once
//! before the test period. So each rule that a backend deploys from these lists has held at least
//! once. `suggested_rules` contains all of the job's own rules, with the reason for each rule that
//! was left out of the other lists.
//!
//! The figures at the top level of a mined rule are the walk-forward figures of its list. The rule's
//! own walk-forward figures are in `selected`, because the rule was selected by the last run. The
//! figures at the top level of a job's own rule are computed on the development rows, because the rule was not
//! mined from these rows.

use oculus_job::request::{Operator, Rule, operator_schema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    features::FeatureTable,
    metrics::{Finite, Interval, Reasons, UndefinedError, shortest_decimal},
    models::Winner,
    rules::{
        JobRuleReport, MinedRules, PerSide, RuleCondition, RuleListName, RuleResults, RuleSide, RuleStats,
        ScoredJobRule, ScoredMinedRule, SideListStats,
    },
};

/// Maximum number of listed features.
const MAX_TOP_FEATURES: usize = 20;

/// Rules and features of a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExtractedRules {
    /// Scores of the lists of mined rules.
    pub lists: PerSide<SideListStats>,
    /// Single conditions for opening a position: mined ones and those of the job. A hit is a row
    /// whose label is true.
    #[schemars(extend("x-contract" = true))]
    pub entry_rules: Vec<DesignRule>,
    /// Single conditions for closing a position: mined ones and those of the job. A hit is a row
    /// after which the price falls as much as the label demands of a rise.
    #[schemars(extend("x-contract" = true))]
    pub exit_rules: Vec<DesignRule>,
    /// Mined conjunctions of both sides.
    pub rule_sets: Vec<MinedConjunction>,
    /// Features of the winner, most important first.
    #[schemars(extend("x-contract" = true))]
    pub top_features: Vec<FeatureImportance>,
    /// Figures of the job's own rules, also of those together that the job combines.
    pub suggested_rules: JobRuleReport,
}

/// A rule with a single condition, in the form of the job's rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DesignRule {
    /// Feature, operator, threshold and description.
    #[serde(flatten)]
    pub rule: Rule,
    /// Figures of the rule, and the row sets from which they were computed.
    #[serde(flatten)]
    pub evidence: RuleEvidence,
}

/// A mined rule with several conditions, all of which must hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MinedConjunction {
    /// The decision that the rule supports.
    pub side: RuleSide,
    /// At least two conditions.
    pub conditions: Vec<Comparison>,
    /// The rule in one plain English sentence.
    pub description: String,
    /// Figures of the rule, and the row sets from which they were computed.
    #[serde(flatten)]
    pub evidence: RuleEvidence,
}

/// One condition of a conjunction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Canonical name of the feature.
    pub feature: String,
    /// Comparison operator.
    #[schemars(schema_with = "operator_schema")]
    pub operator: Operator,
    /// Value that the feature is compared with.
    pub threshold: f64,
}

/// Figures of a rule, and the row sets from which they were computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RuleEvidence {
    /// The rules whose figures follow. For a mined rule, these are all rules of its list.
    pub figures_of: FiguresOf,
    /// Number of rows on which the rule held; for a list, the number of pairs of a rule and a row;
    /// null if no fold has a rule in the list.
    pub support: Option<usize>,
    /// Number of groups of rows on which a rule held; for a list, the sum over its rules. Two
    /// groups of one rule do not share a bar of a symbol. Null together with `support`.
    pub episodes: Option<usize>,
    /// Share of hits among the rows on which the rule held, 0 to 1; null if there are none.
    pub precision: Option<Finite>,
    /// Share of hits among all rows, 0 to 1; null without labelled rows.
    pub base_rate: Option<Finite>,
    /// Precision divided by base rate; null if one of them is null, or if the base rate is 0.
    pub lift: Option<Finite>,
    /// 95 % interval of the lift; null if there are fewer dates than two blocks of twice the
    /// horizon, or if the rule held on every row.
    pub lift_ci95: Option<Interval>,
    /// Mean return over the horizon after these rows, in percent; null if there are none.
    pub mean_forward_return_pct: Option<Finite>,
    /// Origin of the rule, with the statistics that only rules of this origin have.
    #[serde(flatten)]
    pub source: RuleOrigin,
    /// Statistics of this rule in the test period; never null for a rule that is listed.
    pub test: Option<RuleStats>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The rules whose figures stand at the top level of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FiguresOf {
    /// Every rule of every fold's stable list, walk-forward.
    StableList,
    /// Every rule of every fold's high-lift list, walk-forward.
    HighLiftList,
    /// The rule itself, on the rows before the test period.
    Rule,
}

/// The origin of a rule, with the statistics that only rules of this origin have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum RuleOrigin {
    /// The rule was mined from bars.
    Mined {
        /// The lists that contain the rule.
        lists: Vec<RuleListName>,
        /// Share of the extractor's resamples that contain the rule; null if it reports none.
        stability: Option<Finite>,
        /// Number of folds that found the rule, such as `2 of 3`.
        folds_found: String,
        /// Statistics of this rule on the validation rows of the folds that found it. They are
        /// biased upwards: the rule is reported because the last run found it again.
        selected: Option<Box<RuleStats>>,
        /// Statistics on the rows that the rule was mined from; they are biased upwards.
        in_sample: Box<RuleStats>,
    },
    /// The rule comes from the job.
    Job {
        /// Statistics before the test period.
        development: Box<RuleStats>,
    },
}

/// A feature with its share of the winner's importance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureImportance {
    /// Name of the feature.
    pub feature: String,
    /// Share of the importance of all features, 0 to 1.
    pub importance: Finite,
}

/// Builds the section of the rules.
pub(super) fn extracted(table: &FeatureTable, winner: &Winner, rules: &RuleResults) -> ExtractedRules {
    let RuleResults { job_rules, mined_rules, .. } = rules;
    let entry_rules = singles(table, &mined_rules.entry).chain(ever_true(&job_rules.entry_rules)).collect();
    let exit_rules = singles(table, &mined_rules.exit).chain(ever_true(&job_rules.exit_rules)).collect();
    let sets = |side| conjunctions(table, side, mined_rules.get(side));
    ExtractedRules {
        lists: PerSide::from_fn(|side| mined_rules.get(side).lists.clone()),
        entry_rules,
        exit_rules,
        rule_sets: sets(RuleSide::Entry).chain(sets(RuleSide::Exit)).collect(),
        top_features: top_features(table, winner.importance.as_deref().unwrap_or_default()),
        suggested_rules: job_rules.clone(),
    }
}

/// Returns the mined rules that have a single condition.
fn singles(table: &FeatureTable, mined_rules: &MinedRules) -> impl Iterator<Item = DesignRule> {
    mined_rules.rules.iter().filter_map(|mined| {
        let [condition] = mined.scored.rule.0.as_slice() else { return None };
        let Comparison { feature, operator, threshold } = comparison(table, condition);
        let rule = Rule { feature, operator, threshold, description: mined.description.clone() };
        Some(DesignRule { rule, evidence: RuleEvidence::from_mined(&mined.scored, &mined_rules.lists) })
    })
}

/// Returns the mined rules that have several conditions.
fn conjunctions(
    table: &FeatureTable,
    side: RuleSide,
    mined_rules: &MinedRules,
) -> impl Iterator<Item = MinedConjunction> {
    let several = mined_rules.rules.iter().filter(|mined| mined.scored.rule.0.len() > 1);
    several.map(move |mined| MinedConjunction {
        side,
        conditions: mined.scored.rule.0.iter().map(|condition| comparison(table, condition)).collect(),
        description: mined.description.clone(),
        evidence: RuleEvidence::from_mined(&mined.scored, &mined_rules.lists),
    })
}

fn comparison(table: &FeatureTable, condition: &RuleCondition) -> Comparison {
    // The shortest decimal parses back to the same `f32`, so a job that sends the rule selects the
    // same rows.
    let threshold = shortest_decimal(condition.threshold);
    Comparison { feature: table.names[condition.feature_idx].clone(), operator: condition.operator, threshold }
}

/// Returns the job's own rules that held at least once before the test period.
fn ever_true(rules: &[ScoredJobRule]) -> impl Iterator<Item = DesignRule> {
    rules.iter().filter_map(|scored| {
        let stats = scored.development.as_ref().filter(|stats| stats.support > 0)?;
        let source = RuleOrigin::Job { development: Box::new(stats.clone()) };
        let evidence = RuleEvidence::new(FiguresOf::Rule, Ok(stats), source, scored.test.clone(), Reasons::default());
        Some(DesignRule { rule: scored.rule.clone(), evidence })
    })
}

impl From<Option<RuleListName>> for FiguresOf {
    fn from(list: Option<RuleListName>) -> Self {
        match list {
            Some(RuleListName::Stable) => Self::StableList,
            Some(RuleListName::HighLift) => Self::HighLiftList,
            None => Self::Rule,
        }
    }
}

impl RuleEvidence {
    /// Returns the evidence of a mined rule. The top-level figures are the unselected ones of its
    /// list.
    fn from_mined(mined: &ScoredMinedRule, lists: &SideListStats) -> Self {
        let mut reasons = Reasons::default();
        let source = RuleOrigin::Mined {
            lists: mined.lists.clone(),
            stability: reasons.figure("stability", mined.stability.clone()),
            folds_found: format!("{} of {}", mined.n_folds_found, mined.n_folds),
            selected: reasons.value("selected", mined.selected.clone()).map(Box::new),
            in_sample: Box::new(mined.in_sample.clone()),
        };
        let unselected = lists.unselected(&mined.lists);
        let list = unselected.as_ref().map_or(mined.lists.first().copied(), |(name, _)| Some(*name));
        let stats = unselected.as_ref().map(|(_, stats)| *stats);
        Self::new(FiguresOf::from(list), stats, source, Some(mined.test.clone()), reasons)
    }

    /// Copies the figures of `stats` to the top level.
    fn new(
        figures_of: FiguresOf,
        stats: Result<&RuleStats, &UndefinedError>,
        source: RuleOrigin,
        test: Option<RuleStats>,
        mut reasons: Reasons,
    ) -> Self {
        let missing = |name: &str| match stats {
            Ok(stats) => UndefinedError::because(stats.reasons.get(name).unwrap_or("the figure was not computed")),
            Err(reason) => reason.clone(),
        };
        let mut figure = |name: &'static str, select: fn(&RuleStats) -> Option<Finite>| {
            reasons.value(name, stats.ok().and_then(select).ok_or_else(|| missing(name)))
        };
        let precision = figure("precision", |stats| stats.precision);
        let base_rate = figure("base_rate", |stats| stats.base_rate);
        let lift = figure("lift", |stats| stats.lift);
        let mean_forward_return_pct = figure("mean_forward_return_pct", |stats| stats.mean_forward_return_pct);
        let interval = stats.ok().and_then(|stats| stats.lift_ci95);
        let count = |select: fn(&RuleStats) -> usize| stats.map(select).map_err(UndefinedError::clone);
        Self {
            figures_of,
            support: reasons.value("support", count(|stats| stats.support)),
            episodes: reasons.value("episodes", count(|stats| stats.episodes)),
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

/// Returns the shares of the features that the model uses, most important first; equal shares are
/// sorted by name.
pub(super) fn top_features(table: &FeatureTable, importance: &[f64]) -> Vec<FeatureImportance> {
    // The importance comes from a plugin, so it may be NaN or negative; such features are treated
    // as unused.
    let used = |value: f64| value.is_finite() && value > 0.0;
    let total: f64 = importance.iter().copied().filter(|&value| used(value)).sum();
    let mut features: Vec<FeatureImportance> = table
        .names
        .iter()
        .zip(importance)
        .filter(|(_, value)| used(**value))
        .filter_map(|(name, value)| {
            Some(FeatureImportance { feature: name.clone(), importance: Finite::new(value / total)? })
        })
        .collect();
    features.sort_by(|a, b| b.importance.get().total_cmp(&a.importance.get()).then_with(|| a.feature.cmp(&b.feature)));
    features.truncate(MAX_TOP_FEATURES);
    features
}

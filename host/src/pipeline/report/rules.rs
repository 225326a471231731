//! `extracted_rules`: the job's rules in its own form with what they are worth, and what the model looked at.
//!
//! Mined rules are no part of it yet, so `entry_rules` and `exit_rules` hold those of the job's own that exist here and
//! held at least once before the test: a backend that deploys them deploys rules that fire. Their figures are those of
//! the development rows; `suggested_rules` has all of the job's rules, the test's figures too, and what is wrong with
//! those left out.

use serde::Serialize;

use super::{FeatureTable, Finite};
use crate::{
    job::request::Rule,
    pipeline::{
        metrics::Interval,
        models::Winner,
        rules::{RuleReport, ScoredRule},
    },
};

/// Features listed at most.
const MAX_TOP_FEATURES: usize = 20;

/// Rules and features of a result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExtractedRules {
    /// Single conditions that speak for opening.
    pub entry_rules: Vec<DesignRule>,
    /// Single conditions that speak for closing.
    pub exit_rules: Vec<DesignRule>,
    /// Conjunctions: none, since no rules are mined.
    pub rule_sets: [(); 0],
    /// What the winner looked at most, most important first.
    pub top_features: Vec<Importance>,
    /// The job's own rules, all of them, scored.
    pub suggested_rules: RuleReport,
}

/// A rule in the job's own form.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DesignRule {
    /// Feature, operator, threshold, description.
    #[serde(flatten)]
    pub rule: Rule,
    /// Rows before the test on which it held.
    pub support: usize,
    /// Share of hits among them.
    pub precision: Option<Finite>,
    /// Precision divided by base rate.
    pub lift: Option<Finite>,
    /// Its 95 % interval.
    pub lift_ci95: Option<Interval>,
}

/// A feature with its share of the model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Importance {
    /// Its name.
    pub feature: String,
    /// Share of the importance of all features, 0 to 1.
    pub importance: Finite,
}

pub(super) fn extracted(table: &FeatureTable, winner: &Winner, rules: &RuleReport) -> ExtractedRules {
    ExtractedRules {
        entry_rules: that_fire(&rules.entry_rules),
        exit_rules: that_fire(&rules.exit_rules),
        rule_sets: [],
        top_features: top_features(table, winner.importance.as_deref().unwrap_or_default()),
        suggested_rules: rules.clone(),
    }
}

fn that_fire(rules: &[ScoredRule]) -> Vec<DesignRule> {
    let design_rule = |scored: &ScoredRule| {
        let evidence = scored.development.as_ref().filter(|evidence| evidence.support > 0)?;
        Some(DesignRule {
            rule: scored.rule.clone(),
            support: evidence.support,
            precision: evidence.precision,
            lift: evidence.lift,
            lift_ci95: evidence.lift_ci95,
        })
    };
    rules.iter().filter_map(design_rule).collect()
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
        .filter_map(|(name, value)| Some(Importance { feature: name.clone(), importance: Finite::of(value / total)? }))
        .collect();
    features.sort_by(|a, b| b.importance.get().total_cmp(&a.importance.get()).then_with(|| a.feature.cmp(&b.feature)));
    features.truncate(MAX_TOP_FEATURES);
    features
}

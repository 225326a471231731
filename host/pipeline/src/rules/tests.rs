//! Claims about the rule stage, and the inputs that its tests share.

mod describe;
mod example_bars;
mod job_rules;
mod lift_interval;
pub(crate) mod miner;
mod mining;

use oculus_job::request::Rule;
use oculus_plugin_api::Operator;
use serde_json::Map;

use super::*;
use crate::{
    features::FeatureReport,
    metrics::UndefinedError,
    search::{OutOfFold, SearchResult, tests::panel::Panel},
};

fn rule(feature: &str, operator: Operator, threshold: f64) -> Rule {
    Rule { feature: feature.to_owned(), operator, threshold, description: "why".to_owned() }
}

/// Returns the whole numbers of a sentence, in order.
pub(crate) fn numbers(sentence: &str) -> Vec<usize> {
    sentence.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// Returns the requested rules of a job that has none.
fn no_rules(features: &FeatureReport) -> RequestedRules<'_> {
    RequestedRules { entry_rules: &[], exit_rules: &[], entry_score_threshold: 1, exit_score_threshold: 1, features }
}

/// Returns a search result that chose a label and has no scores.
fn without_model(label_idx: usize) -> SearchResult {
    SearchResult {
        label_idx,
        median_label_idx: label_idx,
        params: Map::new(),
        oof: OutOfFold::default(),
        baseline: None,
        score: None,
        auc: None,
        baseline_auc: None,
        gain_over_prior: Err(UndefinedError::because("the search was not run")),
        trials: Vec::new(),
        labels: Vec::new(),
        warnings: Vec::new(),
    }
}

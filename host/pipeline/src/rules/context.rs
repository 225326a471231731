//! Inputs of the rule stage, shared by all of its steps.

use oculus_job::request::Rule;
use serde_json::{Map, Value};

use super::rule_set::RuleSide;
use crate::{
    features::{FeatureReport, FeatureTable},
    labels::Label,
    metrics::UndefinedError,
    miner::Miner,
    search::{SearchContext, SearchResult},
    splits::Splits,
};

/// Everything that the steps of the rule stage read.
#[derive(Clone)]
pub struct RuleContext<'a> {
    /// Features, labels and splits.
    pub search_context: &'a SearchContext<'a>,
    /// Result of the label and configuration search.
    pub search: &'a SearchResult,
    /// The rule extractor, or the reason why the job has none.
    pub extractor: Result<RuleExtractor<'a>, ExtractorError>,
    /// Rules that the job requests.
    pub requested: RequestedRules<'a>,
}

/// The reason why a job has no rule extractor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExtractorError {
    /// None of the installed plugins was selected; contains the reason.
    #[error("{0}")]
    NotSelected(String),
    /// The selected extractor was not opened on the feature table.
    #[error("the rule extractor was not started")]
    NotOpened,
}

/// A rule extractor and the parameters that the job sets.
#[derive(Clone, Copy)]
pub struct RuleExtractor<'a> {
    /// The extractor, opened on the feature table.
    pub miner: &'a dyn Miner,
    /// Parameters that differ from the extractor's defaults.
    pub params: &'a Map<String, Value>,
}

/// Rules that the job requests, and the resolution of their feature names.
#[derive(Clone, Copy)]
pub struct RequestedRules<'a> {
    /// Rules for opening a position.
    pub entry_rules: &'a [Rule],
    /// Rules for closing a position.
    pub exit_rules: &'a [Rule],
    /// Number of entry rules that must hold at once.
    pub entry_score_threshold: u32,
    /// Number of exit rules that must hold at once.
    pub exit_score_threshold: u32,
    /// Canonical, unresolved and omitted feature names.
    pub features: &'a FeatureReport,
}

impl<'a> RequestedRules<'a> {
    /// Returns the rules of one side.
    pub(super) fn rules(&self, side: RuleSide) -> &'a [Rule] {
        match side {
            RuleSide::Entry => self.entry_rules,
            RuleSide::Exit => self.exit_rules,
        }
    }

    /// Returns the number of rules of one side that must hold at once.
    pub(super) fn score_threshold(&self, side: RuleSide) -> u32 {
        match side {
            RuleSide::Entry => self.entry_score_threshold,
            RuleSide::Exit => self.exit_score_threshold,
        }
    }
}

impl<'a> RuleContext<'a> {
    /// Returns the feature table.
    pub(super) fn table(&self) -> &'a FeatureTable {
        self.search_context.table
    }

    /// Returns the label that the search chose.
    pub(super) fn label(&self) -> &'a Label {
        &self.search_context.labels[self.search.label_idx]
    }

    /// Returns the splits of the chosen label.
    pub(super) fn splits(&self) -> &'a Splits {
        &self.search_context.splits[self.search.label_idx]
    }

    /// Returns the target of one side, one value per row: 1 for a hit, 0 for a miss, NaN where it
    /// is unknown.
    ///
    /// The target of entries is the label. The target of exits is the mirror of the label: a fall
    /// of `threshold_pct` at the end of the same horizon. Both targets are computed from the same `f64`
    /// return, so that both sides are rounded alike.
    ///
    /// # Errors
    /// For exits, returns the reason if the label's threshold is not positive: the mirror of the
    /// label is then not a fall.
    pub(super) fn target(&self, side: RuleSide) -> Result<Vec<f32>, UndefinedError> {
        let label = self.label();
        let threshold_pct = label.key.threshold_pct;
        match side {
            RuleSide::Entry => Ok(label.value.clone()),
            RuleSide::Exit if threshold_pct <= 0.0 => Err(UndefinedError::because(format!(
                "exit rules need a label with a positive threshold, found {threshold_pct} %"
            ))),
            RuleSide::Exit => {
                let fell = |&change: &f64| if change.is_nan() { f32::NAN } else { f32::from(change <= -threshold_pct) };
                Ok(label.forward_return_pct.iter().map(fell).collect())
            }
        }
    }
}

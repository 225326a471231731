//! A valid job, and the configuration that its result states.
//!
//! In: nothing. Out: [`Job`]. Invariant: the fields of [`Job::design_config`] are the wire format
//! and never change.

use serde_json::{Value, json};

use super::design::Design;
use super::timeframe::Timeframe;
use super::training_config::CONTRACT_FLAGS;

/// A valid job: every value is within its range, and every default is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Id in the queue and in progress events: `job_id`, or `build_id` if there is no `job_id`.
    pub id: String,
    /// Id in the result: `build_id`, or `job_id` if there is no `build_id`.
    pub build_id: String,
    /// Owner of the job, or empty if the job does not name one.
    pub user_id: String,
    /// Tickers in the job's order, without duplicates. They are safe as file names.
    pub symbols: Vec<String>,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// The strategy to search for, and how to train its models.
    pub design: Design,
}

impl Job {
    /// Returns the field `design_config` of the result: the configuration with all defaults filled
    /// in.
    pub fn design_config(&self) -> Value {
        let design = &self.design;
        let config = &design.ml_training_config;
        let [neural_networks, lstm] = CONTRACT_FLAGS;
        json!({
            "forward_returns_days_options": design.forward_returns_days_options,
            "profit_threshold_options": design.profit_threshold_options,
            "n_iter_search": design.n_iter_search,
            "cv_folds": config.cv_folds,
            "config_search_model": config.config_search_model,
            // The contract with the backend requires the next two fields. `options` contains them
            // only if the job sets them.
            (neural_networks): config.flag(neural_networks),
            (lstm): config.flag(lstm),
            "symbols": self.symbols,
            "timeframe": self.timeframe,
            "years": design.years,
            "strategy_type": design.strategy_type,
            "strategy_description": design.strategy_description,
            "strategy_rationale": design.strategy_rationale,
            "priority_features": design.priority_features,
            "entry_rules": design.entry_rules,
            "exit_rules": design.exit_rules,
            "entry_score_threshold": design.entry_score_threshold,
            "exit_score_threshold": design.exit_score_threshold,
            "strategy_trials": design.strategy_trials,
            "cost_bps": design.cost_bps,
            "families": config.families,
            "rule_extractor": config.rule_extractor.as_deref().unwrap_or_default(),
            "seed": config.seed,
            "options": config.options,
        })
    }
}

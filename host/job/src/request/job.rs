//! A checked job, and the configuration that its result echoes.
//!
//! In: nothing. Out: [`Job`]. Invariant: the fields of [`Job::design_config`] are the wire format and never change.

use serde_json::{Value, json};

use super::design::Design;
use super::timeframe::Timeframe;
use super::training_config::CONTRACT_FLAGS;

/// A checked job.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Id in the queue and in progress events: `job_id`, else `build_id`.
    pub id: String,
    /// Id that the result echoes: `build_id`, else `job_id`.
    pub build_id: String,
    /// Owner of the job; empty when the job names none.
    pub user_id: String,
    /// Tickers without duplicates, in the job's order; safe as file names.
    pub symbols: Vec<String>,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// The strategy to search for.
    pub design: Design,
}

impl Job {
    /// Returns the configuration with all defaults resolved, as the result echoes it.
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

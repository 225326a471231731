//! The fields of `details` in progress events.
//!
//! In: nothing. Out: [`EventDetails`], which describes the fields for the schema and the page
//! `docs/progress.md`. The parts of the program that report progress write the fields; the contract
//! test `tests/e2e/contract.rs` checks that they write no other field.

use schemars::JsonSchema;
use serde::Serialize;

/// The details of a progress event. A field that does not apply is absent; no field is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct EventDetails {
    /// Text for people.
    pub message: String,
    /// Part of the attempt that is done, 0 to 100; never decreases within an attempt. Absent if no
    /// attempt has run: for an entry that was refused, a job whose workers vanished, and a payload
    /// that has already succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Seconds since the start of the attempt; absent in the same events as `percent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// Estimated remaining seconds of the attempt; absent until they can be estimated, and in events
    /// with another status than `in_progress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eta_s: Option<f64>,
    /// Number of the attempt, from 1; only in the first event of an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// Number of entries that waited in the queue behind this one when the worker took it; only in
    /// the first event of an attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_length: Option<u64>,
    /// Symbol whose bars are read; only in `data_fetch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbol: Option<String>,
    /// Number of bars that were read so far, of all symbols; only in `data_fetch`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_rows: Option<u64>,
    /// Number of pages that were fetched so far, of all symbols; only in `data_fetch`. It is 0 for
    /// bars from files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_pages: Option<u64>,
    /// Estimated remaining seconds of the fetch; only in `data_fetch`, if there is an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch_eta_s: Option<f64>,
    /// Number of the finished trial, from 1; only in `config_search`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<u64>,
    /// Number of trials in the budget; only in `config_search`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_trials: Option<u64>,
    /// Score of the finished trial: its validation AUC minus the larger of 0.5 and the AUC of
    /// volatility alone; absent if the trial has no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Best score so far; absent if no trial has a score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best_score: Option<f64>,
    /// Name of the family that is fitted; only in `training`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// Fits that are in progress: `folds` for the walk-forward folds, `final` for the model that is
    /// tested; only in `training`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["folds", "final"]))]
    pub fit: Option<String>,
    /// Always true; present if this fit is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit_done: Option<bool>,
    /// Number of finished epochs or rounds of the fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// Largest possible number of epochs or rounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_epochs: Option<u64>,
    /// Loss on the training rows in this epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Loss on the rows that decide about early stopping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tune_loss: Option<f64>,
    /// Estimated remaining seconds of this fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_eta_s: Option<f64>,
}

//! `artifact.json`: the description of an artifact's folder, with everything that its use needs.

use oculus_job::request::Timeframe;
use oculus_plugin_api::FeatureRole;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the folder's format; a reader refuses a higher one.
pub(super) const FORMAT_VERSION: u32 = 1;
/// The description's file.
pub(super) const DESCRIPTION: &str = "artifact.json";
/// The winner's scores.
pub(super) const PREDICTIONS: &str = "predictions.csv";
/// The chosen strategy's equity by date.
pub(super) const EQUITY: &str = "equity.parquet";
/// The equity curves as a picture.
pub(super) const EQUITY_CHART: &str = "equity.svg";
/// The chosen strategy's round trips.
pub(super) const TRADES: &str = "trades.parquet";
/// The job's result object.
pub(super) const REPORT: &str = "report.json";

/// An artifact: one attempt at one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Artifact {
    /// Version of the format.
    pub format_version: u32,
    /// The job's id.
    pub job_id: String,
    /// Name of the attempt: its folder.
    pub attempt: String,
    /// When it was written, UTC.
    pub written_at: String,
    /// Version of the program that wrote it.
    pub host_version: String,
    /// What was trained, and on what.
    #[serde(flatten)]
    pub trained: Trained,
}

/// What was trained, and on what: a function of job, bars, seed and plugins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Trained {
    /// Id of the plugin whose model is the result's.
    pub winner: String,
    /// What the models forecast.
    pub label: LabelUsed,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Seed of all randomness.
    pub seed: u64,
    /// Columns of the feature table, in its order; all of them are needed to predict.
    pub features: Vec<Column>,
    /// Where the scaling of features is stored.
    pub scaler: String,
    /// One per family that was fitted on the whole development period.
    pub models: Vec<SavedModel>,
    /// The bars that features were computed from.
    pub bars: BarsUsed,
}

/// A forecast: the close rises by a threshold within a horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LabelUsed {
    /// Sessions ahead.
    pub horizon_days: u32,
    /// The sessions ahead in bars.
    pub horizon_bars: u32,
    /// Rise in percent.
    pub threshold_pct: f64,
}

/// A feature of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// Its name.
    pub name: String,
    /// Whether models or only rules use it.
    pub role: FeatureRole,
}

/// A saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedModel {
    /// Id of the plugin that trained it.
    pub plugin: String,
    /// The family's name for people.
    pub title: String,
    /// Version of the plugin.
    pub version: String,
    /// SHA-256 of the plugin's library, lower-case hex.
    pub library_sha256: String,
    /// Its file, within the artifact's folder.
    pub file: String,
    /// SHA-256 of that file, lower-case hex.
    pub sha256: String,
    /// Parameters of the fit that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Boosting rounds or epochs, where the family counts them.
    pub rounds: Option<u32>,
    /// Device it was fitted on.
    pub device: Option<String>,
    /// The probability from which a row is a signal: exactly the 32-bit number that scores are compared to; `None` if
    /// validation has found none.
    pub threshold: Option<f64>,
    /// Area under the ROC curve on validation rows, where it is defined.
    pub validation_auc: Option<f64>,
}

/// The bars of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BarsUsed {
    /// SHA-256 over the numbers of all of them, as the result has it.
    pub sha256: String,
    /// One per symbol, in the job's order.
    pub symbols: Vec<Series>,
    /// One per benchmark of a feature; all of them are needed to predict.
    #[serde(default)]
    pub benchmarks: Vec<Series>,
}

/// The bars of one symbol, those of the warm-up included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Ticker.
    pub symbol: String,
    /// Number of bars.
    pub n_bars: usize,
    /// The first one: its date, or its UTC time.
    pub from: String,
    /// The last one.
    pub to: String,
    /// Start of the first one, seconds since 1970-01-01 UTC.
    pub from_time: i64,
    /// Start of the last one.
    pub to_time: i64,
    /// SHA-256 over their numbers.
    pub sha256: String,
}

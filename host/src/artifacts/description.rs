//! The content of `artifact.json`, which describes the files of an artifact and how to use them.

use oculus_job::request::Timeframe;
use oculus_pipeline::baseline::VolatilityModel;
use oculus_pipeline::models::{Calibration, RankScale, SignalRule};
use oculus_plugin_api::FeatureRole;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the format that this program writes. A reader rejects a higher version.
pub(super) const FORMAT_VERSION: u32 = 1;
/// Name of the description file.
pub(super) const DESCRIPTION: &str = "artifact.json";
/// Name of the file with the scores of all families.
pub(super) const PREDICTIONS: &str = "predictions.csv";
/// Name of the file with the equity of the chosen strategy by date.
pub(super) const EQUITY: &str = "equity.parquet";
/// Name of the chart of the equity curves.
pub(super) const EQUITY_CHART: &str = "equity.svg";
/// Name of the file with the round trips of the chosen strategy.
pub(super) const TRADES: &str = "trades.parquet";
/// Name of the file with the result object of the job.
pub(super) const REPORT: &str = "report.json";

/// The description of an artifact, written by one attempt at one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Artifact {
    /// Version of the format.
    pub format_version: u32,
    /// The job's id.
    pub job_id: String,
    /// Name of the attempt, which is also the name of its folder.
    pub attempt: String,
    /// UTC time at which the artifact was written.
    pub written_at: String,
    /// Version of the program that wrote the artifact.
    pub host_version: String,
    /// The models and the data that they were trained on.
    #[serde(flatten)]
    pub trained: TrainingRecord,
}

/// The models and the data that they were trained on. The job, the bars, the seed and the plugins
/// determine every field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TrainingRecord {
    /// Id of the plugin of the winner, or `ensemble`.
    pub winner: String,
    /// The label that the models predict.
    pub label: LabelUsed,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Seed of all randomness of the job.
    pub seed: u64,
    /// Columns of the feature table, in order. A prediction needs all of them.
    pub features: Vec<Column>,
    /// A note that states where the scaling of features is stored.
    pub scaler: String,
    /// One model per family, fitted on the complete development period, and the ensemble of them if
    /// the job requests it.
    pub models: Vec<SavedModel>,
    /// The bars that features were computed from.
    pub bars: BarsUsed,
    /// The rows that the models were fitted on and evaluated on, in the order of the job's symbols.
    // The list is empty by default, because artifacts of earlier versions do not have the field.
    #[serde(default)]
    pub rows: Vec<RowsUsed>,
}

/// The label: whether the close at the end of a horizon is higher by at least a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LabelUsed {
    /// Horizon in sessions.
    pub horizon_days: u32,
    /// Horizon in bars.
    pub horizon_bars: u32,
    /// Threshold of the rise in percent.
    pub threshold_pct: f64,
}

/// A column of the feature table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Column {
    /// Name of the feature.
    pub name: String,
    /// Role of the feature: for models and rules, or for rules only.
    pub role: FeatureRole,
}

/// A saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SavedModel {
    /// Id of the plugin that trained the model, or `ensemble`.
    pub plugin: String,
    /// Display name of the family or the ensemble.
    pub title: String,
    /// Version of the plugin; empty for the ensemble.
    pub version: String,
    /// SHA-256 of the plugin's library, lower-case hex; empty for the ensemble.
    pub library_sha256: String,
    /// Ids of the plugins whose models the ensemble combines; empty for families.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// Path of the model's file, relative to the artifact's folder.
    pub file: String,
    /// SHA-256 of the model's file, lower-case hex.
    pub sha256: String,
    /// Parameters of the fit that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Number of boosting rounds or epochs, if the family reports it.
    pub rounds: Option<u32>,
    /// Device that the model was fitted on.
    pub device: Option<String>,
    /// Score that about as many out-of-fold rows reach as are positive; `None` if there are no such
    /// rows. Artifacts of earlier versions, which have no `signal_rule`, use it for signals. The
    /// value is exactly a 32-bit number.
    pub threshold: Option<f64>,
    /// Conversion of scores into probabilities; `None` if the out-of-fold rows lack a class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The rule that decides which rows are signals. Artifacts of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_rule: Option<SignalRule>,
    /// Conversion of scores into rank scores, which forecast the order of the symbols of one time.
    /// Artifacts of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_scale: Option<RankScale>,
    /// Area under the ROC curve on validation rows, if it is defined.
    pub validation_auc: Option<f64>,
    /// The volatility model whose log-odds the scores contain, if the model was fitted with base
    /// scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_score: Option<VolatilityModel>,
}

/// The bars that a job used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BarsUsed {
    /// SHA-256 of the times, prices and volumes of all bars; the result contains it too.
    pub sha256: String,
    /// One series per symbol, in the order of the job.
    pub symbols: Vec<Series>,
    /// One series per benchmark of a feature. A prediction needs all of them.
    // The list is empty by default, because artifacts of earlier versions do not have the field.
    #[serde(default)]
    pub benchmarks: Vec<Series>,
}

/// The rows of one symbol that the models were fitted on and evaluated on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowsUsed {
    /// Ticker.
    pub symbol: String,
    /// Rows that the final models were fitted on; `None` if there are none.
    pub train: Option<RowSpan>,
    /// Rows that the winner was evaluated on in the test period; `None` if there are none.
    pub test: Option<RowSpan>,
}

/// A span of rows of one symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowSpan {
    /// Number of rows.
    pub n_rows: usize,
    /// Date of the first row, or its UTC time for intraday bars.
    pub from: String,
    /// Date of the last row, or its UTC time for intraday bars.
    pub to: String,
    /// Start of the first row's bar, seconds since 1970-01-01 UTC.
    pub from_time: i64,
    /// Start of the last row's bar, seconds since 1970-01-01 UTC.
    pub to_time: i64,
}

/// The bars of one symbol, including the warm-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// Ticker.
    pub symbol: String,
    /// Number of bars.
    pub n_bars: usize,
    /// Date of the first bar, or its UTC time for intraday bars.
    pub from: String,
    /// Date of the last bar, or its UTC time for intraday bars.
    pub to: String,
    /// Start of the first bar, seconds since 1970-01-01 UTC.
    pub from_time: i64,
    /// Start of the last bar, seconds since 1970-01-01 UTC.
    pub to_time: i64,
    /// SHA-256 of the times, prices and volumes of these bars.
    pub sha256: String,
}

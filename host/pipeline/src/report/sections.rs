//! The parts of a result that document its origin: the config search and the provenance.

use std::collections::BTreeMap;
use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    date::iso_date,
    metrics::{Finite, Reasons, UndefinedError},
    search::{LabelName, LabelRow, SearchResult, Trial},
    splits::Partition,
};

/// The result of the search for a label and a configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConfigSearch {
    /// The chosen label.
    pub label: LabelName,
    /// Chosen parameters of the lead family that differ from its defaults.
    pub params: Map<String, Value>,
    /// Validation AUC minus the larger of 0.5 and the validation AUC of the volatility baseline;
    /// null if the validation rows lack a class.
    pub score: Option<Finite>,
    /// Validation AUC of the volatility baseline; null if the features of the baseline are missing.
    pub auc_volatility_baseline: Option<Finite>,
    /// Gain of these parameters over the family's prior; null if the prior was kept.
    pub gain_over_prior: Option<Finite>,
    /// Standard error of that gain; null together with the gain.
    pub gain_standard_error: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
    /// All labels of the job with the outcome of each.
    pub labels: Vec<LabelRow>,
    /// All trials, in order.
    pub trials: Vec<Trial>,
}

/// The origin of a result.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Version of this program.
    pub host_version: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// The bars that were read.
    pub bars: BarsProvenance,
    /// Dates of the folds and of the test period.
    pub splits: SplitSpans,
    /// Number of trials of the config search.
    pub n_trials: usize,
    /// Number of computed features.
    pub n_features: usize,
    /// Canonical name of each feature that the job names, by its spelling in the job.
    #[serde(default)]
    pub requested_features: BTreeMap<String, String>,
    /// Requested feature names that could not be resolved, each with the reason.
    pub unresolved_features: BTreeMap<String, String>,
    /// The plugins of the job.
    pub plugins: Vec<Plugin>,
    /// SHA-256 of the winner's model bytes, lower-case hex.
    pub model_sha256: String,
}

/// The bars from which a result was computed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BarsProvenance {
    /// Name of the source, such as `dir`.
    pub source: String,
    /// SHA-256 over the values of all bars, lower-case hex.
    pub sha256: String,
    /// The bars of each symbol of the job.
    pub symbols: Vec<BarsOfSymbol>,
    /// The bars of each symbol that features use as a benchmark.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<BarsOfSymbol>,
}

/// The bars of one symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BarsOfSymbol {
    /// Ticker of the symbol.
    pub symbol: String,
    /// Number of bars, including the warm-up.
    pub n_bars: usize,
    /// Date of the first bar.
    pub from: String,
    /// Date of the last bar.
    pub to: String,
}

/// A plugin that the job used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plugin {
    /// Id in the plugin's manifest.
    pub id: String,
    /// Version in the plugin's manifest.
    pub version: String,
    /// SHA-256 of the library file, lower-case hex.
    pub sha256: String,
}

/// Dates of the development blocks and of the test period; both ends are inclusive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SplitSpans {
    /// Blocks of the development period: fold k trains on blocks 1 to k and validates on the next.
    pub blocks: Vec<[String; 2]>,
    /// The test period.
    pub test: [String; 2],
    /// Description of the purge: which rows before a boundary are removed.
    pub purge: String,
    /// Number of dates removed after a boundary.
    pub embargo_dates: u32,
}

pub(super) fn config_search(outcome: &SearchResult) -> ConfigSearch {
    let chosen = &outcome.labels[outcome.label_idx];
    let gain = outcome.gain_over_prior.as_ref();
    let mut reasons = Reasons::default();
    let no_score = || {
        UndefinedError::because(
            "the validation rows of the label lack a class, or its trials failed; see `labels` and `trials`",
        )
    };
    let no_baseline =
        || UndefinedError::because("the validation rows lack a class, or the features of the baseline are missing");
    ConfigSearch {
        label: chosen.name,
        params: outcome.params.clone(),
        score: reasons.figure("score", outcome.score.ok_or_else(no_score)),
        auc_volatility_baseline: reasons
            .figure("auc_volatility_baseline", outcome.baseline_auc.ok_or_else(no_baseline)),
        gain_over_prior: reasons.figure("gain_over_prior", gain.map(|gain| gain.value).map_err(UndefinedError::clone)),
        gain_standard_error: reasons
            .figure("gain_standard_error", gain.map(|gain| gain.standard_error).map_err(UndefinedError::clone)),
        reasons,
        labels: outcome.labels.clone(),
        trials: outcome.trials.clone(),
    }
}

pub(super) fn split_spans(partition: &Partition) -> SplitSpans {
    let span = |dates: &Range<i32>| [iso_date(dates.start), iso_date(dates.end.saturating_sub(1))];
    SplitSpans {
        blocks: partition.blocks.iter().map(span).collect(),
        test: span(&partition.test),
        purge: "a row is removed if its label is known only after the end of the row's own period".to_owned(),
        // A walk-forward fold never trains on rows after the period that it is evaluated on, so an
        // embargo would remove nothing.
        embargo_dates: 0,
    }
}

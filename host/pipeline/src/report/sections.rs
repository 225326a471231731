//! The parts of a result that document its origin.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    date::iso_date,
    metrics::{Finite, Reasons, Undefined},
    search::{LabelName, LabelRow, SearchResult, Trial},
    splits::Partition,
};

/// The config search in the result.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigSearch {
    /// The label that the job went on with.
    pub label: LabelName,
    /// Parameters chosen for the family that led, where they differ from its defaults.
    pub params: Map<String, Value>,
    /// Mean AUC over the folds less the baseline's, or less 0.5 where that is more; null where labels are too rare.
    pub score: Option<Finite>,
    /// Mean AUC over the folds of the volatility baseline.
    pub auc_volatility_baseline: Option<Finite>,
    /// Gain of these parameters over the family's prior; null where the prior stayed.
    pub gain_over_prior: Option<Finite>,
    /// Standard error of that gain.
    pub gain_standard_error: Option<Finite>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
    /// All labels of the job with their verdicts.
    pub labels: Vec<LabelRow>,
    /// All trials, in order.
    pub trials: Vec<Trial>,
}

/// Where a result came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub host_version: String,
    /// Seed of all randomness.
    pub seed: u64,
    /// The bars used.
    pub bars: BarsProvenance,
    /// The calendar.
    pub splits: SplitSpans,
    /// Configurations tried.
    pub n_trials: usize,
    /// Features computed.
    pub n_features: usize,
    /// Features that could not be computed, with the reason.
    pub unresolved_features: BTreeMap<String, String>,
    /// The plugins used.
    pub plugins: Vec<Plugin>,
    /// SHA-256 of the winner's bytes, lower-case hex.
    pub model_sha256: String,
}

/// The bars of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarsProvenance {
    /// Where they were read from, such as `dir`.
    pub source: String,
    /// SHA-256 over the numbers of all of them, lower-case hex.
    pub sha256: String,
    /// What each symbol has.
    pub symbols: Vec<BarsOfSymbol>,
    /// What each symbol has that features compare with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<BarsOfSymbol>,
}

/// The bars of one symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarsOfSymbol {
    /// Ticker.
    pub symbol: String,
    /// Number of bars, those of the warm-up included.
    pub n_bars: usize,
    /// Date of the first one.
    pub from: String,
    /// Date of the last one.
    pub to: String,
}

/// A plugin that took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plugin {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its library, lower-case hex.
    pub sha256: String,
}

/// The calendar in dates, ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSpans {
    /// Blocks of the development period: fold k trains on blocks 1 to k and validates on the next.
    pub blocks: Vec<[String; 2]>,
    /// The test period.
    pub test: [String; 2],
    /// How rows at a boundary are treated.
    pub purge: String,
    /// Dates left out after a boundary.
    pub embargo_dates: u32,
}

pub(super) fn config_search(outcome: &SearchResult) -> ConfigSearch {
    let chosen = &outcome.labels[outcome.label_idx];
    let gain = outcome.gain_over_prior.as_ref();
    let mut reasons = Reasons::default();
    let no_score = || {
        Undefined::because("the label is too rare to be judged, or its trials failed; `labels` and `trials` say more")
    };
    let no_baseline = || Undefined::because("the label is too rare, or the features of the baseline are missing");
    ConfigSearch {
        label: chosen.name,
        params: outcome.params.clone(),
        score: reasons.figure("score", outcome.score.ok_or_else(no_score)),
        auc_volatility_baseline: reasons
            .figure("auc_volatility_baseline", outcome.baseline_auc.ok_or_else(no_baseline)),
        gain_over_prior: reasons.figure("gain_over_prior", gain.map(|gain| gain.value).map_err(Undefined::clone)),
        gain_standard_error: reasons
            .figure("gain_standard_error", gain.map(|gain| gain.standard_error).map_err(Undefined::clone)),
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
        purge: "a row is left out where its label is known only after its own part has ended".to_owned(),
        embargo_dates: 0,
    }
}

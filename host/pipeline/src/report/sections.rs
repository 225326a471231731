//! The parts of a result that say how it came about.

use std::{collections::BTreeMap, ops::Range};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::date::iso_date;
use crate::metrics::Finite;
use crate::search::{LabelName, LabelRow, SearchResult, Trial};
use crate::splits::Partition;

/// The config search in the result.
#[derive(Clone, Debug, Serialize)]
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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<&'static str, String>,
    /// All labels of the job with their verdicts.
    pub labels: Vec<LabelRow>,
    /// All trials, in order.
    pub trials: Vec<Trial>,
}

/// Where a result came from.
#[derive(Clone, Debug, Serialize)]
pub struct Provenance {
    /// Version of this program.
    pub host_version: &'static str,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BarsProvenance {
    /// Where they were read from, such as `dir`.
    pub source: String,
    /// SHA-256 over the numbers of all of them, lower-case hex.
    pub sha256: String,
    /// What each symbol has.
    pub symbols: Vec<BarsOfSymbol>,
    /// What each symbol has that features compare with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub benchmarks: Vec<BarsOfSymbol>,
}

/// The bars of one symbol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plugin {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its library, lower-case hex.
    pub sha256: String,
}

/// The calendar in dates, ends included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitSpans {
    /// Blocks of the development period: fold k trains on blocks 1 to k and validates on the next.
    pub blocks: Vec<[String; 2]>,
    /// The test period.
    pub test: [String; 2],
    /// How rows at a boundary are treated.
    pub purge: &'static str,
    /// Dates left out after a boundary.
    pub embargo_dates: u32,
}

pub(super) fn config_search(outcome: &SearchResult) -> ConfigSearch {
    let chosen = &outcome.labels[outcome.label_idx];
    let gain = outcome.gain_over_prior.as_ref();
    let mut reasons = BTreeMap::new();
    if outcome.score.is_none() {
        reasons.insert(
            "score",
            "the label is too rare to be judged, or its trials failed; `labels` and `trials` say more".to_owned(),
        );
    }
    if outcome.baseline_auc.is_none() {
        let reason = "the label is too rare, or the features of the baseline are missing";
        reasons.insert("auc_volatility_baseline", reason.to_owned());
    }
    if let Err(reason) = gain {
        reasons.insert("gain_over_prior", reason.to_string());
        reasons.insert("gain_standard_error", reason.to_string());
    }
    ConfigSearch {
        label: chosen.name,
        params: outcome.params.clone(),
        score: outcome.score.and_then(Finite::new),
        auc_volatility_baseline: outcome.baseline_auc.and_then(Finite::new),
        gain_over_prior: gain.ok().and_then(|gain| Finite::new(gain.value)),
        gain_standard_error: gain.ok().and_then(|gain| Finite::new(gain.standard_error)),
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
        purge: "a row is left out where its label is known only after its own part has ended",
        embargo_dates: 0,
    }
}

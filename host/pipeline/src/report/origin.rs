//! The origin of a result: bars, features and plugins, and the warnings of all stages.

use std::collections::BTreeMap;

use oculus_job::{hash::sha256_hex, warning::Warning};

use super::{BarsOfSymbol, BarsProvenance, Plugin, Provenance, ReportInputs, seasons, sections};
use crate::{bars::Bars, date::iso_date, features::UnknownFeatureError, participants::Participant};

/// Returns the origin of a result: everything that determines the result, except the job.
pub(super) fn provenance(inputs: &ReportInputs<'_>) -> Provenance {
    Provenance {
        host_version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: inputs.job.design.ml_training_config.seed,
        bars: bars(inputs),
        splits: sections::split_spans(inputs.partition),
        n_trials: inputs.outcome.trials.len(),
        n_features: inputs.table.names.len(),
        requested_features: inputs.features.canonical.clone(),
        unresolved_features: unresolved(inputs),
        plugins: inputs.participants.all().map(plugin).collect(),
        model_sha256: sha256_hex(&inputs.training.winning_model().bytes),
    }
}

fn bars(inputs: &ReportInputs<'_>) -> BarsProvenance {
    let market = inputs.market;
    let symbol_bars = |bars: &Bars| {
        let days = bars.session_days(market.timeframe);
        let date = |day: Option<&i32>| day.copied().map(iso_date).unwrap_or_default();
        BarsOfSymbol {
            symbol: bars.symbol.clone(),
            n_bars: bars.len(),
            from: date(days.first()),
            to: date(days.last()),
        }
    };
    BarsProvenance {
        source: inputs.source.to_owned(),
        sha256: market.sha256.clone(),
        symbols: market.bars.iter().map(symbol_bars).collect(),
        benchmarks: market.benchmarks.iter().map(symbol_bars).collect(),
    }
}

fn unresolved(inputs: &ReportInputs<'_>) -> BTreeMap<String, String> {
    let entry = |unknown: &UnknownFeatureError| {
        let nearest = unknown.nearest.as_ref().map(|nearest| format!("; the nearest known name is {nearest}"));
        (unknown.requested.clone(), format!("{}{}", unknown.reason, nearest.unwrap_or_default()))
    };
    inputs.features.unresolved.iter().map(entry).collect()
}

fn plugin(participant: &Participant) -> Plugin {
    let Participant { id, version, sha256, .. } = participant.clone();
    Plugin { id, version, sha256 }
}

/// Returns the warnings of all stages, in the order of the stages.
pub(super) fn warnings(inputs: &ReportInputs<'_>) -> Vec<Warning> {
    inputs
        .job
        .unit_warnings()
        .into_iter()
        .chain(inputs.market.warnings.iter().cloned())
        .chain(inputs.features.warnings())
        .chain(inputs.partition.warnings())
        .chain(seasons::warning(inputs))
        .chain(inputs.participants.warnings.iter().cloned())
        .chain(inputs.outcome.warnings.iter().cloned())
        .chain(inputs.training.warnings.iter().cloned())
        .chain(inputs.canaries.warnings())
        .chain(inputs.rules.warnings.iter().cloned())
        .chain(inputs.submissions.warnings())
        .collect()
}

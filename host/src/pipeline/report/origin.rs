//! Where a result came from: bars, features, plugins, and what went oddly on the way.

use std::collections::BTreeMap;

use super::{Bars, BarsOfSymbol, Inputs, Plugin, Provenance, Warning, sections};
use crate::{hash::sha256_hex, pipeline::date::iso_date, plugins::selection::Chosen};

/// Everything that the result is a function of.
pub(super) fn provenance(inputs: &Inputs<'_>) -> Provenance {
    Provenance {
        host_version: env!("CARGO_PKG_VERSION"),
        seed: inputs.job.design.ml_training_config.seed,
        bars: bars(inputs),
        splits: sections::split_spans(inputs.partition),
        n_trials: inputs.outcome.trials.len(),
        n_features: inputs.table.names.len(),
        unresolved_features: unresolved(inputs),
        plugins: chosen(inputs).map(|chosen| plugin(&chosen.plugin)).collect(),
        model_sha256: sha256_hex(&inputs.training.winning_model().bytes),
    }
}

fn bars(inputs: &Inputs<'_>) -> Bars {
    let market = inputs.market;
    let of_symbol = |bars: &crate::pipeline::bars::Bars| {
        let days = bars.session_days(market.timeframe);
        let date = |day: Option<&i32>| day.copied().map(iso_date).unwrap_or_default();
        BarsOfSymbol {
            symbol: bars.symbol.clone(),
            n_bars: bars.len(),
            from: date(days.first()),
            to: date(days.last()),
        }
    };
    Bars {
        source: inputs.source.to_owned(),
        sha256: market.sha256.clone(),
        symbols: market.bars.iter().map(of_symbol).collect(),
        benchmarks: market.benchmarks.iter().map(of_symbol).collect(),
    }
}

/// The families, then the rule extractor.
fn chosen<'a>(inputs: &Inputs<'a>) -> impl Iterator<Item = &'a Chosen> {
    inputs.selection.chosen.iter().chain(inputs.selection.extractor.as_ref().ok())
}

fn unresolved(inputs: &Inputs<'_>) -> BTreeMap<String, String> {
    let told = |it: &crate::pipeline::features::Unresolved| {
        let nearest = it.nearest.as_ref().map(|nearest| format!("; the nearest known name is {nearest}"));
        (it.asked.clone(), format!("{}{}", it.reason, nearest.unwrap_or_default()))
    };
    inputs.features.unresolved.iter().map(told).collect()
}

fn plugin(plugin: &crate::plugins::InstalledPlugin) -> Plugin {
    let manifest = &plugin.manifest;
    Plugin { id: manifest.id.clone(), version: manifest.version.clone(), sha256: plugin.sha256.clone() }
}

/// Warnings of all stages, in their order.
pub(super) fn warnings(inputs: &Inputs<'_>) -> Vec<Warning> {
    inputs
        .market
        .warnings
        .iter()
        .cloned()
        .chain(inputs.features.warnings())
        .chain(inputs.selection.warnings.iter().cloned())
        .chain(inputs.outcome.warnings.iter().cloned())
        .chain(inputs.training.warnings.iter().cloned())
        .chain(inputs.canaries.warnings())
        .chain(inputs.rules.warnings.iter().cloned())
        .collect()
}

//! Collects the contents of an artifact from the outputs of the stages, without I/O.

use oculus_job::hash::sha256_hex;
use oculus_job::request::Timeframe;
use oculus_pipeline::ArtifactInputs;
use oculus_pipeline::bars::{Bars, format_bar_time};
use oculus_pipeline::models::FinalModel;
use oculus_plugin_host::selection::Selection;

use super::description::{BarsUsed, Column, LabelUsed, SavedModel, Series, TrainingRecord};
use super::equity_files::EquityFiles;
use super::predictions::predictions;
use super::rows_used::rows_used;

const SCALER: &str = "in each model's own file, where its family scales features";

/// The contents of an artifact.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// The description of the models and of the data that they were trained on.
    pub trained: TrainingRecord,
    /// The bytes of each model, in the order of `trained.models`.
    pub bytes: Vec<Vec<u8>>,
    /// The scores of all families as CSV.
    pub predictions: String,
    /// The files of the chosen strategy; `None` if no strategy was chosen.
    pub equity_files: Option<EquityFiles>,
}

/// Collects the contents of an artifact.
///
/// * `seed`: the seed of all randomness of the job.
pub(crate) fn collect(inputs: &ArtifactInputs, selection: &Selection, seed: u64) -> Contents {
    let ArtifactInputs { market, table, label, training, .. } = inputs;
    let columns = table.names.iter().zip(&table.roles);
    let (models, bytes) =
        training.models.iter().map(|model| (describe(inputs, selection, model), model.bytes.clone())).unzip();
    let trained = TrainingRecord {
        winner: training.winning_model().plugin.clone(),
        label: LabelUsed {
            horizon_days: label.key.horizon_days,
            horizon_bars: label.horizon_bars,
            threshold_pct: label.key.threshold_pct,
        },
        timeframe: market.timeframe,
        seed,
        features: columns.map(|(name, &role)| Column { name: name.clone(), role }).collect(),
        scaler: SCALER.to_owned(),
        models,
        bars: BarsUsed {
            sha256: market.sha256.clone(),
            symbols: market.bars.iter().filter_map(|bars| series(bars, market.timeframe)).collect(),
            benchmarks: market.benchmarks.iter().filter_map(|bars| series(bars, market.timeframe)).collect(),
        },
        rows: rows_used(inputs),
    };
    let equity_files = EquityFiles::new(&inputs.equity_curve, market);
    Contents { trained, bytes, predictions: predictions(inputs), equity_files }
}

fn describe(inputs: &ArtifactInputs, selection: &Selection, model: &FinalModel) -> SavedModel {
    let chosen =
        selection.chosen.iter().chain(&selection.baseline).find(|chosen| chosen.plugin.manifest.id == model.plugin);
    let manifest = chosen.map(|chosen| &chosen.plugin.manifest);
    // The row of the ensemble has no plugin, so rows are found by name. No two families share one.
    let row = inputs.training.rows.iter().find(|row| row.name == model.name);
    let extension = match &model.ensemble {
        Some(_) => "json",
        None => manifest.and_then(|manifest| manifest.saves_as.as_deref()).unwrap_or("bin"),
    };
    let members = model.ensemble.iter().flat_map(|ensemble| &ensemble.members);
    let auc = row.and_then(|row| row.validation.as_ref()?.auc);
    SavedModel {
        plugin: model.plugin.clone(),
        title: model.name.clone(),
        version: manifest.map(|manifest| manifest.version.clone()).unwrap_or_default(),
        library_sha256: chosen.map(|chosen| chosen.plugin.sha256.clone()).unwrap_or_default(),
        members: members.map(|member| member.plugin.clone()).collect(),
        file: format!("models/{}.{extension}", model.plugin),
        sha256: sha256_hex(&model.bytes),
        params: model.params.clone(),
        rounds: model.rounds,
        device: model.device.clone(),
        // Every 32-bit float is exactly representable in 64 bits.
        threshold: model.threshold.map(f64::from),
        calibration: model.calibration,
        signal_rule: Some(model.signal_rule.clone()),
        rank_scale: model.rank_scale,
        validation_auc: auc.map(|auc| auc.get()),
        base_score: model.base,
    }
}

fn series(bars: &Bars, timeframe: Timeframe) -> Option<Series> {
    let from_time = *bars.time.first()?;
    let to_time = *bars.time.last()?;
    Some(Series {
        symbol: bars.symbol.clone(),
        n_bars: bars.len(),
        from: format_bar_time(from_time, timeframe),
        to: format_bar_time(to_time, timeframe),
        from_time,
        to_time,
        sha256: bars.sha256(),
    })
}

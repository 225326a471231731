//! Collects the contents of an artifact from the outputs of the stages, without I/O.

use std::fmt::Write;

use oculus_job::hash::sha256_hex;
use oculus_job::request::Timeframe;
use oculus_pipeline::ArtifactInputs;
use oculus_pipeline::bars::{Bars, format_bar_time, time_column};
use oculus_pipeline::models::FinalModel;
use oculus_plugin_host::selection::Selection;

use super::description::{BarsUsed, Column, LabelUsed, SavedModel, Series, TrainingRecord};
use super::equity_files::EquityFiles;
use super::row_set::RowSet;

const SCALER: &str = "in each model's own file, where its family scales features";

/// The contents of an artifact.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// The description of the models and of the data that they were trained on.
    pub trained: TrainingRecord,
    /// The bytes of each model, in the order of `trained.models`.
    pub bytes: Vec<Vec<u8>>,
    /// The winner's scores as CSV.
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
    };
    let equity_files = EquityFiles::new(&inputs.equity_curve, market);
    Contents { trained, bytes, predictions: predictions(inputs), equity_files }
}

fn describe(inputs: &ArtifactInputs, selection: &Selection, model: &FinalModel) -> SavedModel {
    let chosen = selection.chosen.iter().find(|chosen| chosen.plugin.manifest.id == model.plugin);
    let manifest = chosen.map(|chosen| &chosen.plugin.manifest);
    let row = inputs.training.rows.iter().find(|row| row.plugin.as_ref() == Some(&model.plugin));
    let extension = manifest.and_then(|manifest| manifest.saves_as.as_deref()).unwrap_or("bin");
    let auc = row.and_then(|row| row.validation.as_ref()?.auc);
    SavedModel {
        plugin: model.plugin.clone(),
        title: model.name.clone(),
        version: manifest.map(|manifest| manifest.version.clone()).unwrap_or_default(),
        library_sha256: chosen.map(|chosen| chosen.plugin.sha256.clone()).unwrap_or_default(),
        file: format!("models/{}.{extension}", model.plugin),
        sha256: sha256_hex(&model.bytes),
        params: model.params.clone(),
        rounds: model.rounds,
        device: model.device.clone(),
        // Every 32-bit float is exactly representable in 64 bits, so `predict` compares scores with
        // exactly this threshold.
        threshold: model.threshold.map(f64::from),
        validation_auc: auc.map(|auc| auc.get()),
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

/// Returns the winner's scores as CSV, in the order of the feature table. Validation rows have
/// out-of-fold scores, test rows have scores of the final model.
fn predictions(inputs: &ArtifactInputs) -> String {
    let ArtifactInputs { table, label, training, test_rows, .. } = inputs;
    let winner = &training.winner;
    let timeframe = inputs.market.timeframe;
    let threshold = training.winning_model().threshold;
    let validation = winner.oof_scores.iter().enumerate().filter(|(_, score)| !score.is_nan());
    let validation = validation.map(|(row, &score)| (row, RowSet::Validation, score));
    let test = test_rows.iter().zip(&winner.test_scores).map(|(&row, &score)| (row as usize, RowSet::Test, score));
    let mut rows: Vec<(usize, RowSet, f32)> = validation.chain(test).collect();
    rows.sort_by_key(|(row, set, _)| (*row, set.name()));
    let mut csv = format!("symbol,{},set,probability,signal,label\n", time_column(timeframe));
    for (row, set, score) in rows {
        // The threshold applies to the scores of the final model. The models of the folds have
        // other score levels, so the validation rows have no signal.
        let threshold = threshold.filter(|_| set == RowSet::Test);
        let signal = threshold.map(|threshold| u8::from(score >= threshold).to_string()).unwrap_or_default();
        let symbol = &table.symbols[table.symbol[row] as usize];
        let when = format_bar_time(table.time[row], timeframe);
        let set = set.name();
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{symbol},{when},{set},{score},{signal},{}", label.value[row]);
    }
    csv
}

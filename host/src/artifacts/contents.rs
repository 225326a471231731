//! Collects the contents of a job's artifact from the findings of the pipeline. No IO.

use std::fmt::Write;

use oculus_job::hash::sha256_hex;
use oculus_job::request::Timeframe;
use oculus_pipeline::Findings;
use oculus_pipeline::bars::{Bars, moment, time_column};
use oculus_pipeline::models::FinalModel;
use oculus_plugin_host::selection::Selection;

use super::description::{BarsUsed, Column, LabelUsed, SavedModel, Series, Trained};
use super::equity_files::EquityFiles;
use super::row_set::RowSet;

const SCALER: &str = "in each model's own file, where its family scales features";

/// The contents of an artifact.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// The models, and the data that they were trained on.
    pub trained: Trained,
    /// The bytes of each model of `trained`.
    pub bytes: Vec<Vec<u8>>,
    /// The winner's scores, CSV.
    pub predictions: String,
    /// The files of the chosen strategy; `None` if none was chosen.
    pub equity_files: Option<EquityFiles>,
}

/// Collects the contents of a job's artifact.
///
/// * `seed`: the seed of all randomness of the job.
pub(crate) fn collect(findings: &Findings, selection: &Selection, seed: u64) -> Contents {
    let Findings { market, table, label, training, .. } = findings;
    let columns = table.names.iter().zip(&table.roles);
    let (models, bytes) =
        training.models.iter().map(|model| (describe(findings, selection, model), model.bytes.clone())).unzip();
    let trained = Trained {
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
    let equity_files = EquityFiles::new(&findings.equity_curve, market);
    Contents { trained, bytes, predictions: predictions(findings), equity_files }
}

fn describe(findings: &Findings, selection: &Selection, model: &FinalModel) -> SavedModel {
    let chosen = selection.chosen.iter().find(|chosen| chosen.plugin.manifest.id == model.plugin);
    let manifest = chosen.map(|chosen| &chosen.plugin.manifest);
    let row = findings.training.rows.iter().find(|row| row.plugin.as_ref() == Some(&model.plugin));
    let ending = manifest.and_then(|manifest| manifest.saves_as.as_deref()).unwrap_or("bin");
    let auc = row.and_then(|row| row.validation.as_ref()?.auc);
    SavedModel {
        plugin: model.plugin.clone(),
        title: model.name.clone(),
        version: manifest.map(|manifest| manifest.version.clone()).unwrap_or_default(),
        library_sha256: chosen.map(|chosen| chosen.plugin.sha256.clone()).unwrap_or_default(),
        file: format!("models/{}.{ending}", model.plugin),
        sha256: sha256_hex(&model.bytes),
        params: model.params.clone(),
        rounds: model.rounds,
        device: model.device.clone(),
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
        from: moment(from_time, timeframe),
        to: moment(to_time, timeframe),
        from_time,
        to_time,
        sha256: bars.sha256(),
    })
}

/// Returns the winner's scores as CSV in the table's order: out-of-fold scores on validation rows, scores of the final
/// model on test rows. Only test rows have a signal: the threshold belongs to the final model, and the scores of each
/// fold's model have another level.
fn predictions(findings: &Findings) -> String {
    let Findings { table, label, training, test_rows, .. } = findings;
    let winner = &training.winner;
    let timeframe = findings.market.timeframe;
    let threshold = training.winning_model().threshold;
    let validation = winner.oof_scores.iter().enumerate().filter(|(_, score)| !score.is_nan());
    let validation = validation.map(|(row, &score)| (row, RowSet::Validation, score));
    let test = test_rows.iter().zip(&winner.test_scores).map(|(&row, &score)| (row as usize, RowSet::Test, score));
    let mut rows: Vec<(usize, RowSet, f32)> = validation.chain(test).collect();
    rows.sort_by_key(|(row, set, _)| (*row, set.word()));
    let mut csv = format!("symbol,{},set,probability,signal,label\n", time_column(timeframe));
    for (row, set, score) in rows {
        let threshold = threshold.filter(|_| set == RowSet::Test);
        let signal = threshold.map(|threshold| u8::from(score >= threshold).to_string()).unwrap_or_default();
        let symbol = &table.symbols[table.symbol[row] as usize];
        let when = moment(table.time[row], timeframe);
        let set = set.word();
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{symbol},{when},{set},{score},{signal},{}", label.value[row]);
    }
    csv
}

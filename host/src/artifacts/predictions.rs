//! Formats `predictions.csv`: the out-of-fold scores of every family and of the ensemble, and the
//! winner's test scores.
//!
//! In: the outputs of the stages. Out: CSV with one line per family and scored row. Invariant: the
//! lines are sufficient to recompute every validation figure of the result.

use std::fmt::Write;

use oculus_pipeline::ArtifactInputs;
use oculus_pipeline::bars::{format_bar_time, time_column};

use super::row_set::RowSet;

/// A scored row of the table.
struct Prediction<'a> {
    family: &'a str,
    set: RowSet,
    /// Number of the fold that validates the row, from 1; `None` in the test period.
    fold: Option<usize>,
    row: usize,
    score: f32,
    /// The score in standard deviations, see [`FamilyScores`](oculus_pipeline::models::FamilyScores).
    standard_score: f32,
    /// The part of the standard score that volatility does not explain.
    rank_score: f32,
    /// The calibrated probability, if the row is in the test period.
    probability: Option<f64>,
    signal: Option<bool>,
}

/// Returns the scores as CSV: the validation rows of each family, then the test rows of the winner.
/// The rows of a family are in the order of the feature table.
pub(super) fn predictions(inputs: &ArtifactInputs) -> String {
    let fold_of_row = fold_of_row(inputs);
    let families = inputs.training.out_of_fold.iter();
    let validation = families.flat_map(|family| {
        let scored = (0..family.scores.len()).filter(|&row| !family.scores[row].is_nan());
        scored.map(|row| Prediction {
            family: &family.plugin,
            set: RowSet::Validation,
            fold: fold_of_row[row],
            row,
            score: family.scores[row],
            standard_score: family.standard_scores[row],
            rank_score: family.rank_scores[row],
            // The calibration and the signals start from the scores of these very rows.
            probability: None,
            signal: None,
        })
    });
    let mut csv = format!(
        "symbol,{},family,set,fold,score,standard_score,probability,signal,label,rank_score\n",
        time_column(inputs.market.timeframe)
    );
    validation.chain(test_predictions(inputs)).for_each(|prediction| write_line(&mut csv, inputs, &prediction));
    csv
}

fn test_predictions(inputs: &ArtifactInputs) -> impl Iterator<Item = Prediction<'_>> {
    let ArtifactInputs { training, splits, .. } = inputs;
    let model = training.winning_model();
    let flags = training.winner.test_flags.iter().copied().chain(std::iter::repeat(None));
    let scores = splits.test_rows.iter().zip(&training.winner.test_scores).zip(flags);
    scores.map(|((&row, &score), signal)| Prediction {
        family: &model.plugin,
        set: RowSet::Test,
        fold: None,
        row: row as usize,
        score,
        standard_score: training.winner.standard_scores[row as usize],
        rank_score: training.winner.rank_scores[row as usize],
        probability: model.calibration.map(|calibration| calibration.probability(score)),
        signal,
    })
}

/// Returns the number of the fold that validates each row of the table.
fn fold_of_row(inputs: &ArtifactInputs) -> Vec<Option<usize>> {
    let mut fold_of_row = vec![None; inputs.table.n_rows()];
    for (fold_idx, fold) in inputs.splits.folds.iter().enumerate() {
        fold.valid_rows.iter().for_each(|&row| fold_of_row[row as usize] = Some(fold_idx + 1));
    }
    fold_of_row
}

fn write_line(csv: &mut String, inputs: &ArtifactInputs, prediction: &Prediction<'_>) {
    let ArtifactInputs { table, label, market, .. } = inputs;
    let &Prediction { family, set, fold, row, score, standard_score, rank_score, probability, signal } = prediction;
    let symbol = &table.symbols[table.symbol[row] as usize];
    let when = format_bar_time(table.time[row], market.timeframe);
    let set = set.name();
    let fold = fold.map(|fold| fold.to_string()).unwrap_or_default();
    let probability = probability.map(|probability| probability.to_string()).unwrap_or_default();
    let signal = signal.map(|signal| u8::from(signal).to_string()).unwrap_or_default();
    let label = label.value[row];
    // Writing to a string cannot fail.
    let _ = writeln!(
        csv,
        "{symbol},{when},{family},{set},{fold},{score},{standard_score},{probability},{signal},{label},{rank_score}"
    );
}

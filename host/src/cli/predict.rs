//! `oculus-host predict`: computes the signals of a saved model on old or new bars.

mod output;
mod scorer;

use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::civil::Date;
use oculus_pipeline::baseline::Volatility;
use oculus_pipeline::date::{days_since_epoch, iso_date};
use oculus_pipeline::features::{self, FeatureTable};

use self::output::{Signals, write_file};
use self::scorer::Scorer;
use super::failure::failure_error;
use super::output_file::{self, OutputFile};
use super::parsers::symbol;
use super::stdout;
use crate::artifacts::{self, Artifact, RowSet, SavedArtifact, SavedModel, TrainingRecord};
use crate::config::Config;
use crate::runner::spec::JobResources;

/// Predict with a trained model
///
/// Writes the set, the probability and the signal of every bar. The command reads the artifacts of
/// the job, computes the features of its models and loads the model in a plugin process. On the bars
/// of the training it reproduces the test predictions of the job bit for bit.
///
/// The set of a bar is `train` if the model was fitted on it, `validation` for other bars before the
/// test period, `test` if the job evaluated the winner on it, and `new` otherwise. A warning is
/// logged if the output contains bars of the set `train`; the exit code stays 0.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  oculus-host predict build:example --bars examples/bars --symbol AAPL --out signals.csv"
)]
pub(super) struct PredictArgs {
    /// Id of a job, or folder of its artifacts
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Symbol to predict; can be repeated [default: the symbols of the job]
    #[arg(long = "symbol", value_name = "S", value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Model to use, such as lightgbm or ensemble [default: the winner]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Attempt to use, by the name of its folder [default: the newest complete attempt]
    #[arg(long, value_name = "TOKEN")]
    pub attempt: Option<String>,
    /// First session date to write, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,
    /// Last session date to write, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,
    /// File to write to, .csv or .parquet [default: CSV on stdout]
    #[arg(long, value_name = "FILE", value_parser = output_file::parse)]
    pub out: Option<OutputFile>,
}

/// Writes predictions; the exit code is 0.
///
/// # Errors
/// Returns an error if the artifacts, the plugin or the bars are missing, if the plugin fails, or
/// if the output cannot be written.
pub(super) fn run(config: &Config, args: &PredictArgs) -> anyhow::Result<ExitCode> {
    let saved = SavedArtifact::find(&config.jobs.artifacts_dir, &args.job, args.attempt.as_deref())?;
    let model = saved.model(args.model.as_deref())?;
    let scorer = Scorer::open(&saved, model, config)?;
    let table = compute_features(&saved.artifact, config, &args.symbols)?;
    let job_symbols = job_symbols(&saved.artifact.trained);
    let scores = scorer.score(&table)?;
    // The dates select rows only after the features are computed, because a feature also depends on
    // earlier bars.
    let is_requested = |day: i32| {
        args.from.is_none_or(|from| days_since_epoch(from) <= day)
            && args.to.is_none_or(|to| day <= days_since_epoch(to))
    };
    let symbol = |row: usize| &table.symbols[table.symbol[row] as usize];
    let is_named = |row: usize| args.symbols.is_empty() || args.symbols.contains(symbol(row));
    let is_output = |row: &usize| is_named(*row) && is_requested(table.day[*row]);
    let rows: Vec<usize> = (0..table.n_rows()).filter(is_output).collect();
    if !(0..table.n_rows()).any(is_named) {
        bail!("no rows to predict for {}; provide bars of a longer history", args.symbols.join(", "));
    }
    if rows.is_empty() {
        bail!("no rows between the requested dates; {}", describe_dates(&table));
    }
    let sets = row_sets(&saved.artifact.trained, &table);
    warn_of_training_rows(&rows, &sets);
    let of_job: Vec<bool> = (0..table.n_rows()).map(|row| job_symbols.contains(symbol(row))).collect();
    let flags = flags(model, &table, &sets, &scores, &of_job);
    let rank_scores = rank_scores(model, &table, &scores);
    let timeframe = saved.artifact.trained.timeframe;
    let signals = Signals {
        table: &table,
        rows: &rows,
        sets: &sets,
        scores: &scores,
        calibration: model.calibration,
        flags: &flags,
        rank_scores: rank_scores.as_deref(),
        timeframe,
    };
    let title = &model.title;
    let job = &saved.artifact.job_id;
    let folder = saved.folder.display();
    tracing::info!("{} rows predicted by {title} of job {job} ({folder})", rows.len());
    match &args.out {
        None => stdout::print_output(signals.csv().trim_end())?,
        Some(file) => write_file(file, &signals)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns whether each row of a table is a signal.
///
/// * `sets`, `scores`: one per row of the table.
/// * `of_job`: one per row: whether its symbol is one of the job's.
fn flags(
    model: &SavedModel,
    table: &FeatureTable,
    sets: &[Option<RowSet>],
    scores: &[f32],
    of_job: &[bool],
) -> Vec<Option<bool>> {
    let Some((rule, calibration)) = model.signal_rule.as_ref().zip(model.calibration) else {
        // The job stored its 32-bit threshold as a 64-bit number, so this conversion is exact.
        let threshold = model.threshold.map(|threshold| threshold as f32);
        return scores.iter().map(|score| threshold.map(|threshold| *score >= threshold)).collect();
    };
    // Scores of rows that the model was fitted on have a wider spread. The rule has out-of-fold
    // scores of these dates instead.
    let is_later = |set: Option<RowSet>| matches!(set, Some(RowSet::Test | RowSet::New));
    let standard = scores
        .iter()
        .zip(sets)
        .map(|(&score, &set)| if is_later(set) { calibration.scale.standardise(score) } else { f32::NAN });
    rule.flags(&table.day, &standard.collect::<Vec<_>>(), of_job)
}

/// Returns the rank score of each row of a table; `None` if the model has none.
fn rank_scores(model: &SavedModel, table: &FeatureTable, scores: &[f32]) -> Option<Vec<f32>> {
    let rows: Vec<u32> = (0..table.n_rows() as u32).collect();
    Some(model.rank_scale?.rank_scores(&Volatility::from_table(table)?, &rows, scores))
}

/// Returns the set of each row of a table for the models of an artifact.
fn row_sets(trained: &TrainingRecord, table: &FeatureTable) -> Vec<Option<RowSet>> {
    let symbol = |row: usize| &table.symbols[table.symbol[row] as usize];
    (0..table.n_rows()).map(|row| trained.row_set(symbol(row), table.time[row])).collect()
}

/// Logs a warning if some of the rows were used to fit the model, or if that is unknown.
///
/// * `sets`: one per row of the table.
fn warn_of_training_rows(rows: &[usize], sets: &[Option<RowSet>]) {
    let n_rows = rows.len();
    let n_unknown = rows.iter().filter(|&&row| sets[row].is_none()).count();
    if n_unknown > 0 {
        tracing::warn!(
            code = "rows_unknown",
            "the artifact of an earlier version does not contain the training rows, so the column `set` is empty; train again"
        );
    }
    let n_train = rows.iter().filter(|&&row| sets[row] == Some(RowSet::Train)).count();
    if n_train > 0 {
        tracing::warn!(
            code = "training_rows",
            n_train,
            "the model was fitted on {n_train} of these {n_rows} rows (set `train`): their scores are \
             not forecasts and look better than scores of later rows; leave these rows out with --from"
        );
    }
}

fn job_symbols(trained: &TrainingRecord) -> Vec<String> {
    trained.bars.symbols.iter().map(|series| series.symbol.clone()).collect()
}

/// Computes the features of an artifact on the bars of the named symbols and of the job's symbols,
/// whose scores determine which rows are signals.
fn compute_features(artifact: &Artifact, config: &Config, symbols: &[String]) -> anyhow::Result<FeatureTable> {
    let trained = &artifact.trained;
    let source = JobResources::from_config(&config.jobs, "predict").map_err(failure_error)?.bars.open();
    let mut distinct_symbols: Vec<String> = Vec::new();
    for symbol in symbols.iter().cloned().chain(job_symbols(trained)) {
        if !distinct_symbols.contains(&symbol) {
            distinct_symbols.push(symbol);
        }
    }
    let history = artifacts::history(trained, source.as_ref(), &distinct_symbols).map_err(failure_error)?;
    for warning in &history.warnings {
        tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
    }
    let names: Vec<String> = trained.features.iter().map(|column| column.name.clone()).collect();
    let table = features::compute(&history.bars, &history.benchmarks, trained.timeframe, &names)
        .context("this version of oculus-host cannot compute the features of the model on these bars")?;
    // The roles decide which columns a model reads. If they differed, the model would silently read
    // other inputs.
    let roles = trained.features.iter().map(|column| column.role);
    if !table.roles.iter().copied().eq(roles) {
        bail!(
            "this version of oculus-host passes other features to models than version {}, which trained the model",
            artifact.host_version
        );
    }
    let n_bars = |symbol_idx: usize| history.bars[symbol_idx].len();
    // The table contains only rows with a value of every feature, so a short series has no rows at
    // all.
    for (symbol_idx, symbol) in table.symbols.iter().enumerate() {
        if !table.symbol.contains(&(symbol_idx as u32)) {
            tracing::warn!(
                "{symbol} has no rows: its {} bars are fewer than the warm-up of the features",
                n_bars(symbol_idx)
            );
        }
    }
    if table.n_rows() == 0 {
        let requested = distinct_symbols.join(", ");
        bail!("no rows to predict for {requested}; provide bars of a longer history");
    }
    Ok(table)
}

/// Returns the part of an error message that states the first and the last date of a table.
fn describe_dates(table: &FeatureTable) -> String {
    let date = |day: Option<&i32>| day.copied().map(iso_date).unwrap_or_default();
    let first = date(table.day.iter().min());
    let last = date(table.day.iter().max());
    format!("the rows are from {first} to {last}")
}

//! `oculus-host predict`: the signals of a trained model on the bars of its training or on newer ones.

mod output;

use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::civil::Date;
use oculus_pipeline::date::{days_since_epoch, iso_date};
use oculus_pipeline::features::{self, FeatureTable};
use oculus_pipeline::fitter;
use oculus_plugin_host::catalog::Catalog;
use oculus_plugin_host::device;
use oculus_plugin_host::installed::InstalledPlugin;
use oculus_plugin_host::predictor::Predictor;
use oculus_plugin_host::selection;
use oculus_plugin_host::table::SharedTable;

use self::output::{Signals, write_file};
use super::failure::failure_error;
use super::output_file::{self, OutputFile};
use super::parsers::symbol;
use super::stdout;
use crate::artifacts::{self, Artifact, SavedArtifact, SavedModel};
use crate::config::Config;
use crate::runner;
use crate::runner::spec::JobResources;

/// Predict with a trained model: probabilities and signals for every bar
///
/// Reads the artifact that the job left, computes exactly its features, and loads the model through its plugin. On the
/// bars of the training it gives the job's own test predictions, bit for bit.
#[derive(clap::Args, Clone, Debug)]
#[command(
    after_help = "Example:\n  oculus-host predict build:example --bars examples/bars --symbol AAPL --out signals.csv"
)]
pub(super) struct PredictArgs {
    /// A job's id, or the folder of an artifact
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Symbol to predict; may be given several times [default: those of the job]
    #[arg(long = "symbol", value_name = "S", value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Model to use, such as lightgbm [default: the winner]
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Attempt at the job, the name of its folder [default: the newest whole one]
    #[arg(long, value_name = "TOKEN")]
    pub attempt: Option<String>,
    /// First session date to write
    #[arg(long, value_name = "DATE")]
    pub from: Option<Date>,
    /// Last session date to write
    #[arg(long, value_name = "DATE")]
    pub to: Option<Date>,
    /// File to write, .csv or .parquet [default: CSV on stdout]
    #[arg(long, value_name = "FILE", value_parser = output_file::parse)]
    pub out: Option<OutputFile>,
}

/// Predicts; the exit code is 0.
///
/// # Errors
/// The artifact, its plugin or the bars are missing, or the plugin fails.
pub(super) fn run(config: &Config, args: &PredictArgs) -> anyhow::Result<ExitCode> {
    let saved = SavedArtifact::find(&config.jobs.artifacts_dir, &args.job, args.attempt.as_deref())?;
    let model = saved.model(args.model.as_deref())?;
    let bytes = saved.bytes(model)?;
    let plugin = plugin_of(model, config)?;
    let table = features_of(&saved.artifact, config, &args.symbols)?;
    let scorer = Scorer { plugin: &plugin, config, seed: saved.artifact.trained.seed };
    let scores = scorer.score(model, bytes, &table)?;
    let within = |day: i32| {
        args.from.is_none_or(|from| days_since_epoch(from) <= day)
            && args.to.is_none_or(|to| day <= days_since_epoch(to))
    };
    let rows: Vec<usize> = (0..table.n_rows()).filter(|&row| within(table.day[row])).collect();
    if rows.is_empty() {
        bail!("no row within the dates asked for; {}", spans(&table));
    }
    // Exactly the number that the job compared to.
    let threshold = model.threshold.map(|threshold| threshold as f32);
    let timeframe = saved.artifact.trained.timeframe;
    let signals = Signals { table: &table, rows: &rows, scores: &scores, threshold, timeframe };
    let title = &model.title;
    let job = &saved.artifact.job_id;
    let folder = saved.folder.display();
    tracing::info!("{} rows by {title} of job {job} ({folder})", rows.len());
    match &args.out {
        None => stdout::print_answer(signals.csv().trim_end())?,
        Some(file) => write_file(file, &signals)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the plugin that trained a model: the same library, or else, with a warning, the highest
/// version of the plugin.
fn plugin_of(model: &SavedModel, config: &Config) -> anyhow::Result<InstalledPlugin> {
    let folder = config.jobs.plugins.dir.display();
    let catalog = Catalog::open(&config.jobs.plugins)?;
    catalog.scan_to_end()?;
    let plugins = catalog.current().plugins();
    let refused = catalog.current().refused();
    let SavedModel { plugin: id, version, library_sha256, .. } = model;
    let candidates: Vec<_> = plugins.iter().filter(|plugin| plugin.manifest.id == *id).collect();
    if let Some(same) = candidates.iter().find(|plugin| plugin.sha256 == *library_sha256) {
        return Ok((*same).clone());
    }
    // A newer library has replaced this one, whose copy is still in the store.
    if let Some(saved) = catalog.find(library_sha256) {
        return Ok(saved);
    }
    let Some(other) = candidates.into_iter().max_by_key(|plugin| selection::version(plugin)) else {
        let there: Vec<_> = plugins.iter().map(|plugin| plugin.manifest.id.as_str()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let refused = refused.iter().map(|it| format!("; {} is not a plugin: {}", it.path.display(), it.reason));
        bail!(
            "the model was made by the plugin `{id}` {version}, which is not installed; plugins in {folder}: {there}{}; \
             publish it there, this project's by `cargo xtask plugins {id}`, or name another folder by --plugins",
            refused.collect::<String>()
        );
    };
    tracing::warn!(
        "the model was made by {id} {version} (SHA-256 {library_sha256}), predicted by {id} {} (SHA-256 {}): scores may \
         differ in their last digits",
        other.manifest.version,
        other.sha256
    );
    Ok(other.clone())
}

/// Computes the artifact's features on the bars of these symbols, or on those of the job if none are named.
fn features_of(artifact: &Artifact, config: &Config, symbols: &[String]) -> anyhow::Result<FeatureTable> {
    let trained = &artifact.trained;
    let source = JobResources::from_config(&config.jobs, "predict").map_err(failure_error)?.bars.open();
    let of_job: Vec<String> = trained.bars.symbols.iter().map(|series| series.symbol.clone()).collect();
    let mut wanted: Vec<String> = Vec::new();
    for symbol in if symbols.is_empty() { &of_job } else { symbols } {
        if !wanted.contains(symbol) {
            wanted.push(symbol.clone());
        }
    }
    let history = artifacts::history(trained, source.as_ref(), &wanted).map_err(failure_error)?;
    for warning in &history.warnings {
        tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
    }
    let names: Vec<String> = trained.features.iter().map(|column| column.name.clone()).collect();
    let table = features::compute(&history.bars, &history.benchmarks, trained.timeframe, &names)
        .context("the artifact's features cannot be computed on these bars by this version of oculus-host")?;
    let roles = trained.features.iter().map(|column| column.role);
    if !table.roles.iter().copied().eq(roles) {
        bail!("this version of oculus-host gives models other features than {}, which trained", artifact.host_version);
    }
    let n_bars = |symbol_idx: usize| history.bars[symbol_idx].len();
    for (symbol_idx, symbol) in table.symbols.iter().enumerate() {
        if !table.symbol.contains(&(symbol_idx as u32)) {
            tracing::warn!("{symbol} has no row: its {} bars are fewer than the features need", n_bars(symbol_idx));
        }
    }
    if table.n_rows() == 0 {
        let asked = wanted.join(", ");
        bail!("no row to predict for {asked}: give bars of a longer history");
    }
    Ok(table)
}

/// Scores tables with saved models of one plugin.
struct Scorer<'a> {
    plugin: &'a InstalledPlugin,
    config: &'a Config,
    /// The seed of the job that trained the model.
    seed: u64,
}

impl Scorer<'_> {
    /// Returns one score per row of the table.
    ///
    /// * `bytes`: the content of the model's file.
    fn score(&self, model: &SavedModel, bytes: Vec<u8>, table: &FeatureTable) -> anyhow::Result<Vec<f32>> {
        let Self { plugin, config, seed } = *self;
        let setting = fitter::setting(device(model, plugin, config), seed);
        let shared =
            SharedTable::write(table).context("the features cannot be written into the temporary folder (TMPDIR)")?;
        let rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        let id = &plugin.manifest.id;
        let scores = Predictor::start(plugin, &shared, config.jobs.plugins.limits, runner::plugin_log(id))
            .and_then(|predictor| predictor.load(bytes, &setting).and_then(|()| predictor.predict(&rows)))
            .with_context(|| format!("the plugin `{id}` {} cannot predict with this model", plugin.manifest.version))?;
        if scores.len() != rows.len() {
            bail!("the plugin `{id}` gave {} scores for {} rows: update it", scores.len(), rows.len());
        }
        Ok(scores)
    }
}

/// Returns the device that the model was fitted on if it is available and allowed, else the CPU.
fn device<'a>(model: &'a SavedModel, plugin: &InstalledPlugin, config: &Config) -> &'a str {
    let fitted_on = model.device.as_deref().unwrap_or(device::CPU);
    if fitted_on == device::CPU || config.jobs.gpu_enabled && plugin.manifest.devices.iter().any(|it| it == fitted_on) {
        return fitted_on;
    }
    tracing::warn!("the model was fitted on {fitted_on}, predicted on the cpu: scores may differ in their last digits");
    device::CPU
}

/// Returns the dates of the table's first and last row, for an error.
fn spans(table: &FeatureTable) -> String {
    let date = |day: Option<&i32>| day.copied().map(iso_date).unwrap_or_default();
    let first = date(table.day.iter().min());
    let last = date(table.day.iter().max());
    format!("there are rows from {first} to {last}")
}

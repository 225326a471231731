//! Tries a plugin on the features of real bars, for `oculus-host plugin check --bars`.
//!
//! In: a folder of daily bars, and a library that meets all claims. Out: the size of the table, the
//! times of each call and the number of scores, or what the plugin did wrong. The split is simple:
//! the first four fifths of the dates are fitted, and the rest is scored. It shows whether a plugin
//! copes with real tables, not whether it predicts well.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use oculus_job::request::Timeframe;
use oculus_market_data::folder::Folder;
use oculus_pipeline::bars::{Bars, BarsRequest, TimeRange, validated_bars};
use oculus_pipeline::date::iso_date;
use oculus_pipeline::features::{self, Feature, FeatureTable};
use oculus_pipeline::{fitter, metrics};
use oculus_plugin_api::{Manifest, MinedRule, Role};
use oculus_plugin_host::device;
use oculus_plugin_host::probe::{ProbeTarget, read_manifest};
use oculus_plugin_host::process::{CallError, PluginProcess, ProcessOptions};
use oculus_plugin_host::protocol::{Extract, Fit, Reply, Request};
use oculus_plugin_host::table::SharedTable;

use crate::cli::failure::failure_error;
use crate::config::Config;
use crate::runner;
use crate::runner::spec::JobResources;

/// Largest number of symbols that are read, in alphabetical order.
const MAX_SYMBOLS: usize = 20;
/// Bars after which the label compares the close.
const HORIZON_BARS: usize = 5;
/// Seed of the fit.
const SEED: u64 = 1;

/// A feature table of real bars, with labels and a split.
pub(super) struct RealTable {
    table: FeatureTable,
    shared: SharedTable,
    /// 1 if the close is higher after [`HORIZON_BARS`] bars, 0 if not, NaN at the end of a symbol.
    label: Vec<f32>,
    train_rows: Vec<u32>,
    later_rows: Vec<u32>,
}

impl RealTable {
    /// Reads the bars of a folder and computes the default features.
    ///
    /// # Errors
    /// Returns an error if the folder has no daily bars that a job would accept, or too few.
    pub(super) fn read(folder: &Path, config: &Config) -> anyhow::Result<Self> {
        let bars = read_bars(folder, config)?;
        let names: Vec<String> =
            features::defaults().iter().filter(|feature| feature.benchmark().is_none()).map(Feature::name).collect();
        let table = features::compute(&bars, &[], Timeframe::Day1, &names).context("cannot compute features")?;
        let label = labels(&bars, &table);
        let mut days = table.day.clone();
        days.sort_unstable();
        days.dedup();
        let Some(&first_later) = days.get(days.len() * 4 / 5) else {
            let n_bars: usize = bars.iter().map(Bars::len).sum();
            bail!("the {n_bars} bars in {} are fewer than the warm-up of the features", folder.display())
        };
        let last_train = days.partition_point(|day| *day < first_later).saturating_sub(HORIZON_BARS);
        let end_train = days[last_train];
        let rows = |is_chosen: &dyn Fn(usize) -> bool| {
            (0..table.n_rows()).filter(|&row| is_chosen(row)).map(|row| row as u32).collect()
        };
        // A training label must be known before the first scored date.
        let train_rows = rows(&|row| table.day[row] < end_train && !label[row].is_nan());
        let later_rows = rows(&|row| table.day[row] >= first_later);
        let shared =
            SharedTable::write(&table).context("cannot write the features to the temporary folder (TMPDIR)")?;
        Ok(Self { table, shared, label, train_rows, later_rows })
    }

    /// Runs the plugin on the table, and returns the lines of the report.
    ///
    /// # Errors
    /// Returns what the plugin did wrong, as the end of a sentence.
    pub(super) fn try_plugin(&self, subject: &ProbeTarget) -> Result<String, String> {
        let listener = runner::plugin_log(&subject.name);
        let options = ProcessOptions { table: Some(&self.shared), ..subject.process_options(listener) };
        let process = PluginProcess::start(options).map_err(|error| format!("cannot be started: {error:#}"))?;
        let manifest = match call(&process, Request::Describe)?.0 {
            Reply::Described(json) => read_manifest(&json).map_err(|error| error.to_string())?,
            other => return Err(format!("returned {other:?} instead of its manifest")),
        };
        let lines = if manifest.role == Role::Rules { self.extract(&process) } else { self.fit(&process, &manifest) };
        process.terminate();
        Ok(format!("{}\n{}", self.describe(), lines?))
    }

    fn describe(&self) -> String {
        let date = |day: Option<&i32>| day.copied().map(iso_date).unwrap_or_default();
        format!(
            "  real   {} symbols, {} rows of {} features from {} to {}; {} rows to fit, {} to score",
            self.table.symbols.len(),
            self.table.n_rows(),
            self.table.names.len(),
            date(self.table.day.iter().min()),
            date(self.table.day.iter().max()),
            self.train_rows.len(),
            self.later_rows.len()
        )
    }

    /// Fits the family, saves and loads the model, and compares the scores of both.
    fn fit(&self, process: &PluginProcess, manifest: &Manifest) -> Result<String, String> {
        let device = if manifest.devices.iter().any(|it| it == device::CPU) { device::CPU } else { device::AUTO };
        let setting = fitter::setting(device, SEED).to_json().map_err(|error| error.to_string())?;
        let prepare = Request::Prepare { prepared: 0, learn_rows: self.train_rows.clone(), setting: setting.clone() };
        let (_, prepare_time) = call(process, prepare)?;
        let fit = Request::Fit(Fit {
            prepared: 0,
            label: self.label.clone(),
            train_rows: self.train_rows.clone(),
            tune_rows: Vec::new(),
            params: "{}".to_owned(),
            seed: SEED,
            device: device.to_owned(),
            base_score: None,
            predict_rows: self.later_rows.clone(),
            keep_model: true,
        });
        let (Reply::Fitted { scores, model: Some(model), .. }, fit_time) = call(process, fit)? else {
            return Err("returned no model".to_owned());
        };
        let n_bytes = model.len();
        call(process, Request::Load { model, setting })?;
        let predict = Request::Predict { rows: self.later_rows.clone(), base_score: None };
        let (Reply::Predicted { scores: again }, predict_time) = call(process, predict)? else {
            return Err("returned no scores".to_owned());
        };
        let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
        if scores.len() != self.later_rows.len()
            || scores.len() != again.len()
            || scores.iter().zip(&again).any(differs)
        {
            return Err("returns other scores after its model was saved and loaded".to_owned());
        }
        let n_scored = scores.iter().filter(|score| score.is_finite()).count();
        if n_scored == 0 {
            return Err(format!("scores none of the {} later rows", scores.len()));
        }
        Ok(format!(
            "  real   prepares in {}, fits in {}, predicts in {}; a model of {n_bytes} bytes\n  real   scores {n_scored} of \
             {} rows; AUC {}, for a rise within {HORIZON_BARS} bars",
            seconds(prepare_time),
            seconds(fit_time),
            seconds(predict_time),
            scores.len(),
            self.auc(&scores)
        ))
    }

    fn extract(&self, process: &PluginProcess) -> Result<String, String> {
        let extract = Request::Extract(Extract {
            label: self.label.clone(),
            train_rows: self.train_rows.clone(),
            scores: vec![f32::NAN; self.table.n_rows()],
            params: "{}".to_owned(),
            seed: SEED,
        });
        let (Reply::Mined(json), time) = call(process, extract)? else { return Err("returned no rules".to_owned()) };
        let rules: Vec<MinedRule> =
            serde_json::from_str(&json).map_err(|error| format!("returned rules that cannot be parsed: {error}"))?;
        let names = rules.iter().flat_map(|rule| &rule.conditions).map(|condition| &condition.feature);
        if let Some(unknown) = names.into_iter().find(|name| !self.table.names.contains(name)) {
            return Err(format!("returned a rule on {unknown}, which the table does not contain"));
        }
        Ok(format!("  real   proposes {} rules in {}", rules.len(), seconds(time)))
    }

    /// Returns the AUC of the rows that have a label and a score, as text.
    fn auc(&self, scores: &[f32]) -> String {
        let pairs = self.later_rows.iter().map(|&row| self.label[row as usize]).zip(scores);
        let (label, score): (Vec<f32>, Vec<f32>) =
            pairs.filter(|(label, score)| !label.is_nan() && score.is_finite()).unzip();
        metrics::auc(&label, &score).map_or_else(|error| format!("undefined ({error})"), |auc| format!("{auc:.3}"))
    }
}

/// Reads the daily bars of a folder.
fn read_bars(folder: &Path, config: &Config) -> anyhow::Result<Vec<Bars>> {
    let mut symbols = Folder::new(folder).symbols().with_context(|| format!("cannot read {}", folder.display()))?;
    symbols.truncate(MAX_SYMBOLS);
    if symbols.is_empty() {
        bail!("{} contains no .csv or .parquet file", folder.display());
    }
    // The flag that names the folder also sets the source of bars.
    let source = JobResources::from_config(&config.jobs, "check").map_err(failure_error)?.bars.open();
    let range = TimeRange::Back { years: 100.0, n_bars: 0 };
    let request = BarsRequest { symbols: &symbols, optional: &[], timeframe: Timeframe::Day1, range };
    let mut bars = Vec::new();
    for reading in source.read(&request, &|_| {}).map_err(failure_error)? {
        // Warnings about bars are the subject of `bars check`.
        bars.extend(validated_bars(reading, Timeframe::Day1, &mut Vec::new()).map_err(failure_error)?);
    }
    Ok(bars)
}

/// Computes the labels of all rows.
fn labels(bars: &[Bars], table: &FeatureTable) -> Vec<f32> {
    let label = |row: usize| {
        let close = &bars.iter().find(|bars| bars.symbol == table.symbols[table.symbol[row] as usize])?.close;
        let bar = table.bar[row] as usize;
        Some(f32::from(close.get(bar + HORIZON_BARS)? > close.get(bar)?))
    };
    (0..table.n_rows()).map(|row| label(row).unwrap_or(f32::NAN)).collect()
}

/// Sends a request, and returns the reply and its time.
fn call(process: &PluginProcess, request: Request) -> Result<(Reply, Duration), String> {
    let start = Instant::now();
    let reply = process.call(request).map_err(|error| match error {
        CallError::Rejected { message, .. } => format!("fails: {message}"),
        CallError::Died(death) => format!("terminated its process ({})", death.cause),
    })?;
    Ok((reply, start.elapsed()))
}

fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

//! Technical features of bars.
//!
//! In: validated bars and the names that a job requests. Out: one table of all symbols, and a report of the requested
//! names, their canonical names, and the features that are not available. Invariants: a row's values depend on bars up
//! to its own alone; every value is finite.

#[cfg(test)]
mod tests;

mod benchmark;
mod catalogue;
mod feature;
mod groups;
mod kind;
mod listing;
mod name;
mod passes;
mod prices;
mod table;
mod window;

use std::collections::BTreeMap;

use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::{Job, Timeframe};
use oculus_job::warning::{Warning, WarningCode};
use serde::{Deserialize, Serialize};

use self::feature::longest_warm_up;
use self::table::{SymbolSeries, fill};
pub use self::{
    feature::Feature,
    listing::{Entry, Section, listing},
    name::{UnknownFeatureError, resolve},
    prices::Prices,
    table::FeatureTable,
};
use super::bars::{Bars, BarsNeeds, BenchmarkError, Market, check_benchmark};
use crate::matrix::{OUT_OF_SPACE_HINT, OutOfSpaceError};

/// The outcome of the names that a job requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureReport {
    /// The job's spelling of each known feature → its name in the table.
    pub canonical: BTreeMap<String, String>,
    /// Names that are not features of this version.
    pub unresolved: Vec<UnknownFeatureError>,
    /// Features that these bars do not allow.
    pub left_out: Vec<LeftOut>,
    /// Bars before the first row of each symbol.
    pub warm_up_bars: usize,
}

/// Why features were not computed.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// A name that is not a feature of this version.
    #[error(transparent)]
    UnknownFeature(#[from] UnknownFeatureError),
    /// A feature whose benchmark has no bars.
    #[error("`{feature}` compares with {benchmark}: give its bars, too")]
    WithoutBenchmark {
        /// The feature.
        feature: String,
        /// The symbol that it compares with.
        benchmark: String,
    },
    /// A benchmark whose bars cannot be used.
    #[error("bars of {benchmark}, which features compare with, do not serve")]
    Benchmark {
        /// Its symbol.
        benchmark: String,
        /// Why.
        #[source]
        error: BenchmarkError,
    },
    /// The temporary folder is full.
    #[error(transparent)]
    OutOfSpace(#[from] OutOfSpaceError),
}

/// A feature that is not available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The feature.
    pub name: String,
    /// What it lacks.
    #[serde(flatten)]
    pub lack: MissingInputError,
}

/// The input that a feature lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(untagged)]
pub enum MissingInputError {
    /// Bars before its first value.
    #[error("it needs {needs_bars} bars of warm-up, there are {has_bars}")]
    WarmUp {
        /// Bars before its first value.
        needs_bars: usize,
        /// Bars of warm-up that there are.
        has_bars: usize,
    },
    /// The bars that it compares with.
    #[error("it compares with {benchmark}, of which there are no bars that serve")]
    Benchmark {
        /// The symbol that it compares with.
        benchmark: String,
    },
}

impl FeatureReport {
    /// Returns the warnings for the result: one per unknown name and one per feature that is not available.
    pub fn warnings(&self) -> Vec<Warning> {
        let unresolved = self.unresolved.iter().map(|unresolved| {
            let nearest =
                unresolved.nearest.as_ref().map(|name| format!("; the nearest is {name}")).unwrap_or_default();
            Warning::new(WarningCode::UnresolvedFeature, format!("{unresolved}{nearest}"))
        });
        let left_out = self.left_out.iter().map(|LeftOut { name, lack }| {
            Warning::new(WarningCode::FeatureLeftOut, format!("{name} is left out: {lack}"))
        });
        unresolved.chain(left_out).collect()
    }
}

/// Computes the default features and those that the job's priorities and rules name.
///
/// Levels such as `SMA_20` are for rules alone; for each requested level, its scale-free form is added for the models.
///
/// * `n_threads`: threads to compute on; changes no bit.
///
/// # Errors
/// `too_few_bars` where no symbol has a bar after the warm-up; `no_room_for_table` (retryable)
/// where the temporary folder cannot take the values.
pub fn build(market: &Market, job: &Job, n_threads: usize) -> Result<(FeatureTable, FeatureReport), Failure> {
    let mut report = FeatureReport::default();
    let is_available = |symbol: &str| market.benchmarks.iter().any(|benchmark| benchmark.symbol == symbol);
    let features = choose(job, market.warm_up_bars, &is_available, &mut report);
    report.warm_up_bars = longest_warm_up(&features);
    let series = series(&market.bars, &market.benchmarks);
    let table = fill(&series, market.timeframe, &features, n_threads).map_err(|error| out_of_space(&error))?;
    if table.n_rows() == 0 {
        let message = format!("no symbol has more than the {} bars of warm-up", report.warm_up_bars);
        let hint = "raise design.years or give bars of a longer history";
        return Err(Failure::refused(Phase::FeatureEngineering, ErrorCode::TooFewBars, message, hint));
    }
    Ok((table, report))
}

/// Computes exactly these features, such as those of a saved model's table; the same bars give the same bits as
/// [`build`].
///
/// * `benchmarks`: whole series of the symbols that features compare with.
/// * `names`: as [`FeatureTable::names`] has them, in their order.
///
/// # Errors
/// If a name is unknown or not the canonical one, a benchmark is missing or cannot be used, or the temporary folder is
/// full.
pub fn compute(
    bars: &[Bars],
    benchmarks: &[Bars],
    timeframe: Timeframe,
    names: &[String],
) -> Result<FeatureTable, FeatureError> {
    let features = names.iter().map(|name| {
        let feature = resolve(name)?;
        if feature.name() == *name {
            return Ok(feature);
        }
        let reason = format!("this version calls it {}", feature.name());
        Err(UnknownFeatureError { asked: name.clone(), reason, nearest: Some(feature.name()) })
    });
    let features = features.collect::<Result<Vec<_>, _>>()?;
    check_benchmarks(&features, bars, benchmarks, timeframe)?;
    Ok(fill(&series(bars, benchmarks), timeframe, &features, 1)?)
}

fn check_benchmarks(
    features: &[Feature],
    bars: &[Bars],
    benchmarks: &[Bars],
    timeframe: Timeframe,
) -> Result<(), FeatureError> {
    for feature in features {
        let Some(symbol) = feature.benchmark() else { continue };
        let benchmark = symbol.to_owned();
        match benchmarks.iter().find(|benchmark| benchmark.symbol == symbol) {
            None => return Err(FeatureError::WithoutBenchmark { feature: feature.name(), benchmark }),
            Some(found) => {
                check_benchmark(found, bars, timeframe)
                    .map_err(|error| FeatureError::Benchmark { benchmark, error })?;
            }
        }
    }
    Ok(())
}

/// Converts a full temporary folder into the failure of a job.
pub fn out_of_space(error: &OutOfSpaceError) -> Failure {
    let message = error.to_string();
    Failure::failed(Phase::FeatureEngineering, ErrorCode::NoRoomForTable, message, OUT_OF_SPACE_HINT)
}

/// Computes each feature of a symbol, at all of its bars, and hands it over with its place in the list: one value per
/// bar, NaN until the feature has the bars that it needs.
///
/// * `days`: the bars' session dates.
/// * `take`: receives a feature's place in the list, and its values.
///
/// # Errors
/// The first error of `take`.
pub fn columns<E>(
    bars: &Bars,
    days: &[i32],
    benchmarks: &[Bars],
    features: &[Feature],
    mut take: impl FnMut(usize, &[f64]) -> Result<(), E>,
) -> Result<(), E> {
    series(std::slice::from_ref(bars), benchmarks).iter().try_for_each(|one| one.columns(days, features, &mut take))
}

/// Returns the default features of every job, including those that need a benchmark's bars.
pub fn defaults() -> Vec<Feature> {
    catalogue::default_features().collect()
}

/// Returns what features need of a job's bars.
///
/// * `lookback_rows`: rows up to and including its own that a prediction reads.
pub fn bars_needs(job: &Job, lookback_rows: usize) -> BarsNeeds<'_> {
    BarsNeeds { job, benchmarks: benchmarks(job), lookback_rows, warm_up_bars }
}

/// Returns the bars before the first row of each symbol, with `has_bars` of warm-up and every benchmark available.
pub fn warm_up_bars(job: &Job, has_bars: usize) -> usize {
    longest_warm_up(&choose(job, has_bars, &|_| true, &mut FeatureReport::default()))
}

/// Returns the symbols that the default features and those of a job compare with.
pub fn benchmarks(job: &Job) -> Vec<String> {
    let mut symbols: Vec<String> = Vec::new();
    for feature in catalogue::default_features().chain(requested(job, &mut FeatureReport::default())) {
        symbols.extend(feature.benchmark.filter(|symbol| !symbols.contains(symbol)));
    }
    symbols
}

/// Returns the default features and those that the job requests, as far as the warm-up and the benchmarks allow.
///
/// A default feature whose benchmark is not available is left out without a report.
fn choose(job: &Job, has_bars: usize, is_available: &dyn Fn(&str) -> bool, report: &mut FeatureReport) -> Vec<Feature> {
    let mut features = Vec::new();
    let defaults = catalogue::default_features().filter(|feature| feature.benchmark().is_none_or(is_available));
    for feature in defaults.chain(requested(job, report)) {
        let needs_bars = feature.warm_up_bars();
        let lack = match &feature.benchmark {
            _ if features.contains(&feature) => continue,
            Some(symbol) if !is_available(symbol) => MissingInputError::Benchmark { benchmark: symbol.clone() },
            _ if needs_bars > has_bars => MissingInputError::WarmUp { needs_bars, has_bars },
            _ => {
                features.push(feature);
                continue;
            }
        };
        let left_out = LeftOut { name: feature.name(), lack };
        if !report.left_out.contains(&left_out) {
            report.left_out.push(left_out);
        }
    }
    features
}

/// Returns the features that a job requests, each level preceded by its scale-free form.
fn requested(job: &Job, report: &mut FeatureReport) -> Vec<Feature> {
    let design = &job.design;
    let of_rules = design.entry_rules.iter().chain(&design.exit_rules).map(|rule| &rule.feature);
    let mut features = Vec::new();
    for name in design.priority_features.iter().chain(of_rules) {
        match resolve(name) {
            Ok(feature) => {
                report.canonical.insert(name.clone(), feature.name());
                features.extend(catalogue::scale_free(&feature));
                features.push(feature);
            }
            Err(unresolved) if report.unresolved.contains(&unresolved) => {}
            Err(unresolved) => report.unresolved.push(unresolved),
        }
    }
    features
}

/// Returns each symbol's bars with the closes of the benchmarks that features compare with.
fn series<'a>(bars: &'a [Bars], benchmarks: &[Bars]) -> Vec<SymbolSeries<'a>> {
    let closes_of_benchmarks = |bars: &Bars| {
        benchmarks.iter().map(|benchmark| (benchmark.symbol.clone(), benchmark::closes(benchmark, bars))).collect()
    };
    bars.iter().map(|bars| SymbolSeries { bars, benchmarks: closes_of_benchmarks(bars) }).collect()
}

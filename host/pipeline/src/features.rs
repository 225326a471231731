//! Computes technical features from bars.
//!
//! In: validated bars and the names that a job requests. Out: one table of all symbols, and a
//! report of the requested names, their canonical names, and the features that are not available.
//! Invariants: the values of a row depend only on its own bar and earlier bars; every value is
//! finite.

#[cfg(test)]
mod tests;

mod benchmark;
mod catalogue;
mod feature;
mod groups;
mod kind;
mod listing;
mod name;
mod ohlcv;
mod passes;
mod table;
mod window;

use std::collections::BTreeMap;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::{Job, Timeframe};
use oculus_job::warning::{Warning, WarningCode};
use serde::{Deserialize, Serialize};

use self::feature::longest_warm_up;
use self::table::{SymbolSeries, fill};
pub use self::{
    feature::Feature,
    listing::{CatalogueEntry, CatalogueSection, listing},
    name::{UnknownFeatureError, resolve},
    ohlcv::OhlcvView,
    table::FeatureTable,
};
use super::bars::{Bars, BarsNeeds, BenchmarkError, Market, check_benchmark};
use crate::matrix::{OUT_OF_SPACE_HINT, OutOfSpaceError};

/// The result of resolving the names that a job requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureReport {
    /// Canonical name of each known feature, by its spelling in the job.
    pub canonical: BTreeMap<String, String>,
    /// Names that are not features of this version.
    pub unresolved: Vec<UnknownFeatureError>,
    /// Features that cannot be computed from these bars.
    pub left_out: Vec<LeftOut>,
    /// Number of bars before the first row of each symbol.
    pub warm_up_bars: usize,
}

/// A reason why features were not computed.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// A name that is not a feature of this version.
    #[error(transparent)]
    UnknownFeature(#[from] UnknownFeatureError),
    /// A feature whose benchmark has no bars.
    #[error("`{feature}` needs bars of its benchmark {benchmark}: provide them")]
    WithoutBenchmark {
        /// Name of the feature.
        feature: String,
        /// Symbol of its benchmark.
        benchmark: String,
    },
    /// A benchmark whose bars cannot be used.
    #[error("the bars of benchmark {benchmark} cannot be used")]
    Benchmark {
        /// Symbol of the benchmark.
        benchmark: String,
        /// Reason why its bars cannot be used.
        #[source]
        error: BenchmarkError,
    },
    /// A table that cannot be written to the temporary folder.
    #[error(transparent)]
    OutOfSpace(#[from] OutOfSpaceError),
}

/// A feature that is not available.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Name of the feature.
    pub name: String,
    /// Input that is missing.
    #[serde(flatten)]
    pub missing: MissingInputError,
}

/// A missing input of a feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(untagged)]
pub enum MissingInputError {
    /// There are too few bars of warm-up.
    #[error("found {has_bars} bars of warm-up, expected {needs_bars}")]
    WarmUp {
        /// Number of bars before the feature's first value.
        needs_bars: usize,
        /// Number of bars of warm-up that are available.
        has_bars: usize,
    },
    /// The benchmark has no usable bars.
    #[error("it needs bars of its benchmark {benchmark}, which are missing or cannot be used")]
    Benchmark {
        /// Symbol of the benchmark.
        benchmark: String,
    },
}

impl FeatureReport {
    /// Returns the warnings for the result: one per unknown name and one per feature that is not
    /// available.
    pub fn warnings(&self) -> Vec<Warning> {
        let unresolved = self.unresolved.iter().map(|unresolved| {
            let nearest =
                unresolved.nearest.as_ref().map(|name| format!("; the nearest is {name}")).unwrap_or_default();
            Warning::new(WarningCode::UnresolvedFeature, format!("{unresolved}{nearest}"))
        });
        let left_out = self.left_out.iter().map(|LeftOut { name, missing }| {
            Warning::new(WarningCode::FeatureLeftOut, format!("{name} is left out: {missing}"))
        });
        unresolved.chain(left_out).collect()
    }
}

/// Computes the default features, and the features that the job's priorities and rules name.
///
/// Levels such as `SMA_20` are used by rules only. For each requested level, its scale-free form is
/// added for the models.
///
/// * `n_threads`: number of threads to compute on; it does not change the values.
///
/// # Errors
/// Returns `too_few_bars` if no symbol has a bar after the warm-up, or `no_room_for_table`
/// (retryable) if the values cannot be written to the temporary folder.
pub fn build(market: &Market, job: &Job, n_threads: usize) -> Result<(FeatureTable, FeatureReport), JobError> {
    let mut report = FeatureReport::default();
    let is_available = |symbol: &str| market.benchmarks.iter().any(|benchmark| benchmark.symbol == symbol);
    let features = choose(job, market.warm_up_bars, &is_available, &mut report);
    // All features have the same warm-up, so that every row has a value of every feature.
    report.warm_up_bars = longest_warm_up(&features);
    let series = series(&market.bars, &market.benchmarks);
    let table = fill(&series, market.timeframe, &features, n_threads).map_err(|error| out_of_space(&error))?;
    if table.n_rows() == 0 {
        let message = format!("no symbol has more than the {} bars of warm-up", report.warm_up_bars);
        let hint = "raise design.years or provide a longer history";
        return Err(JobError::refused(Phase::FeatureEngineering, ErrorCode::TooFewBars, message, hint));
    }
    Ok((table, report))
}

/// Computes the features with exactly these names, such as the names in a saved model. For equal
/// bars, the values have the same bits as in the table of [`build`].
///
/// * `benchmarks`: whole series of the benchmarks.
/// * `names`: canonical names, in the order of the columns.
///
/// # Errors
/// Returns [`FeatureError`] if a name is unknown or not canonical, a benchmark is missing or cannot
/// be used, or the table cannot be written to the temporary folder.
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
        // A saved model states canonical names. Another spelling means that another version has
        // trained the model.
        let reason = format!("its canonical name in this version is {}", feature.name());
        Err(UnknownFeatureError { requested: name.clone(), reason, nearest: Some(feature.name()) })
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

/// Converts the error of writing a table into the failure of a job.
pub fn out_of_space(error: &OutOfSpaceError) -> JobError {
    let message = error.to_string();
    JobError::failed(Phase::FeatureEngineering, ErrorCode::NoRoomForTable, message, OUT_OF_SPACE_HINT)
}

/// Computes the features of one symbol at all of its bars, and passes each feature to a callback.
///
/// * `days`: session dates of the bars.
/// * `on_column`: receives the index of a feature in `features`, and its values: one per bar, NaN
///   during the warm-up.
///
/// # Errors
/// Returns the first error of `on_column`.
pub fn columns<E>(
    bars: &Bars,
    days: &[i32],
    benchmarks: &[Bars],
    features: &[Feature],
    mut on_column: impl FnMut(usize, &[f64]) -> Result<(), E>,
) -> Result<(), E> {
    series(std::slice::from_ref(bars), benchmarks)
        .iter()
        .try_for_each(|one| one.columns(days, features, &mut on_column))
}

/// Returns whether the feature with this canonical name repeats every year. A few years do not show
/// whether such a feature has an effect.
pub(crate) fn is_seasonal(name: &str) -> bool {
    groups::regime::SEASONAL.contains(&name)
}

/// Returns the default features of every job, including those that need a benchmark's bars.
pub fn defaults() -> Vec<Feature> {
    catalogue::default_features().collect()
}

/// Returns the requirements that the features and models of a job have for its bars.
///
/// * `lookback_rows`: number of rows that a prediction reads, up to and including its own row.
pub fn bars_needs(job: &Job, lookback_rows: usize) -> BarsNeeds<'_> {
    BarsNeeds { job, benchmarks: benchmarks(job), lookback_rows, warm_up_bars }
}

/// Returns the number of bars before the first row of each symbol, if every benchmark is available.
///
/// * `has_bars`: number of bars of warm-up that are available.
pub fn warm_up_bars(job: &Job, has_bars: usize) -> usize {
    longest_warm_up(&choose(job, has_bars, &|_| true, &mut FeatureReport::default()))
}

/// Returns the benchmarks of the default features and of the features that a job requests.
pub fn benchmarks(job: &Job) -> Vec<String> {
    let mut symbols: Vec<String> = Vec::new();
    for feature in catalogue::default_features().chain(requested(job, &mut FeatureReport::default())) {
        symbols.extend(feature.benchmark.filter(|symbol| !symbols.contains(symbol)));
    }
    symbols
}

/// Returns the default features and the features that the job requests. Features that cannot be
/// computed are added to the report instead.
fn choose(job: &Job, has_bars: usize, is_available: &dyn Fn(&str) -> bool, report: &mut FeatureReport) -> Vec<Feature> {
    let mut features = Vec::new();
    // A default feature without its benchmark is left out silently: the job did not request it.
    let defaults = catalogue::default_features().filter(|feature| feature.benchmark().is_none_or(is_available));
    for feature in defaults.chain(requested(job, report)) {
        let needs_bars = feature.warm_up_bars();
        let missing = match &feature.benchmark {
            // A job may request a default feature, or one feature several times.
            _ if features.contains(&feature) => continue,
            Some(symbol) if !is_available(symbol) => MissingInputError::Benchmark { benchmark: symbol.clone() },
            _ if needs_bars > has_bars => MissingInputError::WarmUp { needs_bars, has_bars },
            _ => {
                features.push(feature);
                continue;
            }
        };
        let left_out = LeftOut { name: feature.name(), missing };
        // Several rules may name the same feature, but one warning is sufficient.
        if !report.left_out.contains(&left_out) {
            report.left_out.push(left_out);
        }
    }
    features
}

/// Returns the features that a job requests. The scale-free form of a level precedes the level.
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

/// Returns the bars of each symbol with the closes of the benchmarks at these bars.
fn series<'a>(bars: &'a [Bars], benchmarks: &[Bars]) -> Vec<SymbolSeries<'a>> {
    let closes_of_benchmarks = |bars: &Bars| {
        benchmarks.iter().map(|benchmark| (benchmark.symbol.clone(), benchmark::closes(benchmark, bars))).collect()
    };
    bars.iter().map(|bars| SymbolSeries { bars, benchmarks: closes_of_benchmarks(bars) }).collect()
}

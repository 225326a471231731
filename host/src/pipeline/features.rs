//! Technical features of bars.
//!
//! In: validated bars and the names that a job asks for. Out: one table of all symbols and a report of what was asked,
//! what it is called here, and what could not be had. Invariants: a row's values depend on bars up to its own alone;
//! every value is finite.

mod catalogue;
mod momentum;
mod name;
mod price;
mod regime;
mod table;
#[cfg(test)]
mod tests;
mod trend;
mod volatility;
mod volume;
mod window;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    catalogue::{Feature, Prices},
    name::{Unresolved, resolve},
    table::FeatureTable,
};
use super::bars::{Bars, Market, Warning};
use crate::job::{
    failure::Failure,
    progress::Phase,
    request::{Job, Timeframe},
};
use crate::matrix::{NO_ROOM_HINT, NoRoom};
use table::{Series, fill};

/// What became of the names that a job asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureReport {
    /// The job's spelling of each known feature → its name in the table.
    pub canonical: BTreeMap<String, String>,
    /// Names that mean nothing here.
    pub unresolved: Vec<Unresolved>,
    /// Features that need more bars of warm-up than there are.
    pub left_out: Vec<LeftOut>,
    /// Bars before the first row of each symbol.
    pub warm_up_bars: usize,
}

/// Why features were not computed.
#[derive(Debug, thiserror::Error)]
pub enum Uncomputed {
    /// A name that is no feature of this version.
    #[error(transparent)]
    Unresolved(#[from] Unresolved),
    /// The temporary folder is full.
    #[error(transparent)]
    NoRoom(#[from] NoRoom),
}

/// A feature that the warm-up is too short for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The feature.
    pub name: String,
    /// Bars before its first value.
    pub needs_bars: usize,
    /// Bars of warm-up that there are.
    pub has_bars: usize,
}

impl FeatureReport {
    /// What the reader of a result should know: names that mean nothing, features that could not be had.
    pub fn warnings(&self) -> Vec<Warning> {
        let unresolved = self.unresolved.iter().map(|unresolved| {
            let nearest =
                unresolved.nearest.as_ref().map(|name| format!("; the nearest is {name}")).unwrap_or_default();
            Warning::new("unresolved_feature", format!("{unresolved}{nearest}"))
        });
        let left_out = self.left_out.iter().map(|LeftOut { name, needs_bars, has_bars }| {
            let message = format!("{name} is left out: it needs {needs_bars} bars of warm-up, there are {has_bars}");
            Warning::new("feature_left_out", message)
        });
        unresolved.chain(left_out).collect()
    }
}

/// Computes the default features and those that the job's priorities and rules name.
///
/// Levels such as `SMA_20` serve rules; for each that is asked for, its scale-free form is added for the models.
///
/// * `n_threads`: threads to compute on; changes no bit.
///
/// # Errors
/// `too_few_bars` where no symbol has a bar after the warm-up; `no_room_for_table` (retryable) where the temporary folder
/// cannot take the values.
pub fn build(market: &Market, job: &Job, n_threads: usize) -> Result<(FeatureTable, FeatureReport), Failure> {
    let mut report = FeatureReport::default();
    let features = choose(job, market.warm_up_bars, &mut report);
    report.warm_up_bars = longest_warm_up(&features);
    let series = series(&market.bars, &market.benchmarks);
    let table = fill(&series, market.timeframe, &features, n_threads).map_err(|error| no_room(&error))?;
    if table.n_rows() == 0 {
        let message = format!("no symbol has more than the {} bars of warm-up", report.warm_up_bars);
        let hint = "raise design.years or give bars of a longer history";
        return Err(Failure::refused(Phase::FeatureEngineering, "too_few_bars", message, hint));
    }
    Ok((table, report))
}

/// Computes exactly these features, such as those of a saved model's table; the same bars give the same bits as
/// [`build`].
///
/// * `names`: as [`FeatureTable::names`] has them, in their order.
///
/// # Errors
/// A name that this version computes no feature for, or writes otherwise; [`NoRoom`].
pub fn compute(
    bars: &[Bars],
    benchmarks: &[Bars],
    timeframe: Timeframe,
    names: &[String],
) -> Result<FeatureTable, Uncomputed> {
    let features = names.iter().map(|name| {
        let feature = resolve(name)?;
        if feature.name() == *name {
            return Ok(feature);
        }
        let reason = format!("this version calls it {}", feature.name());
        Err(Unresolved { asked: name.clone(), reason, nearest: Some(feature.name()) })
    });
    let features = features.collect::<Result<Vec<_>, _>>()?;
    Ok(fill(&series(bars, benchmarks), timeframe, &features, 1)?)
}

/// That the temporary folder cannot take the table, as a job says it.
pub(crate) fn no_room(error: &NoRoom) -> Failure {
    let (phase, code) = (Phase::FeatureEngineering, "no_room_for_table");
    Failure::failed(phase, code, error.to_string(), NO_ROOM_HINT).retryable()
}

/// Computes each feature of a symbol, at all of its bars, and hands it over with its place in the list: one value a bar,
/// NaN until the feature has the bars that it needs.
///
/// # Errors
/// What `take` says.
pub fn columns<E>(
    bars: &Bars,
    benchmarks: &[Bars],
    timeframe: Timeframe,
    features: &[Feature],
    mut take: impl FnMut(usize, &[f64]) -> Result<(), E>,
) -> Result<(), E> {
    let days = bars.session_days(timeframe);
    series(std::slice::from_ref(bars), benchmarks).iter().try_for_each(|one| one.columns(&days, features, &mut take))
}

/// What every job gets, those included that need a benchmark's bars.
pub fn defaults() -> Vec<Feature> {
    catalogue::default_features().collect()
}

/// Bars before the first row of each symbol, where `has_bars` of warm-up can be had.
pub fn warm_up_bars(job: &Job, has_bars: usize) -> usize {
    longest_warm_up(&choose(job, has_bars, &mut FeatureReport::default()))
}

fn longest_warm_up(features: &[Feature]) -> usize {
    features.iter().map(Feature::warm_up_bars).max().unwrap_or(0)
}

/// The default features and those that the job names, as far as the warm-up reaches.
fn choose(job: &Job, has_bars: usize, report: &mut FeatureReport) -> Vec<Feature> {
    let mut features = Vec::new();
    for feature in catalogue::default_features().chain(asked(job, report)) {
        let needs_bars = feature.warm_up_bars();
        if features.contains(&feature) {
            continue;
        }
        if needs_bars <= has_bars {
            features.push(feature);
        } else if report.left_out.iter().all(|left_out| left_out.name != feature.name()) {
            report.left_out.push(LeftOut { name: feature.name(), needs_bars, has_bars });
        }
    }
    features
}

/// The features that a job names, each followed by its scale-free form.
fn asked(job: &Job, report: &mut FeatureReport) -> Vec<Feature> {
    let design = &job.design;
    let of_rules = design.entry_rules.iter().chain(&design.exit_rules).map(|rule| &rule.feature);
    let mut features = Vec::new();
    for asked in design.priority_features.iter().chain(of_rules) {
        match resolve(asked) {
            Ok(feature) => {
                report.canonical.insert(asked.clone(), feature.name());
                features.extend(feature.scale_free());
                features.push(feature);
            }
            Err(unresolved) if report.unresolved.contains(&unresolved) => {}
            Err(unresolved) => report.unresolved.push(unresolved),
        }
    }
    features
}

/// Each symbol's bars, with the closes of the benchmarks that features compare with.
fn series<'a>(bars: &'a [Bars], _benchmarks: &[Bars]) -> Vec<Series<'a>> {
    bars.iter().map(|bars| Series { bars, benchmarks: BTreeMap::new() }).collect()
}

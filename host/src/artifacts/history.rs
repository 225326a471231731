//! Reads the bars that a saved model predicts on: the bars of its training that still exist, and
//! newer ones.
//!
//! Exponential averages depend on their first bar. Therefore the bars of a symbol of the job start
//! at the first bar that the job used, even if older bars exist. In the training period, the
//! features are then bit-identical to the features of the job.

use oculus_job::error::JobError;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::{self, Bars, BarsRequest, Source, TimeRange, format_bar_time};

use super::description::{Series, TrainingRecord};

/// The bars for the features of a saved model.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// One series per requested symbol that has bars.
    pub bars: Vec<Bars>,
    /// One complete series per benchmark that has bars.
    pub benchmarks: Vec<Bars>,
    /// Warnings about bars that are absent or differ from the training bars.
    pub warnings: Vec<Warning>,
}

/// Reads the bars of the symbols and of the benchmarks of a saved model's features.
///
/// The bars of a symbol of the job start at the first bar that the job used. The bars of another
/// symbol start at the first date on which all benchmarks have bars.
///
/// # Errors
/// Returns the [`JobError`] of [`Source::read`] or [`bars::validated_bars`]. A symbol without bars
/// is a warning, not an error.
pub(crate) fn history(trained: &TrainingRecord, source: &dyn Source, symbols: &[String]) -> Result<History, JobError> {
    let mut history = History::default();
    let used = || trained.bars.symbols.iter().chain(&trained.bars.benchmarks);
    let first_time = used().map(|series| series.from_time).min().unwrap_or_default();
    let first_day = i32::try_from(first_time.div_euclid(86_400)).unwrap_or_default();
    // The range starts one day earlier, because the session date of an intraday bar can be the day
    // before its UTC date.
    let range = TimeRange::From(first_day - 1);
    let benchmarks = trained.bars.benchmarks.iter().filter(|series| !symbols.contains(&series.symbol));
    let all: Vec<String> = symbols.iter().chain(benchmarks.map(|series| &series.symbol)).cloned().collect();
    let request = BarsRequest { symbols: &all, optional: &[], timeframe: trained.timeframe, range };
    let mut found = Vec::new();
    for reading in source.read(&request, &|_| {})? {
        found.extend(bars::validated_bars(reading, trained.timeframe, &mut history.warnings)?);
    }
    for series in &trained.bars.benchmarks {
        let Some(bars) = found.iter().find(|bars| bars.symbol == series.symbol) else { continue };
        history.warnings.extend(difference(series, bars, trained));
        history.benchmarks.push(bars.clone());
    }
    for bars in found.into_iter().filter(|bars| symbols.contains(&bars.symbol)) {
        let bars = match trained.bars.symbols.iter().find(|series| series.symbol == bars.symbol) {
            None => history.since_benchmarks(bars, trained),
            Some(series) => {
                history.warnings.extend(difference(series, &bars, trained));
                bars.within(series.from_time..=i64::MAX)
            }
        };
        history.bars.push(bars);
    }
    Ok(history)
}

impl History {
    /// For a symbol that the job did not have, returns the bars from the first date on which all
    /// benchmarks have bars.
    fn since_benchmarks(&mut self, bars: Bars, trained: &TrainingRecord) -> Bars {
        let Some(start) = self.benchmarks.iter().filter_map(|benchmark| benchmark.time.first()).max() else {
            return bars;
        };
        let used = bars.within(*start..=i64::MAX);
        if used.len() < bars.len() {
            let symbol = &bars.symbol;
            let start = format_bar_time(*start, trained.timeframe);
            let message = format!(
                "the bars of {symbol} before {start} are not used, because a benchmark of its features starts then"
            );
            self.warnings.push(Warning::new(WarningCode::BenchmarkBeginsLater, message));
        }
        used
    }
}

/// Returns a warning if the bars of the training period differ from those that the model was
/// trained on.
fn difference(series: &Series, bars: &Bars, trained: &TrainingRecord) -> Option<Warning> {
    let Series { symbol, from, to, .. } = series;
    let first = *bars.time.first()?;
    let last = *bars.time.last()?;
    if first > series.from_time {
        let start = format_bar_time(first, trained.timeframe);
        let message = format!(
            "the bars of {symbol} start on {start}, but the training bars start on {from}: exponential averages differ, and so do scores"
        );
        return Some(Warning::new(WarningCode::BarsBeginLater, message));
    }
    // The description contains one hash of all bars, so a part of the bars cannot be compared.
    let same_time = bars.within(series.from_time..=series.to_time);
    if last < series.to_time {
        let message = format!(
            "the bars of {symbol} end on {}, but the training bars end on {to}: the two series cannot be compared",
            format_bar_time(last, trained.timeframe)
        );
        return Some(Warning::new(WarningCode::BarsEndEarlier, message));
    }
    if same_time.sha256() == series.sha256 {
        return None;
    }
    let n_bars = same_time.len();
    let n_expected = series.n_bars;
    let message = format!(
        "the {n_bars} bars of {symbol} from {from} to {to} differ from the {n_expected} that the model was trained on, for \
         example after a split or a correction: scores in that period differ from those of the job"
    );
    Some(Warning::new(WarningCode::BarsChanged, message))
}

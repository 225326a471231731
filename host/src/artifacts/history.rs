//! The bars that a saved model reads: those of its training, as far as they exist, and newer ones.
//!
//! Infinite averages depend on their first bar, so a symbol of the job begins with the job's own
//! first bar. Then the same bars give the same features, bit for bit, whether or not older or newer
//! bars exist.

use oculus_job::failure::Failure;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::{self, Bars, Reach, Source, Wanted, moment};

use super::description::{Series, Trained};

/// Bars for a saved model.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// One series per symbol that has bars.
    pub bars: Vec<Bars>,
    /// The complete series of the benchmarks of the model's features, as far as they exist.
    pub benchmarks: Vec<Bars>,
    /// The warnings for the reader of the predictions.
    pub warnings: Vec<Warning>,
}

/// Reads the bars of some symbols and of the benchmarks. A symbol of the job begins with the job's
/// own first bar, another symbol where all benchmarks have begun.
///
/// # Errors
/// Those of [`Source::read`] and [`bars::sound`]. A symbol without bars is a warning.
pub(crate) fn history(trained: &Trained, source: &dyn Source, symbols: &[String]) -> Result<History, Failure> {
    let mut history = History::default();
    let used = || trained.bars.symbols.iter().chain(&trained.bars.benchmarks);
    let first_time = used().map(|series| series.from_time).min().unwrap_or_default();
    let first_day = i32::try_from(first_time.div_euclid(86_400)).unwrap_or_default();
    let reach = Reach::From(first_day - 1);
    let benchmarks = trained.bars.benchmarks.iter().filter(|series| !symbols.contains(&series.symbol));
    let all: Vec<String> = symbols.iter().chain(benchmarks.map(|series| &series.symbol)).cloned().collect();
    let wanted = Wanted { symbols: &all, optional: &[], timeframe: trained.timeframe, reach };
    let mut found = Vec::new();
    for reading in source.read(&wanted, &|_| {})? {
        found.extend(bars::sound(reading, trained.timeframe, &mut history.warnings)?);
    }
    for series in &trained.bars.benchmarks {
        let Some(bars) = found.iter().find(|bars| bars.symbol == series.symbol) else { continue };
        history.warnings.extend(difference(series, bars, trained));
        history.benchmarks.push(bars.clone());
    }
    for bars in found.into_iter().filter(|bars| symbols.contains(&bars.symbol)) {
        let bars = match trained.bars.symbols.iter().find(|series| series.symbol == bars.symbol) {
            None => history.compared(bars, trained),
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
    /// Returns the bars of a symbol that the job did not have, from where all benchmarks have begun.
    fn compared(&mut self, bars: Bars, trained: &Trained) -> Bars {
        let Some(begin) = self.benchmarks.iter().filter_map(|benchmark| benchmark.time.first()).max() else {
            return bars;
        };
        let compared = bars.within(*begin..=i64::MAX);
        if compared.len() < bars.len() {
            let symbol = &bars.symbol;
            let begin = moment(*begin, trained.timeframe);
            let message =
                format!("{symbol}'s bars before {begin} are not used: a benchmark of its features begins then");
            self.warnings.push(Warning::new(WarningCode::BenchmarkBeginsLater, message));
        }
        compared
    }
}

/// Returns a warning if the bars of the training's period differ from those of the training.
fn difference(series: &Series, bars: &Bars, trained: &Trained) -> Option<Warning> {
    let Series { symbol, from, to, .. } = series;
    let first = *bars.time.first()?;
    let last = *bars.time.last()?;
    if first > series.from_time {
        let begin = moment(first, trained.timeframe);
        let message = format!(
            "{symbol} begins on {begin}, the training's bars on {from}: averages without end differ, and scores with them"
        );
        return Some(Warning::new(WarningCode::BarsBeginLater, message));
    }
    // Bars that end earlier cannot be compared with a hash of all of them.
    let same_time = bars.within(series.from_time..=series.to_time);
    if last < series.to_time {
        let message = format!(
            "{symbol} ends on {}, the training's bars on {to}: whether the bars before are the training's cannot be compared",
            moment(last, trained.timeframe)
        );
        return Some(Warning::new(WarningCode::BarsEndEarlier, message));
    }
    if same_time.sha256() == series.sha256 {
        return None;
    }
    let n_bars = same_time.len();
    let n_needed = series.n_bars;
    let message = format!(
        "{symbol}'s {n_bars} bars from {from} to {to} are not the {n_needed} that the model was trained on, such as after \
         a split or a correction: scores of that time differ from the job's"
    );
    Some(Warning::new(WarningCode::BarsChanged, message))
}

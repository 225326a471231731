//! Adds benchmarks to the bars of the job's own symbols. A benchmark is a symbol, such as SPY, with
//! which features compare the symbols of the job.
//!
//! In: the bars of the job after the cut, and the readings of the benchmarks. Out: the usable
//! benchmarks in the [`Market`]. Invariant: a benchmark never fails the job. If its bars are
//! missing or cannot be used, the benchmark and its features are left out with a warning.

use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};

use super::market::Market;
use super::series::{Bars, sha256};
use super::session::format_bar_time;
use super::source::Reading;
use super::validate::validated_bars;

/// Returns the series of a benchmark, or `None` if its bars are missing or invalid.
pub(super) fn read(reading: Reading, timeframe: Timeframe, warnings: &mut Vec<Warning>) -> Option<Bars> {
    if reading.found.is_none() {
        // The warning that the benchmark has no bars is removed: another warning reports that its
        // features are left out.
        warnings.extend(reading.warnings.into_iter().filter(|warning| warning.code != WarningCode::SymbolWithoutBars));
        return None;
    }
    let symbol = reading.symbol.clone();
    validated_bars(reading, timeframe, warnings).unwrap_or_else(|failure| {
        warnings.push(left_out(&symbol, &failure.message));
        None
    })
}

/// Cuts each benchmark to the span of the market's bars, and adds it. A benchmark whose bars do not
/// cover the bars of all symbols is left out with a warning.
pub(super) fn add(market: &mut Market, benchmarks: Vec<Bars>) {
    let firsts = market.bars.iter().filter_map(|bars| bars.time.first());
    let lasts = market.bars.iter().filter_map(|bars| bars.time.last());
    let (Some(&first), Some(&last)) = (firsts.min(), lasts.max()) else { return };
    for benchmark in benchmarks {
        match check_benchmark(&benchmark, &market.bars, market.timeframe) {
            Ok(()) => {
                // A symbol's first bar is compared with the last benchmark bar that starts at the
                // same time or earlier. That benchmark bar is kept, even if it precedes all bars of
                // the symbols.
                let before = benchmark.time.iter().copied().take_while(|&time| time <= first).last();
                market.benchmarks.push(benchmark.within(before.unwrap_or(first)..=last));
            }
            Err(error) => market.warnings.push(left_out(&benchmark.symbol, &error.to_string())),
        }
    }
    // Up to here the hash covered only the bars of the job's symbols, without the benchmarks.
    market.sha256 = sha256(market.bars.iter().chain(&market.benchmarks));
}

fn left_out(symbol: &str, reason: &str) -> Warning {
    Warning::new(WarningCode::BenchmarkLeftOut, format!("benchmark {symbol} is left out: {reason}"))
}

/// Maximum number of seconds from a benchmark bar to the symbol's bar that is compared with it.
const OUTDATED_AFTER_S: i64 = 7 * 86_400;

/// A reason why bars cannot be used as a benchmark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BenchmarkError {
    /// The benchmark has no bars.
    #[error("it has no bars")]
    Empty,
    /// The benchmark's first bar is later than the first bar of a symbol.
    #[error("its bars begin on {from}, but the bars of {symbol} begin on {needed}: provide a longer history")]
    BeginLater {
        /// Time of the benchmark's first bar.
        from: String,
        /// Symbol whose bars begin earlier.
        symbol: String,
        /// Time of that symbol's first bar.
        needed: String,
    },
    /// The benchmark has a gap of more than 7 days.
    #[error("it has no bars from {from} to {to}, more than 7 days in which {symbol} traded: provide the missing bars")]
    Gap {
        /// Time of the benchmark's last bar before the gap.
        from: String,
        /// Time of the symbol's first bar that is more than 7 days after the bar at `from`.
        to: String,
        /// Symbol that traded during the gap.
        symbol: String,
    },
    /// The benchmark's last bar is more than 7 days older than the newest bar of a symbol.
    #[error("its bars end on {to}, more than 7 days before the newest bar of {symbol} on {needed}: provide newer bars")]
    Outdated {
        /// Time of the benchmark's last bar at or before the symbol's newest bar.
        to: String,
        /// Symbol whose bars end later.
        symbol: String,
        /// Time of that symbol's newest bar.
        needed: String,
    },
}

/// Checks that a benchmark's bars cover the bars of all symbols.
///
/// # Errors
/// Returns a [`BenchmarkError`] if the benchmark has no bars, begins too late, ends too early or
/// has a gap.
pub fn check_benchmark(benchmark: &Bars, bars: &[Bars], timeframe: Timeframe) -> Result<(), BenchmarkError> {
    let &from = benchmark.time.first().ok_or(BenchmarkError::Empty)?;
    let text = |time: i64| format_bar_time(time, timeframe);
    for Bars { symbol, time, .. } in bars {
        let (Some(&first), Some(&newest)) = (time.first(), time.last()) else { continue };
        let symbol = symbol.clone();
        if first < from {
            return Err(BenchmarkError::BeginLater { from: text(from), symbol, needed: text(first) });
        }
        let n_known = benchmark.time.partition_point(|&time| time <= newest);
        let to = benchmark.time[n_known - 1];
        if newest - to > OUTDATED_AFTER_S {
            return Err(BenchmarkError::Outdated { to: text(to), symbol, needed: text(newest) });
        }
        if let Some((from, to)) = first_gap(benchmark, time) {
            return Err(BenchmarkError::Gap { from: text(from), to: text(to), symbol });
        }
    }
    Ok(())
}

/// Returns the first gap: the time of the benchmark's last bar before the gap, and the first of
/// `times` that is more than 7 days later.
fn first_gap(benchmark: &Bars, times: &[i64]) -> Option<(i64, i64)> {
    // Both lists are ascending, so one pass over both is sufficient.
    let mut known = benchmark.time.iter().copied().peekable();
    let mut last = known.next()?;
    for &time in times {
        while let Some(next) = known.next_if(|&next| next <= time) {
            last = next;
        }
        if time - last > OUTDATED_AFTER_S {
            return Some((last, time));
        }
    }
    None
}

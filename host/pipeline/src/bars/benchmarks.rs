//! Benchmarks: symbols that features compare with. They are read in addition to the job's symbols.
//!
//! A benchmark whose bars are missing or cannot be used is left out with a warning, and so are its features; it never
//! fails the job.

use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};

use super::market::Market;
use super::series::{Bars, sha256};
use super::session::moment;
use super::source::Reading;
use super::validate::sound;

/// Returns a benchmark's series if its bars are sound. A missing series has no warning here: the features that need it
/// are reported as left out.
pub(super) fn read(reading: Reading, timeframe: Timeframe, warnings: &mut Vec<Warning>) -> Option<Bars> {
    if reading.found.is_none() {
        warnings.extend(reading.warnings.into_iter().filter(|warning| warning.code != WarningCode::SymbolWithoutBars));
        return None;
    }
    let symbol = reading.symbol.clone();
    sound(reading, timeframe, warnings).unwrap_or_else(|failure| {
        warnings.push(left_out(&symbol, &failure.message));
        None
    })
}

/// Adds the benchmarks that cover the market's symbols, each starting at its last bar at or before the market's first.
pub(super) fn add(market: &mut Market, benchmarks: Vec<Bars>) {
    let firsts = market.bars.iter().filter_map(|bars| bars.time.first());
    let lasts = market.bars.iter().filter_map(|bars| bars.time.last());
    let (Some(&first), Some(&last)) = (firsts.min(), lasts.max()) else { return };
    for benchmark in benchmarks {
        match check_benchmark(&benchmark, &market.bars, market.timeframe) {
            Ok(()) => {
                let before = benchmark.time.iter().copied().take_while(|&time| time <= first).last();
                market.benchmarks.push(benchmark.within(before.unwrap_or(first)..=last));
            }
            Err(error) => market.warnings.push(left_out(&benchmark.symbol, &error.to_string())),
        }
    }
    market.sha256 = sha256(market.bars.iter().chain(&market.benchmarks));
}

fn left_out(symbol: &str, why: &str) -> Warning {
    Warning::new(WarningCode::BenchmarkLeftOut, format!("{symbol} is left out as a benchmark: {why}"))
}

/// A benchmark whose last bar is older than this at a symbol's bar is outdated.
const OUTDATED_AFTER_S: i64 = 7 * 86_400;

/// Why bars cannot be used as a benchmark.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BenchmarkError {
    /// There are no bars.
    #[error("there is no bar")]
    Empty,
    /// The first one is too late.
    #[error("they begin on {from}, {symbol}'s on {needed}: give a longer history")]
    BeginLater {
        /// Its first bar.
        from: String,
        /// The symbol that begins before.
        symbol: String,
        /// That symbol's first bar.
        needed: String,
    },
    /// There is a hole of more than 7 days.
    #[error("they have none from {from} to {to}, more than 7 days in which {symbol} traded: give those between")]
    Hole {
        /// Its last bar before.
        from: String,
        /// The bar of the symbol that is too long after.
        to: String,
        /// The symbol that traded.
        symbol: String,
    },
    /// The last one is too old.
    #[error("they end on {to}, more than 7 days before {symbol}'s newest bar, {needed}: give newer ones")]
    Outdated {
        /// Its last bar at the symbol's newest.
        to: String,
        /// The symbol that goes on.
        symbol: String,
        /// That symbol's newest bar.
        needed: String,
    },
}

/// Checks that a benchmark's bars cover those of all symbols.
///
/// # Errors
/// If they begin too late, end too early, or have a hole.
pub fn check_benchmark(benchmark: &Bars, bars: &[Bars], timeframe: Timeframe) -> Result<(), BenchmarkError> {
    let &from = benchmark.time.first().ok_or(BenchmarkError::Empty)?;
    let text = |time: i64| moment(time, timeframe);
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
        if let Some((from, to)) = hole(benchmark, time) {
            return Err(BenchmarkError::Hole { from: text(from), to: text(to), symbol });
        }
    }
    Ok(())
}

/// Returns the first time at which the benchmark's last bar is outdated, preceded by the time of that bar.
fn hole(benchmark: &Bars, times: &[i64]) -> Option<(i64, i64)> {
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

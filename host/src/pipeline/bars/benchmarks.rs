//! Symbols that features compare with: read beside the job's own, kept where they serve, left out with the reason.
//!
//! A benchmark is never a reason to fail: without it its features are left out.

use super::{Bars, Market, Reading, Warning, sha256, sound};
use crate::job::request::Timeframe;
use crate::pipeline::features;

/// A benchmark's series, where it has a sound one. That it has none is told with the features that need it.
pub(super) fn read(reading: Reading, timeframe: Timeframe, warnings: &mut Vec<Warning>) -> Option<Bars> {
    reading.found.as_ref()?;
    let symbol = reading.symbol.clone();
    sound(reading, timeframe, warnings).unwrap_or_else(|failure| {
        warnings.push(left_out(&symbol, &failure.message));
        None
    })
}

/// Gives a market the benchmarks that serve its symbols, each from the last bar at or before the market's first one on.
pub(super) fn add(market: &mut Market, benchmarks: Vec<Bars>) {
    let firsts = market.bars.iter().filter_map(|bars| bars.time.first());
    let lasts = market.bars.iter().filter_map(|bars| bars.time.last());
    let (Some(&first), Some(&last)) = (firsts.min(), lasts.max()) else { return };
    for benchmark in benchmarks {
        match features::check_benchmark(&benchmark, &market.bars, market.timeframe) {
            Ok(()) => {
                let before = benchmark.time.iter().copied().take_while(|&time| time <= first).last();
                market.benchmarks.push(benchmark.within(before.unwrap_or(first)..=last));
            }
            Err(unfit) => market.warnings.push(left_out(&benchmark.symbol, &unfit.to_string())),
        }
    }
    market.sha256 = sha256(market.bars.iter().chain(&market.benchmarks));
}

fn left_out(symbol: &str, why: &str) -> Warning {
    Warning::new("benchmark_left_out", format!("{symbol} is left out as a benchmark: {why}"))
}

//! Reads the bars of a job, validates them, and cuts them to the span of the job.
//!
//! In: a source of bars and the needs of the later stages. Out: a [`Market`].

use oculus_job::error::JobError;

use super::market::Market;
use super::needs::BarsNeeds;
use super::source::{BarsRequest, FetchProgressFn, Source, TimeRange};
use super::validate::validated_bars;
use super::{benchmarks, cut};

/// Reads the bars of a job's symbols and of its benchmarks, and cuts them to the job's span. A
/// benchmark that the source does not have is left out.
///
/// * `on_progress`: receives the progress of the reading.
///
/// # Errors
/// Returns `no_bars` if the source has no bars of any symbol, or `bad_bars` if the bars of a symbol
/// are not valid. Returns `too_few_bars` if fewer than 250 dates can have labels, or an error of
/// [`Source::read`].
pub fn load(source: &dyn Source, needs: &BarsNeeds<'_>, on_progress: &FetchProgressFn<'_>) -> Result<Market, JobError> {
    let job = needs.job;
    let range = TimeRange::Back { years: job.design.years, n_bars: cut::WARM_UP_BARS + needs.lookback_rows };
    // A benchmark that is also a symbol of the job is not optional.
    let optional: Vec<String> =
        needs.benchmarks.iter().filter(|symbol| !job.symbols.contains(symbol)).cloned().collect();
    let request = BarsRequest { symbols: &job.symbols, optional: &optional, timeframe: job.timeframe, range };
    let mut warnings = Vec::new();
    let mut series = Vec::new();
    let mut benchmark_series = Vec::new();
    for reading in source.read(&request, on_progress)? {
        if optional.contains(&reading.symbol) {
            benchmark_series.extend(benchmarks::read(reading, job.timeframe, &mut warnings));
        } else {
            series.extend(validated_bars(reading, job.timeframe, &mut warnings)?);
        }
    }
    if series.is_empty() {
        return Err(source.no_bars_failure(&job.symbols));
    }
    // A symbol of the job may be a benchmark, too. Its whole series is copied here, because the cut
    // below shortens it.
    benchmark_series.extend(series.iter().filter(|bars| needs.benchmarks.contains(&bars.symbol)).cloned());
    let mut market = cut::market(series, needs, warnings)?;
    benchmarks::add(&mut market, benchmark_series);
    Ok(market)
}

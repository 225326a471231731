//! Reads the bars of a job, checks them, and cuts them to the span of the job.

use oculus_job::failure::Failure;

use super::market::Market;
use super::needs::BarsNeeds;
use super::source::{FetchProgressFn, Reach, Source, Wanted};
use super::validate::sound;
use super::{benchmarks, cut};

/// Reads the bars of a job's symbols and cuts them to its span; also reads the benchmarks that
/// features compare with, if the source has them.
///
/// * `on_progress`: receives the progress of the reading.
///
/// # Errors
/// `no_bars` where the source has none of the symbols, `bad_bars` for one whose bars are not sound,
/// `too_few_bars` under 250 labelled dates, and those of [`Source::read`].
pub fn load(source: &dyn Source, needs: &BarsNeeds<'_>, on_progress: &FetchProgressFn<'_>) -> Result<Market, Failure> {
    let job = needs.job;
    let reach = Reach::Back { years: job.design.years, n_bars: cut::WARM_UP_BARS + needs.lookback_rows };
    let optional: Vec<String> =
        needs.benchmarks.iter().filter(|symbol| !job.symbols.contains(symbol)).cloned().collect();
    let wanted = Wanted { symbols: &job.symbols, optional: &optional, timeframe: job.timeframe, reach };
    let mut warnings = Vec::new();
    let mut series = Vec::new();
    let mut benchmark_series = Vec::new();
    for reading in source.read(&wanted, on_progress)? {
        if optional.contains(&reading.symbol) {
            benchmark_series.extend(benchmarks::read(reading, job.timeframe, &mut warnings));
        } else {
            series.extend(sound(reading, job.timeframe, &mut warnings)?);
        }
    }
    if series.is_empty() {
        return Err(source.nothing(&job.symbols));
    }
    benchmark_series.extend(series.iter().filter(|bars| needs.benchmarks.contains(&bars.symbol)).cloned());
    let mut market = cut::market(series, needs, warnings)?;
    benchmarks::add(&mut market, benchmark_series);
    Ok(market)
}

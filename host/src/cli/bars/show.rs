//! `oculus-host bars show`: lists the symbols of a folder, or draws the bars of one symbol.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use jiff::civil::Date;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, TimeRange, format_bar_time, median_session_bars, suspected_splits};
use oculus_pipeline::date::days_since_epoch;

use super::reading::Reader;
use super::{candlestick_chart, terminal_chart};
use crate::cli::failure::failure_error;
use crate::cli::output_file::{cannot_write, write_completely};
use crate::cli::parsers::{symbol, timeframe, years};
use crate::cli::stdout::print_output;
use crate::config::Config;

/// List the symbols of a folder, or show a chart and the last bars of one symbol
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars show AAPL --bars examples/bars --from 2012-01-01 --svg aapl.svg")]
pub(crate) struct BarsShowArgs {
    /// Symbol to show [default: list the symbols of the folder]
    #[arg(value_name = "SYMBOL", value_parser = symbol)]
    pub symbol: Option<String>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Number of bars to list, counted back from the last one; 0 to show the chart only
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub last: usize,
    /// First session date to show, YYYY-MM-DD
    #[arg(long, value_name = "DATE", requires = "symbol")]
    pub from: Option<Date>,
    /// Last session date to show, YYYY-MM-DD
    #[arg(long, value_name = "DATE", requires = "symbol")]
    pub to: Option<Date>,
    /// Number of years to request from Polygon, counted back from now
    #[arg(long, value_name = "N", default_value = "2", value_parser = years)]
    pub years: f64,
    /// SVG file to write a candlestick chart to
    #[arg(long, value_name = "FILE", requires = "symbol")]
    pub svg: Option<PathBuf>,
}

/// Shows bars; the exit code is 0.
///
/// # Errors
/// Returns an error if the bars do not exist or would be refused, or if the chart or stdout cannot
/// be written.
pub(super) fn run(config: &Config, args: &BarsShowArgs) -> anyhow::Result<ExitCode> {
    let range = match (args.from.map(days_since_epoch), args.to.map(days_since_epoch)) {
        (Some(from), Some(to)) => TimeRange::Between(from, to),
        (Some(from), None) => TimeRange::From(from),
        (None, _) => TimeRange::Back { years: args.years, n_bars: 0 },
    };
    let reader = Reader::open(config, args.timeframe, range)?;
    let text = match &args.symbol {
        None => symbol_list(&reader, args.timeframe)?,
        Some(symbol) => symbol_chart(&reader, symbol, args)?,
    };
    print_output(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns a table of all symbols. If the bars of a symbol are unusable, its row states the reason.
fn symbol_list(reader: &Reader, timeframe: Timeframe) -> anyhow::Result<String> {
    let mut table = table(["symbol", "bars", "first", "last"]);
    for symbol in reader.symbols(&[])? {
        let inspected = reader.inspect(&symbol)?;
        let refusal = |message: String| [symbol.clone(), "–".to_owned(), format!("refused: {message}"), String::new()];
        table.add_row(match inspected.inspection {
            Ok(inspection) => match inspection.refusal() {
                Some(failure) => refusal(failure.message),
                None => {
                    let when =
                        |time: Option<&i64>| time.map(|&time| format_bar_time(time, timeframe)).unwrap_or_default();
                    let time = &inspection.bars.time;
                    [symbol, time.len().to_string(), when(time.first()), when(time.last())]
                }
            },
            Err(failure) => refusal(failure.map_or_else(|| "no bars".to_owned(), |failure| failure.message)),
        });
    }
    Ok(table.to_string())
}

/// Returns a chart and the last bars of a symbol, and writes the SVG file if one is requested.
fn symbol_chart(reader: &Reader, symbol: &str, args: &BarsShowArgs) -> anyhow::Result<String> {
    let inspected = reader.inspect(symbol)?;
    for warning in &inspected.warnings {
        tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
    }
    let symbols = [symbol.to_owned()];
    let inspection = inspected
        .inspection
        .map_err(|failure| failure_error(failure.unwrap_or_else(|| reader.no_bars_failure(&symbols))))?;
    if let Some(refusal) = inspection.refusal() {
        return Err(failure_error(refusal));
    }
    for warning in inspection.warnings() {
        tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
    }
    let bars = bars_between(&inspection.bars, args)?;
    if let Some(path) = &args.svg {
        // The search for splits compares whole sessions. Their length must be at least one bar,
        // even if the series has no complete session.
        let bars_per_session =
            median_session_bars([bars.session_days(args.timeframe).as_slice()].into_iter()).max(1) as usize;
        let chart = candlestick_chart::draw(&bars, args.timeframe, &suspected_splits(&bars, bars_per_session))?;
        write_completely(path, |out| out.write_all(chart.as_bytes()).with_context(|| cannot_write(path)))?;
    }
    let chart = terminal_chart::draw(&bars, args.timeframe);
    Ok(if args.last == 0 { chart } else { format!("{chart}\n\n{}", last_bars(&bars, args)) })
}

/// Returns the bars of the requested dates.
fn bars_between(bars: &Bars, args: &BarsShowArgs) -> anyhow::Result<Bars> {
    let days = bars.session_days(args.timeframe);
    let from = args.from.map_or(i32::MIN, days_since_epoch);
    let to = args.to.map_or(i32::MAX, days_since_epoch);
    let first = days.partition_point(|&day| day < from);
    let end = days.partition_point(|&day| day <= to);
    if first >= end {
        let when = |time: Option<&i64>| time.map(|&time| format_bar_time(time, args.timeframe)).unwrap_or_default();
        let first = when(bars.time.first());
        let last = when(bars.time.last());
        bail!("{} has no bars between the requested dates; its bars are from {first} to {last}", bars.symbol);
    }
    Ok(bars.within(bars.time[first]..=bars.time[end - 1]))
}

fn last_bars(bars: &Bars, args: &BarsShowArgs) -> Table {
    let mut table = table(["when", "open", "high", "low", "close", "volume"]);
    for bar in bars.len().saturating_sub(args.last)..bars.len() {
        let prices = [bars.open[bar], bars.high[bar], bars.low[bar], bars.close[bar], bars.volume[bar]];
        let [open, high, low, close, volume] = prices.map(|value| value.to_string());
        table.add_row([format_bar_time(bars.time[bar], args.timeframe), open, high, low, close, volume]);
    }
    table
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

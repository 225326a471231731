//! `oculus-host bars show`: what a source has, and how a symbol's bars look.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use jiff::civil::Date;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, Reach, median_session_bars, moment, suspected_splits};
use oculus_pipeline::date::days_since_epoch;

use super::reading::Reader;
use super::{candlestick_chart, terminal_chart};
use crate::cli::failure::failure_error;
use crate::cli::output_file::{cannot_write, write_completely};
use crate::cli::parsers::{symbol, timeframe, years};
use crate::cli::stdout::print_answer;
use crate::config::Config;

/// Show bars: the symbols of a folder, or a chart and the last bars of one
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars show AAPL --bars examples/bars --from 2012-01-01 --svg aapl.svg")]
pub(crate) struct BarsShowArgs {
    /// Symbol to show [default: a list of the folder's symbols]
    #[arg(value_name = "SYMBOL", value_parser = symbol)]
    pub symbol: Option<String>,
    /// Length of a bar
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Bars to list, the newest
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub last: usize,
    /// First session date to show
    #[arg(long, value_name = "DATE", requires = "symbol")]
    pub from: Option<Date>,
    /// Last session date to show
    #[arg(long, value_name = "DATE", requires = "symbol")]
    pub to: Option<Date>,
    /// Years back from now, where bars come from Polygon
    #[arg(long, value_name = "N", default_value = "2", value_parser = years)]
    pub years: f64,
    /// Picture to write
    #[arg(long, value_name = "FILE", requires = "symbol")]
    pub svg: Option<PathBuf>,
}

/// Shows bars; the exit code is 0.
///
/// # Errors
/// The bars do not exist or are not sound, or the picture cannot be written.
pub(super) fn run(config: &Config, args: &BarsShowArgs) -> anyhow::Result<ExitCode> {
    let reach = match (args.from.map(days_since_epoch), args.to.map(days_since_epoch)) {
        (Some(from), Some(to)) => Reach::Between(from, to),
        (Some(from), None) => Reach::From(from),
        (None, _) => Reach::Back { years: args.years, n_bars: 0 },
    };
    let reader = Reader::open(config, args.timeframe, reach)?;
    let text = match &args.symbol {
        None => list(&reader, args.timeframe)?,
        Some(symbol) => one(&reader, symbol, args)?,
    };
    print_answer(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn list(reader: &Reader, timeframe: Timeframe) -> anyhow::Result<String> {
    let mut table = table(["symbol", "bars", "first", "last"]);
    for symbol in reader.symbols(&[])? {
        let inspected = reader.inspect(&symbol)?;
        let refusal = |message: String| [symbol.clone(), "–".to_owned(), format!("refused: {message}"), String::new()];
        table.add_row(match inspected.inspection {
            Ok(inspection) => match inspection.refusal() {
                Some(failure) => refusal(failure.message),
                None => {
                    let when = |time: Option<&i64>| time.map(|&time| moment(time, timeframe)).unwrap_or_default();
                    let time = &inspection.bars.time;
                    [symbol, time.len().to_string(), when(time.first()), when(time.last())]
                }
            },
            Err(failure) => refusal(failure.map_or_else(|| "no bars".to_owned(), |failure| failure.message)),
        });
    }
    Ok(table.to_string())
}

fn one(reader: &Reader, symbol: &str, args: &BarsShowArgs) -> anyhow::Result<String> {
    let inspected = reader.inspect(symbol)?;
    for warning in &inspected.warnings {
        tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
    }
    let symbols = [symbol.to_owned()];
    let inspection =
        inspected.inspection.map_err(|failure| failure_error(failure.unwrap_or_else(|| reader.nothing(&symbols))))?;
    if let Some(refusal) = inspection.refusal() {
        return Err(failure_error(refusal));
    }
    for warning in inspection.warnings() {
        tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
    }
    let bars = within(&inspection.bars, args)?;
    if let Some(path) = &args.svg {
        let usual = median_session_bars([bars.session_days(args.timeframe).as_slice()].into_iter()).max(1) as usize;
        let picture = candlestick_chart::draw(&bars, args.timeframe, &suspected_splits(&bars, usual))?;
        write_completely(path, |out| out.write_all(picture.as_bytes()).with_context(|| cannot_write(path)))?;
    }
    let chart = terminal_chart::draw(&bars, args.timeframe);
    Ok(if args.last == 0 { chart } else { format!("{chart}\n\n{}", last(&bars, args)) })
}

/// Returns the bars of the requested dates.
fn within(bars: &Bars, args: &BarsShowArgs) -> anyhow::Result<Bars> {
    let days = bars.session_days(args.timeframe);
    let from = args.from.map_or(i32::MIN, days_since_epoch);
    let to = args.to.map_or(i32::MAX, days_since_epoch);
    let first = days.partition_point(|&day| day < from);
    let end = days.partition_point(|&day| day <= to);
    if first >= end {
        let when = |time: Option<&i64>| time.map(|&time| moment(time, args.timeframe)).unwrap_or_default();
        let first = when(bars.time.first());
        let last = when(bars.time.last());
        bail!("{} has no bar within the dates asked for; its bars run from {first} to {last}", bars.symbol);
    }
    Ok(bars.within(bars.time[first]..=bars.time[end - 1]))
}

fn last(bars: &Bars, args: &BarsShowArgs) -> Table {
    let mut table = table(["when", "open", "high", "low", "close", "volume"]);
    for bar in bars.len().saturating_sub(args.last)..bars.len() {
        let prices = [bars.open[bar], bars.high[bar], bars.low[bar], bars.close[bar], bars.volume[bar]];
        let [open, high, low, close, volume] = prices.map(|value| value.to_string());
        table.add_row([moment(bars.time[bar], args.timeframe), open, high, low, close, volume]);
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

//! `oculus-host bars fetch`: fetches bars from Polygon into the cache.

use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use jiff::civil::Date;
use oculus_job::error::{JobError, JobErrorKind};
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_market_data::polygon::{Fetched, Polygon};
use oculus_pipeline::bars::{BarsRequest, Row, Source, TimeRange, format_bar_time};
use oculus_pipeline::date::days_since_epoch;
use serde_json::{Map, json};

use crate::cli::exit_code;
use crate::cli::parsers::{symbol, timeframe, years};
use crate::cli::progress_bar::JobProgressBar;
use crate::cli::stdout::print_output;
use crate::config::{BarsSource, Config};

/// Fetch bars from Polygon into the cache
///
/// A job fetches missing bars when it runs; this command fetches them in advance. Days that are in
/// the cache are not requested again.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars fetch --symbol NVDA --symbol AMD --timeframe 1d --years 2")]
pub(crate) struct BarsFetchArgs {
    /// Symbol to fetch; can be repeated
    #[arg(long = "symbol", value_name = "S", required = true, value_parser = symbol)]
    symbols: Vec<String>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    timeframe: Timeframe,
    /// Number of years to fetch, counted back from today
    #[arg(long, value_name = "N", default_value = "2", value_parser = years, conflicts_with = "from")]
    years: f64,
    /// First session date to fetch, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last session date to fetch, YYYY-MM-DD [default: the last completed session]
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<Date>,
    /// Delete the cached bars of these symbols first
    #[arg(long)]
    refresh: bool,
}

/// Fetches bars and prints a table of them.
///
/// The exit code is 0 for a success and 1 for a failure. It is 2 if Polygon is not configured or
/// the dates are invalid, and 3 if Polygon has no bars of any symbol.
///
/// # Errors
/// Returns an error if stdout cannot be written.
pub(super) fn run(config: &Config, args: &BarsFetchArgs) -> anyhow::Result<ExitCode> {
    let Some(polygon) = &config.jobs.polygon else {
        eprintln!("error: {}", no_polygon(&config.jobs.bars));
        return Ok(ExitCode::from(exit_code::USAGE));
    };
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        eprintln!("error: invalid dates: --from {from} is after --to {to}");
        return Ok(ExitCode::from(exit_code::USAGE));
    }
    let source = Polygon::new(polygon, jiff::Timestamp::now());
    match fetch(&source, args) {
        Ok(fetched) => {
            let warnings = fetched.iter().flat_map(|fetched| &fetched.reading.warnings);
            warnings.for_each(|warning| tracing::warn!("{}: {}", warning.code, warning.message));
            print_output(&table(&fetched, args.timeframe).to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            eprintln!("error: {failure}\nhint: {}", failure.hint);
            Ok(if failure.kind == JobErrorKind::Refused {
                ExitCode::from(exit_code::REFUSED)
            } else {
                ExitCode::FAILURE
            })
        }
    }
}

/// Returns the error message if Polygon is not configured.
fn no_polygon(bars: &BarsSource) -> String {
    let found = match bars {
        BarsSource::Dir(folder) => {
            format!("bars come from the folder {}, so there is nothing to fetch", folder.display())
        }
        BarsSource::Polygon | BarsSource::Unset => "no Polygon API key is set".to_owned(),
    };
    format!("{found}; set POLYGON_API_KEY to fetch bars from Polygon")
}

fn fetch(source: &Polygon, args: &BarsFetchArgs) -> Result<Vec<Fetched>, JobError> {
    if args.refresh {
        source.remove_from_cache(&args.symbols, args.timeframe)?;
    }
    let range = match (args.from.map(days_since_epoch), args.to.map(days_since_epoch)) {
        (Some(from), Some(to)) => TimeRange::Between(from, to),
        (Some(from), None) => TimeRange::From(from),
        (None, _) => TimeRange::Back { years: args.years, n_bars: 0 },
    };
    let request = BarsRequest { symbols: &args.symbols, optional: &[], timeframe: args.timeframe, range };
    let bar = JobProgressBar::new();
    let fetched = source.fetch(&request, &|progress| {
        let left = progress.eta_s.map(|eta_s| format!(", {eta_s:.0} s left")).unwrap_or_default();
        let mut details = Map::new();
        details.insert("percent".to_owned(), json!(100.0 * progress.fraction));
        details.insert("message".to_owned(), json!(format!("{}{left}", progress.message)));
        bar.show(Phase::DataFetch, &details);
    });
    bar.finish();
    let fetched = fetched?;
    // A symbol without bars is a row of the table. The command fails only if no symbol has bars.
    if fetched.iter().all(|fetched| fetched.reading.found.is_none()) {
        return Err(source.no_bars_failure(&args.symbols));
    }
    Ok(fetched)
}

fn table(fetched: &[Fetched], timeframe: Timeframe) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["symbol", "bars", "first", "last", "from cache", "fetched", "pages"]);
    for Fetched { reading, n_cached, n_pages } in fetched {
        let rows = reading.found.as_ref().map_or(&[][..], |found| &found.rows);
        let when = |row: Option<&Row>| row.map(|row| format_bar_time(row.time, timeframe)).unwrap_or_default();
        table.add_row([
            reading.symbol.clone(),
            rows.len().to_string(),
            when(rows.first()),
            when(rows.last()),
            n_cached.to_string(),
            (rows.len() - n_cached).to_string(),
            n_pages.to_string(),
        ]);
    }
    for column in [1, 4, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

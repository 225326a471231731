//! `oculus-host bars fetch`: fetches bars from Polygon into the cache before a job needs them.

use std::process::ExitCode;

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use jiff::civil::Date;
use oculus_job::failure::{Failure, Kind};
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_market_data::polygon::{Fetched, Polygon};
use oculus_pipeline::bars::{Reach, Row, Source, Wanted, moment};
use oculus_pipeline::date::days_since_epoch;
use serde_json::{Map, json};

use crate::cli::exit_code;
use crate::cli::parsers::{symbol, timeframe, years};
use crate::cli::progress_bar::JobProgressBar;
use crate::cli::stdout::print_answer;
use crate::config::{BarsSource, Config};

/// Fetch bars from Polygon into the cache, unless it already has them
///
/// Jobs fetch what they need by themselves; this command does it in advance. Days in the cache are not requested again.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars fetch --symbol NVDA --symbol AMD --timeframe 1d --years 2")]
pub(crate) struct BarsFetchArgs {
    /// Symbol to fetch; may be given several times
    #[arg(long = "symbol", value_name = "S", required = true, value_parser = symbol)]
    symbols: Vec<String>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    timeframe: Timeframe,
    /// Years back from today
    #[arg(long, value_name = "N", default_value = "2", value_parser = years, conflicts_with = "from")]
    years: f64,
    /// First session date
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Last session date [default: the last one that has ended]
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<Date>,
    /// Drop first what the cache has of these symbols
    #[arg(long)]
    refresh: bool,
}

/// Fetches bars; the exit code is 0, 1 for a failure, 2 if Polygon is not configured, 3 if it has none of the bars.
///
/// # Errors
/// The error of writing to stdout.
pub(super) fn run(config: &Config, args: &BarsFetchArgs) -> anyhow::Result<ExitCode> {
    let Some(polygon) = &config.jobs.polygon else {
        eprintln!("error: {}", without_key(&config.jobs.bars));
        return Ok(ExitCode::from(exit_code::USAGE));
    };
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        eprintln!("error: --from is {from}, after --to, {to}");
        return Ok(ExitCode::from(exit_code::USAGE));
    }
    let source = Polygon::new(polygon, jiff::Timestamp::now());
    match fetch(&source, args) {
        Ok(fetched) => {
            let warnings = fetched.iter().flat_map(|fetched| &fetched.reading.warnings);
            warnings.for_each(|warning| tracing::warn!("{}: {}", warning.code, warning.message));
            print_answer(&table(&fetched, args.timeframe).to_string())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(failure) => {
            eprintln!("error: {failure}\nwhat to do: {}", failure.hint);
            Ok(if failure.kind == Kind::Refused { ExitCode::from(exit_code::REFUSED) } else { ExitCode::FAILURE })
        }
    }
}

fn without_key(bars: &BarsSource) -> String {
    let found = match bars {
        BarsSource::Dir(folder) => {
            format!("bars come from the folder {}, where there is nothing to fetch", folder.display())
        }
        BarsSource::Polygon | BarsSource::Unset => "there is no key of Polygon".to_owned(),
    };
    format!("{found}; set POLYGON_API_KEY to fetch bars from Polygon")
}

fn fetch(source: &Polygon, args: &BarsFetchArgs) -> Result<Vec<Fetched>, Failure> {
    if args.refresh {
        source.forget(&args.symbols, args.timeframe)?;
    }
    let reach = match (args.from.map(days_since_epoch), args.to.map(days_since_epoch)) {
        (Some(from), Some(to)) => Reach::Between(from, to),
        (Some(from), None) => Reach::From(from),
        (None, _) => Reach::Back { years: args.years, n_bars: 0 },
    };
    let wanted = Wanted { symbols: &args.symbols, optional: &[], timeframe: args.timeframe, reach };
    let bar = JobProgressBar::new();
    let fetched = source.fetch(&wanted, &|progress| {
        let left = progress.eta_s.map(|eta_s| format!(", {eta_s:.0} s left")).unwrap_or_default();
        let mut details = Map::new();
        details.insert("percent".to_owned(), json!(100.0 * progress.fraction));
        details.insert("message".to_owned(), json!(format!("{}{left}", progress.message)));
        bar.show(Phase::DataFetch, &details);
    });
    bar.finish();
    let fetched = fetched?;
    if fetched.iter().all(|fetched| fetched.reading.found.is_none()) {
        return Err(source.nothing(&args.symbols));
    }
    Ok(fetched)
}

fn table(fetched: &[Fetched], timeframe: Timeframe) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["symbol", "bars", "first", "last", "from cache", "fetched", "pages"]);
    for Fetched { reading, n_cached, n_pages } in fetched {
        let rows = reading.found.as_ref().map_or(&[][..], |found| &found.rows);
        let when = |row: Option<&Row>| row.map(|row| moment(row.time, timeframe)).unwrap_or_default();
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

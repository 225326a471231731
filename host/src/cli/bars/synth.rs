//! `oculus-host bars synth`: writes synthetic bars to files, and prints the AUC of an oracle on
//! them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use oculus_job::request::Timeframe;
use oculus_market_data::synth::{Kind, Recipe, base_rate, files, generate, max_bars, oracle_auc};
use oculus_pipeline::bars::{Bars, format_bar_time, horizon_bars, median_session_bars};

use crate::cli::output_file::{cannot_write, write_completely};
use crate::cli::parsers::{symbol, timeframe};
use crate::cli::stdout::print_output;

/// Generate synthetic bars: random walks, with or without a planted pattern
///
/// The kind selects the pattern. walk: none. garch: predictable volatility, unpredictable
/// direction. rule: a rise after RSI_14 < 38 and ADX_14 > 22. rebound: a strong rise after RSI_14 <
/// 38. gaps: a direction that only a memory of several weeks can detect.
///
/// The table shows the AUC of an oracle. The oracle knows the generator and its state at each bar,
/// such as the number of days that remain of a rise. Except by chance, no model has a higher AUC.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars synth rule --out /tmp/bars --symbols AAA,BBB --length 2200")]
pub(crate) struct BarsSynthArgs {
    /// Kind of bars to generate: walk, garch, rule, rebound or gaps
    #[arg(value_parser = kind)]
    pub kind: NamedKind,
    /// Folder to write to; it is created if it does not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Symbols to generate, one file per symbol
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "AAA,BBB,CCC,DDD", value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Number of bars per symbol
    #[arg(long, value_name = "N", default_value_t = 2200)]
    pub length: usize,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Seed of the random generator
    ///
    /// A seed generates identical bars on every machine. Each position in the list of symbols has
    /// its own random stream.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Additional log return per day of a rise, for rule and rebound [default: 0.0032 for rule,
    /// 0.02 for rebound]
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = drift)]
    pub drift: Option<f64>,
    /// Format of the files
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Format,
    /// Horizon of the oracle's label, in sessions
    #[arg(long, value_name = "DAYS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub horizon: u32,
    /// Threshold of the oracle's label, a rise in percent
    #[arg(long, value_name = "PCT", default_value_t = 2.0, allow_negative_numbers = true, value_parser = percent)]
    pub threshold: f64,
}

/// A kind of synthetic bars, parsed from its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedKind(Kind);

/// The format of a bar file.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Text, one line per bar
    Csv,
    /// Binary columns
    Parquet,
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|percent: &f64| percent.is_finite()).ok_or_else(|| "expected a finite number".to_owned())
}

/// Parses a drift.
fn drift(text: &str) -> Result<f64, String> {
    // With a larger drift, prices would go out of range between two signals.
    text.parse()
        .ok()
        .filter(|drift: &f64| drift.abs() <= 0.2)
        .ok_or_else(|| "expected a number from -0.2 to 0.2".to_owned())
}

fn kind(name: &str) -> Result<NamedKind, String> {
    let known = Kind::NAMED.map(|(known, _)| known).join(", ");
    Kind::from_name(name).map(NamedKind).ok_or_else(|| format!("expected one of {known}"))
}

/// Writes the files, and prints the base rate and the oracle's AUC per symbol.
///
/// # Errors
/// Returns an error if an argument is invalid or a file cannot be written.
pub(super) fn run(args: &BarsSynthArgs) -> anyhow::Result<ExitCode> {
    // The calendar of the generator ends with the year 9999.
    let max_length = max_bars(args.timeframe);
    if !(1..=max_length).contains(&args.length) {
        let timeframe = args.timeframe.name();
        bail!("invalid --length: found {}, expected 1 to {max_length} bars of {timeframe}", args.length);
    }
    if let Some((_, duplicate)) =
        args.symbols.iter().enumerate().find(|(idx, symbol)| args.symbols[..*idx].contains(symbol))
    {
        bail!("invalid --symbols: {duplicate} occurs twice; each symbol is written to its own file");
    }
    let kind = match args.drift {
        None => args.kind.0,
        Some(drift) => args.kind.0.with_drift(drift).context("--drift applies only to the kinds rule and rebound")?,
    };
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create the folder {}", args.out.display()))?;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["symbol", "bars", "from", "to", "base rate", "oracle AUC"]);
    for (stream, symbol) in (0..).zip(&args.symbols) {
        let timeframe = args.timeframe;
        let recipe = Recipe { kind, symbol: symbol.clone(), stream, seed: args.seed, timeframe, n_bars: args.length };
        let synthetic = generate(&recipe);
        write(&synthetic.bars, args)?;
        let horizon = horizon_in_bars(&synthetic.bars, args);
        let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        let rate = figure(base_rate(&synthetic.bars, horizon, args.threshold));
        let date = |time: Option<&i64>| time.map(|&time| format_bar_time(time, timeframe)).unwrap_or_default();
        let [from, to] = [synthetic.bars.time.first(), synthetic.bars.time.last()].map(date);
        let auc = figure(oracle_auc(std::slice::from_ref(&synthetic), horizon, args.threshold));
        table.add_row([symbol.clone(), synthetic.bars.len().to_string(), from, to, rate, auc]);
    }
    for column in [1, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let BarsSynthArgs { threshold, horizon, .. } = args;
    print_output(&format!("{table}\nlabel: a return of at least {threshold} % after {horizon} sessions"))?;
    Ok(ExitCode::SUCCESS)
}

fn write(bars: &Bars, args: &BarsSynthArgs) -> anyhow::Result<()> {
    let file = |extension: &str| args.out.join(format!("{}.{extension}", bars.symbol));
    let path = match args.format {
        Format::Csv => file("csv"),
        Format::Parquet => file("parquet"),
    };
    write_completely(&path, |out| {
        let written = match args.format {
            Format::Csv => files::csv(bars, args.timeframe, out).map_err(anyhow::Error::from),
            Format::Parquet => files::parquet(bars, args.timeframe, out).map_err(anyhow::Error::from),
        };
        written.with_context(|| cannot_write(&path))
    })
}

/// Returns the horizon in bars, computed as in a job on these bars.
fn horizon_in_bars(bars: &Bars, args: &BarsSynthArgs) -> usize {
    let bars_per_session = median_session_bars(std::iter::once(bars.session_days(args.timeframe).as_slice()));
    horizon_bars(args.horizon, args.timeframe, bars_per_session) as usize
}

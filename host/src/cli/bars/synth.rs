//! `oculus-host bars synth`: writes synthetic bars as files, and reports the scores of an oracle on them.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::ValueEnum;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use oculus_job::request::Timeframe;
use oculus_market_data::synth::{Kind, Recipe, base_rate, files, generate, most_bars, oracle_auc};
use oculus_pipeline::bars::{Bars, horizon_bars, median_session_bars, moment};

use crate::cli::output_file::{cannot_write, write_completely};
use crate::cli::parsers::{symbol, timeframe};
use crate::cli::stdout::print_answer;

/// Make up bars: random walks, alone or with something to find in them
///
/// The kinds: `walk`, nothing to find; `garch`, volatility without direction; `rule`, a rise after RSI_14 < 38 and
/// ADX_14 > 22; `rebound`, a strong rise after RSI_14 < 38; `gaps`, a direction that takes a memory of weeks to see. The
/// oracle knows how the bars were made and where the generator stands at each bar, such as how many days of a rise are
/// left: no model can have a higher AUC than it, but for chance.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host bars synth rule --out /tmp/bars --symbols AAA,BBB --length 2200")]
pub(crate) struct BarsSynthArgs {
    /// What there is to find: walk, garch, rule, rebound or gaps
    #[arg(value_parser = kind)]
    pub kind: NamedKind,
    /// Folder to write into, created if it does not exist
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Symbols, one file each
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "AAA,BBB,CCC,DDD", value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Bars of each symbol
    #[arg(long, value_name = "N", default_value_t = 2200)]
    pub length: usize,
    /// Length of a bar: 1m 5m 15m 30m 1h 4h 1d 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Seed; the same seed makes the same bars on every machine, others for each place in the list of symbols
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// With `rule` and `rebound`, the log return that each day of a rise has more, such as 0.005; by default 0.0032 and 0.02
    #[arg(long, value_name = "X", allow_negative_numbers = true, value_parser = drift)]
    pub drift: Option<f64>,
    /// Form of the files
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Format,
    /// Horizon of the oracle's label in sessions
    #[arg(long, value_name = "DAYS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub horizon: u32,
    /// Threshold of the oracle's label: a rise in percent
    #[arg(long, value_name = "PCT", default_value_t = 2.0, allow_negative_numbers = true, value_parser = percent)]
    pub threshold: f64,
}

/// A kind of synthetic bars, parsed from its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedKind(Kind);

/// Form of a file of bars.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// Text
    Csv,
    /// Columns
    Parquet,
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|percent: &f64| percent.is_finite()).ok_or_else(|| "needed a finite number".to_owned())
}

/// Parses a drift. The limit keeps prices from exploding between two signals.
fn drift(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|drift: &f64| drift.abs() <= 0.2)
        .ok_or_else(|| "needed a number from -0.2 to 0.2".to_owned())
}

fn kind(name: &str) -> Result<NamedKind, String> {
    let known = Kind::USUAL.map(|(known, _)| known).join(", ");
    Kind::usual(name).map(NamedKind).ok_or_else(|| format!("needed one of {known}"))
}

/// Writes the files, and prints the base rate and the oracle's AUC of each.
///
/// # Errors
/// More bars are requested than the calendar has, or the file system fails.
pub(super) fn run(args: &BarsSynthArgs) -> anyhow::Result<ExitCode> {
    let most = most_bars(args.timeframe);
    if !(1..=most).contains(&args.length) {
        bail!("--length is {}, needed 1 to {most} bars of {}", args.length, args.timeframe.name());
    }
    if let Some(twice) = args.symbols.iter().enumerate().find(|(idx, symbol)| args.symbols[..*idx].contains(symbol)) {
        bail!("--symbols names {} twice, and each is a file of its own", twice.1);
    }
    let kind = match args.drift {
        None => args.kind.0,
        Some(drift) => args.kind.0.with_drift(drift).context("--drift is for the kinds rule and rebound")?,
    };
    std::fs::create_dir_all(&args.out).with_context(|| format!("the folder {} cannot be made", args.out.display()))?;
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["symbol", "bars", "from", "to", "base rate", "oracle's AUC"]);
    for (stream, symbol) in (0..).zip(&args.symbols) {
        let timeframe = args.timeframe;
        let recipe = Recipe { kind, symbol: symbol.clone(), stream, seed: args.seed, timeframe, n_bars: args.length };
        let made = generate(&recipe);
        write(&made.bars, args)?;
        let horizon = bars_ahead(&made.bars, args);
        let figure = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
        let rate = figure(base_rate(&made.bars, horizon, args.threshold));
        let ends =
            [made.bars.time.first(), made.bars.time.last()].map(|time| time.map(|&time| moment(time, timeframe)));
        let [from, to] = ends.map(Option::unwrap_or_default);
        let auc = figure(oracle_auc(std::slice::from_ref(&made), horizon, args.threshold));
        table.add_row([symbol.clone(), made.bars.len().to_string(), from, to, rate, auc]);
    }
    for column in [1, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let BarsSynthArgs { threshold, horizon, .. } = args;
    print_answer(&format!("{table}\nof a rise of {threshold} % within {horizon} sessions"))?;
    Ok(ExitCode::SUCCESS)
}

fn write(bars: &Bars, args: &BarsSynthArgs) -> anyhow::Result<()> {
    let file = |ending: &str| args.out.join(format!("{}.{ending}", bars.symbol));
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

/// Returns the horizon in bars, as a job on these bars computes it.
fn bars_ahead(bars: &Bars, args: &BarsSynthArgs) -> usize {
    let a_session = median_session_bars(std::iter::once(bars.session_days(args.timeframe).as_slice()));
    horizon_bars(args.horizon, args.timeframe, a_session) as usize
}

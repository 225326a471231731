//! `oculus-host features compute`: any features of any symbols, to look at or to check against another tool.

use std::collections::BTreeSet;
use std::io::{self, BufWriter};
use std::process::ExitCode;

use anyhow::Context;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, Reach, Reading, Source, Wanted, check_benchmark, sound};
use oculus_pipeline::features::{self, Feature, resolve};

use super::columns::Columns;
use super::write::{Head, Lead, Rows, Sink};
use crate::cli::exit_code;
use crate::cli::failure::failure_error;
use crate::cli::output_file::{self, OutputFile, cannot_write, write_completely};
use crate::cli::parsers::{symbol, timeframe, years};
use crate::config::Config;
use crate::runner::spec::JobResources;

/// Compute features of symbols: one row per bar, one column per feature
///
/// Every bar has its row; a feature is empty until it has the bars that it needs. Numbers are written in full precision,
/// as they are before a job rounds them to 32 bits.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host features compute --bars examples/bars --symbol AAPL \
                        --features RSI_14,MACD_HIST --out features.csv")]
pub(crate) struct FeaturesComputeArgs {
    /// Symbol; may be given several times
    #[arg(long = "symbol", value_name = "S", required = true, value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Features, in this order [default: those of every job]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub features: Vec<String>,
    /// Length of a bar: 1m 5m 15m 30m 1h 4h 1d 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Years back from now, where the source is asked for a span; a folder gives all that it has
    #[arg(long, value_name = "Y", default_value = "2", value_parser = years)]
    pub years: f64,
    /// File to write, .csv or .parquet [default: CSV on stdout]
    #[arg(long, value_name = "FILE", value_parser = output_file::parse)]
    pub out: Option<OutputFile>,
}

/// Computes and writes features; the exit code is 0, or 2 for a name that is not a feature.
///
/// # Errors
/// Bars are missing, or the temporary folder or the output cannot be written.
pub(super) fn run(config: &Config, args: &FeaturesComputeArgs) -> anyhow::Result<ExitCode> {
    let named = match features_named(&args.features) {
        Ok(named) => named,
        Err(problems) => {
            eprintln!("error: {problems}\nhint: `oculus-host features list` shows all of them");
            return Ok(ExitCode::from(exit_code::USAGE));
        }
    };
    let source = JobResources::from_config(&config.jobs, "features").map_err(failure_error)?.bars.open();
    let mut reader = FeatureReader { source: source.as_ref(), args };
    let (chosen, benchmarks) = reader.with_benchmarks(named)?;
    let lead = if args.symbols.len() > 1 { Lead::TimeAndSymbol } else { Lead::Time };
    let names: Vec<String> = chosen.iter().map(Feature::name).collect();
    let head = Head { timeframe: args.timeframe, lead, names: &names };
    let computation = Computation { features: &chosen, benchmarks: &benchmarks, timeframe: args.timeframe };
    match &args.out {
        None => stdout(head, |sink| computation.write(&mut reader, sink))?,
        Some(OutputFile::Csv(path)) => write_completely(path, |out| {
            let mut sink = Sink::csv(head, Box::new(out)).with_context(|| cannot_write(path))?;
            computation.write(&mut reader, &mut sink)?;
            sink.finish().with_context(|| cannot_write(path))
        })?,
        Some(OutputFile::Parquet(path)) => write_completely(path, |out| {
            let mut sink = Sink::parquet(head, Box::new(out)).with_context(|| cannot_write(path))?;
            computation.write(&mut reader, &mut sink)?;
            sink.finish().with_context(|| cannot_write(path))
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes CSV on stdout. A closed pipe is not an error: its reader, such as `head`, needs no more.
fn stdout(head: Head<'_>, write: impl FnOnce(&mut Sink<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let out = Box::new(BufWriter::with_capacity(1 << 20, io::stdout().lock()));
    let written = Sink::csv(head, out).and_then(|mut sink| write(&mut sink).and_then(|()| sink.finish()));
    let is_enough = |error: &anyhow::Error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    written.or_else(|error| if is_enough(&error) { Ok(()) } else { Err(error) })
}

/// Returns the features of these names, `None` for no names, or every problem with the names.
fn features_named(names: &[String]) -> Result<Option<Vec<Feature>>, String> {
    let mut features: Vec<Feature> = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match resolve(name) {
            Ok(feature) if features.contains(&feature) => {
                tracing::warn!("{name} is {}, which is named already: one column", feature.name());
            }
            Ok(feature) => features.push(feature),
            Err(unresolved) => {
                let nearest = unresolved.nearest.as_ref().map(|name| format!("; the nearest is {name}"));
                problems.push(format!("{unresolved}{}", nearest.unwrap_or_default()));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems.join("\n       "));
    }
    Ok((!features.is_empty()).then_some(features))
}

/// Reads bars, one symbol after the other, so that no more than one is in memory.
struct FeatureReader<'a> {
    source: &'a dyn Source,
    args: &'a FeaturesComputeArgs,
}

impl FeatureReader<'_> {
    /// Returns the features to compute and the bars of their benchmarks. A default feature whose
    /// benchmark has no bars is left out; for a named feature this is an error.
    fn with_benchmarks(&mut self, named: Option<Vec<Feature>>) -> anyhow::Result<(Vec<Feature>, Vec<Bars>)> {
        let are_named = named.is_some();
        let mut chosen = named.unwrap_or_else(features::defaults);
        let symbols: BTreeSet<String> = chosen.iter().filter_map(Feature::benchmark).map(str::to_owned).collect();
        let mut benchmarks = Vec::new();
        for reading in self.read(&[], &symbols.into_iter().collect::<Vec<_>>())? {
            benchmarks.extend(self.sound(reading)?);
        }
        let is_there = |symbol: &str| benchmarks.iter().any(|bars: &Bars| bars.symbol == symbol);
        let is_missing = |feature: &Feature| feature.benchmark().is_some_and(|symbol| !is_there(symbol));
        if let Some(missing) = chosen.iter().find(|feature| is_missing(feature) && are_named) {
            let benchmark = missing.benchmark().unwrap_or_default();
            return Err(failure_error(self.source.nothing(&[benchmark.to_owned()])))
                .with_context(|| format!("{} cannot be computed without bars of {benchmark}", missing.name()));
        }
        let missing: Vec<String> = chosen.iter().filter(|feature| is_missing(feature)).map(Feature::name).collect();
        if !missing.is_empty() {
            tracing::warn!("left out, since there are no bars of their benchmark: {}", missing.join(", "));
        }
        chosen.retain(|feature| !is_missing(feature));
        Ok((chosen, benchmarks))
    }

    /// Returns the sound bars of a symbol.
    fn bars(&mut self, symbol: &String) -> anyhow::Result<Bars> {
        let symbols = std::slice::from_ref(symbol);
        let readings = self.read(symbols, &[])?;
        let mut found = None;
        for reading in readings {
            found = self.sound(reading)?;
        }
        found.ok_or_else(|| failure_error(self.source.nothing(symbols)))
    }

    fn read(&mut self, symbols: &[String], optional: &[String]) -> anyhow::Result<Vec<Reading>> {
        let reach = Reach::Back { years: self.args.years, n_bars: 0 };
        let wanted = Wanted { symbols, optional, timeframe: self.args.timeframe, reach };
        self.source.read(&wanted, &|progress| tracing::debug!("{}", progress.message)).map_err(failure_error)
    }

    fn sound(&self, reading: Reading) -> anyhow::Result<Option<Bars>> {
        let mut warnings = Vec::new();
        let bars = sound(reading, self.args.timeframe, &mut warnings).map_err(failure_error)?;
        for warning in warnings.iter().filter(|_| bars.is_some()) {
            tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
        }
        Ok(bars)
    }
}

/// The computation.
struct Computation<'a> {
    features: &'a [Feature],
    benchmarks: &'a [Bars],
    timeframe: Timeframe,
}

impl Computation<'_> {
    /// Warns of benchmarks that a job would leave out, since their columns are written here nevertheless.
    fn check_benchmarks(&self, bars: &Bars) {
        for benchmark in self.benchmarks {
            let fits = check_benchmark(benchmark, std::slice::from_ref(bars), self.timeframe);
            if let Err(unfit) = fits {
                let symbol = &bars.symbol;
                let other = &benchmark.symbol;
                tracing::warn!("a job would leave out the features that compare {symbol} with {other}: {unfit}");
            }
        }
    }

    /// Computes one symbol after the other, its columns in a file, and writes its rows.
    fn write(&self, reader: &mut FeatureReader<'_>, sink: &mut Sink<'_>) -> anyhow::Result<()> {
        let symbols = reader.args.symbols.clone();
        for symbol in &symbols {
            let bars = reader.bars(symbol)?;
            self.check_benchmarks(&bars);
            let days = bars.session_days(self.timeframe);
            let columns = Columns::create(bars.len()).and_then(|columns| {
                features::columns(&bars, &days, self.benchmarks, self.features, |place, values| {
                    columns.write(place, values)
                })?;
                Ok(columns)
            });
            let columns = columns.context("the features cannot be written into the temporary folder (TMPDIR)")?;
            tracing::info!("{symbol}: {} rows of {} features", bars.len(), self.features.len());
            let times = bars.time;
            sink.write(&Rows { symbol, times: &times, columns: &columns })?;
        }
        Ok(())
    }
}

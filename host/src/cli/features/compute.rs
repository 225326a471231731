//! `oculus-host features compute`: writes feature values of symbols, for inspection or comparison
//! with another tool.

use std::collections::BTreeSet;
use std::io::{self, BufWriter};
use std::process::ExitCode;

use anyhow::Context;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, BarsRequest, Reading, Source, TimeRange, check_benchmark, validated_bars};
use oculus_pipeline::features::{self, Feature, resolve};

use super::columns::Columns;
use super::write::{KeyColumns, OutputLayout, Rows, Sink};
use crate::cli::exit_code;
use crate::cli::failure::failure_error;
use crate::cli::output_file::{self, OutputFile, cannot_write, write_completely};
use crate::cli::parsers::{symbol, timeframe, years};
use crate::config::Config;
use crate::runner::spec::JobResources;

/// Compute features of symbols: one row per bar, one column per feature
///
/// Every bar has a row. A feature is empty until it has enough bars. A column has the name that
/// `--features` requests, also if it is another spelling of a feature. Numbers have 64-bit
/// precision; a job rounds them to 32 bits.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host features compute --bars examples/bars --symbol AAPL \
                        --features RSI_14,MACD_HIST --out features.csv")]
pub(crate) struct FeaturesComputeArgs {
    /// Symbol to compute features of; can be repeated
    #[arg(long = "symbol", value_name = "S", required = true, value_parser = symbol)]
    pub symbols: Vec<String>,
    /// Features to compute, in this order [default: the default features of a job]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub features: Vec<String>,
    /// Length of a bar: 1m, 5m, 15m, 30m, 1h, 4h, 1d or 1w
    #[arg(long, value_name = "T", default_value = "1d", value_parser = timeframe)]
    pub timeframe: Timeframe,
    /// Number of years to request from Polygon, counted back from now; a folder returns all its
    /// bars
    #[arg(long, value_name = "Y", default_value = "2", value_parser = years)]
    pub years: f64,
    /// File to write to, .csv or .parquet [default: CSV on stdout]
    #[arg(long, value_name = "FILE", value_parser = output_file::parse)]
    pub out: Option<OutputFile>,
}

/// Computes and writes features; the exit code is 0, or 2 if a name is not a feature.
///
/// # Errors
/// Returns an error if bars are missing, or if the temporary folder or the output cannot be
/// written.
pub(super) fn run(config: &Config, args: &FeaturesComputeArgs) -> anyhow::Result<ExitCode> {
    let named = match features_named(&args.features) {
        Ok(named) => named,
        Err(problems) => {
            eprintln!("error: {problems}\nhint: `oculus-host features list` lists all features");
            return Ok(ExitCode::from(exit_code::USAGE));
        }
    };
    let source = JobResources::from_config(&config.jobs, "features").map_err(failure_error)?.bars.open();
    let mut reader = FeatureReader { source: source.as_ref(), args };
    let (chosen, benchmarks) = reader.with_benchmarks(named)?;
    let key_columns = if args.symbols.len() > 1 { KeyColumns::TimeAndSymbol } else { KeyColumns::Time };
    let (names, chosen): (Vec<String>, Vec<Feature>) = chosen.into_iter().map(|it| (it.name, it.feature)).unzip();
    let layout = OutputLayout { timeframe: args.timeframe, key_columns, names: &names };
    let computation = Computation { features: &chosen, benchmarks: &benchmarks, timeframe: args.timeframe };
    match &args.out {
        None => write_to_stdout(layout, |sink| computation.write(&mut reader, sink))?,
        Some(OutputFile::Csv(path)) => write_completely(path, |out| {
            let mut sink = Sink::csv(layout, Box::new(out)).with_context(|| cannot_write(path))?;
            computation.write(&mut reader, &mut sink)?;
            sink.finish().with_context(|| cannot_write(path))
        })?,
        Some(OutputFile::Parquet(path)) => write_completely(path, |out| {
            let mut sink = Sink::parquet(layout, Box::new(out)).with_context(|| cannot_write(path))?;
            computation.write(&mut reader, &mut sink)?;
            sink.finish().with_context(|| cannot_write(path))
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes CSV to stdout.
fn write_to_stdout(
    layout: OutputLayout<'_>,
    write: impl FnOnce(&mut Sink<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let out = Box::new(BufWriter::with_capacity(1 << 20, io::stdout().lock()));
    let written = Sink::csv(layout, out).and_then(|mut sink| write(&mut sink).and_then(|()| sink.finish()));
    // A reader such as `head` closes the pipe when it has read enough. This is not a failure of the
    // command.
    let is_closed_pipe = |error: &anyhow::Error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    written.or_else(|error| if is_closed_pipe(&error) { Ok(()) } else { Err(error) })
}

/// A feature with the name of its column.
struct NamedFeature {
    name: String,
    feature: Feature,
}

/// Returns the named features; `None` if no names are given. Each has the name that was requested,
/// so that a script finds the columns by the names that it requests.
///
/// # Errors
/// Returns a message with every unknown name.
fn features_named(names: &[String]) -> Result<Option<Vec<NamedFeature>>, String> {
    let mut features: Vec<NamedFeature> = Vec::new();
    let mut problems = Vec::new();
    for name in names.iter().map(|name| name.trim()) {
        match resolve(name) {
            Ok(_) if features.iter().any(|other| other.name == name) => {
                tracing::warn!("the list contains {name} twice; the feature is written once");
            }
            Ok(feature) => {
                if feature.name() != name {
                    tracing::info!("{name} is {}", feature.name());
                }
                features.push(NamedFeature { name: name.to_owned(), feature });
            }
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

/// Returns the default features of a job under their canonical names.
fn default_features() -> Vec<NamedFeature> {
    features::defaults().into_iter().map(|feature| NamedFeature { name: feature.name(), feature }).collect()
}

/// Reads bars one symbol at a time, so that the bars of only one symbol are in memory.
struct FeatureReader<'a> {
    source: &'a dyn Source,
    args: &'a FeaturesComputeArgs,
}

impl FeatureReader<'_> {
    /// Returns the features to compute and the bars of their benchmarks.
    ///
    /// A default feature is left out if its benchmark has no bars. If the benchmark of a named
    /// feature has no bars, this is an error.
    fn with_benchmarks(&mut self, named: Option<Vec<NamedFeature>>) -> anyhow::Result<(Vec<NamedFeature>, Vec<Bars>)> {
        let are_named = named.is_some();
        let mut chosen = named.unwrap_or_else(default_features);
        // This is a set, so that a benchmark that several features share is read only once.
        let symbols: BTreeSet<String> =
            chosen.iter().filter_map(|it| it.feature.benchmark()).map(str::to_owned).collect();
        let mut benchmarks = Vec::new();
        for reading in self.read(&[], &symbols.into_iter().collect::<Vec<_>>())? {
            benchmarks.extend(self.validate(reading)?);
        }
        let has_bars = |symbol: &str| benchmarks.iter().any(|bars: &Bars| bars.symbol == symbol);
        let is_missing = |it: &NamedFeature| it.feature.benchmark().is_some_and(|symbol| !has_bars(symbol));
        if let Some(missing) = chosen.iter().find(|it| is_missing(it) && are_named) {
            let benchmark = missing.feature.benchmark().unwrap_or_default();
            return Err(failure_error(self.source.no_bars_failure(&[benchmark.to_owned()])))
                .with_context(|| format!("{} cannot be computed without bars of {benchmark}", missing.name));
        }
        let missing: Vec<&str> = chosen.iter().filter(|it| is_missing(it)).map(|it| it.name.as_str()).collect();
        if !missing.is_empty() {
            tracing::warn!("features left out because their benchmark has no bars: {}", missing.join(", "));
        }
        chosen.retain(|it| !is_missing(it));
        Ok((chosen, benchmarks))
    }

    /// Returns the validated bars of a symbol.
    fn bars(&mut self, symbol: &String) -> anyhow::Result<Bars> {
        let symbols = std::slice::from_ref(symbol);
        let readings = self.read(symbols, &[])?;
        let mut found = None;
        for reading in readings {
            found = self.validate(reading)?;
        }
        found.ok_or_else(|| failure_error(self.source.no_bars_failure(symbols)))
    }

    fn read(&mut self, symbols: &[String], optional: &[String]) -> anyhow::Result<Vec<Reading>> {
        let range = TimeRange::Back { years: self.args.years, n_bars: 0 };
        let request = BarsRequest { symbols, optional, timeframe: self.args.timeframe, range };
        self.source.read(&request, &|progress| tracing::debug!("{}", progress.message)).map_err(failure_error)
    }

    /// Validates the bars of a reading, and logs the warnings; `None` if there are no bars.
    fn validate(&self, reading: Reading) -> anyhow::Result<Option<Bars>> {
        let mut warnings = Vec::new();
        let bars = validated_bars(reading, self.args.timeframe, &mut warnings).map_err(failure_error)?;
        for warning in warnings.iter().filter(|_| bars.is_some()) {
            tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
        }
        Ok(bars)
    }
}

/// The features to compute, with the bars of their benchmarks.
struct Computation<'a> {
    features: &'a [Feature],
    benchmarks: &'a [Bars],
    timeframe: Timeframe,
}

impl Computation<'_> {
    /// Warns about features that a job would leave out because of their benchmark. This command
    /// writes their columns anyway.
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

    /// Computes and writes the features, one symbol at a time.
    fn write(&self, reader: &mut FeatureReader<'_>, sink: &mut Sink<'_>) -> anyhow::Result<()> {
        let symbols = reader.args.symbols.clone();
        for symbol in &symbols {
            let bars = reader.bars(symbol)?;
            self.check_benchmarks(&bars);
            let days = bars.session_days(self.timeframe);
            // Features are computed by column but written by row. They are transposed through a
            // temporary file, so the table is never in memory as a whole.
            let columns = Columns::create(bars.len()).and_then(|columns| {
                features::columns(&bars, &days, self.benchmarks, self.features, |column_idx, values| {
                    columns.write(column_idx, values)
                })?;
                Ok(columns)
            });
            let columns = columns.context("cannot write the features to the temporary folder (TMPDIR)")?;
            tracing::info!("{symbol}: {} rows of {} features", bars.len(), self.features.len());
            let times = bars.time;
            sink.write(&Rows { symbol, times: &times, columns: &columns })?;
        }
        Ok(())
    }
}

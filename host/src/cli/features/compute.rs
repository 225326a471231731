//! `oculus-host features compute`: any features of any symbols, to look at or to check against another tool.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context, anyhow};

use super::columns::Columns;
use super::write::{Head, Lead, Rows, Sink};
use crate::cli::out::{self, Out, cannot_write, write_whole};
use crate::cli::exit_code;
use crate::cli::values::{symbol, timeframe, years};
use crate::config::Config;
use crate::runner::spec::JobResources;
use oculus_job::failure::Failure;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{Bars, Reach, Reading, Source, Wanted, sound};
use oculus_pipeline::features::{self, Feature, resolve};

/// Compute features of symbols: one row a bar, one column a feature
///
/// Every bar has its row; a feature is empty until it has the bars that it needs. Numbers are written in full precision,
/// as they are before a job rounds them to 32 bits.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  oculus-host features compute --bars examples/bars --symbol AAPL \
                        --features RSI_14,MACD_HIST --out features.csv")]
pub(crate) struct FeaturesComputeArgs {
    /// Symbol; may be said several times
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
    #[arg(long, value_name = "FILE", value_parser = out::file)]
    pub out: Option<Out>,
}

/// Computes and writes; the exit code is 0, or 2 for a name that is no feature.
///
/// # Errors
/// What is missing: bars, room in the temporary folder, a place to write to.
pub(super) fn run(config: &Config, args: &FeaturesComputeArgs) -> anyhow::Result<ExitCode> {
    let asked = match asked(&args.features) {
        Ok(asked) => asked,
        Err(problems) => {
            eprintln!("error: {problems}\nhint: `oculus-host features list` shows all of them");
            return Ok(ExitCode::from(exit_code::USAGE));
        }
    };
    let source = JobResources::from_config(&config.jobs, "features").map_err(said)?.bars.open();
    let mut reader = FeatureReader { source: source.as_ref(), args };
    let (chosen, benchmarks) = reader.with_benchmarks(asked)?;
    let lead = if args.symbols.len() > 1 { Lead::TimeAndSymbol } else { Lead::Time };
    let names: Vec<String> = chosen.iter().map(Feature::name).collect();
    let head = Head { timeframe: args.timeframe, lead, names: &names };
    let work = Work { features: &chosen, benchmarks: &benchmarks, timeframe: args.timeframe };
    match &args.out {
        None => stdout(head, |sink| work.write(&mut reader, sink))?,
        Some(Out::Csv(path)) => write_whole(path, |out| {
            let mut sink = Sink::csv(head, out).with_context(|| cannot_write(path))?;
            work.write(&mut reader, &mut sink)?;
            sink.finish().with_context(|| cannot_write(path))
        })?,
        Some(Out::Parquet(path)) => write_whole(path, |out| {
            let mut sink = Sink::parquet(head, out).with_context(|| cannot_write(path))?;
            work.write(&mut reader, &mut sink)?;
            sink.finish().with_context(|| cannot_write(path))
        })?,
    }
    Ok(ExitCode::SUCCESS)
}

fn said(failure: Failure) -> anyhow::Error {
    anyhow!("{failure}; {}", failure.hint)
}

/// CSV on stdout. Whoever reads only its start has had enough: that is no error.
fn stdout(
    head: Head<'_>,
    write: impl FnOnce(&mut Sink<'_, Box<dyn Write>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let out: Box<dyn Write> = Box::new(BufWriter::with_capacity(1 << 20, io::stdout().lock()));
    let written = Sink::csv(head, out).and_then(|mut sink| write(&mut sink).and_then(|()| sink.finish()));
    let is_enough = |error: &anyhow::Error| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    written.or_else(|error| if is_enough(&error) { Ok(()) } else { Err(error) })
}

/// The features of these names, `None` without any; or all that is wrong with them.
fn asked(names: &[String]) -> Result<Option<Vec<Feature>>, String> {
    let mut features: Vec<Feature> = Vec::new();
    let mut problems = Vec::new();
    for name in names {
        match resolve(name) {
            Ok(feature) if features.contains(&feature) => {
                tracing::warn!("{name} is {}, which is asked for already: one column", feature.name());
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
    /// The features to compute and the bars that they compare with. Default features whose benchmark has no bars are left
    /// out; asked ones are an error.
    fn with_benchmarks(&mut self, asked: Option<Vec<Feature>>) -> anyhow::Result<(Vec<Feature>, Vec<Bars>)> {
        let is_asked = asked.is_some();
        let mut chosen = asked.unwrap_or_else(features::defaults);
        let symbols: BTreeSet<String> = chosen.iter().filter_map(Feature::benchmark).map(str::to_owned).collect();
        let mut benchmarks = Vec::new();
        for reading in self.read(&[], &symbols.into_iter().collect::<Vec<_>>())? {
            benchmarks.extend(self.sound(reading)?);
        }
        let is_there = |symbol: &str| benchmarks.iter().any(|bars: &Bars| bars.symbol == symbol);
        let is_missing = |feature: &Feature| feature.benchmark().is_some_and(|symbol| !is_there(symbol));
        if let Some(missing) = chosen.iter().find(|feature| is_missing(feature) && is_asked) {
            let benchmark = missing.benchmark().unwrap_or_default();
            return Err(said(self.source.nothing(&[benchmark.to_owned()])))
                .with_context(|| format!("{} cannot be computed without bars of {benchmark}", missing.name()));
        }
        let missing: Vec<String> = chosen.iter().filter(|feature| is_missing(feature)).map(Feature::name).collect();
        if !missing.is_empty() {
            tracing::warn!("left out, since there are no bars of their benchmark: {}", missing.join(", "));
        }
        chosen.retain(|feature| !is_missing(feature));
        Ok((chosen, benchmarks))
    }

    /// The sound bars of a symbol.
    fn bars(&mut self, symbol: &String) -> anyhow::Result<Bars> {
        let symbols = std::slice::from_ref(symbol);
        let readings = self.read(symbols, &[])?;
        let mut found = None;
        for reading in readings {
            found = self.sound(reading)?;
        }
        found.ok_or_else(|| said(self.source.nothing(symbols)))
    }

    fn read(&mut self, symbols: &[String], optional: &[String]) -> anyhow::Result<Vec<Reading>> {
        let reach = Reach::Back { years: self.args.years, n_bars: 0 };
        let wanted = Wanted { symbols, optional, timeframe: self.args.timeframe, reach };
        self.source.read(&wanted, &|news| tracing::debug!("{}", news.message)).map_err(said)
    }

    fn sound(&self, reading: Reading) -> anyhow::Result<Option<Bars>> {
        let mut warnings = Vec::new();
        let bars = sound(reading, self.args.timeframe, &mut warnings).map_err(said)?;
        for warning in warnings.iter().filter(|_| bars.is_some()) {
            tracing::warn!(code = warning.code.as_str(), "{}", warning.message);
        }
        Ok(bars)
    }
}

/// What is to be computed.
struct Work<'a> {
    features: &'a [Feature],
    benchmarks: &'a [Bars],
    timeframe: Timeframe,
}

impl Work<'_> {
    /// Computes one symbol after the other, its columns in a file, and writes its rows.
    /// Says where a job would do without a benchmark, since the columns are written all the same.
    fn check_benchmarks(&self, bars: &Bars) {
        for benchmark in self.benchmarks {
            let fits = oculus_pipeline::bars::check_benchmark(benchmark, std::slice::from_ref(bars), self.timeframe);
            if let Err(unfit) = fits {
                let (symbol, other) = (&bars.symbol, &benchmark.symbol);
                tracing::warn!(
                    "a job would leave out what compares {symbol} with {other}, whose bars do not serve: {unfit}"
                );
            }
        }
    }

    fn write<W: Write>(&self, reader: &mut FeatureReader<'_>, sink: &mut Sink<'_, W>) -> anyhow::Result<()> {
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

//! Measures the time that features need, for `cargo xtask bench`. Reads one request per line from
//! stdin, and writes one reply per line to stdout.
//!
//! - `series N FILE`: generates a random walk of N one-minute bars, which later `time` requests
//!   use. Writes its open, high, low, close and volume as 64-bit floats, column by column, to the
//!   file. Replies with N.
//! - `time NAMES`: computes the features of a comma-separated list once. Without a list, it
//!   computes the default features. Replies with the number of columns and the time in seconds.
//! - `build N_SYMBOLS N_BARS N_THREADS`: builds the feature table of a job on 5-minute bars, in a
//!   file that plugins can map. Replies with the numbers of rows and columns, the time in seconds
//!   and, on Linux, the peak memory of this process in KiB.

use std::convert::Infallible;
use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use oculus_job::request::{Job, Timeframe};
use oculus_market_data::synth::{Kind, Recipe, generate};
use oculus_pipeline::bars::LabelledSpan;
use oculus_pipeline::bars::{Bars, Market};
use oculus_pipeline::features::{self, Feature};
use oculus_plugin_host::table::SharedTable;

/// Maximum number of bars that a feature may need before its first value. Jobs have the same limit.
const WARM_UP_BARS: usize = 320;

fn main() -> Result<()> {
    let mut bars = Bars::default();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let reply = match words[..] {
            ["series", n_bars, file] => {
                bars = series("A", 0, Timeframe::Minute1, n_bars.parse()?);
                write(&bars, file)?;
                bars.len().to_string()
            }
            ["time"] => time(&bars, &features_without_benchmark())?,
            ["time", names] => time(&bars, &names.split(',').map(features::resolve).collect::<Result<Vec<_>, _>>()?)?,
            ["build", n_symbols, n_bars, n_threads] => build(n_symbols.parse()?, n_bars.parse()?, n_threads.parse()?)?,
            _ => bail!("invalid request: {line}"),
        };
        writeln!(std::io::stdout(), "{reply}")?;
    }
    Ok(())
}

fn series(symbol: &str, stream: u64, timeframe: Timeframe, n_bars: usize) -> Bars {
    generate(&Recipe { kind: Kind::Walk, symbol: symbol.to_owned(), stream, seed: 1, timeframe, n_bars }).bars
}

fn write(bars: &Bars, file: &str) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(file).with_context(|| file.to_owned())?);
    for values in [&bars.open, &bars.high, &bars.low, &bars.close, &bars.volume] {
        values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))?;
    }
    Ok(out.flush()?)
}

/// Returns the default features that do not need a benchmark, because this program has only one
/// series.
fn features_without_benchmark() -> Vec<Feature> {
    features::defaults().into_iter().filter(|feature| feature.benchmark().is_none()).collect()
}

fn time(bars: &Bars, features: &[Feature]) -> Result<String> {
    let days = bars.session_days(Timeframe::Minute1);
    let started = Instant::now();
    let mut n_columns = 0;
    let take = |_, values: &[f64]| {
        // `black_box` keeps the compiler from removing the computation of unused values.
        n_columns += usize::from(!std::hint::black_box(values).is_empty());
        Ok::<_, Infallible>(())
    };
    features::columns(bars, &days, &[], features, take)?;
    Ok(format!("{n_columns} {}", started.elapsed().as_secs_f64()))
}

fn build(n_symbols: u64, n_bars: usize, n_threads: usize) -> Result<String> {
    let timeframe = Timeframe::Minute5;
    let bars = (0..n_symbols).map(|stream| series(&format!("S{stream}"), stream, timeframe, n_bars)).collect();
    let market = Market {
        bars,
        benchmarks: Vec::new(),
        timeframe,
        span: LabelledSpan::default(),
        warm_up_bars: WARM_UP_BARS,
        warnings: Vec::new(),
        sha256: String::new(),
    };
    let job = Job::parse(r#"{"build_id": "bench", "symbols": ["S0"], "timeframe": "5m"}"#)?;
    let started = Instant::now();
    let (table, _) = features::build(&market, &job, n_threads)?;
    let shared = SharedTable::write(&table)?;
    let seconds = started.elapsed().as_secs_f64();
    // `VmHWM` is the peak of resident memory. Systems without /proc report `unknown`.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
    Ok(format!("{} {} {seconds} {}", shared.shape.n_rows, shared.shape.names.len(), peak.unwrap_or("unknown")))
}

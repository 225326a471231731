//! Polygon's market data: fetched once, kept in a cache, read from there.
//!
//! In: symbols, a timeframe, a reach into the past. Out: their rows, and the number of pages that
//! were fetched.
//! Invariants: a day is fetched once by all processes that share the cache, unless a split changes
//! it; a process may be killed at any moment and the next one continues; the key is in no file,
//! URL, log or error.

mod cache;
pub mod calendar;
mod client;
mod error;
mod files;
mod lock;
mod page;
mod progress;
mod rate_limit;
mod retry;
mod sync;
mod table;
#[cfg(test)]
mod tests;
mod urls;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use jiff::Timestamp;
use oculus_job::code::ErrorCode;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::{FetchProgressFn, Found, Reading, RowUnit, Source, Wanted, listed};

use self::cache::SeriesCache;
use self::calendar::{Calendar, Days};
use self::client::Client;
use self::error::PolygonError;
use self::progress::ProgressReporter;
use self::rate_limit::RateLimiter;
use self::retry::RetryPolicy;
use self::sync::{SeriesSync, Synced};
use crate::config::PolygonConfig;

/// Polygon's market data at one point in time.
#[derive(Clone, Debug)]
pub struct Polygon {
    config: PolygonConfig,
    now: Timestamp,
    retry_policy: RetryPolicy,
}

/// A fetched symbol.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// The rows of the symbol.
    pub reading: Reading,
    /// Number of rows that were in the cache.
    pub n_cached: usize,
    /// Number of pages that were fetched.
    pub n_pages: usize,
}

impl Polygon {
    /// Creates the source at the time `now`: bars of days that have not ended by then are not read.
    pub fn new(config: &PolygonConfig, now: Timestamp) -> Self {
        Self { config: config.clone(), now, retry_policy: RetryPolicy::default() }
    }

    /// Fetches what the cache lacks: one answer per symbol, in the order of `wanted`, the optional
    /// ones last.
    ///
    /// # Errors
    /// The errors of [`Source::read`].
    pub fn fetch(&self, wanted: &Wanted<'_>, on_progress: &FetchProgressFn<'_>) -> Result<Vec<Fetched>, Failure> {
        let calendar = Calendar::default();
        let symbols: Vec<&str> = wanted.symbols.iter().chain(wanted.optional).map(String::as_str).collect();
        let Some(days) = calendar.wanted(wanted.reach, wanted.timeframe, self.now) else {
            return Ok(symbols
                .into_iter()
                .map(|symbol| without(symbol, "no day of those asked for has ended"))
                .collect());
        };
        let client = self.client().map_err(|error| error.failure("Polygon"))?;
        let progress = ProgressReporter::new(on_progress, days.count() as f64 * symbols.len() as f64);
        let sync = SeriesSync {
            client: &client,
            root: &self.root(),
            calendar: &calendar,
            timeframe: wanted.timeframe,
            wanted: days,
            today: calendar.day(self.now.as_second()),
            progress: &progress,
        };
        let fetch = Fetch {
            sync,
            symbols: &symbols,
            n_needed: wanted.symbols.len(),
            next: Cell::new(0),
            done: RefCell::default(),
        };
        runtime().map_err(|error| error.failure("Polygon"))?.block_on(fetch.all())
    }

    /// Removes some symbols from the cache.
    ///
    /// # Errors
    /// The file system's.
    pub fn forget(&self, symbols: &[String], timeframe: Timeframe) -> Result<(), Failure> {
        let forget = async {
            for symbol in symbols {
                SeriesCache::open(&self.root(), symbol, timeframe, &|| {}).await?.clear()?;
            }
            Ok(())
        };
        runtime().and_then(|runtime| runtime.block_on(forget)).map_err(|error: PolygonError| error.failure("Polygon"))
    }

    fn client(&self) -> Result<Client, PolygonError> {
        let PolygonConfig { api_key, requests_per_minute, .. } = &self.config;
        let rate_limiter =
            RateLimiter::new(&self.root(), api_key, *requests_per_minute, || Timestamp::now().as_millisecond());
        // Processes that started at the same time retry at different times.
        let seed = self.now.as_microsecond().unsigned_abs() ^ (u64::from(std::process::id()) << 40);
        Client::new(&self.config, rate_limiter, self.retry_policy, seed)
    }

    fn root(&self) -> PathBuf {
        self.config.cache_dir.join("polygon")
    }
}

impl Source for Polygon {
    fn name(&self) -> &'static str {
        "polygon"
    }

    fn read(&self, wanted: &Wanted<'_>, on_progress: &FetchProgressFn<'_>) -> Result<Vec<Reading>, Failure> {
        Ok(self.fetch(wanted, on_progress)?.into_iter().map(|fetched| fetched.reading).collect())
    }

    fn nothing(&self, symbols: &[String]) -> Failure {
        let message = format!("Polygon has no bars of {} in the time asked for", listed(symbols));
        let hint = "ask for symbols that Polygon knows, spelt as there, or for more years";
        Failure::refused(Phase::DataFetch, ErrorCode::NoBars, message, hint)
    }
}

/// All symbols of one fetch, some of them concurrently.
struct Fetch<'a> {
    sync: SeriesSync<'a>,
    symbols: &'a [&'a str],
    /// Symbols from this one on may be missing.
    n_needed: usize,
    next: Cell<usize>,
    done: RefCell<Vec<(usize, Fetched)>>,
}

impl Fetch<'_> {
    /// Fetches all symbols, at most eight at a time.
    async fn all(self) -> Result<Vec<Fetched>, Failure> {
        let lane = || self.lane();
        tokio::try_join!(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane())?;
        let mut done = self.done.into_inner();
        done.sort_by_key(|(idx, _)| *idx);
        Ok(done.into_iter().map(|(_, fetched)| fetched).collect())
    }

    /// Fetches one symbol after the other, each time the next that no other lane has taken.
    async fn lane(&self) -> Result<(), Failure> {
        loop {
            let idx = self.next.replace(self.next.get() + 1);
            let Some(symbol) = self.symbols.get(idx) else { return Ok(()) };
            let fetched = match self.sync.series(symbol).await {
                Ok(synced) => reading(symbol, synced, self.sync.wanted),
                Err(error) if idx >= self.n_needed => without(symbol, &error.to_string()),
                Err(error) => return Err(error.failure(symbol)),
            };
            self.done.borrow_mut().push((idx, fetched));
        }
    }
}

fn reading(symbol: &str, synced: Synced, days: Days) -> Fetched {
    let Synced { rows, n_cached, n_pages, mut warnings } = synced;
    if rows.is_empty() {
        let nothing = without(symbol, &format!("Polygon has no bars of it from {days}"));
        if warnings.is_empty() {
            warnings = nothing.reading.warnings;
        }
        return Fetched { reading: Reading { warnings, ..nothing.reading }, n_pages, ..nothing };
    }
    let found = Found { origin: format!("{symbol} from Polygon"), unit: RowUnit::Row, rows };
    Fetched { reading: Reading { symbol: symbol.to_owned(), found: Some(found), warnings }, n_cached, n_pages }
}

fn without(symbol: &str, reason: &str) -> Fetched {
    let warnings = vec![Warning::new(WarningCode::SymbolWithoutBars, format!("{symbol} is left out: {reason}"))];
    Fetched { reading: Reading { symbol: symbol.to_owned(), found: None, warnings }, n_cached: 0, n_pages: 0 }
}

fn runtime() -> Result<tokio::runtime::Runtime, PolygonError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| PolygonError::Client(error.to_string()))
}

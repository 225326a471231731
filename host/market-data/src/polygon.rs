//! Market data of Polygon, fetched once and cached.
//!
//! In: symbols, a timeframe and a time range. Out: the rows of each symbol, and the number of pages
//! that were fetched. Invariants: the processes that share a cache fetch each day only once, unless
//! a split changes the prices of that day. If a process is killed, the next process continues the
//! fetch. The API key is never part of a file, URL, log or error.

mod cache;
mod cache_file;
pub mod calendar;
mod client;
mod error;
mod files;
mod lock;
mod page;
mod progress;
mod rate_limit;
mod retry_policy;
mod service;
mod sync;
#[cfg(test)]
mod tests;
mod urls;

use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use jiff::Timestamp;
use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::{BarsRequest, FetchProgressFn, FoundRows, Reading, RowUnit, Source, listed};

use self::cache::SeriesCache;
use self::calendar::{Calendar, Days};
use self::client::Client;
use self::error::PolygonError;
use self::progress::ProgressReporter;
use self::rate_limit::RateLimiter;
use self::retry_policy::RetryPolicy;
use self::sync::{SeriesSync, SyncedSeries};
use crate::config::PolygonConfig;

/// A source that fetches bars from Polygon, with a fixed current time.
#[derive(Clone, Debug)]
pub struct Polygon {
    config: PolygonConfig,
    now: Timestamp,
    retry_policy: RetryPolicy,
}

/// The bars of one symbol, with statistics of the fetch.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// The rows of the symbol, with warnings.
    pub reading: Reading,
    /// Number of rows that were in the cache.
    pub n_cached: usize,
    /// Number of pages that were fetched.
    pub n_pages: usize,
}

impl Polygon {
    /// Creates the source with `now` as the current time. Only days that are over at that time are
    /// read.
    pub fn new(config: &PolygonConfig, now: Timestamp) -> Self {
        Self { config: config.clone(), now, retry_policy: RetryPolicy::default() }
    }

    /// Fetches the days that are not cached. Returns one element per symbol in the order of the
    /// request, with the optional symbols last.
    ///
    /// # Errors
    /// Returns the errors of [`Source::read`].
    pub fn fetch(
        &self,
        request: &BarsRequest<'_>,
        on_progress: &FetchProgressFn<'_>,
    ) -> Result<Vec<Fetched>, JobError> {
        let calendar = Calendar::default();
        let symbols: Vec<&str> = request.symbols.iter().chain(request.optional).map(String::as_str).collect();
        let Some(days) = calendar.completed_days(request.range, request.timeframe, self.now) else {
            return Ok(symbols
                .into_iter()
                .map(|symbol| without_bars(symbol, "none of the requested days is over"))
                .collect());
        };
        let client = self.client().map_err(|error| error.failure("Polygon"))?;
        let progress = ProgressReporter::new(on_progress, days.count() as f64 * symbols.len() as f64);
        let sync = SeriesSync {
            client: &client,
            root: &self.root(),
            calendar: &calendar,
            timeframe: request.timeframe,
            requested: days,
            today: calendar.day(self.now.as_second()),
            progress: &progress,
        };
        let fetch = Fetch {
            sync,
            symbols: &symbols,
            n_required: request.symbols.len(),
            next: Cell::new(0),
            done: RefCell::default(),
        };
        runtime().map_err(|error| error.failure("Polygon"))?.block_on(fetch.all())
    }

    /// Removes symbols from the cache.
    ///
    /// # Errors
    /// Returns a failure with the code `unreadable_bars` if the files cannot be removed.
    pub fn remove_from_cache(&self, symbols: &[String], timeframe: Timeframe) -> Result<(), JobError> {
        let remove = async {
            for symbol in symbols {
                SeriesCache::open(&self.root(), symbol, timeframe, &|| {}).await?.clear()?;
            }
            Ok(())
        };
        runtime().and_then(|runtime| runtime.block_on(remove)).map_err(|error: PolygonError| error.failure("Polygon"))
    }

    fn client(&self) -> Result<Client, PolygonError> {
        let PolygonConfig { api_key, requests_per_minute, .. } = &self.config;
        let rate_limiter =
            RateLimiter::new(&self.root(), api_key, *requests_per_minute, || Timestamp::now().as_millisecond());
        // Processes that start at the same time get different seeds, so that they do not retry at
        // the same moment.
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

    fn read(&self, request: &BarsRequest<'_>, on_progress: &FetchProgressFn<'_>) -> Result<Vec<Reading>, JobError> {
        Ok(self.fetch(request, on_progress)?.into_iter().map(|fetched| fetched.reading).collect())
    }

    fn no_bars_failure(&self, symbols: &[String]) -> JobError {
        let message = format!("Polygon has no bars of {} in the requested time range", listed(symbols));
        let hint = "spell the symbols as Polygon does, or request more years";
        JobError::refused(Phase::DataFetch, ErrorCode::NoBars, message, hint)
    }
}

/// The fetch of all symbols of a request.
struct Fetch<'a> {
    sync: SeriesSync<'a>,
    symbols: &'a [&'a str],
    /// Number of symbols that are not optional. They come first.
    n_required: usize,
    /// Index of the next symbol that no lane has taken.
    next: Cell<usize>,
    /// Fetched symbols with their indices, in the order of completion.
    done: RefCell<Vec<(usize, Fetched)>>,
}

impl Fetch<'_> {
    /// Fetches all symbols in eight concurrent lanes. A lane fetches one symbol at a time.
    async fn all(self) -> Result<Vec<Fetched>, JobError> {
        // All lanes run on one thread, so the cells need no lock.
        let lane = || self.lane();
        // The first error cancels the other lanes. Their complete pages are already on the disk.
        tokio::try_join!(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane())?;
        let mut done = self.done.into_inner();
        // Lanes finish in any order.
        done.sort_by_key(|(idx, _)| *idx);
        Ok(done.into_iter().map(|(_, fetched)| fetched).collect())
    }

    /// Fetches symbols sequentially until no symbol is left. Each time, it takes the next symbol
    /// that no lane has taken yet.
    async fn lane(&self) -> Result<(), JobError> {
        loop {
            let idx = self.next.replace(self.next.get() + 1);
            let Some(symbol) = self.symbols.get(idx) else { return Ok(()) };
            let fetched = match self.sync.update(symbol).await {
                Ok(synced) => reading(symbol, synced, self.sync.requested),
                // A benchmark must not fail the job.
                Err(error) if idx >= self.n_required => without_bars(symbol, &error.to_string()),
                Err(error) => return Err(error.failure(symbol)),
            };
            self.done.borrow_mut().push((idx, fetched));
        }
    }
}

/// Converts the rows of a series to a reading. If the series has no rows, the reading has a warning
/// and no bars.
fn reading(symbol: &str, synced: SyncedSeries, days: Days) -> Fetched {
    let SyncedSeries { rows, n_cached, n_pages, mut warnings } = synced;
    if rows.is_empty() {
        let empty = without_bars(symbol, &format!("Polygon has no bars from {days}"));
        // A warning of the fetch states a more specific reason.
        if warnings.is_empty() {
            warnings = empty.reading.warnings;
        }
        return Fetched { reading: Reading { warnings, ..empty.reading }, n_pages, ..empty };
    }
    let found = FoundRows { origin: format!("{symbol} from Polygon"), unit: RowUnit::Row, rows };
    Fetched { reading: Reading { symbol: symbol.to_owned(), found: Some(found), warnings }, n_cached, n_pages }
}

/// Returns the result for a symbol that has no bars, with the reason as a warning.
fn without_bars(symbol: &str, reason: &str) -> Fetched {
    let warnings = vec![Warning::new(WarningCode::SymbolWithoutBars, format!("{symbol} is left out: {reason}"))];
    Fetched { reading: Reading { symbol: symbol.to_owned(), found: None, warnings }, n_cached: 0, n_pages: 0 }
}

fn runtime() -> Result<tokio::runtime::Runtime, PolygonError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| PolygonError::Client(error.to_string()))
}

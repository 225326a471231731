//! Polygon's market data: fetched once, kept in a cache, read from there.
//!
//! In: symbols, a timeframe, how far back. Out: their rows, and how many pages it took. Invariants: a day is fetched once
//! by all processes that share the cache, unless a split changes it; a process may be killed at any moment and the next
//! one goes on; the key is in no file, address, log or error.

mod address;
mod bucket;
mod cache;
pub mod calendar;
mod client;
mod files;
mod lock;
mod news;
mod page;
mod patience;
mod sync;
mod table;
mod trouble;

use oculus_job::code::ErrorCode;
use oculus_job::warning::Warning;
use oculus_job::warning::WarningCode;
use std::cell::{Cell, RefCell};
use std::path::PathBuf;

use jiff::Timestamp;

use self::bucket::Bucket;
use self::cache::SeriesCache;
use self::calendar::{Calendar, Days};
use self::client::Client;
use self::news::News;
use self::patience::Patience;
use self::sync::{Sync, Synced};
use self::trouble::Trouble;
use crate::config::PolygonConfig;
use oculus_job::failure::Failure;
use oculus_job::progress::Phase;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::{FetchProgressFn, Found, Reading, Source, Wanted, listed};

/// Polygon's market data at a moment.
#[derive(Clone, Debug)]
pub struct Polygon {
    config: PolygonConfig,
    now: Timestamp,
    patience: Patience,
}

/// A symbol as it was fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// Its rows.
    pub reading: Reading,
    /// Rows of them that were in the cache.
    pub n_cached: usize,
    /// Pages that it took.
    pub n_pages: usize,
}

impl Polygon {
    /// The source as it is at `now`: bars of days that have not ended by then are not read.
    pub fn new(config: &PolygonConfig, now: Timestamp) -> Self {
        Self { config: config.clone(), now, patience: Patience::default() }
    }

    /// Fetches what the cache lacks: one answer a symbol, in the order asked, the optional ones last.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn fetch(&self, wanted: &Wanted<'_>, hear: &FetchProgressFn<'_>) -> Result<Vec<Fetched>, Failure> {
        let calendar = Calendar::default();
        let symbols: Vec<&str> = wanted.symbols.iter().chain(wanted.optional).map(String::as_str).collect();
        let Some(days) = calendar.wanted(wanted.reach, wanted.timeframe, self.now) else {
            return Ok(symbols
                .into_iter()
                .map(|symbol| without(symbol, "no day of those asked for has ended"))
                .collect());
        };
        let client = self.client().map_err(|trouble| trouble.failure("Polygon"))?;
        let news = News::new(hear, days.count() as f64 * symbols.len() as f64);
        let sync = Sync {
            client: &client,
            root: &self.root(),
            calendar: &calendar,
            timeframe: wanted.timeframe,
            wanted: days,
            today: calendar.day(self.now.as_second()),
            news: &news,
        };
        let fetch = Fetch {
            sync,
            symbols: &symbols,
            n_needed: wanted.symbols.len(),
            next: Cell::new(0),
            done: RefCell::default(),
        };
        runtime().map_err(|trouble| trouble.failure("Polygon"))?.block_on(fetch.all())
    }

    /// Drops what the cache has of some symbols.
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
        runtime().and_then(|runtime| runtime.block_on(forget)).map_err(|trouble: Trouble| trouble.failure("Polygon"))
    }

    fn client(&self) -> Result<Client, Trouble> {
        let PolygonConfig { api_key, requests_per_minute, .. } = &self.config;
        let bucket = Bucket::new(&self.root(), api_key, *requests_per_minute, || Timestamp::now().as_millisecond());
        // Processes that started at the same moment come back at different ones.
        let seed = self.now.as_microsecond().unsigned_abs() ^ (u64::from(std::process::id()) << 40);
        Client::new(&self.config, bucket, self.patience, seed)
    }

    fn root(&self) -> PathBuf {
        self.config.cache_dir.join("polygon")
    }
}

impl Source for Polygon {
    fn name(&self) -> &'static str {
        "polygon"
    }

    fn read(&self, wanted: &Wanted<'_>, hear: &FetchProgressFn<'_>) -> Result<Vec<Reading>, Failure> {
        Ok(self.fetch(wanted, hear)?.into_iter().map(|fetched| fetched.reading).collect())
    }

    fn nothing(&self, symbols: &[String]) -> Failure {
        let message = format!("Polygon has no bars of {} in the time asked for", listed(symbols));
        let hint = "ask for symbols that Polygon knows, spelt as there, or for more years";
        Failure::refused(Phase::DataFetch, ErrorCode::NoBars, message, hint)
    }
}

/// All symbols of one fetch, some of them side by side.
struct Fetch<'a> {
    sync: Sync<'a>,
    symbols: &'a [&'a str],
    /// Symbols from this one on may be missing.
    n_needed: usize,
    next: Cell<usize>,
    done: RefCell<Vec<(usize, Fetched)>>,
}

impl Fetch<'_> {
    /// Eight symbols at once, as long as there are any.
    async fn all(self) -> Result<Vec<Fetched>, Failure> {
        let lane = || self.lane();
        tokio::try_join!(lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane())?;
        let mut done = self.done.into_inner();
        done.sort_by_key(|(idx, _)| *idx);
        Ok(done.into_iter().map(|(_, fetched)| fetched).collect())
    }

    /// One symbol after the other, each the next that nobody has.
    async fn lane(&self) -> Result<(), Failure> {
        loop {
            let idx = self.next.replace(self.next.get() + 1);
            let Some(symbol) = self.symbols.get(idx) else { return Ok(()) };
            let fetched = match self.sync.series(symbol).await {
                Ok(synced) => reading(symbol, synced, self.sync.wanted),
                Err(trouble) if idx >= self.n_needed => without(symbol, &trouble.to_string()),
                Err(trouble) => return Err(trouble.failure(symbol)),
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
    let found = Found { origin: format!("{symbol} from Polygon"), rows };
    Fetched { reading: Reading { symbol: symbol.to_owned(), found: Some(found), warnings }, n_cached, n_pages }
}

fn without(symbol: &str, reason: &str) -> Fetched {
    let warnings = vec![Warning::new(WarningCode::SymbolWithoutBars, format!("{symbol} is left out: {reason}"))];
    Fetched { reading: Reading { symbol: symbol.to_owned(), found: None, warnings }, n_cached: 0, n_pages: 0 }
}

fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Trouble::Client(error.to_string()))
}

#[cfg(test)]
mod tests;

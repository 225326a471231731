//! Updates one series in the cache, and returns its rows.
//!
//! In: a symbol and the requested days. Out: the rows of these days. Invariants: a cached day is
//! requested from Polygon again only if the share has split. Bars fetched before and after a split
//! are never mixed. Fetched pages are kept if a later step fails.

use std::path::Path;

use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::Row;
use oculus_pipeline::date::iso_date;
use reqwest::Url;

use super::cache::{CachedRows, CachedSpan, NextPage, PartialFetch, SeriesCache, SeriesState, merged, within};
use super::cache_file::CacheFile;
use super::calendar::{Calendar, Days, sunday_on_or_before};
use super::client::{Client, Wait};
use super::error::PolygonError;
use super::page::{self, Page, Split};
use super::progress::{PageCount, ProgressReporter};
use super::urls;

/// Years of history that Polygon's limited plans include. The numbers are tried in this order,
/// because a rejection does not state the limit.
const PLAN_YEARS: [i32; 3] = [10, 5, 2];

/// Number of days within which Polygon publishes the bars of a session. After this number of days,
/// a day without a bar is final.
const PUBLISHED_WITHIN_DAYS: i32 = 4;
/// A symbol without a bar for this number of days is treated as delisted. No holidays are that
/// long.
const DELISTED_AFTER_DAYS: i32 = 14;

/// Updates series in the cache. The fields are the same for all series of a fetch.
pub(crate) struct SeriesSync<'a> {
    /// Sends the requests.
    pub client: &'a Client,
    /// Folder of the cache.
    pub root: &'a Path,
    /// Calendar of New York.
    pub calendar: &'a Calendar,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Requested days. All of them are over.
    pub requested: Days,
    /// Current date in New York.
    pub today: i32,
    /// Receives the progress.
    pub progress: &'a ProgressReporter<'a>,
}

/// The rows of an updated series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SyncedSeries {
    /// Rows of the requested days, sorted by time.
    pub rows: Vec<Row>,
    /// Number of rows that were in the cache.
    pub n_cached: usize,
    /// Number of pages that were fetched.
    pub n_pages: usize,
    /// Warnings about the series, for the result.
    pub warnings: Vec<Warning>,
}

/// Returns whether a day is a Saturday or Sunday. Day 0 was a Thursday.
fn is_weekend(day: i32) -> bool {
    matches!((day + 3).rem_euclid(7), 5 | 6)
}

/// Requested days that the Polygon plan does not include.
struct DeniedDays {
    days: Days,
    error: PolygonError,
}

/// The rows of a fetched span.
struct FetchedSpan {
    days: Days,
    rows: Vec<Row>,
    n_pages: usize,
}

impl SeriesSync<'_> {
    /// Fetches the days of a series that are not cached, and returns the rows of all requested
    /// days.
    ///
    /// # Errors
    /// Returns the error of the first span that cannot be fetched.
    pub(crate) async fn update(&self, symbol: &str) -> Result<SyncedSeries, PolygonError> {
        let cache = SeriesCache::open(self.root, symbol, self.timeframe, &|| self.progress.busy(symbol)).await?;
        // This is the first step, so that the remaining files and unfinished fetches are
        // consistent.
        cache.tidy()?;
        let mut synced = SyncedSeries::default();
        let mut cached = cache.load(self.requested)?;
        let mut missing = self.missing(&cached);
        // The list of splits is requested only if days are missing. Without new bars, the cached
        // bars are consistent with each other.
        if !missing.is_empty()
            && let Some(spans) = self.spans_after_split(symbol, &cache, &cached, &mut synced.warnings).await?
        {
            // The cache was removed, so the loaded rows must not be used either.
            cached = CachedRows::default();
            missing = spans;
        }
        let rows = within(cached.rows, self.requested, self.timeframe, self.calendar);
        synced.rows = merged(rows, self.timeframe, &format!("the cache of {symbol}"))?;
        synced.n_cached = synced.rows.len();
        let n_missing: i64 = missing.iter().map(|days| days.count()).sum();
        self.progress.cached((self.requested.count() - n_missing).max(0) as f64, synced.n_cached);
        self.fetch(symbol, &cache, missing, &mut synced).await?;
        self.progress.done(symbol, synced.rows.len());
        Ok(synced)
    }

    fn missing(&self, cached: &CachedRows) -> Vec<Days> {
        self.requested.without(cached.spans.iter().map(|span| span.days))
    }

    /// Returns the spans to fetch if the share has split since the oldest fetch, otherwise `None`.
    /// After a split, the spans contain all cached and all requested days, and the cache of the
    /// series is removed.
    async fn spans_after_split(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        cached: &CachedRows,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Vec<Days>>, PolygonError> {
        let unfinished = cache.unfinished()?;
        let Some(since) = cached.spans.iter().chain(&unfinished).map(|span| span.as_of).min() else { return Ok(None) };
        let on_wait = |wait: Wait| self.progress.wait(symbol, PageCount::default(), wait);
        let url = urls::splits(self.client.service().base(), symbol, since, self.today);
        let splits = match self.client.get(&url, page::splits, &on_wait).await {
            Ok(splits) => splits,
            // Some plans do not include the list of splits. Bars are still useful without it.
            Err(
                error @ (PolygonError::NotFound { .. }
                | PolygonError::KeyRejected { .. }
                | PolygonError::NotInPlan { .. }),
            ) => {
                let message = format!(
                    "{symbol}: splits since {} are unknown, so cached bars may be unadjusted: {error}",
                    iso_date(since)
                );
                warnings.push(Warning::new(WarningCode::SplitsUnchecked, message));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(Split { execution_date }) = splits.first() else { return Ok(None) };
        tracing::info!("{symbol} split on {execution_date}; all of its bars are fetched again");
        cache.clear()?;
        // Adjacent and overlapping spans are joined to save requests.
        let mut spans: Vec<Days> = cached.spans.iter().map(|span| span.days).chain([self.requested]).collect();
        spans.sort_unstable();
        let mut joined: Vec<Days> = Vec::new();
        for days in spans {
            match joined.last_mut() {
                Some(last) if days.first <= last.last.saturating_add(1) => last.last = last.last.max(days.last),
                _ => joined.push(days),
            }
        }
        Ok(Some(joined))
    }

    /// Fetches spans of a series and adds their rows to `synced`. Days that the plan does not
    /// include are left out with a warning.
    async fn fetch(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        spans: Vec<Days>,
        synced: &mut SyncedSeries,
    ) -> Result<(), PolygonError> {
        let mut denied = Vec::new();
        for span in spans {
            // An unfinished fetch may contain only the beginning of the span. The rest is then
            // fetched in a further round.
            let mut left = Some(span);
            while let Some(days) = left.take() {
                match self.fetch_within_plan(symbol, cache, days, &mut denied).await {
                    Ok(Some(FetchedSpan { days, rows, n_pages })) => {
                        synced.n_pages += n_pages;
                        synced.rows.extend(within(rows, self.requested, self.timeframe, self.calendar));
                        left = Days::new(days.last + 1, span.last);
                    }
                    Ok(None) => {}
                    Err(error @ PolygonError::NotFound { .. }) => {
                        let message = format!("{symbol} has no bars from {span}: {error}");
                        synced.warnings.push(Warning::new(WarningCode::SymbolWithoutBars, message));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        synced.rows = merged(std::mem::take(&mut synced.rows), self.timeframe, &format!("the cache of {symbol}"))?;
        denied.into_iter().try_for_each(|denied| self.warn_of_denied(symbol, denied, synced))
    }

    /// Adds a warning about denied days if there are newer bars.
    ///
    /// # Errors
    /// Returns the error of the denied days if there are no newer bars: a job must not train on
    /// outdated bars without notice.
    fn warn_of_denied(&self, symbol: &str, denied: DeniedDays, synced: &mut SyncedSeries) -> Result<(), PolygonError> {
        let DeniedDays { days, error } = denied;
        let newest = synced.rows.last().map(|row| self.calendar.day_of_bar(row.time, self.timeframe));
        if newest.is_none_or(|newest| newest <= days.last) {
            return Err(error);
        }
        let message = format!("{symbol} has no bars from {days}: {error}; a larger plan includes them");
        synced.warnings.push(Warning::new(WarningCode::HistoryNotInPlan, message));
        Ok(())
    }

    /// Fetches days. If the plan does not include all of them, fetches only later days. For each
    /// of Polygon's plans, it tries the days that this plan includes, the longest history first.
    ///
    /// * `denied`: receives the days that are left out.
    async fn fetch_within_plan(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        days: Days,
        denied: &mut Vec<DeniedDays>,
    ) -> Result<Option<FetchedSpan>, PolygonError> {
        // 1461 days are four years.
        let starts = PLAN_YEARS.map(|years| self.today - years * 1461 / 4 + 1);
        let starts = starts.map(|start| match self.timeframe {
            Timeframe::Week1 => sunday_on_or_before(start + 6),
            _ => start,
        });
        let mut plan_error = None;
        for start in [days.first].into_iter().chain(starts.into_iter().filter(|start| *start > days.first)) {
            let Some(later) = Days::new(start, days.last) else { break };
            match self.fetch_span(symbol, cache, later).await {
                Err(error @ PolygonError::NotInPlan { .. }) => plan_error = Some(error),
                result => {
                    let left_out = plan_error.zip(Days::new(days.first, start - 1));
                    denied.extend(left_out.map(|(error, days)| DeniedDays { days, error }));
                    return result.map(Some);
                }
            }
        }
        denied.extend(plan_error.map(|error| DeniedDays { days, error }));
        Ok(None)
    }

    /// Fetches all pages of `days` and stores them in the cache. If an unfinished fetch has the
    /// same first day, that fetch is completed instead. The returned span may then have fewer days
    /// than `days`.
    async fn fetch_span(&self, symbol: &str, cache: &SeriesCache, days: Days) -> Result<FetchedSpan, PolygonError> {
        let mut fetch = cache.fetch(days, self.today)?;
        let mut n_stored = fetch.n_pages();
        let mut n_pages = 0;
        while let Some(url) = self.next_url(symbol, &fetch) {
            match self.fetch_page(symbol, &fetch, &url).await {
                Ok(page) => {
                    let before = self.page_count(&fetch);
                    fetch.add(page)?;
                    n_pages += 1;
                    self.progress.page(symbol, before, self.page_count(&fetch));
                }
                // The stored URL of the next page has probably expired, so the fetch starts again.
                // This happens at most once: `n_stored` is then 0.
                Err(PolygonError::Rejected { .. } | PolygonError::NotFound { .. })
                    if n_stored > 0 && fetch.n_pages() == n_stored =>
                {
                    tracing::info!("{symbol}: cannot resume the fetch of {}; starting it again", fetch.span.days);
                    fetch.clear()?;
                    n_stored = 0;
                }
                Err(error) => return Err(error),
            }
        }
        let CachedSpan { days, as_of } = fetch.span;
        // Polygon may return rows outside the requested days. Such rows would overlap with the
        // files of other spans.
        let rows = within(fetch.take_rows(), days, self.timeframe, self.calendar);
        let rows = match merged(rows, self.timeframe, &format!("Polygon's {symbol}")) {
            Ok(rows) => rows,
            // The stored pages would conflict again, so the next fetch must not reuse them.
            Err(conflict) => {
                fetch.clear()?;
                return Err(conflict);
            }
        };
        let table = CacheFile { rows, next: None };
        // The file is stored before the pages are removed. A process that is killed between the two
        // steps loses no bars. Such a process leaves superfluous pages, which `tidy` removes.
        if let Some(days) = self.final_days(days, &table.rows, cache.state()?) {
            cache.store(CachedSpan { days, as_of }, &table)?;
        }
        fetch.clear()?;
        let rows = table.rows;
        Ok(FetchedSpan { days, rows, n_pages })
    }

    /// Returns the fetched days that need not be requested again. The last days are excluded if
    /// they have no bars yet, because Polygon may publish their bars late. If neither the response
    /// nor the cache has a bar, no day is final.
    fn final_days(&self, days: Days, rows: &[Row], state: SeriesState) -> Option<Days> {
        let recent = self.today - PUBLISHED_WITHIN_DAYS;
        let newest = match (rows.last(), state) {
            (None, SeriesState::Empty) => return None,
            (None, SeriesState::Cached) => recent - 1,
            (Some(row), _) => self.calendar.day_of_bar(row.time, self.timeframe),
        };
        let is_still_traded = newest >= recent - DELISTED_AFTER_DAYS;
        if days.last < recent || !is_still_traded || self.timeframe == Timeframe::Week1 {
            return Some(days);
        }
        // A weekend after the newest bar never gets bars.
        let closed = (newest + 1..=days.last).take_while(|day| is_weekend(*day)).count() as i32;
        Days::new(days.first, days.last.min((newest + closed).max(recent - 1)))
    }

    async fn fetch_page(&self, symbol: &str, fetch: &PartialFetch, url: &Url) -> Result<Page, PolygonError> {
        let parse = |body: &[u8]| page::bars(body, self.timeframe, self.calendar, self.client.service());
        let on_wait = |wait: Wait| self.progress.wait(symbol, self.page_count(fetch), wait);
        self.client.get(url, parse, &on_wait).await
    }

    /// Returns the progress of a fetch. Polygon sorts bars by time, so all days up to the newest
    /// bar are complete.
    fn page_count(&self, fetch: &PartialFetch) -> PageCount {
        let Days { first, last } = fetch.span.days;
        let until = match (fetch.next(), fetch.newest()) {
            (NextPage::Complete, _) => last,
            (_, Some(newest)) => self.calendar.day_of_bar(newest, self.timeframe).clamp(first - 1, last),
            (_, None) => first - 1,
        };
        PageCount { n_pages: fetch.n_pages(), n_rows: fetch.n_rows(), n_days: f64::from(until - first + 1) }
    }

    /// Returns the URL of the next page, or `None` if the fetch is complete.
    fn next_url(&self, symbol: &str, fetch: &PartialFetch) -> Option<Url> {
        let base = self.client.service().base();
        match fetch.next() {
            NextPage::Complete => None,
            NextPage::First => Some(urls::bars(base, symbol, self.timeframe, fetch.span.days)),
            NextPage::At(next) => Some(urls::page(base, next)),
        }
    }
}

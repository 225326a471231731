//! Updates one series in the cache, and reads it from there.
//!
//! In: a symbol and the days wanted. Out: its rows. Invariants: a day that is in the cache is never
//! requested; bars before and after a split are never mixed; fetched pages are kept, whatever
//! happens next.

use std::path::Path;

use oculus_job::request::Timeframe;
use oculus_job::warning::{Warning, WarningCode};
use oculus_pipeline::bars::Row;
use oculus_pipeline::date::iso_date;
use reqwest::Url;

use super::cache::{Held, NextPage, PartialFetch, Piece, SeriesCache, SeriesState, merged, within};
use super::calendar::{Calendar, Days, sunday_on_or_before};
use super::client::{Client, Wait};
use super::error::PolygonError;
use super::page::{self, Page, Split};
use super::progress::{PageCount, ProgressReporter};
use super::table::Table;
use super::urls;

/// Years of history in Polygon's limited plans.
const PLAN_YEARS: [i32; 3] = [10, 5, 2];

/// Days after which the bars of a session are published, if there are any.
const PUBLISHED_WITHIN: i32 = 4;
/// Days without a bar after which a symbol counts as no longer traded; more than any holidays.
const DELISTED_AFTER: i32 = 14;

/// Updates the series of one fetch; everything here is common to all of them.
pub(crate) struct SeriesSync<'a> {
    /// Sends the requests.
    pub client: &'a Client,
    /// Folder of the cache.
    pub root: &'a Path,
    /// New York's days.
    pub calendar: &'a Calendar,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Days wanted; all of them have ended.
    pub wanted: Days,
    /// New York's date.
    pub today: i32,
    /// Receives the progress.
    pub progress: &'a ProgressReporter<'a>,
}

/// An updated series.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Synced {
    /// Rows of the days wanted, by time.
    pub rows: Vec<Row>,
    /// Number of rows that were in the cache.
    pub n_cached: usize,
    /// Number of pages that were fetched.
    pub n_pages: usize,
    /// Findings about the series, for the result.
    pub warnings: Vec<Warning>,
}

/// Returns whether share markets are closed for the weekend; day 0 was a Thursday.
fn is_weekend(day: i32) -> bool {
    matches!((day + 3).rem_euclid(7), 5 | 6)
}

/// Days that the plan does not include.
struct DeniedDays {
    days: Days,
    error: PolygonError,
}

/// A span that was fetched.
struct FetchedSpan {
    days: Days,
    rows: Vec<Row>,
    n_pages: usize,
}

impl SeriesSync<'_> {
    /// Fetches the missing days of a series, and returns all of its rows.
    ///
    /// # Errors
    /// The error of the first days that cannot be fetched.
    pub(crate) async fn series(&self, symbol: &str) -> Result<Synced, PolygonError> {
        let cache = SeriesCache::open(self.root, symbol, self.timeframe, &|| self.progress.busy(symbol)).await?;
        cache.tidy()?;
        let mut synced = Synced::default();
        let mut held = cache.load(self.wanted)?;
        let mut missing = self.missing(&held, self.wanted);
        if !missing.is_empty()
            && let Some(spans) = self.spans_after_split(symbol, &cache, &held, &mut synced.warnings).await?
        {
            held = Held::default();
            missing = spans;
        }
        let rows = within(held.rows, self.wanted, self.timeframe, self.calendar);
        synced.rows = merged(rows, self.timeframe, &format!("the cache of {symbol}"))?;
        synced.n_cached = synced.rows.len();
        let n_missing: i64 = missing.iter().map(|days| days.count()).sum();
        self.progress.cached((self.wanted.count() - n_missing).max(0) as f64, synced.n_cached);
        self.fetch(symbol, &cache, missing, &mut synced).await?;
        self.progress.done(symbol, synced.rows.len());
        Ok(synced)
    }

    fn missing(&self, held: &Held, wanted: Days) -> Vec<Days> {
        wanted.without(held.pieces.iter().map(|piece| piece.days))
    }

    /// Returns the spans to fetch if the share has split since the oldest fetch: all days of the
    /// cache, which is then removed, and the days wanted.
    async fn spans_after_split(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        held: &Held,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Vec<Days>>, PolygonError> {
        let unfinished = cache.unfinished()?;
        let Some(since) = held.pieces.iter().chain(&unfinished).map(|piece| piece.as_of).min() else { return Ok(None) };
        let on_wait = |wait: Wait| self.progress.wait(symbol, PageCount::default(), wait);
        let url = urls::splits(self.client.base(), symbol, since, self.today);
        let splits = match self.client.get(&url, page::splits, &on_wait).await {
            Ok(splits) => splits,
            Err(error @ (PolygonError::Absent { .. } | PolygonError::Key { .. } | PolygonError::Plan { .. })) => {
                let message = format!(
                    "whether {symbol} has split since {} is not known, so older bars may be unadjusted: {error}",
                    iso_date(since)
                );
                warnings.push(Warning::new(WarningCode::SplitsUnchecked, message));
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let Some(Split { execution_date }) = splits.first() else { return Ok(None) };
        tracing::info!("{symbol} has split on {execution_date}: all of its bars are fetched again");
        cache.clear()?;
        // The same days as before, in as few requests as possible.
        let mut spans: Vec<Days> = held.pieces.iter().map(|piece| piece.days).chain([self.wanted]).collect();
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

    /// Fetches spans of a series. Days that the plan does not include are left out with a warning.
    async fn fetch(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        spans: Vec<Days>,
        synced: &mut Synced,
    ) -> Result<(), PolygonError> {
        let mut denied = Vec::new();
        for span in spans {
            let mut left = Some(span);
            while let Some(days) = left.take() {
                match self.reachable(symbol, cache, days, &mut denied).await {
                    Ok(Some(FetchedSpan { days, rows, n_pages })) => {
                        synced.n_pages += n_pages;
                        synced.rows.extend(within(rows, self.wanted, self.timeframe, self.calendar));
                        left = Days::new(days.last + 1, span.last);
                    }
                    Ok(None) => {}
                    Err(error @ PolygonError::Absent { .. }) => {
                        let message = format!("{symbol} is without bars from {span}: {error}");
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
    /// The error of the denied days if there are none.
    fn warn_of_denied(&self, symbol: &str, denied: DeniedDays, synced: &mut Synced) -> Result<(), PolygonError> {
        let DeniedDays { days, error } = denied;
        let newest = synced.rows.last().map(|row| self.calendar.day_of_bar(row.time, self.timeframe));
        if newest.is_none_or(|newest| newest <= days.last) {
            return Err(error);
        }
        let message = format!("{symbol} is without bars from {days}: {error}; a larger plan has them");
        synced.warnings.push(Warning::new(WarningCode::HistoryNotInPlan, message));
        Ok(())
    }

    /// Fetches days; if the plan does not include all of them, the later ones that one of Polygon's
    /// plans includes.
    ///
    /// * `denied`: receives the days that are left out.
    async fn reachable(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        days: Days,
        denied: &mut Vec<DeniedDays>,
    ) -> Result<Option<FetchedSpan>, PolygonError> {
        let starts = PLAN_YEARS.map(|years| self.today - years * 1461 / 4 + 1);
        let starts = starts.map(|start| match self.timeframe {
            Timeframe::Week1 => sunday_on_or_before(start + 6),
            _ => start,
        });
        let mut refusal = None;
        for start in [days.first].into_iter().chain(starts.into_iter().filter(|start| *start > days.first)) {
            let Some(later) = Days::new(start, days.last) else { break };
            match self.span(symbol, cache, later).await {
                Err(error @ PolygonError::Plan { .. }) => refusal = Some(error),
                ended => {
                    let left_out = refusal.zip(Days::new(days.first, start - 1));
                    denied.extend(left_out.map(|(error, days)| DeniedDays { days, error }));
                    return ended.map(Some);
                }
            }
        }
        denied.extend(refusal.map(|error| DeniedDays { days, error }));
        Ok(None)
    }

    /// Fetches all pages of days, beginning with the first day. If an unfinished fetch has fewer
    /// days, only those.
    async fn span(&self, symbol: &str, cache: &SeriesCache, days: Days) -> Result<FetchedSpan, PolygonError> {
        let mut fetch = cache.fetch(days, self.today)?;
        let mut n_stored = fetch.n_pages();
        let mut n_pages = 0;
        while let Some(url) = self.next_url(symbol, &fetch) {
            match self.page(symbol, &fetch, &url).await {
                Ok(page) => {
                    let before = self.page_count(&fetch);
                    fetch.add(page)?;
                    n_pages += 1;
                    self.progress.page(symbol, before, self.page_count(&fetch));
                }
                // The stored place of the next page has expired.
                Err(PolygonError::Refused { .. } | PolygonError::Absent { .. })
                    if n_stored > 0 && fetch.n_pages() == n_stored =>
                {
                    tracing::info!("{symbol}: the fetch of {} cannot be resumed and starts again", fetch.piece.days);
                    fetch.clear()?;
                    n_stored = 0;
                }
                Err(error) => return Err(error),
            }
        }
        let Piece { days, as_of } = fetch.piece;
        // Rows that Polygon returns beyond the requested days belong to another span.
        let rows = within(fetch.take_rows(), days, self.timeframe, self.calendar);
        let rows = match merged(rows, self.timeframe, &format!("Polygon's {symbol}")) {
            Ok(rows) => rows,
            Err(conflict) => {
                fetch.clear()?;
                return Err(conflict);
            }
        };
        let table = Table { rows, next: None };
        if let Some(days) = self.final_days(days, &table.rows, cache.state()?) {
            cache.store(Piece { days, as_of }, &table)?;
        }
        fetch.clear()?;
        let rows = table.rows;
        Ok(FetchedSpan { days, rows, n_pages })
    }

    /// Returns the days of an answer that need not be requested again. The bar of the last day may
    /// be published late, and a series without bars may have some tomorrow.
    fn final_days(&self, days: Days, rows: &[Row], state: SeriesState) -> Option<Days> {
        let recent = self.today - PUBLISHED_WITHIN;
        let newest = match (rows.last(), state) {
            (None, SeriesState::Empty) => return None,
            (None, SeriesState::Cached) => recent - 1,
            (Some(row), _) => self.calendar.day_of_bar(row.time, self.timeframe),
        };
        let is_still_traded = newest >= recent - DELISTED_AFTER;
        if days.last < recent || !is_still_traded || self.timeframe == Timeframe::Week1 {
            return Some(days);
        }
        let closed = (newest + 1..=days.last).take_while(|day| is_weekend(*day)).count() as i32;
        Days::new(days.first, days.last.min((newest + closed).max(recent - 1)))
    }

    async fn page(&self, symbol: &str, fetch: &PartialFetch, url: &Url) -> Result<Page, PolygonError> {
        let parse = |body: &[u8]| page::bars(body, self.timeframe, self.calendar, self.client.base());
        let on_wait = |wait: Wait| self.progress.wait(symbol, self.page_count(fetch), wait);
        self.client.get(url, parse, &on_wait).await
    }

    /// Returns the progress of a fetch. Its bars are sorted by time, so all days up to the newest
    /// bar are done.
    fn page_count(&self, fetch: &PartialFetch) -> PageCount {
        let Days { first, last } = fetch.piece.days;
        let until = match (fetch.next(), fetch.newest()) {
            (NextPage::Complete, _) => last,
            (_, Some(newest)) => self.calendar.day_of_bar(newest, self.timeframe).clamp(first - 1, last),
            (_, None) => first - 1,
        };
        PageCount { n_pages: fetch.n_pages(), n_rows: fetch.n_rows(), n_days: f64::from(until - first + 1) }
    }

    fn next_url(&self, symbol: &str, fetch: &PartialFetch) -> Option<Url> {
        let base = self.client.base();
        match fetch.next() {
            NextPage::Complete => None,
            NextPage::First => Some(urls::bars(base, symbol, self.timeframe, fetch.piece.days)),
            NextPage::At(next) => Some(urls::page(base, next)),
        }
    }
}

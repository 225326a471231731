//! One series brought up to date in the cache, and read from there.
//!
//! In: a symbol and the days wanted. Out: its rows. Invariants: a day that is in the cache is never asked for; bars before
//! and after a split are never mixed; what was fetched is kept, whatever happens next.

use oculus_job::warning::Warning;
use oculus_job::warning::WarningCode;
use std::path::Path;

use reqwest::Url;

use super::address;
use super::cache::{Held, Known, Next, Part, Piece, SeriesCache, merged, within};
use super::calendar::{Calendar, Days, sunday_on_or_before};
use super::client::{Client, Wait};
use super::news::{News, PageCount};
use super::page::{self, Page, Split};
use super::table::Table;
use super::trouble::Trouble;
use oculus_job::request::Timeframe;
use oculus_pipeline::bars::Row;
use oculus_pipeline::date::iso_date;

/// How many years back Polygon's plans reach, those that do not reach as far as there are bars.
const PLAN_YEARS: [i32; 3] = [10, 5, 2];

/// Days after which a session's bars are there, if there are any.
const PUBLISHED_WITHIN: i32 = 4;
/// Days without a bar from which on a symbol counts as no longer traded.
const FOR_ALL_HOLIDAYS: i32 = 14;

/// What every series of a fetch is fetched with.
pub(crate) struct Sync<'a> {
    /// Asks Polygon.
    pub client: &'a Client,
    /// Folder of the cache.
    pub root: &'a Path,
    /// New York's days.
    pub calendar: &'a Calendar,
    /// Length of a bar.
    pub timeframe: Timeframe,
    /// Days to have; each has ended.
    pub wanted: Days,
    /// New York's date.
    pub today: i32,
    /// Hears how far it is.
    pub news: &'a News<'a>,
}

/// A series as it was brought up to date.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Synced {
    /// Rows of the days wanted, by time.
    pub rows: Vec<Row>,
    /// How many of them were in the cache.
    pub n_cached: usize,
    /// Pages that were fetched.
    pub n_pages: usize,
    /// What the reader of a result should know.
    pub warnings: Vec<Warning>,
}

/// Whether no market of shares is open; day 0 was a Thursday.
fn is_weekend(day: i32) -> bool {
    matches!((day + 3).rem_euclid(7), 5 | 6)
}

/// Days that the plan does not include.
struct Denied {
    days: Days,
    trouble: Trouble,
}

/// A span that was fetched.
struct FetchedSpan {
    days: Days,
    rows: Vec<Row>,
    n_pages: usize,
}

impl Sync<'_> {
    /// Fetches what is missing of a series, and reads it whole.
    ///
    /// # Errors
    /// What cannot be had of it.
    pub(crate) async fn series(&self, symbol: &str) -> Result<Synced, Trouble> {
        let cache = SeriesCache::open(self.root, symbol, self.timeframe, &|| self.news.busy(symbol)).await?;
        cache.tidy()?;
        let mut synced = Synced::default();
        let mut held = cache.load(self.wanted)?;
        let mut missing = self.missing(&held, self.wanted);
        if !missing.is_empty()
            && let Some(spans) = self.after_a_split(symbol, &cache, &held, &mut synced.warnings).await?
        {
            (held, missing) = (Held::default(), spans);
        }
        let rows = within(held.rows, self.wanted, self.timeframe, self.calendar);
        synced.rows = merged(rows, self.timeframe, &format!("the cache of {symbol}"))?;
        synced.n_cached = synced.rows.len();
        let n_missing: i64 = missing.iter().map(|days| days.count()).sum();
        self.news.had((self.wanted.count() - n_missing).max(0) as f64, synced.n_cached);
        self.fetch(symbol, &cache, missing, &mut synced).await?;
        self.news.done(symbol, synced.rows.len());
        Ok(synced)
    }

    fn missing(&self, held: &Held, wanted: Days) -> Vec<Days> {
        wanted.without(held.pieces.iter().map(|piece| piece.days))
    }

    /// What has to be fetched anew where the share has split since something was fetched: all of the cache, which is
    /// then dropped, and the days wanted.
    async fn after_a_split(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        held: &Held,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<Vec<Days>>, Trouble> {
        let parts = cache.parts()?;
        let Some(since) = held.pieces.iter().chain(&parts).map(|piece| piece.as_of).min() else { return Ok(None) };
        let hear = |wait: Wait| self.news.wait(symbol, PageCount::default(), wait);
        let url = address::of_splits(self.client.base(), symbol, since, self.today);
        let splits = match self.client.get(&url, page::splits, &hear).await {
            Ok(splits) => splits,
            Err(trouble @ (Trouble::Absent { .. } | Trouble::Key { .. } | Trouble::Plan { .. })) => {
                let message = format!(
                    "whether {symbol} has split since {} is not known, so older bars may be unadjusted: {trouble}",
                    iso_date(since)
                );
                warnings.push(Warning::new(WarningCode::SplitsUnchecked, message));
                return Ok(None);
            }
            Err(trouble) => return Err(trouble),
        };
        let Some(Split { execution_date }) = splits.first() else { return Ok(None) };
        tracing::info!("{symbol} has split on {execution_date}: all of its bars are fetched anew");
        cache.clear()?;
        // As whole as they were, and in as few requests as can be.
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

    /// Fetches spans of a series; where the plan does not reach back to one, the bars after it are enough.
    async fn fetch(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        spans: Vec<Days>,
        synced: &mut Synced,
    ) -> Result<(), Trouble> {
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
                    Err(trouble @ Trouble::Absent { .. }) => {
                        let message = format!("{symbol} is without bars from {span}: {trouble}");
                        synced.warnings.push(Warning::new(WarningCode::SymbolWithoutBars, message));
                    }
                    Err(trouble) => return Err(trouble),
                }
            }
        }
        synced.rows = merged(std::mem::take(&mut synced.rows), self.timeframe, &format!("the cache of {symbol}"))?;
        denied.into_iter().try_for_each(|denied| self.go_without(symbol, denied, synced))
    }

    /// A warning where there are newer bars than those that the plan does not include; else that is the end.
    fn go_without(&self, symbol: &str, denied: Denied, synced: &mut Synced) -> Result<(), Trouble> {
        let Denied { days, trouble } = denied;
        let newest = synced.rows.last().map(|row| self.calendar.day_of_bar(row.time, self.timeframe));
        if newest.is_none_or(|newest| newest <= days.last) {
            return Err(trouble);
        }
        let message = format!("{symbol} is without bars from {days}: {trouble}; a larger plan has them");
        synced.warnings.push(Warning::new(WarningCode::HistoryNotInPlan, message));
        Ok(())
    }

    /// Fetches days, or where the plan does not include them, the later of them that one of Polygon's plans would.
    ///
    /// * `denied`: told of days that are left out.
    async fn reachable(
        &self,
        symbol: &str,
        cache: &SeriesCache,
        days: Days,
        denied: &mut Vec<Denied>,
    ) -> Result<Option<FetchedSpan>, Trouble> {
        let starts = PLAN_YEARS.map(|years| self.today - years * 1461 / 4 + 1);
        let starts = starts.map(|start| match self.timeframe {
            Timeframe::Week1 => sunday_on_or_before(start + 6),
            _ => start,
        });
        let mut refusal = None;
        for start in [days.first].into_iter().chain(starts.into_iter().filter(|start| *start > days.first)) {
            let Some(later) = Days::new(start, days.last) else { break };
            match self.span(symbol, cache, later).await {
                Err(trouble @ Trouble::Plan { .. }) => refusal = Some(trouble),
                ended => {
                    let left_out = refusal.zip(Days::new(days.first, start - 1));
                    denied.extend(left_out.map(|(trouble, days)| Denied { days, trouble }));
                    return ended.map(Some);
                }
            }
        }
        denied.extend(refusal.map(|trouble| Denied { days, trouble }));
        Ok(None)
    }

    /// Fetches all pages of days from their first on; less of them where an earlier fetch of less is under way.
    async fn span(&self, symbol: &str, cache: &SeriesCache, days: Days) -> Result<FetchedSpan, Trouble> {
        let mut part = cache.part(days, self.today)?;
        let (mut n_kept, mut n_pages) = (part.n_pages(), 0);
        while let Some(url) = self.url_of_next(symbol, &part) {
            match self.page(symbol, &part, &url).await {
                Ok(page) => {
                    let before = self.course(&part);
                    part.add(page)?;
                    n_pages += 1;
                    self.news.page(symbol, before, self.course(&part));
                }
                // The way on that was kept has expired.
                Err(Trouble::Refused { .. } | Trouble::Absent { .. }) if n_kept > 0 && part.n_pages() == n_kept => {
                    tracing::info!(
                        "{symbol}: the fetch of {} cannot go on where it was, and begins anew",
                        part.piece.days
                    );
                    part.clear()?;
                    n_kept = 0;
                }
                Err(trouble) => return Err(trouble),
            }
        }
        let Piece { days, as_of } = part.piece;
        // What Polygon gives beyond the days asked for is another span's.
        let rows = within(part.take_rows(), days, self.timeframe, self.calendar);
        let rows = match merged(rows, self.timeframe, &format!("Polygon's {symbol}")) {
            Ok(rows) => rows,
            Err(conflict) => {
                part.clear()?;
                return Err(conflict);
            }
        };
        let table = Table { rows, next: None };
        if let Some(days) = self.settled(days, &table.rows, cache.known()?) {
            cache.keep(Piece { days, as_of }, &table)?;
        }
        part.clear()?;
        let rows = table.rows;
        Ok(FetchedSpan { days, rows, n_pages })
    }

    /// The days of an answer that need not be asked for again. A last day without a bar may only have been published
    /// late, and a series without any may be known tomorrow.
    fn settled(&self, days: Days, rows: &[Row], known: Known) -> Option<Days> {
        let recent = self.today - PUBLISHED_WITHIN;
        let newest = match (rows.last(), known) {
            (None, Known::Nothing) => return None,
            (None, Known::Something) => recent - 1,
            (Some(row), _) => self.calendar.day_of_bar(row.time, self.timeframe),
        };
        let is_still_traded = newest >= recent - FOR_ALL_HOLIDAYS;
        if days.last < recent || !is_still_traded || self.timeframe == Timeframe::Week1 {
            return Some(days);
        }
        let closed = (newest + 1..=days.last).take_while(|day| is_weekend(*day)).count() as i32;
        Days::new(days.first, days.last.min((newest + closed).max(recent - 1)))
    }

    async fn page(&self, symbol: &str, part: &Part, url: &Url) -> Result<Page, Trouble> {
        let read = |body: &[u8]| page::bars(body, self.timeframe, self.calendar, self.client.base());
        let hear = |wait: Wait| self.news.wait(symbol, self.course(part), wait);
        self.client.get(url, read, &hear).await
    }

    /// How far a fetch is; its bars come by time, so the newest tells the days that are done.
    fn course(&self, part: &Part) -> PageCount {
        let Days { first, last } = part.piece.days;
        let until = match (part.next(), part.newest()) {
            (Next::Nowhere, _) => last,
            (_, Some(newest)) => self.calendar.day_of_bar(newest, self.timeframe).clamp(first - 1, last),
            (_, None) => first - 1,
        };
        PageCount { n_pages: part.n_pages(), n_rows: part.n_rows(), n_days: f64::from(until - first + 1) }
    }

    fn url_of_next(&self, symbol: &str, part: &Part) -> Option<Url> {
        let base = self.client.base();
        match part.next() {
            Next::Nowhere => None,
            Next::First => Some(address::of_bars(base, symbol, self.timeframe, part.piece.days)),
            Next::At(next) => Some(address::of_page(base, next)),
        }
    }
}

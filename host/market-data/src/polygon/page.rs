//! One answer of Polygon as rows.
//!
//! In: a body. Out: a [`Page`]. Invariant: every number is finite, every bar is on a day of the
//! calendar, and the URL of the next page contains neither host nor key.

use std::ops::RangeInclusive;

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::Row;
use reqwest::Url;
use serde::Deserialize;

use super::calendar::Calendar;
use super::error::PolygonError;

/// Milliseconds of the years 1970 to 9999.
const TIMES: RangeInclusive<i64> = 0..=253_402_300_799_000;

/// Some bars of a span, and the place of the next ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    /// The bars in the order of the answer.
    pub rows: Vec<Row>,
    /// Path and query of the next page.
    pub next: Option<String>,
}

/// Why a body is not a page.
#[derive(Debug)]
pub(crate) enum PageError {
    /// The body is damaged; a retry may help.
    Damaged(Damage),
    /// The body is as the server meant it; a retry does not help.
    Final(PolygonError),
}

/// How a body is damaged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    /// The bars are not adjusted for splits.
    #[error("its bars are not adjusted for splits")]
    Unadjusted,
    /// The number of bars is not the number that the page states.
    #[error("it has {found} bars and says {stated}")]
    Miscounted {
        /// Number of bars in the page.
        found: usize,
        /// Number that the page states.
        stated: u64,
    },
    /// A bar is outside of the calendar.
    #[error("its bar {bar} is at {ms} ms")]
    BarTime {
        /// Number of the bar, from 1.
        bar: usize,
        /// Its time in milliseconds since 1970.
        ms: i64,
    },
    /// The page states another status than success.
    #[error("its status is {0:?}")]
    Status(String),
    /// The body is not JSON of this form.
    #[error("it is no JSON of that kind: {0}")]
    Json(serde_json::Error),
    /// The URL of the next page is invalid.
    #[error("its next page has no address")]
    NextUrl,
}

#[derive(Deserialize)]
struct Aggregates {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    adjusted: Option<bool>,
    #[serde(default, rename = "resultsCount")]
    results_count: Option<u64>,
    #[serde(default)]
    results: Option<Vec<Aggregate>>,
    #[serde(default)]
    next_url: Option<String>,
}

#[derive(Deserialize)]
struct Aggregate {
    t: i64,
    o: f64,
    h: f64,
    l: f64,
    c: f64,
    /// Absent for an index.
    #[serde(default)]
    v: f64,
}

#[derive(Deserialize)]
struct Splits {
    #[serde(default)]
    status: Option<String>,
    results: Vec<Split>,
}

/// The split of a share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Split {
    /// The first day at the new price, such as `2024-06-10`.
    pub execution_date: String,
}

/// Reads a page of bars.
///
/// # Errors
/// A body that is truncated, miscounted, unadjusted or not JSON of this form; a next page on
/// another host than `base`.
pub(crate) fn bars(body: &[u8], timeframe: Timeframe, calendar: &Calendar, base: &Url) -> Result<Page, PageError> {
    let aggregates: Aggregates = serde_json::from_slice(body).map_err(damaged)?;
    check_status(aggregates.status.as_deref())?;
    if aggregates.adjusted == Some(false) {
        return Err(PageError::Damaged(Damage::Unadjusted));
    }
    let results = aggregates.results.unwrap_or_default();
    if let Some(stated) = aggregates.results_count
        && stated != results.len() as u64
    {
        return Err(PageError::Damaged(Damage::Miscounted { found: results.len(), stated }));
    }
    let mut rows = Vec::with_capacity(results.len());
    for (idx, Aggregate { t, o, h, l, c, v }) in results.into_iter().enumerate() {
        if !TIMES.contains(&t) {
            return Err(PageError::Damaged(Damage::BarTime { bar: idx + 1, ms: t }));
        }
        let time = calendar.bar_time(t.div_euclid(1_000), timeframe);
        rows.push(Row { line: idx + 1, time, values: [o, h, l, c, v] });
    }
    let next = aggregates.next_url.filter(|next| !next.is_empty()).map(|next| relative(&next, base)).transpose()?;
    Ok(Page { rows, next })
}

/// Reads a list of splits.
///
/// # Errors
/// A body that is not JSON of this form.
pub(crate) fn splits(body: &[u8]) -> Result<Vec<Split>, PageError> {
    let splits: Splits = serde_json::from_slice(body).map_err(damaged)?;
    check_status(splits.status.as_deref())?;
    Ok(splits.results)
}

fn check_status(status: Option<&str>) -> Result<(), PageError> {
    match status {
        None | Some("OK" | "DELAYED") => Ok(()),
        Some(other) => Err(PageError::Damaged(Damage::Status(other.to_owned()))),
    }
}

fn damaged(error: serde_json::Error) -> PageError {
    PageError::Damaged(Damage::Json(error))
}

/// Returns path and query of a URL of the configured server, without any key.
fn relative(next: &str, base: &Url) -> Result<String, PageError> {
    let next = base.join(next).map_err(|_| PageError::Damaged(Damage::NextUrl))?;
    if next.origin() != base.origin() || !next.has_host() {
        let found = next.origin().ascii_serialization();
        let needed = base.origin().ascii_serialization();
        return Err(PageError::Final(PolygonError::ForeignPage { found, needed }));
    }
    let is_key = |pair: &&str| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("apikey"));
    let query: Vec<&str> = next.query().unwrap_or_default().split('&').filter(|pair| !is_key(pair)).collect();
    Ok(format!("{}?{}", next.path(), query.join("&")))
}

#[cfg(test)]
mod tests;

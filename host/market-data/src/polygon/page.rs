//! Parses a response of Polygon.
//!
//! In: the body of a response. Out: a [`Page`]. Invariant: every number is finite, every bar is
//! within the calendar, and the URL of the next page contains neither the host nor the API key.

use std::ops::RangeInclusive;

use oculus_job::request::Timeframe;
use oculus_pipeline::bars::Row;
use serde::Deserialize;

use super::calendar::Calendar;
use super::error::PolygonError;
use super::service::{LinkError, Service};

/// Valid times of bars in milliseconds since 1970-01-01 UTC: the years 1970 to 9999.
const TIMES: RangeInclusive<i64> = 0..=253_402_300_799_000;

/// A page of bars, and the URL of the next page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Page {
    /// The bars in the order of the response.
    pub rows: Vec<Row>,
    /// Path and query of the next page, or `None` for the last page.
    pub next: Option<String>,
}

/// The reason that a body is not a page.
#[derive(Debug)]
pub(crate) enum PageError {
    /// The body is damaged. A retry may help.
    Damaged(DamagedPageError),
    /// The body is complete but unacceptable. A retry does not help.
    Final(PolygonError),
}

/// The damage that was found in a body.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DamagedPageError {
    /// The bars are not adjusted for splits.
    #[error("the bars are not adjusted for splits")]
    Unadjusted,
    /// The number of bars differs from the number that the page states.
    #[error("found {found} bars, expected {stated} as stated in `resultsCount`")]
    Miscounted {
        /// Number of bars that the page contains.
        found: usize,
        /// Number of bars that the page states.
        stated: u64,
    },
    /// The time of a bar is outside the calendar.
    #[error("invalid time of bar {bar}: found {ms} ms, expected a time from 1970 to 9999")]
    BarTime {
        /// Number of the bar, from 1.
        bar: usize,
        /// Time of the bar in milliseconds since 1970-01-01 UTC.
        ms: i64,
    },
    /// The status of the page is not a success.
    #[error("found status {0:?}, expected OK or DELAYED")]
    Status(String),
    /// The body is not JSON with the required fields.
    #[error("the response is not valid JSON with the required fields: {0}")]
    Json(serde_json::Error),
    /// The URL of the next page is invalid.
    #[error("the URL of the next page is invalid")]
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
    /// The bars of an index have no volume.
    #[serde(default)]
    v: f64,
}

#[derive(Deserialize)]
struct Splits {
    #[serde(default)]
    status: Option<String>,
    results: Vec<Split>,
}

/// A split of a share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct Split {
    /// First day with the new price, such as `2024-06-10`.
    pub execution_date: String,
}

/// Parses a page of bars.
///
/// # Errors
/// - [`PageError::Damaged`] if the body is truncated, states a wrong number of bars, is not
///   adjusted for splits, or is not JSON with the required fields.
/// - [`PageError::Final`] if the next page is on a server other than those of the service.
pub(crate) fn bars(
    body: &[u8],
    timeframe: Timeframe,
    calendar: &Calendar,
    service: &Service,
) -> Result<Page, PageError> {
    let aggregates: Aggregates = serde_json::from_slice(body).map_err(damaged)?;
    check_status(aggregates.status.as_deref())?;
    if aggregates.adjusted == Some(false) {
        return Err(PageError::Damaged(DamagedPageError::Unadjusted));
    }
    let results = aggregates.results.unwrap_or_default();
    // A truncated list can still be valid JSON. The stated number of bars reveals the truncation.
    if let Some(stated) = aggregates.results_count
        && stated != results.len() as u64
    {
        return Err(PageError::Damaged(DamagedPageError::Miscounted { found: results.len(), stated }));
    }
    let mut rows = Vec::with_capacity(results.len());
    for (idx, Aggregate { t, o, h, l, c, v }) in results.into_iter().enumerate() {
        if !TIMES.contains(&t) {
            return Err(PageError::Damaged(DamagedPageError::BarTime { bar: idx + 1, ms: t }));
        }
        let time = calendar.bar_time(t.div_euclid(1_000), timeframe);
        rows.push(Row { line: idx + 1, time, values: [o, h, l, c, v] });
    }
    let next = aggregates.next_url.filter(|next| !next.is_empty()).map(|next| next_page(&next, service)).transpose()?;
    Ok(Page { rows, next })
}

/// Parses a list of splits.
///
/// # Errors
/// Returns [`PageError::Damaged`] if the body is not JSON with the required fields. A missing list
/// is an error as well: if it were treated as empty, unadjusted bars would be kept.
pub(crate) fn splits(body: &[u8]) -> Result<Vec<Split>, PageError> {
    let splits: Splits = serde_json::from_slice(body).map_err(damaged)?;
    check_status(splits.status.as_deref())?;
    Ok(splits.results)
}

fn check_status(status: Option<&str>) -> Result<(), PageError> {
    match status {
        // DELAYED is the status of plans without real-time data.
        None | Some("OK" | "DELAYED") => Ok(()),
        Some(other) => Err(PageError::Damaged(DamagedPageError::Status(other.to_owned()))),
    }
}

fn damaged(error: serde_json::Error) -> PageError {
    PageError::Damaged(DamagedPageError::Json(error))
}

/// Returns the path and query of the next page, without the API key.
///
/// # Errors
/// Returns [`PageError::Final`] if the page is on another server, which must not receive the API
/// key.
fn next_page(link: &str, service: &Service) -> Result<String, PageError> {
    service.path_of(link).map_err(|error| match error {
        LinkError::Invalid => PageError::Damaged(DamagedPageError::NextUrl),
        LinkError::Foreign(found) => PageError::Final(PolygonError::ForeignPage { found, expected: service.names() }),
    })
}

#[cfg(test)]
mod tests;

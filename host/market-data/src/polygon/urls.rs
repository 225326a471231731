//! The URLs of Polygon's bars and splits.
//!
//! In: the configured base URL and what is wanted. Out: a URL. Invariant: no URL contains the key,
//! and every URL is of the configured server.

use oculus_job::request::Timeframe;
use oculus_pipeline::date::iso_date;
use reqwest::Url;

use super::calendar::Days;

/// The most bars that Polygon returns per page.
const BARS_PER_PAGE: &str = "50000";

/// Returns the URL of the first page of a span's bars.
pub(crate) fn bars(base: &Url, symbol: &str, timeframe: Timeframe, days: Days) -> Url {
    let (multiplier, unit) = unit(timeframe);
    let first = iso_date(days.first);
    let last = iso_date(days.last);
    let mut url = below(base, &["v2", "aggs", "ticker", symbol, "range", multiplier, unit, &first, &last]);
    url.query_pairs_mut().extend_pairs([("adjusted", "true"), ("sort", "asc"), ("limit", BARS_PER_PAGE)]);
    url
}

/// Returns the URL of a further page.
///
/// * `next`: path and query of the page.
pub(crate) fn page(base: &Url, next: &str) -> Url {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(Some(query));
    url
}

/// Returns the URL of the splits of a share between two days, ends included.
pub(crate) fn splits(base: &Url, symbol: &str, first: i32, last: i32) -> Url {
    let mut url = below(base, &["v3", "reference", "splits"]);
    let first = iso_date(first);
    let last = iso_date(last);
    let pairs = [("ticker", symbol), ("execution_date.gte", &first), ("execution_date.lte", &last)];
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // An http URL has segments.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Returns Polygon's multiplier and unit of the length of a bar.
fn unit(timeframe: Timeframe) -> (&'static str, &'static str) {
    match timeframe {
        Timeframe::Minute1 => ("1", "minute"),
        Timeframe::Minute5 => ("5", "minute"),
        Timeframe::Minute15 => ("15", "minute"),
        Timeframe::Minute30 => ("30", "minute"),
        Timeframe::Hour1 => ("1", "hour"),
        Timeframe::Hour4 => ("4", "hour"),
        Timeframe::Day1 => ("1", "day"),
        Timeframe::Week1 => ("1", "week"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_timeframe_has_its_url_and_a_symbol_stays_one_segment_of_it() {
        let days = Days::new(19_723, 19_730).unwrap();
        let url = |base: &str, symbol, timeframe| bars(&Url::parse(base).unwrap(), symbol, timeframe, days);
        let ranges = Timeframe::ALL.map(|timeframe| {
            let url = url("https://api.polygon.io", "BRK.B", timeframe).to_string();
            url.split("range/").nth(1).unwrap().split("/2024").next().unwrap().to_owned()
        });
        let needed = ["1/minute", "5/minute", "15/minute", "30/minute", "1/hour", "4/hour", "1/day", "1/week"];
        assert_eq!(ranges, needed);
        assert_eq!(
            url("http://localhost:1/market/", "X:A^/..?", Timeframe::Day1).as_str(),
            "http://localhost:1/market/v2/aggs/ticker/X:A^%2F..%3F/range/1/day/2024-01-01/2024-01-08\
             ?adjusted=true&sort=asc&limit=50000"
        );
    }

    #[test]
    fn a_further_page_keeps_its_path_and_query_on_the_configured_server() {
        let base = Url::parse("http://localhost:1").unwrap();
        assert_eq!(page(&base, "/v2/aggs/A?cursor=b%3D").as_str(), "http://localhost:1/v2/aggs/A?cursor=b%3D");
    }
}

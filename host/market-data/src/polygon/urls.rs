//! Builds the URLs of Polygon's bars and splits.
//!
//! In: the configured base URL, a symbol and days. Out: a URL. Invariant: no URL contains the API
//! key, and every URL refers to the configured address.

use oculus_job::request::Timeframe;
use oculus_pipeline::date::iso_date;
use reqwest::Url;

use super::calendar::Days;

/// Maximum number of bars that Polygon returns per page.
const BARS_PER_PAGE: &str = "50000";

/// Returns the URL of the first page of bars for some days.
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

/// Returns the URL of the splits of a share from the day `first` to the day `last`, both included.
pub(crate) fn splits(base: &Url, symbol: &str, first: i32, last: i32) -> Url {
    let mut url = below(base, &["v3", "reference", "splits"]);
    let first = iso_date(first);
    let last = iso_date(last);
    let pairs = [("ticker", symbol), ("execution_date.gte", &first), ("execution_date.lte", &last)];
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

/// Returns the base URL with further path segments.
fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // The configuration accepts only http and https URLs, which always have path segments.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Returns Polygon's multiplier and unit for a timeframe, such as `("5", "minute")`.
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
    fn every_timeframe_has_a_url_in_which_the_symbol_is_one_segment() {
        let days = Days::new(19_723, 19_730).unwrap();
        let url = |base: &str, symbol, timeframe| bars(&Url::parse(base).unwrap(), symbol, timeframe, days);
        let ranges = Timeframe::ALL.map(|timeframe| {
            let url = url("https://api.polygon.io", "BRK.B", timeframe).to_string();
            url.split("range/").nth(1).unwrap().split("/2024").next().unwrap().to_owned()
        });
        let expected = ["1/minute", "5/minute", "15/minute", "30/minute", "1/hour", "4/hour", "1/day", "1/week"];
        assert_eq!(ranges, expected);
        assert_eq!(
            url("http://localhost:1/market/", "X:A^/..?", Timeframe::Day1).as_str(),
            "http://localhost:1/market/v2/aggs/ticker/X:A^%2F..%3F/range/1/day/2024-01-01/2024-01-08\
             ?adjusted=true&sort=asc&limit=50000"
        );
    }

    #[test]
    fn the_url_of_a_further_page_has_its_path_and_query_on_the_configured_server() {
        let base = Url::parse("http://localhost:1").unwrap();
        assert_eq!(page(&base, "/v2/aggs/A?cursor=b%3D").as_str(), "http://localhost:1/v2/aggs/A?cursor=b%3D");
    }
}

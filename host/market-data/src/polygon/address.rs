//! Where Polygon has what; an address never holds the key.

use reqwest::Url;

use super::calendar::Days;
use oculus_job::request::Timeframe;
use oculus_pipeline::date::iso_date;

/// The most that Polygon gives at once.
const BARS_A_PAGE: &str = "50000";

/// The first page of a span's bars.
pub(crate) fn of_bars(base: &Url, symbol: &str, timeframe: Timeframe, days: Days) -> Url {
    let (multiplier, unit) = unit(timeframe);
    let (first, last) = (iso_date(days.first), iso_date(days.last));
    let mut url = below(base, &["v2", "aggs", "ticker", symbol, "range", multiplier, unit, &first, &last]);
    url.query_pairs_mut().extend_pairs([("adjusted", "true"), ("sort", "asc"), ("limit", BARS_A_PAGE)]);
    url
}

/// A further page.
///
/// * `next`: its path and query.
pub(crate) fn of_page(base: &Url, next: &str) -> Url {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(Some(query));
    url
}

/// The splits of a share on some days, ends included.
pub(crate) fn of_splits(base: &Url, symbol: &str, first: i32, last: i32) -> Url {
    let mut url = below(base, &["v3", "reference", "splits"]);
    let (first, last) = (iso_date(first), iso_date(last));
    let pairs = [("ticker", symbol), ("execution_date.gte", &first), ("execution_date.lte", &last)];
    url.query_pairs_mut().extend_pairs(pairs);
    url
}

fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    // An http address has segments.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// Polygon's words for the length of a bar.
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_timeframe_has_its_address_and_a_symbol_stays_one_part_of_it() {
        let days = Days::new(19_723, 19_730).unwrap();
        let address = |base: &str, symbol, timeframe| of_bars(&Url::parse(base).unwrap(), symbol, timeframe, days);
        let ranges = Timeframe::ALL.map(|timeframe| {
            let url = address("https://api.polygon.io", "BRK.B", timeframe).to_string();
            url.split("range/").nth(1).unwrap().split("/2024").next().unwrap().to_owned()
        });
        let needed = ["1/minute", "5/minute", "15/minute", "30/minute", "1/hour", "4/hour", "1/day", "1/week"];
        assert_eq!(ranges, needed);
        assert_eq!(
            address("http://localhost:1/market/", "X:A^/..?", Timeframe::Day1).as_str(),
            "http://localhost:1/market/v2/aggs/ticker/X:A^%2F..%3F/range/1/day/2024-01-01/2024-01-08\
             ?adjusted=true&sort=asc&limit=50000"
        );
    }

    #[test]
    fn a_further_page_is_where_it_was_said_to_be_on_the_server_itself() {
        let base = Url::parse("http://localhost:1").unwrap();
        assert_eq!(of_page(&base, "/v2/aggs/A?cursor=b%3D").as_str(), "http://localhost:1/v2/aggs/A?cursor=b%3D");
    }
}

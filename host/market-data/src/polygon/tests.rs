//! Tests of the source against a server of daily bars, with fixed current times.

pub(crate) mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use oculus_job::code::ErrorCode;
use oculus_pipeline::bars::{FetchProgress, Row, TimeRange};
use oculus_pipeline::date::{days_since_epoch, iso_date};
use oculus_system::secret::Secret;
use parking_lot::Mutex;
use serde_json::{Value, json};

use self::server::{Reply, Request, Server};
use super::client::tests::FAST_RETRIES;
use super::*;

const JULY_10: &str = "2024-07-10T15:00:00Z";
const JULY_15: &str = "2024-07-15T15:00:00Z";
const PLAN: &str = r#"{"status":"NOT_AUTHORIZED","message":"Your plan doesn't include this data timeframe."}"#;

fn day(date: &str) -> i32 {
    days_since_epoch(date.parse().unwrap())
}

/// Returns the first and last day of a request.
fn days_of(request: &Request) -> (String, String) {
    let segments: Vec<&str> = request.target.split(['/', '?']).collect();
    (segments[8].to_owned(), segments[9].to_owned())
}

fn is_bars(request: &Request) -> bool {
    request.target.starts_with("/v2/aggs/")
}

fn cursor(request: &Request) -> usize {
    request.target.split("cursor=").nth(1).map_or(0, |cursor| cursor.parse().unwrap())
}

/// Returns one bar per weekday of a request, with a price that is computed from the day.
fn bars_of(request: &Request) -> Vec<Value> {
    let (first, last) = days_of(request);
    let calendar = Calendar::default();
    let weekdays = (day(&first)..=day(&last)).filter(|day| (day - 3).rem_euclid(7) % 6 != 0);
    let bar = |day: i32| {
        let price = f64::from(day) / 100.0;
        json!({ "t": calendar.midnight(day) * 1_000, "o": price, "h": price, "l": price, "c": price, "v": 1e6 })
    };
    weekdays.map(bar).collect()
}

fn page(request: &Request, results: &[Value], next: Option<usize>) -> Reply {
    let next = next.map(|cursor| format!("{}?cursor={cursor}", request.target.split('?').next().unwrap()));
    Reply::ok(
        json!({ "status": "OK", "resultsCount": results.len(), "results": results, "next_url": next }).to_string(),
    )
}

/// Responds like Polygon, in pages of `n_bars` bars and without splits.
fn answer(request: &Request, n_bars: usize) -> Reply {
    if !is_bars(request) {
        return Reply::ok(r#"{"status":"OK","results":[]}"#);
    }
    let bars = bars_of(request);
    let from = cursor(request).min(bars.len());
    let to = (from + n_bars).min(bars.len());
    page(request, &bars[from..to], (to < bars.len()).then_some(to))
}

fn source(server: &Server, cache: &tempfile::TempDir, now: &str) -> Polygon {
    source_named(server, &[], cache, now)
}

/// Returns a source whose service has further names.
fn source_named(server: &Server, aliases: &[&str], cache: &tempfile::TempDir, now: &str) -> Polygon {
    let config = PolygonConfig {
        base_url: server.url(),
        alias_urls: aliases.iter().map(|url| (*url).to_owned()).collect(),
        api_key: Secret::new("hunter2"),
        requests_per_minute: 0,
        cache_dir: cache.path().to_owned(),
    };
    Polygon { config, now: now.parse().unwrap(), retry_policy: FAST_RETRIES }
}

fn fetch(polygon: &Polygon, symbols: &[&str], first: &str) -> Result<Vec<Fetched>, JobError> {
    let symbols: Vec<String> = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
    let range = TimeRange::From(day(first));
    polygon.fetch(&BarsRequest { symbols: &symbols, optional: &[], timeframe: Timeframe::Day1, range }, &|_| {})
}

/// Fetches the symbol AAPL.
fn fetch_one(polygon: &Polygon, first: &str) -> Result<Fetched, JobError> {
    fetch(polygon, &["AAPL"], first).map(|mut fetched| fetched.remove(0))
}

fn rows(fetched: &Fetched) -> &[Row] {
    fetched.reading.found.as_ref().map_or(&[], |found| &found.rows)
}

fn codes(fetched: &Fetched) -> Vec<&str> {
    fetched.reading.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

#[test]
fn only_missing_days_are_requested_and_no_day_twice() {
    let server = Server::start(|request, _| answer(request, 1_000));
    let cache = tempfile::tempdir().unwrap();
    let first = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap();
    assert_eq!((rows(&first).len(), first.n_cached, first.n_pages), (136, 0, 1));
    let again = fetch_one(&source(&server, &cache, JULY_10), "2024-03-01").unwrap();
    assert_eq!((rows(&again).len(), again.n_cached, again.n_pages), (93, 93, 0));
    let later = fetch_one(&source(&server, &cache, JULY_15), "2023-12-01").unwrap();
    assert_eq!((later.n_cached, later.n_pages), (136, 2), "older and newer days");
    assert_eq!(
        rows(&later).iter().map(|row| row.time / 86_400).map(|day| iso_date(day as i32)).next_back().unwrap(),
        "2024-07-12"
    );
    let requests = server.requests();
    let expected = [
        "/v2/aggs/ticker/AAPL/range/1/day/2024-01-02/2024-07-09?adjusted=true&sort=asc&limit=50000",
        "/v3/reference/splits?ticker=AAPL&execution_date.gte=2024-07-10&execution_date.lte=2024-07-15",
        "/v2/aggs/ticker/AAPL/range/1/day/2023-12-01/2024-01-01?adjusted=true&sort=asc&limit=50000",
        "/v2/aggs/ticker/AAPL/range/1/day/2024-07-10/2024-07-14?adjusted=true&sort=asc&limit=50000",
    ];
    assert_eq!(requests.iter().map(|request| request.target.as_str()).collect::<Vec<_>>(), expected);
    assert!(requests.iter().all(|request| request.authorization == "Bearer hunter2"));
}

#[test]
fn the_division_into_pages_order_and_repetition_do_not_change_the_bars() {
    let bars = |answer: fn(&Request) -> Reply| {
        let server = Server::start(move |request, _| answer(request));
        let cache = tempfile::tempdir().unwrap();
        let fetched = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap();
        (rows(&fetched).to_vec(), fetched.n_pages)
    };
    let (expected, n_pages) = bars(|request| answer(request, 1_000));
    assert_eq!((expected.len(), n_pages), (136, 1));
    assert_eq!(bars(|request| answer(request, 7)), (expected.clone(), 20));
    let overlapping = |request: &Request| {
        let bars = bars_of(request);
        let from = cursor(request);
        let to = (from + 50).min(bars.len());
        let mut shown = bars[from.saturating_sub(20)..to].to_vec();
        shown.reverse();
        page(request, &shown, (to < bars.len()).then_some(to))
    };
    assert_eq!(bars(overlapping), (expected.clone(), 3));
    // This server returns more days than were requested.
    let beyond = |request: &Request| {
        let target = request.target.replace("2024-01-02", "2023-06-01").replace("2024-07-09", "2024-07-10");
        page(request, &bars_of(&Request { target, ..request.clone() }), None)
    };
    assert_eq!(bars(beyond), (expected, 1));
}

#[test]
fn after_a_split_all_bars_are_fetched_again() {
    for (splits, n_cached, expected) in [
        (r#"{"status":"OK","results":[]}"#, 136, vec![("2024-07-10", "2024-07-14")]),
        (r#"{"status":"OK","results":[{"execution_date":"2024-07-11"}]}"#, 0, vec![("2024-01-02", "2024-07-14")]),
    ] {
        let server =
            Server::start(move |request, _| if is_bars(request) { answer(request, 500) } else { Reply::ok(splits) });
        let cache = tempfile::tempdir().unwrap();
        fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap();
        let fetched = fetch_one(&source(&server, &cache, JULY_15), "2024-03-01").unwrap();
        let later = server.requests().into_iter().skip(1).filter(is_bars);
        let spans: Vec<(String, String)> = later.map(|request| days_of(&request)).collect();
        let spans: Vec<(&str, &str)> = spans.iter().map(|(first, last)| (first.as_str(), last.as_str())).collect();
        assert_eq!(spans, expected, "the cached days and the new ones");
        assert_eq!(fetched.n_cached > 0, n_cached > 0);
        assert_eq!(rows(&fetched).len(), 96);
    }
}

#[test]
fn a_plan_without_the_list_of_splits_is_a_warning() {
    for status in [403, 404] {
        let server = Server::start(
            move |request, _| {
                if is_bars(request) { answer(request, 500) } else { Reply::status(status, PLAN) }
            },
        );
        let cache = tempfile::tempdir().unwrap();
        fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap();
        let fetched = fetch_one(&source(&server, &cache, JULY_15), "2024-01-02").unwrap();
        assert_eq!((codes(&fetched), rows(&fetched).len()), (vec!["splits_unchecked"], 139));
    }
}

/// Responds in pages of 20 bars whose links name another host.
fn answer_naming(request: &Request, name: &str) -> Reply {
    match answer(request, 20) {
        Reply::Complete(status, more, body) => {
            Reply::Complete(status, more, body.replace("/v2/aggs/", &format!("{name}/v2/aggs/")))
        }
        reply => reply,
    }
}

#[test]
fn pages_that_name_the_service_differently_are_fetched_from_the_configured_address() {
    let cache = tempfile::tempdir().unwrap();
    let plain = Server::start(|request, _| answer(request, 1_000));
    let expected = rows(&fetch_one(&source(&plain, &cache, JULY_10), "2024-01-02").unwrap()).to_vec();
    let names = ["https://api.polygon.io", "https://api.massive.com"];
    let server = Server::start(move |request, n_before| answer_naming(request, names[n_before % 2]));
    let cache = tempfile::tempdir().unwrap();
    let fetched = fetch_one(&source_named(&server, &names, &cache, JULY_10), "2024-01-02").unwrap();
    assert_eq!((rows(&fetched), fetched.n_pages), (expected.as_slice(), 7));
    let requests = server.requests();
    assert_eq!(requests.iter().map(cursor).collect::<Vec<_>>(), [0, 20, 40, 60, 80, 100, 120]);
    assert!(requests.iter().all(|request| request.authorization == "Bearer hunter2"));
}

#[test]
fn a_redirect_is_followed_once_and_only_to_a_name_of_the_service() {
    let redirect = |url: &str| Reply::Complete(308, format!("Location: {url}\r\n").leak(), String::new());
    let second = Server::start(|request, _| answer(request, 1_000));
    let target = second.url();
    let first = Server::start(move |request, _| redirect(&format!("{target}{}", request.target)));
    let fetch_with = |aliases: &[&str]| {
        let cache = tempfile::tempdir().unwrap();
        fetch_one(&source_named(&first, aliases, &cache, JULY_10), "2024-01-02")
    };
    let failure = fetch_with(&[]).unwrap_err();
    assert_eq!((failure.code, second.requests().len()), (ErrorCode::ForeignPage, 0));
    assert!(failure.message.contains(&second.url()), "{failure}");
    assert_eq!(rows(&fetch_with(&[&second.url()]).unwrap()).len(), 136);
    assert!(second.requests().iter().all(|request| request.authorization == "Bearer hunter2"));
    let circular = Server::start(move |request, _| redirect(&request.target));
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_one(&source(&circular, &cache, JULY_10), "2024-01-02").unwrap_err();
    assert_eq!((failure.code, circular.requests().len()), (ErrorCode::ForeignPage, 2));
}

#[test]
fn the_key_is_not_sent_to_another_host() {
    let other = Server::start(|request, _| answer(request, 10));
    let elsewhere = format!("{}/v2/aggs?cursor=1", other.url());
    let server = Server::start(move |_, _| Reply::ok(json!({ "results": [], "next_url": elsewhere }).to_string()));
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap_err();
    assert_eq!((failure.code, failure.retryable, other.requests().len()), (ErrorCode::ForeignPage, false, 0));
    assert!(failure.message.contains(&other.url()) && failure.message.contains(&server.url()), "{failure}");
}

#[test]
fn pages_that_refer_to_each_other_in_a_cycle_are_an_error() {
    let server = Server::start(|request, _| page(request, &[], Some(usize::from(cursor(request) == 1) + 1)));
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap_err();
    assert_eq!((failure.code, failure.retryable, server.requests().len()), (ErrorCode::EndlessPages, true, 3));
}

#[test]
fn two_different_bars_of_one_day_are_an_error_and_are_not_cached() {
    let conflicting = |request: &Request, n_before: usize| match (answer(request, 1_000), n_before) {
        (Reply::Complete(status, more, body), 0) => {
            let half = body.replace("\"next_url\":null", "\"next_url\":\"/v2/aggs?cursor=9\"");
            Reply::Complete(status, more, half)
        }
        (_, 1) => {
            let t = Calendar::default().midnight(day("2024-01-02")) * 1_000;
            Reply::ok(json!({ "results": [{ "t": t, "o": 1, "h": 1, "l": 1, "c": 1, "v": 1 }] }).to_string())
        }
        (reply, _) => reply,
    };
    let server = Server::start(conflicting);
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap_err();
    assert_eq!((failure.code, failure.retryable), (ErrorCode::ConflictingBars, true));
    assert!(failure.message.contains("2024-01-02"), "{failure}");
    assert_eq!(rows(&fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap()).len(), 136);
}

/// Starts a server with a plan that includes only the bars from the day `first` on.
fn plan_from(first: &'static str) -> Server {
    Server::start(move |request, _| {
        let is_denied = is_bars(request) && days_of(request).0.as_str() < first;
        if is_denied { Reply::status(403, PLAN) } else { answer(request, 1_000) }
    })
}

#[test]
fn a_plan_with_a_shorter_history_returns_the_bars_it_includes() {
    let server = plan_from("2022-07-11");
    let cache = tempfile::tempdir().unwrap();
    let fetched = fetch_one(&source(&server, &cache, JULY_10), "2018-01-02").unwrap();
    assert_eq!((codes(&fetched), rows(&fetched).len()), (vec!["history_not_in_plan"], 521), "two years");
    let message = &fetched.reading.warnings[0].message;
    assert!(message.contains("2018-01-02 to 2022-07-11") && message.contains("plan"), "{message}");
    let again = fetch_one(&source(&server, &cache, JULY_10), "2018-01-02").unwrap();
    assert_eq!((codes(&again), again.n_cached, again.n_pages), (vec!["history_not_in_plan"], 521, 0));
}

#[test]
fn a_plan_without_any_of_the_bars_or_without_the_newest_is_an_error() {
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_one(&source(&plan_from("9999"), &cache, JULY_10), "2024-01-02").unwrap_err();
    assert_eq!((failure.code, failure.retryable), (ErrorCode::HistoryNotInPlan, false));
    assert!(failure.hint.contains("years"), "{}", failure.hint);
    fetch_one(&source(&plan_from("0000"), &cache, JULY_10), "2024-01-02").unwrap();
    let failure = fetch_one(&source(&plan_from("9999"), &cache, JULY_15), "2024-01-02").unwrap_err();
    assert_eq!(failure.code, ErrorCode::HistoryNotInPlan, "outdated bars must not be accepted");
}

#[test]
fn a_last_day_whose_bar_is_published_late_is_requested_again() {
    let n_requests = AtomicUsize::new(0);
    let server = Server::start(move |request, _| {
        if is_bars(request) && n_requests.fetch_add(1, Ordering::SeqCst) == 0 {
            let bars = bars_of(request);
            return page(request, &bars[..bars.len() - 1], None);
        }
        answer(request, 1_000)
    });
    let cache = tempfile::tempdir().unwrap();
    let fetched = [0; 3].map(|_| fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap());
    assert_eq!(
        fetched.each_ref().map(|fetched| (rows(fetched).len(), fetched.n_pages)),
        [(135, 1), (136, 1), (136, 0)]
    );
}

#[test]
fn a_symbol_without_bars_is_a_warning_and_is_requested_again_the_next_time() {
    let server = Server::start(|request, _| page(request, &[], None));
    let cache = tempfile::tempdir().unwrap();
    let polygon = source(&server, &cache, JULY_10);
    for _ in 0..2 {
        let fetched = fetch_one(&polygon, "2024-01-02").unwrap();
        assert_eq!((codes(&fetched), &fetched.reading.found), (vec!["symbol_without_bars"], &None));
    }
    assert_eq!(server.requests().len(), 2);
    let absent = Server::start(|_, _| Reply::status(404, "no such ticker"));
    let fetched = fetch_one(&source(&absent, &tempfile::tempdir().unwrap(), JULY_10), "2024-01-02").unwrap();
    assert_eq!(codes(&fetched), ["symbol_without_bars"]);
    assert!(fetched.reading.warnings[0].message.contains("no such ticker"), "{:?}", fetched.reading);
    let failure = polygon.no_bars_failure(&["NOSUCH".to_owned()]);
    assert!(failure.code == ErrorCode::NoBars && failure.message.contains("NOSUCH"), "{failure}");
}

#[test]
fn an_optional_symbol_that_cannot_be_fetched_does_not_fail_the_others() {
    let server = Server::start(|request, _| {
        if request.target.contains("/SPY/") { Reply::status(500, "oops") } else { answer(request, 1_000) }
    });
    let cache = tempfile::tempdir().unwrap();
    let symbols = ["AAPL".to_owned()];
    let optional = ["SPY".to_owned()];
    let range = TimeRange::From(day("2024-01-02"));
    let request = BarsRequest { symbols: &symbols, optional: &optional, timeframe: Timeframe::Day1, range };
    let polygon = source(&server, &cache, JULY_10);
    let readings = polygon.read(&request, &|_| {}).unwrap();
    assert_eq!(
        readings.iter().map(|it| (it.symbol.as_str(), it.found.is_some())).collect::<Vec<_>>(),
        [("AAPL", true), ("SPY", false)]
    );
    assert!(
        polygon.read(&BarsRequest { symbols: &optional, optional: &[], ..request }, &|_| {}).is_err(),
        "SPY is not optional here"
    );
}

#[test]
fn symbols_are_fetched_concurrently_and_returned_in_the_order_of_the_request() {
    static AT_ONCE: AtomicUsize = AtomicUsize::new(0);
    // The server answers the first eight requests only after all eight have arrived.
    let server = Server::start(|request, n_before| {
        AT_ONCE.fetch_add(1, Ordering::SeqCst);
        let deadline = Instant::now() + FAST_RETRIES.response_timeout;
        while n_before < 8 && AT_ONCE.load(Ordering::SeqCst) < 8 && Instant::now() < deadline {
            thread::yield_now();
        }
        answer(request, 1_000)
    });
    let cache = tempfile::tempdir().unwrap();
    let symbols = ["J", "I", "H", "G", "F", "E", "D", "C", "B", "A"];
    let fetched = fetch(&source(&server, &cache, JULY_10), &symbols, "2024-01-02").unwrap();
    assert_eq!(fetched.iter().map(|it| it.reading.symbol.as_str()).collect::<Vec<_>>(), symbols);
    assert!(fetched.iter().all(|fetched| rows(fetched).len() == 136 && fetched.n_pages == 1));
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn an_interrupted_fetch_continues_at_the_missing_page() {
    let server = Server::start(|request, n_before| match (cursor(request), n_before) {
        (60, ..10) => Reply::status(500, "oops"),
        _ => answer(request, 30),
    });
    let cache = tempfile::tempdir().unwrap();
    let failure = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap_err();
    assert_eq!((failure.code, failure.retryable), (ErrorCode::UnreadableBars, true));
    assert!(
        failure.message.contains("4 requests to Polygon failed") && failure.message.contains("HTTP 500: oops"),
        "{failure}"
    );
    // Five days later, there are more days to fetch. The unfinished fetch is completed first, and
    // splits are requested from the day on which it began.
    let fetched = fetch_one(&source(&server, &cache, JULY_15), "2024-01-02").unwrap();
    assert_eq!((rows(&fetched).len(), codes(&fetched)), (139, vec![]));
    let requests = server.requests();
    let targets: Vec<&str> = requests.iter().map(|request| request.target.as_str()).collect();
    assert!(targets[6].contains("execution_date.gte=2024-07-10"), "{targets:?}");
    let cursors: Vec<usize> = requests.iter().filter(|request| is_bars(request)).map(cursor).collect();
    assert_eq!(cursors[..2], [0, 30]);
    assert!(cursors[2..6].iter().all(|cursor| *cursor == 60) && cursors[6..].ends_with(&[90, 120, 0]), "{cursors:?}");
}

#[test]
fn an_expired_cursor_restarts_the_fetch_of_the_span() {
    let server = Server::start(|request, n_before| match (cursor(request), n_before) {
        (60, 2..6) => Reply::status(500, "oops"),
        (60, 6..9) => Reply::status(400, "cursor expired"),
        _ => answer(request, 30),
    });
    let cache = tempfile::tempdir().unwrap();
    fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap_err();
    let fetched = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap();
    assert_eq!(rows(&fetched).len(), 136);
    let cursors: Vec<usize> = server.requests().iter().filter(|request| is_bars(request)).map(cursor).collect();
    assert_eq!(cursors[6..], [60, 0, 30, 60, 90, 120]);
}

#[test]
fn a_cursor_that_is_always_rejected_is_an_error() {
    let server = Server::start(|request, _| match cursor(request) {
        60 => Reply::status(400, "bad cursor"),
        _ => answer(request, 30),
    });
    let cache = tempfile::tempdir().unwrap();
    for n_requests in [3, 7] {
        let failure = fetch_one(&source(&server, &cache, JULY_10), "2024-01-02").unwrap_err();
        assert!(failure.message.contains("bad cursor"), "{failure}");
        let n_sent = server.requests().iter().filter(|request| is_bars(request)).count();
        assert_eq!(n_sent, n_requests, "the fetch is restarted at most once");
    }
}

#[test]
fn progress_increases_with_every_page_and_states_the_reason_of_a_wait() {
    let server = Server::start(|request, n_before| match n_before {
        1 => Reply::Complete(429, "Retry-After: 0\r\n", String::new()),
        _ => answer(request, 50),
    });
    let cache = tempfile::tempdir().unwrap();
    let events = Mutex::new(Vec::<FetchProgress>::new());
    let symbols = ["AAPL".to_owned()];
    let range = TimeRange::From(day("2024-01-02"));
    let request = BarsRequest { symbols: &symbols, optional: &[], timeframe: Timeframe::Day1, range };
    source(&server, &cache, JULY_10).read(&request, &|progress| events.lock().push(progress.clone())).unwrap();
    let events = events.into_inner();
    let messages: Vec<&str> = events.iter().map(|progress| progress.message.as_str()).collect();
    let expected = [
        "AAPL: page 1, 50 bars",
        "AAPL: page 2, 50 bars, waiting 0 s for Polygon's rate limit",
        "AAPL: page 2, 100 bars",
        "AAPL: page 3, 136 bars",
        "AAPL: 136 bars",
    ];
    assert_eq!(messages, expected);
    assert!(events.iter().map(|progress| progress.fraction).is_sorted());
    let last = events.last().unwrap();
    assert_eq!((last.n_pages, last.n_rows, last.fraction, last.eta_s), (3, 136, 1.0, Some(0.0)));
    let first = &events[0];
    assert!(first.fraction > 0.3 && first.fraction < 0.4 && first.eta_s.is_some(), "{first:?}");
}

#[test]
fn weekly_bars_are_requested_in_whole_weeks() {
    let server = Server::start(|request, _| answer(request, 1_000));
    let cache = tempfile::tempdir().unwrap();
    let symbols = ["AAPL".to_owned()];
    let range = TimeRange::Between(day("2024-05-01"), day("2024-07-11"));
    let request = BarsRequest { symbols: &symbols, optional: &[], timeframe: Timeframe::Week1, range };
    source(&server, &cache, JULY_15).read(&request, &|_| {}).unwrap();
    assert_eq!(days_of(&server.requests()[0]), ("2024-04-28".to_owned(), "2024-07-06".to_owned()));
}

#[test]
fn a_symbol_that_was_removed_from_the_cache_is_fetched_again() {
    let server = Server::start(|request, _| answer(request, 1_000));
    let cache = tempfile::tempdir().unwrap();
    let polygon = source(&server, &cache, JULY_10);
    fetch_one(&polygon, "2024-01-02").unwrap();
    polygon.remove_from_cache(&["AAPL".to_owned()], Timeframe::Day1).unwrap();
    assert_eq!(fetch_one(&polygon, "2024-01-02").unwrap().n_pages, 1);
    assert_eq!(server.requests().len(), 2, "splits are not requested");
}

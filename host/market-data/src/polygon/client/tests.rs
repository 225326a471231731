//! Tests of requests when the server or the network fails.

use parking_lot::Mutex;

use super::*;
use crate::polygon::page::DamagedPageError;
use crate::polygon::tests::server::{Reply, Request, Server};

/// A retry policy with waits of milliseconds.
pub(crate) const FAST_RETRIES: RetryPolicy = RetryPolicy {
    n_tries: 4,
    first_wait: Duration::from_millis(2),
    max_wait: Duration::from_millis(8),
    connect_timeout: Duration::from_secs(10),
    response_timeout: Duration::from_secs(10),
    max_rate_limit_wait: Duration::from_millis(40),
};
/// Response timeout of a test whose server does not respond.
const SHORT_TIMEOUT: Duration = Duration::from_millis(500);
const KEY: &str = "hunter2hunter2";

/// The outcome of one request.
struct Outcome {
    response: Result<String, PolygonError>,
    requests: Vec<Request>,
    waits: Vec<Wait>,
}

/// Sends a request to a server whose reply depends on the number of earlier requests.
fn get(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Outcome {
    get_within(FAST_RETRIES.response_timeout, answer)
}

fn get_within(limit: Duration, answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Outcome {
    let server = Server::start(move |_, n_before| answer(n_before));
    let folder = tempfile::tempdir().unwrap();
    let config = PolygonConfig {
        base_url: server.url(),
        alias_urls: Vec::new(),
        api_key: Secret::new(KEY),
        requests_per_minute: 0,
        cache_dir: folder.path().to_owned(),
    };
    let rate_limiter = RateLimiter::new(folder.path(), &config.api_key, 0, || 0);
    let client =
        Client::new(&config, rate_limiter, RetryPolicy { response_timeout: limit, ..FAST_RETRIES }, 1).unwrap();
    let url = client.service().base().join("/v2/aggs?limit=1").unwrap();
    let waits = Mutex::new(Vec::new());
    let parse = |body: &[u8]| match body {
        b"damaged" => Err(PageError::Damaged(DamagedPageError::Status(KEY.to_owned()))),
        body => Ok(String::from_utf8(body.to_vec()).unwrap()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let response = runtime.block_on(client.get(&url, parse, &|wait| waits.lock().push(wait)));
    Outcome { response, requests: server.requests(), waits: waits.into_inner() }
}

#[test]
fn the_key_is_sent_in_the_header_and_not_in_the_url() {
    let outcome = get(|_| Reply::ok("bars"));
    assert_eq!(outcome.response.unwrap(), "bars");
    let expected = Request { target: "/v2/aggs?limit=1".to_owned(), authorization: format!("Bearer {KEY}") };
    assert_eq!(outcome.requests, [expected]);
    assert_eq!(outcome.waits, []);
}

#[test]
fn transient_faults_are_retried() {
    for fault in [
        Reply::status(500, "oops"),
        Reply::status(503, ""),
        Reply::Half("bars".repeat(100)),
        Reply::Silence,
        Reply::ok("damaged"),
    ] {
        let shown = format!("{fault:?}");
        let limit = if matches!(fault, Reply::Silence) { SHORT_TIMEOUT } else { FAST_RETRIES.response_timeout };
        let outcome = get_within(limit, move |n_before| if n_before < 2 { fault.clone() } else { Reply::ok("bars") });
        assert_eq!(outcome.response.unwrap(), "bars", "{shown}");
        assert_eq!((outcome.requests.len(), outcome.waits.len()), (3, 2), "{shown}");
        assert!(
            outcome.waits.iter().all(|wait| matches!(wait, Wait::Retry(wait) if *wait <= FAST_RETRIES.max_wait)),
            "{shown}"
        );
    }
}

#[test]
fn permanent_faults_exhaust_the_retries_and_return_the_last_reason() {
    for (fault, reason) in [
        (Reply::status(502, "bad gateway"), "HTTP 502: bad gateway"),
        (Reply::Silence, "no response in time"),
        (Reply::ok("damaged"), r#"found status "***", expected OK or DELAYED"#),
    ] {
        let limit = if matches!(fault, Reply::Silence) { SHORT_TIMEOUT } else { FAST_RETRIES.response_timeout };
        let outcome = get_within(limit, move |_| fault.clone());
        let Err(PolygonError::RetriesExhausted { n_tries, last }) = outcome.response else {
            panic!("{:?}", outcome.response)
        };
        assert_eq!((n_tries, outcome.requests.len(), last.as_str()), (4, 4, reason));
    }
}

#[test]
fn a_final_error_is_not_retried() {
    let plan = r#"{"status":"NOT_AUTHORIZED","message":"Your plan doesn't include this data timeframe."}"#;
    for (status, text, code) in [
        (401, "Unknown API Key", "bars_denied"),
        (403, "Forbidden", "bars_denied"),
        (403, plan, "history_not_in_plan"),
        (404, "not found", "bars_denied"),
        (400, "bad cursor", "bars_denied"),
        (302, "", "foreign_page"),
    ] {
        let outcome = get(move |_| Reply::status(status, text));
        let failure = outcome.response.unwrap_err().failure("AAPL");
        assert_eq!(
            (failure.code.as_str(), failure.retryable, outcome.requests.len()),
            (code, false, 1),
            "{status} {text}"
        );
        assert!(failure.message.contains(text), "{}", failure.message);
    }
    let hint = get(|_| Reply::status(401, "")).response.unwrap_err().failure("AAPL").hint;
    assert!(hint.contains("POLYGON_API_KEY"), "{hint}");
    let hint = get(move |_| Reply::status(403, plan)).response.unwrap_err().failure("AAPL").hint;
    assert!(hint.contains("years") && hint.contains("larger plan"), "{hint}");
}

#[test]
fn the_wait_for_a_rate_limit_has_the_length_that_the_server_requires() {
    let outcome = get(|n_before| match n_before {
        0..3 => Reply::Complete(429, "Retry-After: 0\r\n", "slow down".to_owned()),
        3 => Reply::status(429, ""),
        _ => Reply::ok("bars"),
    });
    assert_eq!(outcome.response.unwrap(), "bars", "a rate limit does not count as a failed attempt");
    assert_eq!(outcome.waits[..3], [Wait::ServerLimit(Duration::ZERO); 3]);
    assert!(
        matches!(outcome.waits[3..], [Wait::ServerLimit(wait)] if wait <= FAST_RETRIES.max_wait),
        "{:?}",
        outcome.waits
    );
}

#[test]
fn a_permanent_rate_limit_is_a_retryable_failure() {
    let outcome = get(|_| Reply::status(429, "slow down"));
    assert!(matches!(outcome.response, Err(PolygonError::RateLimited { .. })), "{:?}", outcome.response);
    let waited: Duration =
        outcome.waits.iter().map(|wait| if let Wait::ServerLimit(wait) = wait { *wait } else { panic!() }).sum();
    assert!(waited <= FAST_RETRIES.max_rate_limit_wait && outcome.requests.len() > 4, "{:?}", outcome.waits);
    let outcome = get(|_| Reply::Complete(429, "Retry-After: 3600\r\n", String::new()));
    let failure = outcome.response.unwrap_err().failure("AAPL");
    assert!(failure.retryable && failure.message.contains("3600 s"), "{failure}");
    assert_eq!(outcome.requests.len(), 1);
}

#[test]
fn a_quoted_text_of_the_server_is_short_on_one_line_and_without_the_key() {
    for status in [400, 401, 403, 404, 500] {
        let body = format!("line\nkey {KEY} {}", "x".repeat(5_000));
        let message = get(move |_| Reply::status(status, &body)).response.unwrap_err().failure("AAPL").message;
        assert!(message.contains("line key *** xxx") && message.len() < 400, "{message}");
    }
}

#[test]
fn a_response_that_is_too_large_is_not_read_completely() {
    let outcome = get(|_| Reply::Complete(200, "", " ".repeat(MAX_BYTES + 1)));
    assert!(
        matches!(outcome.response, Err(PolygonError::TooLarge { limit_mib: 64 })),
        "{:?}",
        outcome.response.map(|body| body.len())
    );
}

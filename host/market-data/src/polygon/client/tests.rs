//! What a request comes to, whatever the server and the network do.
#![allow(clippy::unwrap_used)]

use parking_lot::Mutex;

use super::*;
use crate::polygon::tests::server::{Asked, Reply, Server};

/// As ours, with waits in milliseconds.
pub(crate) const SHORT: Patience = Patience {
    n_tries: 4,
    base: Duration::from_millis(2),
    cap: Duration::from_millis(8),
    connect: Duration::from_secs(10),
    answer: Duration::from_secs(10),
    limited: Duration::from_millis(40),
};
/// For an answer that does not come.
const A_WHILE: Duration = Duration::from_millis(500);
const KEY: &str = "hunter2hunter2";

/// What one request came to.
struct Got {
    answer: Result<String, Trouble>,
    asked: Vec<Asked>,
    waits: Vec<Wait>,
}

/// From a server that answers by how much it was asked before.
fn get(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Got {
    get_within(SHORT.answer, answer)
}

fn get_within(limit: Duration, answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Got {
    let server = Server::start(move |_, n_before| answer(n_before));
    let folder = tempfile::tempdir().unwrap();
    let config = PolygonConfig {
        base_url: server.url(),
        api_key: Secret::new(KEY),
        requests_per_minute: 0,
        cache_dir: folder.path().to_owned(),
    };
    let bucket = Bucket::new(folder.path(), &config.api_key, 0, || 0);
    let client = Client::new(&config, bucket, Patience { answer: limit, ..SHORT }, 1).unwrap();
    let url = client.base().join("/v2/aggs?limit=1").unwrap();
    let waits = Mutex::new(Vec::new());
    let read = |body: &[u8]| match body {
        b"damaged" => Err(Unreadable::Damaged(format!("it says {KEY}"))),
        body => Ok(String::from_utf8(body.to_vec()).unwrap()),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(client.get(&url, read, &|wait| waits.lock().push(wait)));
    Got { answer, asked: server.asked(), waits: waits.into_inner() }
}

#[test]
fn the_key_goes_in_the_header_and_in_no_address() {
    let got = get(|_| Reply::ok("bars"));
    assert_eq!(got.answer.unwrap(), "bars");
    let needed = Asked { target: "/v2/aggs?limit=1".to_owned(), authorization: format!("Bearer {KEY}") };
    assert_eq!((got.asked, got.waits), (vec![needed], vec![]));
}

#[test]
fn faults_that_pass_are_waited_out() {
    for fault in [
        Reply::status(500, "oops"),
        Reply::status(503, ""),
        Reply::Half("bars".repeat(100)),
        Reply::Silence,
        Reply::ok("damaged"),
    ] {
        let shown = format!("{fault:?}");
        let limit = if matches!(fault, Reply::Silence) { A_WHILE } else { SHORT.answer };
        let got = get_within(limit, move |n_before| if n_before < 2 { fault.clone() } else { Reply::ok("bars") });
        assert_eq!(got.answer.unwrap(), "bars", "{shown}");
        assert_eq!((got.asked.len(), got.waits.len()), (3, 2), "{shown}");
        assert!(got.waits.iter().all(|wait| matches!(wait, Wait::Again(wait) if *wait <= SHORT.cap)), "{shown}");
    }
}

#[test]
fn faults_that_do_not_pass_end_after_so_many_tries_with_the_last_reason() {
    for (fault, reason) in [
        (Reply::status(502, "bad gateway"), "it answers HTTP 502: bad gateway"),
        (Reply::Silence, "it does not answer in time"),
        (Reply::ok("damaged"), "it says ***"),
    ] {
        let limit = if matches!(fault, Reply::Silence) { A_WHILE } else { SHORT.answer };
        let got = get_within(limit, move |_| fault.clone());
        let Err(Trouble::OutOfTries { n_tries, last }) = got.answer else { panic!("{:?}", got.answer) };
        assert_eq!((n_tries, got.asked.len(), last.as_str()), (4, 4, reason));
    }
}

#[test]
fn what_no_repetition_changes_is_asked_once() {
    let plan = r#"{"status":"NOT_AUTHORIZED","message":"Your plan doesn't include this data timeframe."}"#;
    for (status, said, code) in [
        (401, "Unknown API Key", "bars_denied"),
        (403, "Forbidden", "bars_denied"),
        (403, plan, "history_not_in_plan"),
        (404, "not found", "bars_denied"),
        (400, "bad cursor", "bars_denied"),
        (302, "", "foreign_page"),
    ] {
        let got = get(move |_| Reply::status(status, said));
        let failure = got.answer.unwrap_err().failure("AAPL");
        assert_eq!((failure.code.as_str(), failure.retryable, got.asked.len()), (code, false, 1), "{status} {said}");
        assert!(failure.message.contains(said), "{}", failure.message);
    }
    let hint = get(|_| Reply::status(401, "")).answer.unwrap_err().failure("AAPL").hint;
    assert!(hint.contains("POLYGON_API_KEY"), "{hint}");
    let hint = get(move |_| Reply::status(403, plan)).answer.unwrap_err().failure("AAPL").hint;
    assert!(hint.contains("years") && hint.contains("larger plan"), "{hint}");
}

#[test]
fn a_rate_limit_is_waited_for_as_long_as_the_server_asks() {
    let got = get(|n_before| match n_before {
        0..3 => Reply::Whole(429, "Retry-After: 0\r\n", "slow down".to_owned()),
        3 => Reply::status(429, ""),
        _ => Reply::ok("bars"),
    });
    assert_eq!(got.answer.unwrap(), "bars", "a limit is no failed try: there were more than those");
    assert_eq!(got.waits[..3], [Wait::Limited(Duration::ZERO); 3]);
    assert!(matches!(got.waits[3..], [Wait::Limited(wait)] if wait <= SHORT.cap), "{:?}", got.waits);
}

#[test]
fn a_rate_limit_that_never_ends_is_a_failure_worth_another_try() {
    let got = get(|_| Reply::status(429, "slow down"));
    assert!(matches!(got.answer, Err(Trouble::Limited { .. })), "{:?}", got.answer);
    let waited: Duration =
        got.waits.iter().map(|wait| if let Wait::Limited(wait) = wait { *wait } else { panic!() }).sum();
    assert!(waited <= SHORT.limited && got.asked.len() > 4, "{:?}", got.waits);
    let got = get(|_| Reply::Whole(429, "Retry-After: 3600\r\n", String::new()));
    let failure = got.answer.unwrap_err().failure("AAPL");
    assert!(failure.retryable && failure.message.contains("3600 s"), "{failure}");
    assert_eq!(got.asked.len(), 1);
}

#[test]
fn what_the_server_says_is_quoted_short_on_one_line_and_without_the_key() {
    for status in [400, 401, 403, 404, 500] {
        let body = format!("line\nkey {KEY} {}", "x".repeat(5_000));
        let message = get(move |_| Reply::status(status, &body)).answer.unwrap_err().failure("AAPL").message;
        assert!(message.contains("line key *** xxx") && message.len() < 400, "{message}");
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let got = get(|_| Reply::Whole(200, "", " ".repeat(MOST_BYTES + 1)));
    assert!(matches!(got.answer, Err(Trouble::TooLarge { limit_mib: 64 })), "{:?}", got.answer.map(|body| body.len()));
}

//! Tests of parsing pages: real, damaged and hostile responses.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::polygon::service::tests::service;

const BASE: &str = "https://api.polygon.io";

fn read(body: &[u8]) -> Result<Page, PageError> {
    bars(body, Timeframe::Day1, &Calendar::default(), &service(BASE, &["https://api.massive.com"]))
}

/// Returns the example page of Polygon's documentation, with prices of AAPL.
fn example_page() -> Value {
    json!({
        "ticker": "AAPL", "queryCount": 2, "resultsCount": 2, "adjusted": true, "status": "OK", "request_id": "6a7e466",
        "results": [
            { "v": 70_790_813.0, "vw": 131.6292, "o": 130.465, "c": 130.15, "h": 133.41, "l": 129.89,
              "t": 1_673_240_400_000_i64, "n": 645_365 },
            { "v": 6.389_652_6e7, "vw": 129.822, "o": 130.26, "c": 130.73, "h": 131.2636, "l": 128.12,
              "t": 1_673_326_800_000_i64, "n": 554_940 },
        ],
        "next_url": format!("{BASE}/v2/aggs/ticker/AAPL/range/1/day/1673326800001/2023-02-10?cursor=bGlt%3D&apiKey=k"),
    })
}

fn with(changes: Value) -> String {
    let mut page = example_page();
    page.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    page.to_string()
}

fn damage(body: &str) -> DamagedPageError {
    match read(body.as_bytes()) {
        Err(PageError::Damaged(damage)) => damage,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_is_parsed_with_its_next_page_but_without_the_key() {
    let page = read(example_page().to_string().as_bytes()).unwrap();
    let first = Row { line: 1, time: 1_673_222_400, values: [130.465, 133.41, 129.89, 130.15, 70_790_813.0] };
    let second = Row { line: 2, time: 1_673_308_800, values: [130.26, 131.2636, 128.12, 130.73, 63_896_526.0] };
    assert_eq!(page.rows, [first, second], "midnight UTC of 2023-01-09 and 2023-01-10");
    let next = "/v2/aggs/ticker/AAPL/range/1/day/1673326800001/2023-02-10?cursor=bGlt%3D";
    assert_eq!(page.next.as_deref(), Some(next));
}

#[test]
fn a_span_without_bars_is_a_page_without_rows() {
    for body in [r#"{"status":"OK","resultsCount":0,"queryCount":0}"#, r#"{"status":"DELAYED","results":[]}"#, "{}"] {
        assert_eq!(read(body.as_bytes()).unwrap(), Page { rows: vec![], next: None }, "{body}");
    }
}

#[test]
fn a_damaged_page_is_an_error_with_its_kind_of_damage() {
    let text = example_page().to_string();
    let truncated = &text[..text.len() / 2];
    for body in [truncated, &text.replace("131.2636", "1e999"), "<html>"] {
        assert!(matches!(damage(body), DamagedPageError::Json(_)), "{body}");
    }
    let miscounted = damage(&with(json!({ "resultsCount": 3 })));
    assert!(matches!(miscounted, DamagedPageError::Miscounted { found: 2, stated: 3 }), "{miscounted:?}");
    let status = damage(&with(json!({ "status": "ERROR" })));
    assert!(matches!(&status, DamagedPageError::Status(status) if status == "ERROR"), "{status:?}");
    assert!(matches!(damage(&with(json!({ "adjusted": false }))), DamagedPageError::Unadjusted));
    assert!(matches!(damage(&with(json!({ "next_url": "https://" }))), DamagedPageError::NextUrl));
    let early = damage(&text.replace("1673326800000", "-1"));
    assert!(matches!(early, DamagedPageError::BarTime { bar: 2, ms: -1 }), "{early:?}");
}

#[test]
fn the_message_states_the_damage() {
    for (damage, reason) in [
        (DamagedPageError::Unadjusted, "the bars are not adjusted for splits"),
        (DamagedPageError::Miscounted { found: 2, stated: 3 }, "found 2 bars, expected 3 as stated in `resultsCount`"),
        (
            DamagedPageError::BarTime { bar: 2, ms: -1 },
            "invalid time of bar 2: found -1 ms, expected a time from 1970 to 9999",
        ),
        (DamagedPageError::Status("ERROR".to_owned()), r#"found status "ERROR", expected OK or DELAYED"#),
        (DamagedPageError::NextUrl, "the URL of the next page is invalid"),
    ] {
        assert_eq!(damage.to_string(), reason);
    }
    let json = damage("<html>").to_string();
    assert!(json.starts_with("the response is not valid JSON with the required fields: "), "{json}");
}

#[test]
fn a_next_page_may_have_any_name_of_the_service_but_no_other() {
    for name in ["https://API.polygon.io:443", "https://api.massive.com"] {
        let page = read(with(json!({ "next_url": format!("{name}/v2?cursor=1") })).as_bytes()).unwrap();
        assert_eq!(page.next.as_deref(), Some("/v2?cursor=1"), "{name}");
    }
    match read(with(json!({ "next_url": "https://evil.example/v2?cursor=1" })).as_bytes()) {
        Err(PageError::Final(PolygonError::ForeignPage { found, expected })) => {
            assert_eq!(found, "https://evil.example");
            assert_eq!(expected, "https://api.polygon.io, https://api.massive.com");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn splits_are_parsed_with_their_date() {
    let body =
        r#"{"status":"OK","results":[{"execution_date":"2020-08-31","split_from":1,"split_to":4,"ticker":"AAPL"}]}"#;
    assert_eq!(splits(body.as_bytes()).unwrap(), [Split { execution_date: "2020-08-31".to_owned() }]);
    assert!(splits(br#"{"status":"OK"}"#).is_err(), "a missing list is not an empty list");
}

/// Returns whether the parser's result for a body is acceptable: finite numbers and valid times, or
/// an expected error.
fn is_valid_or_error(body: &[u8]) -> bool {
    match read(body) {
        // The beginning of 1970 in UTC is still 1969 in New York.
        Ok(page) => page.rows.iter().all(|row| row.time >= -86_400 && row.values.iter().all(|value| value.is_finite())),
        Err(PageError::Damaged(_)) => true,
        Err(PageError::Final(error)) => matches!(error, PolygonError::ForeignPage { .. }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_bytes_are_valid_rows_or_an_error(body in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(is_valid_or_error(&body));
        let _ = splits(&body);
    }

    #[test]
    fn any_change_of_a_page_is_valid_rows_or_an_error(
        position in any::<prop::sample::Index>(),
        removed in 0_usize..40,
        inserted in prop::collection::vec(prop::sample::select(b"0123456789-+.eE\"{}[],:ntrufalse \\\x00\xff".to_vec()), 0..12),
    ) {
        let mut body = example_page().to_string().into_bytes();
        let from = position.index(body.len());
        let to = (from + removed).min(body.len());
        body.splice(from..to, inserted);
        prop_assert!(is_valid_or_error(&body));
        let _ = splits(&body);
    }
}

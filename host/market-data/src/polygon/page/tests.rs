//! Tests of reading pages: real answers, damaged ones and hostile ones.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const BASE: &str = "https://api.polygon.io";

fn read(body: &[u8]) -> Result<Page, PageError> {
    bars(body, Timeframe::Day1, &Calendar::default(), &Url::parse(BASE).unwrap())
}

/// The page of Polygon's documentation, with numbers of AAPL.
fn whole() -> Value {
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
    let mut page = whole();
    page.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    page.to_string()
}

fn damage(body: &str) -> Damage {
    match read(body.as_bytes()) {
        Err(PageError::Damaged(damage)) => damage,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_is_read_with_its_next_page_but_without_the_key() {
    let page = read(whole().to_string().as_bytes()).unwrap();
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
fn a_damaged_page_is_an_error_of_its_kind() {
    let text = whole().to_string();
    let truncated = &text[..text.len() / 2];
    for body in [truncated, &text.replace("131.2636", "1e999"), "<html>"] {
        assert!(matches!(damage(body), Damage::Json(_)), "{body}");
    }
    let miscounted = damage(&with(json!({ "resultsCount": 3 })));
    assert!(matches!(miscounted, Damage::Miscounted { found: 2, stated: 3 }), "{miscounted:?}");
    let status = damage(&with(json!({ "status": "ERROR" })));
    assert!(matches!(&status, Damage::Status(status) if status == "ERROR"), "{status:?}");
    assert!(matches!(damage(&with(json!({ "adjusted": false }))), Damage::Unadjusted));
    assert!(matches!(damage(&with(json!({ "next_url": "https://" }))), Damage::NextUrl));
    let early = damage(&text.replace("1673326800000", "-1"));
    assert!(matches!(early, Damage::BarTime { bar: 2, ms: -1 }), "{early:?}");
}

#[test]
fn the_reason_states_what_is_damaged() {
    for (damage, reason) in [
        (Damage::Unadjusted, "its bars are not adjusted for splits"),
        (Damage::Miscounted { found: 2, stated: 3 }, "it has 2 bars and says 3"),
        (Damage::BarTime { bar: 2, ms: -1 }, "its bar 2 is at -1 ms"),
        (Damage::Status("ERROR".to_owned()), r#"its status is "ERROR""#),
        (Damage::NextUrl, "its next page has no address"),
    ] {
        assert_eq!(damage.to_string(), reason);
    }
    let json = damage("<html>").to_string();
    assert!(json.starts_with("it is no JSON of that kind: "), "{json}");
}

#[test]
fn a_next_page_of_another_scheme_host_or_port_is_refused() {
    let foreign = |next: &str| match read(with(json!({ "next_url": next })).as_bytes()) {
        Err(PageError::Final(PolygonError::ForeignPage { found, needed })) => (found, needed),
        other => panic!("{next}: {other:?}"),
    };
    for (next, found) in [
        ("https://evil.example/v2?cursor=1", "https://evil.example"),
        ("http://api.polygon.io/v2?cursor=1", "http://api.polygon.io"),
        ("https://api.polygon.io:8443/v2", "https://api.polygon.io:8443"),
        ("https://api.polygon.io@evil.example/v2", "https://evil.example"),
        ("//evil.example/v2", "https://evil.example"),
        ("file:///etc/passwd", "null"),
    ] {
        assert_eq!(foreign(next), (found.to_owned(), BASE.to_owned()), "{next}");
    }
    let same = read(with(json!({ "next_url": "https://API.polygon.io:443/v2?cursor=1" })).as_bytes()).unwrap();
    assert_eq!(same.next.as_deref(), Some("/v2?cursor=1"));
}

#[test]
fn splits_are_read_by_their_date() {
    let body =
        r#"{"status":"OK","results":[{"execution_date":"2020-08-31","split_from":1,"split_to":4,"ticker":"AAPL"}]}"#;
    assert_eq!(splits(body.as_bytes()).unwrap(), [Split { execution_date: "2020-08-31".to_owned() }]);
    assert!(splits(br#"{"status":"OK"}"#).is_err(), "a missing list is not an empty list");
}

/// Returns whether the answer is an error of a known kind, or numbers that can be bars.
fn is_sound(body: &[u8]) -> bool {
    match read(body) {
        // The first moment of 1970 is still the day before in New York.
        Ok(page) => page.rows.iter().all(|row| row.time >= -86_400 && row.values.iter().all(|value| value.is_finite())),
        Err(PageError::Damaged(_)) => true,
        Err(PageError::Final(error)) => matches!(error, PolygonError::ForeignPage { .. }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_bytes_are_sound_rows_or_a_reason(body in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(is_sound(&body));
        let _ = splits(&body);
    }

    #[test]
    fn any_change_of_a_page_is_sound_rows_or_a_reason(
        position in any::<prop::sample::Index>(),
        removed in 0_usize..40,
        put in prop::collection::vec(prop::sample::select(b"0123456789-+.eE\"{}[],:ntrufalse \\\x00\xff".to_vec()), 0..12),
    ) {
        let mut body = whole().to_string().into_bytes();
        let from = position.index(body.len());
        let to = (from + removed).min(body.len());
        body.splice(from..to, put);
        prop_assert!(is_sound(&body));
        let _ = splits(&body);
    }
}

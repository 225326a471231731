//! Tests of the messages about texts that are not JSON.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Returns the message and the hint about a text.
fn error(text: &str) -> (String, &'static str) {
    let error = parse(text).unwrap_err();
    (error.to_string(), error.hint())
}

#[test]
fn an_error_names_the_field_the_position_and_the_cause() {
    for (text, expected) in [
        ("{\n \"a\": {\"b\": [1, NaN]}}", "a.b[1]: found `NaN` in line 2, column 17, expected a finite number"),
        (r#"{"a": -Infinity}"#, "a: found `-Infinity` in line 1, column 7, expected a finite number"),
        (r#"{"a": 1e999}"#, "a: found `1e999` in line 1, column 7, expected a finite number"),
        (r#"{"ä": True}"#, "ä: found `True` in line 1, column 7, expected `true` or `false`"),
        (r#"{"a": None}"#, "a: found `None` in line 1, column 7, expected `null`"),
        (r#"{"a": high}"#, "a: found `high` in line 1, column 7, expected a value"),
        (r#"{"a": .5}"#, "a: found `.5` in line 1, column 7, expected a number"),
        (r#"{"a": 1_000}"#, "a: found `1_000` in line 1, column 7, expected a number"),
        (r#"{"a": [1, 2,]}"#, "a: found a comma before `]` in line 1, column 12, expected no comma there"),
        (r#"{"a": 1,}"#, "found a comma before `}` in line 1, column 8, expected no comma there"),
        (r#"{"a": 1 "b": 2}"#, "found `\"` in line 1, column 9, expected `,` or `}`"),
        (r#"{"a": {"b": , "c": 1}}"#, "a.b: found `,` in line 1, column 13, expected a value"),
        (r#"{"a" 1}"#, "a: found `1` in line 1, column 6, expected `:` after the name of the field"),
        (r#"{a: 1}"#, "found `a` in line 1, column 2, expected the name of a field in double quotes"),
        ("{'a': 1}", "found a single quote (') in line 1, column 2, expected the name of a field in double quotes"),
        (r#"{"a": “b”}"#, "a: found a typographic quote (“) in line 1, column 7, expected a value"),
        ("{\"a\": 1 // one\n}", "found a comment in line 1, column 9, expected JSON without comments"),
        ("{\"a\": \"b\nc\"}", "a: found a line break in a text in line 1, column 9, expected `\"` or `\\n`"),
        (r#"{"a": "\d"}"#, "a: found `\\d` in line 1, column 8, expected an escape such as `\\n`"),
        (r#"{"a": {"b": 1"#, "a: found the end of the text in line 1, column 14, expected `,` or `}`"),
        (r#"{"a": "b"#, "a: found the end of the text in line 1, column 9, expected `\"` at the end of a text"),
        ("", "found an empty text in line 1, column 1, expected one JSON object"),
        ("{} {}", "found `{` in line 1, column 4, expected the end of the text"),
        ("\u{feff}{}", "found the invisible character U+FEFF in line 1, column 1, expected JSON"),
    ] {
        assert_eq!(error(text).0, expected, "{text}");
    }
}

#[test]
fn a_code_fence_is_recognised_before_and_after_the_object() {
    for (text, found) in [
        ("```json\n{}\n```", "found a Markdown code fence (```) in line 1"),
        ("{\"a\": 1}\n```\n", "found a Markdown code fence (```) in line 2"),
        ("Here is the job:\n```json\n{}\n```", "found `Here` in line 1"),
    ] {
        let (message, hint) = error(text);
        assert!(message.starts_with(found) && hint.contains("code fence"), "{message}: {hint}");
    }
}

#[test]
fn json_that_is_not_an_object_is_described_as_such() {
    for (text, found) in [("[1]", "a list"), ("\"a\"", "a text"), ("5", "`5`"), ("{}", "JSON that cannot be read")] {
        assert!(describe(text).to_string().starts_with(&format!("found {found} in line 1")), "{text}");
    }
}

#[test]
fn lone_surrogates_become_the_replacement_character_and_pairs_stay() {
    for (text, expected) in [
        (r#""dip \ud83d""#, "dip \u{fffd}"),
        (r#""\ude80 \ud83d\ude80 \uD83D\uD83D\uDE80""#, "\u{fffd} \u{1f680} \u{fffd}\u{1f680}"),
        (r#""\\ud83d \\\ud83d""#, "\\ud83d \\\u{fffd}"),
        (r#""\ud83dx""#, "\u{fffd}x"),
    ] {
        assert_eq!(parse(text).unwrap(), json!(expected), "{text}");
    }
    assert!(matches!(replace_lone_surrogates(r#""\ud83d\ude80 \u00e9""#), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn the_deepest_text_that_can_be_read_has_no_error_and_one_level_more_has() {
    let nested = |depth: usize| format!("{{\"a\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(126)).is_ok());
    assert!(error(&nested(127)).0.contains("found too many nested objects and lists"));
    assert!(error(&nested(100_000)).0.contains("found too many nested objects and lists"));
}

proptest! {
    #[test]
    fn a_text_has_an_error_exactly_if_it_cannot_be_read(text in r#"(\{|\}|\[|\]|"|:|,| |\n|a|\\|u|d83d|0|1|-|\.|e5|true|NaN|'|/){0,24}"#) {
        let text = format!("{{\"a\":{text}}}");
        let is_explained = !describe(&text).to_string().contains("cannot be read");
        prop_assert_eq!(parse(&text).is_err(), is_explained, "{}", text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = parse(&text);
        let _ = describe(&text);
    }
}

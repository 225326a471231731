//! Tests of the findings in bars, and of repaired and refused bars.

use proptest::prelude::*;

use super::*;
use crate::date::days_since_epoch;

/// Returns one row per weekday from Monday 2024-01-01 on. Consecutive rows have different prices.
fn weekdays(n_rows: usize) -> Vec<Row> {
    let monday = days_since_epoch("2024-01-01".parse().unwrap()) as usize;
    let row = |idx: usize| {
        let close = 100.0 + (idx % 11) as f64;
        let time = (monday + idx / 5 * 7 + idx % 5) as i64 * 86_400;
        Row { line: idx + 2, time, values: [close - 0.5, close + 1.0, close - 1.0, close, 1000.0 + idx as f64] }
    };
    (0..n_rows).map(row).collect()
}

fn inspected(rows: Vec<Row>) -> Inspection {
    inspect(FoundRows { origin: "A.csv".to_owned(), unit: RowUnit::Line, rows }, "A", Timeframe::Day1)
}

fn found(rows: Vec<Row>) -> Vec<(&'static str, usize)> {
    inspected(rows).findings.iter().map(|finding| (finding.kind.code().as_str(), finding.count)).collect()
}

/// Changes valid rows, and returns the codes and counts of the findings.
fn found_after(change: impl FnOnce(&mut Vec<Row>)) -> Vec<(&'static str, usize)> {
    let mut rows = weekdays(100);
    change(&mut rows);
    found(rows)
}

#[test]
fn valid_rows_have_no_findings() {
    assert_eq!(found(weekdays(100)), []);
    assert_eq!(found(Vec::new()), []);
}

#[test]
fn each_kind_is_detected_and_counted() {
    assert_eq!(found_after(|rows| rows.swap(3, 4)), [("unsorted_rows", 1)]);
    assert_eq!(found_after(|rows| rows.insert(8, rows[7])), [("duplicate_rows", 1)]);
    let conflict = |rows: &mut Vec<Row>| {
        rows.insert(8, rows[7]);
        rows[8].values[4] += 1.0;
    };
    assert_eq!(found_after(conflict), [("conflicting_rows", 1)]);
    assert_eq!(found_after(|rows| rows[5].values[2] = -1.0), [("price_out_of_range", 1)]);
    assert_eq!(found_after(|rows| rows[5].values[4] = 1e19), [("volume_out_of_range", 1)]);
    assert_eq!(found_after(|rows| rows[5].values[1] = rows[5].values[3] - 0.1), [("inconsistent_bar", 1)]);
    let rounded = |rows: &mut Vec<Row>| rows[5].values[1] = rows[5].values[3] * (1.0 - 1e-6);
    assert_eq!(found_after(rounded), [("high_low_rounded", 1)]);
    assert_eq!(found_after(|rows| rows[5].values[4] = 0.0), [("zero_volume", 1)]);
    let stale = |rows: &mut Vec<Row>| (5..10).for_each(|idx| rows[idx].values = rows[5].values);
    assert_eq!(found_after(stale), [("stale_prices", 1)]);
    let four = |rows: &mut Vec<Row>| (5..9).for_each(|idx| rows[idx].values = rows[5].values);
    assert_eq!(found_after(four), []);
    assert_eq!(found_after(|rows| drop(rows.drain(10..12))), [], "two weekdays may be holidays");
    assert_eq!(found_after(|rows| drop(rows.drain(10..13))), [("long_gaps", 1)]);
    let weekly =
        |rows: &mut Vec<Row>| rows.iter_mut().enumerate().for_each(|(idx, row)| row.time = idx as i64 * 7 * 86_400);
    assert_eq!(found_after(weekly)[0], ("wrong_spacing", 1));
    let jump = |rows: &mut Vec<Row>| {
        rows[50..].iter_mut().for_each(|row| row.values[..4].iter_mut().for_each(|price| *price *= 2.6))
    };
    assert_eq!(found_after(jump), [("extreme_jump", 1)]);
    let open = |rows: &mut Vec<Row>| {
        rows[50].values[0] *= 2.6;
        rows[50].values[1] = rows[50].values[0];
    };
    assert_eq!(found_after(open), [("open_spike", 1)]);
    assert_eq!(found_after(|rows| rows[50].values[1] *= 7.0), [("high_spike", 1)]);
    assert_eq!(found_after(|rows| rows[50].values[2] /= 100.0), [("low_spike", 1)]);
    assert_eq!(found_after(|rows| rows[50].values[4] *= 10_000.0), [("volume_spike", 1)]);
}

#[test]
fn a_split_is_suspected_if_prices_stay_at_its_ratio_and_volume_changes_inversely() {
    let split = |price_by: f64, volume_by: f64| {
        found_after(move |rows| {
            for row in &mut rows[50..] {
                row.values[..4].iter_mut().for_each(|price| *price *= price_by);
                row.values[4] *= volume_by;
            }
        })
    };
    for shares in [2.0, 3.0, 1.5, 7.0, 20.0, 0.5, 0.1] {
        assert_eq!(split(1.0 / shares, shares), [("suspected_split", 1)], "{shares} for one");
    }
    assert_eq!(split(1.0 / 3.0, 1.0), [("extreme_jump", 1)], "a fall is not a split");
    let back_again = found_after(|rows| {
        rows[50].values[..4].iter_mut().for_each(|price| *price /= 2.0);
        rows[50].values[4] *= 2.0;
    });
    assert!(!back_again.contains(&("suspected_split", 1)), "{back_again:?}");
}

#[test]
fn a_split_is_reported_with_its_ratio_and_date() {
    let mut rows = weekdays(100);
    for row in &mut rows[50..] {
        row.values[..4].iter_mut().for_each(|price| *price /= 3.0);
        row.values[4] *= 3.0;
    }
    let inspection = inspected(rows);
    let message = inspection.warnings().remove(0).message;
    assert!(
        message.starts_with("A: suspected splits in unadjusted prices: 1, first 2024-03-11 (line 52): 3 for 1"),
        "{message}"
    );
    let place = &inspection.findings[0].places[0];
    assert_eq!((place.row, place.when.as_str()), (52, "2024-03-11"));
}

#[test]
fn short_sessions_of_intraday_bars_are_noted() {
    let mut rows = Vec::new();
    for session in 0..10 {
        for bar in 0..if session == 4 { 3 } else { 7 } {
            let close = 50.0 + f64::from(bar);
            let time = i64::from(19_723 + session) * 86_400 + i64::from(14 + bar) * 3600;
            rows.push(Row { line: rows.len() + 1, time, values: [close, close, close, close, 5.0] });
        }
    }
    let inspection =
        inspect(FoundRows { origin: "A.parquet".to_owned(), unit: RowUnit::Row, rows }, "A", Timeframe::Hour1);
    let short = &inspection.findings[0];
    assert_eq!((short.kind, short.count), (FindingKind::ShortSessions, 1), "{:?}", inspection.findings);
    assert_eq!((short.places[0].row, short.places[0].when.as_str()), (29, "2024-01-05T14:00:00Z"));
    assert_eq!(short.places[0].detail, "3 bars instead of the usual 7");
}

#[test]
fn a_refusal_names_the_earliest_invalid_bar_and_the_number_of_others() {
    let mut rows = weekdays(100);
    rows[9].values[4] = -5.0;
    rows[4].values[1] = 1.0;
    rows[60].values[0] = 0.0;
    let inspection = inspected(rows.clone());
    assert_eq!(inspection.findings.iter().map(|finding| finding.count).sum::<usize>(), 3);
    let refusal = inspection.refusal().unwrap();
    assert_eq!(refusal.code, ErrorCode::BadBars);
    assert_eq!(
        refusal.message,
        "A.csv line 6 (2024-01-05): high is 1, expected at least 104; and 2 more, `oculus-host bars check` lists all"
    );
    rows.retain(|row| row.line != 11 && row.line != 62);
    let inspection = inspected(rows);
    assert_eq!(inspection.refusal().unwrap().message, inspection.message(&inspection.findings[0]));
}

#[test]
fn rows_that_are_all_invalid_are_counted_with_their_reason() {
    let mut rows = weekdays(30);
    rows.iter_mut().for_each(|row| row.values[4] = -1.0);
    let inspection = inspected(rows);
    assert_eq!((inspection.n_rows, inspection.bars.len()), (30, 0));
    let refusal = inspection.refusal().unwrap();
    assert_eq!(
        refusal.message,
        "all 30 rows of A.csv are invalid, the first: A.csv line 2 (2024-01-01): volume is -1, expected 0 to 1e18, or 0 \
         if -1 stands for an unknown volume"
    );
    assert!(refusal.hint.contains("write 0"), "{}", refusal.hint);
}

#[test]
fn a_spike_is_a_warning_with_the_symbol_the_date_and_both_values() {
    let mut rows = weekdays(100);
    rows[50].values[1] = 700.0;
    let warnings = inspected(rows).warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let message = &warnings[0].message;
    assert!(
        message.starts_with("A: highs far above the other prices: 1, first 2024-03-11 (line 52): high is 700"),
        "{message}"
    );
    assert!(message.contains("expected at most 141."), "{message}");
}

#[test]
fn kinds_are_ordered_by_severity_and_have_unique_documented_codes() {
    let severities: Vec<Severity> = FindingKind::ALL.iter().map(|kind| kind.severity()).collect();
    assert!(severities.is_sorted() && FindingKind::ALL.is_sorted());
    let codes: std::collections::BTreeSet<_> = FindingKind::ALL.iter().map(|kind| kind.code()).collect();
    assert_eq!(codes.len(), FindingKind::ALL.len());
    let page = include_str!("../../../../../docs/bars.md");
    for code in codes {
        assert!(page.contains(&format!("| `{code}` |")), "docs/bars.md lacks {code}");
    }
}

#[test]
fn the_missing_days_of_a_gap_are_its_weekdays() {
    let all: std::collections::BTreeSet<i32> = (0..1000).filter(|day| (day + 3) % 7 < 5).collect();
    let own: Vec<i32> = all.iter().copied().filter(|day| !(200..=206).contains(day)).collect();
    assert_eq!(missing_days(&own, &all).len(), 5);
}

fn n_numbers(text: &str) -> usize {
    text.split(' ').filter(|word| word.bytes().any(|byte| byte.is_ascii_digit())).count()
}

/// Generates rows with a few invalid values. In half of the cases, each invalid row is accompanied
/// by a valid row with the same time.
fn invalid_rows() -> impl Strategy<Value = Vec<Row>> {
    let value = prop_oneof![Just(-1.0), Just(0.0), Just(1e15), Just(f64::MAX), Just(60.0), Just(200.0)];
    (prop::collection::vec((0..60_usize, 0..5_usize, value), 1..6), any::<bool>()).prop_map(|(changes, is_doubled)| {
        let mut rows = weekdays(60);
        for (row, column, value) in changes {
            rows[row].values[column] = value;
            if is_doubled {
                rows.push(weekdays(60)[row]);
            }
        }
        rows
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_refused_finding_states_the_place_the_values_and_a_hint(rows in invalid_rows()) {
        let inspection = inspected(rows);
        let refused = inspection.findings.iter().filter(|finding| finding.kind.severity() == Severity::Refused);
        for finding in refused.clone() {
            prop_assert!((1..=3).contains(&finding.places.len()) && finding.count >= finding.places.len());
            let message = inspection.message(finding);
            // The detail states the value found and the value expected, or the two rows that
            // differ.
            let detail = &finding.places[0].detail;
            prop_assert!(n_numbers(detail) >= 2 && message.contains(detail), "{}", message);
            prop_assert!(!finding.kind.hint().is_empty());
        }
        prop_assert_eq!(inspection.refusal().is_some(), refused.count() > 0);
        let Bars { time, open, high, low, close, .. } = &inspection.bars;
        prop_assert!(time.windows(2).all(|pair| pair[0] < pair[1]));
        for bar in 0..time.len() {
            prop_assert!(low[bar] > 0.0 && low[bar] <= open[bar].min(close[bar]) && high[bar] >= open[bar].max(close[bar]));
        }
    }
}

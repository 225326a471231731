//! Tests that features equal the golden values of TA-Lib, or of plain loops for features that
//! TA-Lib does not have, and that every spelling has the values of the library that it comes from.

use super::*;

const TOLERANCE: f64 = 1e-9;

/// Parses golden bars and the golden values of each feature, which `tests/golden/features.py`
/// generates.
fn golden(text: &str) -> (Bars, BTreeMap<String, Vec<f64>>) {
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<Vec<f64>> =
        lines.map(|row| row.iter().map(|field| field.parse().unwrap_or(f64::NAN)).collect()).collect();
    let bars = bars_of(&rows.iter().map(|row| row[..5].try_into().unwrap()).collect::<Vec<_>>());
    let column = |idx: usize| rows.iter().map(|row| row[idx]).collect();
    (bars, (5..header.len()).map(|idx| (header[idx].to_owned(), column(idx))).collect())
}

fn assert_equals_golden(text: &str) {
    let (bars, outputs) = golden(text);
    assert_eq!(outputs.len(), 137);
    for (name, expected) in outputs {
        let feature = resolve(&name).unwrap();
        assert_eq!(feature.name(), name);
        let found = values(&feature, &bars);
        assert_eq!(found.len(), expected.len());
        for (bar, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let close = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(close || found.is_nan() && expected.is_nan(), "{name} at bar {bar}: {found}, expected {expected}");
        }
    }
}

#[test]
fn features_equal_talib_and_plain_loops_on_a_random_walk() {
    assert_equals_golden(include_str!("../../../tests/golden/talib/walk.csv"));
}

#[test]
fn features_equal_talib_and_plain_loops_on_tied_prices() {
    assert_equals_golden(include_str!("../../../tests/golden/talib/ties.csv"));
}

#[test]
fn features_equal_talib_and_plain_loops_on_constant_prices() {
    assert_equals_golden(include_str!("../../../tests/golden/talib/flat.csv"));
}

#[test]
fn features_equal_talib_and_plain_loops_on_real_bars() {
    assert_equals_golden(include_str!("../../../tests/golden/talib/aapl.csv"));
}

#[test]
fn spellings_of_other_libraries_have_the_values_of_these_libraries() {
    let (bars, outputs) = golden(include_str!("../../../tests/golden/aliases.csv"));
    assert_eq!(outputs.len(), 67);
    let mut wrong = Vec::new();
    for (spelling, expected) in outputs {
        let feature = resolve(&spelling).unwrap();
        let found = values(&feature, &bars);
        let compared = found.iter().zip(&expected).filter(|(_, expected)| expected.is_finite());
        assert_eq!(compared.clone().count(), 40, "{spelling}");
        // The libraries start their averages at different bars. The difference decays.
        let is_close = |(found, expected): &(&f64, &f64)| (*found - *expected).abs() <= 1e-6 * expected.abs().max(1.0);
        if let Some((found, expected)) = compared.clone().find(|pair| !is_close(pair)) {
            wrong.push(format!("{spelling}, read as {}: {found}, expected {expected}", feature.name()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

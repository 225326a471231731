//! Tests of properties that every feature has.

use oculus_plugin_api::FeatureRole;
use proptest::prelude::*;

use super::*;

const TOLERANCE: f64 = 1e-9;

#[test]
fn model_features_after_the_warm_up_do_not_depend_on_500_earlier_bars() {
    let text = include_str!("../../../../../examples/bars/AAPL.csv");
    let fields = |line: &str| line.split(',').skip(1).map(|field| field.parse().unwrap()).collect::<Vec<f64>>();
    let rows: Vec<[f64; 5]> = text.lines().skip(1).map(|line| fields(line).try_into().unwrap()).collect();
    let early = bars_of(&rows);
    let late = early.within(early.time[500]..=i64::MAX);
    for feature in catalogue::default_features().filter(|feature| feature.role() == FeatureRole::Model) {
        let early = values(&feature, &early);
        for (before, after) in early[820..].iter().zip(&values(&feature, &late)[320..]) {
            assert!((before - after).abs() < 1e-5 * before.abs().max(1.0), "{}: {before}, {after}", feature.name());
        }
    }
}

/// Generates valid bars: a walk whose steps are often 0, with a flat stretch and bars without
/// volume.
fn arbitrary_rows() -> impl Strategy<Value = Vec<[f64; 5]>> {
    let step = (-3i32..=3, 0u32..3, 0u32..3, prop_oneof![Just(0.0), 1.0..1e6]);
    let steps = prop::collection::vec(step, 120..160);
    (steps, 0usize..100, 0usize..60).prop_map(|(steps, flat_from, n_flat)| {
        let mut close = 100.0;
        let bar = |(idx, (step, up, down, volume)): (usize, (i32, u32, u32, f64))| {
            if (flat_from..flat_from + n_flat).contains(&idx) {
                return [close, close, close, close, 0.0];
            }
            let open = close;
            close = f64::max(close + f64::from(step) * 0.37, 1.0);
            let high = open.max(close) + f64::from(up) * 0.21;
            let low = open.min(close) - f64::from(down) * 0.1;
            [open, high, low, close, volume]
        };
        steps.into_iter().enumerate().map(bar).collect()
    })
}

/// Generates the size of a unit, as of a currency or of a contract.
fn units() -> impl Strategy<Value = f64> {
    prop_oneof![Just(1e-9), Just(1e-3), Just(1.0), Just(1e6)]
}

/// Returns the factor by which a feature changes if the units of prices and volumes change. A
/// feature whose unit is none of these does not change.
fn factor(unit: &str, price: f64, volume: f64) -> f64 {
    match unit {
        "price" => price,
        "shares" => volume,
        "money" => price * volume,
        _ => 1.0,
    }
}

/// Returns the size of the levels from which a feature is computed.
fn size(unit: &str, bars: &Bars) -> f64 {
    let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    let volume: f64 = bars.volume.iter().sum();
    factor(unit, largest(&bars.high), volume.max(1.0))
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn later_bars_do_not_change_earlier_values(rows in arbitrary_rows(), cut in 0usize..120, factor in 0.1f64..10.0) {
        let bars = bars_of(&rows);
        let mut mutated = rows.clone();
        let mut blanked = rows.clone();
        for row in cut + 1..rows.len() {
            mutated[row] = rows[row].map(|value| value * factor);
            blanked[row] = [f64::NAN; 5];
        }
        let prefix = bars_of(&rows[..=cut]);
        for feature in all_features() {
            let expected = bits(&values(&feature, &bars)[..=cut]);
            for other in [&prefix, &bars_of(&mutated), &bars_of(&blanked)] {
                let found = bits(&values(&feature, other)[..=cut]);
                prop_assert!(found == expected, "{} at or before bar {cut}", feature.name());
            }
        }
    }

    #[test]
    fn values_are_nan_during_the_warm_up_and_finite_afterwards(rows in arbitrary_rows()) {
        let bars = bars_of(&rows);
        for feature in all_features() {
            let found = values(&feature, &bars);
            prop_assert_eq!(found.len(), bars.len());
            let (before, after) = found.split_at(feature.warm_up_bars().min(found.len()));
            prop_assert!(before.iter().all(|value| value.is_nan()), "{}", feature.name());
            prop_assert!(after.iter().all(|value| value.is_finite()), "{}", feature.name());
        }
    }

    #[test]
    fn units_of_prices_and_volumes_only_scale_values(rows in arbitrary_rows(), price in units(), volume in units()) {
        let bars = bars_of(&rows);
        let in_units: Vec<[f64; 5]> =
            rows.iter().map(|&[o, h, l, c, v]| [o * price, h * price, l * price, c * price, v * volume]).collect();
        let in_units = bars_of(&in_units);
        for feature in all_features() {
            let factor = factor(feature.kind.unit, price, volume);
            let before = values(&feature, &bars);
            // A difference of large levels is rounded like the levels themselves.
            let size = size(feature.kind.unit, &bars);
            for (bar, (before, after)) in before.iter().zip(values(&feature, &in_units)).enumerate() {
                let equal = (before * factor - after).abs() <= TOLERANCE * factor * before.abs().max(size);
                prop_assert!(equal || before.is_nan(), "{} at bar {bar}: {before} became {after}", feature.name());
            }
        }
    }

    #[test]
    fn a_share_split_does_not_change_model_features(rows in arbitrary_rows(), k in 0.01f64..100.0) {
        let bars = bars_of(&rows);
        let split: Vec<[f64; 5]> = rows.iter().map(|&[o, h, l, c, v]| [o * k, h * k, l * k, c * k, v / k]).collect();
        let split = bars_of(&split);
        for feature in all_features().into_iter().filter(|feature| feature.role() == FeatureRole::Model) {
            let before = values(&feature, &bars);
            for (bar, (before, after)) in before.iter().zip(values(&feature, &split)).enumerate() {
                let equal = (before - after).abs() <= TOLERANCE * before.abs().max(1.0);
                prop_assert!(equal || before.is_nan(), "{} at bar {bar}: {before} became {after}", feature.name());
            }
        }
    }
}

//! Claims about features.
#![allow(clippy::unwrap_used)]

use oculus_plugin_api::FeatureRole;
use proptest::prelude::*;

use super::*;
use crate::{
    job::request::Timeframe,
    pipeline::{bars::Bars, splits::Span},
};

const TOLERANCE: f64 = 1e-9;

/// Every kind with its defaults, and the default set.
fn all_features() -> Vec<Feature> {
    let kinds = catalogue::kinds().map(|kind| Feature { kind, params: kind.defaults.to_vec(), benchmark: None });
    catalogue::default_features().chain(kinds).collect()
}

fn bars_of(rows: &[[f64; 5]]) -> Bars {
    let column = |idx: usize| rows.iter().map(|row| row[idx]).collect();
    Bars {
        symbol: "TEST".to_owned(),
        time: (0..rows.len() as i64).map(|day| day * 86_400).collect(),
        open: column(0),
        high: column(1),
        low: column(2),
        close: column(3),
        volume: column(4),
    }
}

/// Golden bars and, by feature, TA-Lib's values; made by `tests/golden/features.py`.
fn golden(text: &str) -> (Bars, BTreeMap<String, Vec<f64>>) {
    let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let rows: Vec<Vec<f64>> =
        lines.map(|row| row.iter().map(|field| field.parse().unwrap_or(f64::NAN)).collect()).collect();
    let bars = bars_of(&rows.iter().map(|row| row[..5].try_into().unwrap()).collect::<Vec<_>>());
    let column = |idx: usize| rows.iter().map(|row| row[idx]).collect();
    (bars, (5..header.len()).map(|idx| (header[idx].to_owned(), column(idx))).collect())
}

fn assert_equals_talib(text: &str) {
    let (bars, outputs) = golden(text);
    assert!(outputs.len() >= 20);
    for (name, expected) in outputs {
        let feature = resolve(&name).unwrap();
        assert_eq!(feature.name(), name);
        let found = feature.compute(&Prices::of(&bars, &[], &[]));
        assert_eq!(found.len(), expected.len());
        for (bar, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let close = (found - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
            assert!(
                close || found.is_nan() && expected.is_nan(),
                "{name} at bar {bar}: {found}, TA-Lib has {expected}"
            );
        }
    }
}

#[test]
fn features_equal_talib_on_a_random_walk() {
    assert_equals_talib(include_str!("../../../tests/golden/talib/walk.csv"));
}

#[test]
fn features_equal_talib_where_prices_tie() {
    assert_equals_talib(include_str!("../../../tests/golden/talib/ties.csv"));
}

#[test]
fn features_equal_talib_where_nothing_moves() {
    assert_equals_talib(include_str!("../../../tests/golden/talib/flat.csv"));
}

#[test]
fn features_equal_talib_on_real_bars() {
    assert_equals_talib(include_str!("../../../tests/golden/talib/aapl.csv"));
}

#[test]
fn names_resolve_in_every_common_spelling() {
    for (asked, canonical) in [
        ("RSI_14", "RSI_14"),
        ("rsi", "RSI_14"),
        ("RSI9", "RSI_9"),
        ("ADX", "ADX_14"),
        ("MACD_HIST", "MACD_HIST"),
        ("MACDh_12_26_9", "MACD_HIST"),
        ("MACD_HIST_5_35_5", "MACD_HIST_5_35_5"),
        ("EMA_CROSS_5_30", "EMA_CROSS_5_30"),
        ("BBP_20", "BB_PCT_B_20"),
        ("BBU_20_2.0", "BB_UPPER_20"),
        ("BB_WIDTH_20_3", "BB_WIDTH_20_3"),
        ("CCI_14_0.015", "CCI_14"),
        ("STOCHk_14_3_3", "STOCH_K"),
        ("roc", "RET_10"),
        ("ROC_5", "RET_5"),
        ("DMP_14", "PLUS_DI_14"),
        ("volume ratio-20", "VOLUME_RATIO_20"),
        ("CLOSE", "CLOSE"),
    ] {
        assert_eq!(resolve(asked).unwrap().name(), canonical, "{asked}");
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_one() {
    for (asked, nearest) in [
        ("RSII_14", Some("RSI_14")),
        ("EMA_CROS_5_30", Some("EMA_CROSS_5_30")),
        ("RSI_0", Some("RSI_14")),
        ("RSI_14_3", Some("RSI_14")),
        ("SMA_99999999999999999999", Some("SMA_20")),
        ("ZZZZ", None),
    ] {
        assert_eq!(resolve(asked).unwrap_err().nearest.as_deref(), nearest, "{asked}");
    }
}

#[test]
fn every_feature_resolves_by_its_own_name_and_every_level_has_its_scale_free_form() {
    for feature in all_features() {
        assert_eq!(resolve(&feature.name()).unwrap(), feature);
        if let Some(free) = feature.scale_free() {
            assert_eq!((feature.role(), free.role()), (FeatureRole::Rule, FeatureRole::Model), "{}", feature.name());
        }
    }
}

fn job(priority: &[&str]) -> Job {
    let json = serde_json::json!({"build_id": "b", "symbols": ["A"], "design": {
        "priority_features": priority,
        "entry_rules": [{"feature": "EMA_9", "operator": ">", "threshold": 0}],
    }});
    Job::parse(&json.to_string()).unwrap()
}

fn market(series: Vec<Bars>, warm_up_bars: usize) -> Market {
    Market {
        bars: series,
        benchmarks: Vec::new(),
        timeframe: Timeframe::Day1,
        span: Span::default(),
        warm_up_bars,
        warnings: Vec::new(),
        sha256: String::new(),
    }
}

#[test]
fn asked_features_are_in_the_table_and_the_others_in_the_report() {
    let rows = vec![[10.0, 11.0, 9.0, 10.5, 1000.0]; 400];
    let market = market(vec![bars_of(&rows), bars_of(&rows[..300])], 320);
    let (table, report) = build(&market, &job(&["RSI_9", "adx", "SMA_390", "MAGIC_7", "MAGIC_7"]), 1).unwrap();
    assert_eq!(report.canonical["adx"], "ADX_14");
    assert_eq!(report.unresolved.len(), 1);
    let codes: Vec<String> = report.warnings().into_iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["unresolved_feature", "feature_left_out", "feature_left_out"]);
    let left_out = LeftOut { name: "SMA_390".to_owned(), lack: Lack::WarmUp { needs_bars: 389, has_bars: 320 } };
    assert!(report.left_out.contains(&left_out), "{:?}", report.left_out);
    for name in ["RSI_9", "EMA_9", "PRICE_TO_EMA_9", "NATR_14", "HV_20", "MACD_HIST", "PPO_HIST"] {
        assert!(table.by_name(name).is_some(), "{name}");
    }
    assert_eq!(report.warm_up_bars, 199);
    assert_eq!(table.n_rows(), (400 - 199) + (300 - 199));
    assert_eq!((table.bar[0], table.symbol[201], table.bar[201]), (199, 1, 199));
    assert_eq!(table.values.len(), table.names.len() * table.n_rows());
    let mut names = table.names.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), table.names.len());
}

#[test]
fn a_start_500_bars_earlier_changes_nothing_that_models_see_after_the_warm_up() {
    let text = include_str!("../../../../examples/bars/AAPL.csv");
    let fields = |line: &str| line.split(',').skip(1).map(|field| field.parse().unwrap()).collect::<Vec<f64>>();
    let rows: Vec<[f64; 5]> = text.lines().skip(1).map(|line| fields(line).try_into().unwrap()).collect();
    let (early, late) = (bars_of(&rows), bars_of(&rows[500..]));
    for feature in catalogue::default_features().filter(|feature| feature.role() == FeatureRole::Model) {
        let early = feature.compute(&Prices::of(&early, &[], &[]));
        for (before, after) in early[820..].iter().zip(&feature.compute(&Prices::of(&late, &[], &[]))[320..]) {
            assert!((before - after).abs() < 1e-5 * before.abs().max(1.0), "{}: {before}, {after}", feature.name());
        }
    }
}

#[test]
fn a_short_warm_up_leaves_out_long_features_by_name() {
    let market = market(vec![bars_of(&vec![[10.0, 11.0, 9.0, 10.5, 1000.0]; 100])], 60);
    let (table, report) = build(&market, &job(&[]), 1).unwrap();
    let left_out: Vec<&str> = report.left_out.iter().map(|left_out| left_out.name.as_str()).collect();
    assert_eq!(left_out, ["SMA_200", "PRICE_TO_SMA_200"]);
    assert_eq!((report.warm_up_bars, table.n_rows()), (60, 40));
    assert!(table.by_name("NATR_14").is_some() && table.by_name("HV_20").is_some());
}

#[test]
fn no_bar_after_the_warm_up_is_refused() {
    let market = market(vec![bars_of(&[[1.0, 1.0, 1.0, 1.0, 0.0]; 30])], 60);
    assert_eq!(build(&market, &job(&[]), 1).unwrap_err().code, "too_few_bars");
}

/// Sound bars: a walk in steps that are often 0, with flat stretches and bars of no volume.
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
            let (high, low) = (open.max(close) + f64::from(up) * 0.21, open.min(close) - f64::from(down) * 0.1);
            [open, high, low, close, volume]
        };
        steps.into_iter().enumerate().map(bar).collect()
    })
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn nothing_after_a_bar_changes_its_features(rows in arbitrary_rows(), cut in 0usize..120, factor in 0.1f64..10.0) {
        let bars = bars_of(&rows);
        let mut mutated = rows.clone();
        let mut blanked = rows.clone();
        for row in cut + 1..rows.len() {
            mutated[row] = rows[row].map(|value| value * factor);
            blanked[row] = [f64::NAN; 5];
        }
        let prefix = bars_of(&rows[..=cut]);
        for feature in all_features() {
            let expected = bits(&feature.compute(&Prices::of(&bars, &[], &[]))[..=cut]);
            for other in [&prefix, &bars_of(&mutated), &bars_of(&blanked)] {
                let found = bits(&feature.compute(&Prices::of(other, &[], &[]))[..=cut]);
                prop_assert!(found == expected, "{} at or before bar {cut}", feature.name());
            }
        }
    }

    #[test]
    fn values_are_nan_in_the_warm_up_and_finite_after(rows in arbitrary_rows()) {
        let bars = bars_of(&rows);
        for feature in all_features() {
            let values = feature.compute(&Prices::of(&bars, &[], &[]));
            prop_assert_eq!(values.len(), bars.len());
            let (before, after) = values.split_at(feature.warm_up_bars().min(values.len()));
            prop_assert!(before.iter().all(|value| value.is_nan()), "{}", feature.name());
            prop_assert!(after.iter().all(|value| value.is_finite()), "{}", feature.name());
        }
    }

    #[test]
    fn no_split_of_the_share_changes_what_models_see(rows in arbitrary_rows(), k in 0.01f64..100.0) {
        let bars = bars_of(&rows);
        let split: Vec<[f64; 5]> = rows.iter().map(|&[o, h, l, c, v]| [o * k, h * k, l * k, c * k, v / k]).collect();
        let split = bars_of(&split);
        for feature in all_features().into_iter().filter(|feature| feature.role() == FeatureRole::Model) {
            let values = feature.compute(&Prices::of(&bars, &[], &[]));
            for (bar, (before, after)) in values.iter().zip(feature.compute(&Prices::of(&split, &[], &[]))).enumerate() {
                let equal = (before - after).abs() <= TOLERANCE * before.abs().max(1.0);
                prop_assert!(equal || before.is_nan(), "{} at bar {bar}: {before} became {after}", feature.name());
            }
        }
    }

    #[test]
    fn no_name_panics(name in "\\PC{0,24}", digits in "[A-Z_]{1,8}[0-9_.]{0,24}") {
        for name in [name, digits] {
            if let Ok(feature) = resolve(&name) {
                prop_assert!(resolve(&feature.name()).is_ok());
            }
        }
    }
}

#[test]
fn spellings_of_strategy_designers_are_known() {
    for (asked, name) in [
        ("STOCH", "STOCH_K"),
        ("ATR_PERCENT", "NATR_14"),
        ("ATRP_14", "NATR_14"),
        ("EMA_8_21", "EMA_CROSS_8_21"),
        ("SMA_20_50", "SMA_CROSS_20_50"),
        ("PRICE_VS_SMA_50", "PRICE_TO_SMA_50"),
        ("EMA_21", "EMA_21"),
    ] {
        assert_eq!(resolve(asked).map(|feature| feature.name()).as_deref(), Ok(name), "{asked}");
    }
}

#[test]
fn features_computed_by_name_are_those_that_were_built_bit_for_bit() {
    let rows: Vec<[f64; 5]> = (0..400)
        .map(|day| {
            let close = 100.0 + 10.0 * (f64::from(day) / 7.0).sin() + f64::from(day * day % 11);
            [close - 0.5, close + 1.0, close - 1.0, close, 1e6 + f64::from(day % 13)]
        })
        .collect();
    let bars = [bars_of(&rows)];
    let built = fill(&series(&bars, &[]), Timeframe::Day1, &all_features(), 1).unwrap();
    let computed = compute(&bars, &[], Timeframe::Day1, &built.names).unwrap();
    assert!(built.n_rows() > 0 && built.names == computed.names && built.roles == computed.roles);
    let bits = |table: &FeatureTable| table.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&built), bits(&computed));
}

#[test]
fn the_number_of_threads_changes_no_bit_of_the_table() {
    let rows = |n_bars: u32| -> Vec<[f64; 5]> {
        let close = |bar: u32| 50.0 + f64::from(bar * bar % 17);
        (0..n_bars).map(|bar| [close(bar), close(bar) + 2.0, close(bar) - 1.0, close(bar), 1e5]).collect()
    };
    // One has no row after the warm-up, and the longest does not come first.
    let bars = [bars_of(&rows(500)), bars_of(&rows(30)), bars_of(&rows(900))];
    let filled = |n_threads| fill(&series(&bars, &[]), Timeframe::Day1, &all_features(), n_threads).unwrap();
    let one = filled(1);
    for n_threads in [2, 5] {
        let other = filled(n_threads);
        assert!(one.values.iter().map(|value| value.to_bits()).eq(other.values.iter().map(|value| value.to_bits())));
        assert_eq!((&one.time, &one.symbol, &one.day), (&other.time, &other.symbol, &other.day));
    }
    let last = one.n_rows() - 1;
    assert_eq!((one.symbol[0], one.symbol[last]), (0, 2));
    assert_eq!(one.by_name("RET_1").unwrap()[last], {
        let close = |bar: u32| 50.0 + f64::from(bar * bar % 17);
        (100.0 * (close(899) / close(898) - 1.0)) as f32
    });
}

#[test]
fn a_feature_by_another_than_its_own_name_is_not_computed() {
    let unresolved = |name: &str| compute(&[], &[], Timeframe::Day1, &[name.to_owned()]).unwrap_err().to_string();
    assert_eq!(unresolved("rsi-14"), "`rsi-14` is no feature: this version calls it RSI_14");
    assert_eq!(unresolved("NO_SUCH"), "`NO_SUCH` is no feature: unknown name");
}

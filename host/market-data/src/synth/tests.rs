//! Tests of synthetic bars.

use oculus_job::hash::sha256_hex;
use oculus_job::request::Timeframe;
use oculus_pipeline::features::{OhlcvView, resolve};
use oculus_pipeline::metrics::auc;
use proptest::prelude::*;

use super::*;

/// SHA-256 hashes of the CSV files with seed 7. The thresholds of the end-to-end tests were
/// calibrated on these files.
const CALIBRATED: [(Kind, [&str; 2]); 4] = [
    (
        Kind::Walk,
        [
            "42cc0560bb5be00ce4f1d6412d93f86b0a2d49f660ab54a1a8faf3dbfd47ba57",
            "8c134ff24402c1304bef7dc0954604c520091c12d4ed96d9bcd10f4c9320f88f",
        ],
    ),
    (
        Kind::Rebound { rsi_below: 38.0, drift: 0.02 },
        [
            "03d78ed9cde4c7d7f7b50d7063802507a2d712b60914de1f97614072d90bc542",
            "c0b7cc12a4954aeb0f3e8afc14a9db8b0390401601bd5aa8e008fe5933264188",
        ],
    ),
    (
        Kind::Gaps { strength: 1.0 },
        [
            "ba7a0a6d4f74ae08526689ca7c2f5f5da89dec3f4e6f2e50bc90fca7a1da7473",
            "8f12b80dd8d5b5858d4a85bd3064adba51798c30e5325d52213f3e2d7768cb62",
        ],
    ),
    (
        Kind::Gaps { strength: 0.6 },
        [
            "fbf0b09f0fc7c40ac5f5a3dea64e7432d0ac064543096a8ebcb4f2cfc967d912",
            "577198f84d2777bc449f775d5345e277ec178bdfe8b997a55684b6c2fe30218b",
        ],
    ),
];

fn recipe(kind: Kind, seed: u64, n_bars: usize) -> Recipe {
    Recipe { kind, symbol: "AAA".to_owned(), stream: 0, seed, timeframe: Timeframe::Day1, n_bars }
}

fn panel(kind: Kind, n_series: u64, n_bars: usize) -> Vec<SyntheticSeries> {
    (0..n_series).map(|stream| generate(&Recipe { stream, ..recipe(kind, 11, n_bars) })).collect()
}

/// Returns the AUC of a feature on the label, in the better of its two directions.
fn feature_auc(series: &[SyntheticSeries], name: &str, horizon_bars: usize, threshold_pct: f64) -> f64 {
    let feature = resolve(name).unwrap();
    let mut labels = Vec::new();
    let mut scores = Vec::new();
    for SyntheticSeries { bars, .. } in series {
        let day = bars.session_days(Timeframe::Day1);
        let values = feature.compute(&OhlcvView::new(bars, &day, &[]));
        let closes = bars.close.iter().zip(&bars.close[horizon_bars..]);
        for (value, (now, then)) in values.iter().zip(closes) {
            labels.push(f32::from(u8::from(100.0 * (then / now - 1.0) >= threshold_pct)));
            scores.push(*value as f32);
        }
    }
    let auc = auc(&labels, &scores).unwrap();
    auc.max(1.0 - auc)
}

#[test]
fn generated_files_have_the_hashes_of_the_calibration() {
    for (kind, hashes) in CALIBRATED {
        for (stream, hash) in (0..).zip(hashes) {
            let bars = generate(&Recipe { stream, ..recipe(kind, 7, 2200) }).bars;
            let mut text = Vec::new();
            files::csv(&bars, Timeframe::Day1, &mut text).unwrap();
            assert_eq!(sha256_hex(&text), hash, "{kind:?} {stream}");
        }
    }
}

#[test]
fn a_walk_cannot_be_forecast() {
    assert_eq!(oracle_auc(&panel(Kind::Walk, 2, 800), 5, 2.0), Some(0.5));
}

#[test]
fn the_volatility_of_a_garch_can_be_forecast_but_its_direction_cannot() {
    let panel = panel(Kind::from_name("garch").unwrap(), 4, 4000);
    let [far, near] = [4.0, 0.0].map(|threshold_pct| oracle_auc(&panel, 5, threshold_pct).unwrap());
    assert!(far > 0.58, "{far}");
    assert!((near - 0.5).abs() < 0.02, "{near}");
    assert!(far > feature_auc(&panel, "HV_20", 5, 4.0), "{far}");
}

#[test]
fn no_feature_is_better_than_the_oracle() {
    const FEATURES: [&str; 8] =
        ["RSI_14", "RSI_7", "ADX_14", "RET_5", "WILLR_14", "HV_20", "PRICE_TO_SMA_20", "GAP_PCT"];
    // The drift is about three times the default, so that the result does not depend on chance.
    let rule = Kind::Rule { rsi_below: 38.0, adx_above: 22.0, drift: 0.01 };
    let [rebound, gaps] = ["rebound", "gaps"].map(|name| Kind::from_name(name).unwrap());
    for (kind, horizon_bars, threshold_pct) in [(rule, 5, 2.0), (rebound, 5, 2.0), (gaps, 1, 0.5)] {
        let panel = panel(kind, 4, 4000);
        let oracle = oracle_auc(&panel, horizon_bars, threshold_pct).unwrap();
        for feature in FEATURES {
            let auc = feature_auc(&panel, feature, horizon_bars, threshold_pct);
            assert!(oracle >= auc, "{kind:?}: {oracle}, {feature} {auc}");
        }
    }
}

#[test]
fn the_planted_rule_increases_the_base_rate_by_the_documented_factor() {
    let mut n_bars = [0.0; 2];
    let mut n_rises = [0.0; 2];
    for SyntheticSeries { bars, .. } in panel(Kind::from_name("rule").unwrap(), 12, 4000) {
        let prices = OhlcvView::new(&bars, &[], &[]);
        let [rsi, adx] = ["RSI_14", "ADX_14"].map(|name| resolve(name).unwrap().compute(&prices));
        for bar in 28..bars.len() - 5 {
            let rise = f64::from(u8::from(bars.close[bar + 5] / bars.close[bar] >= 1.02));
            let is_signal = usize::from(rsi[bar] < 38.0 && adx[bar] > 22.0);
            n_bars[is_signal] += 1.0;
            n_rises[is_signal] += rise;
        }
    }
    let base_rate = (n_rises[0] + n_rises[1]) / (n_bars[0] + n_bars[1]);
    let lift = n_rises[1] / n_bars[1] / base_rate;
    assert!((lift - 1.6).abs() < 0.1, "lift {lift}, base rate {base_rate}, bars without and with a signal {n_bars:?}");
}

#[test]
fn intraday_bars_are_within_the_session_of_new_york() {
    for (timeframe, n_per_session) in
        [(Timeframe::Minute1, 390), (Timeframe::Minute5, 78), (Timeframe::Hour1, 7), (Timeframe::Hour4, 2)]
    {
        let bars = generate(&Recipe { timeframe, ..recipe(Kind::Walk, 1, 150 * n_per_session + 1) }).bars;
        let days = bars.session_days(timeframe);
        assert_eq!(bars.len(), 150 * n_per_session + 1);
        assert!(bars.time.is_sorted_by(|one, next| one < next));
        assert!(
            days[..150 * n_per_session].chunk_by(|one, next| one == next).all(|session| session.len() == n_per_session)
        );
        // 09:30 in New York is 14:30 UTC in winter and 13:30 UTC in summer.
        assert_eq!([bars.time[0] % 86_400, bars.time[140 * n_per_session] % 86_400], [52_200, 48_600]);
    }
}

#[test]
fn a_very_long_series_keeps_its_prices_within_bounds() {
    let bars = generate(&Recipe { timeframe: Timeframe::Week1, ..recipe(Kind::Walk, 5, 200_000) }).bars;
    assert!(bars.low.iter().all(|&price| price > 0.005) && bars.high.iter().all(|&price| price < 1e6));
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select(Kind::NAMED.map(|(_, kind)| kind).to_vec())
}

fn timeframes() -> impl Strategy<Value = Timeframe> {
    prop::sample::select(Timeframe::ALL.to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_seed_and_stream_determine_the_series(kind in kinds(), timeframe in timeframes(), seed: u64, stream in 0_u64..9, n_bars in 2_usize..300) {
        let recipe = Recipe { stream, timeframe, ..recipe(kind, seed, n_bars) };
        let bars = generate(&recipe).bars;
        prop_assert_eq!(&bars, &generate(&recipe).bars);
        for other in [Recipe { seed: seed.wrapping_add(1), ..recipe.clone() }, Recipe { stream: stream + 1, ..recipe.clone() }] {
            prop_assert_ne!(&bars.close, &generate(&other).bars.close);
        }
        let longer = generate(&Recipe { n_bars: n_bars + 50, ..recipe }).bars;
        prop_assert_eq!(&bars.close[..], &longer.close[..n_bars]);
    }

    #[test]
    fn every_bar_is_consistent(kind in kinds(), timeframe in timeframes(), seed: u64) {
        let bars = generate(&Recipe { timeframe, ..recipe(kind, seed, 500) }).bars;
        for bar in 0..bars.len() {
            let low = bars.low[bar];
            let high = bars.high[bar];
            let within = |price: f64| low <= price && price <= high;
            prop_assert!(low > 0.0 && within(bars.open[bar]) && within(bars.close[bar]) && bars.volume[bar] >= 0.0);
        }
    }

    #[test]
    fn probabilities_are_between_zero_and_one(kind in kinds(), seed: u64, horizon_bars in 1_usize..8, threshold_pct in -5.0..5.0) {
        let probabilities = generate(&recipe(kind, seed, 60)).oracle.probabilities(horizon_bars, threshold_pct);
        prop_assert_eq!(probabilities.len(), 60);
        prop_assert!(probabilities.iter().all(|(_, probability)| (0.0..=1.0).contains(probability)));
    }
}

//! Tests of labels.

use oculus_job::request::Timeframe;
use serde_json::json;

use super::*;
use crate::bars::{Bars, LabelledSpan};

fn market(closes: &[f64], bars_per_day: i64, timeframe: Timeframe) -> Market {
    let closes = closes.to_vec();
    // A session starts at 15:00 UTC, which is 10:00 in New York, so that all of its bars have the
    // same date in New York.
    let time = |idx: i64| 15 * 3600 + idx / bars_per_day * 86_400 + idx % bars_per_day * 3600;
    let bars = Bars {
        symbol: "A".to_owned(),
        time: (0..closes.len() as i64).map(time).collect(),
        open: closes.clone(),
        high: closes.clone(),
        low: closes.clone(),
        volume: closes.clone(),
        close: closes,
    };
    let span = LabelledSpan::default();
    Market {
        bars: vec![bars],
        benchmarks: Vec::new(),
        timeframe,
        span,
        warm_up_bars: 0,
        warnings: Vec::new(),
        sha256: String::new(),
    }
}

fn table(market: &Market, first_bar: u32) -> FeatureTable {
    let bar: Vec<u32> = (first_bar..market.bars[0].len() as u32).collect();
    let day = market.bars[0].session_days(market.timeframe)[first_bar as usize..].to_vec();
    FeatureTable { symbols: vec!["A".to_owned()], symbol: vec![0; bar.len()], bar, day, ..FeatureTable::default() }
}

fn job(horizons: &[u32], thresholds: &[f64]) -> Job {
    let design = json!({"forward_returns_days_options": horizons, "profit_threshold_options": thresholds});
    Job::parse(&json!({"build_id": "b", "symbols": ["A"], "design": design}).to_string()).unwrap()
}

#[test]
fn a_rise_of_exactly_the_threshold_is_positive_and_the_last_bars_have_no_label() {
    let market = market(&[100.0, 125.0, 50.0, 62.0, 62.0], 1, Timeframe::Day1);
    let labels = build(&market, &table(&market, 1), &job(&[1, 2], &[25.0, -100.0 + 0.5]));
    let keys: Vec<(u32, f64)> = labels.iter().map(|label| (label.key.horizon_days, label.key.threshold_pct)).collect();
    assert_eq!(keys, [(1, 25.0), (1, -99.5), (2, 25.0), (2, -99.5)]);
    assert_eq!(labels[0].value[..3], [0.0, 0.0, 0.0]);
    assert!(labels[0].value[3].is_nan() && labels[2].value[2].is_nan());
    assert_eq!(*labels[0].known_day, [2, 3, 4, i32::MAX]);
    assert_eq!(labels[2].forward_return_pct[..2], [-50.4, 24.0]);
    let from_start = build(&market, &table(&market, 0), &job(&[1], &[25.0]));
    assert_eq!(from_start[0].value[0], 1.0);
}

#[test]
fn horizons_are_sessions_for_every_timeframe() {
    assert_eq!(horizon_bars(11, Timeframe::Day1, 1), 11);
    assert_eq!(horizon_bars(11, Timeframe::Week1, 1), 3);
    let market = market(&[1.0; 70], 7, Timeframe::Hour1);
    let labels = build(&market, &table(&market, 0), &job(&[2], &[1.0]));
    assert_eq!(labels[0].horizon_bars, 14);
    assert_eq!(labels[0].known_day[6], 2, "the label of the last bar of day 0 is known at the end of day 2");
    assert!(labels[0].value[55] == 0.0 && labels[0].value[56].is_nan());
}

#[test]
fn the_median_session_ignores_a_half_day() {
    let days = [1, 1, 1, 2, 3, 3, 3];
    assert_eq!(median_session_bars([days.as_slice()].into_iter()), 3);
    assert_eq!(median_session_bars(std::iter::empty()), 1);
}

//! Tests of features.

mod benchmarks;
mod golden;
mod names;
mod properties;

use oculus_job::code::ErrorCode;
use oculus_job::request::Timeframe;

use super::*;
use crate::bars::{Bars, LabelledSpan};

/// Returns the default features, and every kind with four sets of parameters: default, smallest,
/// unusual and largest.
fn all_features() -> Vec<Feature> {
    let kinds = catalogue::kinds().flat_map(|kind| {
        let with = |param: &dyn Fn(usize) -> usize| {
            let params: Vec<usize> = (0..kind.defaults.len()).map(param).collect();
            kind.feature(&params, None)
        };
        let unusual = |idx: usize| kind.defaults[idx] / 2 + 3 + 2 * idx;
        let min = |idx: usize| *kind.range(idx).start();
        let max = |idx: usize| *kind.range(idx).end();
        [kind.feature(&[], None), with(&min), with(&unusual), with(&max)]
    });
    catalogue::default_features().chain(kinds).collect()
}

/// Returns the features that need at most this many bars of warm-up.
fn features_within(warm_up_bars: usize) -> Vec<Feature> {
    all_features().into_iter().filter(|feature| feature.warm_up_bars() <= warm_up_bars).collect()
}

/// Returns the given bars as a series of the default benchmark.
fn benchmark(bars: &Bars) -> Bars {
    Bars { symbol: kind::DEFAULT_BENCHMARK.to_owned(), ..bars.clone() }
}

/// Computes a feature; the opens of the bars serve as the closes of its benchmark.
fn values(feature: &Feature, bars: &Bars) -> Vec<f64> {
    feature.compute(&OhlcvView::new(bars, &bars.session_days(Timeframe::Day1), &bars.open))
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
        span: LabelledSpan::default(),
        warm_up_bars,
        warnings: Vec::new(),
        sha256: String::new(),
    }
}

#[test]
fn available_features_are_in_the_table_and_unavailable_ones_in_the_report() {
    let rows = vec![[10.0, 11.0, 9.0, 10.5, 1000.0]; 400];
    let market = market(vec![bars_of(&rows), bars_of(&rows[..300])], 320);
    let (table, report) = build(&market, &job(&["RSI_9", "adx", "SMA_390", "MAGIC_7", "MAGIC_7"]), 1).unwrap();
    assert_eq!(report.canonical["adx"], "ADX_14");
    assert_eq!(report.unresolved.len(), 1);
    let codes: Vec<&str> = report.warnings().into_iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["unresolved_feature", "feature_left_out", "feature_left_out"]);
    let missing = MissingInputError::WarmUp { needs_bars: 389, has_bars: 320 };
    let left_out = LeftOut { name: "SMA_390".to_owned(), missing };
    assert!(report.left_out.contains(&left_out), "{:?}", report.left_out);
    for name in ["RSI_9", "EMA_9", "PRICE_TO_EMA_9", "NATR_14", "HV_20", "MACD_HIST", "PPO_HIST"] {
        assert!(table.by_name(name).is_some(), "{name}");
    }
    assert_eq!(report.warm_up_bars, 251);
    assert_eq!(table.n_rows(), (400 - 251) + (300 - 251));
    assert_eq!((table.bar[0], table.symbol[149], table.bar[149]), (251, 1, 251));
    assert_eq!(table.values.len(), table.names.len() * table.n_rows());
    let mut names = table.names.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), table.names.len());
}

#[test]
fn features_that_need_a_longer_warm_up_are_reported_as_left_out() {
    let market = market(vec![bars_of(&vec![[10.0, 11.0, 9.0, 10.5, 1000.0]; 100])], 60);
    let (table, report) = build(&market, &job(&[]), 1).unwrap();
    let left_out: Vec<&str> = report.left_out.iter().map(|left_out| left_out.name.as_str()).collect();
    let averages = ["SMA_100", "SMA_200", "EMA_200", "PRICE_TO_SMA_200", "SMA_CROSS_50_200"];
    assert_eq!(left_out, [&averages[..], &["ICHIMOKU_CLOUD_DIST", "DIST_HIGH_252", "DIST_LOW_252"]].concat());
    assert_eq!((report.warm_up_bars, table.n_rows()), (60, 40));
    assert!(table.by_name("NATR_14").is_some() && table.by_name("HV_20").is_some());
}

#[test]
fn a_job_without_bars_after_the_warm_up_is_refused() {
    let market = market(vec![bars_of(&[[1.0, 1.0, 1.0, 1.0, 0.0]; 30])], 60);
    assert_eq!(build(&market, &job(&[]), 1).unwrap_err().code, ErrorCode::TooFewBars);
}

#[test]
fn features_computed_by_name_equal_the_built_table_bit_for_bit() {
    let rows: Vec<[f64; 5]> = (0..400)
        .map(|day| {
            let close = 100.0 + 10.0 * (f64::from(day) / 7.0).sin() + f64::from(day * day % 11);
            [close - 0.5, close + 1.0, close - 1.0, close, 1e6 + f64::from(day % 13)]
        })
        .collect();
    let bars = [bars_of(&rows)];
    let spy = [benchmark(&bars[0])];
    let built = fill(&series(&bars, &spy), Timeframe::Day1, &features_within(300), 1).unwrap();
    let computed = compute(&bars, &spy, Timeframe::Day1, &built.names).unwrap();
    assert!(built.n_rows() > 0 && built.names == computed.names && built.roles == computed.roles);
    let bits = |table: &FeatureTable| table.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&built), bits(&computed));
}

#[test]
fn the_table_does_not_depend_on_the_number_of_threads() {
    let rows = |n_bars: u32| -> Vec<[f64; 5]> {
        let close = |bar: u32| 50.0 + f64::from(bar * bar % 17);
        (0..n_bars).map(|bar| [close(bar), close(bar) + 2.0, close(bar) - 1.0, close(bar), 1e5]).collect()
    };
    // One series has no row after the warm-up, and the longest series is not the first one.
    let bars = [bars_of(&rows(500)), bars_of(&rows(30)), bars_of(&rows(900))];
    let spy = [benchmark(&bars[2])];
    let filled = |n_threads| fill(&series(&bars, &spy), Timeframe::Day1, &features_within(400), n_threads).unwrap();
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
fn compute_rejects_names_that_are_not_canonical() {
    let error = |name: &str| compute(&[], &[], Timeframe::Day1, &[name.to_owned()]).unwrap_err();
    let unresolved = error("rsi-14");
    assert_eq!(unresolved.to_string(), "`rsi-14` is not a feature: its canonical name in this version is RSI_14");
    assert!(matches!(unresolved, FeatureError::UnknownFeature(it) if it.nearest.as_deref() == Some("RSI_14")));
    assert!(matches!(error("NO_SUCH"), FeatureError::UnknownFeature(it) if it.requested == "NO_SUCH"));
}

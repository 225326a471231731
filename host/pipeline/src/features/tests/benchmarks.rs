//! Tests of features that compare with a benchmark.

use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400;

/// Returns bars with these times and closes.
fn closes_at(symbol: &str, bars: impl Iterator<Item = (i64, f64)>) -> Bars {
    let (time, close): (Vec<i64>, Vec<f64>) = bars.unzip();
    let volume = vec![1000.0; close.len()];
    let symbol = symbol.to_owned();
    Bars { symbol, time, open: close.clone(), high: close.clone(), low: close.clone(), close, volume }
}

fn daily(symbol: &str, days: std::ops::Range<i64>) -> Bars {
    closes_at(symbol, days.map(|day| (day * DAY, 100.0 + (day as f64 * 0.37).sin() * 9.0 + (day % 5) as f64)))
}

fn built(bars: Vec<Bars>, benchmarks: Vec<Bars>, priority: &[&str]) -> (FeatureTable, FeatureReport) {
    build(&Market { benchmarks, ..market(bars, 320) }, &job(priority), 1).unwrap()
}

#[test]
fn only_requested_features_are_reported_if_their_benchmark_is_missing() {
    let (table, report) = built(vec![daily("A", 0..500)], vec![], &[]);
    assert!(report.left_out.is_empty() && table.names.iter().all(|name| !name.contains("SPY")));
    let (table, report) = built(vec![daily("A", 0..500)], vec![daily("SPY", 0..500)], &["BETA_QQQ", "BETA"]);
    let missing = MissingInputError::Benchmark { benchmark: "QQQ".to_owned() };
    assert_eq!(report.left_out, [LeftOut { name: "BETA_QQQ_60".to_owned(), missing }]);
    assert_eq!(
        report.warnings()[0].message,
        "BETA_QQQ_60 is left out: it needs bars of its benchmark QQQ, which are missing or cannot be used"
    );
    for name in ["REL_STRENGTH_SPY_20", "BETA_SPY_60", "CORR_SPY_60"] {
        assert!(table.by_name(name).is_some_and(|column| column.iter().all(|value| value.is_finite())), "{name}");
    }
    let (_, report) = built(vec![daily("A", 0..500)], vec![], &["BETA_SPY_60"]);
    assert_eq!(report.left_out.len(), 1, "a default feature that is also requested is reported");
}

#[test]
fn a_symbol_compared_with_itself_has_a_beta_of_one() {
    let (table, _) = built(vec![daily("SPY", 0..500)], vec![daily("SPY", 0..500)], &[]);
    for (name, expected) in [("BETA_SPY_60", 1.0), ("CORR_SPY_60", 1.0), ("REL_STRENGTH_SPY_20", 0.0)] {
        assert!(table.by_name(name).unwrap().iter().all(|value| (value - expected).abs() < 1e-6), "{name}");
    }
}

#[test]
fn a_benchmark_is_usable_from_its_first_bar_to_a_week_after_its_last() {
    let bars = [daily("A", 100..200), daily("B", 150..180)];
    let check = |days| check_benchmark(&daily("SPY", days), &bars, Timeframe::Day1);
    assert_eq!(check(0..300), Ok(()));
    assert_eq!(check(100..193), Ok(()));
    let date = str::to_owned;
    let later =
        BenchmarkError::BeginLater { from: date("1970-04-12"), symbol: "A".to_owned(), needed: date("1970-04-11") };
    assert_eq!(check(101..300), Err(later));
    let outdated =
        BenchmarkError::Outdated { to: date("1970-07-11"), symbol: "A".to_owned(), needed: date("1970-07-19") };
    assert_eq!(check(100..192), Err(outdated));
    assert_eq!(check(0..0), Err(BenchmarkError::Empty));
}

#[test]
fn features_computed_by_name_need_their_benchmark() {
    let bars = [daily("A", 100..200)];
    let names = ["BETA_SPY_60".to_owned()];
    let error = |benchmarks: &[Bars]| compute(&bars, benchmarks, Timeframe::Day1, &names).unwrap_err();
    assert_eq!(error(&[]).to_string(), "`BETA_SPY_60` needs bars of its benchmark SPY: provide them");
    let late = error(&[daily("SPY", 150..200)]);
    assert!(matches!(late, FeatureError::Benchmark { error: BenchmarkError::BeginLater { .. }, .. }), "{late:?}");
    assert!(compute(&bars, &[daily("SPY", 0..200)], Timeframe::Day1, &names).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_bar_is_compared_with_the_last_close_of_the_benchmark_and_never_with_a_later_one(
        gaps in prop::collection::vec(1i64..5 * DAY, 80),
        symbol_gaps in prop::collection::vec(1i64..5 * DAY, 80),
        cut in 0usize..80,
    ) {
        let times = |gaps: &[i64]| -> Vec<i64> {
            gaps.iter().scan(0, |time, gap| { *time += gap; Some(*time) }).collect()
        };
        let close = |time: i64| 100.0 + (time % 97) as f64;
        let with = |time: i64| (time, close(time));
        let benchmark = closes_at("SPY", std::iter::once(0).chain(times(&gaps)).map(with));
        let bars = closes_at("A", times(&symbol_gaps).into_iter().map(with));
        let found = benchmark::closes(&benchmark, &bars);
        for (time, found) in bars.time.iter().zip(&found) {
            let last = benchmark.time.iter().rposition(|known| known <= time).unwrap();
            prop_assert_eq!(*found, benchmark.close[last]);
        }
        // The values up to a bar stay the same if later bars of the benchmark change or are
        // missing.
        let known = benchmark.time.partition_point(|time| *time <= bars.time[cut]);
        let mut mutated = benchmark.clone();
        mutated.close[known..].iter_mut().for_each(|close| *close *= 3.0);
        let shorter = benchmark.within(0..=bars.time[cut]);
        for name in ["REL_STRENGTH_SPY_5", "BETA_SPY_10", "CORR_SPY_10"] {
            let feature = resolve(name).unwrap();
            let values = |benchmark: &Bars| -> Vec<u64> {
                let computed = feature.compute(&OhlcvView::new(&bars, &[], &benchmark::closes(benchmark, &bars)));
                computed[..=cut].iter().map(|value| value.to_bits()).collect()
            };
            prop_assert!(values(&mutated) == values(&benchmark) && values(&shorter) == values(&benchmark));
        }
    }
}

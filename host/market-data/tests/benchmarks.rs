//! Tests of loading benchmarks in addition to the symbols of a job.
// clippy.toml allows `unwrap` only in #[test] functions, not in the helpers of this file.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::ops::RangeInclusive;

use oculus_job::request::Job;
use oculus_job::warning::WarningCode;
use oculus_market_data::folder::Folder;
use oculus_pipeline::bars::{Market, load};
use oculus_pipeline::date::iso_date;
use oculus_pipeline::features;
use serde_json::json;

/// Returns daily bars as CSV for a range of days since 1970-01-01.
fn csv(days: RangeInclusive<i32>) -> String {
    let mut text = "date,open,high,low,close,volume\n".to_owned();
    for day in days {
        let close = 100 + day % 7;
        writeln!(text, "{},{close},{},{},{close},1000", iso_date(day), close + 1, close - 1).unwrap();
    }
    text
}

/// Loads the market of a job with the symbols A and B. The folder also contains `files`.
fn market(files: &[(&str, String)], priority: &[&str]) -> Market {
    let folder = tempfile::tempdir().unwrap();
    let symbols = [("A", csv(13_801..=15_000)), ("B", csv(13_801..=15_000))];
    for (symbol, text) in symbols.iter().chain(files) {
        std::fs::write(folder.path().join(format!("{symbol}.csv")), text).unwrap();
    }
    let design = json!({"years": 2, "priority_features": priority});
    let job = json!({"build_id": "b", "symbols": ["A", "B"], "design": design});
    let job = Job::parse(&job.to_string()).unwrap();
    load(&Folder::new(folder.path()), &features::bars_needs(&job, 0), &|_| {}).unwrap()
}

fn benchmarks(market: &Market) -> Vec<(&str, usize)> {
    market.benchmarks.iter().map(|bars| (bars.symbol.as_str(), bars.len())).collect()
}

#[test]
fn a_benchmark_is_cut_to_the_dates_of_the_symbols_and_is_part_of_the_hash() {
    let without = market(&[], &[]);
    let n_bars = without.bars[0].len();
    assert_eq!((benchmarks(&without), &without.warnings), (vec![], &vec![]));
    let with = market(&[("SPY", csv(10_000..=15_500))], &[]);
    assert_eq!((benchmarks(&with), &with.warnings), (vec![("SPY", n_bars)], &vec![]));
    assert_eq!(with.bars, without.bars);
    assert_ne!(with.sha256, without.sha256);
    let longer = market(&[("SPY", csv(12_000..=15_500))], &[]);
    assert_eq!(with.sha256, longer.sha256, "unused bars are not part of the hash");
}

#[test]
fn a_benchmark_may_be_a_symbol_of_the_job() {
    let market = market(&[("QQQ", csv(13_000..=15_000))], &["BETA_B_30", "CORR_QQQ", "BETA_NONE"]);
    let n_bars = market.bars[0].len();
    assert_eq!(benchmarks(&market), [("QQQ", n_bars), ("B", n_bars)]);
    assert_eq!(market.warnings, []);
}

#[test]
fn an_unusable_benchmark_is_left_out_with_the_reason() {
    let unsound = csv(13_000..=15_000).replacen("1000\n", "-1\n", 1);
    let is_outside_gap = |line: &&str| !(14_800..14_820).any(|day| line.starts_with(&iso_date(day)));
    let with_gap = csv(13_000..=15_000).lines().filter(is_outside_gap).collect::<Vec<_>>().join("\n");
    for (text, reason) in [
        (with_gap, "it has no bars from"),
        (csv(14_000..=15_000), "its bars begin on"),
        (csv(13_000..=14_992), "its bars end on"),
        (unsound, "volume is -1"),
        ("no table of bars".to_owned(), "no column"),
    ] {
        let market = market(&[("SPY", text)], &[]);
        assert_eq!(benchmarks(&market), []);
        let warnings: Vec<_> = market.warnings.iter().filter(|warning| warning.code != WarningCode::LongGaps).collect();
        let [warning] = warnings[..] else { panic!("{:?}", market.warnings) };
        assert_eq!(warning.code, WarningCode::BenchmarkLeftOut);
        assert!(warning.message.contains(reason), "{}", warning.message);
    }
}

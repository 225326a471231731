//! Whether a job calls an edge what is one, and nothing else.

use oculus_market_data::synth::Kind;
use oculus_pipeline::parallel::side_by_side;
use oculus_tests::command::train_on;
use oculus_tests::{build, jobs, market};
use serde_json::{Value, json};

/// A warm-up, and as many sessions a year as the calendar of made-up bars has.
const BARS_BEFORE: usize = 340;
const BARS_A_YEAR: usize = 262;

/// A whole job's result on a panel made for it.
fn judged(kind: Kind, n_symbols: usize, years: usize, seed: u64) -> Value {
    let symbols: Vec<String> = (0..n_symbols).map(|idx| format!("S{idx}")).collect();
    let names: Vec<&str> = symbols.iter().map(String::as_str).collect();
    let folder = tempfile::tempdir().unwrap();
    market::write(folder.path(), &names, BARS_BEFORE + years * BARS_A_YEAR, seed, kind);
    let mut job = jobs::job("judged");
    job["symbols"] = json!(symbols);
    job["design"]["years"] = json!(years);
    train_on(folder.path(), &job)
}

fn calls(panels: &[(Kind, u64)], n_symbols: usize, years: usize) -> Vec<(String, Value)> {
    build::plugins();
    side_by_side(2, panels, |(kind, seed)| {
        let mut result = judged(*kind, n_symbols, years, *seed);
        println!("{kind:?}, seed {seed}: {}", result["verdict"]);
        (result["verdict"]["verdict"].as_str().unwrap().to_owned(), result["strategy_optimization"].take())
    })
}

#[test]
fn panels_without_an_edge_are_hardly_ever_called_one() {
    let kinds = [Kind::Walk, Kind::usual("garch").unwrap()];
    let panels: Vec<(Kind, u64)> = kinds.iter().flat_map(|kind| (101..=110).map(|seed| (*kind, seed))).collect();
    let calls = calls(&panels, 4, 3);
    let n_edges = calls.iter().filter(|(call, _)| call == "edge").count();
    // The benchmark has the hundred panels of which five may be.
    assert!(n_edges <= 1, "{n_edges} of {} panels without an edge are called one", panels.len());
    // What was tried was tried: a strategy that never trades would be no edge either.
    let traded = |strategy: &Value| strategy["test"]["performance"]["n_trades"].as_u64().is_some_and(|n| n > 0);
    assert!(calls.iter().filter(|(_, strategy)| traded(strategy)).count() >= panels.len() / 2);
}

#[test]
fn a_planted_edge_is_called_one() {
    // 1 % a day for five days, half of what `bars synth rebound` plants.
    let planted = Kind::usual("rebound").and_then(|kind| kind.with_drift(0.01)).unwrap();
    let panels: Vec<(Kind, u64)> = (101..=103).map(|seed| (planted, seed)).collect();
    for (call, strategy) in calls(&panels, 8, 5) {
        assert_eq!(call, "edge", "{strategy}");
    }
}

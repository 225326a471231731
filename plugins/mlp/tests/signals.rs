//! Tests that planted signals are found, and that noise is not scored as a signal.

mod support;

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Harness, Listener};
use oculus_plugin_mlp::Mlp;
use oculus_plugin_support::testing::auc;
use support::{Data, at};

/// Fits a model on the first 1,200 days, with early stopping on the next 400 days. Scores the last
/// 400 days. Returns two AUCs: of the scores, and of the true probabilities.
#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn scored(data: &Data, seed: u64) -> [f64; 2] {
    let frame = data.frame();
    let train_rows = data.days(0, 1200);
    let tune_rows = data.days(1200, 1600);
    let test_rows = data.days(1600, 2000);
    let prepared = Harness::family::<Mlp>().prepare(&frame, &train_rows).unwrap();
    let task = Task { seed, ..data.task(&train_rows, &tune_rows) };
    let scores = prepared.fit(&task, "{}", &Listener::default()).unwrap().predict(&frame, &test_rows).unwrap();
    let label = at(&data.label, &test_rows);
    [auc(&scores, &label), auc(&at(&data.chance, &test_rows), &label)]
}

#[test]
fn the_auc_on_a_planted_interaction_is_at_most_0_03_below_that_of_the_true_probabilities() {
    // Neither of the two features is informative alone.
    let data = Data::drawn(4, 2000, 1, |[rsi, _, adx, ..]| if (rsi > 0.5) == (adx > 0.6) { 0.7 } else { 0.25 });
    let [found, known] = scored(&data, 1);
    assert!(known > 0.65 && known - found <= 0.03, "{found} of {known}");
}

#[test]
fn the_auc_on_a_planted_threshold_is_at_most_0_03_below_that_of_the_true_probabilities() {
    let data = Data::drawn(4, 2000, 2, |[rsi, _, adx, ..]| if rsi < 0.4 && adx > 0.3 { 0.65 } else { 0.25 });
    let [found, known] = scored(&data, 2);
    assert!(known > 0.6 && known - found <= 0.03, "{found} of {known}");
}

#[test]
fn the_auc_on_noise_is_near_one_half() {
    let aucs: Vec<f64> = (0..6).map(|seed| scored(&Data::drawn(4, 2000, 100 + seed, |_| 0.3), seed)[0]).collect();
    let mean = aucs.iter().sum::<f64>() / aucs.len() as f64;
    assert!((mean - 0.5).abs() <= 0.03, "{aucs:?}");
}

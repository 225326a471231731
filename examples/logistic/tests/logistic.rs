//! Tests of the family through its exported interface. They cover the claims that every family must
//! keep, and the models of this family.

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_logistic::Logistic;

oculus_plugin_api::conformance!(Logistic);

const N_ROWS: u32 = 400;

/// Returns two sawtooth columns with little correlation.
fn columns() -> (Vec<f32>, Vec<f32>) {
    let wave = |step: u32| (0..N_ROWS).map(|row| (row * step % 101) as f32).collect::<Vec<_>>();
    (wave(37), wave(59))
}

/// Fits a model on rows 0 to 299. The label is 1 if A is larger than B. Column B is stored on
/// another scale.
fn fit(params: &str) -> (Frame, Vec<f32>, Fitted) {
    let (a, b) = columns();
    let label: Vec<f32> = a.iter().zip(&b).map(|(a, b)| f32::from(a > b)).collect();
    let rescaled = b.iter().map(|value| 1e4 - 1e-3 * value).collect();
    let frame =
        Frame::new(1, N_ROWS).column("A", a).column("B", rescaled).rule_column("LEVEL", vec![f32::NAN; N_ROWS as usize]);
    let train_rows: Vec<u32> = (0..300).collect();
    let task = Task { label: &label, train_rows: &train_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let harness = Harness::family::<Logistic>();
    let model = harness.prepare(&frame, &train_rows).unwrap().fit(&task, params, &Listener::default()).unwrap();
    (frame, label, model)
}

fn later_scores(params: &str) -> Vec<(f32, f32)> {
    let (frame, label, model) = fit(params);
    let rows: Vec<u32> = (300..N_ROWS).collect();
    model.predict(&frame, &rows).unwrap().into_iter().zip(label[300..].to_vec()).collect()
}

#[test]
fn linearly_separable_classes_are_separated_for_features_of_any_scale() {
    let scores = later_scores("{}");
    let n_hits = scores.iter().filter(|(score, label)| (*score > 0.5) == (*label == 1.0)).count();
    assert!(n_hits >= 95, "{n_hits} hits of {}", scores.len());
}

#[test]
fn a_larger_penalty_moves_scores_to_the_base_rate() {
    let spread = |params| {
        let scores = later_scores(params);
        let mean = scores.iter().map(|(score, _)| score).sum::<f32>() / scores.len() as f32;
        scores.iter().map(|(score, _)| (score - mean).abs()).fold(0.0, f32::max)
    };
    let [none, default, strong] = [r#"{"l2": 0}"#, "{}", r#"{"l2": 1e6}"#].map(spread);
    assert!(none > default && default > 10.0 * strong, "{none}, {default}, {strong}");
}

//! Tests that the plugin and Python can read each other's models and then compute equal scores.
//! `golden/numpy_mlp.py` made the golden files.

use oculus_plugin_api::testing::{Fitted, Harness};
use oculus_plugin_mlp::Mlp;
use oculus_plugin_support::testing::frame_from_csv;

const ROWS: &str = include_str!("golden/rows.csv");
/// A model saved by the plugin.
const OURS: &[u8] = include_bytes!("golden/ours.safetensors");
/// Scores of the plugin's model, computed in Python.
const OURS_IN_PYTHON: &str = include_str!("golden/ours.csv");
/// A model written by Python.
const PYTHONS: &[u8] = include_bytes!("golden/pythons.safetensors");
/// Scores of Python's model, computed in Python.
const PYTHONS_IN_PYTHON: &str = include_str!("golden/pythons.csv");

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn load(bytes: &[u8]) -> Fitted {
    Harness::family::<Mlp>().load(bytes).unwrap()
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn assert_predicts(model: &Fitted, expected: &str) {
    let frame = frame_from_csv(ROWS).unwrap();
    let all_rows: Vec<u32> = (0..frame.n_rows() as u32).collect();
    let found = model.predict(&frame, &all_rows).unwrap();
    let expected: Vec<f64> = expected.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found.len(), expected.len());
    let max_difference = found.iter().zip(&expected).map(|(f, e)| (f64::from(*f) - e).abs()).fold(0.0, f64::max);
    assert!(max_difference < 1e-5, "{max_difference}");
    assert!(found.iter().any(|score| *score < 0.3) && found.iter().any(|score| *score > 0.7), "{found:?}");
}

#[test]
fn python_predicts_equal_scores_from_a_saved_model() {
    assert_predicts(&load(OURS), OURS_IN_PYTHON);
}

#[test]
fn the_plugin_predicts_equal_scores_from_a_model_of_python() {
    assert_predicts(&load(PYTHONS), PYTHONS_IN_PYTHON);
}

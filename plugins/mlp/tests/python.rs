//! Models pass between the plugin and Python both ways (`golden/numpy_mlp.py` made the golden files).

use oculus_plugin_api::testing::{Fitted, Harness};
use oculus_plugin_mlp::Mlp;
use oculus_plugin_support::testing::frame_from_csv;

const ROWS: &str = include_str!("golden/rows.csv");
/// A model of the plugin's, and what Python reads from it and makes of the rows.
const OURS: &[u8] = include_bytes!("golden/ours.safetensors");
const OURS_IN_PYTHON: &str = include_str!("golden/ours.csv");
/// A model that Python wrote, and what it makes of the rows itself.
const PYTHONS: &[u8] = include_bytes!("golden/pythons.safetensors");
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
    let furthest = found.iter().zip(&expected).map(|(f, e)| (f64::from(*f) - e).abs()).fold(0.0, f64::max);
    assert!(furthest < 1e-5, "{furthest} apart");
    assert!(found.iter().any(|score| *score < 0.3) && found.iter().any(|score| *score > 0.7), "{found:?}");
}

#[test]
fn python_predicts_the_same_from_a_saved_model() {
    assert_predicts(&load(OURS), OURS_IN_PYTHON);
}

#[test]
fn a_model_that_python_wrote_predicts_what_it_predicts_there() {
    assert_predicts(&load(PYTHONS), PYTHONS_IN_PYTHON);
}

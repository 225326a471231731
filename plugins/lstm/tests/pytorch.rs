//! Tests that two programs compute equal scores from one model file: the plugin, and PyTorch with
//! `nn.LSTM` and `nn.Linear`. `golden/pytorch.py` made the golden values.

use oculus_plugin_api::testing::Harness;
use oculus_plugin_lstm::Lstm;
use oculus_plugin_support::testing::frame_from_csv;

const ROWS: &str = include_str!("golden/rows.csv");

/// Scores of one model file, computed by the plugin and by PyTorch.
struct Scores {
    ours: Vec<f32>,
    expected: Vec<f64>,
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn scores(model: &[u8], expected: &str) -> Scores {
    let frame = frame_from_csv(ROWS).unwrap();
    let n_rows = frame.n_rows();

    let expected: Vec<f64> = expected.lines().map(|line| line.parse().unwrap()).collect();
    let scored: Vec<u32> = ((n_rows - expected.len()) as u32..n_rows as u32).collect();
    let ours = Harness::family::<Lstm>().load(model).unwrap().predict(&frame, &scored).unwrap();
    Scores { ours, expected }
}

fn assert_equal(Scores { ours, expected }: Scores) {
    for (row, (ours, expected)) in ours.iter().zip(&expected).enumerate() {
        assert!((f64::from(*ours) - expected).abs() < 1e-6, "row {row}: {ours}, PyTorch {expected}");
    }
    let (low, high) = expected.iter().fold((1.0_f64, 0.0_f64), |(low, high), p| (low.min(*p), high.max(*p)));
    assert!(high - low > 0.1, "the scores, {low} to {high}, are too close together for this test");
}

#[test]
fn the_plugin_computes_equal_scores_from_weights_of_pytorch() {
    assert_equal(scores(include_bytes!("golden/pytorch.safetensors"), include_str!("golden/pytorch.csv")));
}

#[test]
fn pytorch_computes_equal_scores_from_a_saved_model() {
    assert_equal(scores(include_bytes!("golden/ours.safetensors"), include_str!("golden/ours.csv")));
}

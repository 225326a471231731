//! PyTorch's `nn.LSTM` and `nn.Linear` give the same scores from the same file (`golden/pytorch.py` made the values).

use oculus_plugin_api::testing::Harness;
use oculus_plugin_lstm::Lstm;
use oculus_plugin_support::testing::frame_from_csv;

const ROWS: &str = include_str!("golden/rows.csv");

/// Scores of one file.
struct Scores {
    ours: Vec<f32>,
    pytorchs: Vec<f64>,
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn scores(model: &[u8], pytorchs: &str) -> Scores {
    let frame = frame_from_csv(ROWS).unwrap();
    let n_rows = frame.n_rows();

    let pytorchs: Vec<f64> = pytorchs.lines().map(|line| line.parse().unwrap()).collect();
    let scored: Vec<u32> = ((n_rows - pytorchs.len()) as u32..n_rows as u32).collect();
    let ours = Harness::family::<Lstm>().load(model).unwrap().predict(&frame, &scored).unwrap();
    Scores { ours, pytorchs }
}

fn assert_equal(Scores { ours, pytorchs }: Scores) {
    for (row, (ours, pytorchs)) in ours.iter().zip(&pytorchs).enumerate() {
        assert!((f64::from(*ours) - pytorchs).abs() < 1e-6, "row {row}: {ours}, PyTorch {pytorchs}");
    }
    let (low, high) = pytorchs.iter().fold((1.0_f64, 0.0_f64), |(low, high), p| (low.min(*p), high.max(*p)));
    assert!(high - low > 0.1, "scores from {low} to {high} separate nothing");
}

#[test]
fn weights_of_pytorch_give_its_scores() {
    assert_equal(scores(include_bytes!("golden/pytorch.safetensors"), include_str!("golden/pytorch.csv")));
}

#[test]
fn pytorch_gives_our_scores_from_a_file_that_we_saved() {
    assert_equal(scores(include_bytes!("golden/ours.safetensors"), include_str!("golden/ours.csv")));
}

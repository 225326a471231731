//! Tests that Python's LightGBM and the plugin compute equal scores with a saved model text.
//! `golden/predict.py` made the golden values.

use oculus_plugin_api::testing::Harness;
use oculus_plugin_lightgbm::LightGbm;
use oculus_plugin_support::testing::frame_from_csv;

const MODEL: &[u8] = include_bytes!("golden/model.txt");
const ROWS: &str = include_str!("golden/rows.csv");
const PREDICTIONS: &str = include_str!("golden/predictions.csv");

#[test]
fn python_predicts_equal_scores_from_a_saved_model_text() {
    let frame = frame_from_csv(ROWS).unwrap();

    let all_rows: Vec<u32> = (0..frame.n_rows() as u32).collect();
    let ours = Harness::family::<LightGbm>().load(MODEL).unwrap().predict(&frame, &all_rows).unwrap();
    let expected: Vec<f64> = PREDICTIONS.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(ours, expected.iter().map(|score| *score as f32).collect::<Vec<_>>());
    assert!(ours.iter().any(|score| *score < 0.2) && ours.iter().any(|score| *score > 0.8), "{ours:?}");
}

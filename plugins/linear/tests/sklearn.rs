//! Tests that a fit equals that of scikit-learn. `golden/sklearn_ridge.py` made the golden values.

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Harness, Listener};
use oculus_plugin_linear::Ridge;
use oculus_plugin_support::testing::frame_from_csv;
use serde_json::{Value, json};

/// Features of 400 rows; the last column is the label.
const ROWS: &str = include_str!("golden/rows.csv");
/// Weights, intercepts and scores of scikit-learn.
const SKLEARN: &str = include_str!("golden/sklearn.json");

fn assert_close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap_or(f64::NAN);
    assert!((found - expected).abs() < 1e-6, "{what}: found {found}, scikit-learn has {expected}");
}

#[test]
fn weights_and_scores_equal_those_of_scikit_learn() {
    let text: String = ROWS.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    let frame = frame_from_csv(text.leak()).unwrap();
    let label: Vec<f32> = ROWS.lines().skip(1).map(|line| line.rsplit_once(',').unwrap().1.parse().unwrap()).collect();
    let train_rows: Vec<u32> = (0..300).collect();
    let later_rows: Vec<u32> = (300..400).collect();
    let prepared = Harness::family::<Ridge>().prepare(&frame, &train_rows).unwrap();
    let task = Task { label: &label, train_rows: &train_rows, tune_rows: &[], seed: 1, threads: 1, device: "cpu" };
    let fits: Vec<Value> = serde_json::from_str(SKLEARN).unwrap();
    assert_eq!(fits.len(), 3);
    for expected in fits {
        let params = json!({ "l2": expected["l2"], "clip": expected["clip"] }).to_string();
        let model = prepared.fit(&task, &params, &Listener::default()).unwrap();
        let saved: Value = serde_json::from_slice(&model.save().unwrap()).unwrap();
        assert_close(saved["intercept"].as_f64().unwrap(), &expected["intercept"], "intercept");
        for (feature, weight) in
            saved["features"].as_array().unwrap().iter().zip(expected["weights"].as_array().unwrap())
        {
            assert_close(feature["weight"].as_f64().unwrap(), weight, feature["name"].as_str().unwrap());
        }
        let scores = model.predict(&frame, &later_rows).unwrap();
        for (score, expected) in scores.iter().zip(expected["scores"].as_array().unwrap()) {
            assert_close(f64::from(*score), expected, "score");
        }
    }
}

//! Python's LightGBM predicts the same from a text that the plugin saved (`golden/predict.py` made the golden values).

use oculus_plugin_api::testing::{Frame, Harness};
use oculus_plugin_lightgbm::LightGbm;

const MODEL: &[u8] = include_bytes!("golden/model.txt");
const ROWS: &str = include_str!("golden/rows.csv");
const PREDICTIONS: &str = include_str!("golden/predictions.csv");

#[test]
fn python_predicts_the_same_from_a_saved_text() {
    let mut lines = ROWS.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<f32>> = lines.map(|line| line.split(',').map(|v| v.parse().unwrap()).collect()).collect();
    let column = |idx: usize| rows.iter().map(|row| row[idx]).collect();
    let frame = Frame::new(1, rows.len() as u32);
    let frame = names.into_iter().enumerate().fold(frame, |frame, (idx, name)| frame.column(name, column(idx)));

    let all_rows: Vec<u32> = (0..rows.len() as u32).collect();
    let ours = Harness::family::<LightGbm>().load(MODEL).unwrap().predict(&frame, &all_rows).unwrap();
    let pythons: Vec<f64> = PREDICTIONS.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(ours, pythons.iter().map(|score| *score as f32).collect::<Vec<_>>());
    assert!(ours.iter().any(|score| *score < 0.2) && ours.iter().any(|score| *score > 0.8), "{ours:?}");
}

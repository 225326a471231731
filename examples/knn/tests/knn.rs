//! Tests of the family through its exported interface. They cover the claims that every family must
//! keep, and the models of this family.

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Frame, Harness, Listener};
use oculus_plugin_knn::Knn;

oculus_plugin_api::conformance!(Knn);

const N_ROWS: u32 = 400;

/// Returns the scores of rows 300 to 399. The label is 1 if two columns are on the same side of
/// their means, which no single column shows.
fn later_scores(params: &str) -> Vec<(f32, f32)> {
    let wave = |step: u32| (0..N_ROWS).map(|row| (row * step % 101) as f32).collect::<Vec<_>>();
    let (a, b) = (wave(37), wave(59));
    let label: Vec<f32> = a.iter().zip(&b).map(|(a, b)| f32::from((*a > 50.0) == (*b > 50.0))).collect();
    let frame = Frame::new(1, N_ROWS).column("A", a).column("B", b.iter().map(|value| 1e-3 * value).collect());
    let train_rows: Vec<u32> = (0..300).collect();
    let task = Task { label: &label, train_rows: &train_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let prepared = Harness::family::<Knn>().prepare(&frame, &train_rows).unwrap();
    let model = prepared.fit(&task, params, &Listener::default()).unwrap();
    let scores = model.predict(&frame, &(300..N_ROWS).collect::<Vec<_>>()).unwrap();
    scores.into_iter().zip(label[300..].to_vec()).collect()
}

#[test]
fn an_interaction_of_two_features_is_found() {
    let scores = later_scores(r#"{"neighbours": 5}"#);
    let n_hits = scores.iter().filter(|(score, label)| (*score > 0.5) == (*label == 1.0)).count();
    assert!(n_hits >= 85, "{n_hits} hits of {}", scores.len());
}

#[test]
fn with_more_neighbours_than_rows_every_score_is_the_base_rate() {
    let scores = later_scores(r#"{"neighbours": 10000}"#);
    assert!(scores.iter().all(|(score, _)| *score == scores[0].0), "{scores:?}");
}

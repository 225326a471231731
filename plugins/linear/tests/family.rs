//! Tests of the family through its plugin module: accuracy, base scores, importance and rejected
//! input.

mod support;

use oculus_plugin_api::testing::{Fitted, Harness, Listener};
use oculus_plugin_api::{Task, code};
use oculus_plugin_linear::Ridge;
use oculus_plugin_support::testing::auc;
use serde_json::Value;
use support::{Data, rows};

oculus_plugin_api::conformance!(Ridge);

fn harness() -> Harness {
    Harness::family::<Ridge>()
}

fn task<'a>(label: &'a [f32], train_rows: &'a [u32]) -> Task<'a> {
    Task { label, train_rows, tune_rows: &[], seed: 7, threads: 1, device: "cpu" }
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn fit(data: &Data, base_score: Option<&[f32]>, params: &str) -> Fitted {
    let frame = data.frame();
    let train_rows = rows(0, 300);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let task = task(&data.label, &train_rows);
    let listener = Listener::default();
    let model = match base_score {
        None => prepared.fit(&task, params, &listener),
        Some(base_score) => prepared.fit_from(&task, base_score, params, &listener),
    };
    model.unwrap()
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn saved(model: &Fitted) -> Value {
    serde_json::from_slice(&model.save().unwrap()).unwrap()
}

fn sigmoid(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[test]
fn a_planted_signal_is_found_on_later_rows() {
    let data = Data::planted(2000, 1);
    let model = fit(&data, None, "{}");
    let scores = model.predict(&data.frame(), &rows(300, 2000)).unwrap();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
    let auc = auc(&scores, &data.label[300..]);
    assert!(auc > 0.75, "AUC {auc}");
}

#[test]
fn a_stronger_penalty_gives_smaller_weights_and_the_base_rate_in_the_limit() {
    let data = Data::planted(400, 2);
    let sum_of_squares = |l2: f64| {
        let model = saved(&fit(&data, None, &format!(r#"{{"l2": {l2}}}"#)));
        let features = model["features"].as_array().unwrap();
        features.iter().map(|feature| feature["weight"].as_f64().unwrap().powi(2)).sum::<f64>()
    };
    let sums = [0.01, 1.0, 100.0, 1e4].map(sum_of_squares);
    assert!(sums.is_sorted_by(|a, b| a > b), "{sums:?}");

    let flat = fit(&data, None, r#"{"l2": 1e9}"#).predict(&data.frame(), &rows(300, 400)).unwrap();
    let base_rate = data.label[..300].iter().sum::<f32>() / 300.0;
    assert!(flat.iter().all(|score| (score - base_rate).abs() < 1e-4), "{base_rate}: {flat:?}");
}

#[test]
fn the_gradient_of_the_loss_is_zero_with_and_without_a_base_score() {
    let data = Data::planted(400, 3);
    let base_score: Vec<f32> = data.columns[4].iter().map(|value| 3.0 * value - 2.0).collect();
    for (base_score, l2) in
        [(None, 500.0), (None, 0.01), (Some(base_score.as_slice()), 500.0), (Some(&base_score), 0.5)]
    {
        let model = saved(&fit(&data, base_score, &format!(r#"{{"l2": {l2}}}"#)));
        let input = |feature: &Value, row: usize| {
            let number = |key: &str| feature[key].as_f64().unwrap();
            let column = support::NAMES.iter().position(|name| feature["name"] == *name).unwrap();
            ((f64::from(data.columns[column][row]) - number("mean")) / number("deviation")).clamp(-4.0, 4.0)
        };
        let features = model["features"].as_array().unwrap();
        let weight = |feature: &Value| feature["weight"].as_f64().unwrap();
        let error = |row: usize| {
            let base = base_score.map_or(0.0, |score| f64::from(score[row]));
            let sum: f64 = features.iter().map(|feature| weight(feature) * input(feature, row)).sum();
            sigmoid(model["intercept"].as_f64().unwrap() + base + sum) - f64::from(data.label[row])
        };
        let errors: Vec<f64> = (0..300).map(error).collect();
        assert!(errors.iter().sum::<f64>().abs() < 1e-5, "intercept at {l2}");
        for feature in features {
            let sum: f64 = errors.iter().enumerate().map(|(row, error)| error * input(feature, row)).sum();
            assert!((sum + l2 * weight(feature)).abs() < 1e-4, "{feature} at {l2}: {sum}");
        }
    }
}

#[test]
fn a_score_is_the_probability_of_the_base_score_plus_the_model() {
    let data = Data::planted(400, 4);
    let base_score: Vec<f32> = data.columns[4].iter().map(|value| 2.0 * value - 1.0).collect();
    let model = fit(&data, Some(&base_score), "{}");
    let alone = model.predict(&data.frame(), &rows(300, 400)).unwrap();
    let scores = model.predict_with(&data.frame(), &rows(300, 400), &base_score, &Listener::default()).unwrap();
    for ((score, alone), base) in scores.iter().zip(alone).zip(&base_score[300..]) {
        let log_odds = (f64::from(alone) / (1.0 - f64::from(alone))).ln() + f64::from(*base);
        assert!((f64::from(*score) - sigmoid(log_odds)).abs() < 1e-6, "{score} from {alone} and {base}");
    }
}

#[test]
fn importance_is_the_share_of_the_absolute_weight() {
    let data = Data::planted(2000, 5);
    let model = fit(&data, None, "{}");
    let importance = model.importance().unwrap();
    let saved = saved(&model);
    let features = saved["features"].as_array().unwrap();
    let total: f64 = features.iter().map(|feature| feature["weight"].as_f64().unwrap().abs()).sum();
    // The third column of the frame is for rules.
    assert_eq!((importance.len(), importance[2]), (7, 0.0));
    assert!((importance[0] - features[0]["weight"].as_f64().unwrap().abs() / total).abs() < 1e-12);
    assert!(importance.iter().skip(1).all(|share| *share < importance[0]), "{importance:?}");
}

#[test]
fn separable_rows_and_certain_base_scores_have_finite_weights() {
    let mut data = Data::planted(400, 6);
    data.label = data.columns[0].iter().map(|value| f32::from(*value > 50.0)).collect();
    let certain: Vec<f32> = data.label.iter().map(|label| 1000.0 * (2.0 * label - 1.0)).collect();
    let wrong: Vec<f32> = certain.iter().map(|score| -score / 20.0).collect();
    for base_score in [None, Some(certain.as_slice()), Some(&wrong)] {
        let model = fit(&data, base_score, r#"{"l2": 0.001}"#);
        let scores = model.predict(&data.frame(), &rows(300, 400)).unwrap();
        assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");
    }
}

#[test]
fn a_damaged_model_is_rejected() {
    let data = Data::planted(400, 7);
    let bytes = fit(&data, None, "{}").save().unwrap();
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        ("\"linear\"", "\"other\""),
        ("\"format\":1", "\"format\":2"),
        ("\"clip\":4.0", "\"clip\":0.0"),
        ("\"clip\":4.0", "\"clip\":null"),
        ("\"deviation\":", "\"deviation\":-"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text);
        assert_eq!(harness().load(damaged.as_bytes()).err().unwrap().code, code::MODEL, "{to}");
    }
}

use oculus_plugin_api::FeatureRole;
use serde::Deserialize;

use super::*;
use crate::metrics::{Random, auc};

#[derive(Deserialize)]
struct Golden {
    logistic: Case,
}

#[derive(Deserialize)]
struct Case {
    natr: Vec<f32>,
    hv: Vec<f32>,
    label: Vec<f32>,
    probability: Vec<f32>,
}

fn table(natr: &[f32], hv: &[f32]) -> FeatureTable {
    FeatureTable {
        names: FEATURES.map(str::to_owned).to_vec(),
        roles: vec![FeatureRole::Model; 2],
        values: [natr, hv].concat().into(),
        day: (0..natr.len() as i32).collect(),
        ..FeatureTable::default()
    }
}

fn all_rows(table: &FeatureTable) -> Vec<u32> {
    (0..table.n_rows() as u32).collect()
}

#[test]
fn probabilities_equal_those_of_scikit_learn() {
    // Made by `tests/golden/metrics.py`.
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/metrics.json")).unwrap();
    let case = golden.logistic;
    let table = table(&case.natr, &case.hv);
    let rows = all_rows(&table);
    let found = Volatility::from_table(&table).unwrap().scores(&case.label, &rows, &rows).unwrap();
    for (found, wanted) in found.iter().zip(&case.probability) {
        assert!((found - wanted).abs() < 1e-6, "{found} instead of {wanted}");
    }
}

#[test]
fn separable_flat_and_extreme_volatility_give_finite_probabilities() {
    let natr: Vec<f32> = (0..40).map(|idx| idx as f32 * 1e3).collect();
    for hv in [vec![0.0; 40], vec![f32::MAX; 40], natr.clone()] {
        let table = table(&natr, &hv);
        let rows = all_rows(&table);
        let label: Vec<f32> = (0..40).map(|idx| f32::from(u8::from(idx >= 20))).collect();
        let scores = Volatility::from_table(&table).unwrap().scores(&label, &rows, &rows).unwrap();
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
        assert!(auc(&label, &scores).unwrap() > 0.99);
    }
}

#[test]
fn one_class_or_a_missing_feature_gives_no_baseline() {
    let full = table(&[1.0, 2.0], &[1.0, 2.0]);
    assert_eq!(Volatility::from_table(&full).unwrap().scores(&[1.0, 1.0], &[0, 1], &[0]), None);
    assert!(Volatility::from_table(&FeatureTable { names: vec!["RSI_14".into(), "HV_20".into()], ..full }).is_none());
}

#[test]
fn rows_outside_the_training_part_change_no_score() {
    let mut random = Random::new(5, "volatility");
    let mut draw = || -> Vec<f32> { (0..60).map(|_| 0.5 + random.unit() as f32).collect() };
    let natr = draw();
    let hv = draw();
    let label: Vec<f32> = draw().iter().map(|value| f32::from(u8::from(*value > 1.0))).collect();
    let scores = |natr: &[f32], label: &[f32]| {
        let train_rows: Vec<u32> = (0..40).collect();
        Volatility::from_table(&table(natr, &hv)).unwrap().scores(label, &train_rows, &[0, 20, 39]).unwrap()
    };
    let mut later_natr = natr.clone();
    later_natr[40..].fill(99.0);
    let mut later_label = label.clone();
    later_label[40..].fill(1.0);
    assert_eq!(scores(&natr, &label), scores(&later_natr, &later_label));
}

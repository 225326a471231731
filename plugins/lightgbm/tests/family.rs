//! Tests of the family through its plugin module: accuracy, reproducibility, early stopping and
//! rejected input.

mod support;

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener, Noise};
use oculus_plugin_api::{PluginError, Task, code};
use oculus_plugin_lightgbm::LightGbm;
use oculus_plugin_support::testing::auc;
use support::{Data, rows};

oculus_plugin_api::conformance!(LightGbm);

fn harness() -> Harness {
    Harness::family::<LightGbm>()
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn text(model: &Fitted) -> String {
    String::from_utf8(model.save().unwrap()).unwrap()
}

/// Asserts that an error has the given code, and that its message contains all given parts.
fn assert_error(error: &PluginError, code: u32, parts: &[&str]) {
    assert_eq!(error.code, code, "{error}");
    assert!(parts.iter().all(|part| error.message.contains(part)), "{error}");
}

#[test]
fn a_planted_signal_is_found_on_later_rows() {
    let data = Data::planted(1000, 1);
    let model = data.fit(&rows(0, 700), "{}").unwrap();
    let scores = model.predict(&data.frame(), &rows(700, 1000)).unwrap();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
    let auc = auc(&scores, &data.label[700..]);
    assert!(auc > 0.9, "AUC {auc}");
}

#[test]
fn the_auc_on_planted_rules_is_at_most_0_03_below_that_of_the_true_probabilities() {
    let rules: [fn(f32, f32) -> f32; 2] = [
        // Neither of the two features is informative alone.
        |rsi, adx| if (rsi > 0.5) == (adx > 0.6) { 0.7 } else { 0.25 },
        |rsi, adx| if rsi < 0.4 && adx > 0.3 { 0.65 } else { 0.25 },
    ];
    for (seed, chance_of) in (1..).zip(rules) {
        let mut data = Data::planted(8000, seed);
        let chance: Vec<f32> = (0..8000).map(|row| chance_of(data.columns[0][row], data.columns[2][row])).collect();
        let mut noise = Noise::new(100 + seed);
        data.label = chance.iter().map(|chance| f32::from(noise.unit_f32() < *chance)).collect();
        let frame = data.frame();
        let train_rows = rows(0, 4800);
        let tune_rows = rows(4800, 6400);
        let prepared = harness().prepare(&frame, &train_rows).unwrap();
        let model = prepared.fit(&data.task(&train_rows, &tune_rows), "{}", &Listener::default()).unwrap();
        let scores = model.predict(&frame, &rows(6400, 8000)).unwrap();
        let found = auc(&scores, &data.label[6400..]);
        let known = auc(&chance[6400..], &data.label[6400..]);
        assert!(known > 0.6 && known - found <= 0.03, "{found} of {known}");
    }
}

#[test]
fn bins_and_trees_depend_only_on_the_training_rows() {
    let data = Data::planted(600, 2);
    let mut other = data.frame();
    for column in other.values_mut().chunks_mut(600) {
        column[400..].iter_mut().for_each(|value| *value = *value * -50.0 + 7.0);
    }
    let train_rows = rows(0, 400);
    let frame = data.frame();
    let saved = |frame: &Frame| {
        let prepared = harness().prepare(frame, &train_rows).unwrap();
        text(&prepared.fit(&data.task(&train_rows, &[]), "{}", &Listener::default()).unwrap())
    };
    assert_eq!(saved(&frame), saved(&other));

    // A change in a training row does change the model.
    let mut changed = data.frame();
    changed.values_mut()[0] = 3.0;
    assert_ne!(saved(&frame), saved(&changed));
}

#[test]
fn a_fit_on_a_subset_of_a_prepared_table_equals_a_fit_on_a_table_of_only_those_rows() {
    let data = Data::planted(600, 3);
    let subset = Data {
        columns: data.columns.iter().map(|column| column[..350].to_vec()).collect(),
        label: data.label[..350].to_vec(),
    };
    let train_rows = rows(0, 350);
    assert_eq!(text(&data.fit(&train_rows, "{}").unwrap()), text(&subset.fit(&train_rows, "{}").unwrap()));
}

#[test]
fn one_prepared_table_can_be_fitted_with_other_labels_rows_and_parameters() {
    let data = Data::planted(500, 4);
    let flipped: Vec<f32> = data.label.iter().map(|label| 1.0 - label).collect();
    let frame = data.frame();
    let train_rows = rows(0, 400);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let task = data.task(&train_rows, &[]);
    let fit = |task: &Task<'_>, params| prepared.fit(task, params, &Listener::default()).unwrap();
    let first = text(&fit(&task, "{}"));

    let inverted = fit(&Task { label: &flipped, ..task }, "{}").predict(&frame, &rows(400, 500)).unwrap();
    assert!(auc(&inverted, &data.label[400..]) < 0.1);
    assert_ne!(text(&fit(&Task { train_rows: &train_rows[100..], ..task }, "{}")), first);
    assert_ne!(text(&fit(&task, r#"{"num_leaves": 4}"#)), first);
    assert_ne!(text(&fit(&Task { seed: 8, ..task }, "{}")), first);
    assert_eq!(text(&fit(&task, "{}")), first);
}

#[test]
fn concurrent_fits_equal_sequential_fits() {
    let data = Data::planted(500, 5);
    let frame = data.frame();
    let train_rows = rows(0, 350);
    let tune_rows = rows(350, 500);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let fit = |seed: u64| {
        let task = Task { seed, ..data.task(&train_rows, &tune_rows) };
        text(&prepared.fit(&task, r#"{"bagging_fraction": 0.7}"#, &Listener::default()).unwrap())
    };
    let sequential: Vec<_> = (0..8).map(fit).collect();
    let concurrent: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|thread| scope.spawn(move || [fit(2 * thread), fit(2 * thread + 1)])).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(concurrent, sequential);
}

#[test]
fn early_stopping_restores_the_best_round() {
    // A third of the labels are flipped, so the loss on the rows for early stopping falls, then rises.
    let mut data = Data::planted(600, 6);
    let mut noise = Noise::new(99);
    let flipped = data.label.iter_mut().filter(|_| noise.unit_f32() > 0.66);
    flipped.for_each(|label| *label = 1.0 - *label);
    let frame = data.frame();
    let train_rows = rows(0, 400);
    let tune_rows = rows(400, 600);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let fit = |tune_rows, rounds: u32| {
        let params = format!(r#"{{"num_iterations": {rounds}, "learning_rate": 0.03, "early_stopping_round": 40}}"#);
        prepared.fit(&data.task(&train_rows, tune_rows), &params, &Listener::default()).unwrap()
    };
    let stopped = fit(&tune_rows, 300);
    let kept = stopped.summary().unwrap().rounds.unwrap();
    assert!((26..300).contains(&kept), "{kept} rounds");

    let all_rows = rows(0, 600);
    let same_rounds = fit(&[], kept);
    assert_eq!(stopped.predict(&frame, &all_rows).unwrap(), same_rounds.predict(&frame, &all_rows).unwrap());

    let loss = |model: &Fitted| {
        let scores = model.predict(&frame, &tune_rows).unwrap();
        let label = |row: usize| data.label[400 + row];
        scores.iter().enumerate().map(|(row, p)| -f64::from(if label(row) == 1.0 { *p } else { 1.0 - p }).ln()).sum()
    };
    let best: f64 = loss(&stopped);
    for rounds in [1, kept.saturating_sub(1).max(1), kept + 1, kept + 10] {
        assert!(best <= loss(&fit(&[], rounds)) + 1e-4, "{rounds} rounds have a lower loss than {kept}");
    }
}

#[test]
fn early_stopping_keeps_at_least_25_rounds() {
    // The labels are random, so the loss on the rows for early stopping rises at once.
    let mut data = Data::planted(600, 6);
    let mut noise = Noise::new(99);
    data.label.iter_mut().for_each(|label| *label = f32::from(noise.unit_f32() > 0.6));
    let frame = data.frame();
    let (train_rows, tune_rows) = (rows(0, 400), rows(400, 600));
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let rounds = |params: &str| {
        let task = data.task(&train_rows, &tune_rows);
        prepared.fit(&task, params, &Listener::default()).unwrap().summary().unwrap().rounds
    };
    assert_eq!(rounds(r#"{"early_stopping_round": 5}"#), Some(25));
    assert_eq!(rounds(r#"{"num_iterations": 10, "early_stopping_round": 5}"#), Some(10));
}

#[test]
fn a_saved_model_loads_unchanged() {
    let data = Data::planted(400, 7);
    let model = data.fit(&rows(0, 300), "{}").unwrap();
    let frame = data.frame();
    let loaded = harness().load(&model.save().unwrap()).unwrap();
    let scores = |model: &Fitted| model.predict(&frame, &rows(0, 400)).unwrap();
    assert_eq!(
        scores(&loaded).iter().map(|s| s.to_bits()).collect::<Vec<_>>(),
        scores(&model).iter().map(|s| s.to_bits()).collect::<Vec<_>>()
    );
    assert_eq!(text(&loaded), text(&model));
    assert_eq!(loaded.importance().unwrap(), model.importance().unwrap());
    assert_eq!(loaded.summary().unwrap(), model.summary().unwrap());
    assert!(text(&model).contains("\nfeature_names=RSI_14 MACD_HIST ADX_14 NATR_14 RET_5 BB_PCT_B_20\n"));
}

#[test]
fn importance_sums_to_one_over_the_model_features() {
    let data = Data::planted(500, 8);
    let importance = data.fit(&rows(0, 500), "{}").unwrap().importance().unwrap();
    assert_eq!(importance.len(), 7);
    assert_eq!(importance[2], 0.0, "SMA_20 is for rules");
    assert!((importance.iter().sum::<f64>() - 1.0).abs() < 1e-12 && importance.iter().all(|share| *share >= 0.0));
    let noise = [1, 4, 5, 6].map(|idx| importance[idx]);
    assert!(noise.iter().all(|share| *share < importance[3] && importance[3] < importance[0]), "{importance:?}");
}

#[test]
fn features_are_found_by_name_in_any_column_order() {
    let data = Data::planted(300, 9);
    let model = data.fit(&rows(0, 200), "{}").unwrap();
    let reversed = support::NAMES.into_iter().zip(data.columns.clone()).rev();
    let reversed = reversed.fold(Frame::new(1, 300), |frame, (name, column)| frame.column(name, column));
    let later = rows(200, 300);
    assert_eq!(model.predict(&reversed, &later).unwrap(), model.predict(&data.frame(), &later).unwrap());

    let incomplete = Frame::new(1, 300).column("RSI_14", data.columns[0].clone());
    let error = model.predict(&incomplete, &later).err().unwrap();
    assert_error(&error, code::DATA, &["MACD_HIST", "ADX_14"]);
}

#[test]
fn values_that_are_not_finite_are_rejected_in_training_rows_and_score_nan() {
    let data = Data::planted(300, 10);
    let mut frame = data.frame();
    // Column 0 is RSI_14. Column 3 is ADX_14, because column 2 is the column for rules.
    frame.values_mut()[250] = f32::NAN;
    frame.values_mut()[3 * 300 + 260] = f32::INFINITY;
    let train_rows = rows(0, 200);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let model = prepared.fit(&data.task(&train_rows, &[]), "{}", &Listener::default()).unwrap();
    let scores = model.predict(&frame, &rows(200, 300)).unwrap();
    let nan_rows: Vec<_> = (200..).zip(&scores).filter(|(_, score)| score.is_nan()).map(|(row, _)| row).collect();
    assert_eq!(nan_rows, [250, 260]);

    let error = prepared.fit(&data.task(&train_rows, &rows(240, 255)), "{}", &Listener::default()).err().unwrap();
    assert_error(&error, code::DATA, &["tune_rows", "250", "RSI_14"]);
    let error = harness().prepare(&frame, &rows(255, 300)).err().unwrap();
    assert_error(&error, code::DATA, &["learn_rows", "260", "ADX_14"]);
}

#[test]
fn an_impossible_fit_is_rejected_with_an_error_code() {
    let mut data = Data::planted(200, 11);
    let error = data.fit(&rows(0, 200), r#"{"num_leaves": 1, "depth": 3}"#).err().unwrap();
    assert_error(&error, code::PARAMS, &["depth", "num_leaves"]);

    let frame = data.frame();
    let train_rows = rows(0, 200);
    let on_gpu = Task { device: "cuda", ..data.task(&train_rows, &[]) };
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let error = prepared.fit(&on_gpu, "{}", &Listener::default()).err().unwrap();
    assert_error(&error, code::DEVICE, &["cuda", "cpu"]);

    let only_rules = Frame::new(1, 2).rule_column("SMA_20", vec![1.0, 2.0]);
    let error = harness().prepare(&only_rules, &[0, 1]).err().unwrap();
    assert_eq!(error.code, code::DATA);

    data.label.fill(1.0);
    let error = data.fit(&rows(0, 200), "{}").err().unwrap();
    assert_eq!(error.code, code::DATA);
}

#[test]
fn a_name_that_lightgbm_refuses_is_escaped_in_the_text_and_found_by_its_own_name() {
    let data = Data::planted(200, 12);
    let label = &data.label;
    let frame = Frame::new(1, 200)
        .rule_column("SMA ^=:ü", label.clone())
        .column("BETA_^IDX_60", data.columns[0].clone())
        .column("RET:5 =\"1\"", data.columns[2].clone());
    let train_rows = rows(0, 200);
    let task = Task { label, train_rows: &train_rows, tune_rows: &[], seed: 1, threads: 1, device: "cpu" };
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let model = prepared.fit(&task, "{}", &Listener::default()).unwrap();
    let text = text(&model);
    assert!(text.contains("\nfeature_names=BETA_%5EIDX_60 RET%3A5%20%3D%221%22\n"), "{text}");
    let loaded = harness().load(text.as_bytes()).unwrap();
    assert_eq!(loaded.predict(&frame, &train_rows).unwrap(), model.predict(&frame, &train_rows).unwrap());
    let importance = loaded.importance().unwrap();
    assert!(importance[0] == 0.0 && importance[1] > 0.0 && importance[2] > 0.0, "{importance:?}");
}

#[test]
fn constant_features_predict_the_base_rate() {
    let frame = Frame::new(1, 40).column("RSI_14", vec![50.0; 40]);
    let label: Vec<f32> = (0..40).map(|row| f32::from(row % 4 == 0)).collect();
    let all_rows = rows(0, 40);
    let task = Task { label: &label, train_rows: &all_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let model = harness().prepare(&frame, &all_rows).unwrap().fit(&task, "{}", &Listener::default()).unwrap();
    assert!(model.predict(&frame, &all_rows).unwrap().iter().all(|score| (score - 0.25).abs() < 1e-6));
    assert_eq!(model.importance().unwrap(), [0.0]);
}

/// Returns a table of eight columns and its labels. The label depends on one column. The other
/// columns are nearly constant, so a split on one of them would create a leaf with too few rows.
fn hidden_signal() -> (Frame, Vec<f32>) {
    let nearly_constant = |idx: usize| (0..400).map(|row| f32::from(row % 80 == 9 * idx)).collect::<Vec<_>>();
    let mut columns: Vec<_> = (0..8).map(nearly_constant).collect();
    columns[5] = (0..400).map(|row| (row * 37 % 400) as f32).collect();
    let label = columns[5].iter().map(|value| f32::from(*value > 250.0)).collect();
    let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    (names.into_iter().zip(columns).fold(Frame::new(1, 400), |frame, (name, column)| frame.column(name, column)), label)
}

#[test]
fn a_fit_that_samples_features_continues_after_a_round_without_a_split() {
    let (frame, label) = hidden_signal();
    let all_rows = rows(0, 400);
    let (train_rows, tune_rows) = all_rows.split_at(300);
    let prepared = harness().prepare(&frame, train_rows).unwrap();
    for tune_rows in [&[], tune_rows] {
        let task = Task { label: &label, train_rows, tune_rows, seed: 3, threads: 1, device: "auto" };
        let params = r#"{"feature_fraction": 0.25, "num_iterations": 20, "learning_rate": 0.1}"#;
        let model = prepared.fit(&task, params, &Listener::default()).unwrap();
        assert_eq!(model.summary().unwrap().rounds, Some(20));
        assert!(auc(&model.predict(&frame, &all_rows).unwrap(), &label) > 0.99);
        assert_eq!(harness().load(&model.save().unwrap()).unwrap().summary().unwrap().rounds, Some(20));
    }
}

#[test]
fn a_fit_stops_after_one_round_without_a_split_or_after_32_if_it_samples() {
    let frame = Frame::new(1, 40).column("RSI_14", (0..40).map(|row| f32::from(row == 7)).collect());
    let label: Vec<f32> = (0..40).map(|row| f32::from(row % 4 == 0)).collect();
    let all_rows = rows(0, 40);
    let task = Task { label: &label, train_rows: &all_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let prepared = harness().prepare(&frame, &all_rows).unwrap();
    let fit = |fraction: &str, n_checks| {
        let params = format!(r#"{{"bagging_fraction": {fraction}, "feature_fraction": 1, "num_iterations": 5000}}"#);
        prepared.fit(&task, &params, &Listener::cancelling_at(n_checks)).map(|model| model.summary().unwrap().rounds)
    };
    // The fit checks for cancellation once before the first round, and then once per round.
    assert_eq!(fit("1.0", 3), Ok(Some(1)));
    assert_eq!(fit("0.5", 3).unwrap_err().code, code::CANCELLED);
    assert_eq!(fit("0.5", 34), Ok(Some(1)));
}

#[test]
fn cancellation_stops_a_fit_at_the_next_round() {
    let data = Data::planted(200, 12);
    let frame = data.frame();
    let train_rows = rows(0, 200);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    // The fit checks for cancellation once before the first round, and then once per round, so it
    // is cancelled before round 40.
    let listener = Listener::cancelling_at(41);
    let error = prepared.fit(&data.task(&train_rows, &[]), "{}", &listener).err().unwrap();
    assert_eq!(error.code, code::CANCELLED);
    assert_eq!(listener.reports().last().unwrap(), "progress 0.32 round 32 of 100");
}

#[test]
fn bytes_that_are_not_a_complete_model_are_rejected() {
    let saved = text(&Data::planted(200, 13).fit(&rows(0, 200), r#"{"num_iterations": 5}"#).unwrap());
    let cut = saved[..saved.len() / 2].to_owned();
    let shorter = saved.replacen("Tree=1\n", "Tree=1\n\n", 1);
    let other = saved.replacen("objective=binary", "objective=regression", 1);
    let several = saved.replacen("num_class=1\n", "num_class=3\n", 1);
    for (text, reason) in [
        ("", "does not start with `tree`"),
        ("tree\nversion=v4\n", "has no trees"),
        (cut.as_str(), "is truncated"),
        (shorter.as_str(), "sizes of its trees differ"),
        (other.as_str(), "objective is not `binary`"),
        (several.as_str(), "more than one score per row"),
    ] {
        let error = harness().load(text.as_bytes()).err().unwrap();
        assert_eq!(error.code, code::MODEL);
        assert!(error.message.contains(reason), "{error}");
    }
    assert!(harness().load(saved.as_bytes()).is_ok());
}

/// Returns a model that starts from `base_score`, and its scores of rows 400 to 600 with the base
/// score plus `shift`.
fn fitted_from(data: &Data, base_score: &[f32], shift: f32) -> Result<(Fitted, Vec<f32>), PluginError> {
    let frame = data.frame();
    let train_rows = rows(0, 300);
    let tune_rows = rows(300, 400);
    let prepared = harness().prepare(&frame, &train_rows)?;
    let task = data.task(&train_rows, &tune_rows);
    let model = prepared.fit_from(&task, base_score, "{}", &Listener::default())?;
    let shifted: Vec<f32> = base_score.iter().map(|score| score + shift).collect();
    let scores = model.predict_with(&frame, &rows(400, 600), &shifted, &Listener::default())?;
    Ok((model, scores))
}

fn log_odds(probability: f32) -> f32 {
    (probability / (1.0 - probability)).ln()
}

#[test]
fn scores_are_probabilities_of_the_base_score_plus_the_trees() {
    let data = Data::planted(600, 6);
    let base_score: Vec<f32> = data.columns[1].iter().map(|value| 2.0 * value - 1.0).collect();
    let (model, scores) = fitted_from(&data, &base_score, 0.0).unwrap();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)));
    let (_, raised) = fitted_from(&data, &base_score, 0.5).unwrap();
    // Without a base score, the saved text is the sum of the trees.
    let trees = model.predict(&data.frame(), &rows(400, 600)).unwrap();
    for (((score, raised), trees), base) in scores.iter().zip(raised).zip(trees).zip(&base_score[400..]) {
        assert!((log_odds(*score) - log_odds(trees) - base).abs() < 1e-4, "{score} of {trees} and {base}");
        assert!((log_odds(raised) - log_odds(*score) - 0.5).abs() < 1e-4, "{raised} and {score}");
    }
    let mut missing = base_score.clone();
    missing[401] = f32::NAN;
    let found = model.predict_with(&data.frame(), &[400, 401, 402], &missing, &Listener::default()).unwrap();
    assert!(found[0] == scores[0] && found[1].is_nan() && found[2] == scores[2], "{found:?}");
}

#[test]
fn trees_explain_only_what_the_base_score_leaves() {
    let data = Data::planted(600, 7);
    let flat = vec![log_odds(0.5); 600];
    let exact: Vec<f32> = data.label.iter().map(|label| 40.0 * label - 20.0).collect();
    let (from_flat, scores) = fitted_from(&data, &flat, 0.0).unwrap();
    assert!(auc(&scores, &data.label[400..]) > 0.85);
    // The base score is the label, so no split has a gain and the loss cannot fall.
    let (from_exact, _) = fitted_from(&data, &exact, 0.0).unwrap();
    assert!(from_flat.summary().unwrap().rounds > from_exact.summary().unwrap().rounds);
    let trees = from_exact.predict(&data.frame(), &rows(400, 600)).unwrap();
    assert!(trees.iter().all(|score| (score - 0.5).abs() < 1e-3), "{trees:?}");
}

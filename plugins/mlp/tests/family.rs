//! Tests of the family through its plugin module: accuracy, reproducibility, early stopping and
//! rejected input.

mod support;

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_api::{PluginError, Task, code};
use oculus_plugin_mlp::Mlp;
use oculus_plugin_support::testing::auc;
use support::{Data, bits, rows};

oculus_plugin_api::conformance!(Mlp);

/// Parameters of a short fit that still finds a signal.
const FAST: &str = r#"{"epochs": 12, "learning_rate": 0.01}"#;

fn harness() -> Harness {
    Harness::family::<Mlp>()
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
    let [found, known] = [&scores, &data.chance[700..].to_vec()].map(|scores| auc(scores, &data.label[700..]));
    assert!(known - found <= 0.03, "{found} of {known}");
    assert_eq!(model.summary().unwrap().rounds, Some(100));
    assert_eq!(model.summary().unwrap().device.as_deref(), Some("cpu"));
}

#[test]
fn scales_and_weights_depend_only_on_the_training_rows() {
    let data = Data::planted(600, 2);
    let mut other = data.frame();
    for column in other.values_mut().chunks_mut(600) {
        column[500..].iter_mut().for_each(|value| *value = *value * -50.0 + 7.0);
    }
    let train_rows = rows(0, 400);
    let tune_rows = rows(400, 500);
    let learn_rows = rows(0, 400);
    let frame = data.frame();
    let saved = |frame: &Frame| {
        let prepared = harness().prepare(frame, &learn_rows).unwrap();
        prepared.fit(&data.task(&train_rows, &tune_rows), FAST, &Listener::default()).unwrap().save().unwrap()
    };
    assert_eq!(saved(&frame), saved(&other));

    // A change in a training row does change the model.
    let mut changed = data.frame();
    changed.values_mut()[0] = 3.0;
    assert_ne!(saved(&frame), saved(&changed));
}

#[test]
fn rows_for_early_stopping_choose_the_epoch_and_nothing_else() {
    // The labels are random, so the loss on the rows for early stopping soon rises.
    let data = Data::drawn(1, 600, 6, |_| 0.4);
    let frame = data.frame();
    let train_rows = rows(0, 400);
    let tune_rows = rows(400, 600);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let fit = |tune_rows, epochs: u32, listener: &Listener| {
        let params = format!(r#"{{"epochs": {epochs}, "learning_rate": 0.005, "patience": 10}}"#);
        prepared.fit(&data.task(&train_rows, tune_rows), &params, listener).unwrap()
    };
    let listener = Listener::default();
    let stopped = fit(&tune_rows, 300, &listener);
    let kept = stopped.summary().unwrap().rounds.unwrap();
    let reports = listener.reports();
    let losses: Vec<f64> = reports
        .iter()
        .filter_map(|line| line.strip_prefix("metric tune_loss ")?.split(' ').next_back()?.parse().ok())
        .collect();
    assert_eq!(losses.len(), kept as usize + 10, "patience is 10 epochs");
    assert!(losses.iter().all(|loss| *loss >= losses[kept as usize - 1]), "{kept}: {losses:?}");

    let all_rows = rows(0, 600);
    let scores = |model: &Fitted| bits(&model.predict(&frame, &all_rows).unwrap());
    assert_eq!(scores(&stopped), scores(&fit(&[], kept, &Listener::default())));
    assert_ne!(scores(&stopped), scores(&fit(&[], kept + 1, &Listener::default())));

    // The reported loss equals the loss computed from the scores.
    let loss = |scores: Vec<f32>| {
        let row_loss = |(score, label): (f32, &f32)| -f64::from(if *label == 1.0 { score } else { 1.0 - score }).ln();
        scores.into_iter().zip(&data.label[400..]).map(row_loss).sum::<f64>() / 200.0
    };
    let recomputed = loss(stopped.predict(&frame, &tune_rows).unwrap());
    assert!((recomputed - losses[kept as usize - 1]).abs() < 1e-5, "{recomputed}, {losses:?}");
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
    let first = fit(&task, FAST).save().unwrap();

    let inverted = fit(&Task { label: &flipped, ..task }, FAST).predict(&frame, &rows(400, 500)).unwrap();
    assert!(auc(&inverted, &data.label[400..]) < 0.3);
    assert_ne!(fit(&Task { train_rows: &train_rows[100..], ..task }, FAST).save().unwrap(), first);
    assert_ne!(fit(&Task { seed: 8, ..task }, FAST).save().unwrap(), first);
    for changed in [
        r#"{"epochs": 13, "learning_rate": 0.01}"#,
        r#"{"epochs": 12, "learning_rate": 0.02}"#,
        r#"{"epochs": 12, "learning_rate": 0.01, "batch_size": 32}"#,
        r#"{"epochs": 12, "learning_rate": 0.01, "hidden_sizes": [64]}"#,
        r#"{"epochs": 12, "learning_rate": 0.01, "dropout": 0}"#,
        r#"{"epochs": 12, "learning_rate": 0.01, "weight_decay": 0}"#,
    ] {
        assert_ne!(fit(&task, changed).save().unwrap(), first, "{changed}");
    }
    assert_eq!(fit(&task, FAST).save().unwrap(), first);
}

#[test]
fn concurrent_fits_with_more_threads_equal_sequential_fits() {
    let data = Data::planted(500, 5);
    let frame = data.frame();
    let train_rows = rows(0, 350);
    let tune_rows = rows(350, 500);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    // At this layer size, candle's own matrix product would use several cores.
    let params = r#"{"epochs": 2, "hidden_sizes": [256, 128], "batch_size": 350}"#;
    let fit = |seed: u64, threads: usize| {
        let task = Task { seed, threads, ..data.task(&train_rows, &tune_rows) };
        prepared.fit(&task, params, &Listener::default()).unwrap().save().unwrap()
    };
    let sequential: Vec<_> = (0..4).map(|seed| fit(seed, 1)).collect();
    let concurrent: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|seed| scope.spawn(move || fit(seed, 8))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(concurrent == sequential);
}

#[test]
fn a_saved_model_loads_unchanged() {
    let data = Data::planted(400, 7);
    let model = data.fit(&rows(0, 300), FAST).unwrap();
    let frame = data.frame();
    let saved = model.save().unwrap();
    let loaded = harness().load(&saved).unwrap();
    let scores = |model: &Fitted| bits(&model.predict(&frame, &rows(0, 400)).unwrap());
    assert_eq!(scores(&loaded), scores(&model));
    assert!(loaded.save().unwrap() == saved);
    assert_eq!(loaded.summary().unwrap(), model.summary().unwrap());
    assert_eq!(loaded.importance().err().unwrap().code, code::UNSUPPORTED);
}

#[test]
fn a_score_depends_only_on_its_row() {
    let data = Data::planted(400, 8);
    let model = data.fit(&rows(0, 300), FAST).unwrap();
    let frame = data.frame();
    let all = bits(&model.predict(&frame, &rows(0, 400)).unwrap());
    let thirds: Vec<u32> = (0..400).step_by(3).collect();
    let expected: Vec<u32> = thirds.iter().map(|&row| all[row as usize]).collect();
    assert_eq!(bits(&model.predict(&frame, &thirds).unwrap()), expected);
    for row in [0u32, 63, 64, 255, 399] {
        assert_eq!(bits(&model.predict(&frame, &[row]).unwrap()), [all[row as usize]], "row {row}");
    }
    let mut last_first = Vec::new();
    for chunk in rows(0, 400).chunks(37).rev() {
        last_first.splice(0..0, bits(&model.predict(&frame, chunk).unwrap()));
    }
    assert_eq!(last_first, all);
}

#[test]
fn features_are_found_by_name_in_any_column_order() {
    let data = Data::planted(300, 9);
    let model = data.fit(&rows(0, 200), FAST).unwrap();
    let reversed = support::NAMES.into_iter().zip(data.columns.clone()).rev();
    let reversed = reversed.fold(Frame::new(1, 300), |frame, (name, column)| frame.column(name, column));
    let later = rows(200, 300);
    assert_eq!(bits(&model.predict(&reversed, &later).unwrap()), bits(&model.predict(&data.frame(), &later).unwrap()));

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
    let model = prepared.fit(&data.task(&train_rows, &[]), FAST, &Listener::default()).unwrap();
    let scores = model.predict(&frame, &rows(200, 300)).unwrap();
    let nan_rows: Vec<_> = (200..).zip(&scores).filter(|(_, score)| score.is_nan()).map(|(row, _)| row).collect();
    assert_eq!(nan_rows, [250, 260]);

    let error = prepared.fit(&data.task(&train_rows, &rows(240, 255)), FAST, &Listener::default()).err().unwrap();
    assert_error(&error, code::DATA, &["tune_rows", "250", "RSI_14"]);
    let error = harness().prepare(&frame, &rows(255, 300)).err().unwrap();
    assert_error(&error, code::DATA, &["learn_rows", "260", "ADX_14"]);
}

#[test]
fn an_impossible_fit_is_rejected_with_an_error_code() {
    let mut data = Data::planted(200, 11);
    let invalid = r#"{"epochs": 0, "depth": 3, "hidden_sizes": [0], "dropout": 1, "learning_rate": 2}"#;
    let error = data.fit(&rows(0, 200), invalid).err().unwrap();
    assert_error(&error, code::PARAMS, &["depth", "dropout", "epochs", "hidden_sizes", "learning_rate"]);

    let only_rules = Frame::new(1, 2).rule_column("SMA_20", vec![1.0, 2.0]);
    let error = harness().prepare(&only_rules, &[0, 1]).err().unwrap();
    assert_eq!(error.code, code::DATA);
    let error = harness().prepare(&data.frame(), &[]).err().unwrap();
    assert_eq!(error.code, code::DATA);

    data.label.fill(1.0);
    let error = data.fit(&rows(0, 200), "{}").err().unwrap();
    assert_eq!(error.code, code::DATA);
}

#[test]
fn constant_features_predict_the_base_rate() {
    let frame = Frame::new(1, 400).column("RSI_14", vec![50.1; 400]);
    let label: Vec<f32> = (0..400).map(|row| f32::from(row % 4 == 0)).collect();
    let all_rows = rows(0, 400);
    let task = Task { label: &label, train_rows: &all_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let model = harness().prepare(&frame, &all_rows).unwrap().fit(&task, "{}", &Listener::default()).unwrap();
    let scores = model.predict(&frame, &all_rows).unwrap();
    assert!(scores.iter().all(|score| (score - 0.25).abs() < 0.02 && score == &scores[0]), "{}", scores[0]);
}

#[test]
fn a_network_without_hidden_layers_is_a_logistic_regression() {
    let data = Data::planted(600, 15);
    let params = r#"{"hidden_sizes": [], "epochs": 40, "learning_rate": 0.01}"#;
    let model = data.fit(&rows(0, 400), params).unwrap();
    let scores = model.predict(&data.frame(), &rows(400, 600)).unwrap();
    let [found, known] = [&scores, &data.chance[400..].to_vec()].map(|scores| auc(scores, &data.label[400..]));
    assert!(known - found <= 0.02, "{found} of {known}");
}

#[test]
fn cancellation_stops_a_fit_at_the_next_batch() {
    let data = Data::planted(200, 12);
    let frame = data.frame();
    let train_rows = rows(0, 200);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    // The fit checks for cancellation once before the first epoch, then five times per epoch:
    // before each of the four batches and at the end.
    let listener = Listener::cancelling_at(1 + 5 * 7 + 2);
    let error = prepared.fit(&data.task(&train_rows, &[]), "{}", &listener).err().unwrap();
    assert_eq!(error.code, code::CANCELLED);
    let lines = listener.reports();
    assert!(lines.last().unwrap().starts_with("progress 0.07 epoch 7 of 100, loss 0."), "{lines:?}");
    assert!(lines[lines.len() - 2].starts_with("metric loss 7 0."), "{lines:?}");
}

#[test]
fn a_loss_that_is_not_finite_is_reported_with_its_epoch() {
    let data = Data::planted(200, 13);
    // Each step multiplies the weights by 1 − 10 = −9.
    let params = r#"{"learning_rate": 1, "weight_decay": 10}"#;
    let frame = data.frame();
    let train_rows = rows(0, 200);
    let listener = Listener::default();
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let error = prepared.fit(&data.task(&train_rows, &[]), params, &listener).err().unwrap();
    let n_done = listener.reports().iter().filter(|line| line.starts_with("metric loss ")).count();
    let epoch = format!(" {}", n_done + 1);
    assert_error(&error, code::ENGINE, &[epoch.as_str(), "learning_rate", "weight_decay"]);
}

#[test]
fn the_largest_allowed_learning_rate_still_gives_valid_scores() {
    let data = Data::planted(200, 16);
    let model = data.fit(&rows(0, 150), r#"{"learning_rate": 1, "epochs": 20}"#).unwrap();
    let scores = model.predict(&data.frame(), &rows(150, 200)).unwrap();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
}

#[test]
fn bytes_that_are_not_a_complete_model_are_rejected() {
    let saved = Data::planted(200, 14).fit(&rows(0, 200), r#"{"epochs": 1}"#).unwrap().save().unwrap();
    for end in (0..saved.len()).step_by(101).chain([saved.len() - 1]) {
        assert_eq!(harness().load(&saved[..end]).err().unwrap().code, code::MODEL, "{end} bytes");
    }
    // Each replacement has the length of the original text, so that the offsets in the file stay
    // valid.
    let replaced = |from: &str, to: &str| {
        let position = saved.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&saved[..position], to.as_bytes(), &saved[position + from.len()..]].concat()
    };
    let mut not_finite = saved.clone();
    let end = not_finite.len();
    not_finite[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    for (bytes, part) in [
        (replaced(r#"\"family\":\"mlp\""#, r#"\"family\":\"mlq\""#), "mlq"),
        (replaced(r#"\"format\":1"#, r#"\"format\":2"#), "2"),
        (replaced(r#"[64,32]"#, r#"[64,33]"#), "layers.1.weight"),
        (replaced("oculus", "oculux"), "oculus"),
        (replaced("layers.1.bias", "layers.7.bias"), "layers.1.bias"),
        (not_finite, "layers.2.weight"),
    ] {
        assert_error(&harness().load(&bytes).err().unwrap(), code::MODEL, &[part]);
    }
    let other_clip = harness().load(&replaced(r#"\"clip\":5.0"#, r#"\"clip\":6.0"#)).err().unwrap();
    let expected = "invalid clip: found 6, expected 5";
    assert_eq!((other_clip.code, other_clip.message.as_str()), (code::MODEL, expected));
    assert!(harness().load(&saved).is_ok());
}

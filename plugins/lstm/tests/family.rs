//! Tests of the family through its plugin module: accuracy, reproducibility, windows, early
//! stopping and rejected input.

#[allow(dead_code)]
mod support;

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_api::{PluginError, Role, Task, code};
use oculus_plugin_lstm::Lstm;
use support::{Data, Memory, Size};

oculus_plugin_api::conformance!(Lstm);

const BOTH: [&str; 2] = [r#""training": "segments""#, r#""training": "windowed""#];
/// Parameters of a small network that fits fast.
const SMALL: &str = r#""hidden_size": 6, "sequence_length": 12, "epochs": 3, "label_steps": 4, "burn_in": 3"#;

fn harness() -> Harness {
    Harness::family::<Lstm>()
}

fn params(parts: &[&str]) -> String {
    format!("{{{}}}", parts.join(", "))
}

/// Prepares the table and fits a model on the same rows.
fn fit(frame: &Frame, task: &Task<'_>, params: &str) -> Result<Fitted, PluginError> {
    harness().prepare(frame, task.train_rows)?.fit(task, params, &Listener::default())
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn bits(model: &Fitted, frame: &Frame, rows: &[u32]) -> Vec<u32> {
    model.predict(frame, rows).unwrap().iter().map(|score| score.to_bits()).collect()
}

/// Returns a table of two symbols, 120 days and four columns.
fn small() -> Data {
    Data::planted(Memory::Short, Size::new(2, 120, 4), 1)
}

/// Changes every value of some rows.
fn disturb(frame: &mut Frame, rows: impl Iterator<Item = u32> + Clone) {
    let n_rows = frame.n_rows();
    for column in frame.values_mut().chunks_mut(n_rows) {
        rows.clone().for_each(|row| column[row as usize] = 3.0 - 2.0 * column[row as usize]);
    }
}

#[test]
fn a_planted_memory_is_found_with_sequences_but_not_with_single_rows() {
    let mut data = Data::planted(Memory::Short, Size::new(3, 700, 4), 5);
    data.label = data.truth.iter().map(|&truth| f32::from(truth > 0.5)).collect();
    let train_rows = data.days(0, 500);
    let test_rows = data.days(500, 700);
    let frame = data.frame();
    let auc = |params: &str| {
        let model = fit(&frame, &data.task(&train_rows, &[]), params).unwrap();
        data.auc(&test_rows, &model.predict(&frame, &test_rows).unwrap())
    };
    let net = r#""hidden_size": 16, "num_layers": 1, "learning_rate": 0.01, "epochs": 6"#;
    let one_row = auc(&params(&[net, r#""sequence_length": 1"#]));
    for training in BOTH {
        let sequence = auc(&params(&[net, training, r#""sequence_length": 40"#]));
        assert!(sequence > 0.85 && sequence > one_row + 0.05, "{training}: {sequence}, with one row {one_row}");
    }
}

#[test]
fn the_auc_on_random_labels_is_near_one_half() {
    for training in BOTH {
        let test_auc = |seed| {
            let data = Data::planted(Memory::None, Size::new(4, 400, 3), seed);
            let train_rows = data.days(0, 200);
            let test_rows = data.days(200, 400);
            let frame = data.frame();
            let net = r#""hidden_size": 8, "sequence_length": 10, "epochs": 3, "learning_rate": 0.01"#;
            let model = fit(&frame, &data.task(&train_rows, &[]), &params(&[net, training])).unwrap();
            data.auc(&test_rows, &model.predict(&frame, &test_rows).unwrap())
        };
        let mean = (0..6).map(test_auc).sum::<f64>() / 6.0;
        assert!((mean - 0.5).abs() < 0.03, "{training}: {mean}");
    }
}

#[test]
fn the_manifest_declares_lookback_rounds_and_selection() {
    let manifest = harness().manifest().unwrap();
    assert_eq!((manifest.role, manifest.saves_as.as_deref()), (Role::Sequence, Some("safetensors")));
    assert_eq!((manifest.flag.as_deref(), manifest.prefix.as_deref()), (Some("train_lstm"), Some("lstm_")));
    let [rounds, lookback] = [manifest.rounds_param, manifest.lookback_param];
    assert_eq!((rounds.as_deref(), lookback.as_deref()), (Some("epochs"), Some("sequence_length")));
    assert!(manifest.devices.contains(&"cpu".to_owned()) && !manifest.leads_search);
}

#[test]
fn the_bits_of_a_score_do_not_depend_on_the_other_rows_of_the_call() {
    let data = Data::planted(Memory::Short, Size::new(3, 100, 5), 3);
    let frame = data.frame();
    let train_rows = data.days(0, 60);
    for net in [r#""hidden_size": 7, "num_layers": 3"#, r#""hidden_size": 128, "num_layers": 2"#] {
        let params = params(&[SMALL, net, r#""epochs": 1"#]);
        let model = fit(&frame, &data.task(&train_rows, &[]), &params).unwrap();
        let all_rows = data.days(0, 100);
        let all = bits(&model, &frame, &all_rows);
        for step in [2, 3, 7, 31, 64] {
            let (rows, expected): (Vec<u32>, Vec<u32>) =
                all_rows.iter().zip(&all).skip(step / 2).step_by(step).map(|(row, bits)| (*row, *bits)).unzip();
            assert_eq!(bits(&model, &frame, &rows), expected, "{net}, every {step}");
        }
        for chunk in [1, 5, 33] {
            let reversed = all_rows.chunks(chunk).zip(all.chunks(chunk)).rev();
            reversed.for_each(|(rows, expected)| assert_eq!(bits(&model, &frame, rows), expected, "{net}, {chunk}"));
        }
    }
}

#[test]
fn windows_never_cross_symbols() {
    let data = small();
    let frame = data.frame();
    let mut other = data.frame();
    let second = (120..240).collect::<Vec<_>>();
    disturb(&mut other, 0..120);
    let model = fit(&frame, &data.task(&data.days(0, 90), &[]), &params(&[SMALL])).unwrap();
    assert_eq!(bits(&model, &frame, &second), bits(&model, &other, &second));
    // The second symbol starts at row 120, so its first complete window is the window of row 131.
    let scores = model.predict(&frame, &data.days(0, 120)).unwrap();
    let nan_rows: Vec<usize> = (0..240).filter(|&row| scores[row].is_nan()).collect();
    assert_eq!(nan_rows, (0..11).chain(120..131).collect::<Vec<_>>());

    let train_rows: Vec<u32> = (120..200).collect();
    for training in BOTH {
        let saved =
            |frame| fit(frame, &data.task(&train_rows, &[]), &params(&[SMALL, training])).unwrap().save().unwrap();
        assert_eq!(saved(&frame), saved(&other), "{training}");
    }
}

#[test]
fn windows_read_rows_before_the_training_rows_only_within_the_sequence_length() {
    let data = small();
    let train_rows: Vec<u32> = (40..90).collect();
    for training in BOTH {
        let saved = |rows: std::ops::Range<u32>| {
            let mut frame = data.frame();
            disturb(&mut frame, rows);
            fit(&frame, &data.task(&train_rows, &[]), &params(&[SMALL, training])).unwrap().save().unwrap()
        };
        let undisturbed = saved(0..0);
        // A segment may start a few rows before its first label, but the window of that label
        // begins at row 29.
        assert_eq!(saved(0..29), undisturbed, "{training}");
        assert_ne!(saved(29..40), undisturbed, "{training}");
    }
}

#[test]
fn a_model_does_not_depend_on_later_rows_or_on_other_labels() {
    let data = small();
    let frame = data.frame();
    let mut train_rows = data.days(0, 80);
    let tune_rows = data.days(85, 100);
    train_rows.retain(|row| row % 5 != 0);
    let mut later = data.frame();
    disturb(&mut later, (100..120).chain(220..240));
    let mut other_label = data.label.clone();
    for row in (0..240).filter(|row| !train_rows.contains(row) && !tune_rows.contains(row)) {
        other_label[row as usize] = if row % 2 == 0 { f32::NAN } else { 1.0 - other_label[row as usize] };
    }
    for training in BOTH {
        let task = data.task(&train_rows, &tune_rows);
        let saved = |frame, task| fit(frame, &task, &params(&[SMALL, training])).unwrap().save().unwrap();
        let first = saved(&frame, task);
        assert_eq!(saved(&later, task), first, "{training}");
        assert_eq!(saved(&frame, Task { label: &other_label, ..task }), first, "{training}");
        assert_ne!(
            saved(&frame, Task { label: &data.label.iter().map(|l| 1.0 - l).collect::<Vec<_>>(), ..task }),
            first
        );
    }
}

#[test]
fn equal_seeds_give_equal_bytes_and_different_seeds_different_bytes() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    let more = [r#""averaging": 0.9, "mixed_burn_in": true"#, r#""schedule": "cosine", "num_layers": 1"#];
    for training in BOTH.iter().chain(&more) {
        let params = params(&[SMALL, training]);
        let saved = |seed| fit(&frame, &Task { seed, ..data.task(&train_rows, &[]) }, &params).unwrap().save().unwrap();
        assert_eq!(saved(1), saved(1), "{training}");
        assert_ne!(saved(1), saved(2), "{training}");
    }
}

#[test]
fn one_prepared_table_can_be_fitted_with_other_rows_and_parameters() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let saved =
        |task: &Task<'_>, params: &str| prepared.fit(task, params, &Listener::default()).unwrap().save().unwrap();
    let task = data.task(&train_rows, &[]);
    let first = saved(&task, &params(&[SMALL]));
    assert_ne!(saved(&Task { train_rows: &train_rows[20..], ..task }, &params(&[SMALL])), first);
    assert_ne!(saved(&task, &params(&[SMALL, r#""hidden_size": 5"#])), first);
    assert_eq!(saved(&task, &params(&[SMALL])), first);
}

#[test]
fn every_sequence_length_fits_and_scores_exactly_the_rows_with_enough_history() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    for length in [1, 2, 3, 5, 30, 60] {
        for training in BOTH {
            let length_params = format!(r#""sequence_length": {length}, "hidden_size": 3, "epochs": 1"#);
            let model = fit(&frame, &data.task(&train_rows, &[]), &params(&[&length_params, training])).unwrap();
            let scores = model.predict(&frame, &data.days(0, 120)).unwrap();
            let has_score = |row: usize| row % 120 + 1 >= length;
            assert!((0..240).all(|row| scores[row].is_finite() == has_score(row)), "{length}, {training}");
            assert!(scores.iter().all(|score| score.is_nan() || (0.0..=1.0).contains(score)));
        }
    }
}

#[test]
fn a_missing_value_makes_exactly_the_scores_of_its_windows_nan() {
    let data = small();
    let frame = data.frame();
    let mut incomplete = data.frame();
    let train_rows = data.days(0, 90);
    let model = fit(&frame, &data.task(&train_rows, &[]), &params(&[SMALL])).unwrap();
    incomplete.values_mut()[50] = f32::NAN;
    incomplete.values_mut()[240 + 180] = f32::INFINITY;
    let complete = bits(&model, &frame, &data.days(0, 120));
    let scores = bits(&model, &incomplete, &data.days(0, 120));
    for row in 0..240 {
        let is_affected = (50..62).contains(&row) || (180..192).contains(&row);
        assert_eq!(scores[row] != complete[row], is_affected, "row {row}");
        assert!(!is_affected || f32::from_bits(scores[row]).is_nan());
    }
    for training in BOTH {
        let model = fit(&incomplete, &data.task(&train_rows, &[]), &params(&[SMALL, training])).unwrap();
        assert!(model.predict(&frame, &[100]).unwrap()[0].is_finite());
    }
}

#[test]
fn early_stopping_restores_the_best_epoch() {
    // The labels are random, so the loss on the rows for early stopping soon rises.
    let data = Data::planted(Memory::None, Size::new(2, 150, 4), 9);
    let frame = data.frame();
    let train_rows = data.days(0, 100);
    let tune_rows = data.days(100, 150);
    for training in BOTH {
        let net = r#""hidden_size": 12, "sequence_length": 8, "learning_rate": 0.02, "patience": 4"#;
        let fit = |tune_rows, epochs: u32| {
            let epochs = format!(r#""epochs": {epochs}"#);
            fit(&frame, &data.task(&train_rows, tune_rows), &params(&[net, training, &epochs])).unwrap()
        };
        let stopped = fit(&tune_rows, 60);
        let kept = stopped.summary().unwrap().rounds.unwrap();
        assert!((1..56).contains(&kept), "{training}: {kept} epochs");
        assert_eq!(stopped.save().unwrap(), fit(&[], kept).save().unwrap(), "{training}");
    }
}

#[test]
fn each_epoch_is_reported_with_its_losses() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 80);
    let tune_rows = data.days(80, 100);
    let reported = |tune_rows: &[u32]| {
        let prepared = harness().prepare(&frame, &train_rows).unwrap();
        let listener = Listener::default();
        prepared.fit(&data.task(&train_rows, tune_rows), &params(&[SMALL]), &listener).unwrap();
        let is_at_end_of_epoch = |line: &String| !line.starts_with("progress") || line.contains("loss");
        let lines = listener.reports().into_iter().filter(is_at_end_of_epoch);
        lines.map(|line| line.split("0.").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let left_out = "log 3 skipping 22 of 160 training rows: they have fewer than 12 rows of history";
    assert_eq!(reported(&tune_rows)[..4], [left_out, "metric loss 1 ", "metric tune_loss 1 ", "progress "]);
    assert_eq!(reported(&[]).len(), 1 + 3 * 2);
    let listener = Listener::default();
    harness()
        .prepare(&frame, &train_rows)
        .unwrap()
        .fit(&data.task(&train_rows, &[]), &params(&[SMALL]), &listener)
        .unwrap();
    let progress: Vec<String> = listener.reports().into_iter().filter(|line| line.starts_with("progress")).collect();
    assert!(progress.iter().any(|line| line.contains("epoch 1 of 3, loss 0.")), "{progress:?}");
    let fraction = |line: &String| line.split(' ').nth(1).unwrap().parse::<f64>().unwrap();
    let fractions: Vec<f64> = progress.iter().map(fraction).collect();
    assert!(fractions.is_sorted() && fractions.len() > 6 && fractions[fractions.len() - 1] == 1.0, "{fractions:?}");
}

#[test]
fn cancellation_stops_a_fit_within_an_epoch() {
    let data = Data::planted(Memory::Short, Size::new(2, 120, 4), 1);
    let frame = data.frame();
    let train_rows = data.days(0, 120);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    for training in BOTH {
        for n_checks in [1, 2, 4] {
            let listener = Listener::cancelling_at(n_checks);
            let result = prepared.fit(&data.task(&train_rows, &[]), &params(&[SMALL, training]), &listener);
            assert_eq!(result.err().unwrap().code, code::CANCELLED);
            assert!(!listener.reports().iter().any(|line| line.starts_with("metric")), "{:?}", listener.reports());
        }
    }
    let listener = Listener::cancelling_at(1);
    let setting = oculus_plugin_api::Setting::default();
    assert_eq!(harness().prepare_with(&frame, &train_rows, &setting, &listener).err().unwrap().code, code::CANCELLED);
}

#[test]
fn a_loss_that_is_not_finite_is_reported_with_its_epoch() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    for training in BOTH {
        let diverging = r#""learning_rate": 1.0, "weight_decay": 1000, "epochs": 50"#;
        let listener = Listener::default();
        let prepared = harness().prepare(&frame, &train_rows).unwrap();
        let result = prepared.fit(&data.task(&train_rows, &[]), &params(&[SMALL, training, diverging]), &listener);
        let error = result.err().unwrap();
        assert_eq!(error.code, code::ENGINE);
        let n_done = listener.reports().iter().filter(|line| line.starts_with("metric loss ")).count();
        let epoch = format!(" {}:", n_done + 1);
        let parts = [epoch.as_str(), "learning_rate", "weight_decay"];
        assert!(parts.iter().all(|part| error.message.contains(part)), "{error}, after {n_done} epochs");
    }
}

#[test]
fn unusable_training_rows_are_rejected_with_the_reason() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    let error_message = |task: Task<'_>, params: &str| {
        let error = fit(&frame, &task, params).err().unwrap();
        assert_eq!(error.code, code::DATA, "{error}");
        error.message.to_string()
    };
    let long = params(&[SMALL, r#""sequence_length": 100"#]);
    let message = error_message(data.task(&train_rows, &[]), &long);
    assert!(message.starts_with("found no complete window of 100 rows for any of 180 training rows"), "{message}");
    let message = error_message(data.task(&train_rows[20..], &train_rows[..8]), &params(&[SMALL]));
    assert!(
        message.starts_with("found no complete window of 12 rows for any of 8 rows for early stopping"),
        "{message}"
    );
    let ones = vec![1.0; 240];
    let message = error_message(Task { label: &ones, ..data.task(&train_rows, &[]) }, &params(&[SMALL]));
    assert!(message.contains("158"), "{message}");

    let for_rules = Frame::new(1, 5).rule_column("SMA_20", vec![1.0; 5]);
    assert_eq!(harness().prepare(&for_rules, &[0]).err().unwrap().code, code::DATA);
}

#[test]
fn a_missing_device_is_rejected_unless_the_host_sets_cpu() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    let devices = harness().manifest().unwrap().devices;
    let Some(absent) = ["mps", "cuda"].into_iter().find(|name| !devices.iter().any(|device| device == name)) else {
        return;
    };
    let params = params(&[SMALL, &format!(r#""device": "{absent}""#)]);
    let error = fit(&frame, &Task { device: "auto", ..data.task(&train_rows, &[]) }, &params).err().unwrap();
    assert_eq!(error.code, code::DEVICE);
    assert!(error.message.contains(&format!("`{absent}`")) && error.message.contains("cpu"), "{error}");
    let model = fit(&frame, &data.task(&train_rows, &[]), &params).unwrap();
    assert_eq!(model.summary().unwrap().device.as_deref(), Some("cpu"));
}

#[test]
fn a_saved_model_loads_unchanged_and_damaged_bytes_are_rejected() {
    let data = small();
    let frame = data.frame();
    let model = fit(&frame, &data.task(&data.days(0, 90), &[]), &params(&[SMALL])).unwrap();
    let saved = model.save().unwrap();
    let loaded = harness().load(&saved).unwrap();
    assert_eq!(bits(&loaded, &frame, &data.days(0, 120)), bits(&model, &frame, &data.days(0, 120)));
    assert_eq!((loaded.save().unwrap(), loaded.summary().unwrap()), (saved.clone(), model.summary().unwrap()));
    let incomplete = Frame::new(1, 40).column("F_0", vec![0.0; 40]);
    let error = loaded.predict(&incomplete, &[30]).err().unwrap();
    assert!(error.code == code::DATA && error.message.contains("F_1, F_2, F_3"), "{error}");

    for length in (0..saved.len()).step_by(97) {
        assert_eq!(harness().load(&saved[..length]).err().unwrap().code, code::MODEL, "{length} bytes");
    }
    let replaced = |from: &str, to: &str| {
        let position = saved.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&saved[..position], to.as_bytes(), &saved[position + from.len()..]].concat()
    };
    for (from, to) in [
        (r#"hidden_size\":6"#, r#"hidden_size\":7"#),
        (r#"num_layers\":2"#, r#"num_layers\":9"#),
        (r#"sequence_length\":12"#, r#"sequence_length\":00"#),
        (r#"family\":\"lstm"#, r#"family\":\"gltm"#),
        (r#"\"format\":1"#, r#"\"format\":2"#),
        ("lstm.weight_hh_l0", "lstm.weight_hh_l7"),
        ("oculus", "aculus"),
    ] {
        assert_eq!(harness().load(&replaced(from, to)).err().unwrap().code, code::MODEL, "{to}");
    }
}

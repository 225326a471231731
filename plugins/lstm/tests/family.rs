//! The family through its module: what it learns from, what it repeats, what it refuses.

#[allow(dead_code)]
mod support;

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_api::{PluginError, Role, Task, code};
use oculus_plugin_lstm::Lstm;
use support::{Data, Memory, Size};

oculus_plugin_api::conformance!(Lstm);

const BOTH: [&str; 2] = [r#""training": "segments""#, r#""training": "windowed""#];
/// A net that fits in no time.
const SMALL: &str = r#""hidden_size": 6, "sequence_length": 12, "epochs": 3, "label_steps": 4, "burn_in": 3"#;

fn harness() -> Harness {
    Harness::family::<Lstm>()
}

fn params(parts: &[&str]) -> String {
    format!("{{{}}}", parts.join(", "))
}

/// Prepares and fits on the same rows.
fn fit(frame: &Frame, task: &Task<'_>, params: &str) -> Result<Fitted, PluginError> {
    harness().prepare(frame, task.train_rows)?.fit(task, params, &Listener::default())
}

#[allow(clippy::unwrap_used, reason = "a helper of tests, which fail by panicking")]
fn bits(model: &Fitted, frame: &Frame, rows: &[u32]) -> Vec<u32> {
    model.predict(frame, rows).unwrap().iter().map(|score| score.to_bits()).collect()
}

/// Two symbols, 120 days, four columns.
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
fn a_planted_memory_is_found_that_a_single_row_does_not_show() {
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
        assert!(sequence > 0.85 && sequence > one_row + 0.05, "{training}: {sequence}, of one row {one_row}");
    }
}

#[test]
fn labels_without_meaning_are_not_foretold() {
    for training in BOTH {
        let of_seed = |seed| {
            let data = Data::planted(Memory::None, Size::new(4, 400, 3), seed);
            let train_rows = data.days(0, 200);
            let test_rows = data.days(200, 400);
            let frame = data.frame();
            let net = r#""hidden_size": 8, "sequence_length": 10, "epochs": 3, "learning_rate": 0.01"#;
            let model = fit(&frame, &data.task(&train_rows, &[]), &params(&[net, training])).unwrap();
            data.auc(&test_rows, &model.predict(&frame, &test_rows).unwrap())
        };
        let mean = (0..6).map(of_seed).sum::<f64>() / 6.0;
        assert!((mean - 0.5).abs() < 0.03, "{training}: {mean}");
    }
}

#[test]
fn the_manifest_says_how_far_it_looks_back_and_what_selects_it() {
    let manifest = harness().manifest().unwrap();
    assert_eq!((manifest.role, manifest.saves_as.as_deref()), (Role::Sequence, Some("safetensors")));
    assert_eq!((manifest.flag.as_deref(), manifest.prefix.as_deref()), (Some("train_lstm"), Some("lstm_")));
    let [rounds, lookback] = [manifest.rounds_param, manifest.lookback_param];
    assert_eq!((rounds.as_deref(), lookback.as_deref()), (Some("epochs"), Some("sequence_length")));
    assert!(manifest.devices.contains(&"cpu".to_owned()) && !manifest.leads_search);
}

#[test]
fn a_score_has_the_same_bits_whichever_others_are_asked_for() {
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
    // The window of the second symbol's row 120 + 11 starts at its first row.
    let scores = model.predict(&frame, &data.days(0, 120)).unwrap();
    let without: Vec<usize> = (0..240).filter(|&row| scores[row].is_nan()).collect();
    assert_eq!(without, (0..11).chain(120..131).collect::<Vec<_>>());

    let train_rows: Vec<u32> = (120..200).collect();
    for training in BOTH {
        let saved =
            |frame| fit(frame, &data.task(&train_rows, &[]), &params(&[SMALL, training])).unwrap().save().unwrap();
        assert_eq!(saved(&frame), saved(&other), "{training}");
    }
}

#[test]
fn windows_read_the_features_of_rows_before_the_training_rows_and_no_further() {
    let data = small();
    let train_rows: Vec<u32> = (40..90).collect();
    for training in BOTH {
        let saved = |rows: std::ops::Range<u32>| {
            let mut frame = data.frame();
            disturb(&mut frame, rows);
            fit(&frame, &data.task(&train_rows, &[]), &params(&[SMALL, training])).unwrap().save().unwrap()
        };
        let undisturbed = saved(0..0);
        // A segment may start a few rows before the first label, whose window has the whole length.
        assert_eq!(saved(0..29), undisturbed, "{training}");
        assert_ne!(saved(29..40), undisturbed, "{training}");
    }
}

#[test]
fn nothing_but_the_rows_to_learn_from_and_those_before_them_changes_a_model() {
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
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
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
fn one_prepared_table_serves_other_labels_rows_and_parameters() {
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
fn every_sequence_length_fits_and_scores_the_rows_that_have_it() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    for length in [1, 2, 3, 5, 30, 60] {
        for training in BOTH {
            let length_of = format!(r#""sequence_length": {length}, "hidden_size": 3, "epochs": 1"#);
            let model = fit(&frame, &data.task(&train_rows, &[]), &params(&[&length_of, training])).unwrap();
            let scores = model.predict(&frame, &data.days(0, 120)).unwrap();
            let has_score = |row: usize| row % 120 + 1 >= length;
            assert!((0..240).all(|row| scores[row].is_finite() == has_score(row)), "{length}, {training}");
            assert!(scores.iter().all(|score| score.is_nan() || (0.0..=1.0).contains(score)));
        }
    }
}

#[test]
fn a_hole_in_the_features_silences_the_windows_that_hold_it_and_no_other() {
    let data = small();
    let frame = data.frame();
    let mut holed = data.frame();
    let train_rows = data.days(0, 90);
    let model = fit(&frame, &data.task(&train_rows, &[]), &params(&[SMALL])).unwrap();
    holed.values_mut()[50] = f32::NAN;
    holed.values_mut()[240 + 180] = f32::INFINITY;
    let whole = bits(&model, &frame, &data.days(0, 120));
    let scores = bits(&model, &holed, &data.days(0, 120));
    for row in 0..240 {
        let holds_it = (50..62).contains(&row) || (180..192).contains(&row);
        assert_eq!(scores[row] != whole[row], holds_it, "row {row}");
        assert!(!holds_it || f32::from_bits(scores[row]).is_nan());
    }
    for training in BOTH {
        let model = fit(&holed, &data.task(&train_rows, &[]), &params(&[SMALL, training])).unwrap();
        assert!(model.predict(&frame, &[100]).unwrap()[0].is_finite());
    }
}

#[test]
fn early_stopping_restores_the_best_epoch() {
    // Labels without meaning: the loss on other rows soon rises.
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
        let lines = listener.heard().into_iter().filter(is_at_end_of_epoch);
        lines.map(|line| line.split("0.").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let left_out = "log 3 22 of 160 training rows have less than 12 rows of history";
    assert_eq!(reported(&tune_rows)[..4], [left_out, "metric loss 1 ", "metric tune_loss 1 ", "progress "]);
    assert_eq!(reported(&[]).len(), 1 + 3 * 2);
    let listener = Listener::default();
    harness()
        .prepare(&frame, &train_rows)
        .unwrap()
        .fit(&data.task(&train_rows, &[]), &params(&[SMALL]), &listener)
        .unwrap();
    let progress: Vec<String> = listener.heard().into_iter().filter(|line| line.starts_with("progress")).collect();
    assert!(progress.iter().any(|line| line.contains("epoch 1 of 3, loss 0.")), "{progress:?}");
    let fraction = |line: &String| line.split(' ').nth(1).unwrap().parse::<f64>().unwrap();
    let fractions: Vec<f64> = progress.iter().map(fraction).collect();
    assert!(fractions.is_sorted() && fractions.len() > 6 && fractions[fractions.len() - 1] == 1.0, "{fractions:?}");
}

#[test]
fn a_cancel_ends_the_fit_within_an_epoch() {
    let data = Data::planted(Memory::Short, Size::new(2, 120, 4), 1);
    let frame = data.frame();
    let train_rows = data.days(0, 120);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    for training in BOTH {
        for n_checks in [1, 2, 4] {
            let listener = Listener::cancelling_at(n_checks);
            let result = prepared.fit(&data.task(&train_rows, &[]), &params(&[SMALL, training]), &listener);
            assert_eq!(result.err().unwrap().code, code::CANCELLED);
            assert!(!listener.heard().iter().any(|line| line.starts_with("metric")), "{:?}", listener.heard());
        }
    }
    let listener = Listener::cancelling_at(1);
    let setting = oculus_plugin_api::Setting::default();
    assert_eq!(harness().prepare_with(&frame, &train_rows, &setting, &listener).err().unwrap().code, code::CANCELLED);
}

#[test]
fn a_loss_that_is_no_number_names_the_epoch() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    for training in BOTH {
        let wild = r#""learning_rate": 1.0, "weight_decay": 1000, "epochs": 50"#;
        let listener = Listener::default();
        let prepared = harness().prepare(&frame, &train_rows).unwrap();
        let result = prepared.fit(&data.task(&train_rows, &[]), &params(&[SMALL, training, wild]), &listener);
        let error = result.err().unwrap();
        assert_eq!(error.code, code::ENGINE);
        let n_done = listener.heard().iter().filter(|line| line.starts_with("metric loss ")).count();
        let epoch = format!(" {}:", n_done + 1);
        let names = [epoch.as_str(), "learning_rate", "weight_decay"];
        assert!(names.iter().all(|name| error.message.contains(name)), "{error}, after {n_done} epochs");
    }
}

#[test]
fn rows_that_cannot_be_learnt_from_are_refused_with_the_reason() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    let refused = |task: Task<'_>, params: &str| {
        let error = fit(&frame, &task, params).err().unwrap();
        assert_eq!(error.code, code::DATA, "{error}");
        error.message.to_string()
    };
    let long = params(&[SMALL, r#""sequence_length": 100"#]);
    let message = refused(data.task(&train_rows, &[]), &long);
    assert!(message.starts_with("none of 180 training rows has 100 whole rows"), "{message}");
    let message = refused(data.task(&train_rows[20..], &train_rows[..8]), &params(&[SMALL]));
    assert!(message.starts_with("none of 8 rows for early stopping has 12 whole rows"), "{message}");
    let ones = vec![1.0; 240];
    let message = refused(Task { label: &ones, ..data.task(&train_rows, &[]) }, &params(&[SMALL]));
    assert!(message.contains("158"), "{message}");

    let for_rules = Frame::new(1, 5).rule_column("SMA_20", vec![1.0; 5]);
    assert_eq!(harness().prepare(&for_rules, &[0]).err().unwrap().code, code::DATA);
}

#[test]
fn a_device_that_is_not_there_is_refused_unless_the_host_says_cpu() {
    let data = small();
    let frame = data.frame();
    let train_rows = data.days(0, 90);
    let devices = harness().manifest().unwrap().devices;
    let Some(absent) = ["mps", "cuda"].into_iter().find(|name| !devices.iter().any(|own| own == name)) else { return };
    let params = params(&[SMALL, &format!(r#""device": "{absent}""#)]);
    let error = fit(&frame, &Task { device: "auto", ..data.task(&train_rows, &[]) }, &params).err().unwrap();
    assert_eq!(error.code, code::DEVICE);
    assert!(error.message.contains(&format!("`{absent}`")) && error.message.contains("cpu"), "{error}");
    let model = fit(&frame, &data.task(&train_rows, &[]), &params).unwrap();
    assert_eq!(model.summary().unwrap().device.as_deref(), Some("cpu"));
}

#[test]
fn a_model_survives_its_own_bytes_and_no_others() {
    let data = small();
    let frame = data.frame();
    let model = fit(&frame, &data.task(&data.days(0, 90), &[]), &params(&[SMALL])).unwrap();
    let saved = model.save().unwrap();
    let again = harness().load(&saved).unwrap();
    assert_eq!(bits(&again, &frame, &data.days(0, 120)), bits(&model, &frame, &data.days(0, 120)));
    assert_eq!((again.save().unwrap(), again.summary().unwrap()), (saved.clone(), model.summary().unwrap()));
    let lacking = Frame::new(1, 40).column("F_0", vec![0.0; 40]);
    let error = again.predict(&lacking, &[30]).err().unwrap();
    assert!(error.code == code::DATA && error.message.contains("F_1, F_2, F_3"), "{error}");

    for length in (0..saved.len()).step_by(97) {
        assert_eq!(harness().load(&saved[..length]).err().unwrap().code, code::MODEL, "{length} bytes");
    }
    let replaced = |from: &str, to: &str| {
        let place = saved.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&saved[..place], to.as_bytes(), &saved[place + from.len()..]].concat()
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

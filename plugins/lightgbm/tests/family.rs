//! The family through its module: what it learns from, what it repeats, what it refuses.

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

/// Asserts the code of an error, and that its message holds names and numbers.
fn assert_names(error: &PluginError, code: u32, names: &[&str]) {
    assert_eq!(error.code, code, "{error}");
    assert!(names.iter().all(|name| error.message.contains(name)), "{error}");
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
fn planted_rules_are_found_almost_as_well_as_by_who_knows_them() {
    let rules: [fn(f32, f32) -> f32; 2] = [
        // Neither feature says anything alone.
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
fn bins_and_trees_come_from_the_rows_to_learn_from_alone() {
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

    // And they do depend on those rows.
    let mut learnt = data.frame();
    learnt.values_mut()[0] = 3.0;
    assert_ne!(saved(&frame), saved(&learnt));
}

#[test]
fn a_subset_of_a_prepared_table_fits_like_a_table_of_its_own() {
    let data = Data::planted(600, 3);
    let own = Data {
        columns: data.columns.iter().map(|column| column[..350].to_vec()).collect(),
        label: data.label[..350].to_vec(),
    };
    let train_rows = rows(0, 350);
    assert_eq!(text(&data.fit(&train_rows, "{}").unwrap()), text(&own.fit(&train_rows, "{}").unwrap()));
}

#[test]
fn one_prepared_table_serves_other_labels_rows_and_parameters() {
    let data = Data::planted(500, 4);
    let flipped: Vec<f32> = data.label.iter().map(|label| 1.0 - label).collect();
    let frame = data.frame();
    let train_rows = rows(0, 400);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let task = data.task(&train_rows, &[]);
    let fit = |task: &Task<'_>, params| prepared.fit(task, params, &Listener::default()).unwrap();
    let first = text(&fit(&task, "{}"));

    let against = fit(&Task { label: &flipped, ..task }, "{}").predict(&frame, &rows(400, 500)).unwrap();
    assert!(auc(&against, &data.label[400..]) < 0.1);
    assert_ne!(text(&fit(&Task { train_rows: &train_rows[100..], ..task }, "{}")), first);
    assert_ne!(text(&fit(&task, r#"{"num_leaves": 4}"#)), first);
    assert_ne!(text(&fit(&Task { seed: 8, ..task }, "{}")), first);
    assert_eq!(text(&fit(&task, "{}")), first);
}

#[test]
fn fits_side_by_side_equal_those_in_a_row() {
    let data = Data::planted(500, 5);
    let frame = data.frame();
    let train_rows = rows(0, 350);
    let tune_rows = rows(350, 500);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let fit = |seed: u64| {
        let task = Task { seed, ..data.task(&train_rows, &tune_rows) };
        text(&prepared.fit(&task, r#"{"bagging_fraction": 0.7}"#, &Listener::default()).unwrap())
    };
    let in_a_row: Vec<_> = (0..8).map(fit).collect();
    let side_by_side: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|thread| scope.spawn(move || [fit(2 * thread), fit(2 * thread + 1)])).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(side_by_side, in_a_row);
}

#[test]
fn early_stopping_restores_the_best_round() {
    // Labels without meaning: the loss on other rows soon rises.
    let mut data = Data::planted(600, 6);
    let mut noise = Noise::new(99);
    data.label.iter_mut().for_each(|label| *label = f32::from(noise.unit_f32() > 0.6));
    let frame = data.frame();
    let train_rows = rows(0, 400);
    let tune_rows = rows(400, 600);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let fit = |tune_rows, rounds: u32| {
        let params = format!(r#"{{"num_iterations": {rounds}, "learning_rate": 0.1, "early_stopping_round": 20}}"#);
        prepared.fit(&data.task(&train_rows, tune_rows), &params, &Listener::default()).unwrap()
    };
    let stopped = fit(&tune_rows, 300);
    let kept = stopped.summary().unwrap().rounds.unwrap();
    assert!((1..300).contains(&kept), "{kept} rounds");

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
        assert!(best <= loss(&fit(&[], rounds)) + 1e-4, "{rounds} rounds lose less than {kept}");
    }
}

#[test]
fn a_model_survives_its_own_bytes() {
    let data = Data::planted(400, 7);
    let model = data.fit(&rows(0, 300), "{}").unwrap();
    let frame = data.frame();
    let again = harness().load(&model.save().unwrap()).unwrap();
    let scores = |model: &Fitted| model.predict(&frame, &rows(0, 400)).unwrap();
    assert_eq!(
        scores(&again).iter().map(|s| s.to_bits()).collect::<Vec<_>>(),
        scores(&model).iter().map(|s| s.to_bits()).collect::<Vec<_>>()
    );
    assert_eq!(text(&again), text(&model));
    assert_eq!(again.importance().unwrap(), model.importance().unwrap());
    assert_eq!(again.summary().unwrap(), model.summary().unwrap());
    assert!(text(&model).contains("\nfeature_names=RSI_14 MACD_HIST ADX_14 NATR_14 RET_5 BB_PCT_B_20\n"));
}

#[test]
fn importance_is_shared_among_the_features_of_models() {
    let data = Data::planted(500, 8);
    let importance = data.fit(&rows(0, 500), "{}").unwrap().importance().unwrap();
    assert_eq!(importance.len(), 7);
    assert_eq!(importance[2], 0.0, "SMA_20 is for rules");
    assert!((importance.iter().sum::<f64>() - 1.0).abs() < 1e-12 && importance.iter().all(|share| *share >= 0.0));
    let noise = [1, 4, 5, 6].map(|idx| importance[idx]);
    assert!(noise.iter().all(|share| *share < importance[3] && importance[3] < importance[0]), "{importance:?}");
}

#[test]
fn features_are_found_by_name_wherever_they_stand() {
    let data = Data::planted(300, 9);
    let model = data.fit(&rows(0, 200), "{}").unwrap();
    let turned = support::NAMES.into_iter().zip(data.columns.clone()).rev();
    let turned = turned.fold(Frame::new(1, 300), |frame, (name, column)| frame.column(name, column));
    let later = rows(200, 300);
    assert_eq!(model.predict(&turned, &later).unwrap(), model.predict(&data.frame(), &later).unwrap());

    let lacking = Frame::new(1, 300).column("RSI_14", data.columns[0].clone());
    let error = model.predict(&lacking, &later).err().unwrap();
    assert_names(&error, code::DATA, &["MACD_HIST", "ADX_14"]);
}

#[test]
fn values_that_are_not_finite_are_refused_to_learn_from_and_score_nothing() {
    let data = Data::planted(300, 10);
    let mut frame = data.frame();
    // Column 0 is RSI_14; 3 is ADX_14 behind the one for rules.
    frame.values_mut()[250] = f32::NAN;
    frame.values_mut()[3 * 300 + 260] = f32::INFINITY;
    let train_rows = rows(0, 200);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let model = prepared.fit(&data.task(&train_rows, &[]), "{}", &Listener::default()).unwrap();
    let scores = model.predict(&frame, &rows(200, 300)).unwrap();
    let without: Vec<_> = (200..).zip(&scores).filter(|(_, score)| score.is_nan()).map(|(row, _)| row).collect();
    assert_eq!(without, [250, 260]);

    let refused = prepared.fit(&data.task(&train_rows, &rows(240, 255)), "{}", &Listener::default()).err().unwrap();
    assert_names(&refused, code::DATA, &["tune_rows", "250", "RSI_14"]);
    let refused = harness().prepare(&frame, &rows(255, 300)).err().unwrap();
    assert_names(&refused, code::DATA, &["learn_rows", "260", "ADX_14"]);
}

#[test]
fn what_cannot_be_fitted_is_named() {
    let mut data = Data::planted(200, 11);
    let error = data.fit(&rows(0, 200), r#"{"num_leaves": 1, "depth": 3}"#).err().unwrap();
    assert_names(&error, code::PARAMS, &["depth", "num_leaves"]);

    let frame = data.frame();
    let train_rows = rows(0, 200);
    let on_gpu = Task { device: "cuda", ..data.task(&train_rows, &[]) };
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    let error = prepared.fit(&on_gpu, "{}", &Listener::default()).err().unwrap();
    assert_names(&error, code::DEVICE, &["cuda", "cpu"]);

    let only_rules = Frame::new(1, 2).rule_column("SMA_20", vec![1.0, 2.0]);
    let error = harness().prepare(&only_rules, &[0, 1]).err().unwrap();
    assert_eq!(error.code, code::DATA);

    let odd_name = Frame::new(1, 2).column("a b", vec![1.0, 2.0]);
    assert_eq!(harness().prepare(&odd_name, &[0, 1]).err().unwrap().code, code::DATA);

    data.label.fill(1.0);
    let error = data.fit(&rows(0, 200), "{}").err().unwrap();
    assert_eq!(error.code, code::DATA);
}

#[test]
fn features_that_never_move_give_the_base_rate() {
    let frame = Frame::new(1, 40).column("RSI_14", vec![50.0; 40]);
    let label: Vec<f32> = (0..40).map(|row| f32::from(row % 4 == 0)).collect();
    let all_rows = rows(0, 40);
    let task = Task { label: &label, train_rows: &all_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let model = harness().prepare(&frame, &all_rows).unwrap().fit(&task, "{}", &Listener::default()).unwrap();
    assert!(model.predict(&frame, &all_rows).unwrap().iter().all(|score| (score - 0.25).abs() < 1e-6));
    assert_eq!(model.importance().unwrap(), [0.0]);
}

/// One column of eight follows the label; the others hardly ever move, so that no leaf is large enough to split on them.
fn hidden_signal() -> (Frame, Vec<f32>) {
    let still = |idx: usize| (0..400).map(|row| f32::from(row % 80 == 9 * idx)).collect::<Vec<_>>();
    let mut columns: Vec<_> = (0..8).map(still).collect();
    columns[5] = (0..400).map(|row| (row * 37 % 400) as f32).collect();
    let label = columns[5].iter().map(|value| f32::from(*value > 250.0)).collect();
    let names = ["A", "B", "C", "D", "E", "F", "G", "H"];
    (names.into_iter().zip(columns).fold(Frame::new(1, 400), |frame, (name, column)| frame.column(name, column)), label)
}

#[test]
fn rounds_that_draw_other_features_go_on_after_one_without_a_split() {
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
fn rounds_without_a_split_end_the_fit_at_once_where_nothing_is_drawn_and_soon_where_something_is() {
    let frame = Frame::new(1, 40).column("RSI_14", (0..40).map(|row| f32::from(row == 7)).collect());
    let label: Vec<f32> = (0..40).map(|row| f32::from(row % 4 == 0)).collect();
    let all_rows = rows(0, 40);
    let task = Task { label: &label, train_rows: &all_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    let prepared = harness().prepare(&frame, &all_rows).unwrap();
    let fit = |fraction: &str, n_checks| {
        let params = format!(r#"{{"bagging_fraction": {fraction}, "feature_fraction": 1, "num_iterations": 5000}}"#);
        prepared.fit(&task, &params, &Listener::cancelling_at(n_checks)).map(|model| model.summary().unwrap().rounds)
    };
    // One question before the first round, then one a round.
    assert_eq!(fit("1.0", 3), Ok(Some(1)));
    assert_eq!(fit("0.5", 3).unwrap_err().code, code::CANCELLED);
    assert_eq!(fit("0.5", 34), Ok(Some(1)));
}

#[test]
fn a_cancel_ends_the_fit_at_the_next_round() {
    let data = Data::planted(200, 12);
    let frame = data.frame();
    let train_rows = rows(0, 200);
    let prepared = harness().prepare(&frame, &train_rows).unwrap();
    // One question before the first round, then one a round: cancelled before round 40.
    let listener = Listener::cancelling_at(41);
    let error = prepared.fit(&data.task(&train_rows, &[]), "{}", &listener).err().unwrap();
    assert_eq!(error.code, code::CANCELLED);
    assert_eq!(listener.heard().last().unwrap(), "progress 0.32 round 32 of 100");
}

#[test]
fn bytes_that_are_no_whole_model_are_refused() {
    let saved = text(&Data::planted(200, 13).fit(&rows(0, 200), r#"{"num_iterations": 5}"#).unwrap());
    let cut = saved[..saved.len() / 2].to_owned();
    let shorter = saved.replacen("Tree=1\n", "Tree=1\n\n", 1);
    let other = saved.replacen("objective=binary", "objective=regression", 1);
    let several = saved.replacen("num_class=1\n", "num_class=3\n", 1);
    for (text, why) in [
        ("", "does not start with `tree`"),
        ("tree\nversion=v4\n", "has no trees"),
        (cut.as_str(), "is cut off"),
        (shorter.as_str(), "of other sizes than it says"),
        (other.as_str(), "objective is not `binary`"),
        (several.as_str(), "more than one score a row"),
    ] {
        let error = harness().load(text.as_bytes()).err().unwrap();
        assert_eq!(error.code, code::MODEL);
        assert!(error.message.contains(why), "{error}");
    }
    assert!(harness().load(saved.as_bytes()).is_ok());
}

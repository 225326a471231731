//! Claims about the search, on synthetic panels with a small real family.

pub(crate) mod panel;

use std::cell::RefCell;

use oculus_job::code::ErrorCode;
use oculus_job::error::JobErrorKind;
use oculus_job::warning::WarningCode;
use oculus_plugin_api::code;
use serde_json::{Value, json};

use self::panel::{Centroid, Panel, no_params};
use super::row_scores::MissingScoresError;
use super::*;
use crate::{
    fitter::{FitError, Fitter},
    metrics::auc,
    splits::{Splits, pooled_valid_rows},
};

fn search(panel: &Panel, fitter: &dyn Fitter, n_trials: usize, n_parallel: usize) -> Result<SearchResult, JobError> {
    let params = no_params();
    let family = Family { fitter, params: &params, device: "auto" };
    run(&panel.search_context(n_parallel), &family, n_trials, &|_| {})
}

fn search_panel(panel: &Panel, n_trials: usize) -> SearchResult {
    search(panel, &Centroid::new(&panel.table), n_trials, 1).unwrap()
}

#[test]
fn a_planted_signal_is_found() {
    let panel = Panel::new(1, 0.6, &[1.0, 2.0]);
    let outcome = search_panel(&panel, 10);
    assert!(outcome.score.unwrap() > 0.1, "{:?}", outcome.score);
    let pooled = auc(&panel.labels[outcome.label_idx].value, &outcome.oof.scores).unwrap();
    assert!(pooled > 0.65, "{pooled}");
}

#[test]
fn features_without_information_score_near_zero() {
    let scores: Vec<f64> =
        (0..8).map(|seed| search_panel(&Panel::new(seed, 0.0, &[1.0, 2.0]), 10).score.unwrap()).collect();
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!((-0.05..0.03).contains(&mean), "{mean} of {scores:?}");
}

#[test]
fn the_outcome_does_not_depend_on_the_number_of_parallel_fits() {
    let panel = Panel::new(3, 0.3, &[1.0, 2.0, 3.0]);
    let outcome = |n_parallel| {
        let outcome = search(&panel, &Centroid::new(&panel.table), 14, n_parallel).unwrap();
        format!("{outcome:?}")
    };
    let alone = outcome(1);
    assert_eq!(alone, outcome(4));
    assert_eq!(alone, outcome(3));
}

#[test]
fn the_search_does_not_depend_on_test_rows() {
    let panel = Panel::new(4, 0.3, &[1.0, 2.0]);
    let other = panel.with_another_test();
    assert_ne!(panel.table.values, other.table.values);
    assert_eq!(format!("{:?}", search_panel(&panel, 12)), format!("{:?}", search_panel(&other, 12)));
}

#[test]
fn trials_are_reported_in_order_and_labels_use_at_most_half_of_them() {
    let panel = Panel::new(5, 0.3, &[0.5, 1.0, 1.5, 2.0, 2.5]);
    let reported = RefCell::new(Vec::new());
    let params = no_params();
    let fitter = Centroid::new(&panel.table);
    let family = Family { fitter: &fitter, params: &params, device: "auto" };
    let on_trial = |event: TrialEvent<'_>| reported.borrow_mut().push((event.trial.number, event.n_trials));
    let outcome = run(&panel.search_context(2), &family, 7, &on_trial).unwrap();
    assert_eq!(reported.into_inner(), (1..=7).map(|number| (number, 7)).collect::<Vec<_>>());
    let n_label_trials = outcome.trials.iter().filter(|trial| trial.kind == TrialKind::Label).count();
    assert_eq!((n_label_trials, outcome.trials.len()), (3, 7));
    let not_tried: Vec<f64> = outcome
        .labels
        .iter()
        .filter(|row| row.status == LabelStatus::NotTried)
        .map(|row| row.name.threshold_pct)
        .collect();
    assert_eq!(not_tried, [0.5, 2.5], "the labels with moderate base rates are tried");
}

#[test]
fn tables_are_prepared_once_per_fold() {
    let panel = Panel::new(17, 0.3, &[0.5, 1.5, 2.5]);
    let fitter = Centroid::new(&panel.table);
    search(&panel, &fitter, 12, 2).unwrap();
    assert_eq!(fitter.n_prepared.into_inner(), panel.splits[0].folds.len());
}

#[test]
fn one_trial_is_the_prior_on_the_label_of_median_base_rate() {
    let panel = Panel::new(6, 0.3, &[0.5, 1.5, 2.5]);
    let outcome = search_panel(&panel, 1);
    assert_eq!((outcome.trials.len(), outcome.label_idx), (1, 1));
    assert_eq!(outcome.params, no_params());
}

#[test]
fn a_label_with_too_few_positives_is_rejected_with_the_reason() {
    let panel = Panel::new(7, 0.3, &[2.0, 9.5]);
    let outcome = search_panel(&panel, 6);
    assert_eq!((outcome.label_idx, outcome.labels[1].status), (0, LabelStatus::Rejected));
    let reason = &outcome.labels[1].reason;
    let numbers: Vec<usize> = reason.split([' ', ';', ',']).filter_map(|word| word.parse().ok()).collect();
    assert_eq!(numbers[3..], [20, 4, 20], "{reason}");
    assert!(outcome.trials.iter().all(|trial| trial.label.threshold_pct == 2.0));
}

#[test]
fn if_all_labels_are_too_rare_half_of_the_trials_run_and_a_warning_names_the_counts() {
    let panel = Panel::new(8, 0.3, &[12.0, 6.0]);
    let outcome = search_panel(&panel, 12);
    assert_eq!((outcome.label_idx, outcome.trials.len(), outcome.is_judged()), (1, 6, false));
    assert_eq!(outcome.labels[1].status, LabelStatus::TooRare);
    let warning = &outcome.warnings[0];
    assert_eq!(warning.code, WarningCode::AucWeak);
    assert!(warning.message.contains("6 % in 1 sessions") && warning.message.contains("expected at least 20"));
}

#[test]
fn labels_with_a_single_class_are_rejected_before_any_fit() {
    for (thresholds, direction) in [([500.0, 900.0], "lower"), ([-99.0, -90.0], "raise"), ([-99.0, 900.0], "choose")] {
        let panel = Panel::new(8, 0.3, &thresholds);
        let fitter = Centroid::new(&panel.table);
        let failure = search(&panel, &fitter, 6, 1).unwrap_err();
        assert_eq!((failure.code, failure.kind), (ErrorCode::NoLabelLearnable, JobErrorKind::Refused));
        let development = &panel.splits[0].development.train_rows;
        let returns = || development.iter().map(|&row| panel.labels[0].forward_return_pct[row as usize]);
        let largest = format!("{:.4} %", returns().fold(f64::MIN, f64::max));
        let least = format!("{:.4} %", returns().fold(f64::MAX, f64::min));
        assert!(failure.message.contains(&largest) && failure.message.contains(&least), "{failure:?}");
        assert!(failure.hint.starts_with(&format!("{direction} design.profit_threshold_options")), "{failure:?}");
        assert_eq!(failure.hint.contains(&largest), direction != "raise", "{failure:?}");
        assert_eq!(failure.hint.contains(&least), direction != "lower", "{failure:?}");
        assert_eq!(fitter.n_prepared.into_inner(), 0);
    }
}

#[test]
fn a_label_with_a_single_class_is_not_used_as_the_fallback() {
    // The base rates are 0 and about 0.98: the first is nearer to 0.3, but it cannot be learned.
    let panel = Panel::new(8, 0.0, &[500.0, -6.8]);
    let outcome = search_panel(&panel, 4);
    assert_eq!(outcome.label_idx, 1, "{:?}", outcome.labels);
}

#[test]
fn parameters_that_the_job_fixes_are_in_every_trial() {
    let panel = Panel::new(9, 0.3, &[1.0]);
    let fitter = Centroid::new(&panel.table);
    let params = json!({"power": 1.25}).as_object().unwrap().clone();
    let family = Family { fitter: &fitter, params: &params, device: "auto" };
    let outcome = run(&panel.search_context(1), &family, 9, &|_| {}).unwrap();
    assert!(outcome.trials.iter().all(|trial| trial.params["power"] == 1.25));
    assert!(outcome.trials[1..].iter().all(|trial| trial.params.contains_key("columns")));
}

#[test]
fn the_prior_is_kept_if_other_parameters_change_nothing() {
    let panel = Panel::new(10, 0.5, &[1.0]);
    let fitter = Centroid::blind_to(&panel.table, 5, "one-column");
    let outcome = search(&panel, &fitter, 9, 1).unwrap();
    assert_eq!(outcome.params, no_params());
    let reason = outcome.gain_over_prior.unwrap_err().to_string();
    assert!(reason.contains("+0.0000"), "{reason}");
    let alone = search_panel(&panel, 1).gain_over_prior.unwrap_err().to_string();
    assert_eq!(alone, "the family's prior was kept: no other configuration was fitted");
}

#[test]
fn a_clear_gain_replaces_the_prior() {
    let panel = Panel::new(14, 0.6, &[1.0]);
    let outcome = search(&panel, &Centroid::blind_by_default(&panel.table), 12, 2).unwrap();
    assert_eq!(outcome.params["sees_signal"], true);
    let gain = outcome.gain_over_prior.unwrap();
    assert!(gain.is_clear() && gain.value > 0.05, "{gain:?}");
    let best = outcome.trials.iter().filter_map(|trial| trial.score).fold(f64::MIN, |best, it| best.max(it.get()));
    assert_eq!(outcome.score, Some(best));
}

#[test]
fn a_clearly_better_label_is_chosen_instead_of_the_median() {
    let mut panel = Panel::new(15, 0.1, &[0.5, 1.5, 2.5]);
    let signal = panel.table.by_name("SIGNAL").unwrap().to_vec();
    let known = panel.labels[2].value.iter().zip(signal);
    panel.labels[2].value =
        known.map(|(old, s)| if old.is_nan() { f32::NAN } else { f32::from(u8::from(s > 1.0)) }).collect();
    let outcome = search_panel(&panel, 6);
    assert_eq!((outcome.label_idx, outcome.labels[2].status), (2, LabelStatus::Chosen));
    assert!(outcome.labels[2].reason.starts_with("beats the label of median base rate by 0."));
    assert_eq!(outcome.labels[1].status, LabelStatus::Tried);
}

#[test]
fn the_standard_error_of_a_gain_is_paired() {
    let panel = Panel::new(16, 0.5, &[1.0]);
    let context = panel.search_context(1);
    let rows: Vec<u32> = panel.splits[0].folds.iter().flat_map(|fold| fold.valid_rows.iter().copied()).collect();
    let signal = panel.table.by_name("SIGNAL").unwrap();
    let noise = panel.table.by_name("NOISE_1").unwrap();
    let mixed = |weight: f32| -> Vec<f32> { signal.iter().zip(noise).map(|(s, n)| s + weight * n).collect() };
    let against_signal = |scores: &[f32]| {
        let pooled = Contender { label: &panel.labels[0], rows: &rows, scores, baseline: None };
        gain(&context, &Contender { scores: signal, ..pooled.clone() }, &pooled).unwrap()
    };

    let same = against_signal(signal);
    assert_eq!((same.value, same.standard_error, same.is_clear()), (0.0, 0.0, false));
    let near = against_signal(&mixed(0.3));
    let far = against_signal(noise);
    assert!(
        near.standard_error < far.standard_error / 2.0,
        "correlated scores have a smaller error: {near:?}, {far:?}"
    );
    assert!(far.is_clear() && far.value > near.value);
}

#[test]
fn a_rejected_configuration_is_reported_and_the_others_continue() {
    let panel = Panel::new(11, 0.5, &[1.0]);
    let fitter = Centroid::new(&panel.table).with_fault(|request| {
        let power = request.params.get("power").and_then(Value::as_f64);
        let refused = || FitError::Rejected { code: code::PARAMS, message: "power is too large".to_owned() };
        power.filter(|power| *power > 1.0).map(|_| refused())
    });
    let outcome = search(&panel, &fitter, 13, 2).unwrap();
    let (refused, scored): (Vec<_>, Vec<_>) = outcome.trials.iter().partition(|trial| trial.reason.is_some());
    assert!(!refused.is_empty() && !scored.is_empty());
    assert!(refused.iter().all(|trial| trial.reason.as_deref() == Some("power is too large")));
}

#[test]
fn the_death_of_the_lead_family_fails_the_search_and_a_cancellation_cancels_it() {
    let panel = Panel::new(12, 0.5, &[1.0]);
    let died = Centroid::new(&panel.table)
        .with_fault(|_| Some(FitError::Died { cause: "signal 11".to_owned(), stderr: vec!["oops".to_owned()] }));
    let failure = search(&panel, &died, 4, 1).unwrap_err();
    assert_eq!((failure.code, failure.retryable), (ErrorCode::PluginDied, true));
    assert!(failure.message.contains("signal 11") && failure.message.contains("oops"), "{}", failure.message);

    let cancelled = Centroid::new(&panel.table).with_fault(|_| Some(FitError::Cancelled));
    let failure = search(&panel, &cancelled, 4, 1).unwrap_err();
    assert_eq!((failure.kind, failure.code.as_str()), (JobErrorKind::Cancelled, "cancelled"));
}

#[test]
fn folds_too_short_for_a_tail_do_not_influence_the_rounds() {
    // The folds train on 100, 200 and 300 dates; the first one has fewer than 100 dates in addition
    // to a tail.
    let panel = Panel::new(13, 0.5, &[1.0]);
    let with_folds = |folds: std::ops::Range<usize>| {
        let panel = Panel::new(13, 0.5, &[1.0]);
        let cut = |splits: &Splits| {
            let folds = splits.folds[folds.clone()].to_vec();
            Splits { valid_rows: pooled_valid_rows(&folds), folds, ..splits.clone() }
        };
        Panel { splits: panel.splits.iter().map(cut).collect(), ..panel }
    };
    let stopped = search_panel(&panel, 1).oof.rounds.unwrap();
    assert!(stopped < 6, "early stopping ended at {stopped}");
    assert_eq!(search_panel(&with_folds(1..3), 1).oof.rounds, Some(stopped));
    assert_eq!(search_panel(&with_folds(0..1), 1).oof.rounds, Some(6), "the number of rounds of the fold");
}

#[test]
fn a_gain_from_few_blocks_must_exceed_two_standard_errors() {
    let gain = |n_blocks| Gain { value: 0.015, standard_error: 0.01, n_blocks };
    assert!(gain(8.0).is_clear() && !gain(7.9).is_clear());
    assert!(Gain { value: 0.021, ..gain(3.0) }.is_clear());
}

#[test]
fn missing_scores_of_a_family_are_an_error() {
    let error = every_row_scored(&[0.1, f32::NAN, 0.3], &[4, 5, 6]).unwrap_err();
    assert_eq!(error, MissingScoresError::NotFinite { n_missing: 1, n_rows: 3 });
    assert_eq!(error.to_string(), "the family left 1 of 3 rows without a score");
    let error = every_row_scored(&[0.1], &[4, 5]).unwrap_err();
    assert_eq!(error, MissingScoresError::WrongNumber { n_scores: 1, n_rows: 2 });
}

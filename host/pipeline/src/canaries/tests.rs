//! Claims about the label shifts, on synthetic panels.

use std::cell::RefCell;

use oculus_job::error::JobErrorKind;
use oculus_plugin_api::code;

use super::{
    shifts::{read, shifted, shifts},
    *,
};
use crate::{
    fitter::{FitError, FitRequest},
    search::{
        self, PriorScore,
        tests::panel::{Centroid, Panel, no_params},
    },
};

/// Runs the search on a panel, then the label shifts.
fn label_shifts(panel: &Panel, in_search: &Centroid<'_>, in_canaries: &Centroid<'_>) -> Result<LabelShifts, JobError> {
    let context = panel.search_context(2);
    let params = no_params();
    let lead = Family { fitter: in_search, params: &params, device: "auto" };
    let outcome = search::run(&context, &lead, 2, &|_| {}).unwrap();
    shifts::run(&context, &outcome, &Family { fitter: in_canaries, ..lead }, &|_, _| {})
}

fn shifts_of(panel: &Panel) -> LabelShifts {
    let family = Centroid::new(&panel.table);
    label_shifts(panel, &family, &family).unwrap()
}

fn warning_codes(label_shifts: LabelShifts) -> Vec<&'static str> {
    let canaries = Canaries { label_shifts, ..Canaries::default() };
    canaries.warnings().into_iter().map(|warning| warning.code.as_str()).collect()
}

#[test]
fn a_planted_signal_scores_more_than_every_shifted_label() {
    let found = shifts_of(&Panel::new(1, 0.6, &[1.0]));
    assert_eq!((found.n_shifts, found.shifted_scores.len(), found.rank), (19, 19, Some(1)));
    assert_eq!(found.p_value, Finite::new(0.05));
    assert!(found.score.unwrap().get() > 0.1, "{found:?}");
    let mean = found.shifted_scores.iter().map(|score| score.get()).sum::<f64>() / 19.0;
    assert!((-0.05..0.02).contains(&mean), "a shifted label cannot be forecast: {mean}");
    assert_eq!(warning_codes(found), [""; 0]);
}

#[test]
fn on_noise_every_rank_is_equally_likely() {
    let p_values: Vec<f64> =
        (0..40).map(|seed| shifts_of(&Panel::new(seed, 0.0, &[1.0])).p_value.unwrap().get()).collect();
    let mean = p_values.iter().sum::<f64>() / 40.0;
    // The tolerance is three standard deviations of the mean of forty uniform numbers.
    assert!((mean - 0.525).abs() < 3.0 * (1.0 / 12.0_f64 / 40.0).sqrt(), "{mean} of {p_values:?}");
    assert!(p_values.iter().any(|p| *p < 0.3) && p_values.iter().any(|p| *p > 0.7), "{p_values:?}");
}

#[test]
fn a_score_that_a_shifted_label_reaches_causes_a_warning() {
    let beaten =
        (0..20).map(|seed| shifts_of(&Panel::new(seed, 0.0, &[1.0]))).find(|found| found.rank > Some(1)).unwrap();
    let n_as_good = beaten.shifted_scores.iter().filter(|score| **score >= beaten.score.unwrap()).count();
    assert_eq!(beaten.rank, Some(n_as_good + 1));
    assert!(beaten.reading.contains(&format!("{n_as_good} of 19")), "{}", beaten.reading);
    assert_eq!(warning_codes(beaten), ["no_better_than_shifted_labels"]);
}

#[test]
fn a_reading_states_the_score_and_the_number_of_shifts_that_reach_it() {
    assert_eq!(
        read(0.1234, 0, 19),
        "the real label scores +0.123, more than each of the 19 shifted labels: the model found information about it"
    );
    assert_eq!(
        read(-0.01, 4, 18),
        "the real label scores -0.010, and 4 of 18 shifted labels, which cannot be forecast, score at least as much: \
         the score may be chance"
    );
}

#[test]
fn the_unshifted_label_has_the_score_of_the_search() {
    let panel = Panel::new(2, 0.4, &[1.0]);
    let context = panel.search_context(1);
    let params = no_params();
    let fitter = Centroid::new(&panel.table);
    let lead = Family { fitter: &fitter, params: &params, device: "auto" };
    let outcome = search::run(&context, &lead, 1, &|_| {}).unwrap();
    let rows = &panel.splits[0].development.train_rows;
    let unmoved = shifted(&panel.table, &panel.labels[0], rows, 0);
    let scores = search::Prior::new(&context, &lead, 0).scores(vec![unmoved]).unwrap();
    assert_eq!(scores, [PriorScore::Scored(outcome.score.unwrap())]);
}

#[test]
fn shifts_are_even_distinct_and_beyond_the_horizon() {
    let mut panel = Panel::new(3, 0.3, &[1.0]);
    let rows = panel.splits[0].development.train_rows.clone();
    let n_dates = rows.len() / 2;
    let panel_shifts = |panel: &Panel| shifts(&panel.table, &panel.labels[0], &rows);
    let even = panel_shifts(&panel).unwrap();
    assert_eq!(even.len(), 19);
    let step = (n_dates - n_dates / 20 - n_dates / 3) / 18;
    assert!(even.windows(2).all(|pair| (step..=step + 1).contains(&(pair[1] - pair[0]))), "{even:?}");
    assert!(
        even.iter().all(|shift| n_dates - shift >= n_dates / 3),
        "labels within the look-back of the features: {even:?}"
    );
    panel.labels[0].key.horizon_days = 60;
    panel.labels[0].horizon_bars = 60;
    let far = panel_shifts(&panel).unwrap();
    assert!(far.iter().all(|&shift| shift > 60 && n_dates - shift > 60), "{far:?}");
    assert!(far.windows(2).all(|pair| pair[0] < pair[1]), "{far:?}");
    panel.labels[0].key.horizon_days = 195;
    panel.labels[0].horizon_bars = 195;
    let reason = panel_shifts(&panel).unwrap_err().to_string();
    let expected = format!("{n_dates} dates are too few for 19 shifts of more than 195 dates in both directions");
    assert_eq!(reason, expected);
}

#[test]
fn a_shift_moves_every_symbol_by_the_same_dates_and_leaves_other_rows_without_a_label() {
    let panel = Panel::new(4, 0.3, &[1.0]);
    let table = &panel.table;
    let label = &panel.labels[0];
    let rows = &panel.splits[0].development.train_rows;
    let moved = shifted(table, label, rows, 30);
    let n_dates = rows.len() / 2;
    for symbol_rows in rows.chunks(n_dates) {
        for (idx, &row) in symbol_rows.iter().enumerate() {
            assert_eq!(moved[row as usize], label.value[symbol_rows[(idx + 30) % n_dates] as usize]);
        }
    }
    let mut outside = (0..table.n_rows() as u32).filter(|row| rows.binary_search(row).is_err());
    assert!(outside.all(|row| moved[row as usize].is_nan()));
}

#[test]
fn the_label_shifts_do_not_depend_on_test_rows() {
    let panel = Panel::new(5, 0.3, &[1.0]);
    assert_eq!(shifts_of(&panel), shifts_of(&panel.with_another_test()));
}

#[test]
fn tables_are_prepared_once_per_fold_and_progress_is_reported() {
    let panel = Panel::new(6, 0.3, &[1.0]);
    let context = panel.search_context(3);
    let params = no_params();
    let fitter = Centroid::new(&panel.table);
    let lead = Family { fitter: &fitter, params: &params, device: "auto" };
    let outcome = search::run(&context, &lead, 1, &|_| {}).unwrap();
    let reported = RefCell::new(Vec::new());
    let fitter = Centroid::new(&panel.table);
    let found = shifts::run(&context, &outcome, &Family { fitter: &fitter, ..lead }, &|n_done, n_shifts| {
        reported.borrow_mut().push((n_done, n_shifts));
    });
    assert_eq!(found.unwrap().n_shifts, 19);
    assert_eq!(fitter.n_prepared.into_inner(), panel.splits[0].folds.len());
    assert_eq!(reported.into_inner(), [(4, 19), (8, 19), (12, 19), (16, 19), (19, 19)]);
}

#[test]
fn a_label_that_is_too_rare_is_not_fitted_and_the_reason_is_reported() {
    let panel = Panel::new(8, 0.3, &[12.0, 7.0]);
    let in_canaries = Centroid::new(&panel.table);
    let found = label_shifts(&panel, &Centroid::new(&panel.table), &in_canaries).unwrap();
    assert_eq!((found.n_shifts, found.rank, found.score), (0, None, None));
    let reason = found.reasons.get("rank").unwrap();
    assert!(reason.starts_with("the label is too rare to be evaluated: fold "), "{reason}");
    assert!(found.reading.contains(reason), "{}", found.reading);
    assert_eq!(in_canaries.n_prepared.into_inner(), 0);
}

#[test]
fn the_rank_is_null_if_the_family_fails_and_a_cancellation_cancels_the_job() {
    let panel = Panel::new(9, 0.3, &[1.0]);
    let healthy = Centroid::new(&panel.table);
    let with = |fault: fn(&FitRequest<'_>) -> Option<FitError>| {
        label_shifts(&panel, &healthy, &Centroid::new(&panel.table).with_fault(fault))
    };
    let died = with(|_| Some(FitError::Died { cause: "signal 11".to_owned(), stderr: Vec::new() })).unwrap();
    assert!(died.score.is_some() && died.rank.is_none() && died.p_value.is_none());
    assert!(died.reasons.get("rank").unwrap().contains("signal 11"), "{died:?}");
    let refused = with(|_| Some(FitError::Rejected { code: code::DATA, message: "too little".to_owned() })).unwrap();
    assert_eq!((refused.n_shifts, refused.reasons.get("rank")), (19, Some("too little")));
    let cancelled = with(|_| Some(FitError::Cancelled)).unwrap_err();
    assert_eq!(cancelled.kind, JobErrorKind::Cancelled);
}

#[test]
fn shifts_without_a_score_are_left_out_with_the_reason() {
    let panel = Panel::new(10, 0.3, &[1.0]);
    // The number of positive training rows differs between shifts, so this fault rejects only some
    // of the shifts.
    let odd = |request: &FitRequest<'_>| {
        let n_positive = request.train_rows.iter().filter(|row| request.label[**row as usize] == 1.0).count();
        let message = "odd number of positives".to_owned();
        (n_positive % 2 == 1).then_some(FitError::Rejected { code: code::DATA, message })
    };
    let found =
        label_shifts(&panel, &Centroid::new(&panel.table), &Centroid::new(&panel.table).with_fault(odd)).unwrap();
    let n_scores = found.shifted_scores.len();
    assert!(0 < n_scores && n_scores < 19, "{n_scores}");
    let expected = format!("{} of 19 shifts have no score: odd number of positives", 19 - n_scores);
    assert_eq!(found.reasons.get("shifted_scores"), Some(expected.as_str()));
    assert_eq!(found.p_value, Finite::new(found.rank.unwrap() as f64 / (n_scores + 1) as f64));
}

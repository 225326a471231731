#![allow(clippy::unwrap_used)]

use std::sync::{Mutex, PoisonError};

use oculus_plugin_api::{Setting, code};

use super::*;
use crate::pipeline::{
    fitter::{Fitter, PreparedId},
    search::tests::panel::{Centroid, Panel, no_params},
};

/// A family that notes what it was asked to score.
struct Watched<'a> {
    family: Centroid<'a>,
    scored: Mutex<Vec<Vec<u32>>>,
}

impl<'a> Watched<'a> {
    fn new(family: Centroid<'a>) -> Self {
        Self { family, scored: Mutex::default() }
    }

    fn n_requests_on(&self, rows: &[u32]) -> usize {
        let scored = self.scored.lock().unwrap_or_else(PoisonError::into_inner);
        scored.iter().filter(|asked| asked.iter().any(|row| rows.contains(row))).count()
    }
}

impl Fitter for Watched<'_> {
    fn manifest(&self) -> &Manifest {
        self.family.manifest()
    }

    fn prepare(&self, learn_rows: &[u32], setting: &Setting) -> Result<PreparedId, FitError> {
        self.family.prepare(learn_rows, setting)
    }

    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError> {
        self.scored.lock().unwrap_or_else(PoisonError::into_inner).push(request.predict_rows.to_vec());
        self.family.fit(request)
    }
}

fn train(panel: &Panel, lead: &dyn Fitter, others: &[&dyn Fitter]) -> Result<Training, Failure> {
    let params = no_params();
    let family = |fitter| Family { fitter, params: &params, device: "auto" };
    let study = panel.study(2);
    let outcome = search::run(&study, &family(lead), 6, &|_| {}).unwrap();
    let others: Vec<_> = others.iter().map(|other| Candidate::Ready(family(*other))).collect();
    run(&study, &outcome, &family(lead), &others, &|_| {})
}

#[test]
fn the_test_is_scored_once_and_by_the_winner_only() {
    let panel = Panel::new(1, 0.5, &[1.0]);
    let lead = Watched::new(Centroid::new(&panel.table));
    let other = Watched::new(Centroid::blind_to(&panel.table, 1, "blind"));
    let training = train(&panel, &lead, &[&other]).unwrap();
    let test_rows = &panel.splits[0].test_rows;
    assert_eq!((lead.n_requests_on(test_rows), other.n_requests_on(test_rows)), (1, 0));
    assert_eq!((training.winner.name.as_str(), training.winner.test_scores.len()), ("Centroid", test_rows.len()));
}

/// A family whose scores have another origin and scale in every fit.
struct Stretched<'a>(Centroid<'a>);

impl Fitter for Stretched<'_> {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn prepare(&self, learn_rows: &[u32], setting: &oculus_plugin_api::Setting) -> Result<PreparedId, FitError> {
        self.0.prepare(learn_rows, setting)
    }

    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError> {
        let mut fitted = self.0.fit(request)?;
        let n_rows = request.train_rows.len() as f32;
        fitted.scores.iter_mut().for_each(|score| *score = *score * 1e3 / n_rows + n_rows);
        Ok(fitted)
    }
}

#[test]
fn the_flagged_share_is_near_the_base_rate_even_where_the_models_of_the_folds_differ_in_scale() {
    for seed in 0..5 {
        let panel = Panel::new(seed, 0.5, &[1.0]);
        let test = train(&panel, &Stretched(Centroid::new(&panel.table)), &[]).unwrap().test;
        let share = test.flagged_share.unwrap().get() / test.base_rate.unwrap().get();
        assert!((0.6..1.7).contains(&share), "seed {seed}: {share}");
    }
}

#[test]
fn a_planted_signal_shows_on_the_test_beyond_the_baseline() {
    let panel = Panel::new(2, 0.7, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let test = train(&panel, &lead, &[]).unwrap().test;
    assert!(test.auc.unwrap().get() > 0.65, "{:?}", test.auc);
    let interval = test.auc_minus_baseline_ci95.unwrap();
    assert!(interval.0.get() > 0.0, "{interval:?}");
    assert!(interval.0 <= test.auc_minus_baseline.unwrap() && test.auc_minus_baseline.unwrap() <= interval.1);
    let share = test.flagged_share.unwrap().get() / test.base_rate.unwrap().get();
    assert!((0.5..2.0).contains(&share), "about as many are flagged as are positive: {share}");
    assert_eq!(test.per_symbol.iter().map(|row| row.n_test).sum::<usize>(), test.n_test);
    assert!(test.reasons.is_empty(), "{:?}", test.reasons);
}

#[test]
fn a_baseline_that_forecasts_backwards_does_not_flatter_the_model() {
    let below = (0..20).find_map(|seed| {
        let panel = Panel::new(seed, 0.5, &[1.0]);
        let test = train(&panel, &Centroid::new(&panel.table), &[]).unwrap().test;
        (test.auc_volatility_baseline.unwrap().get() < 0.5).then_some(test)
    });
    let test = below.unwrap();
    assert_eq!(test.auc_minus_baseline.unwrap().get(), test.auc.unwrap().get() - 0.5);
}

#[test]
fn the_lead_stays_unless_clearly_beaten() {
    let panel = Panel::new(3, 0.6, &[1.0]);
    let (all, blind) = (Centroid::new(&panel.table), Centroid::blind_to(&panel.table, 1, "blind"));
    let twin = Centroid::blind_to(&panel.table, 0, "twin");
    let winner = |lead, others: &[&dyn Fitter]| {
        let rows = train(&panel, lead, others).unwrap().rows;
        rows.into_iter().find(|row| row.winner).unwrap()
    };
    assert_eq!(winner(&all, &[&twin, &blind]).name, "Centroid");
    let better = winner(&blind, &[&all]);
    assert_eq!(better.name, "Centroid");
    let validation = better.validation.unwrap();
    assert!(validation.gain_over_lead.unwrap() > validation.gain_standard_error.unwrap());
}

#[test]
fn all_families_are_judged_on_the_same_rows() {
    let panel = Panel::new(4, 0.5, &[1.0]);
    let (lead, other) = (Centroid::new(&panel.table), Centroid::blind_to(&panel.table, 1, "blind"));
    let rows = train(&panel, &lead, &[&other]).unwrap().rows;
    let n_rows: Vec<usize> = rows.iter().map(|row| row.validation.as_ref().unwrap().n_rows).collect();
    assert_eq!(n_rows, vec![panel.splits[0].folds[2].valid_rows.len(); 2]);
}

#[test]
fn a_family_that_fails_or_is_missing_leaves_the_others() {
    let panel = Panel::new(5, 0.5, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let died = Centroid::blind_to(&panel.table, 0, "dead")
        .with_fault(|_| Some(FitError::Died { cause: "signal 9".to_owned(), stderr: vec![] }));
    let refuses = Centroid::blind_to(&panel.table, 0, "picky")
        .with_fault(|_| Some(FitError::Refused { code: code::DATA, message: "too few rows".to_owned() }));
    let params = no_params();
    let family = |fitter| Family { fitter, params: &params, device: "auto" };
    let study = panel.study(1);
    let outcome = search::run(&study, &family(&lead), 2, &|_| {}).unwrap();
    let others = [
        Candidate::Ready(family(&died)),
        Candidate::Unavailable { name: "LSTM", reason: "no installed plugin answers to it" },
        Candidate::Ready(family(&refuses)),
    ];
    let training = run(&study, &outcome, &family(&lead), &others, &|_| {}).unwrap();
    let fared: Vec<_> = training.rows.iter().map(|row| (row.name.as_str(), row.status)).collect();
    assert_eq!(
        fared,
        [
            ("Centroid", ModelStatus::Ok),
            ("dead", ModelStatus::Failed),
            ("LSTM", ModelStatus::Skipped),
            ("picky", ModelStatus::Failed)
        ]
    );
    assert!(training.rows[1].reason.as_ref().unwrap().contains("signal 9"));
    assert_eq!(training.rows[3].reason.as_deref(), Some("too few rows"));
    assert_eq!(training.warnings.len(), 2);
}

#[test]
fn a_family_that_leaves_rows_out_cannot_be_judged() {
    let error = search::every_row_scored(&[0.1, f32::NAN, 0.3], &[4, 5, 6]).unwrap_err();
    assert_eq!(error, "the family left 1 of 3 rows without a score");
    assert!(search::every_row_scored(&[0.1], &[4, 5]).is_err());
}

#[test]
fn test_rows_change_no_fitted_byte_and_no_choice() {
    let panel = Panel::new(6, 0.4, &[1.0, 2.0]);
    let changed = panel.with_another_test();
    let fitted = |panel: &Panel| {
        let (lead, other) = (Centroid::new(&panel.table), Centroid::blind_to(&panel.table, 1, "blind"));
        train(panel, &lead, &[&other]).unwrap()
    };
    let (first, second) = (fitted(&panel), fitted(&changed));
    assert_eq!(first.winner.model, second.winner.model);
    assert_eq!((first.winner.threshold, first.rows), (second.winner.threshold, second.rows));
    assert_ne!(first.test, second.test);
}

#[test]
fn the_final_fit_takes_the_rounds_that_the_folds_found() {
    let panel = Panel::new(7, 0.5, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let training = train(&panel, &lead, &[]).unwrap();
    let rounds = training.rows[0].rounds.unwrap();
    assert_eq!(training.winner.params["columns"], rounds);
    let used = training.winner.importance.unwrap().into_iter().filter(|share| *share > 0.0).count();
    assert_eq!(used, rounds as usize);
}

#[test]
fn too_few_positives_on_the_test_give_null_with_reasons() {
    let mut panel = Panel::new(8, 0.3, &[1.0]);
    panel.splits[0].test_rows.iter().skip(6).for_each(|&row| panel.labels[0].value[row as usize] = 0.0);
    let lead = Centroid::new(&panel.table);
    let test = train(&panel, &lead, &[]).unwrap().test;
    assert!(test.n_test_positive < 10);
    assert_eq!((test.auc, test.auc_ci95, test.auc_minus_baseline), (None, None, None));
    let reason = format!("{} positives among {} rows, needs 10", test.n_test_positive, test.n_test);
    for name in ["auc", "auc_ci95", "auc_minus_baseline", "auc_minus_baseline_ci95", "years_needed"] {
        assert_eq!(test.reasons.get(name), Some(reason.as_str()), "{name}");
    }
}

#[test]
fn on_a_label_too_rare_to_be_judged_no_auc_is_shown() {
    let mut panel = Panel::new(8, 0.3, &[1.0]);
    let first = &panel.splits[0].folds[0].valid_rows;
    first.iter().for_each(|&row| panel.labels[0].value[row as usize] = 0.0);
    let (lead, other) = (Centroid::new(&panel.table), Centroid::blind_to(&panel.table, 1, "blind"));
    let training = train(&panel, &lead, &[&other]).unwrap();
    let test = training.test;
    assert!(test.n_test_positive >= 10, "the test alone would do: {}", test.n_test_positive);
    assert_eq!((test.auc, test.auc_ci95, test.auc_minus_baseline, test.years_needed), (None, None, None, None));
    assert!(test.reasons.get("auc").unwrap().starts_with("the label is too rare to be judged: fold 1"));
    assert!(test.per_symbol.iter().all(|row| row.auc.is_none() && row.reasons.get("auc").is_some()));
    for row in &training.rows {
        let validation = row.validation.as_ref().unwrap();
        assert!(validation.auc.is_none() && validation.gain_over_lead.is_none());
        assert!(validation.fold_aucs.iter().all(Option::is_none));
        assert!(validation.reasons.get("auc").is_some());
    }
    assert!(training.rows[1].validation.as_ref().unwrap().reasons.get("gain_over_lead").is_some());
}

mod ensemble;

use oculus_job::code::ErrorCode;
use oculus_plugin_api::{Manifest, Setting, code};
use parking_lot::Mutex;
use serde_json::json;

use super::*;
use crate::metrics::Finite;
use crate::{
    fitter::{FitError, FitOutput, FitProgressFn, FitRequest, Fitted, Fitter, PreparedId},
    search::{
        self,
        tests::panel::{Centroid, Panel, no_params},
    },
};

/// A family that records, for each request, the rows that it must score.
struct Watched<'a> {
    family: Centroid<'a>,
    scored: Mutex<Vec<Vec<u32>>>,
}

impl<'a> Watched<'a> {
    fn new(family: Centroid<'a>) -> Self {
        Self { family, scored: Mutex::default() }
    }

    fn n_fits(&self) -> usize {
        self.scored.lock().len()
    }

    fn n_requests_on(&self, rows: &[u32]) -> usize {
        let scored = self.scored.lock();
        scored.iter().filter(|requested| requested.iter().any(|row| rows.contains(row))).count()
    }
}

impl Fitter for Watched<'_> {
    fn manifest(&self) -> &Manifest {
        self.family.manifest()
    }

    fn prepare(
        &self,
        learn_rows: &[u32],
        setting: &Setting,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<PreparedId, FitError> {
        self.family.prepare(learn_rows, setting, on_progress)
    }

    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError> {
        self.scored.lock().push(request.predict_rows.to_vec());
        self.family.fit(request)
    }
}

fn train(panel: &Panel, lead: &dyn Fitter, others: &[&dyn Fitter]) -> Result<Training, JobError> {
    let params = no_params();
    let family = |fitter| Family { fitter, params: &params, device: "auto" };
    let context = panel.search_context(2);
    let outcome = search::run(&context, &family(lead), 6, &|_| {}).unwrap();
    let others = others.iter().map(|other| FamilyCandidate::Ready(family(*other))).collect();
    fit(&context, &outcome, &Families { lead: family(lead), others, baseline: None, ensemble: false }, &|_| {})
}

/// Fits all families on the folds and on the whole development period.
fn fit(
    context: &SearchContext<'_>,
    search: &SearchResult,
    families: &Families<'_>,
    on_progress: &FamilyProgressFn<'_>,
) -> Result<Training, JobError> {
    fit_final(context, search, evaluate_all(context, search, families, on_progress)?, on_progress)
}

#[test]
fn test_rows_are_scored_once_by_the_winner_only() {
    let panel = Panel::new(1, 0.5, &[1.0]);
    let lead = Watched::new(Centroid::new(&panel.table));
    let other = Watched::new(Centroid::blind_to(&panel.table, 1, "blind"));
    let training = train(&panel, &lead, &[&other]).unwrap();
    let test_rows = &panel.splits[0].test_rows;
    assert_eq!((lead.n_requests_on(test_rows), other.n_requests_on(test_rows)), (1, 0));
    let model = training.winning_model();
    assert_eq!((model.name.as_str(), training.winner.test_scores.len()), ("Centroid", test_rows.len()));
}

/// A family whose fits are changed.
struct Changed<'a> {
    family: Centroid<'a>,
    change: fn(&FitRequest<'_>, &mut Fitted),
}

impl<'a> Changed<'a> {
    fn new(panel: &'a Panel, change: fn(&FitRequest<'_>, &mut Fitted)) -> Self {
        Self { family: Centroid::new(&panel.table), change }
    }
}

impl Fitter for Changed<'_> {
    fn manifest(&self) -> &Manifest {
        self.family.manifest()
    }

    fn prepare(
        &self,
        learn_rows: &[u32],
        setting: &Setting,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<PreparedId, FitError> {
        self.family.prepare(learn_rows, setting, on_progress)
    }

    fn fit(&self, request: &FitRequest<'_>) -> Result<Fitted, FitError> {
        let mut fitted = self.family.fit(request)?;
        (self.change)(request, &mut fitted);
        Ok(fitted)
    }
}

/// Gives the scores of every fit another origin and scale.
fn stretch(request: &FitRequest<'_>, fitted: &mut Fitted) {
    let n_rows = request.train_rows.len() as f32;
    fitted.scores.iter_mut().for_each(|score| *score = *score * 1e3 / n_rows + n_rows);
}

#[test]
fn the_flagged_share_is_near_the_base_rate_although_fold_models_differ_in_scale() {
    for seed in 0..5 {
        let panel = Panel::new(seed, 0.5, &[1.0]);
        let test = train(&panel, &Changed::new(&panel, stretch), &[]).unwrap().test;
        let share = test.flagged_share.unwrap().get() / test.base_rate.unwrap().get();
        assert!((0.6..1.7).contains(&share), "seed {seed}: {share}");
    }
}

#[test]
fn a_planted_signal_exceeds_the_baseline_on_the_test() {
    let panel = Panel::new(2, 0.7, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let test = train(&panel, &lead, &[]).unwrap().test;
    assert!(test.auc.unwrap().get() > 0.65, "{:?}", test.auc);
    let interval = test.auc_minus_baseline_ci95.unwrap();
    assert!(interval.0.get() > 0.0, "{interval:?}");
    assert!(interval.0 <= test.auc_minus_baseline.unwrap() && test.auc_minus_baseline.unwrap() <= interval.1);
    let share = test.flagged_share.unwrap().get() / test.base_rate.unwrap().get();
    assert!((0.5..2.0).contains(&share), "about as many rows are flagged as are positive: {share}");
    assert_eq!(test.per_symbol.iter().map(|row| row.n_test).sum::<usize>(), test.n_test);
    // The panel has two symbols, too few for a rank correlation.
    assert_eq!(test.reasons.names(), ["rank_ic", "rank_ic_ci95"]);
}

#[test]
fn the_skill_beyond_volatility_is_the_difference_of_the_two_aucs() {
    for seed in 0..4 {
        let panel = Panel::new(seed, 0.5, &[1.0]);
        let test = train(&panel, &Centroid::new(&panel.table), &[]).unwrap().test;
        let difference = test.auc.unwrap().get() - test.auc_volatility_baseline.unwrap().get();
        assert_eq!(test.auc_minus_baseline.unwrap().get(), difference);
    }
}

#[test]
fn the_lead_wins_unless_it_is_clearly_beaten() {
    let panel = Panel::new(3, 0.6, &[1.0]);
    let all = Centroid::new(&panel.table);
    let blind = Centroid::blind_to(&panel.table, 1, "blind");
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
fn a_family_that_fails_or_is_missing_does_not_affect_the_others() {
    let panel = Panel::new(5, 0.5, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let died = Centroid::blind_to(&panel.table, 0, "dead")
        .with_fault(|_| Some(FitError::Died { cause: "signal 9".to_owned(), stderr: vec![] }));
    let rejects = Centroid::blind_to(&panel.table, 0, "picky")
        .with_fault(|_| Some(FitError::Rejected { code: code::DATA, message: "too few rows".to_owned() }));
    let params = no_params();
    let family = |fitter| Family { fitter, params: &params, device: "auto" };
    let context = panel.search_context(1);
    let outcome = search::run(&context, &family(&lead), 2, &|_| {}).unwrap();
    let others = vec![
        FamilyCandidate::Ready(family(&died)),
        FamilyCandidate::Unavailable { name: "LSTM", reason: "its plugin is not installed" },
        FamilyCandidate::Ready(family(&rejects)),
    ];
    let training =
        fit(&context, &outcome, &Families { lead: family(&lead), others, baseline: None, ensemble: false }, &|_| {})
            .unwrap();
    let statuses: Vec<_> = training.rows.iter().map(|row| (row.name.as_str(), row.status)).collect();
    assert_eq!(
        statuses,
        [
            ("Centroid", ModelStatus::Ok),
            ("dead", ModelStatus::Failed),
            ("LSTM", ModelStatus::Skipped),
            ("picky", ModelStatus::Failed)
        ]
    );
    assert!(training.rows[1].reason.as_ref().unwrap().contains("signal 9"));
    assert_eq!(training.rows[3].reason.as_deref(), Some("too few rows"));
    let failed = training.warnings.iter().filter(|warning| warning.code == WarningCode::FamilyFailed);
    assert_eq!(failed.count(), 2);
}

#[test]
fn models_and_choices_do_not_depend_on_test_rows() {
    let panel = Panel::new(6, 0.4, &[1.0, 2.0]);
    let changed = panel.with_another_test();
    let fitted = |panel: &Panel| {
        let lead = Centroid::new(&panel.table);
        let other = Centroid::blind_to(&panel.table, 1, "blind");
        train(panel, &lead, &[&other]).unwrap()
    };
    let first = fitted(&panel);
    let second = fitted(&changed);
    assert_eq!((&first.models, &first.rows), (&second.models, &second.rows));
    assert_ne!(first.test, second.test);
}

#[test]
fn the_final_fit_uses_the_rounds_that_the_folds_determined() {
    let panel = Panel::new(7, 0.5, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let training = train(&panel, &lead, &[]).unwrap();
    let rounds = training.rows[0].rounds.unwrap();
    assert_eq!(training.winning_model().params["columns"], rounds);
    let used = training.winner.importance.unwrap().into_iter().filter(|share| *share > 0.0).count();
    assert_eq!(used, rounds as usize);
}

#[test]
fn an_auc_of_few_positives_has_no_interval_and_the_reason_names_the_counts() {
    let mut panel = Panel::new(8, 0.3, &[1.0]);
    panel.splits[0].test_rows.iter().skip(6).for_each(|&row| panel.labels[0].value[row as usize] = 0.0);
    let test = train(&panel, &Centroid::new(&panel.table), &[]).unwrap().test;
    assert!(test.n_test_positive < 10 && test.auc.is_some() && test.auc_minus_baseline.is_some());
    let n_negative = test.n_test - test.n_test_positive;
    let reason =
        format!("found {} positives and {n_negative} negatives, expected at least 10 of each", test.n_test_positive);
    for name in ["auc_ci95", "auc_minus_baseline_ci95", "years_needed"] {
        assert_eq!(test.reasons.get(name), Some(reason.as_str()), "{name}");
    }
}

#[test]
fn the_auc_does_not_depend_on_the_counts_of_the_folds() {
    let mut panel = Panel::new(8, 0.3, &[1.0]);
    let first = &panel.splits[0].folds[0].valid_rows;
    first.iter().for_each(|&row| panel.labels[0].value[row as usize] = 0.0);
    let lead = Centroid::new(&panel.table);
    let other = Centroid::blind_to(&panel.table, 1, "blind");
    let training = train(&panel, &lead, &[&other]).unwrap();
    assert!(training.test.auc.is_some() && training.test.auc_ci95.is_some());
    assert_eq!(training.test.auc_reliability, AucReliability::Sound);
    for row in &training.rows {
        let validation = row.validation.as_ref().unwrap();
        assert!(validation.auc.is_some());
        assert_eq!(validation.fold_aucs.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true]);
        assert!(validation.reasons.get("fold_aucs").unwrap().contains("single class"));
    }
    assert!(training.rows[1].validation.as_ref().unwrap().gain_over_lead.is_some());
}

#[test]
fn every_family_is_evaluated_on_the_validation_rows_of_all_folds() {
    let panel = Panel::new(21, 0.4, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let other = Centroid::blind_to(&panel.table, 1, "blind");
    let training = train(&panel, &lead, &[&other]).unwrap();
    for row in &training.rows {
        let validation = row.validation.as_ref().unwrap();
        assert_eq!((validation.fold_aucs.len(), validation.n_rows), (3, panel.splits[0].valid_rows.len()));
    }
}

#[test]
fn a_test_with_few_positives_has_a_weak_auc_and_a_warning_that_names_the_counts() {
    let mut panel = Panel::new(22, 0.4, &[1.0]);
    let test_rows = panel.splits[0].test_rows.clone();
    let positives = test_rows.iter().filter(|&&row| panel.labels[0].value[row as usize] == 1.0);
    let surplus: Vec<u32> = positives.copied().skip(12).collect();
    surplus.iter().for_each(|&row| panel.labels[0].value[row as usize] = 0.0);
    let training = train(&panel, &Centroid::new(&panel.table), &[]).unwrap();
    assert!(training.test.auc.is_some());
    assert_eq!(training.test.auc_reliability, AucReliability::Weak);
    let weak = training.warnings.iter().find(|warning| warning.code == WarningCode::AucWeak).unwrap();
    assert!(weak.message.contains("found 12 positives"), "{}", weak.message);
}

#[test]
fn a_constant_model_has_an_auc_of_a_half_without_an_interval_and_a_warning() {
    let panel = Panel::new(23, 0.4, &[1.0]);
    let training = train(&panel, &Changed::new(&panel, |_, fitted| fitted.scores.fill(0.25)), &[]).unwrap();
    let test = &training.test;
    assert_eq!((test.auc, test.auc_ci95, test.years_needed), (Finite::new(0.5), None, None));
    assert!(test.reasons.get("auc_ci95").unwrap().contains("all scores are equal"));
    assert!(training.warnings.iter().any(|warning| warning.code == WarningCode::ConstantModel));
}

#[test]
fn ratios_without_a_denominator_are_0_with_a_reason() {
    let mut panel = Panel::new(24, 0.4, &[1.0]);
    let test_rows = panel.splits[0].test_rows.clone();
    test_rows.iter().for_each(|&row| panel.labels[0].value[row as usize] = 0.0);
    let test = train(&panel, &Centroid::new(&panel.table), &[]).unwrap().test;
    assert_eq!((test.auc, test.auc_reliability, test.recall), (None, AucReliability::Undefined, Finite::zero()));
    assert!(test.reasons.get("recall").unwrap().starts_with("0, because the ratio is undefined"), "{test:?}");
}

#[test]
fn the_row_of_the_winner_states_why_it_won() {
    let panel = Panel::new(3, 0.6, &[1.0]);
    let blind = Centroid::blind_to(&panel.table, 1, "blind");
    let all = Centroid::new(&panel.table);
    let reason = |lead, others: &[&dyn Fitter]| {
        let rows = train(&panel, lead, others).unwrap().rows;
        assert!(rows.iter().all(|row| row.winner == row.winner_reason.is_some()));
        rows.into_iter().find_map(|row| row.winner_reason).unwrap()
    };
    assert!(reason(&all, &[&blind]).starts_with("it leads the search"));
    assert!(reason(&blind, &[&all]).starts_with("its AUC differs from the lead family's by +0."));
}

#[test]
fn a_family_that_early_stopping_ended_at_once_causes_a_warning() {
    let panel = Panel::new(25, 0.4, &[1.0]);
    let codes = |lead: &dyn Fitter| -> Vec<WarningCode> {
        train(&panel, lead, &[]).unwrap().warnings.iter().map(|warning| warning.code).collect()
    };
    let one = Changed::new(&panel, |_, fitted| fitted.summary.rounds = Some(1));
    let two = Changed::new(&panel, |_, fitted| fitted.summary.rounds = Some(2));
    assert!(codes(&one).contains(&WarningCode::StoppedAtOnce));
    assert!(!codes(&two).contains(&WarningCode::StoppedAtOnce));
}

/// Returns an error in the final fit only.
fn in_the_final_fit(request: &FitRequest<'_>) -> Option<FitError> {
    let error = || FitError::Died { cause: "signal 11".to_owned(), stderr: vec![] };
    (request.output == FitOutput::Model).then(error)
}

#[test]
fn every_family_is_refitted_on_all_training_rows_and_only_the_winner_scores_the_test() {
    let panel = Panel::new(1, 0.5, &[1.0]);
    let lead = Watched::new(Centroid::new(&panel.table));
    let other = Watched::new(Centroid::blind_to(&panel.table, 1, "blind"));
    let training = train(&panel, &lead, &[&other]).unwrap();
    let models: Vec<_> = training.models.iter().map(|model| (model.name.as_str(), model.is_winner)).collect();
    assert_eq!(models, [("Centroid", true), ("blind", false)]);
    for model in &training.models {
        assert!(!model.bytes.is_empty() && model.threshold.is_some());
        let row = training.rows.iter().find(|row| row.name == model.name).unwrap();
        assert_eq!((model.rounds, model.params.get("columns")), (row.rounds, row.rounds.map(|n| json!(n)).as_ref()));
    }
    let requests = other.scored.lock();
    assert_eq!(requests.last().unwrap(), &panel.splits[0].development.train_rows);
}

#[test]
fn a_family_whose_final_fit_fails_keeps_its_validation_figures() {
    let panel = Panel::new(2, 0.5, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let fragile = Centroid::blind_to(&panel.table, 1, "fragile").with_fault(in_the_final_fit);
    let training = train(&panel, &lead, &[&fragile]).unwrap();
    let row = &training.rows[1];
    assert_eq!((row.status, row.winner), (ModelStatus::Failed, false));
    assert!(row.reason.as_ref().unwrap().contains("signal 11") && row.validation.is_some());
    assert_eq!(training.models.len(), 1);
}

#[test]
fn the_lead_replaces_a_winner_whose_final_fit_fails() {
    let panel = Panel::new(3, 0.6, &[1.0]);
    let lead = Watched::new(Centroid::blind_to(&panel.table, 1, "blind"));
    let better = Centroid::new(&panel.table).with_fault(in_the_final_fit);
    let training = train(&panel, &lead, &[&better]).unwrap();
    assert_eq!((training.winning_model().name.as_str(), training.test.model_name.as_str()), ("blind", "blind"));
    let won: Vec<_> = training.rows.iter().map(|row| (row.winner, row.status)).collect();
    assert_eq!(won, [(true, ModelStatus::Ok), (false, ModelStatus::Failed)]);
    let codes: Vec<_> = training.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes[..2], ["family_failed", "winner_failed"]);
    assert_eq!(lead.n_requests_on(&panel.splits[0].test_rows), 1);
}

#[test]
fn a_job_fails_with_the_winners_reason_if_every_final_fit_fails() {
    let panel = Panel::new(4, 0.6, &[1.0]);
    let lead = Centroid::new(&panel.table).with_fault(in_the_final_fit);
    let other = Centroid::blind_to(&panel.table, 1, "blind").with_fault(in_the_final_fit);
    let failure = train(&panel, &lead, &[&other]).unwrap_err();
    assert_eq!(failure.code, ErrorCode::PluginDied);
    assert!(failure.message.starts_with("Centroid: ") && failure.message.contains("signal 11"), "{failure:?}");
}

#[test]
fn the_number_of_families_fitted_in_parallel_does_not_change_the_results() {
    let panel = Panel::new(5, 0.5, &[1.0]);
    let trained = |n_parallel| {
        let params = no_params();
        let fitters =
            [1, 2, 3, 4].map(|blind_to| Centroid::blind_to(&panel.table, blind_to, &format!("blind{blind_to}")));
        let lead = Centroid::new(&panel.table);
        let family = |fitter| Family { fitter, params: &params, device: "auto" };
        let outcome = search::run(&panel.search_context(2), &family(&lead), 2, &|_| {}).unwrap();
        let others = fitters.iter().map(|fitter| FamilyCandidate::Ready(family(fitter))).collect();
        let families = Families { lead: family(&lead), others, baseline: None, ensemble: false };
        let training = fit(&panel.search_context(n_parallel), &outcome, &families, &|_| {}).unwrap();
        (training.rows, training.models, training.test)
    };
    let alone = trained(1);
    assert_eq!(alone, trained(2));
    assert_eq!(alone, trained(8));
}

#[test]
fn validation_metrics_have_intervals_and_the_same_baseline_for_every_family() {
    let panel = Panel::new(6, 0.7, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let other = Centroid::blind_to(&panel.table, 1, "blind");
    let rows = train(&panel, &lead, &[&other]).unwrap().rows;
    let [first, second] = [0, 1].map(|idx: usize| rows[idx].validation.as_ref().unwrap());
    for validation in [first, second] {
        let interval = validation.auc_ci95.unwrap();
        assert!(interval.0 <= validation.auc.unwrap() && validation.auc.unwrap() <= interval.1, "{validation:?}");
        let baseline = validation.auc_volatility_baseline.unwrap().get();
        assert_eq!(validation.auc_minus_baseline.unwrap().get(), validation.auc.unwrap().get() - baseline);
        assert!(validation.auc_minus_baseline_ci95.is_some() && validation.reasons.is_empty());
    }
    assert_eq!(first.auc_volatility_baseline, second.auc_volatility_baseline);
    assert!(first.auc_minus_baseline_ci95.unwrap().0.get() > 0.0, "the planted signal exceeds volatility");
}

#[test]
fn each_fit_reports_its_start_its_folds_and_its_end_even_if_it_fails() {
    let panel = Panel::new(7, 0.5, &[1.0]);
    let lead = Centroid::new(&panel.table);
    let fragile = Centroid::blind_to(&panel.table, 1, "fragile").with_fault(in_the_final_fit);
    let params = no_params();
    let family = |fitter| Family { fitter, params: &params, device: "auto" };
    let context = panel.search_context(1);
    let outcome = search::run(&context, &family(&lead), 2, &|_| {}).unwrap();
    let reports = Mutex::new(Vec::new());
    let on_progress = |family: &FamilyProgress<'_>| {
        reports.lock().push((family.manifest.id.clone(), family.fit, family.progress.fraction, family.n_epochs));
    };
    let families = Families {
        lead: family(&lead),
        others: vec![FamilyCandidate::Ready(family(&fragile))],
        baseline: None,
        ensemble: false,
    };
    let rows = fit(&context, &outcome, &families, &on_progress).unwrap().rows;
    let start_and_end = |id: &str, fit, n_epochs: u32| {
        [0.0, 1.0].map(|fraction| (id.to_owned(), fit, fraction, Some(u64::from(n_epochs))))
    };
    let needed = [
        start_and_end("fragile", FitKind::Folds, 6),
        start_and_end("centroid", FitKind::Final, rows[0].rounds.unwrap()),
        start_and_end("fragile", FitKind::Final, rows[1].rounds.unwrap()),
    ];
    let (of_folds, others): (Vec<_>, Vec<_>) =
        reports.into_inner().into_iter().partition(|(_, _, fraction, _)| *fraction > 0.0 && *fraction < 1.0);
    assert_eq!(others, needed.concat());
    // Of three folds, the last one starts first and has the most rows.
    let of_folds: Vec<f64> = of_folds.into_iter().map(|(_, _, fraction, _)| fraction).collect();
    assert!(matches!(of_folds[..], [first, second] if first > 1.0 / 3.0 && second > first), "{of_folds:?}");
}

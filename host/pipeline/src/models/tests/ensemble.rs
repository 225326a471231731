//! The ensemble: its scores, its place among the families, and what it does if a member fails.

use proptest::prelude::*;

use super::*;

/// A family that sees the signal with its own noise.
struct Noisy<'a> {
    family: Watched<'a>,
    /// Determines the noise of every row.
    salt: u32,
}

impl<'a> Noisy<'a> {
    fn new(panel: &'a Panel, id: &str, salt: u32) -> Self {
        Self { family: Watched::new(Centroid::blind_to(&panel.table, 0, id)), salt }
    }

    fn with_fault(self, fault: fn(&FitRequest<'_>) -> Option<FitError>) -> Self {
        Self { family: Watched::new(self.family.family.with_fault(fault)), ..self }
    }

    /// Returns noise from -2 to 2.
    fn noise(&self, row: u32) -> f32 {
        let hash = (row ^ self.salt.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
        let hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        4.0 * ((hash >> 8) as f32 / (1_u32 << 24) as f32) - 2.0
    }
}

impl Fitter for Noisy<'_> {
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
        let rows = request.predict_rows.iter();
        fitted.scores.iter_mut().zip(rows).for_each(|(score, &row)| *score += self.noise(row));
        Ok(fitted)
    }
}

/// Trains families, of which the first leads, and the ensemble if `ensemble` is set.
fn train_all(panel: &Panel, families: &[&dyn Fitter], ensemble: bool) -> Result<Training, JobError> {
    let params = no_params();
    let family = |fitter| Family { fitter, params: &params, device: "auto" };
    let context = panel.search_context(2);
    let lead = family(families[0]);
    let outcome = search::run(&context, &lead, 2, &|_| {}).unwrap();
    let others = families[1..].iter().map(|fitter| FamilyCandidate::Ready(family(*fitter))).collect();
    fit(&context, &outcome, &Families { lead, others, baseline: None, ensemble }, &|_| {})
}

/// Returns three families whose noise is independent, so that their mean is better than each.
fn three(panel: &Panel) -> [Noisy<'_>; 3] {
    [("a", 1), ("b", 2), ("c", 3)].map(|(id, salt)| Noisy::new(panel, id, salt))
}

fn scores_of<'t>(training: &'t Training, id: &str) -> &'t FamilyScores {
    training.out_of_fold.iter().find(|scores| scores.plugin == id).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn out_of_fold_scores_are_the_means_of_the_members_mid_ranks(seed in 0_u64..1000, salts in [any::<u32>(), any::<u32>()]) {
        let panel = Panel::new(seed, 0.5, &[1.0]);
        let [a, b] = [("a", salts[0]), ("b", salts[1])].map(|(id, salt)| Noisy::new(&panel, id, salt));
        // The scores of this family have many ties.
        let coarse = Changed {
            family: Centroid::blind_to(&panel.table, 0, "coarse"),
            change: |_, fitted| fitted.scores.iter_mut().for_each(|score| *score = score.round()),
        };
        let training = train_all(&panel, &[&a, &b, &coarse], true).unwrap();
        let members = ["a", "b", "coarse"].map(|id| &scores_of(&training, id).standard_scores);
        let rank = |scores: &[f32], score: f32| {
            let scored: Vec<f32> = scores.iter().copied().filter(|other| !other.is_nan()).collect();
            let n_below = scored.iter().filter(|other| **other < score).count() as f64;
            let n_equal = scored.iter().filter(|other| **other == score).count() as f64;
            (n_below + n_equal / 2.0) / scored.len() as f64
        };
        let found = &scores_of(&training, "ensemble").scores;
        for (row, &found) in found.iter().enumerate() {
            let expected = members.iter().map(|scores| rank(scores, scores[row])).sum::<f64>() / 3.0;
            let is_scored = members.iter().all(|scores| !scores[row].is_nan());
            prop_assert_eq!(found.is_nan(), !is_scored);
            prop_assert!(!is_scored || (f64::from(found) - expected).abs() < 1e-7, "row {}: {} {}", row, found, expected);
        }
    }
}

#[test]
fn an_ensemble_that_is_clearly_better_wins_and_each_member_scores_the_test_rows_once() {
    let panel = Panel::new(3, 0.7, &[1.0]);
    let families = three(&panel);
    let training = train_all(&panel, &families.each_ref().map(|family| family as &dyn Fitter), true).unwrap();
    let row = training.rows.last().unwrap();
    assert_eq!((row.name.as_str(), row.winner, row.status), ("Ensemble", true, ModelStatus::Ok), "{row:?}");
    assert_eq!((row.members.join(","), &row.plugin, &row.device), ("a,b,c".to_owned(), &None, &None));
    let validation = row.validation.as_ref().unwrap();
    assert!(validation.gain_over_lead.unwrap() > validation.gain_standard_error.unwrap());
    assert_eq!((validation.fold_aucs.len(), training.rows.iter().filter(|row| row.winner).count()), (3, 1));
    assert!(row.winner_reason.as_ref().unwrap().starts_with("its AUC differs from the lead family's by +0."));

    let test_rows = &panel.splits[0].test_rows;
    assert_eq!(families.each_ref().map(|family| family.family.n_requests_on(test_rows)), [1; 3]);
    let model = training.winning_model();
    assert_eq!((model.name.as_str(), training.test.model_name.as_str()), ("Ensemble", "Ensemble"));
    assert!(training.test.auc.unwrap().get() > 0.6 && model.threshold.is_some() && model.calibration.is_some());
    assert_eq!(training.winner.test_flags.len(), test_rows.len());
    let ids: Vec<&str> = training.scoring_models().iter().map(|model| model.plugin.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let share = training.test.flagged_share.unwrap().get() / training.test.base_rate.unwrap().get();
    assert!((0.5..2.0).contains(&share), "about as many rows are flagged as are positive: {share}");
}

#[test]
fn the_saved_ensemble_returns_the_test_scores_of_the_job_from_those_of_its_members() {
    let panel = Panel::new(3, 0.7, &[1.0]);
    let families = three(&panel);
    let training = train_all(&panel, &families.each_ref().map(|family| family as &dyn Fitter), true).unwrap();
    let saved = Ensemble::from_bytes(&training.winning_model().bytes).unwrap();
    assert_eq!(Some(&saved), training.winning_model().ensemble.as_ref());
    // The standardised scores of a member are those of its model, without noise from the test rows.
    let test_rows = &panel.splits[0].test_rows;
    let member_scores: Vec<Vec<f32>> = families
        .iter()
        .map(|family| {
            let params = no_params();
            let only = [family as &dyn Fitter];
            let context = panel.search_context(2);
            let lead = Family { fitter: only[0], params: &params, device: "auto" };
            let outcome = search::run(&context, &lead, 2, &|_| {}).unwrap();
            let families = Families { lead, others: Vec::new(), baseline: None, ensemble: false };
            fit(&context, &outcome, &families, &|_| {}).unwrap().winner.test_scores
        })
        .collect();
    assert_eq!(member_scores.iter().map(Vec::len).collect::<Vec<_>>(), [test_rows.len(); 3]);
    assert_eq!(saved.scores(&member_scores), training.winner.test_scores);
}

#[test]
fn the_other_rows_and_models_do_not_depend_on_the_ensemble_and_no_family_is_fitted_more_often() {
    let panel = Panel::new(5, 0.6, &[1.0]);
    // The lead sees everything, so the ensemble with a blind family is not clearly better.
    let train = |ensemble| {
        let lead = Centroid::new(&panel.table);
        let other = Noisy::new(&panel, "other", 7);
        let training = train_all(&panel, &[&lead, &other], ensemble).unwrap();
        (training, other.family.n_fits(), other.family.n_requests_on(&panel.splits[0].test_rows))
    };
    let (without, n_fits, _) = train(false);
    let (mut with, n_fits_with, n_scoring) = train(true);
    assert_eq!((n_fits_with, n_scoring), (n_fits, 0));
    assert_eq!((with.rows.len(), with.models.len(), with.out_of_fold.len()), (3, 3, 3));
    assert_eq!(with.rows.pop().map(|row| (row.name, row.winner)), Some(("Ensemble".to_owned(), false)));
    assert_eq!(with.models.pop().map(|model| model.plugin), Some("ensemble".to_owned()));
    assert_eq!((&with.rows, &with.models, &with.test), (&without.rows, &without.models, &without.test));
    assert_eq!(with.winner.test_scores, without.winner.test_scores);
    let row = serde_json::to_value(&without.rows[0]).unwrap();
    assert_eq!(row.get("members"), None, "results without an ensemble have no such key");
}

#[test]
fn if_the_final_fit_of_a_member_fails_the_next_best_family_wins_without_another_fit() {
    let panel = Panel::new(3, 0.7, &[1.0]);
    let [a, b, c] = three(&panel);
    let c = c.with_fault(in_the_final_fit);
    let training = train_all(&panel, &[&a, &b, &c], true).unwrap();
    let statuses: Vec<_> = training.rows.iter().map(|row| (row.name.as_str(), row.status, row.winner)).collect();
    let winner = training.winning_model().plugin.clone();
    assert!(["a", "b"].contains(&winner.as_str()), "{statuses:?}");
    assert_eq!((statuses[2].1, statuses[3]), (ModelStatus::Failed, ("Ensemble", ModelStatus::Failed, false)));
    let reason = training.rows[3].reason.as_ref().unwrap();
    assert!(reason.contains("the member c") && reason.contains("signal 11"), "{reason}");
    assert!(training.rows[3].validation.is_some() && training.models.iter().all(|model| model.ensemble.is_none()));
    let codes: Vec<_> = training.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes[..3], ["family_failed", "family_failed", "winner_failed"]);
    let test_rows = &panel.splits[0].test_rows;
    assert_eq!([&a, &b].map(|family| family.family.n_requests_on(test_rows)), [1; 2]);
    assert!(training.test.auc.is_some() && training.winner.test_scores.len() == test_rows.len());
}

#[test]
fn if_every_member_fails_the_job_fails_with_the_reason_of_the_first() {
    let panel = Panel::new(3, 0.7, &[1.0]);
    let families = three(&panel).map(|family| family.with_fault(in_the_final_fit));
    let failure = train_all(&panel, &families.each_ref().map(|family| family as &dyn Fitter), true).unwrap_err();
    assert_eq!(failure.code, ErrorCode::PluginDied);
    assert!(failure.message.starts_with("a: ") && failure.message.contains("signal 11"), "{failure:?}");
}

#[test]
fn with_fewer_than_two_members_or_a_family_of_its_id_the_ensemble_is_skipped_with_the_reason() {
    let panel = Panel::new(3, 0.7, &[1.0]);
    let [a, b, _] = three(&panel);
    let skipped = |training: Training| {
        let row = training.rows.into_iter().find(|row| row.name == "Ensemble").unwrap();
        assert_eq!((row.status, row.validation, row.members.len()), (ModelStatus::Skipped, None, 0));
        row.reason.unwrap()
    };
    let alone = skipped(train_all(&panel, &[&a], true).unwrap());
    assert!(alone.contains("found 1 competing family"), "{alone}");
    let failed = Noisy::new(&panel, "failed", 4)
        .with_fault(|_| Some(FitError::Died { cause: "signal 9".to_owned(), stderr: vec![] }));
    let alone = skipped(train_all(&panel, &[&a, &failed], true).unwrap());
    assert!(alone.contains("found 1 competing family"), "{alone}");
    let namesake = Noisy::new(&panel, "ensemble", 5);
    let taken = skipped(train_all(&panel, &[&b, &namesake], true).unwrap());
    assert!(taken.contains("a plugin has the id `ensemble`"), "{taken}");
}

#[test]
fn the_baseline_is_not_a_member() {
    let panel = Panel::new(3, 0.7, &[1.0]);
    let [a, b, c] = three(&panel);
    let params = no_params();
    let family = |fitter| Family { fitter, params: &params, device: "auto" };
    let context = panel.search_context(1);
    let outcome = search::run(&context, &family(&a), 2, &|_| {}).unwrap();
    let others = vec![FamilyCandidate::Ready(family(&b))];
    let families = Families { lead: family(&a), others, baseline: Some(family(&c)), ensemble: true };
    let rows = fit(&context, &outcome, &families, &|_| {}).unwrap().rows;
    let names: Vec<_> = rows.iter().map(|row| (row.name.as_str(), row.is_baseline)).collect();
    assert_eq!(names, [("a", false), ("b", false), ("c", true), ("Ensemble", false)]);
    assert_eq!(rows[3].members, ["a", "b"]);
}

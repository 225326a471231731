//! The final fits: every family on the whole development period, and the winner's scores of the
//! test rows.
//!
//! In: the evaluated families and the ensemble. Out: [`FinalFits`]. If the winner's final fit fails,
//! the next best family becomes the winner and is fitted once more, with the test rows to score.
//! Invariant: test scores are computed for the winner, for the members of a winning ensemble, and for
//! the baseline, which cannot win.

mod combine;

use oculus_job::{
    code::ErrorCode,
    error::JobError,
    progress::Phase,
    warning::{Warning, WarningCode},
};
use oculus_plugin_api::code;
use serde_json::{Map, Value, json};

use super::{
    calibration::Calibration,
    candidate::{Evaluated, ModelKind},
    ensemble::Ensemble,
    progress::{FamilyProgressFn, FitKind, FitReporter, n_epochs},
    rank_scale::{self, RankScale},
    report_row::{ModelRow, ModelStatus, winner_reason},
    signal_rule::SignalRule,
    test_metrics::{self, TestMetrics, TestedModel},
    training::{FinalModel, Winner},
    winner::choose_winner,
};
use crate::{
    baseline::{Volatility, VolatilityModel},
    fitter::{FitError, FitOutput, FitProgressFn, FitRequest, Fitted, setting},
    metrics::{Finite, ScoreScale, UndefinedError, auc, decision_threshold},
    parallel::parallel_map,
    search::{self, Family, SearchContext, SearchResult},
    splits::{Development, class_counts},
};

/// The final fit of every evaluated family, and the ensemble of these fits.
pub(super) struct FinalFits {
    winner_idx: usize,
    fits: Vec<Result<FinalFit, FitError>>,
    /// Warnings if the winner by validation is not the model of the result.
    pub(super) warnings: Vec<Warning>,
}

/// The final model of one family or of the ensemble, with its parameters, threshold and scores.
struct FinalFit {
    params: Map<String, Value>,
    /// The members, if this is the ensemble.
    ensemble: Option<Ensemble>,
    /// The volatility model from which the fit started, if it did.
    base: Option<VolatilityModel>,
    fitted: Fitted,
    /// Scale of the model's scores of its own training rows; of the ensemble, of its out-of-fold
    /// scores.
    score_scale: ScoreScale,
    reading: ScoreReading,
    /// Whether a score needs a window of rows.
    reads_windows: bool,
    /// Scores of the test rows; empty for all models that did not score them.
    test_scores: Vec<f32>,
}

/// The conversions of a model's scores into decisions and probabilities.
struct ScoreReading {
    threshold: Result<f32, UndefinedError>,
    calibration: Result<Calibration, UndefinedError>,
    signal_rule: SignalRule,
    rank_scale: Option<RankScale>,
}

/// Fits families on the whole development period of the chosen label.
pub(super) struct FinalFitter<'a> {
    pub(super) context: &'a SearchContext<'a>,
    pub(super) search: &'a SearchResult,
}

impl FinalFitter<'_> {
    /// Fits all families in parallel, and chooses the winner among those whose fit succeeds.
    ///
    /// # Errors
    /// Returns a failure if every fit fails, or if the job is cancelled.
    pub(super) fn fit_all(
        &self,
        evaluated: &[Evaluated<'_>],
        on_progress: &FamilyProgressFn<'_>,
    ) -> Result<FinalFits, JobError> {
        // The choice depends on validation scores alone, so it can be made before the final fits.
        // The winner, or each member of a winning ensemble, then scores the test rows in its only fit.
        // The lead is available here, so `choose_winner` always returns a family.
        let mut winner_idx = choose_winner(evaluated, |_| true).unwrap_or(0);
        let best_idx = winner_idx;
        // The baseline cannot win, so its scores of the test rows influence no choice.
        let scores_test =
            |idx: usize| idx == best_idx || evaluated[best_idx].has_member(idx) || evaluated[idx].is_baseline;
        let mut fits = parallel_map(self.context.n_parallel, &families(evaluated), |&(idx, family)| {
            // The final fit runs as many rounds as early stopping kept on the folds, so its
            // progress is relative to that number.
            let n_epochs = evaluated[idx].oof.rounds.map(u64::from).or_else(|| n_epochs(family));
            let reporter = FitReporter { on_progress, family, fit: FitKind::Final, n_epochs };
            reporter.run(|on_progress| self.fit(&evaluated[idx], family, scores_test(idx), on_progress))
        });
        // A cancelled job must be reported as cancelled even if another fit failed first.
        if fits.iter().any(|fit| matches!(fit, Err(FitError::Cancelled))) {
            return Err(JobError::cancelled(Phase::Training));
        }
        // The ensemble is the last model, so every fit has the index of its model.
        let ensemble = evaluated.get(fits.len()).map(|ensemble| self.combine(ensemble, evaluated, &fits));
        fits.extend(ensemble);
        let mut warnings = Vec::new();
        while fits[winner_idx].is_err() {
            let next = choose_winner(evaluated, |idx| fits[idx].is_ok());
            let next_idx = next.ok_or_else(|| failure(evaluated, &fits, winner_idx))?;
            warnings.push(replaced_winner(&evaluated[winner_idx], &evaluated[next_idx]));
            winner_idx = next_idx;
            if let ModelKind::Family(family) = &evaluated[winner_idx].kind
                && !scores_test(winner_idx)
            {
                // The first fit of this family did not score the test rows, so it is repeated with
                // them. Its progress has already been reported up to the end.
                fits[winner_idx] = self.fit(&evaluated[winner_idx], family, true, &|_| {});
            }
        }
        Ok(FinalFits { winner_idx, fits, warnings })
    }

    /// Returns the AUC of scores of the test rows; `None` if a class is missing.
    fn test_auc(&self, scores: &[f32]) -> Option<Finite> {
        let label = &self.context.labels[self.search.label_idx].value;
        let rows = &self.context.splits[self.search.label_idx].test_rows;
        let values: Vec<f32> = rows.iter().map(|&row| label[row as usize]).collect();
        auc(&values, scores).ok().and_then(Finite::new)
    }

    /// Fits one family, and scores the test rows if `scores_test` is set.
    fn fit(
        &self,
        evaluated: &Evaluated<'_>,
        family: &Family<'_>,
        scores_test: bool,
        on_progress: &FitProgressFn<'_>,
    ) -> Result<FinalFit, FitError> {
        let label = &self.context.labels[self.search.label_idx];
        let splits = &self.context.splits[self.search.label_idx];
        let seed = self.context.seed;
        let Development { learn_rows, train_rows } = &splits.development;
        let test_rows = if scores_test { splits.test_rows.as_slice() } else { &[] };
        let params = final_params(evaluated, family);
        let scale_rows = search::scale_rows(family.fitter.manifest(), train_rows);
        let predict_rows = search::merge_rows(&scale_rows, test_rows);
        // The fit must use the device of the evaluation: the number of epochs that early stopping
        // finds depends on it.
        let device = evaluated.oof.device.as_deref().unwrap_or(family.device);
        let volatility = Volatility::from_table(self.context.table).filter(|_| family.fitter.manifest().base_score);
        let base = volatility.as_ref().and_then(|volatility| volatility.fit(&label.value, train_rows));
        let base_score = volatility.zip(base).map(|(volatility, model)| volatility.base_score(&model));
        let prepared = family.fitter.prepare(learn_rows, &setting(device, seed), on_progress)?;
        let fitted = family.fitter.fit(&FitRequest {
            prepared,
            label: &label.value,
            train_rows,
            // No rows are kept for early stopping, because the number of rounds comes from the
            // folds.
            tune_rows: &[],
            params: &params,
            seed,
            device,
            base_score: base_score.as_deref(),
            predict_rows: &predict_rows,
            output: FitOutput::Model,
            on_progress,
        })?;
        search::every_row_scored(&fitted.scores, &predict_rows)
            .map_err(|error| FitError::Rejected { code: code::DATA, message: error.to_string() })?;
        let scores = search::separate_scores(&predict_rows, &fitted.scores, test_rows);
        let score_scale = ScoreScale::from_scores(&scores.others);
        Ok(FinalFit {
            params,
            ensemble: None,
            base,
            fitted,
            reading: self.reading(evaluated, score_scale),
            reads_windows: family.fitter.manifest().lookback_param.is_some(),
            score_scale,
            test_scores: scores.selected,
        })
    }

    /// Fits the conversions of a model's scores to its out-of-fold scores.
    fn reading(&self, evaluated: &Evaluated<'_>, score_scale: ScoreScale) -> ScoreReading {
        let label = &self.context.labels[self.search.label_idx];
        let train_rows = &self.context.splits[self.search.label_idx].development.train_rows;
        let standard_scores = &evaluated.oof.standard_scores;
        let base_rate = class_counts(self.context.table, label, train_rows).base_rate().unwrap_or_default();
        ScoreReading {
            // The fold models and the final model differ in the spread of their scores. So the
            // threshold is chosen on standardised scores and then converted (decision 1).
            threshold: decision_threshold(&label.value, standard_scores)
                .map(|standard| score_scale.destandardise(standard)),
            calibration: Calibration::fit(&label.value, standard_scores, score_scale),
            signal_rule: SignalRule::new(base_rate, &self.context.table.day, standard_scores),
            rank_scale: self.rank_scale(standard_scores, score_scale),
        }
    }

    /// Fits the conversion of a model's scores into rank scores.
    ///
    /// * `standard_scores`: the model's out-of-fold scores.
    fn rank_scale(&self, standard_scores: &[f32], score_scale: ScoreScale) -> Option<RankScale> {
        let label = &self.context.labels[self.search.label_idx].value;
        let train_rows = &self.context.splits[self.search.label_idx].development.train_rows;
        let volatility = Volatility::from_table(self.context.table)?;
        let slope = rank_scale::slope(standard_scores, self.search.baseline.as_deref()?);
        RankScale::fit(&volatility, label, train_rows, score_scale, slope)
    }
}

/// Returns the families among the evaluated models, with their indices.
fn families<'e, 'a>(evaluated: &'e [Evaluated<'a>]) -> Vec<(usize, &'e Family<'a>)> {
    let family = |(idx, this): (usize, &'e Evaluated<'a>)| match &this.kind {
        ModelKind::Family(family) => Some((idx, family)),
        ModelKind::Ensemble(_) => None,
    };
    evaluated.iter().enumerate().filter_map(family).collect()
}

/// Returns the failure of a job without a final model. An ensemble fails if a member fails, so its
/// failure is that of its first failed member.
fn failure(evaluated: &[Evaluated<'_>], fits: &[Result<FinalFit, FitError>], winner_idx: usize) -> JobError {
    let is_winner = |idx: usize| idx == winner_idx || evaluated[winner_idx].has_member(idx);
    let failed = families(evaluated).into_iter().filter(|(idx, _)| is_winner(*idx));
    let failed = failed.filter_map(|(idx, family)| Some((family, fits[idx].as_ref().err()?)));
    let failures = failed.map(|(family, error)| search::family_failure(Phase::Training, family, error));
    failures.into_iter().next().unwrap_or_else(|| {
        let hint = "this is a bug in the worker: report it together with the job";
        JobError::failed(Phase::Training, ErrorCode::Internal, "no family has a final model", hint)
    })
}

/// Returns the family's parameters, with the number of rounds that early stopping found on the
/// folds.
fn final_params(evaluated: &Evaluated<'_>, family: &Family<'_>) -> Map<String, Value> {
    let Family { fitter, params, .. } = family;
    let mut params = (*params).clone();
    if let Some(name) = &fitter.manifest().rounds_param
        && let Some(rounds) = evaluated.oof.rounds
    {
        params.insert(name.clone(), json!(rounds));
    }
    params
}

fn replaced_winner(winner: &Evaluated<'_>, next: &Evaluated<'_>) -> Warning {
    let message = format!(
        "{} is best by validation, but its final fit failed; the result contains the model of {}",
        winner.title(),
        next.title()
    );
    Warning::new(WarningCode::WinnerFailed, message)
}

impl FinalFits {
    /// Returns the models of all families whose fit succeeded and of the ensemble, the winner's
    /// first.
    pub(super) fn models(&self, evaluated: &[Evaluated<'_>]) -> Vec<FinalModel> {
        let fits = self.fits.iter().zip(evaluated).enumerate();
        let mut models: Vec<FinalModel> = fits
            .filter_map(|(idx, (fit, evaluated))| Some(fit.as_ref().ok()?.model(evaluated, idx == self.winner_idx)))
            .collect();
        // The sort is stable, and `false` is less than `true`: the winner moves to the front, and
        // the others keep their order.
        models.sort_by_key(|model| !model.is_winner);
        models
    }

    /// Returns the winner's scores and importance.
    pub(super) fn winner(&self, fitter: &FinalFitter<'_>, evaluated: &[Evaluated<'_>]) -> Winner {
        let fit = self.fits[self.winner_idx].as_ref();
        let oof = &evaluated[self.winner_idx].oof;
        Winner {
            oof_scores: oof.scores.clone(),
            test_scores: self.test_scores().to_vec(),
            standard_scores: self.standard_scores(fitter, &oof.standard_scores),
            rank_scores: self.rank_scores(fitter, &oof.standard_scores),
            test_flags: fit.ok().map(|fit| fit.test_flags(fitter)).unwrap_or_default(),
            score_scale: fit.ok().map(|fit| fit.score_scale),
            importance: fit.ok().and_then(|fit| fit.fitted.importance.clone()),
        }
    }

    /// Evaluates the winner on the test rows.
    pub(super) fn test_metrics(&self, fitter: &FinalFitter<'_>, evaluated: &[Evaluated<'_>]) -> TestMetrics {
        let fit = self.fits[self.winner_idx].as_ref().map_err(|error| UndefinedError::because(error.to_string()));
        let FinalFitter { context, search } = *fitter;
        let tested = TestedModel {
            model_name: evaluated[self.winner_idx].title(),
            scores: self.test_scores(),
            rank_scores: self.test_rank_scores(fitter),
            threshold: fit.as_ref().map_err(UndefinedError::clone).and_then(|fit| fit.reading.threshold.clone()),
            calibration: fit.as_ref().map_err(UndefinedError::clone).and_then(|fit| fit.reading.calibration.clone()),
            flags: fit.map(|fit| fit.test_flags(fitter)).unwrap_or_default(),
            n_train: context.splits[search.label_idx].development.train_rows.len(),
        };
        test_metrics::on_test(context, search.label_idx, &tested)
    }

    /// Records the outcomes of the final fits in the result rows of the families.
    pub(super) fn complete(&self, fitter: &FinalFitter<'_>, rows: &mut [ModelRow]) {
        for (idx, (row, fit)) in rows.iter_mut().zip(&self.fits).enumerate() {
            row.winner = idx == self.winner_idx;
            row.winner_reason = row.winner.then(|| winner_reason(row));
            match fit {
                Ok(fit) if row.is_baseline => {
                    row.test_auc = fitter.test_auc(&fit.test_scores);
                    row.device = fit.fitted.summary.device.clone().or(row.device.take());
                }
                Ok(fit) => row.device = fit.fitted.summary.device.clone().or(row.device.take()),
                Err(error) => {
                    row.status = ModelStatus::Failed;
                    row.reason = Some(format!("the final fit failed: {error}"));
                }
            }
        }
    }

    fn test_scores(&self) -> &[f32] {
        self.fits[self.winner_idx].as_ref().map_or(&[], |fit| &fit.test_scores)
    }

    /// Returns the winner's rank scores of the test rows.
    fn test_rank_scores(&self, fitter: &FinalFitter<'_>) -> Vec<f32> {
        let FinalFitter { context, search } = *fitter;
        let Ok(fit) = &self.fits[self.winner_idx] else { return Vec::new() };
        let rows = &context.splits[search.label_idx].test_rows;
        let scale = fit.reading.rank_scale.zip(Volatility::from_table(context.table));
        match scale {
            Some((scale, volatility)) => scale.rank_scores(&volatility, rows, &fit.test_scores),
            None => fit.test_scores.iter().map(|&score| fit.score_scale.standardise(score)).collect(),
        }
    }

    /// Returns the winner's rank scores: of the validation rows, and of the test rows.
    ///
    /// * `oof`: the standardised out-of-fold scores.
    fn rank_scores(&self, fitter: &FinalFitter<'_>, oof: &[f32]) -> Vec<f32> {
        let FinalFitter { context, search } = *fitter;
        let mut scores = rank_scale::out_of_fold(oof, search.baseline.as_deref());
        let rows = &context.splits[search.label_idx].test_rows;
        for (&row, score) in rows.iter().zip(self.test_rank_scores(fitter)) {
            scores[row as usize] = score;
        }
        scores
    }

    /// Returns the winner's standardised scores: out-of-fold scores, and scores of the test rows.
    fn standard_scores(&self, fitter: &FinalFitter<'_>, oof: &[f32]) -> Vec<f32> {
        let FinalFitter { context, search } = *fitter;
        let mut scores = oof.to_vec();
        if let Ok(fit) = &self.fits[self.winner_idx] {
            for (&row, &score) in context.splits[search.label_idx].test_rows.iter().zip(&fit.test_scores) {
                scores[row as usize] = fit.score_scale.standardise(score);
            }
        }
        scores
    }
}

impl FinalFit {
    /// Returns one flag per test row.
    fn test_flags(&self, fitter: &FinalFitter<'_>) -> Vec<Option<bool>> {
        let FinalFitter { context, search } = *fitter;
        let rows = &context.splits[search.label_idx].test_rows;
        let days: Vec<i32> = rows.iter().map(|&row| context.table.day[row as usize]).collect();
        let standard: Vec<f32> = self.test_scores.iter().map(|&score| self.score_scale.standardise(score)).collect();
        self.reading.signal_rule.flags(&days, &standard, &vec![true; rows.len()])
    }

    fn model(&self, evaluated: &Evaluated<'_>, is_winner: bool) -> FinalModel {
        FinalModel {
            name: evaluated.title().to_owned(),
            plugin: evaluated.id().to_owned(),
            ensemble: self.ensemble.clone(),
            params: self.params.clone(),
            base: self.base,
            rounds: evaluated.oof.rounds,
            device: self.fitted.summary.device.clone(),
            threshold: self.reading.threshold.clone().ok(),
            calibration: self.reading.calibration.clone().ok(),
            signal_rule: self.reading.signal_rule.clone(),
            rank_scale: self.reading.rank_scale,
            reads_windows: self.reads_windows,
            bytes: self.fitted.model.clone().unwrap_or_default(),
            is_winner,
        }
    }
}

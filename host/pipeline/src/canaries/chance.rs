//! The AUC that the model of the result reaches by chance: on the test dates of surrogate markets,
//! whose moves cannot be forecast.
//!
//! In: the inputs of all surrogates, the model of the result, and its AUC of the test period. Out:
//! [`ChanceAuc`]. The model is not fitted again. In a short test period the AUC of chance is not
//! 0.5: a model that buys dips scores more, because past levels revert to the window's own mean.
//! The surrogates have this bias too, and the volatility of the real market.

use oculus_job::{error::JobError, progress::Phase};

use super::{
    CanaryInputs, SurrogateError,
    surrogate_panel::{SurrogateInputs, SurrogatePanel, n_per_panel},
};
use crate::{
    baseline::Volatility,
    features::FeatureTable,
    fitter::{FitError, setting},
    metrics::{Finite, Interval, UndefinedError, auc, interval},
    models::{FinalModel, Training},
    run::StartedPlugins,
    search::family_failure,
};

/// Number of surrogates, if the test period has few rows. With the real AUC there are a hundred.
const N_SURROGATES: usize = 99;
/// Smallest number of surrogates.
const MIN_SURROGATES: usize = 19;
/// Largest number of rows that a model scores.
const MAX_ROWS: usize = 400_000;
/// Largest number of rows that a model scores if it reads a window per row.
const MAX_WINDOWS: usize = 10_000;

/// The AUC on surrogate markets.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChanceAuc {
    /// Central 95 % of the AUCs.
    pub(crate) chance95: Interval,
    /// Share of the AUCs, the real one included, that are at least the real one.
    pub(crate) p: Finite,
    /// Number of surrogate markets.
    pub(crate) n_surrogates: usize,
}

/// Scores the test dates of surrogate markets with the model of the result.
///
/// * `training`: the models, with the metrics of the winner on the test period.
///
/// # Errors
/// The outer error is the failure of a job that is cancelled, or of a table that cannot be written
/// to the temporary folder. The inner error is the reason why the figures are undefined.
pub(super) fn run(
    inputs: &CanaryInputs<'_, '_>,
    training: &Training,
) -> Result<Result<ChanceAuc, UndefinedError>, JobError> {
    let Some(real) = training.test.auc.map(Finite::get) else {
        return Ok(Err(UndefinedError::because("the AUC of the test period is undefined")));
    };
    match surrogate_aucs(inputs, training) {
        Ok(aucs) => Ok(chance(real, aucs)),
        Err(SurrogateError::Job(failure)) => Err(failure),
        Err(SurrogateError::Fit(error @ FitError::Cancelled)) => {
            Err(family_failure(Phase::Training, inputs.lead, &error))
        }
        Err(SurrogateError::Fit(error)) => Ok(Err(UndefinedError::because(error.to_string()))),
    }
}

fn chance(real: f64, aucs: Vec<f64>) -> Result<ChanceAuc, UndefinedError> {
    if aucs.len() < MIN_SURROGATES {
        let n_defined = aucs.len();
        return Err(UndefinedError::because(format!(
            "the AUC is defined on {n_defined} surrogate markets, expected at least {MIN_SURROGATES}"
        )));
    }
    let n_as_good = aucs.iter().filter(|auc| **auc >= real).count();
    let p = (n_as_good + 1) as f64 / (aucs.len() + 1) as f64;
    let p = Finite::new(p).ok_or_else(|| UndefinedError::because("the share is not finite"))?;
    let n_surrogates = aucs.len();
    Ok(ChanceAuc { chance95: interval(aucs)?, p, n_surrogates })
}

/// Returns the number of surrogate markets.
///
/// * `n_test`: the number of test rows.
/// * `reads_windows`: whether the model reads a window per row.
fn n_surrogates(n_test: usize, reads_windows: bool) -> usize {
    let max_rows = if reads_windows { MAX_WINDOWS } else { MAX_ROWS };
    (max_rows / n_test.max(1)).clamp(MIN_SURROGATES, N_SURROGATES)
}

/// Returns the number of rows of all surrogate markets that the model scores, see [`n_surrogates`].
pub(crate) fn n_chance_rows(n_test: usize, reads_windows: bool) -> usize {
    n_surrogates(n_test, reads_windows) * n_test
}

fn surrogate_aucs(inputs: &CanaryInputs<'_, '_>, training: &Training) -> Result<Vec<f64>, SurrogateError> {
    let context = inputs.context;
    let label_idx = inputs.search.label_idx;
    let partition = inputs.partition;
    // Features of the test dates need the warm-up and the windows before them, and no earlier bars.
    let n_before = inputs.warm_up_bars + partition.span.lookback_rows;
    let market = inputs.market.since(partition.test.start, n_before);
    let surrogates = SurrogateInputs {
        job: inputs.job,
        market: &market,
        partition,
        key: context.labels[label_idx].key,
        seed: context.seed,
        n_parallel: context.n_parallel,
    };
    let n_test = context.splits[label_idx].test_rows.len();
    let n_surrogates = n_surrogates(n_test, training.winning_model().reads_windows);
    let numbers: Vec<usize> = (0..n_surrogates).collect();
    let mut aucs = Vec::with_capacity(n_surrogates);
    for numbers in numbers.chunks(n_per_panel(context.table)) {
        let panel = SurrogatePanel::new(&surrogates, numbers).map_err(SurrogateError::Job)?;
        let plugins = (inputs.open)(&panel.table).map_err(SurrogateError::Job)?;
        let rows: Vec<u32> = panel.splits.iter().flat_map(|splits| splits.test_rows.iter().copied()).collect();
        let scorer = PanelScorer { table: &panel.table, plugins: &plugins, rows: &rows, seed: context.seed };
        let Some(scores) = scorer.score(training).map_err(SurrogateError::Fit)? else { break };
        let mut scores = scores.as_slice();
        for (splits, label) in panel.splits.iter().zip(&panel.labels) {
            let Some((own, rest)) = scores.split_at_checked(splits.test_rows.len()) else { break };
            scores = rest;
            let values: Vec<f32> = splits.test_rows.iter().map(|&row| label.value[row as usize]).collect();
            // A surrogate whose test rows have one class has no AUC.
            aucs.extend(auc(&values, own).ok());
        }
    }
    Ok(aucs)
}

/// Scores rows of a panel.
struct PanelScorer<'a, 'p> {
    table: &'a FeatureTable,
    plugins: &'a StartedPlugins<'p>,
    rows: &'a [u32],
    seed: u64,
}

impl PanelScorer<'_, '_> {
    /// Returns one score per row by the model of the result; `None` if a plugin is missing.
    fn score(&self, training: &Training) -> Result<Option<Vec<f32>>, FitError> {
        let mut scores = Vec::new();
        for model in training.scoring_models() {
            let Some(own) = self.score_by(model)? else { return Ok(None) };
            scores.push(own);
        }
        Ok(Some(training.winning_model().combine(scores)))
    }

    /// Returns one score per row by the model of one family; `None` if its plugin is missing.
    fn score_by(&self, model: &FinalModel) -> Result<Option<Vec<f32>>, FitError> {
        let fitter = self.plugins.fitters.iter().find(|fitter| fitter.manifest().id == model.plugin);
        let Some(fitter) = fitter else { return Ok(None) };
        let setting = setting(model.device.as_deref().unwrap_or("cpu"), self.seed);
        let volatility = Volatility::from_table(self.table);
        let base_score = volatility.zip(model.base).map(|(volatility, base)| volatility.base_score(&base));
        fitter.score(&model.bytes, &setting, base_score.as_deref(), self.rows).map(Some)
    }
}

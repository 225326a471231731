//! Runs the canaries of a job. They compare the real market with surrogate markets, whose moves
//! cannot be forecast, and the model with volatility alone.
//!
//! In: [`CanaryInputs`]. Out: [`Canaries`]. Invariant: the canaries read the existing test metrics
//! of the winner, and nothing else of the test period.

mod chance;
mod surrogate_market;
mod surrogate_panel;
mod surrogates;
#[cfg(test)]
mod tests;

use oculus_job::error::JobError;
use oculus_job::request::Job;
use oculus_job::warning::{Warning, WarningCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    chance::{ChanceAuc, n_chance_rows},
    surrogates::{N_SURROGATES, SurrogateMarkets},
};
use super::{
    bars::Market,
    fitter::FitError,
    metrics::{Finite, Reasons, UndefinedError},
    models::{TestMetrics, Training},
    run::OpenPlugins,
    search::{Family, SearchContext, SearchResult},
    splits::Partition,
};

/// The inputs of the canaries.
#[derive(Clone, Copy)]
pub(crate) struct CanaryInputs<'a, 'p> {
    /// The job.
    pub(crate) job: &'a Job,
    /// The bars of all symbols.
    pub(crate) market: &'a Market,
    /// The calendar of the job.
    pub(crate) partition: &'a Partition,
    /// Starts the plugins on a feature table.
    pub(crate) open: &'a OpenPlugins<'a, 'p>,
    /// Features, labels and splits.
    pub(crate) context: &'a SearchContext<'a>,
    /// The result of the search.
    pub(crate) search: &'a SearchResult,
    /// The family on which the search was run.
    pub(crate) lead: &'a Family<'a>,
    /// Number of bars before the first row of each symbol.
    pub(crate) warm_up_bars: usize,
}

/// An error of computing, fitting or scoring surrogates.
enum SurrogateError {
    /// The job cannot continue.
    Job(JobError),
    /// The family failed.
    Fit(FitError),
}

/// The results of the canaries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Canaries {
    /// Comparison of the real market with surrogate markets, whose moves cannot be forecast.
    pub surrogate_markets: SurrogateMarkets,
    /// Comparison of the model with volatility alone.
    pub volatility_baseline: VolatilityBaseline,
}

/// Comparison of the model with volatility alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VolatilityBaseline {
    /// Validation AUC of the chosen configuration; null if it cannot be computed.
    pub validation_auc: Option<Finite>,
    /// Validation AUC of the baseline; null if it cannot be computed.
    pub validation_baseline_auc: Option<Finite>,
    /// AUC of the winner in the test period; null if it cannot be computed.
    pub test_auc: Option<Finite>,
    /// AUC of the baseline in the test period; null if it cannot be computed.
    pub test_baseline_auc: Option<Finite>,
    /// Interpretation of the figures in one sentence.
    pub reading: String,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

impl Canaries {
    /// Returns the canaries of a job.
    ///
    /// * `test`: the metrics of the model of the result in the test period.
    pub(crate) fn new(surrogate_markets: SurrogateMarkets, search: &SearchResult, test: &TestMetrics) -> Self {
        Self { surrogate_markets, volatility_baseline: volatility_baseline(search, test) }
    }

    /// Returns the warning `no_better_than_surrogates` if a surrogate market, whose moves cannot be
    /// forecast, scores at least as much as the real one.
    pub fn warnings(&self) -> Vec<Warning> {
        let is_beaten = self.surrogate_markets.rank.is_some_and(|rank| rank > 1);
        let warning = || Warning::new(WarningCode::NoBetterThanSurrogates, self.surrogate_markets.reading.clone());
        is_beaten.then(warning).into_iter().collect()
    }
}

/// Fits the prior of the lead family on surrogate markets.
///
/// * `on_surrogates`: receives the number of finished surrogates, and the number of all.
///
/// # Errors
/// Returns a failure if the job is cancelled, or if a table cannot be written to the temporary
/// folder.
pub(crate) fn compare_with_surrogates(
    inputs: &CanaryInputs<'_, '_>,
    on_surrogates: &dyn Fn(usize, usize),
) -> Result<SurrogateMarkets, JobError> {
    surrogates::run(inputs, on_surrogates)
}

/// Computes the AUC that the model of the result reaches by chance.
///
/// * `training`: the models, with the metrics of the winner on the test period.
///
/// # Errors
/// The outer error is the failure of a job that is cancelled, or of a table that cannot be written
/// to the temporary folder. The inner error is the reason why the figures are undefined.
pub(crate) fn chance_auc(
    inputs: &CanaryInputs<'_, '_>,
    training: &Training,
) -> Result<Result<ChanceAuc, UndefinedError>, JobError> {
    chance::run(inputs, training)
}

/// Compares the model with volatility alone.
fn volatility_baseline(outcome: &SearchResult, test: &TestMetrics) -> VolatilityBaseline {
    let mut reasons = Reasons::default();
    let missing = |name: &str| UndefinedError::because(test.reasons.get(name).unwrap_or("it was not computed"));
    let no_baseline =
        || UndefinedError::because("the table lacks the baseline's features, or no AUC can be computed for the label");
    let no_auc = || UndefinedError::because("the validation AUC of the chosen configuration is undefined");
    let mut test_figure = |name: &'static str, figure: Option<Finite>, source: &str| {
        reasons.value(name, figure.ok_or_else(|| missing(source)))
    };
    let test_auc = test_figure("test_auc", test.auc, "auc");
    let test_baseline_auc = test_figure("test_baseline_auc", test.auc_volatility_baseline, "auc_volatility_baseline");
    VolatilityBaseline {
        validation_auc: reasons.figure("validation_auc", outcome.auc.ok_or_else(no_auc)),
        validation_baseline_auc: reasons
            .figure("validation_baseline_auc", outcome.baseline_auc.ok_or_else(no_baseline)),
        test_auc,
        test_baseline_auc,
        reading: read_baseline(test),
        reasons,
    }
}

fn read_baseline(test: &TestMetrics) -> String {
    let Some(beyond) = test.auc_minus_baseline.map(Finite::get) else {
        let reason = test.reasons.get("auc_minus_baseline").unwrap_or("it was not computed");
        return format!(
            "the difference between the model and the volatility baseline is unknown on the test: {reason}"
        );
    };
    let interval = match test.auc_minus_baseline_ci95.map(|interval| (interval.0.get(), interval.1.get())) {
        None => ", without an interval".to_owned(),
        Some((low, high)) => {
            let meaning = if low > 0.0 {
                "more than volatility alone explains"
            } else if high < 0.0 {
                "less than volatility alone explains"
            } else {
                "the difference may be chance"
            };
            format!(" [{low:+.3}, {high:+.3}]: {meaning}")
        }
    };
    format!("in the test period, the model's AUC minus the volatility baseline's AUC is {beyond:+.3}{interval}")
}

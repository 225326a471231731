//! Runs the canaries of a job. They compare the real label with labels that cannot be forecast, and
//! the model with volatility alone.
//!
//! In: [`CanaryInputs`]. Out: [`Canaries`]. Invariant: the canaries read the existing test metrics
//! of the winner, and nothing else of the test period.

mod shifts;
#[cfg(test)]
mod tests;

use oculus_job::error::JobError;
use oculus_job::warning::{Warning, WarningCode};
use serde::{Deserialize, Serialize};

pub(crate) use self::shifts::LabelShifts;
use super::{
    metrics::{Finite, Reasons, UndefinedError},
    models::TestMetrics,
    search::{Family, SearchContext, SearchResult},
};

/// The inputs of the canaries.
#[derive(Clone, Copy)]
pub(crate) struct CanaryInputs<'a> {
    /// Features, labels and splits.
    pub context: &'a SearchContext<'a>,
    /// The result of the search.
    pub search: &'a SearchResult,
    /// The family on which the search was run.
    pub lead: &'a Family<'a>,
    /// Metrics of the winner on the test period.
    pub test: &'a TestMetrics,
}

/// The results of the canaries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Canaries {
    /// Comparison of the real label with the same label shifted along the dates.
    pub label_shifts: LabelShifts,
    /// Comparison of the model with volatility alone.
    pub volatility_baseline: VolatilityBaseline,
}

/// Comparison of the model with volatility alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolatilityBaseline {
    /// Mean AUC of the chosen configuration over the folds.
    pub validation_auc: Option<Finite>,
    /// Mean AUC of the baseline over these folds.
    pub validation_baseline_auc: Option<Finite>,
    /// AUC of the winner in the test period.
    pub test_auc: Option<Finite>,
    /// AUC of the baseline in the test period.
    pub test_baseline_auc: Option<Finite>,
    /// Interpretation of the figures in one sentence.
    pub reading: String,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

impl Canaries {
    /// Returns the warning `no_better_than_shifted_labels` if a shifted label, which cannot be
    /// forecast, scores at least as much as the real one.
    pub fn warnings(&self) -> Vec<Warning> {
        let is_beaten = self.label_shifts.rank.is_some_and(|rank| rank > 1);
        let warning = || Warning::new(WarningCode::NoBetterThanShiftedLabels, self.label_shifts.reading.clone());
        is_beaten.then(warning).into_iter().collect()
    }
}

/// Runs the canaries.
///
/// * `on_shifts`: receives the number of finished label shifts, and the number of all label shifts.
///
/// # Errors
/// Returns a failure if the job is cancelled.
pub(crate) fn run(inputs: &CanaryInputs<'_>, on_shifts: &dyn Fn(usize, usize)) -> Result<Canaries, JobError> {
    Ok(Canaries {
        label_shifts: shifts::run(inputs.context, inputs.search, inputs.lead, on_shifts)?,
        volatility_baseline: volatility_baseline(inputs.search, inputs.test),
    })
}

fn volatility_baseline(outcome: &SearchResult, test: &TestMetrics) -> VolatilityBaseline {
    let mut reasons = Reasons::default();
    let missing = |name: &str| UndefinedError::because(test.reasons.get(name).unwrap_or("it was not computed"));
    let no_baseline = || {
        let absent = "the table lacks the baseline's features, or no AUC can be computed for the label";
        outcome.too_rare().unwrap_or_else(|| UndefinedError::because(absent))
    };
    let mut test_figure = |name: &'static str, figure: Option<Finite>, source: &str| {
        reasons.value(name, figure.ok_or_else(|| missing(source)))
    };
    let test_auc = test_figure("test_auc", test.auc, "auc");
    let test_baseline_auc = test_figure("test_baseline_auc", test.auc_volatility_baseline, "auc_volatility_baseline");
    VolatilityBaseline {
        validation_auc: reasons.figure("validation_auc", validation_auc(outcome)),
        validation_baseline_auc: reasons
            .figure("validation_baseline_auc", outcome.baseline_auc.ok_or_else(no_baseline)),
        test_auc,
        test_baseline_auc,
        reading: read_baseline(test),
        reasons,
    }
}

fn validation_auc(outcome: &SearchResult) -> Result<f64, UndefinedError> {
    if let Some(reason) = outcome.too_rare() {
        return Err(reason);
    }
    // The mean requires every fold: over fewer folds it would not be comparable with the mean of
    // the baseline.
    let aucs: Option<Vec<f64>> = outcome.oof.fold_aucs.iter().copied().collect();
    let aucs = aucs.filter(|aucs| !aucs.is_empty()).ok_or_else(|| UndefinedError::because("a fold has no AUC"))?;
    Ok(aucs.iter().sum::<f64>() / aucs.len() as f64)
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
    format!(
        "in the test period, the model's AUC minus the volatility baseline's AUC (or minus 0.5, if that is more) is \
         {beyond:+.3}{interval}"
    )
}

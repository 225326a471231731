//! Canaries of a job: checks whether scores as good as its own also occur where there is nothing to find.
//!
//! In: [`CanaryInputs`]. Out: [`Canaries`]. Of the test period only the figures of the winner are read, which exist
//! already.

mod shifts;
#[cfg(test)]
mod tests;

use oculus_job::failure::Failure;
use oculus_job::warning::{Warning, WarningCode};
use serde::{Deserialize, Serialize};

pub(crate) use self::shifts::LabelShifts;
use super::{
    metrics::{Finite, Reasons, Undefined},
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
    /// The family that led the search.
    pub lead: &'a Family<'a>,
    /// Figures of the winner on the test.
    pub test: &'a TestMetrics,
}

/// The results of the canaries.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Canaries {
    /// The real label compared with itself shifted along the dates.
    pub label_shifts: LabelShifts,
    /// The model compared with volatility alone.
    pub volatility_baseline: VolatilityBaseline,
}

/// The model compared with volatility alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolatilityBaseline {
    /// Mean AUC over the folds of the chosen configuration.
    pub validation_auc: Option<Finite>,
    /// Mean AUC of the baseline over these folds.
    pub validation_baseline_auc: Option<Finite>,
    /// AUC on the test.
    pub test_auc: Option<Finite>,
    /// AUC of the baseline on the test.
    pub test_baseline_auc: Option<Finite>,
    /// The figures in words.
    pub reading: String,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

impl Canaries {
    /// Returns `no_better_than_shifted_labels` where a label that nothing can forecast scores as much as the real one.
    pub fn warnings(&self) -> Vec<Warning> {
        let is_beaten = self.label_shifts.rank.is_some_and(|rank| rank > 1);
        let warning = || Warning::new(WarningCode::NoBetterThanShiftedLabels, self.label_shifts.reading.clone());
        is_beaten.then(warning).into_iter().collect()
    }
}

/// Runs the canaries.
///
/// * `on_shifts`: receives the number of label shifts that are done, and the number of all.
///
/// # Errors
/// If the job is cancelled.
pub(crate) fn run(inputs: &CanaryInputs<'_>, on_shifts: &dyn Fn(usize, usize)) -> Result<Canaries, Failure> {
    Ok(Canaries {
        label_shifts: shifts::run(inputs.context, inputs.search, inputs.lead, on_shifts)?,
        volatility_baseline: volatility_baseline(inputs.search, inputs.test),
    })
}

fn volatility_baseline(outcome: &SearchResult, test: &TestMetrics) -> VolatilityBaseline {
    let mut reasons = Reasons::default();
    let missing = |name: &str| Undefined::because(test.reasons.get(name).unwrap_or("it was not computed"));
    let no_baseline = || {
        let absent = "the table lacks the baseline's features, or the label has no AUC";
        outcome.too_rare().unwrap_or_else(|| Undefined::because(absent))
    };
    let mut of_test = |name: &'static str, figure: Option<Finite>, source: &str| {
        reasons.value(name, figure.ok_or_else(|| missing(source)))
    };
    let test_auc = of_test("test_auc", test.auc, "auc");
    let test_baseline_auc = of_test("test_baseline_auc", test.auc_volatility_baseline, "auc_volatility_baseline");
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

fn validation_auc(outcome: &SearchResult) -> Result<f64, Undefined> {
    if let Some(reason) = outcome.too_rare() {
        return Err(reason);
    }
    let aucs: Option<Vec<f64>> = outcome.oof.fold_aucs.iter().copied().collect();
    let aucs = aucs.filter(|aucs| !aucs.is_empty()).ok_or_else(|| Undefined::because("a fold has no AUC"))?;
    Ok(aucs.iter().sum::<f64>() / aucs.len() as f64)
}

fn read_baseline(test: &TestMetrics) -> String {
    let Some(beyond) = test.auc_minus_baseline.map(Finite::get) else {
        let why = test.reasons.get("auc_minus_baseline").unwrap_or("it was not computed");
        return format!("what the model knows beyond volatility cannot be told on the test: {why}");
    };
    let interval = match test.auc_minus_baseline_ci95.map(|interval| (interval.0.get(), interval.1.get())) {
        None => ", with no interval to tell it from chance".to_owned(),
        Some((low, high)) => {
            let meaning = if low > 0.0 {
                "more than volatility alone explains"
            } else if high < 0.0 {
                "less than volatility alone explains"
            } else {
                "no more than chance beyond what volatility alone explains"
            };
            format!(" [{low:+.3}, {high:+.3}]: {meaning}")
        }
    };
    format!(
        "on the test the model's AUC is beyond the volatility baseline's, or 0.5 where that is more, by {beyond:+.3}{interval}"
    )
}

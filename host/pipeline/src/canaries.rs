//! Canaries of a job: whether its own scores would look the same if there were nothing to find.
//!
//! In: a [`SearchContext`], the lead, what the search found. Out: [`Canaries`]. No row of the test period is looked at, but for
//! the figures of the winner that exist already.

mod shifts;
#[cfg(test)]
mod tests;

use oculus_job::warning::Warning;
use oculus_job::warning::WarningCode;
use serde::{Deserialize, Serialize};

use super::{
    metrics::{Finite, Reasons, Undefined},
    models::TestMetrics,
    search::{Family, SearchContext, SearchResult},
};
use oculus_job::failure::Failure;

/// What the canaries say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Canaries {
    /// The real labels against the same labels shifted along the dates.
    pub label_shifts: LabelShifts,
    /// The model against volatility alone.
    pub volatility_baseline: VolatilityBaseline,
}

/// The real labels against the same labels shifted along the dates.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelShifts {
    /// Shifts tried.
    pub n_shifts: usize,
    /// Score on the real labels, of the family's prior.
    pub score: Option<Finite>,
    /// Scores on the shifted labels, in the order of the shifts; those that do not exist are left out, with the reason.
    pub shifted_scores: Vec<Finite>,
    /// Place of the real score among all, 1 being the best; equals stand before it.
    pub rank: Option<usize>,
    /// The rank over the number of scores: how often a place as good comes by chance where labels cannot be forecast.
    pub p_value: Option<Finite>,
    /// The same in words.
    pub reading: String,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The model against volatility alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VolatilityBaseline {
    /// Mean AUC over the folds of the chosen configuration.
    pub validation_auc: Option<Finite>,
    /// The same of the baseline.
    pub validation_baseline_auc: Option<Finite>,
    /// AUC on the test.
    pub test_auc: Option<Finite>,
    /// The same of the baseline.
    pub test_baseline_auc: Option<Finite>,
    /// The same in words.
    pub reading: String,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

impl Canaries {
    /// `no_better_than_shifted_labels` where labels that nothing can forecast score as much as the real ones.
    pub fn warnings(&self) -> Vec<Warning> {
        let is_beaten = self.label_shifts.rank.is_some_and(|rank| rank > 1);
        let warning = || Warning::new(WarningCode::NoBetterThanShiftedLabels, self.label_shifts.reading.clone());
        is_beaten.then(warning).into_iter().collect()
    }
}

/// Sends the canaries down.
///
/// * `on_shifts`: told how many label shifts are behind it, and of how many.
///
/// # Errors
/// When the job is cancelled.
pub fn run(
    context: &SearchContext<'_>,
    outcome: &SearchResult,
    lead: &Family<'_>,
    test: &TestMetrics,
    on_shifts: &dyn Fn(usize, usize),
) -> Result<Canaries, Failure> {
    Ok(Canaries {
        label_shifts: shifts::run(context, outcome, lead, on_shifts)?,
        volatility_baseline: volatility_baseline(outcome, test),
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
    let told = match test.auc_minus_baseline_ci95.map(|interval| (interval.0.get(), interval.1.get())) {
        None => ", with no interval to tell it from chance".to_owned(),
        Some((low, high)) => {
            let meaning = match (low > 0.0, high < 0.0) {
                (true, _) => "more than volatility alone explains",
                (_, true) => "less than volatility alone explains",
                _ => "no more than chance beyond what volatility alone explains",
            };
            format!(" [{low:+.3}, {high:+.3}]: {meaning}")
        }
    };
    format!(
        "on the test the model's AUC is beyond the volatility baseline's, or 0.5 where that is more, by {beyond:+.3}{told}"
    )
}

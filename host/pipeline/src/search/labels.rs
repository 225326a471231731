//! Examines the labels, and chooses the one that the job continues with.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::Phase;
use oculus_job::warning::{Warning, WarningCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    baselines::Baselines,
    compare::{Gain, gain},
    context::SearchContext,
    trial_result::TrialResult,
};
use crate::{
    labels::LabelKey,
    metrics::Finite,
    splits::{Fold, MinCounts, class_counts, pooled_valid_rows},
};

/// If no label has enough rows, the label with the base rate nearest to this value is used.
const FALLBACK_BASE_RATE: f64 = 0.3;

/// A label, as results name it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelName {
    /// Horizon in sessions.
    pub horizon_days: u32,
    /// Threshold of the forward return, in percent.
    pub threshold_pct: f64,
}

impl From<LabelKey> for LabelName {
    fn from(key: LabelKey) -> Self {
        Self { horizon_days: key.horizon_days, threshold_pct: key.threshold_pct }
    }
}

/// The outcome of a label in the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelStatus {
    /// The label was chosen.
    Chosen,
    /// The prior was tried on the label, and another label was chosen.
    Tried,
    /// The label has enough rows, but the budget of trials was spent on other labels.
    NotTried,
    /// The label has too few rows for a score.
    Rejected,
    /// None of the labels has enough rows for a reliable score, and the job continues with this
    /// one.
    TooRare,
}

/// A label with its outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LabelRow {
    /// Horizon and threshold of the label.
    #[serde(flatten)]
    pub name: LabelName,
    /// Outcome of the label in the search.
    pub status: LabelStatus,
    /// Share of positives among the labelled rows before the test period, 0 to 1; null without such
    /// rows.
    pub base_rate: Option<Finite>,
    /// Score of the prior: its validation AUC minus the larger of 0.5 and the AUC of the volatility
    /// baseline; null if the label was not tried.
    pub score: Option<Finite>,
    /// The reason for the outcome.
    pub reason: String,
}

/// Rejects the labels with too few rows, and marks at most `n_trials` of the other labels to be
/// tried. The marked labels have the middle base rates of all eligible labels.
pub(super) fn examine(context: &SearchContext<'_>, n_trials: usize) -> Vec<LabelRow> {
    let mut rows: Vec<LabelRow> = (0..context.labels.len()).map(|idx| examine_one(context, idx)).collect();
    let mut eligible: Vec<usize> = (0..rows.len()).filter(|&idx| rows[idx].status == LabelStatus::NotTried).collect();
    if eligible.is_empty() {
        let distance = |idx: &usize| (rate(&rows[*idx]) - FALLBACK_BASE_RATE).abs();
        // A label with a single class cannot be fitted at all.
        let has_both = |idx: &usize| 0.0 < rate(&rows[*idx]) && rate(&rows[*idx]) < 1.0;
        // `min_by` returns the first of equal distances, in the job's order.
        let fallback = (0..rows.len()).filter(has_both).min_by(|a, b| distance(a).total_cmp(&distance(b)));
        if let Some(row) = fallback.and_then(|idx| rows.get_mut(idx)) {
            row.status = LabelStatus::TooRare;
        }
        return rows;
    }
    // The sort is stable, so labels of equal base rates keep the job's order.
    eligible.sort_by(|&a, &b| rate(&rows[a]).total_cmp(&rate(&rows[b])));
    // At least one label is tried, even if half of the budget is 0.
    let n_trials = n_trials.clamp(1, eligible.len());
    // The labels in the middle of the list are tried: the more extreme a base rate, the fewer rows
    // one of the classes has.
    let first = (eligible.len() - n_trials) / 2;
    for &idx in &eligible[first..first + n_trials] {
        rows[idx].status = LabelStatus::Tried;
    }
    rows
}

/// Rejects the job if every label has a single class before the test period: no family could be
/// fitted.
pub(super) fn reject_one_class(context: &SearchContext<'_>) -> Result<(), JobError> {
    let development_rows =
        || context.labels.iter().zip(context.splits).map(|(label, splits)| (label, &splits.development));
    let has_both = development_rows().any(|(label, development)| {
        let counts = class_counts(context.table, label, &development.train_rows);
        counts.has_both_classes()
    });
    if has_both {
        return Ok(());
    }
    let returns = development_rows()
        .flat_map(|(label, rows)| rows.train_rows.iter().map(|&row| label.forward_return_pct[row as usize]));
    let (least, largest) =
        returns.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    // If there is no return at all, `Iterator::fold` leaves both bounds at their initial
    // infinities.
    if least > largest {
        let message = "no label can be learned: none of the rows before the test period has a label that is known before \
             that period";
        let hint = "shorten design.forward_returns_days_options, or provide more years of bars";
        return Err(JobError::refused(Phase::ConfigSearch, ErrorCode::NoLabelLearnable, message, hint));
    }
    let message = format!(
        "no label can be learned: forward returns before the test period range from {least:.4} % to {largest:.4} %, and \
         none of the job's thresholds separates them into two classes"
    );
    let mut thresholds = context.labels.iter().map(|label| label.key.threshold_pct);
    let hint = if largest <= least {
        "the prices never change: use other bars or other symbols".to_owned()
    } else if thresholds.clone().all(|threshold| threshold > largest) {
        format!("lower design.profit_threshold_options below the largest forward return, {largest:.4} %")
    } else if thresholds.all(|threshold| threshold <= least) {
        format!("raise design.profit_threshold_options above the smallest forward return, {least:.4} %")
    } else {
        format!("choose design.profit_threshold_options between {least:.4} % and {largest:.4} %")
    };
    Err(JobError::refused(Phase::ConfigSearch, ErrorCode::NoLabelLearnable, message, hint))
}

fn rate(row: &LabelRow) -> f64 {
    row.base_rate.map_or(0.0, Finite::get)
}

fn examine_one(context: &SearchContext<'_>, label_idx: usize) -> LabelRow {
    let label = &context.labels[label_idx];
    let splits = &context.splits[label_idx];
    let count = |rows: &[u32]| class_counts(context.table, label, rows);
    let sufficient = |fold: &&Fold| count(&fold.train_rows).suffice(MinCounts::TRAIN);
    let valid_rows = pooled_valid_rows(splits.folds.iter().filter(sufficient));
    let shortfall = count(&valid_rows).shortfall(MinCounts::COMPARE);
    let problem = shortfall.map(|shortfall| format!("validation rows of all folds: {shortfall}"));
    LabelRow {
        name: label.key.into(),
        status: if problem.is_some() { LabelStatus::Rejected } else { LabelStatus::NotTried },
        base_rate: count(&splits.development.train_rows).base_rate().and_then(Finite::new),
        score: None,
        reason: problem.unwrap_or_else(|| "the trials were spent on labels with more moderate base rates".to_owned()),
    }
}

/// The label of a job, with the label that it was compared with.
pub(super) struct LabelChoice<'t> {
    /// The prior on the chosen label.
    pub(super) chosen: &'t TrialResult,
    /// Index of the label with the median base rate.
    pub(super) median_idx: usize,
}

/// Chooses the label with the median base rate, unless another label beats it clearly; of several
/// such labels, the one with the largest gain. Returns `None` if the prior could not be fitted on
/// any label.
pub(super) fn choose<'t>(
    context: &SearchContext<'_>,
    baselines: &Baselines<'_>,
    rows: &mut [LabelRow],
    priors: &'t [TrialResult],
) -> Option<LabelChoice<'t>> {
    // If no label has a score, because all labels are too rare, the choice depends on the base rate
    // alone.
    let n_scored = priors.iter().filter(|result| result.score().is_some()).count();
    let mut by_rate: Vec<&TrialResult> =
        priors.iter().filter(|result| n_scored == 0 || result.score().is_some()).collect();
    by_rate.sort_by(|a, b| rate(&rows[a.label_idx]).total_cmp(&rate(&rows[b.label_idx])));
    // For an even number of labels, the lower median is used, so that the label is one of the tried
    // ones.
    let &median = by_rate.get(by_rate.len().saturating_sub(1) / 2)?;
    let gains = by_rate.iter().filter_map(|result| {
        let gain = gain(context, &result.contender(baselines), &median.contender(baselines)).ok()?;
        (result.label_idx != median.label_idx && gain.is_clear()).then_some((*result, gain))
    });
    // `max_by` returns the last of equal gains, which has the highest base rate.
    let best = gains.max_by(|a, b| a.1.value.total_cmp(&b.1.value));
    let (chosen, reason) = match best {
        Some((result, Gain { value, standard_error, .. })) => {
            (result, format!("beats the label of median base rate by {value:.3} ± {standard_error:.3}"))
        }
        None => (median, "median base rate, and no other label is clearly better".to_owned()),
    };
    let is_tried = |status| matches!(status, LabelStatus::Tried | LabelStatus::TooRare);
    for (idx, row) in rows.iter_mut().enumerate().filter(|(_, row)| is_tried(row.status)) {
        row.score =
            priors.iter().find(|result| result.label_idx == idx).and_then(|result| Finite::new(result.score()?));
        if row.status == LabelStatus::TooRare {
            // Its reason, the counts that are too small, is kept.
            continue;
        }
        row.reason = match row.score {
            Some(_) => "not clearly better than the chosen label".to_owned(),
            None => "the prior has no score on this label; see the reason of its trial".to_owned(),
        };
    }
    let row = &mut rows[chosen.label_idx];
    if row.status == LabelStatus::Tried {
        row.status = LabelStatus::Chosen;
        row.reason = reason;
    }
    Some(LabelChoice { chosen, median_idx: median.label_idx })
}

/// Returns the warning `auc_weak` if none of the labels has enough rows.
pub(super) fn warnings(rows: &[LabelRow]) -> Vec<Warning> {
    let too_rare = rows.iter().filter(|row| row.status == LabelStatus::TooRare);
    let warning = |row: &LabelRow| {
        let LabelName { horizon_days, threshold_pct } = row.name;
        let message = format!(
            "every label is too rare for a reliable score; the job continued with the label of {threshold_pct} % in \
             {horizon_days} sessions, whose base rate is nearest to 30 %, and with half of the trials: {}",
            row.reason
        );
        Warning::new(WarningCode::AucWeak, message)
    };
    too_rare.map(warning).collect()
}

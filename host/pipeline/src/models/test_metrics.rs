//! What the winner does on the test period: computed once, from scores that exist only then.

use serde::{Deserialize, Serialize};

use crate::{
    baseline::Volatility,
    date::iso_date,
    metrics::{Confusion, Finite, Interval, Ranking, Reasons, Undefined, average_precision},
    models::roc::{Roc, RocFigures, RocSample, enough_positives},
    search::{LabelName, SearchContext},
    splits::class_counts,
};

/// The winner on the test period. A null figure has its reason in `reasons`, under the figure's
/// name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestMetrics {
    /// The name to show.
    pub model_name: String,
    /// AUC in excess of the volatility baseline, or of 0.5 if the baseline is lower: the skill that
    /// volatility does not explain. A baseline below 0.5 on the test would flatter the model.
    pub auc_minus_baseline: Option<Finite>,
    /// Its 95 % interval.
    pub auc_minus_baseline_ci95: Option<Interval>,
    /// Area under the ROC curve.
    pub auc: Option<Finite>,
    /// Its approximate 95 % interval: circular blocks of 2h whole dates, 1,000 draws.
    pub auc_ci95: Option<Interval>,
    /// AUC of the volatility baseline, fitted and tested on the same rows.
    pub auc_volatility_baseline: Option<Finite>,
    /// Average precision.
    pub pr_auc: Option<Finite>,
    /// Share of positives.
    pub base_rate: Option<Finite>,
    /// Harmonic mean of precision and recall.
    pub f1: Option<Finite>,
    /// Share of positives among the flagged rows.
    pub precision: Option<Finite>,
    /// Share of flagged rows among the positives.
    pub recall: Option<Finite>,
    /// Share of flagged rows.
    pub flagged_share: Option<Finite>,
    /// Score from which a row is flagged. In deviations from the scores of the training rows it
    /// equals the out-of-fold quantile that flags as many rows as are positive.
    pub threshold: Option<Finite>,
    /// Rows of the final fit.
    pub n_train: usize,
    /// Rows tested.
    pub n_test: usize,
    /// Positives among them.
    pub n_test_positive: usize,
    /// Runs of positives more than the horizon apart.
    pub n_test_episodes: usize,
    /// First date tested; `None` without rows.
    pub test_from: Option<String>,
    /// Last date tested.
    pub test_to: Option<String>,
    /// What is forecast.
    pub label: LabelName,
    /// Years of test that would narrow the AUC's interval to ± 0.05.
    pub years_needed: Option<Finite>,
    /// The same of each symbol.
    pub per_symbol: Vec<SymbolMetrics>,
    /// Why figures are null.
    pub reasons: Reasons,
}

/// The winner on one symbol's test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymbolMetrics {
    /// Ticker.
    pub symbol: String,
    /// Rows tested.
    pub n_test: usize,
    /// Positives among them.
    pub n_test_positive: usize,
    /// Area under the ROC curve.
    pub auc: Option<Finite>,
    /// Average precision.
    pub pr_auc: Option<Finite>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// What is put to the test.
pub(super) struct TestedModel<'a> {
    pub(super) model_name: &'a str,
    /// One per test row.
    pub(super) scores: &'a [f32],
    pub(super) threshold: Result<f32, Undefined>,
    pub(super) n_train: usize,
    /// Why the AUC is undefined, if the label is too rare to be judged.
    pub(super) too_rare: Option<Undefined>,
}

/// Evaluates scores of the test rows.
pub(super) fn on_test(context: &SearchContext<'_>, label_idx: usize, tested: &TestedModel<'_>) -> TestMetrics {
    let table = context.table;
    let label = &context.labels[label_idx];
    let splits = &context.splits[label_idx];
    let rows = &splits.test_rows;
    let truth: Vec<f32> = rows.iter().map(|&row| label.value[row as usize]).collect();
    let counts = class_counts(table, label, rows);
    let flags = tested.threshold.clone().map(|threshold| Confusion::at(threshold, &truth, tested.scores));
    let flagged = |figure: fn(&Confusion) -> Result<f64, Undefined>| flags.clone().and_then(|flags| figure(&flags));
    let baseline = baseline_scores(context, label_idx);
    let sample = RocSample { context, label_idx, rows, purpose: "test intervals" };
    let roc = Roc::new(&sample, tested.scores, baseline, tested.too_rare.clone());
    let mut reasons = Reasons::default();
    let RocFigures { auc, auc_ci95, auc_volatility_baseline, auc_minus_baseline, auc_minus_baseline_ci95 } =
        roc.figures(&mut reasons);
    let dates = rows.iter().map(|&row| table.day[row as usize]);
    let no_row = || Undefined::because("the test period has no labelled row");
    TestMetrics {
        model_name: tested.model_name.to_owned(),
        auc_minus_baseline,
        auc_minus_baseline_ci95,
        auc,
        auc_ci95,
        auc_volatility_baseline,
        pr_auc: reasons.figure("pr_auc", average_precision(&truth, tested.scores)),
        base_rate: reasons.figure("base_rate", counts.base_rate().ok_or_else(no_row)),
        f1: reasons.figure("f1", flagged(Confusion::f1)),
        precision: reasons.figure("precision", flagged(Confusion::precision)),
        recall: reasons.figure("recall", flagged(Confusion::recall)),
        flagged_share: reasons.figure("flagged_share", flagged(Confusion::flagged_share)),
        threshold: reasons.figure("threshold", tested.threshold.clone().map(f64::from)),
        n_train: tested.n_train,
        n_test: rows.len(),
        n_test_positive: counts.n_positive,
        n_test_episodes: counts.n_episodes,
        test_from: reasons.value("test_from", dates.clone().min().map(iso_date).ok_or_else(no_row)),
        test_to: reasons.value("test_to", dates.max().map(iso_date).ok_or_else(no_row)),
        label: label.key.into(),
        years_needed: reasons.figure("years_needed", roc.years_needed()),
        per_symbol: per_symbol(context, label_idx, tested),
        reasons,
    }
}

/// Fits the baseline on the rows of the final fit, and returns one score per test row.
fn baseline_scores(context: &SearchContext<'_>, label_idx: usize) -> Result<Vec<f32>, Undefined> {
    let splits = &context.splits[label_idx];
    let volatility = Volatility::from_table(context.table)
        .ok_or_else(|| Undefined::because("the table lacks the features of the volatility baseline"))?;
    volatility
        .scores(&context.labels[label_idx].value, &splits.development.train_rows, &splits.test_rows)
        .ok_or_else(|| Undefined::because("all training rows are of one class"))
}

fn per_symbol(context: &SearchContext<'_>, label_idx: usize, tested: &TestedModel<'_>) -> Vec<SymbolMetrics> {
    let label = &context.labels[label_idx];
    let rows = &context.splits[label_idx].test_rows;
    let of_symbol = |(symbol_idx, symbol): (usize, &String)| {
        let mut truth = Vec::new();
        let mut scores = Vec::new();
        for (&row, &score) in rows.iter().zip(tested.scores) {
            if context.table.symbol[row as usize] as usize == symbol_idx {
                truth.push(label.value[row as usize]);
                scores.push(score);
            }
        }
        let ranking = Ranking::from_scores(&truth, &scores);
        let mut reasons = Reasons::default();
        SymbolMetrics {
            symbol: symbol.clone(),
            n_test: truth.len(),
            n_test_positive: ranking.n_positive(),
            auc: reasons.figure("auc", tested.too_rare.clone().map_or_else(|| enough_positives(&ranking), Err)),
            pr_auc: reasons.figure("pr_auc", average_precision(&truth, &scores)),
            reasons,
        }
    };
    context.table.symbols.iter().enumerate().map(of_symbol).collect()
}

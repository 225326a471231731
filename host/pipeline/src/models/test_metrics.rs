//! Metrics of the winner on the test period.
//!
//! In: the winner's scores of the test rows. Out: [`TestMetrics`]. Invariant: the metrics are
//! computed once, after every choice was made; the test scores do not exist before that.

use serde::{Deserialize, Serialize};

use crate::{
    baseline::Volatility,
    date::iso_date,
    metrics::{Confusion, Finite, Interval, Ranking, Reasons, UndefinedError, average_precision},
    models::roc::{Roc, RocFigures, RocSample, enough_positives},
    search::{LabelName, SearchContext},
    splits::class_counts,
};

/// Metrics of the winner on the test period. A null figure has its reason in `reasons`, under the
/// figure's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestMetrics {
    /// Display name of the winner's family.
    pub model_name: String,
    /// AUC minus the larger of 0.5 and the AUC of the volatility baseline: the skill that
    /// volatility does not explain. A baseline below 0.5 would otherwise be credited to the model.
    pub auc_minus_baseline: Option<Finite>,
    /// 95 % interval of `auc_minus_baseline`.
    pub auc_minus_baseline_ci95: Option<Interval>,
    /// Area under the ROC curve.
    pub auc: Option<Finite>,
    /// Approximate 95 % interval of the AUC from a bootstrap of 1,000 draws. Each draw consists of
    /// circular blocks of whole dates, twice as long as the horizon.
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
    /// Score from which a row is flagged. On the standardised scale, it is the threshold that flags
    /// about as many out-of-fold rows as are positive.
    pub threshold: Option<Finite>,
    /// Number of rows of the final fit.
    pub n_train: usize,
    /// Number of test rows.
    pub n_test: usize,
    /// Number of positive test rows.
    pub n_test_positive: usize,
    /// Number of groups of positives; two groups are more than the horizon apart.
    pub n_test_episodes: usize,
    /// First date of the test rows; `None` without rows.
    pub test_from: Option<String>,
    /// Last date of the test rows; `None` without rows.
    pub test_to: Option<String>,
    /// The label that is forecast.
    pub label: LabelName,
    /// Number of years of test after which the interval of the AUC is ± 0.05.
    pub years_needed: Option<Finite>,
    /// Metrics of each symbol.
    pub per_symbol: Vec<SymbolMetrics>,
    /// Reason for each null figure, by field name.
    pub reasons: Reasons,
}

/// Metrics of the winner on one symbol's test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymbolMetrics {
    /// Ticker of the symbol.
    pub symbol: String,
    /// Number of test rows.
    pub n_test: usize,
    /// Number of positive test rows.
    pub n_test_positive: usize,
    /// Area under the ROC curve.
    pub auc: Option<Finite>,
    /// Average precision.
    pub pr_auc: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// The model to evaluate on the test rows.
pub(super) struct TestedModel<'a> {
    pub(super) model_name: &'a str,
    /// One score per test row.
    pub(super) scores: &'a [f32],
    pub(super) threshold: Result<f32, UndefinedError>,
    pub(super) n_train: usize,
    /// Reason why the AUC is undefined, if the label is too rare.
    pub(super) too_rare: Option<UndefinedError>,
}

/// Evaluates a model by its scores of the test rows.
pub(super) fn on_test(context: &SearchContext<'_>, label_idx: usize, tested: &TestedModel<'_>) -> TestMetrics {
    let table = context.table;
    let label = &context.labels[label_idx];
    let splits = &context.splits[label_idx];
    let rows = &splits.test_rows;
    let target: Vec<f32> = rows.iter().map(|&row| label.value[row as usize]).collect();
    let counts = class_counts(table, label, rows);
    // Without a threshold, all figures of flagged rows are null for the same reason.
    let flags = tested.threshold.clone().map(|threshold| Confusion::at(threshold, &target, tested.scores));
    let flagged =
        |figure: fn(&Confusion) -> Result<f64, UndefinedError>| flags.clone().and_then(|flags| figure(&flags));
    let baseline = baseline_scores(context, label_idx);
    let sample = RocSample { context, label_idx, rows, purpose: "test intervals" };
    let roc = Roc::new(&sample, tested.scores, baseline, tested.too_rare.clone());
    let mut reasons = Reasons::default();
    let RocFigures { auc, auc_ci95, auc_volatility_baseline, auc_minus_baseline, auc_minus_baseline_ci95 } =
        roc.figures(&mut reasons);
    let dates = rows.iter().map(|&row| table.day[row as usize]);
    let no_row = || UndefinedError::because("the test period has no labelled row");
    TestMetrics {
        model_name: tested.model_name.to_owned(),
        auc_minus_baseline,
        auc_minus_baseline_ci95,
        auc,
        auc_ci95,
        auc_volatility_baseline,
        pr_auc: reasons.figure("pr_auc", average_precision(&target, tested.scores)),
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
fn baseline_scores(context: &SearchContext<'_>, label_idx: usize) -> Result<Vec<f32>, UndefinedError> {
    let splits = &context.splits[label_idx];
    let volatility = Volatility::from_table(context.table)
        .ok_or_else(|| UndefinedError::because("the table lacks the features of the volatility baseline"))?;
    volatility
        // The winner is fitted and evaluated on the same rows, so both AUCs are comparable.
        .scores(&context.labels[label_idx].value, &splits.development.train_rows, &splits.test_rows)
        .ok_or_else(|| UndefinedError::because("all training rows belong to one class"))
}

fn per_symbol(context: &SearchContext<'_>, label_idx: usize, tested: &TestedModel<'_>) -> Vec<SymbolMetrics> {
    let label = &context.labels[label_idx];
    let rows = &context.splits[label_idx].test_rows;
    let symbol_metrics = |(symbol_idx, symbol): (usize, &String)| {
        let mut target = Vec::new();
        let mut scores = Vec::new();
        for (&row, &score) in rows.iter().zip(tested.scores) {
            if context.table.symbol[row as usize] as usize == symbol_idx {
                target.push(label.value[row as usize]);
                scores.push(score);
            }
        }
        let ranking = Ranking::from_scores(&target, &scores);
        let mut reasons = Reasons::default();
        SymbolMetrics {
            symbol: symbol.clone(),
            n_test: target.len(),
            n_test_positive: ranking.n_positive(),
            auc: reasons.figure("auc", tested.too_rare.clone().map_or_else(|| enough_positives(&ranking), Err)),
            pr_auc: reasons.figure("pr_auc", average_precision(&target, &scores)),
            reasons,
        }
    };
    context.table.symbols.iter().enumerate().map(symbol_metrics).collect()
}

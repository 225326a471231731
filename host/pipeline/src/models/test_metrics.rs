//! Metrics of the winner on the test period.
//!
//! In: the winner's scores of the test rows. Out: [`TestMetrics`]. Invariant: the metrics are
//! computed once, after every choice was made; the test scores do not exist before that.

use oculus_job::warning::{Warning, WarningCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    baseline::Volatility,
    canaries::ChanceAuc,
    date::iso_date,
    metrics::{
        Confusion, Finite, Interval, RankIcRows, Ranking, Reasons, UndefinedError, average_precision, block_dates,
        rank_ic,
    },
    models::{
        calibration::{Calibration, ReliabilityBin, brier_score, reliability},
        reliability::{AucReliability, auc_reliability},
        roc::{Roc, RocFigures, RocSample},
    },
    search::{LabelName, SearchContext},
    splits::class_counts,
};

/// Largest `auc_p` of an AUC that is called more than chance.
pub(crate) const MAX_CHANCE_P: f64 = 0.05;

/// Metrics of the winner on the test period. A null figure has its reason in `reasons`, under the
/// figure's name, and so has a ratio that is 0 because it is undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TestMetrics {
    /// Display name of the winner's family.
    #[schemars(extend("x-contract" = true))]
    pub model_name: String,
    /// AUC minus the AUC of the volatility baseline: the skill that volatility does not explain;
    /// null if one of them is null.
    pub auc_minus_baseline: Option<Finite>,
    /// 95 % interval of `auc_minus_baseline`: a t interval over blocks of whole dates; null under
    /// the conditions of `auc_ci95`.
    pub auc_minus_baseline_ci95: Option<Interval>,
    /// Area under the ROC curve, 0 to 1; null only if the test period lacks a class.
    #[schemars(extend("x-contract" = true))]
    pub auc: Option<Finite>,
    /// Whether the test period has enough rows for an AUC. An AUC that is `sound` may still have a
    /// wide interval.
    pub auc_reliability: AucReliability,
    /// 95 % interval of the AUC: a t interval on the logit scale. Its standard error comes from a
    /// bootstrap of 1,000 draws in circular blocks of whole dates, twice as long as the horizon.
    /// Null under 4 blocks, under 10 rows of either class, or if all scores are equal.
    pub auc_ci95: Option<Interval>,
    /// Range of the AUC by chance: the central 95 % of the AUCs of this model on surrogate markets,
    /// which have the volatility of the real one and no direction. The range is not centred at 0.5:
    /// volatility alone forecasts large moves, and short periods have a bias. Null if `auc` is
    /// null, or if no surrogate market can be computed.
    pub auc_chance95: Option<Interval>,
    /// Probability of this AUC or a higher one by chance: the share of the surrogate markets, the
    /// real one included, whose AUC is at least the real one. The lowest possible value is
    /// 1 / (`auc_n_surrogates` + 1). Null together with `auc_chance95`.
    pub auc_p: Option<Finite>,
    /// Number of surrogate markets on which the AUC of this model was computed; 0 if `auc_p` is
    /// null.
    pub auc_n_surrogates: usize,
    /// AUC of the volatility baseline, fitted and tested on the same rows as the model; null if
    /// `auc` is null, or if the features of the baseline are missing.
    pub auc_volatility_baseline: Option<Finite>,
    /// Mean over the test dates of the rank correlation between rank scores and forward returns within
    /// the date; null for fewer than five symbols. A rank score is the part of a score that volatility
    /// does not explain.
    pub rank_ic: Option<Finite>,
    /// 95 % interval of `rank_ic`: a t interval over blocks of whole dates; null together with
    /// `rank_ic`, or under 4 blocks.
    pub rank_ic_ci95: Option<Interval>,
    /// Average precision: the area under the curve of precision and recall; null without positives.
    pub pr_auc: Option<Finite>,
    /// Share of positives among the test rows, 0 to 1; null without test rows.
    pub base_rate: Option<Finite>,
    /// Mean squared difference between the calibrated probability and the label; lower is better.
    pub brier_score: Option<Finite>,
    /// Brier score of a constant probability, the base rate of the training rows.
    pub brier_score_of_base_rate: Option<Finite>,
    /// Slope of the calibrated log-odds per standard deviation of the score, from 0 to 1. With 0,
    /// the out-of-fold scores carry no information, and all probabilities are the base rate.
    pub calibration_slope: Option<Finite>,
    /// Test rows by calibrated probability, in up to five bins of equal numbers.
    pub reliability: Vec<ReliabilityBin>,
    /// Harmonic mean of precision and recall, 0 to 1; 0 if undefined.
    #[schemars(extend("x-contract" = true))]
    pub f1: Finite,
    /// Share of positives among the flagged rows (the rows that are signals, see `threshold`), 0 to
    /// 1; 0 if no row is flagged.
    #[schemars(extend("x-contract" = true))]
    pub precision: Finite,
    /// Share of flagged rows among the positives, 0 to 1; 0 if there are none.
    #[schemars(extend("x-contract" = true))]
    pub recall: Finite,
    /// Share of flagged rows among the test rows, 0 to 1; null without a threshold or without test
    /// rows.
    pub flagged_share: Option<Finite>,
    /// A fixed score, for comparison: about as many out-of-fold rows have at least this score as
    /// are positive. It is on the scale of the model's scores, not of probabilities. Flagged rows
    /// do not depend on it: a row is flagged if its score reaches the quantile of the scores of the
    /// 252 dates before it.
    pub threshold: Option<Finite>,
    /// Number of rows of the final fit.
    pub n_train: usize,
    /// Number of test rows.
    pub n_test: usize,
    /// Number of positive test rows.
    pub n_test_positive: usize,
    /// Number of groups of positives; two groups are more than the horizon apart.
    pub n_test_episodes: usize,
    /// First date of the test rows; null without rows.
    pub test_from: Option<String>,
    /// Last date of the test rows; null without rows.
    pub test_to: Option<String>,
    /// The label that is forecast.
    pub label: LabelName,
    /// Number of years of test after which the interval of the AUC is ± 0.05; null together with
    /// `auc_ci95`.
    pub years_needed: Option<Finite>,
    /// Metrics of each symbol.
    pub per_symbol: Vec<SymbolMetrics>,
    /// Reason for each null figure, by field name, and for each ratio that is 0 because it is
    /// undefined.
    pub reasons: Reasons,
    /// Counts that are too small, if `auc_reliability` is `weak`.
    #[serde(skip)]
    shortfall: Option<String>,
    /// Whether the model gives every test row the same score.
    #[serde(skip)]
    has_equal_scores: bool,
}

impl TestMetrics {
    /// Records the range of the AUC by chance.
    pub(super) fn set_chance(&mut self, chance: Result<ChanceAuc, UndefinedError>) {
        let ChanceAuc { chance95, p, n_surrogates } = match chance {
            Ok(chance) => chance,
            Err(reason) => {
                self.auc_chance95 = self.reasons.value("auc_chance95", Err(reason.clone()));
                self.auc_p = self.reasons.value("auc_p", Err(reason));
                return;
            }
        };
        self.auc_chance95 = Some(chance95);
        self.auc_p = Some(p);
        self.auc_n_surrogates = n_surrogates;
    }

    /// Returns the warning `auc_within_chance` if chance reaches the AUC in more than 5 % of the
    /// surrogate markets.
    pub(super) fn chance_warning(&self) -> Option<Warning> {
        let (auc, p) = self.auc.zip(self.auc_p)?;
        let Interval(low, high) = self.auc_chance95?;
        (p.get() > MAX_CHANCE_P).then(|| {
            let message = format!(
                "the AUC of the test period is {:.3}, and the model reaches {:.3} to {:.3} on markets whose direction cannot \
                 be forecast: it may be chance (p = {:.2})",
                auc.get(),
                low.get(),
                high.get(),
                p.get()
            );
            Warning::new(WarningCode::AucWithinChance, message)
        })
    }

    /// Returns the warnings `auc_weak` and `constant_model`.
    pub fn warnings(&self) -> Vec<Warning> {
        let weak = self.shortfall.as_ref().map(|shortfall| {
            Warning::new(WarningCode::AucWeak, format!("the AUC of the test period is not reliable: {shortfall}"))
        });
        let constant = self.has_equal_scores.then(|| {
            let message = format!(
                "{} gives every test row the same score: it found nothing that separates the rows, and its AUC is 0.5",
                self.model_name
            );
            Warning::new(WarningCode::ConstantModel, message)
        });
        weak.into_iter().chain(constant).collect()
    }
}

/// Metrics of the winner on one symbol's test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SymbolMetrics {
    /// Ticker of the symbol.
    pub symbol: String,
    /// Number of test rows.
    pub n_test: usize,
    /// Number of positive test rows.
    pub n_test_positive: usize,
    /// Area under the ROC curve, 0 to 1; null if the rows of the symbol have one class.
    pub auc: Option<Finite>,
    /// Average precision; null without positives.
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
    /// One rank score per test row.
    pub(super) rank_scores: Vec<f32>,
    pub(super) threshold: Result<f32, UndefinedError>,
    pub(super) calibration: Result<Calibration, UndefinedError>,
    /// Whether each test row is a signal.
    pub(super) flags: Vec<Option<bool>>,
    pub(super) n_train: usize,
}

/// Evaluates a model by its scores of the test rows.
pub(super) fn on_test(context: &SearchContext<'_>, label_idx: usize, tested: &TestedModel<'_>) -> TestMetrics {
    let table = context.table;
    let label = &context.labels[label_idx];
    let splits = &context.splits[label_idx];
    let rows = &splits.test_rows;
    let target: Vec<f32> = rows.iter().map(|&row| label.value[row as usize]).collect();
    let counts = class_counts(table, label, rows);
    let flags = Confusion::from_flags(&target, &tested.flags);
    let calibration = tested.calibration.as_ref().map_err(UndefinedError::clone);
    let probability = calibration
        .clone()
        .map(|calibration| -> Vec<f64> { tested.scores.iter().map(|&score| calibration.probability(score)).collect() });
    let trained = class_counts(table, label, &splits.development.train_rows).base_rate();
    let constant = vec![trained.unwrap_or_default(); target.len()];
    let baseline = baseline_scores(context, label_idx);
    let sample = RocSample { context, label_idx, rows, purpose: "test intervals" };
    let roc = Roc::new(&sample, tested.scores, baseline);
    let (auc_reliability, shortfall) = auc_reliability(&counts, roc.n_blocks());
    let forward_returns: Vec<f64> = rows.iter().map(|&row| label.forward_return_pct[row as usize]).collect();
    let days: Vec<i32> = rows.iter().map(|&row| table.day[row as usize]).collect();
    let ranked = RankIcRows { scores: &tested.rank_scores, forward_returns: &forward_returns, dates: &days };
    let ranked = rank_ic(&ranked, block_dates(label), context.seed);
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
        auc_reliability,
        auc_ci95,
        auc_chance95: None,
        auc_p: None,
        auc_n_surrogates: 0,
        auc_volatility_baseline,
        rank_ic: reasons.figure("rank_ic", ranked.clone().map(|ranked| ranked.mean)),
        rank_ic_ci95: reasons.value("rank_ic_ci95", ranked.and_then(|ranked| ranked.ci95)),
        pr_auc: reasons.figure("pr_auc", average_precision(&target, tested.scores)),
        base_rate: reasons.figure("base_rate", counts.base_rate().ok_or_else(no_row)),
        brier_score: reasons.figure("brier_score", probability.clone().and_then(|p| brier_score(&target, &p))),
        brier_score_of_base_rate: reasons.figure("brier_score_of_base_rate", brier_score(&target, &constant)),
        calibration_slope: reasons.figure("calibration_slope", calibration.map(|calibration| calibration.slope)),
        reliability: probability.map(|probability| reliability(&target, &probability)).unwrap_or_default(),
        f1: reasons.figure_or_zero("f1", flags.f1()),
        precision: reasons.figure_or_zero("precision", flags.precision()),
        recall: reasons.figure_or_zero("recall", flags.recall()),
        flagged_share: reasons.figure("flagged_share", flags.flagged_share()),
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
        shortfall,
        has_equal_scores: roc.has_equal_scores(),
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
            auc: reasons.figure("auc", ranking.defined_auc()),
            pr_auc: reasons.figure("pr_auc", average_precision(&target, &scores)),
            reasons,
        }
    };
    context.table.symbols.iter().enumerate().map(symbol_metrics).collect()
}

//! AUC of a model and of the volatility baseline on the same rows, with intervals from the same
//! resamples.
//!
//! In: the scores of the model and of the baseline, the labels, and the dates. Out: [`RocFigures`].
//! The resamples are shared, so the interval of the difference is paired.

use crate::{
    metrics::{
        Dates, Finite, Interval, Random, Ranking, Reasons, Resamples, ScoredRow, UndefinedError, block_dates,
        logit_t_interval, standard_error, t_interval, years_needed,
    },
    search::SearchContext,
};

/// Smallest number of rows of each class in an interval of the AUC.
const MIN_PER_CLASS: usize = 10;

/// Rows on which a model is compared with the baseline.
#[derive(Clone, Copy)]
pub(super) struct RocSample<'a> {
    pub(super) context: &'a SearchContext<'a>,
    pub(super) label_idx: usize,
    pub(super) rows: &'a [u32],
    /// Key of the random draws; draws for one purpose do not depend on draws for another.
    pub(super) purpose: &'static str,
}

/// Rankings of a model and of the baseline, sorted once, with shared resamples.
pub(super) struct Roc {
    model: Ranking,
    baseline: Result<Ranking, UndefinedError>,
    resamples: Result<Resamples, UndefinedError>,
    years: f64,
}

/// The figures of a [`Roc`].
pub(super) struct RocFigures {
    pub(super) auc: Option<Finite>,
    pub(super) auc_ci95: Option<Interval>,
    pub(super) auc_volatility_baseline: Option<Finite>,
    pub(super) auc_minus_baseline: Option<Finite>,
    pub(super) auc_minus_baseline_ci95: Option<Interval>,
}

impl Roc {
    /// Ranks the rows of a sample and draws the resamples.
    ///
    /// * `scores`, `baseline`: one per row of the sample.
    pub(super) fn new(sample: &RocSample<'_>, scores: &[f32], baseline: Result<Vec<f32>, UndefinedError>) -> Self {
        let RocSample { context, label_idx, rows, purpose } = *sample;
        let day = &context.table.day;
        let label = &context.labels[label_idx];
        let dates = Dates::from_rows(day, rows);
        let rank = |scores: &[f32]| {
            let scored_rows = rows.iter().zip(scores).map(|(&row, &score)| ScoredRow {
                score,
                label: label.value[row as usize],
                date_idx: dates.index(day[row as usize]),
            });
            Ranking::new(scored_rows)
        };
        let random = Random::new(context.seed, purpose);
        Self {
            model: rank(scores),
            baseline: baseline.map(|scores| rank(&scores)),
            resamples: Resamples::draw(dates.len(), block_dates(label), random),
            years: dates.years(),
        }
    }

    /// Returns the figures; the reason of a null figure is recorded in `reasons` under its name.
    pub(super) fn figures(&self, reasons: &mut Reasons) -> RocFigures {
        RocFigures {
            auc: reasons.figure("auc", self.auc()),
            auc_ci95: reasons.value("auc_ci95", self.auc_interval()),
            auc_volatility_baseline: reasons.figure("auc_volatility_baseline", self.baseline_auc()),
            auc_minus_baseline: reasons.figure("auc_minus_baseline", self.gain()),
            auc_minus_baseline_ci95: reasons.value("auc_minus_baseline_ci95", self.gain_interval()),
        }
    }

    /// Returns the number of years of test after which the interval of the AUC is ± 0.05.
    pub(super) fn years_needed(&self) -> Result<f64, UndefinedError> {
        Ok(years_needed(self.auc_interval()?, self.years))
    }

    fn auc(&self) -> Result<f64, UndefinedError> {
        self.model.defined_auc()
    }

    fn baseline_auc(&self) -> Result<f64, UndefinedError> {
        self.baseline.as_ref().map_err(UndefinedError::clone)?.defined_auc()
    }

    fn gain(&self) -> Result<f64, UndefinedError> {
        Ok(self.auc()? - self.baseline_auc()?)
    }

    fn auc_interval(&self) -> Result<Interval, UndefinedError> {
        let auc = self.auc()?;
        self.enough_per_class()?;
        if self.model.has_equal_scores() {
            return Err(UndefinedError::because("all scores are equal, so no resample differs"));
        }
        let resamples = self.resamples()?;
        let standard_error = standard_error(&resamples.map(|counts| self.model.auc(Some(counts)))?)?;
        logit_t_interval(auc, standard_error, resamples.n_blocks())
    }

    fn gain_interval(&self) -> Result<Interval, UndefinedError> {
        let gain = self.gain()?;
        self.enough_per_class()?;
        let baseline = self.baseline.as_ref().map_err(UndefinedError::clone)?;
        let resamples = self.resamples()?;
        let draw = |counts: &[u32]| Some(self.model.auc(Some(counts))? - baseline.auc(Some(counts))?);
        t_interval(gain, standard_error(&resamples.map(draw)?)?, resamples.n_blocks())
    }

    /// Returns the number of blocks of the sample; 0 if there are too few dates for two blocks.
    pub(super) fn n_blocks(&self) -> f64 {
        self.resamples.as_ref().map_or(0.0, Resamples::n_blocks)
    }

    /// Returns whether the model gives the same score to every row.
    pub(super) fn has_equal_scores(&self) -> bool {
        self.model.has_equal_scores()
    }

    fn resamples(&self) -> Result<&Resamples, UndefinedError> {
        self.resamples.as_ref().map_err(UndefinedError::clone)
    }

    fn enough_per_class(&self) -> Result<(), UndefinedError> {
        let n_positive = self.model.n_positive();
        let n_negative = self.model.n_rows() - n_positive;
        if n_positive.min(n_negative) < MIN_PER_CLASS {
            return Err(UndefinedError::because(format!(
                "found {n_positive} positives and {n_negative} negatives, expected at least {MIN_PER_CLASS} of each"
            )));
        }
        Ok(())
    }
}

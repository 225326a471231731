//! AUC of a model and of the volatility baseline on the same rows, with intervals from the same
//! resamples.
//!
//! In: the scores of the model and of the baseline, the labels, and the dates. Out: [`RocFigures`].
//! The resamples are shared, so the interval of the difference is paired.

use crate::{
    metrics::{
        Dates, Finite, Interval, Random, Ranking, Reasons, Resamples, ScoredRow, UndefinedError, block_dates, interval,
        years_needed,
    },
    search::SearchContext,
};

/// Minimum number of positives of a defined AUC; the search requires the same number for a score.
const MIN_POSITIVE: usize = 10;

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
    too_rare: Option<UndefinedError>,
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
    /// * `too_rare`: reason why the AUC is undefined, if the label is too rare.
    pub(super) fn new(
        sample: &RocSample<'_>,
        scores: &[f32],
        baseline: Result<Vec<f32>, UndefinedError>,
        too_rare: Option<UndefinedError>,
    ) -> Self {
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
            too_rare,
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
        self.too_rare.clone().map_or_else(|| enough_positives(&self.model), Err)
    }

    fn baseline_auc(&self) -> Result<f64, UndefinedError> {
        let baseline = self.baseline.as_ref().map_err(UndefinedError::clone)?;
        self.too_rare.clone().map_or_else(|| enough_positives(baseline), Err)
    }

    fn gain(&self) -> Result<f64, UndefinedError> {
        Ok(self.auc()? - self.baseline_auc()?.max(0.5))
    }

    fn auc_interval(&self) -> Result<Interval, UndefinedError> {
        // If the AUC is undefined, there is no interval to estimate. The reason why the AUC is
        // undefined then explains the missing interval best.
        self.auc()?;
        interval(self.resamples.as_ref().map_err(UndefinedError::clone)?.map(|counts| self.model.auc(Some(counts)))?)
    }

    fn gain_interval(&self) -> Result<Interval, UndefinedError> {
        self.gain()?;
        let baseline = self.baseline.as_ref().map_err(UndefinedError::clone)?;
        // The lower bound of 0.5 on the baseline applies within each resample, as it does in the
        // figure itself.
        let gain = |counts: &[u32]| Some(self.model.auc(Some(counts))? - baseline.auc(Some(counts))?.max(0.5));
        interval(self.resamples.as_ref().map_err(UndefinedError::clone)?.map(gain)?)
    }
}

/// Returns the AUC if enough rows are positive.
pub(super) fn enough_positives(ranking: &Ranking) -> Result<f64, UndefinedError> {
    let n_rows = ranking.n_rows();
    let n_positive = ranking.n_positive();
    if n_positive < MIN_POSITIVE {
        return Err(UndefinedError::because(format!(
            "found {n_positive} positives among {n_rows} rows, expected at least {MIN_POSITIVE}"
        )));
    }
    ranking.auc(None).ok_or_else(|| UndefinedError::because(format!("all {n_rows} rows are positive")))
}

//! AUC of a model and of the volatility baseline on the same rows, read under the same resamples.

use crate::{
    metrics::{
        Dates, Finite, Interval, Random, Ranking, Reasons, Resamples, ScoredRow, Undefined, block_dates, interval,
        years_needed,
    },
    search::SearchContext,
};

/// Number of positives below which an AUC is undefined.
const MIN_POSITIVE: usize = 10;

/// Rows on which a model is compared with the baseline.
#[derive(Clone, Copy)]
pub(super) struct RocSample<'a> {
    pub(super) context: &'a SearchContext<'a>,
    pub(super) label_idx: usize,
    pub(super) rows: &'a [u32],
    /// What the resamples are drawn for: draws of one purpose do not depend on those of another.
    pub(super) purpose: &'static str,
}

/// Model and baseline, ordered once and read under the same resamples.
pub(super) struct Roc {
    model: Ranking,
    baseline: Result<Ranking, Undefined>,
    resamples: Result<Resamples, Undefined>,
    years: f64,
    too_rare: Option<Undefined>,
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
    /// * `scores`, `baseline`: one per row of the sample.
    /// * `too_rare`: why the AUC is undefined, if the label is too rare to be judged.
    pub(super) fn new(
        sample: &RocSample<'_>,
        scores: &[f32],
        baseline: Result<Vec<f32>, Undefined>,
        too_rare: Option<Undefined>,
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

    /// Its figures; why one is null is noted under the field's name.
    pub(super) fn figures(&self, reasons: &mut Reasons) -> RocFigures {
        RocFigures {
            auc: reasons.figure("auc", self.auc()),
            auc_ci95: reasons.value("auc_ci95", self.auc_interval()),
            auc_volatility_baseline: reasons.figure("auc_volatility_baseline", self.baseline_auc()),
            auc_minus_baseline: reasons.figure("auc_minus_baseline", self.gain()),
            auc_minus_baseline_ci95: reasons.value("auc_minus_baseline_ci95", self.gain_interval()),
        }
    }

    /// Years of test that would narrow the AUC's interval to ± 0.05.
    pub(super) fn years_needed(&self) -> Result<f64, Undefined> {
        Ok(years_needed(self.auc_interval()?, self.years))
    }

    fn auc(&self) -> Result<f64, Undefined> {
        self.too_rare.clone().map_or_else(|| enough_positives(&self.model), Err)
    }

    fn baseline_auc(&self) -> Result<f64, Undefined> {
        let baseline = self.baseline.as_ref().map_err(Undefined::clone)?;
        self.too_rare.clone().map_or_else(|| enough_positives(baseline), Err)
    }

    fn gain(&self) -> Result<f64, Undefined> {
        Ok(self.auc()? - self.baseline_auc()?.max(0.5))
    }

    fn auc_interval(&self) -> Result<Interval, Undefined> {
        self.auc()?;
        interval(self.resamples.as_ref().map_err(Undefined::clone)?.map(|counts| self.model.auc(Some(counts)))?)
    }

    fn gain_interval(&self) -> Result<Interval, Undefined> {
        self.gain()?;
        let baseline = self.baseline.as_ref().map_err(Undefined::clone)?;
        let gain = |counts: &[u32]| Some(self.model.auc(Some(counts))? - baseline.auc(Some(counts))?.max(0.5));
        interval(self.resamples.as_ref().map_err(Undefined::clone)?.map(gain)?)
    }
}

/// Returns the AUC if enough rows are positive.
pub(super) fn enough_positives(ranking: &Ranking) -> Result<f64, Undefined> {
    let n_rows = ranking.n_rows();
    let n_positive = ranking.n_positive();
    if n_positive < MIN_POSITIVE {
        return Err(Undefined::because(format!("{n_positive} positives among {n_rows} rows, needs {MIN_POSITIVE}")));
    }
    ranking.auc(None).ok_or_else(|| Undefined::because(format!("all {n_rows} rows are positive")))
}

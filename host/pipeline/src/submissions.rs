//! Counts the designs that were tested on the test period of a job, and corrects the significance
//! of the job's figures for their number.
//!
//! In: the user's earlier submissions in the timeframe, the job, and its test period. Out:
//! [`Submissions`] for the result, and the [`Submission`] of the job for the ledger. Invariant: a
//! design counts once, no matter how often it is submitted. Test periods that share a month and a
//! symbol count as one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use oculus_job::request::Job;
use oculus_job::submission::{Submission, SubmissionHistory};
use oculus_job::warning::{Warning, WarningCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::date::iso_date;
use crate::metrics::{Finite, Reasons, UndefinedError};
use crate::models::TestMetrics;
use crate::strategy::{StrategyReport, significance::required_confidence};

#[cfg(test)]
mod tests;

/// Number of designs from which the result has the warning `test_reused`.
const MANY_SUBMISSIONS: usize = 10;

/// The designs that were tested on the test period of a job, and the corrected significance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Submissions {
    /// Number of different designs that were tested on this test period so far, including this one;
    /// null if the ledger cannot be read.
    pub n: Option<usize>,
    /// Start of the first of these jobs in UTC, such as `2024-01-15T10:30:00`; null together with
    /// `n`.
    pub first: Option<String>,
    /// Rank of this design by its AUC in the test period; 1 is the highest. Equal AUCs share the
    /// better rank. Null together with `n`, or without an AUC.
    pub rank: Option<usize>,
    /// Probability that the best of `n` designs reaches the AUC of this one by chance: `1 − (1 −
    /// auc_p)ⁿ`, the correction of Šidák for independent designs.
    pub auc_p_adjusted: Option<Finite>,
    /// Probabilistic Sharpe ratio that the verdict `edge` requires: `1 − 0.025 / n`.
    pub required_probabilistic_sharpe: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

impl Submissions {
    /// Returns `test_reused` if many designs were tested on the test period, or
    /// `submissions_unknown` if the ledger cannot be read.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let warning = match (self.n, &self.first) {
            (Some(n), Some(first)) if n >= MANY_SUBMISSIONS => Warning::new(
                WarningCode::TestReused,
                format!(
                    "this test period was used for {n} different designs since {first} UTC: the best of them looks \
                     better than it is, and `submissions` has the corrected figures"
                ),
            ),
            (None, _) => {
                let reason = self.reasons.get("n").unwrap_or("it was not counted");
                let message = format!("the number of designs that used this test period is unknown: {reason}");
                Warning::new(WarningCode::SubmissionsUnknown, message)
            }
            _ => return Vec::new(),
        };
        vec![warning]
    }
}

/// The figures of a job in its test period that a ledger contains.
#[derive(Clone, Debug)]
pub(crate) struct TestFigures {
    auc: Result<f64, UndefinedError>,
    auc_p: Result<f64, UndefinedError>,
    probabilistic_sharpe: Option<f64>,
}

impl TestFigures {
    /// Reads the figures of the winner and of the chosen strategy.
    pub(crate) fn new(test: &TestMetrics, strategy: &StrategyReport) -> Self {
        let figure = |name: &str, value: Option<Finite>| {
            let missing = || UndefinedError::because(test.reasons.get(name).unwrap_or("it was not computed"));
            value.map(Finite::get).ok_or_else(missing)
        };
        let significance = strategy.test.as_ref().map(|test| &test.significance);
        Self {
            auc: figure("auc", test.auc),
            auc_p: figure("auc_p", test.auc_p),
            probabilistic_sharpe: significance.and_then(|test| test.probabilistic_sharpe).map(Finite::get),
        }
    }
}

/// The submissions whose test periods overlap with that of a job, before its own figures are known.
#[derive(Clone, Debug)]
pub(crate) struct TestPeriodUse<'a> {
    earlier: Result<Vec<&'a Submission>, UndefinedError>,
    /// The submission of the job, without figures.
    own: Submission,
}

impl<'a> TestPeriodUse<'a> {
    /// Finds the earlier submissions whose test periods overlap with that of the job.
    ///
    /// * `test`: the days of the test period, since 1970-01-01.
    /// * `started_at`: start of the job in UTC, such as `2024-01-15T10:30:00`.
    pub(crate) fn new(history: &'a SubmissionHistory, job: &Job, test: &Range<i32>, started_at: &str) -> Self {
        let own = Submission {
            design_sha256: job.design_sha256(),
            symbols: job.symbol_hashes(),
            test_months: [month(test.start), month(test.end.saturating_sub(1))],
            at: started_at.to_owned(),
            auc: None,
            auc_p: None,
            probabilistic_sharpe: None,
        };
        let earlier = match history {
            SubmissionHistory::Known(all) => Ok(all.iter().filter(|one| one.overlaps(&own)).collect()),
            SubmissionHistory::Unknown(reason) => Err(UndefinedError::because(reason.clone())),
        };
        Self { earlier, own }
    }

    /// Returns the number of different designs, including that of the job; `None` if the ledger
    /// cannot be read.
    pub(crate) fn n_designs(&self) -> Option<usize> {
        let earlier = self.earlier.as_ref().ok()?;
        let designs = earlier.iter().copied().chain([&self.own]).map(|one| &one.design_sha256);
        Some(designs.collect::<BTreeSet<_>>().len())
    }

    /// Adds the figures of the job. Returns the section of the result, and the submission for the
    /// ledger.
    pub(crate) fn conclude(self, figures: TestFigures) -> (Submissions, Submission) {
        let TestFigures { auc, auc_p, probabilistic_sharpe } = figures;
        let [own_auc, own_auc_p] = [&auc, &auc_p].map(|figure| figure.as_ref().ok().copied());
        let own = Submission { auc: own_auc, auc_p: own_auc_p, probabilistic_sharpe, ..self.own.clone() };
        let n = self.n_designs().ok_or_else(|| self.unknown());
        let mut reasons = Reasons::default();
        let section = Submissions {
            n: reasons.value("n", n.clone()),
            first: reasons.value("first", self.first()),
            rank: reasons.value("rank", auc.and_then(|auc| self.rank(auc))),
            auc_p_adjusted: reasons.figure("auc_p_adjusted", n.clone().and_then(|n| Ok(adjusted_p(auc_p?, n)))),
            required_probabilistic_sharpe: reasons.figure("required_probabilistic_sharpe", n.map(required_confidence)),
            reasons,
        };
        (section, own)
    }

    fn unknown(&self) -> UndefinedError {
        self.earlier.as_ref().err().cloned().unwrap_or_else(|| UndefinedError::because("it was not counted"))
    }

    /// Returns the start of the first job.
    fn first(&self) -> Result<String, UndefinedError> {
        let earlier = self.earlier.as_ref().map_err(UndefinedError::clone)?;
        // Times in this format are in order if they are in order as text.
        let first = earlier.iter().map(|one| &one.at).chain([&self.own.at]).min();
        Ok(first.unwrap_or(&self.own.at).clone())
    }

    /// Returns the rank of an AUC of the job's design among the best AUCs of the other designs.
    fn rank(&self, auc: f64) -> Result<usize, UndefinedError> {
        let earlier = self.earlier.as_ref().map_err(UndefinedError::clone)?;
        let mut best: BTreeMap<&str, f64> = BTreeMap::new();
        for other in earlier.iter().filter(|one| one.design_sha256 != self.own.design_sha256) {
            let entry = best.entry(&other.design_sha256).or_insert(f64::NEG_INFINITY);
            *entry = entry.max(other.auc.unwrap_or(f64::NEG_INFINITY));
        }
        Ok(1 + best.values().filter(|other| **other > auc).count())
    }
}

/// Returns the probability that the smallest of `n` independent p-values is at most `p`.
fn adjusted_p(p: f64, n: usize) -> f64 {
    match n {
        // The logarithm below would change the last digit.
        0 | 1 => p,
        // For a small `p`, `1 − (1 − p)ⁿ` computed directly would lose most of its digits.
        _ => -(n as f64 * (-p).ln_1p()).exp_m1(),
    }
}

/// Returns the month of a day since 1970-01-01, such as `2024-01`.
fn month(day: i32) -> String {
    let date = iso_date(day);
    date.get(..7).unwrap_or(&date).to_owned()
}

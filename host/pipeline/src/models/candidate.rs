//! The model families of a job, before and after their evaluation on validation rows.

use crate::{
    metrics::UndefinedError,
    search::{Family, Gain, OutOfFold},
};

/// All families that the job requests.
#[derive(Clone)]
pub struct Families<'a> {
    /// The family on which the search was run.
    pub lead: Family<'a>,
    /// The other families, in the job's order.
    pub others: Vec<FamilyCandidate<'a>>,
    /// The family that is fitted as a baseline and cannot win, if there is one.
    pub baseline: Option<Family<'a>>,
}

/// A family that the job requests.
#[derive(Clone, Copy)]
pub enum FamilyCandidate<'a> {
    /// The family can be fitted.
    Ready(Family<'a>),
    /// The family cannot be fitted.
    Unavailable {
        /// Name of the family in the job.
        name: &'a str,
        /// Reason why it is skipped.
        reason: &'a str,
    },
}

/// A family with its out-of-fold scores.
pub(super) struct Evaluated<'a> {
    pub(super) family: Family<'a>,
    pub(super) oof: OutOfFold,
    pub(super) gain: GainOverLead,
    /// Whether the family is the baseline, which cannot win.
    pub(super) is_baseline: bool,
}

/// The gain of a family over the lead on the rows that both scored.
pub(super) enum GainOverLead {
    /// The family is the lead, so there is no gain.
    IsLead,
    /// The gain is defined.
    Gain(Gain),
    /// The gain is undefined, with the reason.
    Undefined(UndefinedError),
}

impl From<Result<Gain, UndefinedError>> for GainOverLead {
    fn from(gain: Result<Gain, UndefinedError>) -> Self {
        match gain {
            Ok(gain) => Self::Gain(gain),
            Err(reason) => Self::Undefined(reason),
        }
    }
}

impl Evaluated<'_> {
    /// Returns the display name of the family.
    pub(super) fn title(&self) -> &str {
        self.family.fitter.manifest().title()
    }
}

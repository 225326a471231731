//! Families as the job requests them, and as the validation rows evaluate them.

use crate::{
    metrics::Undefined,
    search::{Family, Gain, OutOfFold},
};

/// All families that the job requests.
#[derive(Clone)]
pub struct Families<'a> {
    /// The family that led the search.
    pub lead: Family<'a>,
    /// The other families, in the job's order.
    pub others: Vec<FamilyCandidate<'a>>,
}

/// A family that the job requests.
#[derive(Clone, Copy)]
pub enum FamilyCandidate<'a> {
    /// It can be fitted.
    Ready(Family<'a>),
    /// It cannot be fitted.
    Unavailable {
        /// Name in the job.
        name: &'a str,
        /// Why it is skipped.
        reason: &'a str,
    },
}

/// A family with its out-of-fold scores.
pub(super) struct Evaluated<'a> {
    pub(super) family: Family<'a>,
    pub(super) oof: OutOfFold,
    pub(super) gain: GainOverLead,
}

/// How a family compares with the lead on the rows that both scored.
pub(super) enum GainOverLead {
    /// The family is the lead.
    IsLead,
    /// The family's gain.
    Gain(Gain),
    /// The gain is undefined, with the reason.
    Undefined(Undefined),
}

impl From<Result<Gain, Undefined>> for GainOverLead {
    fn from(gain: Result<Gain, Undefined>) -> Self {
        match gain {
            Ok(gain) => Self::Gain(gain),
            Err(reason) => Self::Undefined(reason),
        }
    }
}

impl Evaluated<'_> {
    /// Returns the name to show.
    pub(super) fn title(&self) -> &str {
        self.family.fitter.manifest().title()
    }
}

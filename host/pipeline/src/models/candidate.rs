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
    /// Gain over the lead, or the reason why there is none; `None` for the lead itself.
    pub(super) gain: Option<Result<Gain, Undefined>>,
}

impl Evaluated<'_> {
    /// Returns the name to show.
    pub(super) fn title(&self) -> &str {
        self.family.fitter.manifest().title()
    }
}

//! The model families of a job, before and after their evaluation on validation rows.

use super::ensemble::{ENSEMBLE_ID, ENSEMBLE_TITLE, RankedFamilies};
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
    /// Whether the mean of ranks of the families competes with them.
    pub ensemble: bool,
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

/// A family or the ensemble, with its out-of-fold scores.
pub(super) struct Evaluated<'a> {
    pub(super) kind: ModelKind<'a>,
    pub(super) oof: OutOfFold,
    pub(super) gain: GainOverLead,
    /// Whether the family is the baseline, which cannot win.
    pub(super) is_baseline: bool,
}

/// The source of the scores of an evaluated model.
pub(super) enum ModelKind<'a> {
    /// The family is fitted.
    Family(Family<'a>),
    /// The ranks of fitted families are averaged.
    Ensemble(RankedFamilies),
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
    /// Returns the display name.
    pub(super) fn title(&self) -> &str {
        match &self.kind {
            ModelKind::Family(family) => family.fitter.manifest().title(),
            ModelKind::Ensemble(_) => ENSEMBLE_TITLE,
        }
    }

    /// Returns the id of the plugin, or [`ENSEMBLE_ID`].
    pub(super) fn id(&self) -> &str {
        match &self.kind {
            ModelKind::Family(family) => &family.fitter.manifest().id,
            ModelKind::Ensemble(_) => ENSEMBLE_ID,
        }
    }

    /// Returns whether the model with this index is a member of this ensemble.
    pub(super) fn has_member(&self, idx: usize) -> bool {
        match &self.kind {
            ModelKind::Family(_) => false,
            ModelKind::Ensemble(ranked) => ranked.members.iter().any(|member| member.idx == idx),
        }
    }
}

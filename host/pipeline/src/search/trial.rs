//! Trials as the result and the progress show them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{compare::Excess, fold_fitter::OutOfFold, labels::LabelName};
use crate::metrics::{Finite, Undefined};

/// The question that a trial answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialKind {
    /// Which label: the family's prior on each label.
    Label,
    /// Which parameters, on one label.
    Params,
}

/// A trial as the result lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Number, from 1.
    pub number: usize,
    /// The question that it answers.
    #[serde(rename = "stage")]
    pub kind: TrialKind,
    /// Its label.
    pub label: LabelName,
    /// Parameters that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Mean AUC over the folds.
    pub auc: Option<Finite>,
    /// AUC of each fold.
    pub fold_aucs: Vec<Option<Finite>>,
    /// Mean AUC less the baseline's, or less 0.5 where that is more.
    pub score: Option<Finite>,
    /// The reason why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A finished trial, as progress shows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrialEvent<'a> {
    /// The trial.
    pub trial: &'a Trial,
    /// Number of trials in the budget.
    pub n_trials: usize,
    /// Best score so far.
    pub best_score: Option<f64>,
}

/// What a trial tries.
pub(super) struct TrialHead {
    pub(super) number: usize,
    pub(super) kind: TrialKind,
    pub(super) label: LabelName,
    pub(super) params: Map<String, Value>,
}

impl Trial {
    /// Records a configuration that the family refused.
    pub(super) fn refused(head: TrialHead, reason: String) -> Self {
        Self::new(head, Vec::new(), Err(Undefined::because(reason)))
    }

    /// Records a configuration that was fitted.
    ///
    /// * `excess`: its mean AUC beyond the baseline, or the reason why there is none.
    pub(super) fn fitted(head: TrialHead, oof: &OutOfFold, excess: Result<Excess, Undefined>) -> Self {
        let fold_aucs = oof.fold_aucs.iter().map(|auc| auc.and_then(Finite::new)).collect();
        // The family's own reason is the cause of the missing AUC.
        Self::new(head, fold_aucs, excess.map_err(|reason| oof.refusal.clone().map_or(reason, Undefined)))
    }

    fn new(head: TrialHead, fold_aucs: Vec<Option<Finite>>, excess: Result<Excess, Undefined>) -> Self {
        let TrialHead { number, kind, label, params } = head;
        let scored = excess.as_ref().ok();
        Self {
            number,
            kind,
            label,
            params,
            auc: scored.and_then(|excess| Finite::new(excess.auc)),
            fold_aucs,
            score: scored.and_then(|excess| Finite::new(excess.score())),
            reason: excess.err().map(|reason| reason.0),
        }
    }
}

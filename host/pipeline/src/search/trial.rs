//! Trials, as the result and the progress events show them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{compare::Excess, fold_fitter::OutOfFold, labels::LabelName};
use crate::metrics::{Finite, UndefinedError};

/// The subject of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TrialKind {
    /// The family's prior on one of the labels.
    Label,
    /// A configuration on the chosen label.
    Params,
}

/// A trial in the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// Number of the trial, from 1.
    pub number: usize,
    /// Subject of the trial.
    #[serde(rename = "stage")]
    pub kind: TrialKind,
    /// Label that the family was fitted on.
    pub label: LabelName,
    /// Parameters that differ from the family's defaults.
    pub params: Map<String, Value>,
    /// Validation AUC: of the validation rows of all folds. The scores of each fold are
    /// standardised by its model before they are pooled, and base rates differ between folds, so
    /// this AUC may be below that of every fold. Null if the rows have one class, or if the fit
    /// failed.
    pub auc: Option<Finite>,
    /// AUC of each fold; null where the fold's validation rows have one class.
    pub fold_aucs: Vec<Option<Finite>>,
    /// Validation AUC minus the larger of 0.5 and that of the volatility baseline; null together
    /// with `auc`.
    pub score: Option<Finite>,
    /// Reason why the trial has no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A finished trial, for a progress event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrialEvent<'a> {
    /// The trial.
    pub trial: &'a Trial,
    /// Number of trials in the budget.
    pub n_trials: usize,
    /// Best score so far.
    pub best_score: Option<f64>,
}

/// Number, label and parameters of a trial, before its result is known.
pub(super) struct TrialSpec {
    pub(super) number: usize,
    pub(super) kind: TrialKind,
    pub(super) label: LabelName,
    pub(super) params: Map<String, Value>,
}

impl Trial {
    /// Records a configuration that the family rejected.
    pub(super) fn rejected(spec: TrialSpec, reason: String) -> Self {
        Self::new(spec, Vec::new(), Err(UndefinedError::because(reason)))
    }

    /// Records a configuration that was fitted.
    ///
    /// * `excess`: the AUC and the AUC of the baseline, or the reason why they are undefined.
    pub(super) fn fitted(spec: TrialSpec, oof: &OutOfFold, excess: Result<Excess, UndefinedError>) -> Self {
        let fold_aucs = oof.fold_aucs.iter().map(|auc| auc.and_then(Finite::new)).collect();
        // If the family rejected a fold, the family's reason explains the missing AUC better than
        // the reason in `excess`.
        Self::new(spec, fold_aucs, excess.map_err(|reason| oof.rejection.clone().map_or(reason, UndefinedError)))
    }

    fn new(spec: TrialSpec, fold_aucs: Vec<Option<Finite>>, excess: Result<Excess, UndefinedError>) -> Self {
        let TrialSpec { number, kind, label, params } = spec;
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

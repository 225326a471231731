//! Several rules at once: a position is opened (or closed) where enough of them hold.

use serde::Serialize;

use super::evidence::{Evidence, Judge};
use crate::metrics::Undefined;
use oculus_job::request::Rule;

/// What counting satisfied rules does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleScore {
    /// Rules that must hold at once.
    pub threshold: u32,
    /// Rules of the job.
    pub n_rules: usize,
    /// Rules whose feature exists; the others count as not satisfied.
    pub n_resolved: usize,
    /// Before the test period; `None` where the threshold is out of reach.
    pub development: Option<Evidence>,
    /// In the test period.
    pub test: Option<Evidence>,
    /// Why there is no evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Counts, on each row, the rules that hold. A NaN satisfies none.
pub(super) fn score(
    judge: &Result<Judge<'_>, Undefined>,
    n_rules: usize,
    resolved: &[(&Rule, &[f32])],
    threshold: u32,
) -> RuleScore {
    let is_satisfied = |row: u32| {
        let holds = |(rule, values): &&(&Rule, &[f32])| super::own::holds(rule, values[row as usize]);
        resolved.iter().filter(holds).count() >= threshold as usize
    };
    let within_reach = threshold as usize <= resolved.len();
    let out_of_reach = || format!("needs {threshold} of {} resolved", resolved.len());
    let judge = if within_reach { judge.as_ref().map_err(ToString::to_string) } else { Err(out_of_reach()) };
    RuleScore {
        threshold,
        n_rules,
        n_resolved: resolved.len(),
        development: judge.as_ref().ok().map(|judge| judge.development(&is_satisfied)),
        test: judge.as_ref().ok().map(|judge| judge.test(&is_satisfied)),
        reason: judge.err(),
    }
}

//! What an extractor proposes, checked: a plugin's answer is not to be trusted.
//!
//! In: mined rules by feature names. Out: [`Candidate`]s on columns of the table, the extractor's order kept, and what
//! was wrong with the others. Nothing that an extractor says can panic, or make the host count for ever.

use std::collections::BTreeMap;

use oculus_plugin_api::{Condition, MinedRule};

use super::book::{Clause, Conjunction};
use crate::features::FeatureTable;

/// Rules of one mining that are looked at.
pub(super) const MAX_RULES: usize = 50;
/// Conditions of one rule.
const MAX_CONDITIONS: usize = 4;
/// Characters of a name that a complaint repeats.
const MAX_SHOWN: usize = 40;

/// A rule that an extractor proposes and the host can follow.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Its conditions, in the extractor's order.
    pub(super) rule: Conjunction,
    /// Share of the extractor's resamples in which it came up, where it resamples.
    pub(super) stability: Option<f64>,
}

/// Keeps what can be followed, each rule once; the others are complained of.
pub(super) fn checked(table: &FeatureTable, mined: &[MinedRule], complaints: &mut Vec<String>) -> Vec<Candidate> {
    if mined.len() > MAX_RULES {
        complaints.push(format!("{} rules at once, the first {MAX_RULES} are used", mined.len()));
    }
    let columns: BTreeMap<&str, usize> =
        table.names.iter().enumerate().map(|(idx, name)| (name.as_str(), idx)).collect();
    let mut candidates: Vec<Candidate> = Vec::new();
    for rule in mined.iter().take(MAX_RULES) {
        match conjunction(&columns, &rule.conditions) {
            Ok(conjunction) if candidates.iter().any(|other| other.rule == conjunction) => {}
            Ok(conjunction) => {
                let stability = rule.stability.filter(|share| (0.0..=1.0).contains(share));
                if let (Some(share), None) = (rule.stability, stability) {
                    complaints.push(format!("a stability of {share}, which is no share"));
                }
                candidates.push(Candidate { rule: conjunction, stability });
            }
            Err(complaint) => complaints.push(complaint),
        }
    }
    candidates
}

fn conjunction(columns: &BTreeMap<&str, usize>, conditions: &[Condition]) -> Result<Conjunction, String> {
    if !(1..=MAX_CONDITIONS).contains(&conditions.len()) {
        return Err(format!("a rule of {} conditions, from 1 to {MAX_CONDITIONS} may stand", conditions.len()));
    }
    conditions.iter().map(|condition| clause(columns, condition)).collect::<Result<_, _>>().map(Conjunction)
}

fn clause(columns: &BTreeMap<&str, usize>, condition: &Condition) -> Result<Clause, String> {
    let Condition { feature, operator, threshold } = condition;
    let shown = || feature.chars().take(MAX_SHOWN).collect::<String>();
    let feature_idx = *columns.get(feature.as_str()).ok_or_else(|| format!("an unknown feature `{}`", shown()))?;
    let finite = Some(*threshold as f32).filter(|threshold| threshold.is_finite());
    let threshold = finite.ok_or_else(|| format!("a threshold of {threshold} for {}", shown()))?;
    Ok(Clause { feature_idx, operator: *operator, threshold })
}

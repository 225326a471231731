//! Rules: the job's own rules, and rules that an extractor mines walk-forward; the host scores both
//! in the same way.
//!
//! In: a [`RuleContext`]. Out: [`RuleResults`]. Invariants: the rules of a fold come from its
//! training rows alone, and no test row influences a rule or a list. The extractor only proposes
//! rules; the host computes their figures.

mod context;
mod describe;
mod job_rules;
mod lift_interval;
mod mine;
mod rank;
mod remarks;
mod rule_set;
mod rule_stats;
mod score;
mod tally;
#[cfg(test)]
pub(crate) mod tests;

use oculus_job::{error::JobError, warning::Warning};

use self::score::RuleScorer;
pub use self::{
    context::{ExtractorError, RequestedRules, RuleContext, RuleExtractor},
    describe::{DescribedRule, MinedRules},
    job_rules::{JobRuleReport, RuleScore, ScoredJobRule, UnresolvedRuleError},
    rule_set::{Conjunction, PerSide, RuleCondition, RuleListName, RuleLists, RuleSet, RuleSide},
    rule_stats::{FoldMining, RuleListStats, RuleStats, SideListStats, SymbolRuleStats},
    score::ScoredMinedRule,
};

/// The results of the rule stage.
#[derive(Clone, Debug)]
pub struct RuleResults {
    /// The job's own rules, scored.
    pub job_rules: JobRuleReport,
    /// The mined rules of each side, scored and described.
    pub mined_rules: PerSide<MinedRules>,
    /// The rules that a strategy may follow.
    pub rule_set: RuleSet,
    /// Warnings of the job.
    pub warnings: Vec<Warning>,
}

/// Scores the job's own rules on the chosen label, and mines, ranks, scores and describes further
/// rules.
///
/// # Errors
/// Returns a failure if the job is cancelled. If the extractor fails, the results contain only the
/// job's own rules.
pub fn find(context: &RuleContext<'_>) -> Result<RuleResults, JobError> {
    let scorers = PerSide::from_fn(|side| RuleScorer::new(context, side));
    let requested = job_rules::resolve(context);
    let job_rules = job_rules::score(context, &requested, &scorers);
    let mined = mine::mine(context)?;
    // The lists are fixed before any mined rule is scored, so a score on the test rows cannot
    // influence them.
    let rule_set = rank::rule_set(context, job_rules::followable(&requested), &mined.sides);
    let scores = PerSide::from_fn(|side| score::score_mined(scorers.get(side), mined.sides.get(side), &rule_set));
    let mined_rules = scores.map(|side, scores| describe::describe(context, side, scores));
    let warnings = [remarks::warnings(context, &job_rules), mined.warnings].concat();
    Ok(RuleResults { job_rules, mined_rules, rule_set, warnings })
}

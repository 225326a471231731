//! Rules: the job's own, and rules that an extractor mines walk-forward; the host scores both in
//! the same way.
//!
//! In: a [`RuleContext`]. Out: [`RuleResults`]. Invariants: the rules of a fold come from its
//! training rows alone; no test row influences any rule or list; an extractor proposes conditions,
//! and no statistic that it reports is used.

mod context;
mod describe;
mod job_rules;
mod mine;
mod rank;
mod rule_set;
mod rule_stats;
mod score;
#[cfg(test)]
pub(crate) mod tests;

use oculus_job::{failure::Failure, warning::Warning};

use self::score::RuleScorer;
pub use self::{
    context::{ExtractorError, RequestedRules, RuleContext, RuleExtractor},
    describe::{DescribedRule, MinedRules},
    job_rules::{JobRuleReport, RuleScore, ScoredJobRule, UnresolvedRule},
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

/// Scores the job's own rules, and mines, ranks, scores and describes further ones, on the chosen
/// label.
///
/// # Errors
/// If the job is cancelled. An extractor that fails leaves the job's own rules.
pub fn find(context: &RuleContext<'_>) -> Result<RuleResults, Failure> {
    let scorers = PerSide::from_fn(|side| RuleScorer::new(context, side));
    let requested = job_rules::resolve(context);
    let job_rules = job_rules::score(context, &requested, &scorers);
    let mined = mine::mine(context)?;
    let rule_set = rank::rule_set(context, job_rules::followable(&requested), &mined.sides);
    let scores = PerSide::from_fn(|side| score::score_mined(scorers.get(side), mined.sides.get(side), &rule_set));
    let mined_rules = scores.map(|side, scores| describe::describe(context, side, scores));
    Ok(RuleResults { job_rules, mined_rules, rule_set, warnings: mined.warnings })
}

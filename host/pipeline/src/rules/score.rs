//! Step 4: scores conditions by the returns that followed them. Mined rules are scored
//! walk-forward, in sample and in the test period.
//!
//! In: conditions, and the target of one side with its rows. Out: the [`RuleStats`] of conditions,
//! and the [`SideScores`] of a side. Several conditions can be pooled row by row: a rule with the
//! thresholds of each fold, or all rules of a list.
//!
//! A rule always looks good on the rows that it was mined from. Therefore the rules of a fold are
//! scored on the fold's validation rows, and figures of the development rows are called
//! `in_sample`. The walk-forward figures of a single rule still have a selection bias: the rule is
//! shown because the last run found it again. The walk-forward figures of a list do not have this
//! bias, because they include every rule of every fold's list. In the test period, each final rule
//! and list is scored once.

use super::{
    context::RuleContext,
    lift_interval::LiftCounts,
    mine::{MiningRun, SideMining},
    rank::same_rule,
    rule_set::{Conjunction, RuleListName, RuleLists, RuleSet, RuleSide},
    rule_stats::{FoldMining, RuleListStats, RuleStats, SideListStats, SymbolRuleStats},
    tally::{Tally, never_held, share, total},
};
use crate::{
    metrics::{Dates, Random, Reasons, Resamples, UndefinedError, block_dates},
    splits::n_episodes,
};

/// The scores of one side's mined rules.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SideScores {
    /// The listed rules of the last run: the stable list, then the rest of the high-lift list.
    pub(super) rules: Vec<ScoredMinedRule>,
    /// The scores of the lists.
    pub(super) lists: SideListStats,
}

/// A mined rule with its scores.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredMinedRule {
    /// Conditions of the rule.
    pub rule: Conjunction,
    /// The lists that contain the rule.
    pub lists: Vec<RuleListName>,
    /// Share of the extractor's resamples that contain the rule.
    pub stability: Result<f64, UndefinedError>,
    /// Number of folds that found the rule.
    pub n_folds_found: usize,
    /// Number of folds.
    pub n_folds: usize,
    /// Stats on the validation rows of the folds that found the rule, with each fold's thresholds.
    /// They are selected: the rule is reported because the last run found it again.
    pub selected: Result<RuleStats, UndefinedError>,
    /// Stats on the rows that the rule was mined from.
    pub in_sample: RuleStats,
    /// Stats in the test period.
    pub test: RuleStats,
}

/// Scores the listed rules and the lists of one side.
///
/// Without a target or a run, the rules are empty and every figure of the lists is null with the
/// reason.
pub(super) fn score_mined(
    scorer: &Result<RuleScorer<'_>, UndefinedError>,
    mined: &Result<SideMining<'_>, UndefinedError>,
    rule_set: &RuleSet,
) -> SideScores {
    match (scorer, mined) {
        (Ok(scorer), Ok(mining)) => score_side(scorer, mining, rule_set),
        (Err(reason), _) | (_, Err(reason)) => SideScores::unavailable(reason),
    }
}

fn score_side(scorer: &RuleScorer<'_>, mining: &SideMining<'_>, rule_set: &RuleSet) -> SideScores {
    let lists = rule_set.last.get(scorer.side);
    // A rule may be in both lists, and is reported once.
    let only_high_lift = lists.high_lift.iter().filter(|rule| !lists.stable.contains(rule));
    let listed = lists.stable.iter().chain(only_high_lift);
    let summary = |run: &MiningRun<'_>| FoldMining { n_rules: run.rules.len(), reason: run.reason.clone() };
    SideScores {
        rules: listed.map(|rule| score_rule(scorer, rule, mining, lists)).collect(),
        lists: SideListStats {
            stable: score_list(scorer, RuleListName::Stable, mining, rule_set),
            high_lift: score_list(scorer, RuleListName::HighLift, mining, rule_set),
            folds: mining.folds.iter().map(summary).collect(),
        },
    }
}

fn score_rule(
    scorer: &RuleScorer<'_>,
    rule: &Conjunction,
    mining: &SideMining<'_>,
    lists: &RuleLists,
) -> ScoredMinedRule {
    let table = scorer.context.table();
    let same_rules = mining.folds.iter().map(|run| same_rule(table, rule, run));
    let by_fold: Vec<FoldRule<'_>> =
        same_rules.enumerate().filter_map(|(fold_idx, rule)| Some(FoldRule { fold_idx, rule: rule? })).collect();
    let selected = if by_fold.is_empty() {
        Err(UndefinedError::because("no fold found this rule; see `in_sample`"))
    } else {
        Ok(scorer.walk_forward(&by_fold))
    };
    let proposed = mining.last.rules.iter().find(|proposed| proposed.rule == *rule);
    let stability = proposed.and_then(|proposed| proposed.stability);
    let contains_rule = |name: &RuleListName| lists.get(*name).contains(rule);
    let holds = |row: u32| rule.holds(table, row);
    ScoredMinedRule {
        rule: rule.clone(),
        lists: [RuleListName::Stable, RuleListName::HighLift].into_iter().filter(contains_rule).collect(),
        stability: stability.ok_or_else(|| UndefinedError::because("the extractor does not report a stability")),
        n_folds_found: by_fold.len(),
        n_folds: mining.folds.len(),
        selected,
        in_sample: scorer.development(&holds),
        test: scorer.test(&holds),
    }
}

fn score_list(
    scorer: &RuleScorer<'_>,
    name: RuleListName,
    mining: &SideMining<'_>,
    rule_set: &RuleSet,
) -> RuleListStats {
    let fold_lists = rule_set.folds.iter().map(|lists| lists.get(scorer.side).get(name));
    let by_fold: Vec<FoldRule<'_>> = fold_lists
        .enumerate()
        .flat_map(|(fold_idx, rules)| rules.iter().map(move |rule| FoldRule { fold_idx, rule }))
        .collect();
    let walk_forward = if by_fold.is_empty() {
        Err(UndefinedError::because("the list is empty in every fold"))
    } else {
        Ok(scorer.walk_forward(&by_fold))
    };
    let last = rule_set.last.get(scorer.side).get(name);
    // If the run was empty, its reason is more specific than "the list is empty".
    let why_empty = mining.last.reason.as_deref().unwrap_or("the list is empty");
    let last_stats = |sample: &ScoreSample<'_>| {
        if last.is_empty() { Err(UndefinedError::because(why_empty)) } else { Ok(scorer.pooled(sample, last)) }
    };
    let mut reasons = Reasons::default();
    RuleListStats {
        n_rules: last.len(),
        walk_forward: reasons.value("walk_forward", walk_forward),
        in_sample: reasons.value("in_sample", last_stats(&scorer.development)),
        test: reasons.value("test", last_stats(&scorer.test)),
        reasons,
    }
}

impl SideScores {
    fn unavailable(reason: &UndefinedError) -> Self {
        let list = || RuleListStats::unavailable(reason);
        Self { rules: Vec::new(), lists: SideListStats { stable: list(), high_lift: list(), folds: Vec::new() } }
    }
}

/// Scores conditions against the target of one side.
pub(super) struct RuleScorer<'a> {
    context: &'a RuleContext<'a>,
    side: RuleSide,
    target: Vec<f32>,
    development: ScoreSample<'a>,
    test: ScoreSample<'a>,
}

/// Sets of rows, with bootstrap resamples of the dates of all sets together. The resamples are
/// drawn once per sample, because all conditions on the sample are scored with the same resamples.
struct ScoreSample<'a> {
    row_sets: Vec<SampleRows<'a>>,
    n_dates: usize,
    resamples: Result<Resamples, UndefinedError>,
}

struct SampleRows<'a> {
    rows: &'a [u32],
    /// Index of each row's date among the sample's dates.
    date_idx: Vec<u32>,
}

/// A rule to score on the validation rows of a fold.
struct FoldRule<'r> {
    fold_idx: usize,
    rule: &'r Conjunction,
}

/// A condition to score on one set of rows of a sample.
struct SampleCondition<'c> {
    set_idx: usize,
    holds: Box<dyn Fn(u32) -> bool + 'c>,
}

/// Counts of all conditions of a sample.
struct SampleCounts {
    by_date: Vec<Tally>,
    by_symbol: Vec<Tally>,
    n_episodes: usize,
    sum_return_pct: f64,
}

impl<'a> RuleScorer<'a> {
    /// Draws the resamples of the development and the test rows.
    ///
    /// # Errors
    /// For exit rules, returns the reason if the label's threshold is not positive: the target of
    /// exits is then undefined.
    pub(super) fn new(context: &'a RuleContext<'a>, side: RuleSide) -> Result<Self, UndefinedError> {
        let splits = context.splits();
        Ok(Self {
            context,
            side,
            target: context.target(side)?,
            development: ScoreSample::new(context, &[&splits.development.train_rows], "rules, development"),
            // Each sample has a separate random stream, so that the test rows do not affect
            // intervals of the development rows.
            test: ScoreSample::new(context, &[&splits.test_rows], "rules, test"),
        })
    }

    /// Scores a condition before the test period.
    pub(super) fn development(&self, holds: &dyn Fn(u32) -> bool) -> RuleStats {
        self.stats(&self.development, &[SampleCondition { set_idx: 0, holds: Box::new(holds) }])
    }

    /// Scores a condition in the test period.
    pub(super) fn test(&self, holds: &dyn Fn(u32) -> bool) -> RuleStats {
        self.stats(&self.test, &[SampleCondition { set_idx: 0, holds: Box::new(holds) }])
    }

    /// Scores several rules on the same rows, pooled.
    fn pooled(&self, sample: &ScoreSample<'_>, rules: &[Conjunction]) -> RuleStats {
        let conditions: Vec<_> = rules.iter().map(|rule| self.condition(0, rule)).collect();
        self.stats(sample, &conditions)
    }

    /// Scores rules, pooled, each on the validation rows of its fold. Folds without a rule are left
    /// out, so that their dates do not enter the base rate and the interval.
    fn walk_forward(&self, rules: &[FoldRule<'_>]) -> RuleStats {
        // Several rules may belong to one fold, but the rows of the fold must be in the sample only
        // once.
        let mut fold_idxs: Vec<usize> = rules.iter().map(|rule| rule.fold_idx).collect();
        fold_idxs.sort_unstable();
        fold_idxs.dedup();
        let folds = &self.context.splits().folds;
        let row_sets: Vec<&[u32]> = fold_idxs.iter().map(|&fold_idx| folds[fold_idx].valid_rows.as_slice()).collect();
        let sample = ScoreSample::new(self.context, &row_sets, "rules, walk-forward");
        // `fold_idxs` is sorted and contains the fold, so the search finds the fold's index.
        let set_idx = |fold_idx: usize| fold_idxs.partition_point(|&other| other < fold_idx);
        let conditions: Vec<_> = rules.iter().map(|rule| self.condition(set_idx(rule.fold_idx), rule.rule)).collect();
        self.stats(&sample, &conditions)
    }

    fn condition<'c>(&self, set_idx: usize, rule: &'c Conjunction) -> SampleCondition<'c>
    where
        'a: 'c,
    {
        let table = self.context.table();
        SampleCondition { set_idx, holds: Box::new(move |row| rule.holds(table, row)) }
    }

    fn stats(&self, sample: &ScoreSample<'_>, conditions: &[SampleCondition<'_>]) -> RuleStats {
        let counts = self.count(sample, conditions);
        let all = total(&counts.by_date);
        let mean_return = share(counts.sum_return_pct, all.n_held).ok_or_else(never_held);
        let lift_counts = LiftCounts {
            by_date: &counts.by_date,
            n_episodes: counts.n_episodes,
            block_dates: block_dates(self.context.label()),
        };
        let mut reasons = Reasons::default();
        RuleStats {
            n_rows: all.n_rows as usize,
            support: all.n_held as usize,
            episodes: counts.n_episodes,
            precision: reasons.figure("precision", all.precision()),
            base_rate: reasons.figure("base_rate", all.base_rate()),
            lift: reasons.figure("lift", all.lift()),
            lift_ci95: reasons.value("lift_ci95", lift_counts.interval(&sample.resamples)),
            mean_forward_return_pct: reasons.figure("mean_forward_return_pct", mean_return),
            per_symbol: self.per_symbol(&counts.by_symbol),
            reasons,
        }
    }

    fn count(&self, sample: &ScoreSample<'_>, conditions: &[SampleCondition<'_>]) -> SampleCounts {
        let table = self.context.table();
        let label = self.context.label();
        // Counts per date are sufficient for every resample, so each condition is evaluated once
        // per row and not once per draw.
        let mut counts = SampleCounts {
            by_date: vec![Tally::default(); sample.n_dates],
            by_symbol: vec![Tally::default(); table.symbols.len()],
            n_episodes: 0,
            sum_return_pct: 0.0,
        };
        for condition in conditions {
            let SampleRows { rows, date_idx } = &sample.row_sets[condition.set_idx];
            let mut held = Vec::new();
            for (&row, &date_idx) in rows.iter().zip(date_idx) {
                let is_hit = self.target[row as usize] == 1.0;
                let is_held = (condition.holds)(row);
                counts.by_date[date_idx as usize].add(is_hit, is_held);
                counts.by_symbol[table.symbol[row as usize] as usize].add(is_hit, is_held);
                if is_held {
                    counts.sum_return_pct += label.forward_return_pct[row as usize];
                    held.push(row);
                }
            }
            counts.n_episodes += n_episodes(table, label, held.into_iter());
        }
        counts
    }

    fn per_symbol(&self, tallies: &[Tally]) -> Vec<SymbolRuleStats> {
        let symbols = &self.context.table().symbols;
        let held = symbols.iter().zip(tallies).filter(|(_, tally)| tally.n_held > 0);
        held.map(|(symbol, tally)| symbol_stats(symbol, tally)).collect()
    }
}

impl<'a> ScoreSample<'a> {
    /// * `purpose`: key of the random draws; draws for one purpose do not depend on those for
    ///   another.
    fn new(context: &RuleContext<'_>, row_sets: &[&'a [u32]], purpose: &str) -> Self {
        let day = &context.table().day;
        let dates = Dates::from_rows(day, &row_sets.concat());
        let date_idx = |rows: &[u32]| rows.iter().map(|&row| dates.index(day[row as usize])).collect();
        let random = Random::new(context.search_context.seed, purpose);
        Self {
            row_sets: row_sets.iter().map(|&rows| SampleRows { rows, date_idx: date_idx(rows) }).collect(),
            n_dates: dates.len(),
            resamples: Resamples::draw(dates.len(), block_dates(context.label()), random),
        }
    }
}

fn symbol_stats(symbol: &str, tally: &Tally) -> SymbolRuleStats {
    let mut reasons = Reasons::default();
    SymbolRuleStats {
        symbol: symbol.to_owned(),
        support: tally.n_held as usize,
        precision: reasons.figure("precision", tally.precision()),
        lift: reasons.figure("lift", tally.lift()),
        reasons,
    }
}

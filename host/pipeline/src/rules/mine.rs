//! Step 2: mines rules walk-forward, from each fold's training rows and from all development rows,
//! per side.
//!
//! In: a [`RuleContext`]. Out: [`MiningOutput`]. Invariants: an extractor receives the labels and
//! scores of its training rows only; its proposals are untrusted, so none of them can cause a panic
//! or unbounded work.

use std::collections::BTreeMap;

use oculus_job::{
    failure::Failure,
    progress::Phase,
    warning::{Warning, WarningCode},
};
use oculus_plugin_api::{Condition, MinedRule, code};

use super::{
    context::{ExtractorError, RuleContext, RuleExtractor},
    rule_set::{Conjunction, PerSide, RuleCondition, RuleSide},
};
use crate::{
    features::FeatureTable,
    fitter::FitError,
    metrics::Undefined,
    miner::MineRequest,
    parallel::side_by_side,
    splits::{ClassCounts, n_episodes},
};

/// Proposals of one run that are checked; further ones are dropped.
const MAX_RULES: usize = 50;
/// Conditions of one rule.
const MAX_CONDITIONS: usize = 4;
/// Characters of a feature name that a complaint repeats.
const MAX_NAME_CHARS: usize = 40;
/// Complaints that a warning repeats.
const MAX_COMPLAINTS: usize = 5;

/// The mining runs of both sides.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MiningOutput<'a> {
    /// The runs of each side, or the reason why there are none.
    pub(super) sides: PerSide<Result<SideMining<'a>, Undefined>>,
    /// Warnings of the job.
    pub(super) warnings: Vec<Warning>,
}

/// All mining runs of one side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SideMining<'a> {
    /// Runs on the training rows of each fold, oldest first.
    pub(super) folds: Vec<MiningRun<'a>>,
    /// The run on all development rows.
    pub(super) last: MiningRun<'a>,
}

/// The rules mined from one set of rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MiningRun<'a> {
    /// Rows that the extractor learned from.
    pub(super) train_rows: &'a [u32],
    /// Accepted proposals, in the extractor's order: best first.
    pub(super) rules: Vec<ProposedRule>,
    /// Why `rules` is empty, if the extractor cannot learn from these rows.
    pub(super) reason: Option<String>,
}

/// A proposal of an extractor that passed the checks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProposedRule {
    /// Its conditions, in the extractor's order.
    pub(super) rule: Conjunction,
    /// Share of the extractor's resamples that contain the rule, if the extractor resamples.
    pub(super) stability: Option<f64>,
}

/// The proposals of one run after the checks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CheckedProposals {
    /// Accepted proposals, each rule once.
    pub(super) rules: Vec<ProposedRule>,
    /// The rejected proposals, in their order.
    pub(super) complaints: Vec<ProposalError>,
}

/// Why a proposal, or a part of it, is rejected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum ProposalError {
    /// More proposals than are checked.
    #[error("{n_rules} rules at once, the first {MAX_RULES} are used")]
    TooManyRules {
        /// Number of proposals.
        n_rules: usize,
    },
    /// A rule without conditions or with too many of them.
    #[error("a rule of {n_conditions} conditions, from 1 to {MAX_CONDITIONS} may stand")]
    ConditionCount {
        /// Number of conditions.
        n_conditions: usize,
    },
    /// A condition on a feature that the table lacks.
    #[error("an unknown feature `{feature}`")]
    UnknownFeature {
        /// The start of its name.
        feature: String,
    },
    /// A condition whose threshold is not finite as `f32`.
    #[error("a threshold of {threshold} for {feature}")]
    InfiniteThreshold {
        /// The threshold.
        threshold: f64,
        /// The start of the feature's name.
        feature: String,
    },
    /// A stability outside 0 to 1; the rule is accepted without it.
    #[error("a stability of {stability}, which is no share")]
    InvalidStability {
        /// The stability.
        stability: f64,
    },
}

/// Training rows with too few hits or misses to mine rules from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} hits in {} episodes and {} others; rules are mined from 10, 3 and 10 at least",
    .0.n_positive, .0.n_episodes, .0.n_negative
)]
struct TooFewHits(ClassCounts);

/// One call of the extractor.
struct MiningTask<'t, 'a> {
    side: RuleSide,
    target: &'t [f32],
    train_rows: &'a [u32],
}

/// Mines both sides, up to `n_side_by_side` runs at once.
///
/// An extractor that is missing or fails leaves both sides without rules, with a warning: the job's
/// own rules are scored all the same. A run whose rows are too few is empty, with the reason.
///
/// # Errors
/// If the job is cancelled.
pub(super) fn mine<'a>(context: &RuleContext<'a>) -> Result<MiningOutput<'a>, Failure> {
    let extractor = match &context.extractor {
        Ok(extractor) => extractor,
        Err(error) => return Ok(MiningOutput::without_extractor(error)),
    };
    match mine_sides(context, extractor) {
        Ok(output) => Ok(output),
        Err(FitError::Cancelled) => Err(Failure::cancelled(Phase::RuleExtraction)),
        Err(error) => Ok(MiningOutput::failed(extractor.miner.manifest().title(), &error)),
    }
}

impl MiningOutput<'_> {
    fn without_extractor(error: &ExtractorError) -> Self {
        let reason = error.to_string();
        let install = "put a plugin of the role `rules` into the plugins folder for rules of the bars' own";
        Self::without_rules(&reason, Warning::new(WarningCode::NoRuleExtractor, format!("{reason}; {install}")))
    }

    fn failed(title: &str, error: &FitError) -> Self {
        let message = format!("{title} mined no rules: {error}; the job's own are scored all the same");
        Self::without_rules(&message, Warning::new(WarningCode::RulesFailed, message.clone()))
    }

    fn without_rules(reason: &str, warning: Warning) -> Self {
        Self { sides: PerSide::from_fn(|_| Err(Undefined::because(reason))), warnings: vec![warning] }
    }
}

/// Summarises all rejected proposals in one warning.
fn rejected_proposals(title: &str, complaints: &[ProposalError]) -> Vec<Warning> {
    if complaints.is_empty() {
        return Vec::new();
    }
    let n_complaints = complaints.len();
    let mut complaints: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    complaints.sort_unstable();
    complaints.dedup();
    complaints.truncate(MAX_COMPLAINTS);
    let message = format!("{title} proposed what cannot be followed, {n_complaints} times: {}", complaints.join("; "));
    vec![Warning::new(WarningCode::MinedRulesRefused, message)]
}

/// Runs the extractor on every set of rows of both sides.
///
/// # Errors
/// If the extractor is cancelled, dies, or refuses for another reason than its rows.
fn mine_sides<'a>(context: &RuleContext<'a>, extractor: &RuleExtractor<'_>) -> Result<MiningOutput<'a>, FitError> {
    let targets = PerSide::from_fn(|side| context.target(side));
    let tasks = tasks(context, &targets);
    let answers = side_by_side(context.search_context.n_side_by_side, &tasks, |task| propose(context, extractor, task));
    // A cancelled job ends as cancelled even if another run failed before.
    if answers.iter().any(|answer| answer.as_ref().is_err_and(is_cancelled)) {
        return Err(FitError::Cancelled);
    }
    let mut complaints = Vec::new();
    let mut runs = Vec::with_capacity(tasks.len());
    for (task, answer) in tasks.iter().zip(answers) {
        runs.push(checked_run(context.table(), task.train_rows, answer, &mut complaints)?);
    }
    // `tasks` lists the entry runs before the exit runs, and per side the folds before all
    // development rows.
    let n_folds = context.splits().folds.len();
    let mut runs = runs.into_iter();
    let sides = PerSide::from_fn(|side| {
        targets.get(side).as_ref().map_err(Undefined::clone)?;
        let folds = runs.by_ref().take(n_folds).collect();
        let last = runs.next().ok_or_else(|| Undefined::because("the table has no rows"))?;
        Ok(SideMining { folds, last })
    });
    let warnings = rejected_proposals(extractor.miner.manifest().title(), &complaints);
    Ok(MiningOutput { sides, warnings })
}

/// Lists the runs: entries first, per side the folds in order and then all development rows. A side
/// without a target has no run.
fn tasks<'t, 'a>(
    context: &RuleContext<'a>,
    targets: &'t PerSide<Result<Vec<f32>, Undefined>>,
) -> Vec<MiningTask<'t, 'a>> {
    let splits = context.splits();
    let mut tasks = Vec::new();
    for side in [RuleSide::Entry, RuleSide::Exit] {
        let target = targets.get(side).as_deref().unwrap_or_default();
        if target.is_empty() {
            continue;
        }
        let of_folds = splits.folds.iter().map(|fold| &fold.train_rows);
        let row_sets = of_folds.chain([&splits.development.train_rows]);
        tasks.extend(row_sets.map(|train_rows| MiningTask { side, target, train_rows }));
    }
    tasks
}

/// Calls the extractor on the rows of one task.
fn propose(
    context: &RuleContext<'_>,
    extractor: &RuleExtractor<'_>,
    task: &MiningTask<'_, '_>,
) -> Result<Vec<MinedRule>, FitError> {
    require_enough_hits(context, task)
        .map_err(|error| FitError::Refused { code: code::DATA, message: error.to_string() })?;
    let scores = match task.side {
        RuleSide::Entry => only_rows(&context.search.oof.standard_scores, task.train_rows),
        // The model forecasts rises: its scores carry no information about falls.
        RuleSide::Exit => vec![f32::NAN; task.target.len()],
    };
    extractor.miner.mine(&MineRequest {
        label: &only_rows(task.target, task.train_rows),
        train_rows: task.train_rows,
        scores: &scores,
        params: extractor.params,
        seed: context.search_context.seed,
    })
}

/// Refuses rows with so few hits that every rule would describe a handful of them. The limits are
/// those below which the search does not judge a label either.
fn require_enough_hits(context: &RuleContext<'_>, task: &MiningTask<'_, '_>) -> Result<(), TooFewHits> {
    let of_class = |class: f32| task.train_rows.iter().copied().filter(move |&row| task.target[row as usize] == class);
    let counts = ClassCounts {
        n_positive: of_class(1.0).count(),
        n_negative: of_class(0.0).count(),
        n_episodes: n_episodes(context.table(), context.label(), of_class(1.0)),
    };
    if counts.suffice(1) { Ok(()) } else { Err(TooFewHits(counts)) }
}

/// Returns the values of some rows, NaN for all other rows.
fn only_rows(values: &[f32], rows: &[u32]) -> Vec<f32> {
    let mut kept = vec![f32::NAN; values.len()];
    for &row in rows {
        kept[row as usize] = values[row as usize];
    }
    kept
}

/// Returns whether an error reports a cancelled job. A plugin that is cancelled during its work
/// reports a code instead.
fn is_cancelled(error: &FitError) -> bool {
    matches!(error, FitError::Cancelled | FitError::Refused { code: code::CANCELLED, .. })
}

/// Checks the answer of one run. If the extractor cannot learn from the rows, the run is empty.
fn checked_run<'a>(
    table: &FeatureTable,
    train_rows: &'a [u32],
    answer: Result<Vec<MinedRule>, FitError>,
    complaints: &mut Vec<ProposalError>,
) -> Result<MiningRun<'a>, FitError> {
    match answer {
        Ok(proposals) => {
            let checked = check_proposals(table, &proposals);
            complaints.extend(checked.complaints);
            Ok(MiningRun { train_rows, rules: checked.rules, reason: None })
        }
        Err(FitError::Refused { code: code::DATA, message }) => {
            Ok(MiningRun { train_rows, rules: Vec::new(), reason: Some(message) })
        }
        Err(error) => Err(error),
    }
}

/// Accepts the proposals that can be followed, each rule once, and complains about the others.
pub(super) fn check_proposals(table: &FeatureTable, proposals: &[MinedRule]) -> CheckedProposals {
    let mut checked = CheckedProposals::default();
    if proposals.len() > MAX_RULES {
        checked.complaints.push(ProposalError::TooManyRules { n_rules: proposals.len() });
    }
    let columns: BTreeMap<&str, usize> =
        table.names.iter().enumerate().map(|(idx, name)| (name.as_str(), idx)).collect();
    for proposal in proposals.iter().take(MAX_RULES) {
        match check_conditions(&columns, &proposal.conditions) {
            Ok(rule) => checked.accept(rule, proposal.stability),
            Err(complaint) => checked.complaints.push(complaint),
        }
    }
    checked
}

impl CheckedProposals {
    fn accept(&mut self, rule: Conjunction, stability: Option<f64>) {
        if self.rules.iter().any(|other| other.rule == rule) {
            return;
        }
        let valid_stability = stability.filter(|share| (0.0..=1.0).contains(share));
        if let Some(share) = stability
            && valid_stability.is_none()
        {
            self.complaints.push(ProposalError::InvalidStability { stability: share });
        }
        self.rules.push(ProposedRule { rule, stability: valid_stability });
    }
}

fn check_conditions(columns: &BTreeMap<&str, usize>, conditions: &[Condition]) -> Result<Conjunction, ProposalError> {
    if !(1..=MAX_CONDITIONS).contains(&conditions.len()) {
        return Err(ProposalError::ConditionCount { n_conditions: conditions.len() });
    }
    let checked: Result<Vec<RuleCondition>, ProposalError> =
        conditions.iter().map(|condition| check_condition(columns, condition)).collect();
    checked.map(Conjunction)
}

fn check_condition(columns: &BTreeMap<&str, usize>, condition: &Condition) -> Result<RuleCondition, ProposalError> {
    let &Condition { ref feature, operator, threshold } = condition;
    let short_name = || feature.chars().take(MAX_NAME_CHARS).collect::<String>();
    let &feature_idx =
        columns.get(feature.as_str()).ok_or_else(|| ProposalError::UnknownFeature { feature: short_name() })?;
    let finite = Some(threshold as f32).filter(|threshold| threshold.is_finite());
    let threshold = finite.ok_or_else(|| ProposalError::InfiniteThreshold { threshold, feature: short_name() })?;
    Ok(RuleCondition { feature_idx, operator, threshold })
}

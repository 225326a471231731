//! Step 2: mines rules walk-forward, for each side, from each fold's training rows and from all
//! development rows.
//!
//! In: a [`RuleContext`]. Out: [`MiningOutput`]. Invariants: an extractor receives the labels and
//! scores of its training rows only; its proposals are untrusted, so none of them can cause a panic
//! or unbounded work.

use std::collections::BTreeMap;

use oculus_job::{
    error::JobError,
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
    metrics::UndefinedError,
    miner::MineRequest,
    parallel::parallel_map,
    splits::{ClassCounts, MinCounts, n_episodes},
};

/// Maximum number of proposals per run; further proposals are ignored.
const MAX_RULES: usize = 50;
/// Maximum number of conditions per rule.
const MAX_CONDITIONS: usize = 4;
/// Maximum length of a feature name in an error: a plugin may send a name of any length.
const MAX_NAME_CHARS: usize = 40;
/// Maximum number of errors that the warning lists.
const MAX_LISTED_ERRORS: usize = 5;

/// The mining runs of both sides.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MiningOutput<'a> {
    /// The runs of each side, or the reason why there are none.
    pub(super) sides: PerSide<Result<SideMining<'a>, UndefinedError>>,
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
    /// Rows from which the extractor mined.
    pub(super) train_rows: &'a [u32],
    /// Accepted proposals, in the extractor's order: best first.
    pub(super) rules: Vec<ProposedRule>,
    /// Reason for empty `rules`, if these rows are too few or unsuitable for mining.
    pub(super) reason: Option<String>,
}

/// A proposal of an extractor that passed the checks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ProposedRule {
    /// Conditions of the rule, in the extractor's order.
    pub(super) rule: Conjunction,
    /// Share of the extractor's resamples that contain the rule, if the extractor resamples.
    pub(super) stability: Option<f64>,
}

/// The proposals of one run after the checks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct CheckedProposals {
    /// Accepted proposals, each rule once.
    pub(super) rules: Vec<ProposedRule>,
    /// Errors of the proposals, in the order of the proposals.
    pub(super) errors: Vec<ProposalError>,
}

// Numbers are written with `Debug`, which uses an exponent for large ones: `Display` writes 300
// digits of a threshold of 1e300.
/// The reason why a proposal, or a part of it, is rejected.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(super) enum ProposalError {
    /// The extractor proposed more rules than a run may have.
    #[error("found {n_rules} rules, expected at most {MAX_RULES}; the others are ignored")]
    TooManyRules {
        /// Number of proposals.
        n_rules: usize,
    },
    /// A rule has no conditions, or too many.
    #[error("found a rule with {n_conditions} conditions, expected 1 to {MAX_CONDITIONS}")]
    ConditionCount {
        /// Number of conditions.
        n_conditions: usize,
    },
    /// A condition reads a feature that is not in the table.
    #[error("unknown feature `{feature}`")]
    UnknownFeature {
        /// The start of the feature's name.
        feature: String,
    },
    /// The threshold of a condition is not finite as `f32`.
    #[error("invalid threshold of {feature}: found {threshold:?}, expected a finite number")]
    InfiniteThreshold {
        /// The threshold.
        threshold: f64,
        /// The start of the feature's name.
        feature: String,
    },
    /// The stability is not between 0 and 1; the rule is accepted without it.
    #[error("invalid stability: found {stability:?}, expected 0 to 1")]
    InvalidStability {
        /// The stability.
        stability: f64,
    },
}

/// Training rows with too few hits or misses to mine rules from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "found {} hits in {} episodes and {} misses, expected at least 10, 3 and 10",
    .0.n_positive, .0.n_episodes, .0.n_negative
)]
struct TooFewHitsError(ClassCounts);

/// One call of the extractor.
struct MiningTask<'t, 'a> {
    side: RuleSide,
    target: &'t [f32],
    train_rows: &'a [u32],
}

/// Mines the rules of both sides, up to `n_parallel` runs at once.
///
/// If the extractor is missing or fails, both sides are empty and the job has a warning; the job's
/// own rules are scored regardless. A run with too few rows is empty, with the reason.
///
/// # Errors
/// Returns a failure if the job is cancelled.
pub(super) fn mine<'a>(context: &RuleContext<'a>) -> Result<MiningOutput<'a>, JobError> {
    let extractor = match &context.extractor {
        Ok(extractor) => extractor,
        Err(error) => return Ok(MiningOutput::without_extractor(error)),
    };
    match mine_sides(context, extractor) {
        Ok(output) => Ok(output),
        Err(FitError::Cancelled) => Err(JobError::cancelled(Phase::RuleExtraction)),
        Err(error) => Ok(MiningOutput::failed(extractor.miner.manifest().title(), &error)),
    }
}

impl MiningOutput<'_> {
    fn without_extractor(error: &ExtractorError) -> Self {
        let reason = error.to_string();
        let install = "to mine rules from the bars, install a plugin of the role `rules` in the plugins folder";
        Self::without_rules(&reason, Warning::new(WarningCode::NoRuleExtractor, format!("{reason}; {install}")))
    }

    fn failed(title: &str, error: &FitError) -> Self {
        let message = format!("{title} failed to mine rules: {error}; the job's own rules are scored regardless");
        Self::without_rules(&message, Warning::new(WarningCode::RulesFailed, message.clone()))
    }

    fn without_rules(reason: &str, warning: Warning) -> Self {
        Self { sides: PerSide::from_fn(|_| Err(UndefinedError::because(reason))), warnings: vec![warning] }
    }
}

/// Summarises the errors of all proposals in one warning.
fn rejected_proposals(title: &str, errors: &[ProposalError]) -> Vec<Warning> {
    if errors.is_empty() {
        return Vec::new();
    }
    let n_errors = errors.len();
    // The runs of several folds often repeat an error; `dedup` removes adjacent duplicates only.
    let mut errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.sort_unstable();
    errors.dedup();
    errors.truncate(MAX_LISTED_ERRORS);
    let message = format!("errors in the rules that {title} proposed ({n_errors}): {}", errors.join("; "));
    vec![Warning::new(WarningCode::MinedRulesRefused, message)]
}

/// Runs the extractor on every set of rows of both sides.
///
/// # Errors
/// Returns the extractor's error if the extractor is cancelled or dies, or if it rejects a request
/// for a reason other than unsuitable rows.
fn mine_sides<'a>(context: &RuleContext<'a>, extractor: &RuleExtractor<'_>) -> Result<MiningOutput<'a>, FitError> {
    // Computed once per side, because every run of the side reads the same target.
    let targets = PerSide::from_fn(|side| context.target(side));
    let tasks = tasks(context, &targets);
    let answers = parallel_map(context.search_context.n_parallel, &tasks, |task| propose(context, extractor, task));
    // A cancelled job must be reported as cancelled even if another run failed first.
    if answers.iter().any(|answer| answer.as_ref().is_err_and(is_cancelled)) {
        return Err(FitError::Cancelled);
    }
    let mut errors = Vec::new();
    let mut runs = Vec::with_capacity(tasks.len());
    for (task, answer) in tasks.iter().zip(answers) {
        runs.push(checked_run(context.table(), task.train_rows, answer, &mut errors)?);
    }
    // `tasks` lists the entry runs before the exit runs. On each side, the runs of the folds come
    // before the run on all development rows.
    let n_folds = context.splits().folds.len();
    let mut runs = runs.into_iter();
    let sides = PerSide::from_fn(|side| {
        targets.get(side).as_ref().map_err(UndefinedError::clone)?;
        let folds = runs.by_ref().take(n_folds).collect();
        // If the table has no rows, the target is empty, and `tasks` lists no run for it.
        let last = runs.next().ok_or_else(|| UndefinedError::because("the table has no rows"))?;
        Ok(SideMining { folds, last })
    });
    let warnings = rejected_proposals(extractor.miner.manifest().title(), &errors);
    Ok(MiningOutput { sides, warnings })
}

/// Lists the runs, entry runs first. On each side, the runs of the folds come before the run on all
/// development rows. A side without a target has no run.
fn tasks<'t, 'a>(
    context: &RuleContext<'a>,
    targets: &'t PerSide<Result<Vec<f32>, UndefinedError>>,
) -> Vec<MiningTask<'t, 'a>> {
    let splits = context.splits();
    let mut tasks = Vec::new();
    for side in [RuleSide::Entry, RuleSide::Exit] {
        let target = targets.get(side).as_deref().unwrap_or_default();
        if target.is_empty() {
            continue;
        }
        let fold_rows = splits.folds.iter().map(|fold| &fold.train_rows);
        let row_sets = fold_rows.chain([&splits.development.train_rows]);
        tasks.extend(row_sets.map(|train_rows| MiningTask { side, target, train_rows }));
    }
    tasks
}

/// Calls the extractor on the rows of one task. The labels and scores of all other rows are NaN, so
/// the extractor cannot use them.
fn propose(
    context: &RuleContext<'_>,
    extractor: &RuleExtractor<'_>,
    task: &MiningTask<'_, '_>,
) -> Result<Vec<MinedRule>, FitError> {
    // If the rows have too few hits, the host rejects them with the code that an extractor uses. So
    // a rejection by either of them results in an empty run with a reason.
    require_enough_hits(context, task)
        .map_err(|error| FitError::Rejected { code: code::DATA, message: error.to_string() })?;
    let scores = match task.side {
        RuleSide::Entry => masked(&context.search.oof.standard_scores, task.train_rows),
        // The model forecasts rises, so its scores do not describe falls.
        RuleSide::Exit => vec![f32::NAN; task.target.len()],
    };
    extractor.miner.mine(&MineRequest {
        label: &masked(task.target, task.train_rows),
        train_rows: task.train_rows,
        scores: &scores,
        params: extractor.params,
        seed: context.search_context.seed,
    })
}

/// Rejects rows with so few hits or misses that every rule would describe only a handful of cases.
fn require_enough_hits(context: &RuleContext<'_>, task: &MiningTask<'_, '_>) -> Result<(), TooFewHitsError> {
    let class_rows =
        |class: f32| task.train_rows.iter().copied().filter(move |&row| task.target[row as usize] == class);
    let counts = ClassCounts {
        n_positive: class_rows(1.0).count(),
        n_negative: class_rows(0.0).count(),
        n_episodes: n_episodes(context.table(), context.label(), class_rows(1.0)),
    };
    if counts.suffice(MinCounts::TUNE) { Ok(()) } else { Err(TooFewHitsError(counts)) }
}

/// Returns the values of some rows, NaN for all other rows.
fn masked(values: &[f32], rows: &[u32]) -> Vec<f32> {
    let mut selected = vec![f32::NAN; values.len()];
    for &row in rows {
        selected[row as usize] = values[row as usize];
    }
    selected
}

/// Returns whether an error reports a cancelled job. A plugin that is cancelled during its work
/// reports the code `CANCELLED` instead.
fn is_cancelled(error: &FitError) -> bool {
    matches!(error, FitError::Cancelled | FitError::Rejected { code: code::CANCELLED, .. })
}

/// Checks the answer of one run. If the rows are too few or unsuitable for mining, the run is
/// empty.
fn checked_run<'a>(
    table: &FeatureTable,
    train_rows: &'a [u32],
    answer: Result<Vec<MinedRule>, FitError>,
    errors: &mut Vec<ProposalError>,
) -> Result<MiningRun<'a>, FitError> {
    match answer {
        Ok(proposals) => {
            let checked = check_proposals(table, &proposals);
            errors.extend(checked.errors);
            Ok(MiningRun { train_rows, rules: checked.rules, reason: None })
        }
        Err(FitError::Rejected { code: code::DATA, message }) => {
            Ok(MiningRun { train_rows, rules: Vec::new(), reason: Some(message) })
        }
        Err(error) => Err(error),
    }
}

/// Accepts the valid proposals, each rule once, and returns an error for each of the others.
pub(super) fn check_proposals(table: &FeatureTable, proposals: &[MinedRule]) -> CheckedProposals {
    let mut checked = CheckedProposals::default();
    if proposals.len() > MAX_RULES {
        checked.errors.push(ProposalError::TooManyRules { n_rules: proposals.len() });
    }
    // Names come from the plugin; a map bounds the cost of looking up many unknown names.
    let columns: BTreeMap<&str, usize> =
        table.names.iter().enumerate().map(|(idx, name)| (name.as_str(), idx)).collect();
    for proposal in proposals.iter().take(MAX_RULES) {
        match check_conditions(&columns, &proposal.conditions) {
            Ok(rule) => checked.accept(rule, proposal.stability),
            Err(error) => checked.errors.push(error),
        }
    }
    checked
}

impl CheckedProposals {
    fn accept(&mut self, rule: Conjunction, stability: Option<f64>) {
        // A repeated rule is harmless, so it is dropped without an error.
        if self.rules.iter().any(|other| other.rule == rule) {
            return;
        }
        let valid_stability = stability.filter(|share| (0.0..=1.0).contains(share));
        if let Some(share) = stability
            && valid_stability.is_none()
        {
            self.errors.push(ProposalError::InvalidStability { stability: share });
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
    // The name is cut by characters, because a cut by bytes could split a character and panic.
    let short_name = || feature.chars().take(MAX_NAME_CHARS).collect::<String>();
    let &feature_idx =
        columns.get(feature.as_str()).ok_or_else(|| ProposalError::UnknownFeature { feature: short_name() })?;
    // Features are `f32`: a finite `f64` can still overflow to infinity here.
    let finite = Some(threshold as f32).filter(|threshold| threshold.is_finite());
    let threshold = finite.ok_or_else(|| ProposalError::InfiniteThreshold { threshold, feature: short_name() })?;
    Ok(RuleCondition { feature_idx, operator, threshold })
}

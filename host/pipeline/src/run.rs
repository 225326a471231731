//! Runs the stages of a job in order.
//!
//! In: a checked [`Job`], and the [`PipelineInputs`]. Out: [`PipelineOutput`]. Invariant: the
//! output is a function of the job, the bars, the seed, the plugins, the earlier submissions and the
//! time of the start; the number of parallel fits does not change a byte of the report.

use oculus_job::code::ErrorCode;
use oculus_job::error::JobError;
use oculus_job::progress::{Phase, Progress};
use oculus_job::request::Job;
use oculus_job::submission::{Submission, SubmissionHistory};

use crate::bars::{self, Market};
use crate::canaries::{self, Canaries, CanaryInputs};
use crate::features::{self, FeatureReport, FeatureTable};
use crate::fitter::Fitter;
use crate::labels::{self, Label};
use crate::metrics::Finite;
use crate::miner::Miner;
use crate::models::{self, Families, FamilyCandidate, FamilyProgress, FinalModel, Training};
use crate::parallel;
use crate::participants::Participants;
use crate::progress::JobProgress;
use crate::report::{self, Report};
use crate::rules::{self, ExtractorError, RequestedRules, RuleContext, RuleExtractor, RuleResults};
use crate::search::{self, Family, SearchContext, SearchResult};
use crate::splits::{Partition, Splits};
use crate::strategy::{self, EquityCurve, ModelChance, OptimizedStrategy, StrategyInputs};
use crate::submissions::{Submissions, TestFigures, TestPeriodUse};
use crate::work::{StepKind, WorkFn, WorkInputs};

/// Starts the plugins of a job on a feature table.
pub type OpenPlugins<'a, 'p> = dyn Fn(&FeatureTable) -> Result<StartedPlugins<'p>, JobError> + Sync + 'a;

/// The inputs of the pipeline, except the job itself.
pub struct PipelineInputs<'a> {
    /// Source of the bars.
    pub source: &'a dyn bars::Source,
    /// The plugins of the job.
    pub participants: &'a Participants,
    /// Length of the longest window that a family reads, in rows up to and including the predicted
    /// one; 0 without windows.
    pub lookback_rows: usize,
    /// Starts the plugins on a feature table.
    pub open: &'a OpenPlugins<'a, 'a>,
    /// Number of parallel fits of one family. This number does not change a byte of the report.
    pub n_parallel: usize,
    /// Number of families that are fitted in parallel. This number does not change a byte of the
    /// report.
    pub n_families_at_once: usize,
    /// The earlier submissions of the job's user in its timeframe.
    pub history: &'a SubmissionHistory,
    /// Start of the job in UTC, such as `2024-01-15T10:30:00`.
    pub started_at: &'a str,
    /// Receives the work of the job: the plan, and what is done of it.
    pub on_work: &'a WorkFn<'a>,
    /// Receives the progress of the job.
    pub on_progress: &'a (dyn Fn(Progress) + Sync),
}

/// The plugins of a job, started on its feature table.
pub struct StartedPlugins<'a> {
    /// The fitted families, in the order of [`Participants::fitted`].
    pub fitters: Vec<Box<dyn Fitter + 'a>>,
    /// The rule extractor, if the job has one.
    pub miner: Option<Box<dyn Miner + 'a>>,
}

/// The outcome of a successful job.
#[derive(Clone, Debug)]
pub struct PipelineOutput {
    /// The report, which becomes the job's result.
    pub report: Report,
    /// Outputs of the stages, from which the artifacts are written.
    pub artifact_inputs: ArtifactInputs,
    /// The test of this job, for the ledger of submissions.
    pub submission: Submission,
}

/// Outputs of the stages that the artifacts need and the report does not contain.
#[derive(Clone, Debug)]
pub struct ArtifactInputs {
    /// The bars of all symbols.
    pub market: Market,
    /// The features of all rows.
    pub table: FeatureTable,
    /// The label that the models were fitted on.
    pub label: Label,
    /// The rows of the table by role, for this label.
    pub splits: Splits,
    /// The models with their scores and metrics.
    pub training: Training,
    /// Equity and trades of the chosen strategy.
    pub equity_curve: EquityCurve,
}

/// Tables computed from the bars before any model is fitted.
struct Prepared {
    market: Market,
    table: FeatureTable,
    features: FeatureReport,
    labels: Vec<Label>,
    partition: Partition,
    /// One entry per label.
    splits: Vec<Splits>,
}

/// Runs every stage of a job.
///
/// # Errors
/// Returns the failure of the first stage that cannot continue.
pub fn run(job: &Job, inputs: &PipelineInputs<'_>) -> Result<PipelineOutput, JobError> {
    let progress = JobProgress::new(inputs.on_progress, inputs.on_work);

    let prepared = prepare(job, inputs, &progress)?;
    let opened = (inputs.open)(&prepared.table)?;
    let families = families(inputs.participants, &opened.fitters, job.design.ml_training_config.ensemble)?;
    let context = prepared.search_context(job, inputs.n_parallel);

    let n_trials = job.design.n_iter_search as usize;
    let extractor_id = inputs.participants.extractor.as_ref().map_or("", |extractor| extractor.id.as_str());
    let work = WorkInputs {
        context: &context,
        families: &families,
        n_families_at_once: inputs.n_families_at_once,
        extractor: extractor_id,
        n_trials,
        n_strategy_trials: job.design.strategy_trials as usize,
    };
    progress.plan(work.plan());
    let lead = families.lead.fitter.manifest().id.as_str();

    progress.start_step(StepKind::Search, lead);
    progress.enter(Phase::ConfigSearch, "searching for a label and a configuration");
    let outcome = search::run(&context, &families.lead, n_trials, &|event| progress.report_trial(lead, &event))?;

    progress.enter(Phase::Training, "fitting the families");
    // Each family runs in its own process, so both the cores and the available memory limit how
    // many run in parallel.
    let families_at_once = SearchContext { n_parallel: inputs.n_families_at_once, ..context };
    let canary_inputs = CanaryInputs {
        job,
        market: &prepared.market,
        partition: &prepared.partition,
        open: inputs.open,
        context: &context,
        search: &outcome,
        lead: &families.lead,
        warm_up_bars: prepared.features.warm_up_bars,
    };
    let on_fit = |fit: &FamilyProgress<'_>| progress.report_fit(fit);
    let evaluate = || models::evaluate_all(&families_at_once, &outcome, &families, &on_fit);
    let compare = || {
        progress.start_step(StepKind::Surrogates, lead);
        let on_surrogates = |n_done, n_all| progress.report_surrogates(lead, n_done, n_all);
        canaries::compare_with_surrogates(&canary_inputs, &on_surrogates)
    };
    let (evaluations, surrogate_markets) = parallel::join(inputs.n_families_at_once, evaluate, compare);
    let mut training = models::fit_final(&families_at_once, &outcome, evaluations?, &on_fit)?;
    let canaries = Canaries::new(surrogate_markets?, &outcome, &training.test);

    let FinalModel { plugin: winner, reads_windows, .. } = training.winning_model();
    let winner = winner.clone();
    let n_models = training.scoring_models().len();
    progress.plan(vec![work.plan_chance(outcome.label_idx, &winner, *reads_windows, n_models)]);
    let chance = progress.step(StepKind::Chance, &winner, || canaries::chance_auc(&canary_inputs, &training))?;
    training.compare_with_chance(chance);

    progress.enter(Phase::RuleExtraction, "mining and scoring rules");
    let extractor = extractor(inputs.participants, &opened);
    let requested = prepared.requested_rules(job);
    let rule_context = RuleContext { search_context: &context, search: &outcome, extractor, requested };
    let rules = progress.step(StepKind::Rules, extractor_id, || rules::find(&rule_context))?;

    progress.enter(Phase::StrategyOptimization, "searching for a strategy");
    let test_use = TestPeriodUse::new(inputs.history, job, &prepared.partition.test, inputs.started_at);
    let n_submissions = test_use.n_designs();
    let stages = StagesBeforeStrategy {
        outcome: &outcome,
        training: &training,
        canaries: &canaries,
        rules: &rules,
        n_submissions,
    };
    let optimize = || prepared.optimize_strategy(job, inputs.n_parallel, &stages);
    let optimized = progress.step(StepKind::Strategy, "", optimize);
    let (submissions, submission) = test_use.conclude(TestFigures::new(&training.test, &optimized.report));

    progress.start_step(StepKind::Report, "");

    progress.finish();
    let stage_results = StageResults { outcome, training, canaries, rules, optimized, submissions };
    let (report, artifact_inputs) = prepared.into_output(job, inputs, stage_results);
    Ok(PipelineOutput { report, artifact_inputs, submission })
}

/// Outputs of earlier stages that the strategy search reads.
struct StagesBeforeStrategy<'a> {
    outcome: &'a SearchResult,
    training: &'a Training,
    canaries: &'a Canaries,
    rules: &'a RuleResults,
    n_submissions: Option<usize>,
}

/// Outputs of the stages after the preparation.
struct StageResults {
    outcome: SearchResult,
    training: Training,
    canaries: Canaries,
    rules: RuleResults,
    optimized: OptimizedStrategy,
    submissions: Submissions,
}

/// Reads the bars, computes features and labels, and cuts the dates into folds and a test period.
fn prepare(job: &Job, inputs: &PipelineInputs<'_>, progress: &JobProgress<'_>) -> Result<Prepared, JobError> {
    progress.enter(Phase::DataFetch, "reading bars");
    let needs = features::bars_needs(job, inputs.lookback_rows);
    let market = bars::load(inputs.source, &needs, &|fetch| progress.report_fetch(fetch))?;

    progress.enter(Phase::FeatureEngineering, "computing features and labels");
    let (table, features) = features::build(&market, job, inputs.n_parallel)?;
    let labels = labels::build(&market, &table, job);
    let cv_folds = job.design.ml_training_config.cv_folds;
    let partition = Partition::new(&table, &labels, cv_folds, market.span)?;
    let splits = labels.iter().map(|label| partition.splits(&table, label)).collect();
    Ok(Prepared { market, table, features, labels, partition, splits })
}

impl Prepared {
    fn search_context(&self, job: &Job, n_parallel: usize) -> SearchContext<'_> {
        SearchContext {
            table: &self.table,
            labels: &self.labels,
            splits: &self.splits,
            seed: job.design.ml_training_config.seed,
            n_parallel,
        }
    }

    fn requested_rules<'a>(&'a self, job: &'a Job) -> RequestedRules<'a> {
        RequestedRules {
            entry_rules: &job.design.entry_rules,
            exit_rules: &job.design.exit_rules,
            entry_score_threshold: job.design.entry_score_threshold,
            exit_score_threshold: job.design.exit_score_threshold,
            features: &self.features,
        }
    }

    fn optimize_strategy(&self, job: &Job, n_parallel: usize, stages: &StagesBeforeStrategy<'_>) -> OptimizedStrategy {
        let StagesBeforeStrategy { outcome, training, canaries, rules, n_submissions } = *stages;
        let model_chance = ModelChance {
            auc_p: training.test.auc_p.map(Finite::get),
            surrogates_p: canaries.surrogate_markets.p_value.map(Finite::get),
        };
        strategy::optimize(&StrategyInputs {
            market: &self.market,
            table: &self.table,
            partition: &self.partition,
            label: &self.labels[outcome.label_idx],
            label_judged: outcome.is_judged(),
            n_submissions,
            rule_set: &rules.rule_set,
            scores: &training.winner.standard_scores,
            model_chance,
            score_scale: training.winner.score_scale,
            entry_score_threshold: job.design.entry_score_threshold,
            exit_score_threshold: job.design.exit_score_threshold,
            cost_bps: job.design.cost_bps,
            n_trials: job.design.strategy_trials as usize,
            seed: job.design.ml_training_config.seed,
            n_parallel,
        })
    }

    fn into_output(
        mut self,
        job: &Job,
        inputs: &PipelineInputs<'_>,
        results: StageResults,
    ) -> (Report, ArtifactInputs) {
        let report = report::build(&report::ReportInputs {
            job,
            source: inputs.source.name(),
            market: &self.market,
            participants: inputs.participants,
            table: &self.table,
            features: &self.features,
            partition: &self.partition,
            outcome: &results.outcome,
            training: &results.training,
            canaries: &results.canaries,
            rules: &results.rules,
            optimized: &results.optimized,
            submissions: &results.submissions,
        });
        let label_idx = results.outcome.label_idx;
        // The report is complete, so the chosen label and its rows can be moved out. `swap_remove`
        // avoids a copy, and nothing reads the order of the other labels any more.
        let artifact_inputs = ArtifactInputs {
            market: self.market,
            table: self.table,
            label: self.labels.swap_remove(label_idx),
            splits: self.splits.swap_remove(label_idx),
            training: results.training,
            equity_curve: results.optimized.equity_curve,
        };
        (report, artifact_inputs)
    }
}

/// Returns the rule extractor with its parameters, or the reason why there is none.
fn extractor<'a>(
    participants: &'a Participants,
    opened: &'a StartedPlugins<'_>,
) -> Result<RuleExtractor<'a>, ExtractorError> {
    let chosen = participants.extractor.as_ref().map_err(|reason| ExtractorError::NotSelected(reason.clone()))?;
    let miner = opened.miner.as_deref().ok_or(ExtractorError::NotOpened)?;
    Ok(RuleExtractor { miner, params: &chosen.params })
}

/// Returns the lead family and the other families, including the ones that are not installed.
///
/// * `ensemble`: whether the mean of ranks of the families competes with them.
fn families<'a>(
    participants: &'a Participants,
    fitters: &'a [Box<dyn Fitter + '_>],
    ensemble: bool,
) -> Result<Families<'a>, JobError> {
    let mut ready = fitters.iter().zip(participants.fitted()).map(|(fitter, participant)| Family {
        fitter: fitter.as_ref(),
        params: &participant.params,
        device: &participant.device,
    });
    // `Participants::fitted` lists the lead family first and the baseline last.
    let lead = participants.families.first().and_then(|_| ready.next()).ok_or_else(|| {
        JobError::refused(
            Phase::Queued,
            ErrorCode::NoFamilies,
            "none of the model families that the job requests is installed",
            "install a plugin of a model family in the plugins folder",
        )
    })?;
    let skipped = participants.skipped.iter();
    let skipped = skipped.map(|skipped| FamilyCandidate::Unavailable { name: &skipped.name, reason: &skipped.reason });
    let others = ready.by_ref().take(participants.families.len() - 1).map(FamilyCandidate::Ready);
    let others = others.chain(skipped).collect();
    Ok(Families { lead, others, baseline: ready.next(), ensemble })
}

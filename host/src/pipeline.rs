//! A job as a pure function: the stages called in order, and nothing else.
//!
//! In: a checked job, bars, families. Out: the result's report and what is kept of the job. No environment, clock, global randomness or Redis.

use crate::artifacts::{self, Contents};
use crate::job::failure::Failure;
use crate::job::progress::{Phase, Progress};
use crate::job::request::Job;

pub mod bars;
pub mod baseline;
pub mod canaries;
pub mod date;
pub mod features;
pub mod fitter;
pub mod labels;
pub mod metrics;
pub mod miner;
pub mod models;
pub mod report;
pub mod rules;
pub mod search;
pub mod splits;
mod stages;
pub mod strategy;

use bars::Market;
use features::FeatureTable;
use fitter::Fitter;
use labels::Label;
use miner::Miner;
use models::Candidate;
use rules::Asked;
use search::{Family, Study};
use splits::{Partition, Splits};
use stages::Stages;

use crate::plugins::selection::Selection;

/// What a job works with.
pub struct Inputs<'a> {
    /// Where bars come from.
    pub source: &'a dyn bars::Source,
    /// The families that the job trains, the lead first.
    pub selection: &'a Selection,
    /// Puts the chosen plugins to work on a table.
    pub open: &'a dyn Fn(&FeatureTable) -> Result<Opened<'a>, Failure>,
    /// Fits of one family side by side; changes no byte of the report.
    pub n_side_by_side: usize,
    /// Families side by side; changes no byte of the report.
    pub n_families_at_once: usize,
    /// Device to fit on where the job names none of its own: `cpu`, or `auto`.
    pub device: &'a str,
    /// Hears how far the job is.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// The chosen plugins at work on a table.
pub struct Opened<'a> {
    /// The families, in the selection's order.
    pub fitters: Vec<Box<dyn Fitter + 'a>>,
    /// The rule extractor, where there is one.
    pub miner: Option<Box<dyn Miner + 'a>>,
}

/// What a job comes to.
#[derive(Clone, Debug)]
pub struct Output {
    /// The result.
    pub report: report::Report,
    /// What is kept of it.
    pub contents: Contents,
}

/// Runs every stage.
///
/// # Errors
/// The first stage that cannot go on, in the words of the result.
pub fn run(job: &Job, inputs: &Inputs<'_>) -> Result<Output, Failure> {
    let n_families = inputs.selection.chosen.len();
    let stages = Stages::new(n_families, inputs.progress);

    stages.enter(Phase::DataFetch, "reading bars");
    let market = bars::load(inputs.source, job, inputs.selection.lookback_rows(), &|news| stages.fetched(news))?;

    stages.enter(Phase::FeatureEngineering, "computing features and labels");
    let (table, features) = features::build(&market, job, inputs.n_side_by_side)?;
    let labels = labels::build(&market, &table, job);
    let (partition, splits) = split(job, &market, &table, &labels)?;
    let opened = (inputs.open)(&table)?;
    let (lead, others) = families(inputs, &opened.fitters)?;
    let seed = job.design.ml_training_config.seed;
    let study = Study { table: &table, labels: &labels, splits: &splits, seed, n_side_by_side: inputs.n_side_by_side };

    stages.enter(Phase::ConfigSearch, "searching label and configuration");
    let n_trials = job.design.n_iter_search as usize;
    let outcome = search::run(&study, &lead, n_trials, &|event| stages.trial(&event))?;

    stages.enter(Phase::Training, "fitting the families");
    let families_at_once = Study { n_side_by_side: inputs.n_families_at_once, ..study };
    let training = models::run(&families_at_once, &outcome, &lead, &others, &|news| stages.family(news))?;

    let tell = |n_done, n_shifts| stages.shifted(n_done, n_shifts);
    let canaries = canaries::run(&study, &outcome, &lead, &training.test, &tell)?;

    stages.enter(Phase::RuleExtraction, "mining and scoring rules");
    let asked = Asked {
        entry_rules: &job.design.entry_rules,
        exit_rules: &job.design.exit_rules,
        entry_score_threshold: job.design.entry_score_threshold,
        exit_score_threshold: job.design.exit_score_threshold,
        features: &features,
    };
    let rules = rules::find(&study, &outcome, extractor(inputs, &opened), &asked)?;

    stages.enter(Phase::StrategyOptimization, "searching a strategy");
    let optimized = strategy::optimize(&strategy::Inputs {
        market: &market,
        table: &table,
        partition: &partition,
        label: &labels[outcome.label_idx],
        book: &rules.book,
        scores: &training.winner.standard_scores,
        spread: training.winner.spread,
        entry_score_threshold: job.design.entry_score_threshold,
        exit_score_threshold: job.design.exit_score_threshold,
        cost_bps: job.design.cost_bps,
        n_trials: job.design.strategy_trials as usize,
        seed,
        n_side_by_side: inputs.n_side_by_side,
    });

    stages.finish();
    let found = report::Inputs {
        job,
        source: inputs.source.name(),
        market: &market,
        selection: inputs.selection,
        table: &table,
        features: &features,
        partition: &partition,
        outcome: &outcome,
        training: &training,
        canaries: &canaries,
        rules: &rules,
        optimized: &optimized,
    };
    let chosen = outcome.label_idx;
    let contents = artifacts::collect(&found, &labels[chosen], &splits[chosen].test_rows);
    Ok(Output { report: report::build(&found), contents })
}

/// The calendar, and each label's rows in every role.
fn split(
    job: &Job,
    market: &Market,
    table: &FeatureTable,
    labels: &[Label],
) -> Result<(Partition, Vec<Splits>), Failure> {
    let partition = Partition::of(table, labels, job.design.ml_training_config.cv_folds, market.span)?;
    let splits = labels.iter().map(|label| partition.splits(table, label)).collect();
    Ok((partition, splits))
}

/// The rule extractor with its parameters, or why there is none.
fn extractor<'a>(inputs: &'a Inputs<'_>, opened: &'a Opened<'_>) -> rules::Extractor<'a> {
    let chosen = inputs.selection.extractor.as_ref().map_err(String::clone)?;
    let miner = opened.miner.as_deref().ok_or("no rule extractor is at work")?;
    Ok((miner, &chosen.params))
}

/// The lead and the others, those that are not installed included.
fn families<'a>(
    inputs: &'a Inputs<'_>,
    fitters: &'a [Box<dyn Fitter + '_>],
) -> Result<(Family<'a>, Vec<Candidate<'a>>), Failure> {
    let ready = fitters.iter().zip(&inputs.selection.chosen);
    let mut ready = ready.map(|(fitter, chosen)| Family {
        fitter: fitter.as_ref(),
        params: &chosen.params,
        device: chosen.device(inputs.device),
    });
    let lead = ready.next().ok_or_else(|| {
        Failure::refused(
            Phase::Queued,
            "no_families",
            "the job asks for no family that is installed",
            "install a plugin",
        )
    })?;
    let skipped = inputs.selection.skipped.iter();
    let skipped = skipped.map(|skipped| Candidate::Unavailable { name: &skipped.name, reason: &skipped.reason });
    Ok((lead, ready.map(Candidate::Ready).chain(skipped).collect()))
}

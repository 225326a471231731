//! Fits one model: takes a subset of the binned table, runs the rounds, stops early, and keeps the
//! rounds up to the best round.

use oculus_plugin_api::prelude::*;

use crate::binning::Binned;
use crate::engine::{Dataset, Round, Trainer};
use crate::model::Trees;
use crate::params;

/// Number of rounds between two progress messages to the host.
const ROUNDS_PER_MESSAGE: usize = 16;

/// A fit that samples rows or features stops after this number of consecutive rounds without a
/// split. If a quarter of the samples allowed a split, 32 failures in a row would have a
/// probability of 1 in 10,000.
const MAX_ROUNDS_WITHOUT_SPLIT: usize = 32;

/// Smallest number of rounds that early stopping keeps. A single tree has few distinct scores, so a
/// threshold on them flags far too many or too few rows; 25 rounds forecast as well as fewer.
const MIN_ROUNDS: usize = 25;

/// Fits one model.
///
/// * `base_score`: log-odds per row of the table, from which boosting starts. Without them, it
///   starts from the log-odds of the base rate.
///
/// # Errors
/// * [`code::DATA`](oculus_plugin_api::code::DATA) if all training rows have the same label, or a
///   row has a missing value.
/// * [`code::CANCELLED`](oculus_plugin_api::code::CANCELLED) if the host cancelled the fit.
/// * [`code::ENGINE`](oculus_plugin_api::code::ENGINE) if LightGBM fails.
pub(crate) fn fit(
    binned: &Binned<'_>,
    task: &Task<'_>,
    base_score: Option<&[f32]>,
    params: &Params,
    ctx: &Ctx<'_, '_>,
) -> Result<Trees> {
    task.needs_both_classes()?;
    binned.reject_missing_values("train_rows", task.train_rows)?;
    binned.reject_missing_values("tune_rows", task.tune_rows)?;
    ctx.check()?;

    let settings = params::training(task, params)?;
    let subset = |rows: &[u32]| {
        let mut subset = binned.labelled_subset(rows, task.label, &settings)?;
        if let Some(base_score) = base_score {
            let base_score: Vec<_> = rows.iter().map(|&row| f64::from(base_score[row as usize])).collect();
            subset.start_from(&base_score)?;
        }
        Ok::<_, PluginError>(subset)
    };
    let train = subset(task.train_rows)?;
    let tune = if task.tune_rows.is_empty() { None } else { Some(subset(task.tune_rows)?) };

    let trainer = Trainer::new(&train, tune.as_ref(), &settings)?;
    let text = boost(trainer, tune.as_ref(), params, ctx)?;
    Trees::from_fit(&text, binned)
}

/// Runs the rounds and returns the selected ones as LightGBM's model text.
fn boost(mut trainer: Trainer<'_>, tune: Option<&Dataset>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<String> {
    let n_rounds = params.count(params::ROUNDS)?;
    let mut stopping = EarlyStopping::new(params.count(params::PATIENCE)?);
    // Without sampling, a round that finds no split leaves the model unchanged, so the next round
    // would also find no split.
    let max_without_split = if params::is_sampling(params)? { MAX_ROUNDS_WITHOUT_SPLIT } else { 1 };
    let mut n_without_split = 0;
    // Without rows for early stopping, all rounds are kept. If the model has fewer trees than
    // `n_kept`, LightGBM writes all trees.
    let mut n_kept = n_rounds;
    // The loop counts trees, not rounds, because only the first round adds a tree if it finds no
    // split.
    while n_without_split < max_without_split && trainer.n_trees()? < n_rounds {
        ctx.check()?;
        if trainer.round()? == Round::NoSplit {
            n_without_split += 1;
            continue;
        }
        n_without_split = 0;
        let round = trainer.n_trees()?;
        if round % ROUNDS_PER_MESSAGE == 0 {
            ctx.progress(round as f64 / n_rounds as f64, &format!("round {round} of {n_rounds}"));
        }
        if tune.is_some() {
            let loss = trainer.tune_loss()?;
            if round % ROUNDS_PER_MESSAGE == 0 {
                ctx.metric("tune_logloss", round as u64, loss);
            }
            // A round is identified by the number of trees after it, because the model text is cut
            // after a number of trees.
            let decision = stopping.observe(round, loss);
            n_kept = stopping.best_round().unwrap_or(0).max(MIN_ROUNDS);
            if decision == StopDecision::Stop && round >= MIN_ROUNDS {
                break;
            }
        }
    }
    // A model text needs at least one tree, even if that is a single leaf.
    trainer.text(n_kept.max(1))
}

//! One fit: bins of the training rows, round by round, stopped early, the best rounds kept.

use oculus_plugin_api::prelude::*;

use crate::binning::Binned;
use crate::engine::{Dataset, Round, Trainer};
use crate::model::Trees;
use crate::params;

/// Rounds between two messages to the host.
const ROUNDS_A_MESSAGE: usize = 16;

/// Rounds in a row without a split that end a fit whose rounds draw rows or features: where a quarter of the draws would
/// find one, 32 misses in a row are a matter of one in ten thousand.
const FRUITLESS_ROUNDS: usize = 32;

/// Fits one model.
///
/// # Errors
/// Training rows of one class, rows with holes, a cancel, or what LightGBM says.
pub(crate) fn fit(binned: &Binned, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Trees> {
    task.needs_both_classes()?;
    binned.refuse_holes("train_rows", task.train_rows)?;
    binned.refuse_holes("tune_rows", task.tune_rows)?;
    ctx.check()?;

    let settings = params::training(task, params)?;
    let subset = |rows| binned.rows.labelled_subset(rows, task.label, &settings);
    let train = subset(task.train_rows)?;
    let tune = if task.tune_rows.is_empty() { None } else { Some(subset(task.tune_rows)?) };

    let trainer = Trainer::new(&train, tune.as_ref(), &settings)?;
    let text = boost(trainer, tune.as_ref(), params, ctx)?;
    Trees::from_fit(&text, binned)
}

/// Runs the rounds; returns those kept, as LightGBM's text.
fn boost(mut trainer: Trainer<'_>, tune: Option<&Dataset>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<String> {
    let n_rounds = params.count(params::ROUNDS)?;
    let mut stopping = EarlyStopping::new(params.count(params::PATIENCE)?);
    // A round that draws nothing and finds nothing leaves all as it was, so the next would find nothing either.
    let may_miss = if params::draws(params)? { FRUITLESS_ROUNDS } else { 1 };
    let mut n_missed = 0;
    let mut kept = n_rounds;
    while n_missed < may_miss && trainer.n_trees()? < n_rounds {
        ctx.check()?;
        if trainer.round()? == Round::NoSplit {
            n_missed += 1;
            continue;
        }
        n_missed = 0;
        let round = trainer.n_trees()?;
        if round % ROUNDS_A_MESSAGE == 0 {
            ctx.progress(round as f64 / n_rounds as f64, &format!("round {round} of {n_rounds}"));
        }
        if tune.is_some() {
            let loss = trainer.tune_loss()?;
            if round % ROUNDS_A_MESSAGE == 0 {
                ctx.metric("tune_logloss", round as u64, loss);
            }
            let decision = stopping.observe(round, loss);
            kept = stopping.best_round().unwrap_or(0);
            if decision == StopDecision::Stop {
                break;
            }
        }
    }
    // A text has at least one tree, if only one of a single leaf.
    trainer.text(kept.max(1))
}

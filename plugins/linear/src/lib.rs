//! Ridge logistic regression on clipped deviations, as a plugin: the baseline that every other
//! family has to beat.
//!
//! `params` declares the parameters, `design` standardises and clips the features of the training
//! rows, `newton` fits the weights, `cholesky` solves its equations, and `model` predicts and is
//! saved.
//!
//! Invariant: means and deviations depend only on the rows that a fit may use, and weights only on
//! the training rows, their labels and base scores, and the parameters. No random number is used.

mod cholesky;
mod design;
mod model;
mod newton;
mod params;

use oculus_plugin_api::prelude::*;

pub use crate::model::Linear;
use crate::newton::Problem;

/// The family of ridge logistic regressions.
pub struct Ridge;

/// A table with the moments of its features.
pub struct Measured<'a> {
    table: Table<'a>,
    inputs: Vec<Input>,
    missing: MissingValues,
}

impl PreparedFamily for Ridge {
    type Prepared<'a> = Measured<'a>;
    type Model = Linear;

    fn manifest() -> Manifest {
        params::manifest()
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], _: &Setting, ctx: &Ctx<'_, '_>) -> Result<Measured<'a>> {
        ctx.check()?;
        let missing = MissingValues::find(&table, &table.require_model_features()?);
        missing.reject("learn_rows", learn_rows)?;
        Ok(Measured { table, inputs: Input::standardised(&table, learn_rows)?, missing })
    }

    fn fit(measured: &Measured<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Linear> {
        fit(measured, task, None, params, ctx)
    }

    fn fit_from(
        measured: &Measured<'_>,
        task: &Task<'_>,
        base_score: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Linear> {
        fit(measured, task, Some(base_score), params, ctx)
    }
}

/// Fits one model on the training rows. Rows for early stopping are not used.
fn fit(
    measured: &Measured<'_>,
    task: &Task<'_>,
    base_score: Option<&[f32]>,
    params: &Params,
    ctx: &Ctx<'_, '_>,
) -> Result<Linear> {
    task.needs_both_classes()?;
    let rows = task.train_rows;
    measured.missing.reject("train_rows", rows)?;
    let clip = params.float(params::CLIP)?;
    let problem = Problem {
        columns: design::columns(&measured.table, &measured.inputs, rows, clip)?,
        label: task.train_labels().map(f64::from).collect(),
        offset: rows.iter().map(|&row| base_score.map_or(0.0, |score| f64::from(score[row as usize]))).collect(),
        l2: params.float(params::L2)?,
    };
    let weights = newton::fit(&problem, ctx)?;
    let table = &measured.table;
    let columns = (0..table.n_features()).map(|idx| table.name(idx).to_owned()).collect();
    Ok(Linear::new(clip, &measured.inputs, &weights, columns))
}

oculus_plugin_api::export_family!(Ridge);

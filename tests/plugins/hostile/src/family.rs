//! The family of the library. It behaves correctly except for the act that the field `act` names.

use std::time::Duration;

use oculus_plugin_api::prelude::*;

use crate::{acts, fields};

/// The hostile family.
pub(crate) struct Hostile;

impl Family for Hostile {
    type Model = Shifted;

    fn manifest() -> Manifest {
        acts::perform(acts::DESCRIBING);
        // The number is parsed because a version does not allow leading zeros.
        let build = fields::build().parse().unwrap_or(0_u32);
        let manifest = Manifest::new(&fields::id(), &format!("1.0.{build}"))
            .prefixed("hostile_")
            .leads_search()
            .param(Param::float("weight", 1.0).range(0.0, 10.0).search(0.5, 2.0).help("weight of the feature"))
            .param(Param::int("pause_ms", 0).range(0, 60_000).help("pause of a fit, in milliseconds"));
        match fields::act().as_str() {
            "odd-manifest" => manifest.param(Param::int("years", 5).range(9, 1)).rounds_param("epochs"),
            _ => manifest,
        }
    }

    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Shifted> {
        acts::perform(acts::FITTING);
        if table.n_rows() > MAX_PROBE_ROWS {
            acts::perform(acts::WORKING);
        }
        pause(params.count("pause_ms")?, ctx)?;
        let column = table.model_features().first().map(|&idx| table.name(idx).to_owned());
        let column = column.ok_or_else(|| PluginError::data("found no model feature, expected at least one"))?;
        let base_rate = task.n_positives() as f32 / task.train_rows.len() as f32;
        Ok(Shifted { column, base_rate, weight: params.float("weight")? as f32 })
    }
}

/// Maximum number of rows in the table of a probe; a larger table belongs to a job.
const MAX_PROBE_ROWS: usize = 500;

/// Waits, in steps that check for cancellation.
fn pause(pause_ms: usize, ctx: &Ctx<'_, '_>) -> Result<()> {
    for _ in 0..pause_ms / 10 {
        ctx.check()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    ctx.check()
}

/// The fitted model: the sum of a base rate and a weighted feature.
pub(crate) struct Shifted {
    column: String,
    base_rate: f32,
    weight: f32,
}

impl Model for Shifted {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        let idx = table.position(&self.column);
        let idx = idx.ok_or_else(|| PluginError::data(format!("the table lacks {}", self.column)))?;
        let column = table.column(idx);
        rows.iter().zip(out).for_each(|(&row, out)| *out = self.base_rate + self.weight * column[row as usize]);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(format!("{} {} {}", self.column, self.base_rate, self.weight).into_bytes())
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let model = read(text)
            .ok_or_else(|| PluginError::model("invalid model: expected a feature, a base rate and a weight"))?;
        Ok(if fields::act() == "load-other-model" { Self { weight: model.weight + 1.0, ..model } } else { model })
    }
}

/// Parses a saved model.
fn read(text: &str) -> Option<Shifted> {
    let fields: Vec<_> = text.split(' ').collect();
    let [column, base_rate, weight] = fields[..] else { return None };
    Some(Shifted { column: column.to_owned(), base_rate: base_rate.parse().ok()?, weight: weight.parse().ok()? })
}

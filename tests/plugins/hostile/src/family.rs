//! The family of the library: well-behaved except for the act that the field `act` names.

use std::time::Duration;

use oculus_plugin_api::prelude::*;

use crate::{acts, fields};

/// The family.
pub(crate) struct Hostile;

impl Family for Hostile {
    type Model = Shifted;

    fn manifest() -> Manifest {
        acts::perform(acts::DESCRIBING);
        // Zeros in front of a number are no part of a version.
        let build = fields::build().parse().unwrap_or(0_u32);
        let manifest = Manifest::new(&fields::id(), &format!("1.0.{build}"))
            .prefixed("hostile_")
            .leads_search()
            .param(Param::float("weight", 1.0).range(0.0, 10.0).search(0.5, 2.0).help("weight of the feature"))
            .param(Param::int("pause_ms", 0).range(0, 60_000).help("how long a fit rests"));
        match fields::act().as_str() {
            "odd-manifest" => manifest.param(Param::int("years", 5).range(9, 1)).rounds_param("epochs"),
            _ => manifest,
        }
    }

    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Shifted> {
        acts::perform(acts::FITTING);
        if table.n_rows() > MOST_PROBED_ROWS {
            acts::perform(acts::WORKING);
        }
        rest(params.count("pause_ms")?, ctx)?;
        let column = table.model_features().first().map(|&idx| table.name(idx).to_owned());
        let column = column.ok_or_else(|| PluginError::data("no feature is for models; needs one"))?;
        let base_rate = task.n_positives() as f32 / task.train_rows.len() as f32;
        Ok(Shifted { column, base_rate, weight: params.float("weight")? as f32 })
    }
}

/// A table of more rows is a job's, not a probe's.
const MOST_PROBED_ROWS: usize = 500;

fn rest(pause_ms: usize, ctx: &Ctx<'_, '_>) -> Result<()> {
    for _ in 0..pause_ms / 10 {
        ctx.check()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    ctx.check()
}

/// A base rate and a weighted feature.
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
        let model = read(text).ok_or_else(|| PluginError::model("needed a feature, a base rate and a weight"))?;
        Ok(if fields::act() == "load-otherwise" { Self { weight: model.weight + 1.0, ..model } } else { model })
    }
}

fn read(text: &str) -> Option<Shifted> {
    let fields: Vec<_> = text.split(' ').collect();
    let [column, base_rate, weight] = fields[..] else { return None };
    Some(Shifted { column: column.to_owned(), base_rate: base_rate.parse().ok()?, weight: weight.parse().ok()? })
}

//! The fitted model, and the JSON in which it is saved.

use oculus_plugin_api::prelude::*;
use serde::{Deserialize, Serialize};

use crate::design::clipped;

const FAMILY: &str = "linear";
/// Version of the JSON. A reader rejects another one.
const FORMAT: u32 = 1;

/// A fitted ridge logistic regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    family: String,
    format: u32,
    intercept: f64,
    /// Number of deviations at which inputs are clipped.
    clip: f64,
    features: Vec<Feature>,
    /// Names of all columns of the table on which the model was fitted.
    columns: Vec<String>,
}

/// A feature with its weight, which applies to the standardised and clipped value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Feature {
    #[serde(flatten)]
    input: Input,
    weight: f64,
}

impl Linear {
    /// Creates a model.
    ///
    /// * `weights`: one weight per input, and the intercept in the last place.
    pub(crate) fn new(clip: f64, inputs: &[Input], weights: &[f64], columns: Vec<String>) -> Self {
        let weighted = inputs.iter().cloned().zip(weights);
        Self {
            family: FAMILY.to_owned(),
            format: FORMAT,
            intercept: weights.last().copied().unwrap_or_default(),
            clip,
            features: weighted.map(|(input, &weight)| Feature { input, weight }).collect(),
            columns,
        }
    }

    /// Writes the probability of class 1 of each row: of its log-odds in the model plus its base
    /// score. A row with a missing value has the score NaN.
    fn score(&self, table: &Table<'_>, rows: &[u32], base_score: Option<&[f32]>, out: &mut [f32]) -> Result<()> {
        table.positions(self.features.iter().map(|feature| &feature.input.name))?;
        let base = |row: u32| base_score.map_or(0.0, |score| f64::from(score[row as usize]));
        let mut log_odds: Vec<f64> = rows.iter().map(|&row| self.intercept + base(row)).collect();
        for Feature { input, weight } in &self.features {
            let values = clipped(input, table, rows, self.clip)?;
            log_odds.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
        }
        out.iter_mut().zip(log_odds).for_each(|(out, m)| *out = (1.0 / (1.0 + (-m).exp())) as f32);
        Ok(())
    }
}

impl Model for Linear {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        self.score(table, rows, None, out)
    }

    fn predict_from(
        &self,
        table: &Table<'_>,
        rows: &[u32],
        base_score: &[f32],
        out: &mut [f32],
        _: &Ctx<'_, '_>,
    ) -> Result<()> {
        self.score(table, rows, Some(base_score), out)
    }

    fn save(&self) -> Result<Vec<u8>> {
        json::save(self)
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        let model: Self = json::load(bytes)?;
        let Self { family, format, clip, .. } = &model;
        if family != FAMILY || *format != FORMAT {
            return Err(PluginError::model(format!(
                "found family {family:?} in format {format}, expected {FAMILY:?} in format {FORMAT}"
            )));
        }
        let is_invalid = |deviation: f64| deviation.is_nan() || deviation < 0.0;
        let has_invalid = model.features.iter().any(|feature| is_invalid(feature.input.deviation));
        if model.features.is_empty() || clip.is_nan() || *clip <= 0.0 || has_invalid {
            let n_features = model.features.len();
            return Err(PluginError::model(format!(
                "found {n_features} features and clip {clip}, expected at least one feature, no negative deviation and \
                 a clip above 0"
            )));
        }
        Ok(model)
    }

    /// Computes the share of each column in the sum of the absolute weights. A column for rules has
    /// a share of 0.
    fn importance(&self) -> Result<Vec<f64>> {
        let total: f64 = self.features.iter().map(|feature| feature.weight.abs()).sum();
        let share = |name: &String| {
            let feature = self.features.iter().find(|feature| feature.input.name == *name);
            feature.filter(|_| total > 0.0).map_or(0.0, |feature| feature.weight.abs() / total)
        };
        Ok(self.columns.iter().map(share).collect())
    }
}

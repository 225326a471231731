//! The fitted model. Its one form is LightGBM's text: what predicts is read from it, what is saved is it.

use oculus_plugin_api::prelude::*;

use crate::binning::Binned;
use crate::engine::Booster;
use crate::matrix::{CHUNK_ROWS, Matrix};
use crate::{params, text};

/// Boosted trees.
pub struct Trees {
    text: String,
    booster: Booster,
    /// Names of the features, in the order of the trees.
    features: Vec<String>,
    /// Names of all columns of the table that it was fitted on.
    columns: Vec<String>,
}

impl Trees {
    /// A model straight from its fit.
    ///
    /// # Errors
    /// None for a text of LightGBM's own.
    pub(crate) fn from_fit(text: &str, binned: &Binned) -> Result<Self> {
        Self::read(text::with_columns(text, &binned.columns))
    }

    /// A model from its text.
    fn read(text: String) -> Result<Self> {
        let outline = text::Outline::read(&text)?;
        let booster = Booster::from_text(&text)?;
        let n_features = booster.n_features();
        if n_features != outline.features.len() {
            let n_names = outline.features.len();
            return Err(PluginError::model(format!("{n_names} feature names for {n_features} features")));
        }
        Ok(Self { text, booster, features: outline.features, columns: outline.columns })
    }

    fn predict_rows(&self, matrix: &Matrix, settings: &str, out: &mut [f32]) -> Result<()> {
        let scores = self.booster.predict(matrix, settings)?;
        let rows = matrix.values().chunks(matrix.n_columns());
        for ((score, values), out) in scores.into_iter().zip(rows).zip(out) {
            *out = if values.iter().all(|value| value.is_finite()) { score as f32 } else { f32::NAN };
        }
        Ok(())
    }
}

impl Model for Trees {
    /// Probabilities of class 1, NaN for rows with a feature that has no finite value: LightGBM would take such a value
    /// for 0, since none was there to learn from.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        let columns = table.positions(&self.features)?;
        rows.chunks(CHUNK_ROWS).zip(out.chunks_mut(CHUNK_ROWS)).try_for_each(|(rows, out)| {
            self.predict_rows(&Matrix::gather(table, &columns, rows), params::PREDICTING, out)
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(self.text.clone().into_bytes())
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| PluginError::model("no text of LightGBM: not UTF-8"))?;
        Self::read(text.to_owned())
    }

    /// Each column's share of the total gain; columns for rules have none.
    fn importance(&self) -> Result<Vec<f64>> {
        let gain = self.booster.gain()?;
        let total: f64 = gain.iter().sum();
        let share = |gain: f64| if total > 0.0 { gain / total } else { 0.0 };
        let of_column =
            |column| self.features.iter().position(|name| name == column).map_or(0.0, |idx| share(gain[idx]));
        Ok(self.columns.iter().map(of_column).collect())
    }

    fn summary(&self) -> Summary {
        Summary { rounds: Some(self.booster.n_rounds()), device: None }
    }
}

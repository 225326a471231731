//! The fitted model. The model is defined by LightGBM's model text: the booster is parsed from this
//! text, and the text is what is saved.

use oculus_plugin_api::prelude::*;

use crate::binning::Binned;
use crate::engine::Booster;
use crate::matrix::{CHUNK_ROWS, Matrix};
use crate::{params, text};

/// Fitted boosted trees.
pub struct Trees {
    /// The model text, including the line with the column names.
    text: String,
    booster: Booster,
    /// Names of the features, in the order in which the trees number them.
    features: Vec<String>,
    /// Names of all columns of the table on which the model was fitted.
    columns: Vec<String>,
}

impl Trees {
    /// Creates a model from the text of a finished fit.
    ///
    /// # Errors
    /// Returns [`code::MODEL`](oculus_plugin_api::code::MODEL) if the text is invalid. LightGBM
    /// writes no such text.
    pub(crate) fn from_fit(text: &str, binned: &Binned<'_>) -> Result<Self> {
        // A loaded model is parsed from its text. A new model is parsed from its text as well, so
        // that it predicts the same bits before and after it is saved.
        Self::read(text::with_columns(text, &binned.columns))
    }

    /// Parses a model from its text.
    fn read(text: String) -> Result<Self> {
        let header = text::TextHeader::read(&text)?;
        let booster = Booster::from_text(&text)?;
        let n_features = booster.n_features();
        if n_features != header.features.len() {
            let n_names = header.features.len();
            return Err(PluginError::model(format!("found {n_names} feature names, expected {n_features}")));
        }
        Ok(Self { text, booster, features: header.features, columns: header.columns })
    }

    /// Computes scores in chunks of rows.
    ///
    /// * `score`: computes the scores of a matrix. It also receives the rows of the matrix.
    fn predict_chunks(
        &self,
        table: &Table<'_>,
        rows: &[u32],
        out: &mut [f32],
        score: impl Fn(&Matrix, &[u32]) -> Result<Vec<f64>>,
    ) -> Result<()> {
        let columns = table.positions(&self.features)?;
        for (rows, out) in rows.chunks(CHUNK_ROWS).zip(out.chunks_mut(CHUNK_ROWS)) {
            let matrix = Matrix::gather(table, &columns, rows);
            let scores = score(&matrix, rows)?;
            let values = matrix.values().chunks(matrix.n_columns());
            for ((score, values), out) in scores.into_iter().zip(values).zip(out) {
                *out = if values.iter().all(|value| value.is_finite()) { score as f32 } else { f32::NAN };
            }
        }
        Ok(())
    }
}

impl Model for Trees {
    /// Computes probabilities of class 1. A row with a non-finite feature receives the score NaN.
    /// LightGBM would treat the value as 0, because the training rows have no missing values.
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        self.predict_chunks(table, rows, out, |matrix, _| self.booster.predict(matrix, params::PREDICTING))
    }

    fn predict_with(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32], ctx: &Ctx<'_, '_>) -> Result<()> {
        self.predict_chunks(table, rows, out, |matrix, _| {
            ctx.check()?;
            self.booster.predict(matrix, params::PREDICTING)
        })
    }

    /// Computes probabilities of class 1: the log-odds of a row are its base score plus the sum of
    /// the trees.
    fn predict_from(
        &self,
        table: &Table<'_>,
        rows: &[u32],
        base_score: &[f32],
        out: &mut [f32],
        ctx: &Ctx<'_, '_>,
    ) -> Result<()> {
        self.predict_chunks(table, rows, out, |matrix, rows| {
            ctx.check()?;
            let mut scores = self.booster.log_odds(matrix, params::PREDICTING)?;
            for (score, &row) in scores.iter_mut().zip(rows) {
                *score = 1.0 / (1.0 + (-*score - f64::from(base_score[row as usize])).exp());
            }
            Ok(scores)
        })
    }

    fn save(&self) -> Result<Vec<u8>> {
        Ok(self.text.clone().into_bytes())
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| PluginError::model("the bytes are not a LightGBM model text, because they are not UTF-8"))?;
        Self::read(text.to_owned())
    }

    /// Computes the share of each column in the total gain of all splits. A column for rules has a
    /// share of 0.
    fn importance(&self) -> Result<Vec<f64>> {
        let gain = self.booster.gain()?;
        let total: f64 = gain.iter().sum();
        let share = |gain: f64| if total > 0.0 { gain / total } else { 0.0 };
        let column_share =
            |column| self.features.iter().position(|name| name == column).map_or(0.0, |idx| share(gain[idx]));
        Ok(self.columns.iter().map(column_share).collect())
    }

    fn summary(&self) -> Summary {
        Summary { rounds: Some(self.booster.n_rounds()), device: None }
    }
}

//! Makes a table ready: each feature in deviations from its mean over the rows to learn from, clipped, row by row.

use oculus_plugin_api::prelude::*;

/// Deviations from the mean beyond which a value counts as this many.
pub const CLIP: f64 = 5.0;

/// What one feature is measured in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Mean over the rows to learn from.
    pub mean: f64,
    /// Population deviation over them; 0 for a feature that never moved there, which then says nothing anywhere.
    pub deviation: f64,
}

impl Scale {
    /// The scale of one feature. `learn_rows` hold finite values.
    fn of(column: &[f32], learn_rows: &[u32]) -> Self {
        let values = || learn_rows.iter().map(|&row| f64::from(column[row as usize]));
        let mean = values().sum::<f64>() / learn_rows.len() as f64;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / learn_rows.len() as f64;
        let moves = values().any(|value| Some(value) != values().next());
        Self { mean, deviation: if moves { variance.sqrt() } else { 0.0 } }
    }

    /// One value in this scale; NaN where it is not finite.
    pub fn apply(&self, value: f32) -> f32 {
        match () {
            () if !value.is_finite() => f32::NAN,
            () if self.deviation == 0.0 => 0.0,
            () => ((f64::from(value) - self.mean) / self.deviation).clamp(-CLIP, CLIP) as f32,
        }
    }
}

/// A table in the scale of the rows to learn from.
pub struct Scaled {
    /// Names of the features, in the order of the values.
    pub(crate) features: Vec<String>,
    /// One a feature.
    pub(crate) scales: Vec<Scale>,
    /// All rows, model features only, row by row.
    values: Vec<f32>,
}

impl Scaled {
    /// Scales a table.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA) for a table without model features, no rows to learn from, or one
    /// with a value that is not finite.
    pub(crate) fn new(table: &Table<'_>, learn_rows: &[u32]) -> Result<Self> {
        let columns = table.model_features();
        if columns.is_empty() {
            let n_features = table.n_features();
            return Err(PluginError::data(format!("none of the {n_features} features is for models; needs one")));
        }
        if learn_rows.is_empty() {
            return Err(PluginError::data("learn_rows is empty; needs a row to take means from"));
        }
        let features: Vec<_> = columns.iter().map(|&idx| table.name(idx).to_owned()).collect();
        let is_hole = |row: usize, place: usize| !table.column(columns[place])[row].is_finite();
        refuse_holes("learn_rows", learn_rows, &features, is_hole)?;
        let scales: Vec<_> = columns.iter().map(|&idx| Scale::of(table.column(idx), learn_rows)).collect();
        let all_rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        let values = gather(table, &columns, &scales, &all_rows);
        Ok(Self { features, scales, values })
    }

    /// The features of `rows`, row by row.
    pub(crate) fn rows(&self, rows: &[u32]) -> Vec<f32> {
        let n_features = self.features.len();
        rows.iter().flat_map(|&row| &self.values[row as usize * n_features..][..n_features]).copied().collect()
    }

    /// Refuses rows that have a value which is not finite.
    ///
    /// # Errors
    /// [`code::DATA`](oculus_plugin_api::code::DATA), naming list, row and feature.
    pub(crate) fn refuse_holes(&self, what: &str, rows: &[u32]) -> Result<()> {
        let n_features = self.features.len();
        refuse_holes(what, rows, &self.features, |row, place| self.values[row * n_features + place].is_nan())
    }
}

fn refuse_holes(what: &str, rows: &[u32], features: &[String], is_hole: impl Fn(usize, usize) -> bool) -> Result<()> {
    let hole = |&row: &u32| Some((row, (0..features.len()).find(|&place| is_hole(row as usize, place))?));
    match rows.iter().find_map(hole) {
        None => Ok(()),
        Some((row, place)) => Err(PluginError::data(format!(
            "{what} holds row {row}, where {} has no finite value; leave the row or the feature out",
            features[place]
        ))),
    }
}

/// `columns` of `rows` in their scales, row by row; NaN where a value is not finite.
pub fn gather(table: &Table<'_>, columns: &[usize], scales: &[Scale], rows: &[u32]) -> Vec<f32> {
    let mut values = vec![0.0; rows.len() * columns.len()];
    for (place, (&column_idx, scale)) in columns.iter().zip(scales).enumerate() {
        let column = table.column(column_idx);
        for (&row, out) in rows.iter().zip(values.iter_mut().skip(place).step_by(columns.len())) {
            *out = scale.apply(column[row as usize]);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_deviations_from_the_mean_within_the_clip() {
        let column = [1.0, 3.0, 1.0, 3.0, 1e9, f32::NAN];
        let scale = Scale::of(&column, &[0, 1, 2, 3]);
        assert_eq!(scale, Scale { mean: 2.0, deviation: 1.0 });
        assert_eq!([1.0, 2.5, 1e9, -1e9].map(|value| scale.apply(value)), [-1.0, 0.5, 5.0, -5.0]);
        assert!(scale.apply(f32::NAN).is_nan() && scale.apply(f32::INFINITY).is_nan());
    }

    #[test]
    fn a_feature_that_never_moved_says_nothing_even_where_it_moves_later() {
        // The mean of equal values is not always one of them: 0.1 summed 700 times is not 700 times 0.1.
        let mut column = vec![0.1f32; 701];
        column[700] = 7.0;
        let learn_rows: Vec<u32> = (0..700).collect();
        let scale = Scale::of(&column, &learn_rows);
        assert_eq!([0.1, 7.0].map(|value| scale.apply(value)), [0.0, 0.0]);
    }
}

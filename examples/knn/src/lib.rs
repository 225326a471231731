//! Nearest neighbours: a model family whose predictions take long, as a third party writes it.
use oculus_plugin_api::prelude::*;

/// The family, which is also its model type: the number of neighbours, the standardised features,
/// and the values and the label of each training row.
pub struct Knn(usize, Vec<Input>, Vec<(Vec<f64>, f32)>);

/// Returns the standardised values of each row. A row with a missing value contains NaN.
fn points(inputs: &[Input], table: &Table<'_>, rows: &[u32]) -> Result<Vec<Vec<f64>>> {
    let mut points = vec![Vec::with_capacity(inputs.len()); rows.len()];
    for input in inputs {
        points.iter_mut().zip(input.values(table, rows)?).for_each(|(point, value)| point.push(value));
    }
    Ok(points)
}

impl Knn {
    /// Returns the share of class 1 among the nearest training rows.
    fn score(&self, point: &[f64]) -> f32 {
        if point.iter().any(|value| value.is_nan()) {
            return f32::NAN;
        }
        let distance = |other: &[f64]| point.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let mut distances: Vec<(f64, usize)> =
            self.2.iter().enumerate().map(|(idx, (other, _))| (distance(other), idx)).collect();
        let n_nearest = self.0.min(distances.len());
        // Of equally distant rows the earlier one is nearer, so that every fit returns the same scores.
        distances.select_nth_unstable_by(n_nearest - 1, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let n_positives = distances[..n_nearest].iter().filter(|(_, idx)| self.2[*idx].1 == 1.0).count();
        n_positives as f32 / n_nearest as f32
    }

    fn predict_rows(
        &self,
        table: &Table<'_>,
        rows: &[u32],
        out: &mut [f32],
        check: impl Fn() -> Result<()>,
    ) -> Result<()> {
        for (out, point) in out.iter_mut().zip(points(&self.1, table, rows)?) {
            check()?;
            *out = self.score(&point);
        }
        Ok(())
    }
}

impl Family for Knn {
    type Model = Self;
    fn manifest() -> Manifest {
        let neighbours = Param::int("neighbours", 50).range(1, 10_000).search_log(10, 200).help("neighbours that vote");
        Manifest::new("knn", "1.0.0").prefixed("knn_").leads_search().concurrent_fits().param(neighbours)
    }
    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Self> {
        task.needs_both_classes()?;
        ctx.check()?;
        let inputs = Input::standardised(table, task.train_rows)?;
        let points = points(&inputs, table, task.train_rows)?;
        Ok(Self(params.count("neighbours")?, inputs, points.into_iter().zip(task.train_labels()).collect()))
    }
}

impl Model for Knn {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        self.predict_rows(table, rows, out, || Ok(()))
    }
    fn predict_with(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32], ctx: &Ctx<'_, '_>) -> Result<()> {
        self.predict_rows(table, rows, out, || ctx.check())
    }
    fn save(&self) -> Result<Vec<u8>> {
        json::save(&(self.0, &self.1, &self.2))
    }
    fn load(bytes: &[u8]) -> Result<Self> {
        let (n_neighbours, inputs, rows): (usize, Vec<Input>, Vec<(Vec<f64>, f32)>) = json::load(bytes)?;
        if n_neighbours == 0 || rows.is_empty() || rows.iter().any(|(point, _)| point.len() != inputs.len()) {
            return Err(PluginError::model("found no neighbours, or rows of another length than the features"));
        }
        Ok(Self(n_neighbours, inputs, rows))
    }
}
oculus_plugin_api::export_family!(Knn);

//! Logistic regression with an L2 penalty: a complete model family, as a third party writes it.
use oculus_plugin_api::prelude::*;

/// The family, which is also its model type: the intercept, and each standardised feature with its
/// weight.
pub struct Logistic(f64, Vec<(Input, f64)>);

impl Family for Logistic {
    type Model = Self;
    fn manifest() -> Manifest {
        let l2 = Param::float("l2", 10.0).range(0.0, 1e6).search_log(0.1, 1e4).help("strength of the L2 penalty");
        Manifest::new("logistic", "1.0.0").prefixed("logistic_").leads_search().concurrent_fits().param(l2)
    }
    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Self> {
        task.needs_both_classes()?;
        let rows = task.train_rows;
        let l2 = params.float("l2")?;
        let mut scores = vec![0.0; rows.len()];
        let mut model = Self(0.0, Input::standardised(table, rows)?.into_iter().map(|input| (input, 0.0)).collect());
        let rate = 1.0 / (0.25 * (rows.len() * (1 + model.1.len())) as f64 + l2); // 1 / upper bound of the curvature.
        for _ in 0..200 {
            ctx.check()?;
            model.predict(table, rows, &mut scores)?;
            let errors: Vec<_> = task.train_labels().zip(&scores).map(|(label, p)| f64::from(label - p)).collect();
            for (input, w) in &mut model.1 {
                *w += rate * input.values(table, rows)?.zip(&errors).fold(-l2 * *w, |sum, (x, e)| sum + x * e);
            }
            model.0 += rate * errors.iter().sum::<f64>();
        }
        Ok(model)
    }
}

impl Model for Logistic {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        let mut margins = vec![self.0; rows.len()];
        for (input, weight) in &self.1 {
            margins.iter_mut().zip(input.values(table, rows)?).for_each(|(sum, value)| *sum += weight * value);
        }
        out.iter_mut().zip(margins).for_each(|(out, margin)| *out = (1.0 / (1.0 + (-margin).exp())) as f32);
        Ok(())
    }
    fn save(&self) -> Result<Vec<u8>> {
        json::save(&(self.0, &self.1))
    }
    fn load(bytes: &[u8]) -> Result<Self> {
        json::load(bytes).map(|(intercept, inputs)| Self(intercept, inputs))
    }
}
oculus_plugin_api::export_family!(Logistic);

//! A small sequence family: a logistic regression on the means of a symbol's last rows.
//!
//! It shows that the plugin API supports families that standardise a table once, read earlier rows,
//! and count epochs.

use oculus_plugin_api::prelude::*;

/// The sequence family.
pub struct WindowMean;

/// A table of standardised columns, with the moments of the training rows.
pub struct Standardised {
    inputs: Vec<Input>,
    columns: Vec<Vec<f64>>,
    symbol: Vec<u32>,
}

/// Returns all rows of each input, in deviations from the mean, clipped at 5.
fn columns<'i>(inputs: impl IntoIterator<Item = &'i Input>, table: &Table<'_>) -> Result<Vec<Vec<f64>>> {
    let all_rows: Vec<u32> = (0..table.n_rows() as u32).collect();
    let column = |input: &Input| Ok(input.values(table, &all_rows)?.map(|value| value.clamp(-5.0, 5.0)).collect());
    inputs.into_iter().map(column).collect()
}

/// Computes the means of the columns over the last `length` rows; `None` if the symbol's history is
/// shorter.
fn window(columns: &[Vec<f64>], symbol: &[u32], row: u32, length: usize) -> Option<Vec<f64>> {
    let end = row as usize + 1;
    let start = end.checked_sub(length).filter(|&start| symbol[start] == symbol[end - 1])?;
    Some(columns.iter().map(|column| column[start..end].iter().sum::<f64>() / length as f64).collect())
}

fn probability(weights: &[f64], bias: f64, inputs: &[f64]) -> f64 {
    let sum: f64 = weights.iter().zip(inputs).map(|(weight, input)| weight * input).sum();
    1.0 / (1.0 + (-sum - bias).exp())
}

impl PreparedFamily for WindowMean {
    type Prepared<'a> = Standardised;
    type Model = Weights;

    fn manifest() -> Manifest {
        Manifest::new("sequence", "1.0.0")
            .named(["WindowMean"])
            .role(Role::Sequence)
            .selected_by("train_sequence")
            .prefixed("seq_")
            .rounds_param("epochs")
            .lookback_param("length")
            .param(Param::int("length", 5).range(1, 500).help("number of rows that a prediction reads"))
            .param(Param::int("epochs", 30).range(1, 1000).help("number of gradient steps"))
            .param(Param::float("learning_rate", 1.0).range(1e-4, 10.0).help("size of a gradient step"))
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], _: &Setting, _: &Ctx<'_, '_>) -> Result<Standardised> {
        let inputs = Input::standardised(&table, learn_rows)?;
        let columns = columns(&inputs, &table)?;
        Ok(Standardised { inputs, columns, symbol: table.symbol().to_vec() })
    }

    fn fit(table: &Standardised, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Weights> {
        task.needs_both_classes()?;
        let length = params.count("length")?;
        let n_epochs = params.count("epochs")?;
        let window = |&row: &u32| Some((window(&table.columns, &table.symbol, row, length)?, task.label[row as usize]));
        let rows: Vec<_> = task.train_rows.iter().filter_map(window).collect();
        if rows.is_empty() {
            return Err(PluginError::data(format!("found no complete window of {length} rows for any training row")));
        }
        let step = params.float("learning_rate")? / rows.len() as f64;
        let mut weights = vec![0.0; table.columns.len()];
        let mut bias = 0.0;
        for epoch in 1..=n_epochs {
            ctx.check()?;
            let mut gradient = vec![0.0; weights.len()];
            let mut bias_gradient = 0.0;
            for (inputs, label) in &rows {
                let error = f64::from(*label) - probability(&weights, bias, inputs);
                gradient.iter_mut().zip(inputs).for_each(|(slope, input)| *slope += error * input);
                bias_gradient += error;
            }
            weights.iter_mut().zip(gradient).for_each(|(weight, slope)| *weight += step * slope);
            bias += step * bias_gradient;
            ctx.progress(epoch as f64 / n_epochs as f64, "gradient steps");
        }
        let inputs = table.inputs.iter().cloned().zip(weights).collect();
        Ok(Weights { inputs, bias, length, n_epochs: n_epochs as u32 })
    }
}

/// The fitted regression.
pub struct Weights {
    inputs: Vec<(Input, f64)>,
    bias: f64,
    length: usize,
    n_epochs: u32,
}

impl Model for Weights {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        let columns = columns(self.inputs.iter().map(|(input, _)| input), table)?;
        let weights: Vec<_> = self.inputs.iter().map(|(_, weight)| *weight).collect();
        for (&row, out) in rows.iter().zip(out) {
            let inputs = window(&columns, table.symbol(), row, self.length);
            *out = inputs.map_or(f32::NAN, |inputs| probability(&weights, self.bias, &inputs) as f32);
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        json::save(&(self.length, self.n_epochs, self.bias, &self.inputs))
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        json::load(bytes).map(|(length, n_epochs, bias, inputs)| Self { inputs, bias, length, n_epochs })
    }

    fn summary(&self) -> Summary {
        Summary { rounds: Some(self.n_epochs), device: None }
    }
}

oculus_plugin_api::export_family!(WindowMean);

//! The base rate of the label in each bin of the table's first column: a small family that goes through every function
//! of plugin API 1.0 and asks every service of its host.

use oculus_plugin_api::prelude::*;

struct BaseRate;

impl PreparedFamily for BaseRate {
    type Prepared<'a> = Sorted<'a>;
    type Model = Rates;

    fn manifest() -> Manifest {
        Manifest::new("base-rate", "1.0.0")
            .named(["BaseRate"])
            .selected_by("train_base_rate")
            .prefixed("base_rate_")
            .param(Param::int("n_bins", 4).range(1, 16).search(2, 8).help("bins of equal size"))
            .param(
                Param::float("shrink", 2.0)
                    .range(0.0, 100.0)
                    .help("rows of the centre's rate that each bin starts with"),
            )
            .param(Param::choice("center", "base", ["base", "half"]).help("the rate that bins are drawn to"))
            .leads_search()
            .concurrent_fits()
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], _: &Setting, ctx: &Ctx<'_, '_>) -> Result<Sorted<'a>> {
        let features = table.model_features();
        let column_idx = *features.first().ok_or_else(|| PluginError::data("a table without features for models"))?;
        let column = table.column(column_idx);
        let mut values: Vec<f32> = learn_rows.iter().map(|&row| column[row as usize]).collect();
        values.sort_by(f32::total_cmp);
        ctx.check()?;
        Ok(Sorted { column, column_idx, n_features: table.n_features(), values })
    }

    fn fit(sorted: &Sorted<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Rates> {
        task.needs_both_classes()?;
        ctx.check()?;
        let n_bins = params.count("n_bins")?;
        let n_values = sorted.values.len();
        let edges: Vec<f32> = (1..n_bins).map(|bin| sorted.values[bin * n_values / n_bins]).collect();
        let base_rate = task.n_positives() as f64 / task.train_rows.len() as f64;
        let center = if params.choice("center")? == "half" { 0.5 } else { base_rate };
        let mut rates = vec![0.0; n_bins];
        for (bin, rate) in rates.iter_mut().enumerate() {
            let in_bin = |row: &&u32| bin_of(&edges, sorted.column[**row as usize]) == bin;
            let labels: Vec<f32> = task.train_rows.iter().filter(in_bin).map(|&row| task.label[row as usize]).collect();
            let (n_positives, shrink) = (labels.iter().filter(|&&label| label == 1.0).count(), params.float("shrink")?);
            let n_rows = labels.len() as f64 + shrink;
            *rate = if n_rows > 0.0 { ((n_positives as f64 + shrink * center) / n_rows) as f32 } else { center as f32 };
            ctx.progress((bin + 1) as f64 / n_bins as f64, "bins");
            ctx.metric("rate", bin as u64 + 1, f64::from(*rate));
        }
        ctx.log(Level::Info, &format!("{n_bins} bins"));
        Ok(Rates { column_idx: sorted.column_idx, n_features: sorted.n_features, edges, rates })
    }

    fn extension(name: &str) -> Option<Extension> {
        (name == "archive.answer/1").then(|| Extension::of(&ANSWER))
    }
}

static ANSWER: u32 = 42;

struct Sorted<'a> {
    column: &'a [f32],
    column_idx: usize,
    n_features: usize,
    /// The column on the rows to learn from, ascending.
    values: Vec<f32>,
}

struct Rates {
    column_idx: usize,
    n_features: usize,
    /// Where each bin but the first begins.
    edges: Vec<f32>,
    rates: Vec<f32>,
}

fn bin_of(edges: &[f32], value: f32) -> usize {
    edges.partition_point(|edge| *edge <= value)
}

impl Model for Rates {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        if table.n_features() != self.n_features {
            let (found, needed) = (table.n_features(), self.n_features);
            return Err(PluginError::data(format!("found {found} features, needed the {needed} it was fitted on")));
        }
        let column = table.column(self.column_idx);
        for (score, &row) in out.iter_mut().zip(rows) {
            *score = self.rates[bin_of(&self.edges, column[row as usize])];
        }
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        let counts = [self.column_idx, self.n_features, self.rates.len()].map(|count| count as f32);
        Ok(counts.iter().chain(&self.edges).chain(&self.rates).flat_map(|number| number.to_le_bytes()).collect())
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        let words = bytes.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        let numbers: Vec<f32> = words.collect();
        let refusal = || PluginError::model(format!("{} bytes are no bins and rates", bytes.len()));
        let (counts, rest) = numbers.split_first_chunk::<3>().ok_or_else(refusal)?;
        let [column_idx, n_features, n_bins] = counts.map(|count| count as usize);
        if n_bins == 0 || rest.len() != 2 * n_bins - 1 || column_idx >= n_features || bytes.len() % 4 != 0 {
            return Err(refusal());
        }
        let (edges, rates) = rest.split_at(n_bins - 1);
        Ok(Self { column_idx, n_features, edges: edges.to_vec(), rates: rates.to_vec() })
    }

    fn importance(&self) -> Result<Vec<f64>> {
        Ok((0..self.n_features).map(|idx| f64::from(u8::from(idx == self.column_idx))).collect())
    }

    fn summary(&self) -> Summary {
        Summary { rounds: Some(self.rates.len() as u32), device: None }
    }
}

oculus_plugin_api::export_family!(BaseRate);

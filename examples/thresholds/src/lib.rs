//! Thresholds of single features: a complete rule extractor, as a third party writes it.
use oculus_plugin_api::prelude::*;

/// The rule extractor. It proposes conditions on one feature each, the most precise first.
pub struct Thresholds;

impl Extractor for Thresholds {
    fn manifest() -> Manifest {
        Manifest::new("thresholds", "1.0.0")
            .role(Role::Rules)
            .selected_by("mine_thresholds")
            .prefixed("thresholds_")
            .param(Param::int("max_rules", 10).range(1, 100).help("maximum number of rules"))
            .param(Param::float("min_support", 0.05).range(0.001, 0.5).help("minimum share of the rows of a rule"))
    }
    fn extract(
        table: &Table<'_>,
        task: &Task<'_>,
        _scores: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<MinedRule>> {
        task.needs_both_classes()?;
        let min_rows = (params.float("min_support")? * task.train_rows.len() as f64).max(1.0);
        let mut found = Vec::new();
        for feature_idx in 0..table.n_features() {
            ctx.check()?;
            let column = table.column(feature_idx);
            for threshold in deciles(column, task.train_rows) {
                for operator in [Operator::AtMost, Operator::AtLeast] {
                    let condition = Condition { feature: table.name(feature_idx).to_owned(), operator, threshold };
                    let holds = |row: &&u32| condition.holds(f64::from(column[**row as usize]));
                    let rows: Vec<u32> = task.train_rows.iter().filter(holds).copied().collect();
                    let n_positives = rows.iter().filter(|&&row| task.label[row as usize] == 1.0).count();
                    if rows.len() as f64 >= min_rows {
                        found.push((n_positives as f64 / rows.len() as f64, condition));
                    }
                }
            }
        }
        // The sort is stable, so equally precise rules keep the order of features and thresholds.
        found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        found.truncate(params.count("max_rules")?);
        Ok(found.into_iter().map(|(_, condition)| MinedRule { conditions: vec![condition], stability: None }).collect())
    }
}

/// Returns the nine inner deciles of a column over the rows that have a value.
fn deciles(column: &[f32], rows: &[u32]) -> Vec<f64> {
    let values = rows.iter().map(|&row| f64::from(column[row as usize]));
    let mut values: Vec<_> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let mut deciles: Vec<_> = (1..10).filter_map(|tenth| values.get(values.len() * tenth / 10).copied()).collect();
    deciles.dedup();
    deciles
}
oculus_plugin_api::export_extractor!(Thresholds);

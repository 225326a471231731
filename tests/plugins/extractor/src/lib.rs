//! A small rule extractor: it proposes thresholds of single features at the deciles, the most
//! precise first.
//!
//! It shows that the plugin API also supports plugins that mine rules instead of fitting models.
//! The parameter `act` selects a misbehaviour.

use oculus_plugin_api::prelude::*;

/// The rule extractor.
pub struct Deciles;

/// A rule, and the share of class 1 among the training rows on which it holds.
struct Scored {
    condition: Condition,
    precision: f64,
}

impl Extractor for Deciles {
    fn manifest() -> Manifest {
        Manifest::new("extractor", "1.0.0")
            .named(["Deciles"])
            .role(Role::Rules)
            .selected_by("mine_deciles")
            .prefixed("deciles_")
            .param(Param::int("max_rules", 5).range(1, 100).help("maximum number of rules"))
            .param(
                Param::float("min_support", 0.05)
                    .range(0.0, 1.0)
                    .help("minimum share of the rows on which a rule holds"),
            )
            .param(
                Param::choice("act", "none", ["none", "abort", "invalid_rules"]).help("misbehaviour of the extractor"),
            )
    }

    fn extract(
        table: &Table<'_>,
        task: &Task<'_>,
        _: &[f32],
        params: &Params,
        ctx: &Ctx<'_, '_>,
    ) -> Result<Vec<MinedRule>> {
        task.needs_both_classes()?;
        match params.choice("act")? {
            "abort" => std::process::abort(),
            "invalid_rules" => return Ok(invalid_rules()),
            _ => {}
        }
        let min_rows = (params.float("min_support")? * task.train_rows.len() as f64).max(1.0);
        let mut rules = Vec::new();
        for feature_idx in 0..table.n_features() {
            ctx.check()?;
            let column = table.column(feature_idx);
            for threshold in deciles(column, task.train_rows) {
                for operator in [Operator::AtMost, Operator::AtLeast] {
                    let condition = Condition { feature: table.name(feature_idx).to_owned(), operator, threshold };
                    rules.extend(score(condition, column, task, min_rows));
                }
            }
        }
        // The sort is stable, so equally precise rules are ordered by feature, then by threshold.
        rules.sort_by(|a, b| b.precision.total_cmp(&a.precision));
        rules.truncate(params.count("max_rules")?);
        Ok(rules.into_iter().map(|rule| MinedRule { conditions: vec![rule.condition], stability: None }).collect())
    }
}

/// Returns three invalid rules: one with an unknown feature, one with an impossible threshold, and
/// one without a condition.
fn invalid_rules() -> Vec<MinedRule> {
    let condition =
        |feature: &str, threshold| Condition { feature: feature.to_owned(), operator: Operator::AtMost, threshold };
    let rules = [vec![condition("NO_SUCH_FEATURE", 1.0)], vec![condition("RSI_14", f64::MAX)], vec![]];
    rules.map(|conditions| MinedRule { conditions, stability: Some(7.0) }).into()
}

/// Computes the nine inner deciles of a column over the rows with a value; returns none if no row
/// has a value.
fn deciles(column: &[f32], rows: &[u32]) -> Vec<f64> {
    let values = rows.iter().map(|&row| f64::from(column[row as usize]));
    let mut values: Vec<_> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let mut deciles: Vec<_> = (1..10).filter_map(|tenth| values.get(values.len() * tenth / 10).copied()).collect();
    deciles.dedup();
    deciles
}

/// Computes the precision of a condition; `None` if it holds on fewer than `min_rows` rows.
fn score(condition: Condition, column: &[f32], task: &Task<'_>, min_rows: f64) -> Option<Scored> {
    let holds = |&&row: &&u32| condition.holds(f64::from(column[row as usize]));
    let rows: Vec<_> = task.train_rows.iter().filter(holds).collect();
    let n_positives = rows.iter().filter(|&&&row| task.label[row as usize] == 1.0).count();
    let precision = n_positives as f64 / rows.len() as f64;
    (rows.len() as f64 >= min_rows).then_some(Scored { condition, precision })
}

oculus_plugin_api::export_extractor!(Deciles);

//! Rules of a job on the project's example bars.

use oculus_job::request::{Job, Rule};
use oculus_plugin_api::Operator;
use serde_json::Value;

use super::{rule, without_model};
use crate::{
    bars,
    example_bars::ExampleBars,
    features, labels,
    rules::{self, Conjunction, ExtractorError, RequestedRules, RuleContext},
    search::SearchContext,
    splits::Partition,
};

const JOB: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/job.json"));

#[test]
fn feature_names_of_job_rules_resolve_to_the_canonical_columns() {
    let names = [
        ("rsi14", "RSI_14"),
        ("RSI_9", "RSI_9"),
        ("ADX", "ADX_14"),
        ("macd_hist", "MACD_HIST"),
        ("EMA_8_21", "EMA_CROSS_8_21"),
        ("BBP", "BB_PCT_B_20"),
    ];
    let entry_rules: Vec<Rule> =
        names.iter().zip(Operator::ALL).map(|((name, _), operator)| rule(name, operator, 1.0)).collect();
    let mut payload: Value = serde_json::from_str(JOB).unwrap();
    payload["design"]["entry_rules"] = serde_json::to_value(entry_rules).unwrap();
    payload["design"]["exit_rules"] = serde_json::to_value([rule("RSI_14X", Operator::Above, 70.0)]).unwrap();
    let job = Job::parse(&payload.to_string()).unwrap();
    let market = bars::load(&ExampleBars, &features::bars_needs(&job, 0), &|_| {}).unwrap();
    let (table, features) = features::build(&market, &job, 1).unwrap();
    let labels = labels::build(&market, &table, &job);
    let partition = Partition::new(&table, &labels, 3, market.span).unwrap();
    let splits: Vec<_> = labels.iter().map(|label| partition.splits(&table, label)).collect();
    let search_context = SearchContext { table: &table, labels: &labels, splits: &splits, seed: 42, n_parallel: 1 };
    let requested = RequestedRules {
        entry_rules: &job.design.entry_rules,
        exit_rules: &job.design.exit_rules,
        entry_score_threshold: 1,
        exit_score_threshold: 1,
        features: &features,
    };
    let extractor = Err(ExtractorError::NotOpened);
    let search = without_model(0);
    let results =
        rules::find(&RuleContext { search_context: &search_context, search: &search, extractor, requested }).unwrap();
    let report = results.job_rules;
    let followed = results.rule_set.job.entry;
    assert_eq!(followed.len(), names.len());
    for ((scored, (_, name)), Conjunction(conditions)) in report.entry_rules.iter().zip(names).zip(followed) {
        assert_eq!(scored.resolved_feature.as_deref(), Some(name));
        let column = table.by_name(name).unwrap();
        let holds = |row: &&u32| scored.rule.operator.holds(f64::from(column[**row as usize]), 1.0);
        let support = splits[0].development.train_rows.iter().filter(holds).count();
        assert_eq!(scored.development.as_ref().unwrap().support, support, "{name}");
        let condition = conditions[0];
        assert_eq!((table.names[condition.feature_idx].as_str(), condition.operator), (name, scored.rule.operator));
    }
    assert_eq!(report.unresolved.len(), 1);
    assert_eq!(report.unresolved[0].nearest.as_deref(), Some("RSI_14"));
}

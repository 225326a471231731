//! Formats the rules of a result. The unselected lift of each list stands first, then one row per
//! rule: mined rules, then the rules of the job.

use std::fmt::Write;

use oculus_pipeline::metrics::{Finite, Interval};
use oculus_pipeline::report::{Comparison, ExtractedRules, RuleEvidence, RuleOrigin};
use oculus_pipeline::rules::{RuleListName, RuleScore, RuleSide, RuleStats, ScoredJobRule};
use serde_json::Value;

use super::table::{optional, table, with_interval};

/// The last line of the rules, which explains the cells of the table.
const LEGEND: &str = "each lift with its 95 % interval, on the number of bars in the number of episodes; a selected lift \
                      is biased upwards, because it chose the rule";

/// Returns the lifts of the rule lists, and a table of all rules. Below it is one line per side of
/// the job's rules. The text is empty if there are no rules.
pub(super) fn rules(rules: &ExtractedRules) -> String {
    let mut table = table(["rule", "origin", "unselected lift", "selected lift", "lift in the test"]);
    for side in [RuleSide::Entry, RuleSide::Exit] {
        for row in mined_rows(rules, side) {
            table.add_row(row);
        }
        let suggested = match side {
            RuleSide::Entry => &rules.suggested_rules.entry_rules,
            RuleSide::Exit => &rules.suggested_rules.exit_rules,
        };
        for rule in suggested {
            table.add_row(job_row(side, rule));
        }
    }
    if table.is_empty() {
        return String::new();
    }
    let counts = [
        job_rule_count(RuleSide::Entry, rules.suggested_rules.entry_score.as_ref()),
        job_rule_count(RuleSide::Exit, rules.suggested_rules.exit_score.as_ref()),
    ];
    format!("{}{table}{}\n{LEGEND}", list_lines(rules), counts.concat())
}

fn mined_rows(rules: &ExtractedRules, side: RuleSide) -> Vec<[String; 5]> {
    let singles = match side {
        RuleSide::Entry => &rules.entry_rules,
        RuleSide::Exit => &rules.exit_rules,
    };
    let singles = singles.iter().map(|mined| {
        let condition = condition(&mined.rule.feature, mined.rule.operator.sign(), mined.rule.threshold);
        (condition, &mined.evidence)
    });
    let sets = rules.rule_sets.iter().filter(|set| set.side == side);
    let sets = sets.map(|set| (conditions(&set.conditions), &set.evidence));
    singles.chain(sets).filter_map(|(condition, evidence)| mined_row(side, &condition, evidence)).collect()
}

/// Returns the table row of a mined rule, or `None` if the rule comes from the job.
fn mined_row(side: RuleSide, condition: &str, evidence: &RuleEvidence) -> Option<[String; 5]> {
    let RuleOrigin::Mined { lists, folds_found, selected, .. } = &evidence.source else { return None };
    let names: Vec<&str> = lists.iter().map(|name| list_name(*name)).collect();
    Some([
        format!("{} {condition}", side_name(side)),
        format!("{}, {folds_found} folds", names.join(" and ")),
        lift_on(evidence.lift, evidence.lift_ci95, evidence.support, evidence.episodes),
        lift(selected.as_deref()),
        lift(evidence.test.as_ref()),
    ])
}

fn job_row(side: RuleSide, scored: &ScoredJobRule) -> [String; 5] {
    let rule = &scored.rule;
    [
        format!("{} {}", side_name(side), condition(&rule.feature, rule.operator.sign(), rule.threshold)),
        "the job".to_owned(),
        lift(scored.development.as_ref()),
        lift(None),
        lift(scored.test.as_ref()),
    ]
}

/// Returns a line with the lift of the bars on which enough of the job's rules of one side held at
/// once. The line is empty if the job has no rules of that side.
fn job_rule_count(side: RuleSide, score: Option<&RuleScore>) -> String {
    let Some(score) = score else { return String::new() };
    let required = format!("at least {} of {} at once", score.threshold, score.n_rules);
    let lifts = match &score.development {
        Some(stats) => before_and_in_test(&lift(Some(stats)), "before the test", score.test.as_ref()),
        None => optional(score.reason.as_ref()),
    };
    format!("\n{} rules of the job, {required}: {lifts}", side_name(side))
}

/// Returns one line per rule list that has walk-forward figures.
fn list_lines(rules: &ExtractedRules) -> String {
    let mut out = String::new();
    for (side, lists) in [(RuleSide::Entry, &rules.lists.entry), (RuleSide::Exit, &rules.lists.exit)] {
        for name in [RuleListName::Stable, RuleListName::HighLift] {
            let list = lists.get(name);
            let Some(walk_forward) = &list.walk_forward else { continue };
            let lifts = before_and_in_test(&lift(Some(walk_forward)), "walk-forward", list.test.as_ref());
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{} rules of the {} list: {lifts}", side_name(side), list_name(name));
        }
    }
    out
}

fn before_and_in_test(before: &str, rows: &str, test: Option<&RuleStats>) -> String {
    format!("lift {before} {rows}, {} in the test", lift(test))
}

fn conditions(conditions: &[Comparison]) -> String {
    let one = |part: &Comparison| condition(&part.feature, part.operator.sign(), part.threshold);
    conditions.iter().map(one).collect::<Vec<_>>().join(" and ")
}

/// Returns a condition such as `RSI_14 <= 34.6`, with the threshold as in the result's JSON.
pub(super) fn condition(feature: &str, sign: &str, threshold: impl Into<Value>) -> String {
    let threshold: Value = threshold.into();
    format!("{feature} {sign} {threshold}")
}

/// Returns a lift as in [`lift_on`]; a dash without stats.
fn lift(stats: Option<&RuleStats>) -> String {
    let value = stats.and_then(|stats| stats.lift);
    let interval = stats.and_then(|stats| stats.lift_ci95);
    lift_on(value, interval, stats.map(|stats| stats.support), stats.map(|stats| stats.episodes))
}

/// Returns a lift with its interval and the number of its bars and episodes, such as
/// `1.25 [1.00, 1.50], 40 in 9`. A condition that never held has no lift, so only the numbers are
/// returned; without numbers, a dash.
fn lift_on(
    value: Option<Finite>,
    interval: Option<Interval>,
    support: Option<usize>,
    episodes: Option<usize>,
) -> String {
    let lift = with_interval(value, interval, 2);
    match support.zip(episodes) {
        Some((support, episodes)) => format!("{lift}, {support} in {episodes}"),
        None => lift,
    }
}

fn side_name(side: RuleSide) -> &'static str {
    match side {
        RuleSide::Entry => "entry",
        RuleSide::Exit => "exit",
    }
}

fn list_name(name: RuleListName) -> &'static str {
    match name {
        RuleListName::Stable => "stable",
        RuleListName::HighLift => "high-lift",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn stats() -> Value {
        json!({ "n_rows": 100, "support": 40, "episodes": 9, "precision": 0.5, "base_rate": 0.4, "lift": 1.25,
            "lift_ci95": [1.0, 1.5], "mean_forward_return_pct": 1.0, "per_symbol": [] })
    }

    fn stats_with_lift(lift: Option<f64>) -> Value {
        let mut stats = stats();
        stats["lift"] = lift.into();
        stats
    }

    fn mined(folds_found: &str, lists: &[&str], test_lift: Option<f64>) -> Value {
        json!({ "source": "mined", "figures_of": "stable_list", "lists": lists, "folds_found": folds_found,
            "stability": null, "selected": stats_with_lift(Some(1.75)), "in_sample": stats(),
            "test": stats_with_lift(test_lift) })
    }

    fn merged(parts: &[Value]) -> Value {
        let fields = parts.iter().flat_map(|part| part.as_object().unwrap().clone());
        Value::Object(fields.collect())
    }

    fn no_list() -> Value {
        json!({ "n_rules": 0, "walk_forward": null, "in_sample": null, "test": null })
    }

    fn extracted() -> ExtractedRules {
        let rule = json!({ "feature": "RSI_14", "operator": "<=", "threshold": 34.6, "description": "" });
        let single = merged(&[stats(), rule, mined("2 of 3", &["stable", "high_lift"], Some(1.1))]);
        let no_figures = json!({ "support": null, "episodes": null, "precision": null, "base_rate": null, "lift": null,
            "lift_ci95": null, "mean_forward_return_pct": null });
        let set = json!({ "side": "exit", "description": "", "conditions": [
            { "feature": "ADX_14", "operator": ">", "threshold": 22.0 },
            { "feature": "RET_5", "operator": "<", "threshold": -1.5 },
        ] });
        let set = merged(&[no_figures, set, mined("0 of 3", &["high_lift"], None)]);
        let job_rule = json!({ "feature": "rsi14", "operator": "<", "threshold": 30.0, "description": "",
            "resolved_feature": "RSI_14", "development": stats(), "test": stats_with_lift(Some(0.9)) });
        let list =
            json!({ "n_rules": 1, "walk_forward": stats(), "in_sample": null, "test": stats_with_lift(Some(0.98)) });
        let score = |threshold: u32, n_rules: u32, development: Value, reason: Option<&str>| {
            json!({ "threshold": threshold, "n_rules": n_rules, "n_resolved": 1, "development": development,
                "test": null, "reason": reason })
        };
        serde_json::from_value(json!({
            "entry_rules": [single],
            "exit_rules": [],
            "rule_sets": [set],
            "lists": {
                "entry": { "stable": list, "high_lift": no_list(), "folds": [] },
                "exit": { "stable": no_list(), "high_lift": no_list(), "folds": [] },
            },
            "top_features": [],
            "suggested_rules": {
                "entry_rules": [job_rule], "exit_rules": [], "unresolved": [],
                "entry_score": score(2, 1, Value::Null, Some("resolved rules: found 1, expected at least 2")),
                "exit_score": score(1, 3, stats(), None),
            },
        }))
        .unwrap()
    }

    #[test]
    fn the_lift_of_each_list_precedes_mined_rules_and_the_rules_of_the_job_with_counts_and_intervals() {
        let text = rules(&extracted());
        let lines: Vec<_> = text.lines().filter(|line| line.contains("entry ") || line.contains("exit ")).collect();
        let cells = |line: &str| {
            line.split(['│', '┆']).map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(
            lines[0],
            "entry rules of the stable list: lift 1.25 [1.00, 1.50], 40 in 9 walk-forward, 0.98 [1.00, 1.50], 40 in 9 in the \
             test"
        );
        assert_eq!(
            cells(lines[1]),
            "entry RSI_14 <= 34.6|stable and high-lift, 2 of 3 folds|1.25 [1.00, 1.50], 40 in 9|1.75 [1.00, 1.50], 40 in 9|\
             1.10 [1.00, 1.50], 40 in 9"
        );
        assert_eq!(
            cells(lines[2]),
            "entry rsi14 < 30.0|the job|1.25 [1.00, 1.50], 40 in 9|–|0.90 [1.00, 1.50], 40 in 9"
        );
        assert!(cells(lines[3]).starts_with("exit ADX_14 > 22.0 and RET_5 < -1.5|high-lift, 0 of 3 folds|–|"));
        assert_eq!(
            lines[4],
            "entry rules of the job, at least 2 of 1 at once: resolved rules: found 1, expected at least 2"
        );
        assert_eq!(
            lines[5],
            "exit rules of the job, at least 1 of 3 at once: lift 1.25 [1.00, 1.50], 40 in 9 before the test, – in the test"
        );
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn a_threshold_is_formatted_as_in_json() {
        for threshold in [30.0, -1.5, 0.00005, 1e-7, 1e16, 123_456_789.125] {
            let json = json!({ "threshold": threshold }).to_string();
            assert_eq!(format!("{{\"threshold\":{}}}", condition("", "", threshold).trim()), json);
        }
    }

    #[test]
    fn a_result_without_rules_has_no_table() {
        let mut none = extracted();
        none.entry_rules.clear();
        none.rule_sets.clear();
        none.suggested_rules.entry_rules.clear();
        assert_eq!(rules(&none), "");
    }
}

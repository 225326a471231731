//! A result for people: tables and bars of text instead of JSON.

mod strategy;

use std::fmt::Write;
use std::process::ExitCode;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::Value;

/// Features shown of the list.
const SHOWN_FEATURES: usize = 10;
/// Length of the longest bar, in characters.
const BAR_WIDTH: f64 = 24.0;

/// 0 for a success, 3 for a job that was refused, 1 for any other ending.
pub(super) fn exit_code(result: &Value) -> ExitCode {
    match (result["status"].as_str(), result["error"]["kind"].as_str()) {
        (Some("success"), _) => ExitCode::SUCCESS,
        (_, Some("refused")) => ExitCode::from(3),
        _ => ExitCode::FAILURE,
    }
}

/// Prints the result on stdout: tables for people, or the object itself.
///
/// # Errors
/// What stands in the way of writing to stdout.
pub(super) fn print(result: &Value, as_json: bool) -> std::io::Result<()> {
    super::answer(&if as_json { serde_json::to_string_pretty(result)? } else { of(result) })
}

/// The result as text of several paragraphs.
pub(super) fn of(result: &Value) -> String {
    if result["status"] != "success" {
        return failure(result);
    }
    let parts = [
        heading(result),
        metrics(&result["model_metrics"]),
        families(&result["models"]),
        features(&result["extracted_rules"]["top_features"]),
        rules(&result["extracted_rules"]),
        strategy::strategy(result),
        warnings(&result["warnings"]),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn failure(result: &Value) -> String {
    let error = &result["error"];
    format!(
        "{} {} in {}: {}\n{}\nwhat to do: {}",
        text(&result["build_id"]),
        text(&result["status"]),
        text(&result["phase"]),
        text(&error["code"]),
        text(&error["message"]),
        text(&error["hint"]),
    )
}

fn heading(result: &Value) -> String {
    let label = &result["model_metrics"]["label"];
    format!(
        "{} · {} · {} · {} leads for a rise of {} % within {} sessions",
        text(&result["build_id"]),
        list(&result["design_config"]["symbols"]),
        text(&result["design_config"]["timeframe"]),
        text(&result["model_metrics"]["model_name"]),
        number(&label["threshold_pct"], 1),
        number(&label["horizon_days"], 0),
    )
}

fn metrics(metrics: &Value) -> String {
    let mut table = table(["on the untouched test period", "", "to compare"]);
    let interval = |value: &Value| match value.as_array().map(Vec::as_slice) {
        Some([low, high]) => format!(" [{}, {}]", number(low, 3), number(high, 3)),
        _ => String::new(),
    };
    let rows = [
        ("AUC beyond volatility", with(metrics, "auc_minus_baseline", &interval), "0 is nothing learnt".to_owned()),
        (
            "AUC",
            with(metrics, "auc", &interval),
            format!("volatility alone {}", number(&metrics["auc_volatility_baseline"], 3)),
        ),
        ("PR-AUC", number(&metrics["pr_auc"], 3), format!("base rate {}", number(&metrics["base_rate"], 3))),
        ("precision", number(&metrics["precision"], 3), format!("recall {}", number(&metrics["recall"], 3))),
        ("F1", number(&metrics["f1"], 3), format!("threshold {}", number(&metrics["threshold"], 3))),
        (
            "rows",
            format!("{}, {} positive", number(&metrics["n_test"], 0), number(&metrics["n_test_positive"], 0)),
            format!("{} to {}", text(&metrics["test_from"]), text(&metrics["test_to"])),
        ),
    ];
    for (name, value, beside) in rows {
        table.add_row([name.to_owned(), value, beside]);
    }
    table.to_string()
}

/// A figure with the interval that stands under its name and `_ci95`.
fn with(metrics: &Value, name: &str, interval: &dyn Fn(&Value) -> String) -> String {
    number(&metrics[name], 3) + &interval(&metrics[format!("{name}_ci95")])
}

fn families(models: &Value) -> String {
    let mut table = table(["family", "status", "validation AUC", "plugin"]);
    for model in models.as_array().into_iter().flatten() {
        let reason = model["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
        table.add_row([
            text(&model["name"]),
            text(&model["status"]) + &reason,
            number(&model["validation"]["auc"], 3),
            format!("{} {}", text(&model["plugin"]), text(&model["version"])),
        ]);
    }
    table.to_string()
}

fn features(features: &Value) -> String {
    let all: Vec<_> = features.as_array().into_iter().flatten().take(SHOWN_FEATURES).collect();
    let Some(largest) = all.first().and_then(|feature| feature["importance"].as_f64()).filter(|share| *share > 0.0)
    else {
        return String::new();
    };
    let mut out = "what the model looks at (share of gain)".to_owned();
    for feature in all {
        let share = feature["importance"].as_f64().unwrap_or(0.0);
        let bar = "█".repeat((BAR_WIDTH * share / largest).round() as usize);
        // Writing to a string cannot fail.
        let _ = write!(out, "\n  {:<20} {bar:<24} {:>5.1} %", text(&feature["feature"]), 100.0 * share);
    }
    out
}

/// Mined rules by their walk-forward figures, then the job's own by those of the development period.
fn rules(rules: &Value) -> String {
    let header = ["rule", "from", "fired", "episodes", "precision", "lift", "lift on the test"];
    let mut table = table(header);
    for (side, list) in [("entry", "entry_rules"), ("exit", "exit_rules")] {
        let singles = array(&rules[list]).filter(|rule| rule["source"] == "mined");
        let sets = array(&rules["rule_sets"]).filter(|rule| rule["side"] == side);
        for rule in singles.chain(sets) {
            let from = format!("{}, {} folds", list_names(rule), text(&rule["folds_found"]));
            table.add_row(rule_row((side, rule), from, rule));
        }
        for rule in array(&rules["suggested_rules"][list]) {
            table.add_row(rule_row((side, rule), "the job".to_owned(), &rule["development"]));
        }
    }
    let counts = ["entry", "exit"].map(|side| count(side, &rules["suggested_rules"][format!("{side}_score")]));
    if table.is_empty() { String::new() } else { format!("{table}{}{}", lists(&rules["lists"]), counts.concat()) }
}

/// What the job's own rules of a side come to together; empty where it has none.
fn count(side: &str, score: &Value) -> String {
    if score.is_null() {
        return String::new();
    }
    let asked = format!("at least {} of {} at once", score["threshold"], score["n_rules"]);
    let came_to = match score["development"]["support"].as_u64() {
        Some(n_bars) => format!("{n_bars} bars, lift {}", with_interval(&score["development"])),
        None => text(&score["reason"]),
    };
    format!("\nthe job's own {side} rules, {asked}: {came_to}")
}

fn rule_row((side, rule): (&str, &Value), from: String, evidence: &Value) -> [String; 7] {
    let condition = |of: &Value| format!("{} {} {}", text(&of["feature"]), text(&of["operator"]), of["threshold"]);
    let conditions = match rule["conditions"].as_array() {
        Some(conditions) => conditions.iter().map(condition).collect::<Vec<_>>().join(" and "),
        None => condition(rule),
    };
    [
        format!("{side} {conditions}"),
        from,
        number(&evidence["support"], 0),
        number(&evidence["episodes"], 0),
        number(&evidence["precision"], 3),
        with_interval(evidence),
        number(&rule["test"]["lift"], 2),
    ]
}

/// One line a list that is worth something as a whole.
fn lists(lists: &Value) -> String {
    let mut out = String::new();
    for (side, name) in [("entry", "stable"), ("entry", "high_lift"), ("exit", "stable"), ("exit", "high_lift")] {
        let list = &lists[side][name];
        if list["walk_forward"].is_object() {
            let (before, test) = (with_interval(&list["walk_forward"]), number(&list["test"]["lift"], 2));
            let name = name.replace('_', "-");
            // Writing to a string cannot fail.
            let _ =
                write!(out, "\n{side} rules, {name} list as a whole: lift {before} walk-forward, {test} on the test");
        }
    }
    out
}

fn list_names(rule: &Value) -> String {
    array(&rule["lists"]).map(|name| text(name).replace('_', "-")).collect::<Vec<_>>().join(" and ")
}

fn with_interval(evidence: &Value) -> String {
    let lift = number(&evidence["lift"], 2);
    match evidence["lift_ci95"].as_array().map(Vec::as_slice) {
        Some([low, high]) => format!("{lift} [{}, {}]", number(low, 2), number(high, 2)),
        _ => lift,
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn warnings(warnings: &Value) -> String {
    let lines =
        warnings.as_array().into_iter().flatten().map(|warning| format!("warning: {}", text(&warning["message"])));
    lines.collect::<Vec<_>>().join("\n")
}

fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Left);
    }
    table
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { "–".to_owned() } else { value.to_string() }, str::to_owned)
}

fn number(value: &Value, decimals: usize) -> String {
    value.as_f64().map_or_else(|| "–".to_owned(), |number| format!("{number:.decimals$}"))
}

fn list(value: &Value) -> String {
    value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_exit_code_tells_success_failure_and_refusal_apart() {
        for (result, code) in [
            (json!({ "status": "success" }), ExitCode::SUCCESS),
            (json!({ "status": "failed", "error": { "kind": "failed" } }), ExitCode::FAILURE),
            (json!({ "status": "failed", "error": { "kind": "refused" } }), ExitCode::from(3)),
            (json!({ "status": "cancelled" }), ExitCode::FAILURE),
        ] {
            assert_eq!(exit_code(&result), code, "{result}");
        }
    }

    #[test]
    fn mined_rules_stand_before_the_jobs_own_with_where_they_come_from() {
        let evidence = json!({ "support": 40, "episodes": 9, "precision": 0.5, "lift": 1.25, "lift_ci95": [1.0, 1.5] });
        let mut mined = json!({ "feature": "RSI_14", "operator": "<=", "threshold": 34.6, "source": "mined",
            "lists": ["stable", "high_lift"], "folds_found": "2 of 3", "test": { "lift": 1.1 } });
        mined.as_object_mut().unwrap().extend(evidence.as_object().unwrap().clone());
        let set = json!({ "side": "exit", "source": "mined", "lists": ["high_lift"], "folds_found": "0 of 3",
            "conditions": [{ "feature": "ADX_14", "operator": ">", "threshold": 22 },
                { "feature": "RET_5", "operator": "<", "threshold": -1.5 }],
            "support": null, "test": { "lift": null } });
        let own =
            json!({ "feature": "rsi14", "operator": "<", "threshold": 30, "development": evidence, "test": null });
        let text = rules(&json!({
            "entry_rules": [mined, { "source": "job" }],
            "exit_rules": [],
            "rule_sets": [set],
            "suggested_rules": { "entry_rules": [own], "exit_rules": [],
                "entry_score": { "threshold": 2, "n_rules": 1, "reason": "needs 2 of 1 resolved" },
                "exit_score": { "threshold": 1, "n_rules": 3, "development": evidence } },
            "lists": { "entry": { "stable": { "walk_forward": evidence, "test": { "lift": 0.98 } } } },
        }));
        let lines: Vec<_> = text.lines().filter(|line| line.contains("entry ") || line.contains("exit ")).collect();
        let cells = |line: &str| {
            line.split(['│', '┆']).map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(
            cells(lines[0]),
            "entry RSI_14 <= 34.6|stable and high-lift, 2 of 3 folds|40|9|0.500|1.25 [1.00, 1.50]|1.10"
        );
        assert_eq!(cells(lines[1]), "entry rsi14 < 30|the job|40|9|0.500|1.25 [1.00, 1.50]|–");
        assert_eq!(cells(lines[2]), "exit ADX_14 > 22 and RET_5 < -1.5|high-lift, 0 of 3 folds|–|–|–|–|–");
        assert_eq!(
            lines[3],
            "entry rules, stable list as a whole: lift 1.25 [1.00, 1.50] walk-forward, 0.98 on the test"
        );
        assert_eq!(lines[4], "the job's own entry rules, at least 2 of 1 at once: needs 2 of 1 resolved");
        assert_eq!(lines[5], "the job's own exit rules, at least 1 of 3 at once: 40 bars, lift 1.25 [1.00, 1.50]");
        assert_eq!(lines.len(), 6);
        assert_eq!(rules(&json!({})), "");
    }
}

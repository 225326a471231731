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
pub fn exit_code(result: &Value) -> ExitCode {
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
pub fn print(result: &Value, as_json: bool) -> std::io::Result<()> {
    super::answer(&if as_json { serde_json::to_string_pretty(result)? } else { of(result) })
}

/// The result as text of several paragraphs.
pub fn of(result: &Value) -> String {
    if result["status"] != "success" {
        return failure(result);
    }
    let parts = [
        heading(result),
        metrics(&result["model_metrics"]),
        families(&result["models"]),
        features(&result["extracted_rules"]["top_features"]),
        rules(&result["extracted_rules"]["suggested_rules"]),
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

fn rules(rules: &Value) -> String {
    let mut table = table(["the job's own rules, in development", "fired", "episodes", "precision", "lift"]);
    for side in ["entry_rules", "exit_rules"] {
        for rule in rules[side].as_array().into_iter().flatten() {
            let condition = format!(
                "{} {} {} {}",
                side.trim_end_matches("_rules"),
                text(&rule["feature"]),
                text(&rule["operator"]),
                rule["threshold"]
            );
            let scored = &rule["development"];
            table.add_row([
                condition,
                number(&scored["support"], 0),
                number(&scored["episodes"], 0),
                number(&scored["precision"], 3),
                number(&scored["lift"], 2),
            ]);
        }
    }
    if table.is_empty() { String::new() } else { table.to_string() }
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
}

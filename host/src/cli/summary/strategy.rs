//! The strategy for people: the verdict first, then what to do, then what it brought on the test.

use serde_json::Value;

use super::{number, table, text};

/// Rules shown of a side.
const SHOWN_RULES: usize = 4;

/// The paragraph of a result; empty where it has no verdict.
pub(super) fn strategy(result: &Value) -> String {
    let verdict = &result["verdict"];
    if verdict.is_null() {
        return String::new();
    }
    let said = format!("verdict: {} · {}", text(&verdict["verdict"]).replace('_', " "), text(&verdict["reason"]));
    let report = &result["strategy_optimization"];
    if report["parameters"].is_null() {
        return said;
    }
    format!("{said}\n{}\n{}\n{}", in_words(report), figures(&report["test"]), trust(report))
}

fn in_words(report: &Value) -> String {
    let parameters = &report["parameters"];
    let n_candidates = number(&report["n_candidates"], 0);
    let chosen_of = format!("chosen of {n_candidates}");
    let mut table = table(["the strategy", &chosen_of]);
    let gate = parameters["probability_share"].as_f64().map(|share| {
        let threshold = number(&parameters["probability_threshold"], 3);
        format!("the model's score is at least {threshold} (the highest {:.0} % in development)", 100.0 * share)
    });
    let entries = [counted(parameters, "entry"), gate];
    let exits = [
        counted(parameters, "exit"),
        Some(format!("{} bars have passed since the entry", number(&parameters["holding_bars"], 0))),
        parameters["stop_pct"].as_f64().map(|pct| format!("the price is {pct} % below the entry")),
        parameters["target_pct"].as_f64().map(|pct| format!("the price is {pct} % above the entry")),
    ];
    table.add_row(["buy when".to_owned(), entries.into_iter().flatten().collect::<Vec<_>>().join("\nand ")]);
    table.add_row(["sell when".to_owned(), exits.into_iter().flatten().collect::<Vec<_>>().join("\nor ")]);
    table.to_string()
}

/// `2 of 5 stable rules hold:` and a line each; `None` where no rules are counted.
fn counted(parameters: &Value, side: &str) -> Option<String> {
    let threshold = parameters[format!("{side}_score_threshold")].as_u64()?;
    let followed = &parameters[format!("{side}_rules")];
    let rules = followed["rules"].as_array()?;
    let condition = |condition: &Value| {
        format!("{} {} {}", text(&condition["feature"]), text(&condition["operator"]), condition["threshold"])
    };
    let rule = |rule: &Value| rule.as_array().into_iter().flatten().map(condition).collect::<Vec<_>>().join(" and ");
    let shown: String = rules.iter().take(SHOWN_RULES).map(|it| format!("\n  {}", rule(it))).collect();
    let more = if rules.len() > SHOWN_RULES { "\n  …" } else { "" };
    let source = match followed["source"].as_str() {
        Some("job") => "of the job's own",
        Some("high_lift") => "high-lift",
        _ => "stable",
    };
    Some(format!("at least {threshold} of {} {source} rules hold:{shown}{more}", rules.len()))
}

fn figures(test: &Value) -> String {
    let period = format!("{} to {}, after costs", text(&test["from"]), text(&test["to"]));
    let mut table = table([period.as_str(), "strategy", "market at equal exposure", "always in"]);
    for (name, field, decimals) in [
        ("return %", "total_return_pct", 1),
        ("return % a year", "annual_return_pct", 1),
        ("Sharpe ratio", "sharpe", 2),
        ("Sortino ratio", "sortino", 2),
        ("largest fall %", "max_drawdown_pct", 1),
    ] {
        let of = |what: &str| number(&test[what][field], decimals);
        table.add_row([name.to_owned(), of("performance"), of("buy_and_hold"), of("always_in")]);
    }
    let performance = &test["performance"];
    let traded = format!(
        "{}, {} won",
        number(&performance["n_trades"], 0),
        performance["hit_rate"].as_f64().map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share)),
    );
    let exposure = performance["exposure"].as_f64().map(|share| format!("{:.0} %", 100.0 * share));
    let rows = [("round trips", traded), ("invested", exposure.unwrap_or_else(|| "–".to_owned()))];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value, String::new(), String::new()]);
    }
    table.to_string()
}

/// How far all this can be trusted.
fn trust(report: &Value) -> String {
    let (before, after) = (&report["development"]["honesty"], &report["test"]["honesty"]);
    let interval = match after["excess_ci95"].as_array().map(Vec::as_slice) {
        Some([low, high]) => format!(" [{}, {}]", number(low, 1), number(high, 1)),
        _ => String::new(),
    };
    let mut table = table(["how far to trust it", "", "what is asked for"]);
    for (name, value, needed) in [
        ("mean excess over the market, % a year", number(&after["excess_pct_a_year"], 1) + &interval, "more than 0"),
        ("probability that it is more than chance", number(&after["probabilistic_sharpe"], 3), "0.975 or more"),
        ("years of test that would tell", number(&after["years_needed"], 1), "less than there are"),
        ("probability of overfitting (PBO)", number(&before["pbo"], 2), "less than 0.50"),
        ("deflated Sharpe ratio, in development", number(&before["deflated_sharpe"], 3), "near 1"),
    ] {
        table.add_row([name.to_owned(), value, needed.to_owned()]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_strategy_is_told_in_words_with_its_test_beside_the_market() {
        let figures = json!({"total_return_pct": 12.345, "annual_return_pct": 30.0, "sharpe": 1.5, "sortino": null,
            "max_drawdown_pct": 4.0, "n_trades": 12, "hit_rate": 0.583, "exposure": 0.31});
        let rules = json!({"source": "stable", "rules": [
            [{"feature": "RSI_14", "operator": "<=", "threshold": 34.6}, {"feature": "ADX", "operator": ">", "threshold": 22.0}]
        ]});
        let result = json!({
            "verdict": {"verdict": "no_edge", "reason": "the excess is negative"},
            "strategy_optimization": {
                "n_candidates": 128,
                "parameters": {"entry_rules": rules, "entry_score_threshold": 1, "exit_rules": {"source": "none", "rules": []},
                    "exit_score_threshold": null, "probability_share": 0.2, "probability_threshold": 0.834,
                    "holding_bars": 10, "stop_pct": 3.0, "target_pct": null},
                "test": {"from": "2024-01-02", "to": "2024-06-03", "performance": figures, "buy_and_hold": {"sharpe": 0.7},
                    "always_in": {"sharpe": 0.8}},
            },
        });
        let told = strategy(&result);
        for line in [
            "verdict: no edge · the excess is negative",
            "at least 1 of 1 stable rules hold:",
            "  RSI_14 <= 34.6 and ADX > 22.0",
            "and the model's score is at least 0.834 (the highest 20 % in development)",
            "or the price is 3 % below the entry",
            "12, 58 % won",
        ] {
            assert!(told.contains(line), "{line} is missing in\n{told}");
        }
        assert!(!told.contains("above the entry"), "{told}");
        assert_eq!(strategy(&json!({})), "");
    }
}

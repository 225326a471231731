//! Formats the strategy of a result: the verdict, the conditions to buy and to sell, and the
//! performance in the development period and in the test.

use oculus_pipeline::metrics::Finite;
use oculus_pipeline::strategy::performance::Performance;
use oculus_pipeline::strategy::significance::{DevelopmentSignificance, TestSignificance, Verdict, VerdictKind};
use oculus_pipeline::strategy::{
    FollowedCondition, FollowedRules, FollowedSource, PeriodReport, StrategyParameters, StrategyReport,
};
use oculus_pipeline::submissions::Submissions;

use super::table::{number, percent, table, with_interval};

/// Maximum number of rules shown per side.
const SHOWN_RULES: usize = 4;

/// Returns the verdict and the chosen strategy; only the verdict if no strategy was chosen.
pub(super) fn strategy(verdict: &Verdict, report: &StrategyReport, submissions: &Submissions) -> String {
    let kind = match verdict.verdict {
        VerdictKind::Edge => "edge",
        VerdictKind::Inconclusive => "inconclusive",
        VerdictKind::NoEdge => "no edge",
    };
    let verdict = format!("verdict: {kind} · {}", verdict.reason);
    // If no strategy was chosen, the parameters and the figures of both periods are absent.
    let (Some(parameters), Some(development), Some(test)) = (&report.parameters, &report.development, &report.test)
    else {
        return verdict;
    };
    let parameters = describe(parameters, report.n_candidates);
    format!(
        "{verdict}\n{parameters}\n{}\n{}",
        figures(development, test),
        reliability(&development.significance, &test.significance, submissions)
    )
}

/// Returns a table of the conditions to buy and to sell.
fn describe(parameters: &StrategyParameters, n_candidates: usize) -> String {
    let chosen_from = format!("chosen from {n_candidates} candidates");
    let mut table = table(["strategy", &chosen_from]);
    let min_score = parameters.probability_share.map(|share| {
        let threshold = number(parameters.probability_threshold, 3);
        format!("the model's score is at least {threshold} (the highest {:.0} % in development)", 100.0 * share.get())
    });
    let best_symbols = parameters.best_symbols.map(|n_symbols| match n_symbols {
        1 => "the model's score is the highest of all symbols on the date".to_owned(),
        _ => format!("the model's score is among the {n_symbols} highest of all symbols on the date"),
    });
    let entries = [rule_condition(parameters.entry_score_threshold, &parameters.entry_rules), min_score, best_symbols];
    let exits = [
        rule_condition(parameters.exit_score_threshold, &parameters.exit_rules),
        Some(format!("{} bars have passed since the entry", parameters.holding_bars)),
        parameters.stop_pct.map(|pct| format!("the price is {} % below the entry", pct.get())),
        parameters.target_pct.map(|pct| format!("the price is {} % above the entry", pct.get())),
    ];
    table.add_row(["buy when".to_owned(), entries.into_iter().flatten().collect::<Vec<_>>().join("\nand ")]);
    table.add_row(["sell when".to_owned(), exits.into_iter().flatten().collect::<Vec<_>>().join("\nor ")]);
    table.to_string()
}

/// Returns the condition on the number of rules, such as `at least 2 of 5 stable rules hold:`, and
/// one line per rule. It is `None` if the strategy does not use rules.
fn rule_condition(threshold: Option<u32>, followed: &FollowedRules) -> Option<String> {
    let threshold = threshold?;
    let rules = &followed.rules;
    let rule = |conditions: &Vec<FollowedCondition>| conditions.iter().map(condition).collect::<Vec<_>>().join(" and ");
    let shown: String = rules.iter().take(SHOWN_RULES).map(|conditions| format!("\n  {}", rule(conditions))).collect();
    let more = if rules.len() > SHOWN_RULES { "\n  …" } else { "" };
    let source = match followed.source {
        FollowedSource::Job => "requested",
        FollowedSource::HighLift => "high-lift",
        FollowedSource::Stable => "stable",
        FollowedSource::None => return None,
    };
    Some(format!("at least {threshold} of {} {source} rules hold:{shown}{more}", rules.len()))
}

fn condition(condition: &FollowedCondition) -> String {
    let FollowedCondition { feature, operator, threshold } = condition;
    super::rules::condition(feature, operator.sign(), threshold.map(Finite::get))
}

/// Returns a table of the strategy's figures in development and in the test, next to those of the
/// market in the test.
fn figures(development: &PeriodReport<DevelopmentSignificance>, test: &PeriodReport<TestSignificance>) -> String {
    let mut table = table(["after costs", "development", "test", "market at equal exposure, test", "always in, test"]);
    let compared = [&development.performance.figures, &test.performance.figures, &test.buy_and_hold, &test.always_in];
    let mut add = |name: &str, cells: [String; 4]| {
        table.add_row([name.to_owned()].into_iter().chain(cells));
    };
    // The market's figures in development would be a fifth column, and do not fit a terminal.
    let both = |cells: [String; 2]| {
        let [development, test] = cells;
        [development, test, String::new(), String::new()]
    };
    add("dates", both([period(&development.from, &development.to), period(&test.from, &test.to)]));
    add("return %", compared.map(|figures| number(figures.total_return_pct, 1)));
    add("return % per year", compared.map(|figures| number(figures.annual_return_pct, 1)));
    add("Sharpe ratio", compared.map(|figures| number(figures.sharpe, 2)));
    add("Sortino ratio", compared.map(|figures| number(figures.sortino, 2)));
    add("maximum drawdown %", compared.map(|figures| number(figures.max_drawdown_pct, 1)));
    let strategies = [&development.performance, &test.performance];
    let traded = |performance: &Performance| format!("{}, {} won", performance.n_trades, percent(performance.hit_rate));
    add("round trips", both(strategies.map(traded)));
    add("invested", both(strategies.map(|performance| percent(performance.exposure))));
    table.to_string()
}

/// Returns the first and the last date of a period on two lines.
fn period(from: &str, to: &str) -> String {
    format!("{from}\nto {to}")
}

/// Returns a table of the figures that state whether the result may be due to chance or
/// overfitting.
fn reliability(development: &DevelopmentSignificance, test: &TestSignificance, submissions: &Submissions) -> String {
    let mut table = table(["reliability", "", "required"]);
    let excess = with_interval(test.excess_pct_a_year, test.excess_ci95, 1);
    // With one design, 0.975 is required. With several, the required ratio differs from it only in
    // further decimals.
    let n_decimals = if submissions.n.is_some_and(|n| n > 1) { 5 } else { 3 };
    let required = match submissions.required_probabilistic_sharpe {
        Some(required) => format!("{} or more", number(required, n_decimals)),
        None => "unknown".to_owned(),
    };
    let probability = number(test.probabilistic_sharpe, n_decimals);
    for (name, value, required) in [
        ("mean excess over the market, % per year", excess, "an interval above 0"),
        ("probabilistic Sharpe ratio of the excess", probability, &required),
        ("years of test needed for significance", number(test.years_needed, 1), "at most those available"),
        ("probability of overfitting (PBO)", number(development.pbo, 2), "less than 0.50"),
        ("deflated Sharpe ratio, in development", number(development.deflated_sharpe, 3), "near 1"),
    ] {
        table.add_row([name.to_owned(), value, required.to_owned()]);
    }
    if let Some(n) = submissions.n.filter(|n| *n > 1) {
        let rank = submissions.rank.map(|rank| format!("this one has rank {rank} by AUC")).unwrap_or_default();
        table.add_row(["designs tested on this test period".to_owned(), n.to_string(), rank]);
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn report(parameters: &Value) -> StrategyReport {
        let figures = |sharpe: f64| {
            json!({ "total_return_pct": 12.345, "annual_return_pct": 30.0, "sharpe": sharpe, "sortino": null,
                "max_drawdown_pct": 4.0 })
        };
        let period = |from: &str, sharpe: f64, traded: Value, significance: Value| {
            let mut performance = figures(sharpe);
            performance.as_object_mut().unwrap().extend(traded.as_object().unwrap().clone());
            json!({ "from": from, "to": "2024-06-03", "n_dates": 100, "performance": performance,
                "buy_and_hold": figures(0.7), "always_in": figures(0.8), "significance": significance })
        };
        let traded = |n_trades: usize, hit_rate: f64| {
            json!({ "n_trades": n_trades, "hit_rate": hit_rate, "mean_trade_pct": 1.0, "exposure": 0.31,
                "turnover_a_year": 9.0 })
        };
        serde_json::from_value(json!({
            "n_candidates": 128, "n_eligible": 100, "cost_bps": 5.0, "candidates": [], "parameters": parameters,
            "development": period("2021-01-04", 2.5, traded(40, 0.63), json!({})),
            "test": period("2024-01-02", 1.5, traded(12, 0.583), json!({ "n_dates": 100, "n_round_trips": 12 })),
        }))
        .unwrap()
    }

    fn submissions(n: usize, required: f64) -> Submissions {
        Submissions {
            n: Some(n),
            rank: Some(2),
            required_probabilistic_sharpe: Finite::new(required),
            ..Submissions::default()
        }
    }

    fn no_edge() -> Verdict {
        Verdict { verdict: VerdictKind::NoEdge, reason: "the excess is negative".to_owned() }
    }

    #[test]
    fn a_strategy_is_described_with_its_test_figures_and_those_of_the_market() {
        let rules = json!({ "source": "stable", "rules": [
            [{ "feature": "RSI_14", "operator": "<=", "threshold": 34.6 }, { "feature": "ADX", "operator": ">", "threshold": 22.0 }]
        ] });
        let text = strategy(
            &no_edge(),
            &report(&json!({ "entry_rules": rules, "entry_score_threshold": 1,
                "exit_rules": { "source": "none", "rules": [] }, "exit_score_threshold": null,
                "probability_share": 0.2, "probability_threshold": 0.834, "probability_threshold_deviations": 1.0,
                "holding_bars": 10, "stop_pct": 3.0, "target_pct": null })),
            &submissions(1, 0.975),
        );
        for line in [
            "verdict: no edge · the excess is negative",
            "at least 1 of 1 stable rules hold:",
            "  RSI_14 <= 34.6 and ADX > 22.0",
            "and the model's score is at least 0.834 (the highest 20 % in development)",
            "or the price is 3 % below the entry",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        let cells = |name: &str| {
            let line = text.lines().find(|line| line.contains(&format!(" {name} "))).unwrap();
            line.split(['│', '┆'])
                .map(|cell| cell.trim().to_owned())
                .filter(|cell| !cell.is_empty())
                .collect::<Vec<_>>()
        };
        assert_eq!(cells("dates"), ["dates", "2021-01-04", "2024-01-02"]);
        assert_eq!(cells("round trips"), ["round trips", "40, 63 % won", "12, 58 % won"]);
        assert_eq!(cells("Sharpe ratio"), ["Sharpe ratio", "2.50", "1.50", "0.70", "0.80"]);
        assert!(!text.contains("above the entry"), "{text}");
        assert!(text.contains("0.975 or more") && !text.contains("designs tested"), "{text}");
    }

    #[test]
    fn a_rank_of_symbols_is_a_condition_to_buy() {
        let none = json!({ "source": "none", "rules": [] });
        let text = strategy(
            &no_edge(),
            &report(&json!({ "entry_rules": none, "exit_rules": none, "best_symbols": 2, "holding_bars": 5 })),
            &submissions(3, 0.991_67),
        );
        assert!(text.contains("the model's score is among the 2 highest of all symbols on the date"), "{text}");
        for cell in ["0.99167 or more", "designs tested on this test period", "this one has rank 2 by AUC"] {
            assert!(text.contains(cell), "{cell} is missing in\n{text}");
        }
    }

    #[test]
    fn without_a_chosen_strategy_only_the_verdict_is_printed() {
        let text = strategy(&no_edge(), &report(&Value::Null), &Submissions::default());
        assert_eq!(text, "verdict: no edge · the excess is negative");
    }
}

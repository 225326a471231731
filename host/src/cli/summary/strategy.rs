//! The strategy of a result: the verdict first, then what to do, then its performance on the test.

use oculus_pipeline::metrics::Finite;
use oculus_pipeline::strategy::significance::{Call, DevelopmentSignificance, TestSignificance, Verdict};
use oculus_pipeline::strategy::{
    FollowedCondition, FollowedRules, FollowedSource, PeriodReport, StrategyParameters, StrategyReport,
};

use super::table::{number, percent, table, with_interval};

/// Rules shown per side.
const SHOWN_RULES: usize = 4;

/// Returns the paragraph on the strategy; only the verdict if no strategy was chosen.
pub(super) fn strategy(verdict: &Verdict, report: &StrategyReport) -> String {
    let call = match verdict.verdict {
        Call::Edge => "edge",
        Call::Inconclusive => "inconclusive",
        Call::NoEdge => "no edge",
    };
    let verdict = format!("verdict: {call} · {}", verdict.reason);
    let (Some(parameters), Some(development), Some(test)) = (&report.parameters, &report.development, &report.test)
    else {
        return verdict;
    };
    let parameters = describe(parameters, report.n_candidates);
    format!("{verdict}\n{parameters}\n{}\n{}", figures(test), trust(&development.significance, &test.significance))
}

/// Returns a table of when to buy and when to sell.
fn describe(parameters: &StrategyParameters, n_candidates: usize) -> String {
    let chosen_of = format!("chosen of {n_candidates}");
    let mut table = table(["the strategy", &chosen_of]);
    let gate = parameters.probability_share.map(|share| {
        let threshold = number(parameters.probability_threshold, 3);
        format!("the model's score is at least {threshold} (the highest {:.0} % in development)", 100.0 * share.get())
    });
    let entries = [counted(parameters.entry_score_threshold, &parameters.entry_rules), gate];
    let exits = [
        counted(parameters.exit_score_threshold, &parameters.exit_rules),
        Some(format!("{} bars have passed since the entry", parameters.holding_bars)),
        parameters.stop_pct.map(|pct| format!("the price is {} % below the entry", pct.get())),
        parameters.target_pct.map(|pct| format!("the price is {} % above the entry", pct.get())),
    ];
    table.add_row(["buy when".to_owned(), entries.into_iter().flatten().collect::<Vec<_>>().join("\nand ")]);
    table.add_row(["sell when".to_owned(), exits.into_iter().flatten().collect::<Vec<_>>().join("\nor ")]);
    table.to_string()
}

/// Returns `at least 2 of 5 stable rules hold:` and one line per rule; `None` if no rules are counted.
fn counted(threshold: Option<u32>, followed: &FollowedRules) -> Option<String> {
    let threshold = threshold?;
    let rules = &followed.rules;
    let rule = |rule: &Vec<FollowedCondition>| rule.iter().map(condition).collect::<Vec<_>>().join(" and ");
    let shown: String = rules.iter().take(SHOWN_RULES).map(|it| format!("\n  {}", rule(it))).collect();
    let more = if rules.len() > SHOWN_RULES { "\n  …" } else { "" };
    let source = match followed.source {
        FollowedSource::Job => "of the job's own",
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

/// Returns a table of the test's figures next to those of the market.
fn figures(test: &PeriodReport<TestSignificance>) -> String {
    let period = format!("{} to {}, after costs", test.from, test.to);
    let mut table = table([period.as_str(), "strategy", "market at equal exposure", "always in"]);
    let compared = [&test.performance.figures, &test.buy_and_hold, &test.always_in];
    let mut add = |name: &str, cells: [String; 3]| {
        let [strategy, market, always] = cells;
        table.add_row([name.to_owned(), strategy, market, always]);
    };
    add("return %", compared.map(|figures| number(figures.total_return_pct, 1)));
    add("return % a year", compared.map(|figures| number(figures.annual_return_pct, 1)));
    add("Sharpe ratio", compared.map(|figures| number(figures.sharpe, 2)));
    add("Sortino ratio", compared.map(|figures| number(figures.sortino, 2)));
    add("largest fall %", compared.map(|figures| number(figures.max_drawdown_pct, 1)));
    let traded = format!("{}, {} won", test.performance.n_trades, percent(test.performance.hit_rate));
    add("round trips", [traded, String::new(), String::new()]);
    add("invested", [percent(test.performance.exposure), String::new(), String::new()]);
    table.to_string()
}

/// Returns a table of how far the figures can be trusted.
fn trust(development: &DevelopmentSignificance, test: &TestSignificance) -> String {
    let mut table = table(["how far to trust it", "", "what is asked for"]);
    let excess = with_interval(test.excess_pct_a_year, test.excess_ci95, 1);
    for (name, value, needed) in [
        ("mean excess over the market, % a year", excess, "more than 0"),
        ("probability that it is more than chance", number(test.probabilistic_sharpe, 3), "0.975 or more"),
        ("years of test that would tell", number(test.years_needed, 1), "less than there are"),
        ("probability of overfitting (PBO)", number(development.pbo, 2), "less than 0.50"),
        ("deflated Sharpe ratio, in development", number(development.deflated_sharpe, 3), "near 1"),
    ] {
        table.add_row([name.to_owned(), value, needed.to_owned()]);
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
        let mut performance = figures(1.5);
        let traded = json!({ "n_trades": 12, "hit_rate": 0.583, "mean_trade_pct": 1.0, "exposure": 0.31,
            "turnover_a_year": 9.0 });
        performance.as_object_mut().unwrap().extend(traded.as_object().unwrap().clone());
        let period = |significance: Value| {
            json!({ "from": "2024-01-02", "to": "2024-06-03", "n_dates": 100, "performance": performance,
                "buy_and_hold": figures(0.7), "always_in": figures(0.8), "honesty": significance })
        };
        serde_json::from_value(json!({
            "n_candidates": 128, "n_eligible": 100, "cost_bps": 5.0, "candidates": [], "parameters": parameters,
            "development": period(json!({})),
            "test": period(json!({ "n_dates": 100, "n_round_trips": 12 })),
        }))
        .unwrap()
    }

    fn no_edge() -> Verdict {
        Verdict { verdict: Call::NoEdge, reason: "the excess is negative".to_owned() }
    }

    #[test]
    fn a_strategy_is_described_with_its_test_next_to_the_market() {
        let rules = json!({ "source": "stable", "rules": [
            [{ "feature": "RSI_14", "operator": "<=", "threshold": 34.6 }, { "feature": "ADX", "operator": ">", "threshold": 22.0 }]
        ] });
        let text = strategy(
            &no_edge(),
            &report(&json!({ "entry_rules": rules, "entry_score_threshold": 1,
                "exit_rules": { "source": "none", "rules": [] }, "exit_score_threshold": null,
                "probability_share": 0.2, "probability_threshold": 0.834, "probability_threshold_deviations": 1.0,
                "holding_bars": 10, "stop_pct": 3.0, "target_pct": null })),
        );
        for line in [
            "verdict: no edge · the excess is negative",
            "at least 1 of 1 stable rules hold:",
            "  RSI_14 <= 34.6 and ADX > 22.0",
            "and the model's score is at least 0.834 (the highest 20 % in development)",
            "or the price is 3 % below the entry",
            "12, 58 % won",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("above the entry"), "{text}");
    }

    #[test]
    fn without_a_chosen_strategy_only_the_verdict_is_printed() {
        let text = strategy(&no_edge(), &report(&Value::Null));
        assert_eq!(text, "verdict: no edge · the excess is negative");
    }
}

//! The whole search on panels of two symbols, with and without an edge.

use std::collections::BTreeSet;

use oculus_plugin_api::Operator;
use serde_json::Value;

use super::super::{candidate::*, portfolio::PortfolioRun, *};
use crate::{
    bars::Bars,
    features::FeatureTable,
    metrics::{Finite, ScoreScale},
    rules::{Conjunction, PerSide, RuleCondition, RuleLists, RuleSet, tests::numbers},
    search::tests::panel::{N_DAYS, Panel},
};

/// Columns of `SIGNAL` and `NOISE_1` in a panel.
const SIGNAL: usize = 0;
const NOISE: usize = 1;

/// Exposures of a strategy that was always in before a period.
static ALWAYS_IN: [f64; 10_000] = [1.0; 10_000];

fn above(feature_idx: usize, threshold: f32) -> Conjunction {
    Conjunction(vec![RuleCondition { feature_idx, operator: Operator::Above, threshold }])
}

fn below(feature_idx: usize, threshold: f32) -> Conjunction {
    Conjunction(vec![RuleCondition { feature_idx, operator: Operator::Below, threshold }])
}

/// Returns a rule set: its job rules read noise, and its mined rules read the signal and noise.
fn rule_set() -> RuleSet {
    let lists =
        || RuleLists { stable: vec![above(SIGNAL, 0.5)], high_lift: vec![above(SIGNAL, 1.0), above(NOISE, 1.0)] };
    let exits = || RuleLists { stable: vec![below(SIGNAL, -0.5)], high_lift: Vec::new() };
    let mined = || PerSide { entry: lists(), exit: exits() };
    RuleSet {
        job: PerSide { entry: vec![above(NOISE, 0.3)], exit: vec![below(NOISE, -1.0)] },
        folds: vec![mined(), mined(), mined()],
        last: mined(),
    }
}

/// Returns scores equal to `SIGNAL` on all rows after the first block.
fn scores(panel: &Panel) -> Vec<f32> {
    let first = panel.partition.blocks[1].start;
    let values = panel.table.column(SIGNAL).iter().zip(&panel.table.day);
    values.map(|(&value, &day)| if day < first { f32::NAN } else { value }).collect()
}

fn inputs<'a>(panel: &'a Panel, rule_set: &'a RuleSet, scores: &'a [f32]) -> StrategyInputs<'a> {
    StrategyInputs {
        market: &panel.market,
        table: &panel.table,
        partition: &panel.partition,
        label: &panel.labels[0],
        label_judged: true,
        n_submissions: Some(1),
        model_chance: crate::strategy::ModelChance { auc_p: Some(0.01), surrogates_p: None },
        rule_set,
        scores,
        score_scale: Some(ScoreScale::from_scores(&[-1.0, 1.0])),
        entry_score_threshold: 1,
        exit_score_threshold: 1,
        cost_bps: 5.0,
        n_trials: 64,
        seed: 42,
        n_parallel: 1,
    }
}

fn json(report: &StrategyReport) -> Value {
    serde_json::to_value(report).unwrap()
}

fn days_of(inputs: &StrategyInputs<'_>) -> Vec<Vec<i32>> {
    inputs.market.bars.iter().map(|bars| bars.session_days(inputs.market.timeframe)).collect()
}

fn test_period<'a>(inputs: &StrategyInputs<'a>) -> BacktestPeriod<'a> {
    BacktestPeriod::test(inputs, &days_of(inputs))
}

#[test]
fn a_planted_edge_beats_the_market_in_both_periods() {
    for seed in 0..4 {
        let panel = Panel::new(seed, 0.4, &[1.0]);
        let rule_set = rule_set();
        let scores = scores(&panel);
        let found = optimize(&inputs(&panel, &rule_set, &scores));
        let report = json(&found.report);
        for period in ["development", "test"] {
            let total = |name: &str| report[period][name]["total_return_pct"].as_f64().unwrap();
            assert!(total("performance") > total("buy_and_hold") + 10.0, "{seed} {period}: {}", report[period]);
        }
        let parameters = &report["parameters"];
        let follows_signal =
            parameters["entry_rules"]["source"] != "job" || parameters["probability_threshold"].is_f64();
        assert!(follows_signal, "{parameters}");
    }
}

#[test]
fn parameters_and_development_figures_do_not_depend_on_the_test_period() {
    let panel = Panel::new(5, 0.3, &[1.0]);
    let other = panel.with_another_test();
    let rule_set = rule_set();
    let [ours, theirs] = [&panel, &other].map(|panel| {
        let scores = scores(panel);
        json(&optimize(&inputs(panel, &rule_set, &scores)).report)
    });
    for name in ["parameters", "development", "candidates", "n_candidates", "n_eligible"] {
        assert!(!ours[name].is_null(), "{name}");
        assert_eq!(ours[name].to_string(), theirs[name].to_string(), "{name}");
    }
    assert_ne!(ours["test"], theirs["test"], "the test periods differ");
}

#[test]
fn each_block_follows_the_rules_of_its_fold_and_the_test_the_last_ones() {
    let panel = Panel::new(6, 0.3, &[1.0]);
    let scores = vec![f32::NAN; panel.table.n_rows()];
    let always = || vec![above(SIGNAL, f32::MIN)];
    let only = |entry: Vec<Conjunction>| PerSide {
        entry: RuleLists { stable: entry, high_lift: Vec::new() },
        exit: RuleLists::default(),
    };
    let candidate = StrategyCandidate {
        entry: Some(RuleCount { source: RuleSource::Stable, threshold: 1 }),
        exit: None,
        score: None,
        holding_bars: 1,
        stop_pct: None,
        target_pct: None,
    };
    let held_dates = |rule_set: &RuleSet| {
        let inputs = inputs(&panel, rule_set, &scores);
        let days = days_of(&inputs);
        let periods = [BacktestPeriod::development(&inputs, &days), BacktestPeriod::test(&inputs, &days)];
        let held = periods.iter().flat_map(|period| {
            let run = period.backtest(&candidate, None);
            period.equity(&run, &[], false).into_iter().filter(|point| point.exposure > 0.0).map(|point| point.day)
        });
        held.collect::<Vec<i32>>()
    };
    for followed in 0..4 {
        let rules = |idx: usize| only(if idx == followed { always() } else { Vec::new() });
        let rule_set = RuleSet { job: PerSide::default(), folds: (0..3).map(rules).collect(), last: rules(3) };
        let days = held_dates(&rule_set);
        let span =
            if followed < 3 { panel.partition.blocks[followed + 1].clone() } else { panel.partition.test.clone() };
        // A signal at a close acts on the next date.
        assert!(!days.is_empty() && days.iter().all(|&day| span.contains(&(day - 1))), "{followed}: {days:?} {span:?}");
    }
}

#[test]
fn the_result_depends_on_the_seed_and_not_on_the_number_of_threads() {
    let panel = Panel::new(7, 0.3, &[1.0]);
    let rule_set = rule_set();
    let scores = scores(&panel);
    let inputs = inputs(&panel, &rule_set, &scores);
    let results = |inputs: &StrategyInputs<'_>| {
        let found = optimize(inputs);
        (json(&found.report).to_string(), found.equity_curve)
    };
    let ours = results(&inputs);
    assert_eq!(ours, results(&StrategyInputs { n_parallel: 4, ..inputs }));
    assert_ne!(ours.0, results(&StrategyInputs { seed: 43, ..inputs }).0);
}

#[test]
fn candidates_are_distinct_and_begin_with_the_job_and_the_model() {
    let panel = Panel::new(8, 0.3, &[1.0]);
    let rule_set = rule_set();
    let scores = scores(&panel);
    let inputs = StrategyInputs { n_trials: 1000, ..inputs(&panel, &rule_set, &scores) };
    let report = optimize(&inputs).report;
    assert_eq!((report.n_candidates, report.candidates.len()), (1000, 1000));
    let base_rate = panel.labels[0].value.iter().filter(|value| **value == 1.0).count() as f64 / (2 * N_DAYS) as f64;
    assert_eq!(
        report.candidates[0].strategy,
        "entry: at least 1 job rule, exit: at least 1 job rule, held for at most 1 bar"
    );
    let drawn = space_of(&inputs).draw(2, inputs.seed);
    let one_job_rule = Some(RuleCount { source: RuleSource::Job, threshold: 1 });
    assert_eq!((drawn[0].entry, drawn[0].exit, drawn[0].score), (one_job_rule, one_job_rule, None));
    let model_alone = drawn[1];
    assert_eq!((model_alone.entry, model_alone.exit, model_alone.holding_bars), (None, None, 1));
    let share = model_alone.score_share().unwrap();
    assert!((share - base_rate).abs() < 0.06, "{share}, base rate {base_rate}");
    assert!(report.candidates[1].strategy.contains(&format!("{:.0} %", 100.0 * share)));
    let mut names: Vec<&str> = report.candidates.iter().map(|row| row.strategy.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 1000);
    let few = optimize(&StrategyInputs { n_trials: 64, ..inputs }).report;
    let figures = |row: &CandidateRow| (row.strategy.clone(), row.n_trades, row.excess_sharpe);
    let [few, many] =
        [&few.candidates[..], &report.candidates].map(|rows| rows.iter().map(figures).collect::<Vec<_>>());
    assert!(few == many[..64], "a larger budget only adds candidates");
    let chosen: Vec<&CandidateRow> = report.candidates.iter().filter(|row| row.chosen).collect();
    let highest = report.candidates.iter().filter(|row| row.n_trades >= 10).filter_map(|row| row.excess_sharpe);
    let highest = highest.map(Finite::get).fold(f64::MIN, f64::max);
    assert!(chosen.len() == 1 && chosen[0].excess_sharpe.map(Finite::get) == Some(highest), "{chosen:?}");
}

#[test]
fn a_strategy_without_round_trips_is_counted_and_not_chosen() {
    let panel = Panel::new(9, 0.3, &[1.0]);
    let scores = vec![f32::NAN; panel.table.n_rows()];
    let never = RuleSet { job: PerSide { entry: vec![above(SIGNAL, 99.0)], exit: Vec::new() }, ..RuleSet::default() };
    let found = optimize(&inputs(&panel, &never, &scores));
    let report = json(&found.report);
    assert!(report["n_candidates"].as_u64().unwrap() > 1 && report["n_eligible"] == 0, "{report}");
    for name in ["parameters", "development", "test"] {
        assert!(report[name].is_null(), "{name}");
        let tried_and_needed = numbers(report["reasons"][name].as_str().unwrap());
        assert_eq!(tried_and_needed, [found.report.n_candidates, 10], "{name}");
    }
    assert_eq!((found.verdict.verdict, found.equity_curve), (VerdictKind::Inconclusive, EquityCurve::default()));

    let found = optimize(&inputs(&panel, &RuleSet::default(), &scores));
    assert_eq!(found.report.n_candidates, 0);
    assert_eq!(found.verdict.verdict, VerdictKind::Inconclusive);
    assert!(numbers(&found.verdict.reason).is_empty(), "only the other reasons contain a number of strategies");
}

#[test]
fn a_flat_market_without_costs_has_zero_returns() {
    let mut panel = Panel::new(10, 0.3, &[1.0]);
    for bars in &mut panel.market.bars {
        for prices in [&mut bars.open, &mut bars.high, &mut bars.low, &mut bars.close] {
            prices.fill(100.0);
        }
    }
    let rule_set = rule_set();
    let scores = scores(&panel);
    let inputs = StrategyInputs { cost_bps: 0.0, ..inputs(&panel, &rule_set, &scores) };
    let test = test_period(&inputs);
    let candidate = space_of(&inputs).draw(1, 42)[0];
    let run = test.backtest(&candidate, None);
    assert!(run.trades.len() > 10 && run.mean_exposure() > 0.1);
    assert!(run.returns.iter().all(|&value| value == 0.0) && run.trades.iter().all(|trade| trade.trip.gain == 0.0));
    let report = optimize(&inputs).report;
    assert!(report.parameters.is_none() && report.n_eligible > 0, "the Sharpe ratio of constant returns is undefined");
}

fn space_of(inputs: &StrategyInputs<'_>) -> SearchSpace {
    search_space(inputs, &BacktestPeriod::development(inputs, &days_of(inputs)))
}

#[test]
fn rules_and_stops_that_can_never_apply_are_not_tried() {
    let panel = Panel::new(8, 0.3, &[1.0]);
    let rule_set = rule_set();
    let scores = scores(&panel);
    let inputs = inputs(&panel, &rule_set, &scores);
    let job_strategy = |exit_score_threshold| SearchSpace { exit_score_threshold, ..space_of(&inputs) }.draw(1, 1)[0];
    assert_eq!(job_strategy(1).exit, Some(RuleCount { source: RuleSource::Job, threshold: 1 }));
    assert_eq!(job_strategy(2).exit, None, "the job has one exit rule");
    let wide = SearchSpace { threshold_pct: 60.0, ..space_of(&inputs) }.draw(usize::MAX, 1);
    let stops: BTreeSet<u64> = wide.iter().filter_map(|it| it.stop_pct).map(|stop_pct| stop_pct as u64).collect();
    assert_eq!(stops, BTreeSet::from([60]), "a stop of 120 % is below a price of 0");
}

#[test]
fn a_strategy_that_is_always_in_differs_from_the_market_by_costs_only() {
    let panel = Panel::new(11, 0.3, &[1.0]);
    let always =
        RuleSet { job: PerSide { entry: vec![above(SIGNAL, f32::MIN)], exit: Vec::new() }, ..RuleSet::default() };
    let scores = vec![f32::NAN; panel.table.n_rows()];
    let candidate = StrategyCandidate {
        entry: Some(RuleCount { source: RuleSource::Job, threshold: 1 }),
        exit: None,
        score: None,
        holding_bars: N_DAYS,
        stop_pct: None,
        target_pct: None,
    };
    for (cost_bps, cost) in [(0.0, 0.0), (50.0, 0.005)] {
        let inputs = StrategyInputs { cost_bps, ..inputs(&panel, &always, &scores) };
        let test = test_period(&inputs);
        let run = test.backtest(&candidate, None);
        let n_dates = run.returns.len() as f64;
        // The strategy enters at the second open, so it misses one date.
        assert!((run.mean_exposure() - (1.0 - 1.0 / n_dates)).abs() < 1e-12);
        let excess = run.excess(&test.market, &ALWAYS_IN);
        let inner = &excess[2..excess.len() - 1];
        assert!(inner.iter().all(|value| value.abs() < 0.2 / ALWAYS_IN.len() as f64), "{inner:?}");
        let cheap = test_period(&StrategyInputs { cost_bps: 0.0, ..inputs }).backtest(&candidate, None);
        let fills = [1, run.returns.len() - 1].map(|idx| cheap.returns[idx] - run.returns[idx]);
        assert!(fills.iter().all(|fill| (fill - cost).abs() < 0.2 * cost + 1e-12), "{fills:?}");
    }
}

#[test]
fn the_equity_is_the_product_of_returns_and_trades_are_in_their_period() {
    let panel = Panel::new(12, 0.4, &[1.0]);
    let rule_set = rule_set();
    let scores = scores(&panel);
    let found = optimize(&inputs(&panel, &rule_set, &scores));
    let curve = &found.equity_curve;
    let before = json(&found.report)["development"].take();
    let after = json(&found.report)["test"].take();
    for (is_test, trades, period) in [(false, &curve.development_trades, before), (true, &curve.test_trades, after)] {
        let points: Vec<&EquityPoint> = curve.equity.iter().filter(|point| point.is_test == is_test).collect();
        assert_eq!(period["n_dates"], points.len());
        assert_eq!(period["performance"]["n_trades"], trades.len());
        let last = points.last().unwrap();
        for (equity, name) in
            [(last.strategy, "performance"), (last.buy_and_hold, "buy_and_hold"), (last.always_in, "always_in")]
        {
            let total = period[name]["total_return_pct"].as_f64().unwrap();
            assert!((100.0 * (equity - 1.0) - total).abs() < 1e-9, "{name}: {equity} {total}");
        }
        let days = points[0].day..=last.day;
        for trade in trades {
            let day = |bar: usize| panel.table.day[bar];
            assert!(days.contains(&day(trade.trip.entry_bar)) && days.contains(&day(trade.trip.exit_bar)));
            assert_eq!(trade.trip.entry_price, panel.market.bars[trade.symbol_idx].open[trade.trip.entry_bar]);
        }
    }
}

#[test]
fn bars_of_one_date_are_compounded_and_a_symbol_without_bars_gets_no_capital() {
    let mut panel = Panel::new(13, 0.3, &[1.0]);
    panel.partition.test = 19_100..19_167;
    // There are three bars per session, and the second symbol ends before the test period.
    let days: Vec<Vec<i32>> =
        [N_DAYS, 250].map(|n_bars| (0..n_bars).map(|bar| 19_000 + bar as i32 / 3).collect()).to_vec();
    let table = FeatureTable { symbols: panel.table.symbols.clone(), ..FeatureTable::default() };
    let rule_set = RuleSet::default();
    let inputs = StrategyInputs { table: &table, cost_bps: 0.0, ..inputs(&panel, &rule_set, &[]) };
    let test = BacktestPeriod::test(&inputs, &days);
    let flat = PortfolioRun { returns: vec![0.0; 67], exposure: vec![0.0; 67], trades: Vec::new() };
    let first_date = test.equity(&flat, &[], true)[0];
    let bars = &panel.market.bars[0];
    let growth = bars.close[302] / bars.open[300];
    assert_eq!(first_date.day, 19_100);
    assert!((first_date.always_in - growth).abs() < 1e-12, "the capital is in the symbol that has bars");
}

#[test]
fn figures_of_a_market_that_trades_on_every_day_are_annualised_with_all_days() {
    let panel = Panel::new(3, 0.4, &[1.0]);
    let rule_set = rule_set();
    let scores = scores(&panel);
    let test = &json(&optimize(&inputs(&panel, &rule_set, &scores)).report)["test"];
    let n_dates = test["n_dates"].as_f64().unwrap();
    assert_eq!(test["significance"]["years"].as_f64().unwrap(), n_dates / 365.25);
    let reason = test["always_in"]["reasons"]["annual_return_pct"].as_str().unwrap();
    assert!(reason.contains("365"), "a year of this market has 365.25 dates: {reason}");
}

#[test]
fn missing_bars_of_a_symbol_cause_no_excess_of_a_strategy_that_is_always_in() {
    let panel = Panel::new(7, 0.5, &[1.0]);
    let day = |bar: usize| panel.table.day[bar];
    // The second symbol has a gap in the test period and ends before the period does.
    let test_from = (0..N_DAYS).find(|&bar| panel.partition.test.contains(&day(bar))).unwrap();
    let bars: Vec<usize> = (0..N_DAYS - 25).filter(|bar| !(test_from + 10..test_from + 30).contains(bar)).collect();
    let mut market = panel.market.clone();
    let Bars { open, high, low, close, .. } = &mut market.bars[1];
    for column in [open, high, low, close] {
        *column = bars.iter().map(|&bar| column[bar]).collect();
    }
    let days = [(0..N_DAYS).map(day).collect(), bars.iter().map(|&bar| day(bar)).collect()];
    let table = FeatureTable { symbols: panel.table.symbols.clone(), ..FeatureTable::default() };
    let rule_set = RuleSet::default();
    let inputs = StrategyInputs { table: &table, market: &market, cost_bps: 0.0, ..inputs(&panel, &rule_set, &[]) };
    let test = BacktestPeriod::test(&inputs, &days);
    let always = StrategyCandidate {
        entry: None,
        exit: None,
        score: None,
        holding_bars: usize::MAX,
        stop_pct: None,
        target_pct: None,
    };
    let run = test.backtest(&always, None);
    let exposure = run.mean_exposure();
    assert!(exposure > 0.98, "invested from the second bar on in every symbol with bars: {exposure}");
    for (idx, excess) in run.excess(&test.market, &ALWAYS_IN).into_iter().enumerate().skip(1) {
        assert!(excess.abs() < 0.2 / ALWAYS_IN.len() as f64, "{excess} on date {idx}");
    }
}

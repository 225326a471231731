//! Claims about the sentences of mined rules and the phrases of the glossary.

use super::{
    super::describe::{condition_meaning, sentence, short_number},
    without_model, *,
};
use crate::{
    features::{self, FeatureTable},
    labels::{Label, LabelKey},
    metrics::{Finite, Reasons},
    search::SearchContext,
    splits::{Development, Splits},
};

fn label(horizon_bars: u32, threshold_pct: f64) -> Label {
    Label {
        key: LabelKey { horizon_days: horizon_bars, threshold_pct },
        horizon_bars,
        value: Vec::new(),
        forward_return_pct: [].into(),
        known_day: [].into(),
    }
}

/// Returns stats with the figures that a sentence reads: support, episodes, precision and lift.
fn stats(support: usize, episodes: usize, precision: f64, lift: f64) -> RuleStats {
    RuleStats {
        n_rows: 1000,
        support,
        episodes,
        precision: Finite::new(precision),
        base_rate: None,
        lift: Finite::new(lift),
        lift_ci95: None,
        mean_forward_return_pct: None,
        per_symbol: Vec::new(),
        reasons: Reasons::default(),
    }
}

/// Returns the stats of a condition that never held.
fn never() -> RuleStats {
    RuleStats { precision: None, lift: None, ..stats(0, 0, 0.0, 0.0) }
}

fn condition(feature_idx: usize, operator: Operator, threshold: f32) -> RuleCondition {
    RuleCondition { feature_idx, operator, threshold }
}

fn scored(conditions: Vec<RuleCondition>, selected: Result<RuleStats, UndefinedError>) -> ScoredMinedRule {
    ScoredMinedRule {
        rule: Conjunction(conditions),
        lists: vec![RuleListName::Stable, RuleListName::HighLift],
        stability: Ok(1.0),
        n_folds_found: 2,
        n_folds: 3,
        selected,
        in_sample: stats(600, 1, 0.8, 2.04),
        test: never(),
    }
}

#[test]
fn a_sentence_states_conditions_meanings_consequence_and_rows() {
    let table =
        FeatureTable { names: ["RSI_14", "ADX_14", "SMA_20"].map(str::to_owned).to_vec(), ..Default::default() };
    let rows = || Development { learn_rows: Vec::new(), train_rows: Vec::new() };
    let splits = [Splits { folds: Vec::new(), valid_rows: Vec::new(), development: rows(), test_rows: Vec::new() }];
    let features = FeatureReport::default();
    // The stable list has no walk-forward stats, so a sentence reads those of the high-lift list.
    let without = RuleListStats::default();
    let high_lift = RuleListStats { walk_forward: Some(stats(2040, 300, 0.44, 1.1)), ..RuleListStats::default() };
    let lists = SideListStats { stable: without.clone(), high_lift, folds: Vec::new() };
    let no_lists = SideListStats { stable: without.clone(), high_lift: without, folds: Vec::new() };
    let described_with = |label: &Label, side, scored: &ScoredMinedRule, lists: &SideListStats| {
        let labels = std::slice::from_ref(label);
        let search_context = SearchContext { table: &table, labels, splits: &splits, seed: 42, n_parallel: 1 };
        let search = without_model(0);
        let context = RuleContext {
            search_context: &search_context,
            search: &search,
            extractor: Err(ExtractorError::NotOpened),
            requested: no_rules(&features),
        };
        sentence(&context, side, scored, lists)
    };
    let described = |label: &Label, side, scored: &ScoredMinedRule| described_with(label, side, scored, &lists);
    let oversold = scored(vec![condition(0, Operator::AtMost, 34.6)], Ok(stats(412, 143, 0.612, 1.52)));
    assert_eq!(
        described(&label(10, 3.0), RuleSide::Entry, &oversold),
        "RSI_14 at or below 34.6: oversold; rules of the high-lift list: 1.1 × the base rate walk-forward; this rule, \
         selected: 61 % of 412 bars in 143 episodes closed 3 % or more higher 10 bars later, 1.5 × the base rate, in 2 \
         of 3 folds"
    );
    let both = vec![condition(0, Operator::Below, 38.0), condition(1, Operator::Above, 22.25)];
    assert_eq!(
        described(&label(1, 2.5), RuleSide::Exit, &scored(both, Ok(never()))),
        "RSI_14 below 38 and ADX_14 above 22.25: oversold, a strong trend; rules of the high-lift list: 1.1 × the base \
         rate walk-forward; this rule: found by 2 of 3 folds, but never true on their validation dates; on the rows that it was mined from, 80 % of 600 bars in 1 episode closed 2.5 % or \
         more lower 1 bar later, 2.0 × the base rate"
    );
    let not_found = scored(vec![condition(2, Operator::AtLeast, 1234.56)], Err(UndefinedError::because("none")));
    assert_eq!(
        described_with(&label(5, 0.0), RuleSide::Entry, &not_found, &no_lists),
        "SMA_20 at or above 1235; this rule: not found by any fold; on the rows that it was mined from, 80 % of 600 bars in 1 \
         episode closed no lower 5 bars later, 2.0 × the base rate"
    );
}

#[test]
fn numbers_have_at_most_four_significant_digits() {
    for (value, written) in [
        (34.599_998, "34.6"),
        (0.0, "0"),
        (-0.012_346, "-0.01235"),
        (1234.5, "1234"),
        (123_456.0, "123456"),
        (1_234_567_890.0, "1.235e9"),
        (-2.0, "-2"),
        (0.000_012_3, "1.230e-5"),
    ] {
        assert_eq!(short_number(value), written);
    }
}

fn meaning(feature: &str, operator: Operator, threshold: f32) -> Option<String> {
    condition_meaning(feature, &condition(0, operator, threshold), true)
}

#[test]
fn every_default_feature_except_prices_and_sums_has_phrases_for_low_and_high() {
    let mut without_phrases: Vec<String> = Vec::new();
    for feature in features::defaults() {
        let name = feature.name();
        let low = meaning(&name, Operator::AtMost, -1e6);
        let high = meaning(&name, Operator::AtLeast, 1e6);
        assert_eq!(low.is_some(), high.is_some(), "{name}");
        match low.zip(high) {
            Some((low, high)) => {
                assert_ne!(low, high, "{name}");
                assert!(![&low, &high].iter().any(|words| words.contains(['{', '}'])), "{name}: {low}, {high}");
            }
            None => without_phrases.push(feature.stem().to_owned()),
        }
    }
    without_phrases.dedup();
    let prices =
        "SMA EMA ICHIMOKU_TENKAN ICHIMOKU_KIJUN ATR BB_UPPER BB_LOWER OBV DOLLAR_VOLUME MONTH MONTH_SIN MONTH_COS";
    assert_eq!(without_phrases.join(" "), prices);
}

#[test]
fn phrases_contain_the_parameters_and_the_benchmark_of_the_feature() {
    assert_eq!(numbers(&meaning("DIST_HIGH_20", Operator::AtLeast, -1.0).unwrap()), [20]);
    assert_eq!(numbers(&meaning("EMA_CROSS_8_21", Operator::Above, 0.0).unwrap()), [8, 21]);
    assert!(meaning("BETA_QQQ_60", Operator::AtLeast, 1.5).unwrap().contains("QQQ"));
}

#[test]
fn phrases_are_left_out_where_they_would_mislead() {
    assert_eq!(meaning("RSI_14", Operator::AtMost, 34.6).unwrap(), "oversold");
    assert_eq!(meaning("RSI_14", Operator::AtMost, 70.0), None);
    assert_eq!(meaning("RSI_14", Operator::AtLeast, 35.0), None);
    assert_eq!(meaning("RSI_14", Operator::Unequal, 20.0), None);
    assert_eq!(meaning("PSAR_DIR", Operator::Equal, 0.0), None);
    let above_stop = meaning("PSAR_DIR", Operator::AtLeast, 1.0).unwrap();
    assert_eq!(meaning("PSAR_DIR", Operator::Equal, 1.0), Some(above_stop));
    assert_eq!(meaning("NO_SUCH", Operator::AtMost, 0.0), None);
    let wide = condition(0, Operator::AtMost, 9.0);
    assert_eq!(condition_meaning("NATR_14", &wide, true).unwrap(), "low volatility");
    assert_eq!(condition_meaning("NATR_14", &wide, false), None, "it holds on most rows");
}

//! Claims about the figures of significance and about the verdict, on simulated returns.

use super::*;
use crate::metrics::{Finite, Interval};

/// Decides on a strategy whose label was judged.
fn judged(development: &DevelopmentSignificance, test: &TestSignificance, n_round_trips: usize) -> Verdict {
    verdict(&VerdictInputs {
        development,
        test,
        n_round_trips,
        label_judged: true,
        n_submissions: Some(1),
        model: None,
    })
}

const N_DATES: usize = 250;

/// Marks every candidate as eligible to be chosen.
fn all(candidates: &[Vec<f64>]) -> Vec<bool> {
    vec![true; candidates.len()]
}

/// Draws standard normal numbers with a correlation of `carry` between neighbours.
fn normal(seed: u64, n: usize, carry: f64) -> Vec<f64> {
    let mut random = Random::new(seed, "excess");
    let mut last = 0.0;
    let mut draw = || {
        let fresh = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        last = carry * last + (1.0 - carry * carry).sqrt() * fresh;
        last
    };
    (0..n).map(|_| draw()).collect()
}

/// Draws excess returns with a deviation of 1 % and the given Sharpe ratio per date.
fn excess(seed: u64, sharpe: f64, carry: f64) -> Vec<f64> {
    normal(seed, N_DATES, carry).iter().map(|value| 0.01 * (value + sharpe)).collect()
}

fn tested(excess: &[f64], block_dates: usize) -> TestSignificance {
    test(&TestReturns { excess, n_round_trips: 20, dates_per_year: 250.0, block_dates, seed: 7 })
}

fn psr(excess: &[f64]) -> f64 {
    Moments::from_returns(excess).unwrap().probabilistic_sharpe(0.0).unwrap()
}

fn share(n: u64, holds: impl Fn(u64) -> bool) -> f64 {
    (0..n).filter(|seed| holds(*seed)).count() as f64 / n as f64
}

#[test]
fn the_confidence_is_reached_by_2_5_percent_of_strategies_without_an_edge() {
    let passed = share(8_000, |seed| psr(&excess(seed, 0.0, 0.0)) >= CONFIDENCE);
    // The tolerance is three standard deviations of a binomial share of 0.025.
    assert!((passed - 0.025).abs() < 3.0 * (0.025 * 0.975 / 8_000_f64).sqrt(), "{passed}");
    let found = share(200, |seed| psr(&excess(seed, 0.25, 0.0)) >= CONFIDENCE);
    assert!(found > 0.95, "{found}");
}

#[test]
fn the_intervals_contain_the_true_value_in_about_95_percent_of_samples() {
    let contains = |interval: Option<Interval>, value: f64| {
        let Interval(low, high) = interval.unwrap();
        low.get() <= value && value <= high.get()
    };
    // 250 dates are 50, 25, 10 or 5 blocks. The largest number of blocks has the narrowest interval.
    for block_dates in [5, 10, 25, 50] {
        let covered = |seed| {
            let found = tested(&excess(seed, 0.1, 0.0), block_dates);
            // A mean of 0.001 on 250 dates is 25 % per year; 0.1 deviations per date is a Sharpe
            // ratio of 1.58 per year.
            (contains(found.excess_ci95, 25.0), contains(found.excess_sharpe_ci95, 0.1 * 250_f64.sqrt()))
        };
        let covered: Vec<(bool, bool)> = (0..300).map(covered).collect();
        let share = |holds: fn(&(bool, bool)) -> bool| covered.iter().filter(|it| holds(it)).count() as f64 / 300.0;
        let (mean_coverage, sharpe_coverage) = (share(|it| it.0), share(|it| it.1));
        let expected = 0.9..0.99;
        assert!(
            expected.contains(&mean_coverage) && expected.contains(&sharpe_coverage),
            "{mean_coverage}, {sharpe_coverage} at blocks of {block_dates} dates"
        );
    }
}

#[test]
fn a_block_of_returns_has_the_cube_root_of_the_dates() {
    assert_eq!([0, 1, 8, 100, 250, 1_000].map(return_block_dates), [1, 1, 2, 5, 6, 10]);
}

/// docs/statistics.md warns of this: the formula assumes independent returns, whereas the block
/// bootstrap of the interval does not.
#[test]
fn correlated_returns_widen_the_interval_and_make_the_formula_too_confident() {
    let passed = share(2_000, |seed| psr(&excess(seed, 0.0, 0.5)) >= CONFIDENCE);
    assert!(passed > 0.08, "{passed}");
    let width = |block_dates| tested(&excess(1, 0.0, 0.5), block_dates).excess_ci95.unwrap().half_width();
    assert!(width(20) > 1.3 * width(1), "{} and {}", width(20), width(1));
}

#[test]
fn the_test_figures_equal_their_formulae() {
    let excess = [0.01, -0.01, 0.03, 0.01, 0.06];
    let found = test(&TestReturns { excess: &excess, n_round_trips: 3, dates_per_year: 50.0, block_dates: 1, seed: 1 });
    let is_close = |found: Option<Finite>, expected: f64| (found.unwrap().get() - expected).abs() < 1e-9;
    assert!(is_close(found.excess_pct_a_year, 100.0) && is_close(found.years, 0.1) && found.n_dates == 5);
    assert!(is_close(found.excess_sharpe, 2.0 / 7_f64.sqrt() * 50_f64.sqrt()));
    let moments = Moments::from_returns(&excess).unwrap();
    assert!(is_close(found.probabilistic_sharpe, moments.probabilistic_sharpe(0.0).unwrap()));
    assert!(is_close(found.min_track_length_dates, moments.min_track_length(0.0, 0.975).unwrap()));
    assert!(is_close(found.years_needed, found.min_track_length_dates.unwrap().get() / 50.0));
    assert!(found.excess_ci95.is_some() && found.reasons.is_empty());
}

#[test]
fn the_best_of_many_tries_is_deflated() {
    let candidates: Vec<Vec<f64>> = (0..64).map(|seed| excess(seed, 0.0, 0.0)).collect();
    let sharpe = |idx: &usize| sharpe_ratio(&candidates[*idx]).unwrap();
    let best = (0..64).max_by(|a, b| sharpe(a).total_cmp(&sharpe(b))).unwrap();
    let found = development(&candidates, &all(&candidates), best);
    let deflated = found.deflated_sharpe.unwrap().get();
    assert!(psr(&candidates[best]) > 0.95 && deflated < 0.9, "{deflated}");
    assert!(found.expected_max_sharpe > Finite::new(0.1) && found.sharpe == Finite::new(sharpe(&best)));
    assert!(found.pbo.is_some() && found.reasons.is_empty());
    let alone = development(&candidates[best..best + 1], &[true], 0);
    assert_eq!(alone.deflated_sharpe, Finite::new(psr(&candidates[best])), "a single try is not deflated");
}

#[test]
fn candidates_that_never_traded_count_as_tries_without_reducing_the_variance() {
    let mut candidates: Vec<Vec<f64>> = (0..8).map(|seed| excess(seed, 0.0, 0.0)).collect();
    let before = development(&candidates, &all(&candidates), 0).expected_max_sharpe.unwrap();
    candidates.extend(vec![vec![0.0; N_DATES]; 8]);
    assert!(development(&candidates, &all(&candidates), 0).expected_max_sharpe.unwrap() > before);
}

#[test]
fn idle_strategies_do_not_lower_the_probability_of_overfitting() {
    // All candidates have the same expected gain, so the choice among them is chance.
    let mut candidates: Vec<Vec<f64>> = (0..32).map(|seed| excess(seed, 0.1, 0.0)).collect();
    let before = development(&candidates, &all(&candidates), 0).pbo.unwrap();
    let mut is_eligible = all(&candidates);
    candidates.extend(vec![vec![0.0; N_DATES]; 32]);
    is_eligible.extend([false; 32]);
    assert_eq!(development(&candidates, &is_eligible, 0).pbo, Some(before));
    let with_idle = development(&candidates, &all(&candidates), 0).pbo.unwrap();
    assert!(with_idle < before, "{with_idle:?} and {before:?}");
}

#[test]
fn every_null_has_a_reason() {
    let none = serde_json::to_value(development(&[], &[], 0)).unwrap();
    let idle = serde_json::to_value(tested(&[0.0; 30], 5)).unwrap();
    let empty = serde_json::to_value(tested(&[], 5)).unwrap();
    let short = serde_json::to_value(tested(&[0.01, 0.02], 5)).unwrap();
    let loss = serde_json::to_value(tested(&excess(1, -0.5, 0.0), 5)).unwrap();
    for (block, n_nulls) in [(none, 4), (idle, 6), (empty, 7), (short, 2), (loss, 2)] {
        let fields = block.as_object().unwrap();
        let nulls: Vec<&String> = fields.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect();
        assert_eq!(nulls.len(), n_nulls, "{block}");
        assert!(nulls.iter().all(|name| block["reasons"][name.as_str()].is_string()), "{block}");
    }
}

fn interval(low: f64, high: f64) -> Option<Interval> {
    Some(Interval(Finite::new(low)?, Finite::new(high)?))
}

/// Returns figures that all support an edge.
fn figures() -> (DevelopmentSignificance, TestSignificance) {
    let development = DevelopmentSignificance { pbo: Finite::new(0.1), ..DevelopmentSignificance::default() };
    let test = TestSignificance {
        years: Finite::new(1.0),
        excess_pct_a_year: Finite::new(3.12),
        excess_ci95: interval(0.4, 5.84),
        probabilistic_sharpe: Finite::new(0.991),
        years_needed: Finite::new(0.7),
        ..TestSignificance::default()
    };
    (development, test)
}

#[test]
fn an_edge_needs_every_figure_and_the_reason_contains_the_decisive_one() {
    let (development, test) = figures();
    let verdict_after = |change: &dyn Fn(&mut DevelopmentSignificance, &mut TestSignificance), n_round_trips| {
        let mut development = development.clone();
        let mut test = test.clone();
        change(&mut development, &mut test);
        let Verdict { verdict, reason } = judged(&development, &test, n_round_trips);
        (verdict, reason)
    };
    let gain = "the mean excess over holding the market at equal exposure is +3.1 % per year";
    let edge = |rest: &str| (VerdictKind::Edge, format!("{gain}{rest}"));
    let inconclusive = |rest: &str| (VerdictKind::Inconclusive, format!("{gain}, but {rest}"));
    assert_eq!(
        verdict_after(&|_, _| (), 10),
        edge(" over 10 round trips, and the probability that it is more than chance is 0.991")
    );
    assert_eq!(
        verdict_after(&|_, _| (), 9),
        inconclusive("it comes from 9 round trips, and at least 10 are needed to rule out luck")
    );
    assert_eq!(verdict_after(&|_, test| test.probabilistic_sharpe = Finite::new(0.975), 10).0, VerdictKind::Edge);
    let weak = |_: &mut DevelopmentSignificance, test: &mut TestSignificance| {
        test.probabilistic_sharpe = Finite::new(0.974_9);
        test.years_needed = Finite::new(6.2);
    };
    assert_eq!(
        verdict_after(&weak, 10),
        inconclusive(
            "at this Sharpe ratio 6.2 years of test are needed to distinguish it from chance, and the test has 1.0"
        )
    );
    assert_eq!(
        verdict_after(&|development, _| development.pbo = Finite::new(0.5), 10),
        inconclusive(
            "the strategy that was best on one half of the development dates was not above the median of all tries on \
             the other half in 50 % of the ways to halve them; less than 50 % is required"
        )
    );
    assert_eq!(
        verdict_after(&|_, test| test.excess_ci95 = interval(-0.25, 6.5), 10),
        inconclusive("the 95 % interval of the excess begins at -0.2 % per year, and more than 0 is required")
    );
    assert_eq!(verdict_after(&|_, test| test.excess_ci95 = interval(0.0, 6.2), 10).0, VerdictKind::Inconclusive);
    let inputs = VerdictInputs {
        development: &development,
        test: &test,
        n_round_trips: 10,
        label_judged: true,
        n_submissions: Some(1),
        model: None,
    };
    let unjudged = verdict(&VerdictInputs { label_judged: false, ..inputs });
    assert_eq!(
        (unjudged.verdict, unjudged.reason),
        inconclusive("too few rows have the label to judge it, so the model behind the strategy was not judged")
    );
    let after_submissions = |n_submissions| {
        let Verdict { verdict, reason } = verdict(&VerdictInputs { n_submissions, ..inputs });
        (verdict, reason)
    };
    assert_eq!(after_submissions(Some(2)).0, VerdictKind::Edge);
    assert_eq!(
        after_submissions(Some(3)),
        inconclusive(
            "the probability that it is more than chance is 0.99100, and 0.99167 is required because 3 different \
             designs were tested on the same test period"
        )
    );
    assert_eq!(
        after_submissions(None),
        inconclusive("the number of designs that were tested on the same test period is unknown")
    );
    let after_chance = |auc_p, surrogates_p| {
        let model = Some(ModelChance { auc_p, surrogates_p });
        let Verdict { verdict, reason } = verdict(&VerdictInputs { model, ..inputs });
        (verdict, reason)
    };
    assert_eq!(after_chance(Some(0.05), None).0, VerdictKind::Edge);
    // scipy.stats.combine_pvalues([0.17, 0.05]) is 0.04903, and with 0.18 it is 0.05139.
    assert_eq!(after_chance(Some(0.17), Some(0.05)).0, VerdictKind::Edge);
    assert_eq!(after_chance(Some(0.01), Some(0.85)).0, VerdictKind::Edge);
    let may_be_chance = |p: &str| {
        inconclusive(&format!(
            "it follows the scores of a model that may be chance: chance reaches its validation score and its AUC of the \
             test period with a combined probability of {p}, and at most 0.05 is required"
        ))
    };
    assert_eq!(after_chance(Some(0.5), Some(0.05)), may_be_chance("0.12"));
    assert_eq!(after_chance(Some(0.39), None), may_be_chance("0.39"));
    assert_eq!(
        after_chance(None, Some(0.05)),
        inconclusive("it follows the scores of a model whose AUC was not compared with chance")
    );
    let idle = verdict_after(&|_, test| test.excess_pct_a_year = Finite::new(-0.0), 0);
    let loss = verdict_after(&|_, test| test.excess_pct_a_year = Finite::new(-2.0), 50);
    assert_eq!((idle.0, loss.0), (VerdictKind::NoEdge, VerdictKind::NoEdge));
    assert_eq!(
        (idle.1.contains("-0.0"), loss.1.contains("-2.0")),
        (false, true),
        "the figure decides only if the strategy traded"
    );
}

#[test]
fn a_missing_figure_is_never_an_edge_and_the_verdict_contains_its_reason() {
    let gain: Vec<f64> = excess(2, 0.3, 0.0);
    let (sufficient, _) = figures();
    assert_eq!(judged(&sufficient, &tested(&gain, 5), 50).verdict, VerdictKind::Edge);
    let assert_inconclusive = |development: &DevelopmentSignificance, test: &TestSignificance, reason: Option<&str>| {
        let found = judged(development, test, 50);
        assert_eq!(found.verdict, VerdictKind::Inconclusive);
        assert!(found.reason.ends_with(reason.unwrap()), "{}", found.reason);
    };
    let nothing_tried = development(&[], &[], 0);
    assert_inconclusive(&nothing_tried, &tested(&gain, 5), nothing_tried.reasons.get("pbo"));
    let constant = tested(&[0.01; 60], 5);
    assert_inconclusive(&sufficient, &constant, constant.reasons.get("probabilistic_sharpe"));
    // Fewer than four blocks have no interval, whatever the probability.
    let few_blocks = tested(&gain, 80);
    assert!(few_blocks.probabilistic_sharpe > Finite::new(CONFIDENCE));
    assert_inconclusive(&sufficient, &few_blocks, few_blocks.reasons.get("excess_ci95"));
    let empty = tested(&[], 5);
    assert_inconclusive(&sufficient, &empty, empty.reasons.get("excess_pct_a_year"));
}

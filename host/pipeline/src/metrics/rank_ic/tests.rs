//! Claims about the rank IC, with golden values from SciPy.

use serde::Deserialize;

use super::*;

/// Golden values, written by `tests/golden/rank_ic.py`.
const GOLDEN: &str = include_str!("../../../tests/golden/rank_ic.json");

#[derive(Deserialize)]
struct GoldenPanel {
    scores: Vec<f32>,
    forward_returns: Vec<f64>,
    dates: Vec<i32>,
    correlations: Vec<f64>,
    mean: f64,
}

fn golden() -> Vec<GoldenPanel> {
    serde_json::from_str(GOLDEN).unwrap()
}

impl GoldenPanel {
    fn rows(&self) -> RankIcRows<'_> {
        RankIcRows { scores: &self.scores, forward_returns: &self.forward_returns, dates: &self.dates }
    }
}

#[test]
fn the_correlation_of_each_date_and_their_mean_equal_those_of_scipy() {
    let panels = golden();
    assert_eq!(panels.len(), 3);
    for panel in panels {
        let found = correlations(&panel.rows());
        assert_eq!(found.len(), panel.correlations.len());
        for (found, expected) in found.iter().zip(&panel.correlations) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        let ic = rank_ic(&panel.rows(), 2, 1).unwrap();
        assert!((ic.mean - panel.mean).abs() < 1e-12 && ic.n_dates == panel.correlations.len(), "{ic:?}");
    }
}

#[test]
fn the_order_of_rows_does_not_change_the_rank_ic() {
    let panel = &golden()[0];
    let reversed = GoldenPanel {
        scores: panel.scores.iter().rev().copied().collect(),
        forward_returns: panel.forward_returns.iter().rev().copied().collect(),
        dates: panel.dates.iter().rev().copied().collect(),
        correlations: Vec::new(),
        mean: 0.0,
    };
    let [ours, theirs] = [panel, &reversed].map(|panel| rank_ic(&panel.rows(), 2, 1).unwrap());
    assert!((ours.mean - theirs.mean).abs() < 1e-12 && ours.n_dates == theirs.n_dates);
}

#[test]
fn a_perfect_order_has_1_and_its_reverse_has_minus_1() {
    let rising: Vec<f64> = (0..10).map(f64::from).collect();
    for (sign, expected) in [(1.0, 1.0), (-1.0, -1.0)] {
        let scores: Vec<f32> = (0..10).map(|row| sign * row as f32).collect();
        let rows = RankIcRows { scores: &scores, forward_returns: &rising, dates: &[0, 0, 0, 0, 0, 1, 1, 1, 1, 1] };
        let ic = rank_ic(&rows, 1, 1).unwrap();
        assert!((ic.mean - expected).abs() < 1e-12 && ic.n_dates == 2);
        assert!(ic.ci95.is_err(), "two dates are too few blocks");
    }
}

#[test]
fn a_date_of_equal_scores_counts_as_0_and_a_date_of_four_symbols_is_left_out() {
    let returns: Vec<f64> = (0..14).map(f64::from).collect();
    let dates = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2];
    let scores = [0.0, 1.0, 2.0, 3.0, 4.0, 7.0, 7.0, 7.0, 7.0, 7.0, 0.0, 1.0, 2.0, 3.0];
    let rows = RankIcRows { scores: &scores, forward_returns: &returns, dates: &dates };
    let ic = rank_ic(&rows, 1, 1).unwrap();
    assert_eq!((ic.mean, ic.n_dates), (0.5, 2));
    let equal_returns = RankIcRows { forward_returns: &[1.0; 14], ..rows };
    let reason = rank_ic(&equal_returns, 1, 1).unwrap_err().to_string();
    assert_eq!(reason, "found no date with 5 or more scored symbols whose returns differ, expected at least one");
    let missing = RankIcRows { scores: &[f32::NAN; 14], ..rows };
    assert!(rank_ic(&missing, 1, 1).is_err());
}

/// Draws a panel in which forward returns of `horizon` dates overlap, as those of labels do.
fn overlapping(seed: u64, n_dates: usize, horizon: usize) -> (Vec<f32>, Vec<f64>, Vec<i32>) {
    const N_SYMBOLS: usize = 6;
    let mut random = Random::new(seed, "panel");
    let mut normal = || (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
    let (mut scores, mut changes, mut dates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..N_SYMBOLS {
        let daily: Vec<f64> = (0..n_dates + horizon).map(|_| normal()).collect();
        let mut score = normal();
        for date in 0..n_dates {
            // The score of a symbol changes slowly, as features over long windows do.
            score = 0.95 * score + (1.0 - 0.95_f64.powi(2)).sqrt() * normal();
            scores.push(score as f32);
            changes.push(daily[date..date + horizon].iter().sum());
            dates.push(date as i32);
        }
    }
    (scores, changes, dates)
}

#[test]
fn the_interval_contains_0_in_about_95_percent_of_panels_without_a_relation() {
    const N_PANELS: u64 = 300;
    let contains = |seed: &u64| {
        let (scores, changes, dates) = overlapping(*seed, 100, 5);
        let rows = RankIcRows { scores: &scores, forward_returns: &changes, dates: &dates };
        let Interval(low, high) = rank_ic(&rows, 10, 1).unwrap().ci95.unwrap();
        low.get() <= 0.0 && 0.0 <= high.get()
    };
    let coverage = (0..N_PANELS).filter(contains).count() as f64 / N_PANELS as f64;
    assert!((0.9..0.99).contains(&coverage), "{coverage}");
}

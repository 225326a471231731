//! The excess over the market at equal exposure, on strategies without an edge.

use super::super::portfolio::PortfolioRun;
use crate::metrics::Random;

fn run(returns: &[f64], exposure: &[f64]) -> PortfolioRun {
    PortfolioRun { returns: returns.to_vec(), exposure: exposure.to_vec(), trades: Vec::new() }
}

#[test]
fn the_market_is_held_at_the_mean_exposure_of_all_earlier_dates() {
    let run = run(&[0.0, 0.01, 0.02, 0.0], &[0.0, 1.0, 1.0, 0.0]);
    let market = [0.06; 4];
    let assert_close = |found: &[f64], expected: &[f64]| {
        let is_close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-15);
        assert!(is_close && found.len() == expected.len(), "{found:?} {expected:?}");
    };
    assert_close(&run.matched_market(&market, &[]), &[0.0, 0.0, 0.03, 0.04]);
    assert_close(&run.matched_market(&market, &[1.0, 1.0]), &[0.06, 0.04, 0.045, 0.048]);
    assert_close(&run.excess(&market, &[]), &[0.0, 0.01, -0.01, -0.04]);
}

#[test]
fn the_excess_of_a_date_does_not_depend_on_later_dates() {
    let returns: Vec<f64> = (0..50).map(|date| 0.01 * f64::from(date % 7) - 0.02).collect();
    let exposure: Vec<f64> = (0..50).map(|date| f64::from(date % 3) / 2.0).collect();
    let market: Vec<f64> = (0..50).map(|date| 0.01 * f64::from(date % 5) - 0.02).collect();
    let all = run(&returns, &exposure).excess(&market, &[0.5, 0.25]);
    for n_dates in 0..50 {
        let earlier = run(&returns[..n_dates], &exposure[..n_dates]).excess(&market[..n_dates], &[0.5, 0.25]);
        assert_eq!(earlier, all[..n_dates]);
    }
}

/// Returns the mean of some values, and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n * (n - 1.0))).sqrt())
}

/// Past prices of a short window lie above or below the window's own mean, to which they return in
/// hindsight (Stambaugh, *Predictive Regressions*, 1999). A comparison with the window's own mean
/// exposure rewards that.
#[test]
fn a_strategy_that_buys_dips_of_a_random_walk_has_no_excess() {
    const N_WALKS: usize = 3_000;
    const LOOK_BACK: usize = 60;
    const N_HISTORY: usize = 300;
    const N_DATES: usize = 102;
    let mut random = Random::new(1, "walks");
    let mut matched = Vec::new();
    let mut matched_in_hindsight = Vec::new();
    for _ in 0..N_WALKS {
        let n_dates = LOOK_BACK + N_HISTORY + N_DATES;
        let changes: Vec<f64> =
            (0..n_dates).map(|_| 0.015 * ((0..12).map(|_| random.unit()).sum::<f64>() - 6.0)).collect();
        let is_dip = |date: usize| changes[date - LOOK_BACK..date].iter().sum::<f64>() < 0.0;
        let exposure: Vec<f64> = (LOOK_BACK..n_dates).map(|date| f64::from(u8::from(is_dip(date)))).collect();
        let (history, exposure) = exposure.split_at(N_HISTORY);
        let market = &changes[LOOK_BACK + N_HISTORY..];
        let returns: Vec<f64> = exposure.iter().zip(market).map(|(exposure, change)| exposure * change).collect();
        let run = run(&returns, exposure);
        let annual_pct = |excess: f64| 252.0 * 100.0 * excess / N_DATES as f64;
        matched.push(annual_pct(run.excess(market, history).iter().sum()));
        let own_mean = run.mean_exposure();
        matched_in_hindsight
            .push(annual_pct(returns.iter().zip(market).map(|(ours, market)| ours - own_mean * market).sum()));
    }
    let (mean, error) = mean_and_error(&matched);
    assert!(mean.abs() < 3.0 * error, "{mean} ± {error} % per year");
    let (biased, error) = mean_and_error(&matched_in_hindsight);
    assert!(biased > 3.0 + 3.0 * error, "{biased} ± {error} % per year");
}

//! Claims about Sharpe ratios, with the numerical examples of the papers.

use super::*;

fn moments(n_returns: usize, sharpe: f64, skewness: f64, kurtosis: f64) -> Moments {
    Moments { n_returns, sharpe, skewness, kurtosis }
}

fn normal(n_returns: usize, sharpe: f64) -> Moments {
    moments(n_returns, sharpe, 0.0, 3.0)
}

/// Returns whether a figure, rounded to the printed number of digits, equals the figure in a paper.
fn prints(value: Result<f64, UndefinedError>, printed: &str) -> bool {
    let n_digits = printed.split_once('.').map_or(0, |(_, digits)| digits.len());
    format!("{:.n_digits$}", value.unwrap()) == printed
}

/// The numerical example of Bailey and López de Prado, *The Deflated Sharpe Ratio*, Journal of
/// Portfolio Management 40 (2014): 100 trials whose annual Sharpe ratios have a variance of 1/2.
/// The best has an annual Sharpe ratio of 2.5 over 1,250 days with 250 days per year, a skewness of
/// −3 and a kurtosis of 10. The paper prints 0.1132 and 0.9004.
#[test]
fn the_deflated_sharpe_ratio_equals_the_example_of_the_paper() {
    let benchmark = expected_max_sharpe(100, 0.5 / 250.0);
    assert!(prints(benchmark.clone(), "0.1132"), "{benchmark:?}");
    let deflated = moments(1250, 2.5 / 250_f64.sqrt(), -3.0, 10.0).probabilistic_sharpe(benchmark.unwrap());
    assert!(prints(deflated.clone(), "0.9004"), "{deflated:?}");
}

/// An example of Bailey and López de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk
/// 15 (2012): 24 monthly returns of a hedge fund with a monthly Sharpe ratio of 0.458. The paper
/// prints 0.982 under the assumption of a normal distribution, and 0.913 with the actual skewness
/// of −2.448 and kurtosis of 10.164.
#[test]
fn the_probabilistic_sharpe_ratio_equals_the_example_of_the_paper() {
    assert!(prints(normal(24, 0.458).probabilistic_sharpe(0.0), "0.982"));
    assert!(prints(moments(24, 0.458, -2.448, 10.164).probabilistic_sharpe(0.0), "0.913"));
}

/// Examples of *The Sharpe Ratio Efficient Frontier*: the number of years after which an annual
/// Sharpe ratio of 2 differs from 1 with 95 % confidence. The paper prints 2.73 for daily, 2.83 for
/// weekly and 3.24 for monthly returns, and 4.99 for monthly returns with a skewness of −0.72 and a
/// kurtosis of 5.78.
#[test]
fn the_minimum_track_record_length_equals_the_examples_of_the_paper() {
    let years = |a_year: f64, skewness: f64, kurtosis: f64| {
        let found = moments(2, 2.0 / a_year.sqrt(), skewness, kurtosis);
        found.min_track_length(1.0 / a_year.sqrt(), 0.95).map(|length| length / a_year)
    };
    assert!(prints(years(252.0, 0.0, 3.0), "2.73"));
    assert!(prints(years(52.0, 0.0, 3.0), "2.83"));
    assert!(prints(years(12.0, 0.0, 3.0), "3.24"));
    assert!(prints(years(12.0, -0.72, 5.78), "4.99"));
}

#[test]
fn moments_equal_those_of_a_sample_computed_by_hand() {
    let found = Moments::from_returns(&[0.01, -0.01, 0.03, 0.01, 0.06]).unwrap();
    // The mean is 0.02. In units of 0.01 the deviations are −1, −3, 1, −1, 4, so the second moment
    // is 28/5, the third 36/5 and the fourth 340/5.
    assert_eq!(found.n_returns, 5);
    assert!((found.sharpe - 2.0 / 7_f64.sqrt()).abs() < 1e-12);
    assert!((found.skewness - 7.2 / 5.6_f64.powf(1.5)).abs() < 1e-12);
    assert!((found.kurtosis - 68.0 / 5.6_f64.powi(2)).abs() < 1e-12);
}

#[test]
fn a_track_of_the_minimum_length_just_reaches_the_confidence() {
    let found = moments(2, 0.1, -1.0, 8.0);
    let length = found.min_track_length(0.02, 0.975).unwrap();
    let with = |n_returns: f64| Moments { n_returns: n_returns as usize, ..found }.probabilistic_sharpe(0.02).unwrap();
    assert!(with(length.floor()) < 0.975 && 0.975 < with(length.ceil()), "{length}");
}

#[test]
fn significance_rises_with_sharpe_length_and_skewness_and_falls_with_kurtosis_and_tries() {
    let base = moments(250, 0.08, -0.5, 6.0);
    let psr = |moments: Moments| moments.probabilistic_sharpe(0.0).unwrap();
    assert!(psr(Moments { sharpe: 0.09, ..base }) > psr(base));
    assert!(psr(Moments { n_returns: 251, ..base }) > psr(base));
    assert!(psr(Moments { skewness: -0.4, ..base }) > psr(base));
    assert!(psr(Moments { kurtosis: 7.0, ..base }) < psr(base));
    let expected: Vec<f64> = (1..=128).map(|n| expected_max_sharpe(n, 0.01).unwrap()).collect();
    assert!(expected.windows(2).all(|pair| pair[0] < pair[1]), "{expected:?}");
    assert!(base.probabilistic_sharpe(expected[99]).unwrap() < base.probabilistic_sharpe(expected[9]).unwrap());
}

/// The exact values are the expected largest of n standard normal numbers (Harter, *Expected Values
/// of Normal Order Statistics*, Biometrika 48, 1961).
#[test]
fn the_expected_maximum_is_near_the_exact_normal_order_statistic() {
    for (n, exact) in [(10, 1.538_75), (50, 2.249_07), (100, 2.507_59)] {
        let found = expected_max_sharpe(n, 1.0).unwrap();
        assert!((found / exact - 1.0).abs() < 0.03, "{n}: {found}, exact {exact}");
    }
}

#[test]
fn an_undefined_sharpe_ratio_is_an_error_with_a_reason() {
    let reason = |returns: &[f64]| sharpe_ratio(returns).unwrap_err().to_string();
    assert_eq!(reason(&[0.01]), "found 1 returns, expected at least 2 for a Sharpe ratio");
    assert_eq!(reason(&[0.0; 9]), "the returns are constant");
    assert_eq!(reason(&[0.1; 9]), reason(&[0.0; 9]), "constant despite the rounding error of the sum");
    assert!(Moments::from_returns(&[0.1; 9]).is_err());
    assert!(moments(9, 1.0, 2.0, 5.0).probabilistic_sharpe(0.0).is_err(), "the variance 1 − 2 + 1 is 0");
    let no_length = normal(100, -0.02).min_track_length(0.0, 0.975).unwrap_err().to_string();
    assert_eq!(no_length, "found a Sharpe ratio of -0.0200, expected more than 0");
    assert!(normal(100, 0.1).min_track_length(0.0, 1.0).is_err());
    assert_eq!(expected_max_sharpe(0, 1.0).unwrap_err().to_string(), "no strategy was tried");
    assert_eq!(expected_max_sharpe(1, 1.0), Ok(0.0));
}

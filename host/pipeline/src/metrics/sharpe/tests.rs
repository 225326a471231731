use super::*;

fn moments(n_returns: usize, sharpe: f64, skewness: f64, kurtosis: f64) -> Moments {
    Moments { n_returns, sharpe, skewness, kurtosis }
}

fn normal(n_returns: usize, sharpe: f64) -> Moments {
    moments(n_returns, sharpe, 0.0, 3.0)
}

/// Whether a figure prints as a paper prints it.
fn prints(value: Result<f64, Undefined>, printed: &str) -> bool {
    let n_digits = printed.split_once('.').map_or(0, |(_, digits)| digits.len());
    format!("{:.n_digits$}", value.unwrap()) == printed
}

/// Bailey and López de Prado, *The Deflated Sharpe Ratio*, Journal of Portfolio Management 40 (2014), the numerical
/// example: 100 trials whose annual Sharpe ratios have a variance of 1/2; the best has 2.5 a year over 1,250 days of 250
/// a year, a skewness of −3 and a kurtosis of 10. Printed there: 0.1132 and 0.9004.
#[test]
fn the_deflated_sharpe_ratio_is_that_of_the_papers_example() {
    let benchmark = expected_max_sharpe(100, 0.5 / 250.0);
    assert!(prints(benchmark.clone(), "0.1132"), "{benchmark:?}");
    let deflated = moments(1250, 2.5 / 250_f64.sqrt(), -3.0, 10.0).probabilistic_sharpe(benchmark.unwrap());
    assert!(prints(deflated.clone(), "0.9004"), "{deflated:?}");
}

/// Bailey and López de Prado, *The Sharpe Ratio Efficient Frontier*, Journal of Risk 15 (2012): two years of a hedge
/// fund's months at 0.458 a month. Printed there: 0.982 where they are taken for normal, 0.913 with their skewness of
/// −2.448 and kurtosis of 10.164.
#[test]
fn the_probabilistic_sharpe_ratio_is_that_of_the_papers_example() {
    assert!(prints(normal(24, 0.458).probabilistic_sharpe(0.0), "0.982"));
    assert!(prints(moments(24, 0.458, -2.448, 10.164).probabilistic_sharpe(0.0), "0.913"));
}

/// The same paper: years until an annual Sharpe ratio of 2 is told from 1 at 95 %. Printed there: 2.73 with days, 2.83
/// with weeks, 3.24 with months, 4.99 with months of a skewness of −0.72 and a kurtosis of 5.78.
#[test]
fn the_minimum_track_record_length_is_that_of_the_papers_examples() {
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
fn moments_are_those_of_a_hand_computed_sample() {
    let found = Moments::from_returns(&[0.01, -0.01, 0.03, 0.01, 0.06]).unwrap();
    // Mean 0.02, deviations −1, −3, 1, −1, 4 hundredths: second moment 28/5, third 36/5, fourth 340/5 of them.
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
fn trust_grows_with_sharpe_ratio_length_and_skewness_and_falls_with_kurtosis_and_tries() {
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

/// Means of the largest of n standard normal numbers, exact to the digits given (Harter, 1961, Biometrika 48).
#[test]
fn the_expected_maximum_is_near_that_of_normal_order_statistics() {
    for (n, exact) in [(10, 1.538_75), (50, 2.249_07), (100, 2.507_59)] {
        let found = expected_max_sharpe(n, 1.0).unwrap();
        assert!((found / exact - 1.0).abs() < 0.03, "{n}: {found}, exact {exact}");
    }
}

#[test]
fn an_undefined_sharpe_ratio_gives_the_reason() {
    let reason = |returns: &[f64]| sharpe_ratio(returns).unwrap_err().to_string();
    assert_eq!(reason(&[0.01]), "1 returns, a Sharpe ratio needs 2");
    assert_eq!(reason(&[0.0; 9]), "the returns never differ");
    assert_eq!(reason(&[0.1; 9]), reason(&[0.0; 9]), "though nine tenths do not sum exactly");
    assert!(Moments::from_returns(&[0.1; 9]).is_err());
    assert!(moments(9, 1.0, 2.0, 5.0).probabilistic_sharpe(0.0).is_err(), "1 − 2 + 1 is no error");
    let no_length = normal(100, -0.02).min_track_length(0.0, 0.975).unwrap_err().to_string();
    assert_eq!(no_length, "a Sharpe ratio of -0.0200 is not above 0: no length tells it");
    assert!(normal(100, 0.1).min_track_length(0.0, 1.0).is_err());
    assert_eq!(expected_max_sharpe(0, 1.0).unwrap_err().to_string(), "no strategy was tried");
    assert_eq!(expected_max_sharpe(1, 1.0), Ok(0.0));
}

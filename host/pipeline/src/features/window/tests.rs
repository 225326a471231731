//! Tests of moving windows: each agrees with a direct computation from the values of its window.

use proptest::prelude::*;

use super::*;

const TOLERANCE: f64 = 1e-9;

/// Computes a figure from the window of `n` bars that ends at each bar.
fn rolling(values: &[f64], n: usize, figure: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let mut out = undefined(n - 1, values.len());
    out.extend(values.windows(n).map(figure));
    out
}

/// Computes the arithmetic mean.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Computes the distances of the values from their mean. The mean is computed from distances to the
/// first value, so the result is exactly 0 if all values are equal. The rounded mean of equal
/// values could differ from these values.
fn distances(values: &[f64]) -> Vec<f64> {
    let from_first: Vec<f64> = values.iter().map(|value| value - values[0]).collect();
    let mean = mean(&from_first);
    from_first.into_iter().map(|distance| distance - mean).collect()
}

/// Computes the sum of squared distances from the mean.
fn squares(values: &[f64]) -> f64 {
    distances(values).into_iter().map(|distance| distance.powi(2)).sum()
}

/// Generates series for which running sums are inaccurate: jumps over many orders of magnitude and
/// back, constant stretches, ties.
fn hostile() -> impl Strategy<Value = Vec<f64>> {
    let stretch = prop_oneof![
        (1e-3f64..1e3, 1usize..40).prop_map(|(value, n)| vec![value; n]),
        (1e9f64..1e12, 1usize..3).prop_map(|(value, n)| vec![value; n]),
        prop::collection::vec(1e-3f64..1e3, 1..40),
        prop::collection::vec((1u32..4).prop_map(f64::from), 1..40),
        (1e6f64..1e9, prop::collection::vec(0.0f64..1e-3, 1..40))
            .prop_map(|(level, steps)| steps.into_iter().map(|step| level + step).collect()),
    ];
    prop::collection::vec(stretch, 1..8).prop_map(|stretches| stretches.concat())
}

/// Generates pairs of values from two series of [`hostile`], cut to equal length.
fn hostile_pairs() -> impl Strategy<Value = Vec<(f64, f64)>> {
    (hostile(), hostile()).prop_map(|(left, right)| left.into_iter().zip(right).collect())
}

/// Asserts that two series agree at every bar, relative to the size of the summed values.
fn assert_agree(found: &[f64], direct: &[f64], size: impl Fn(usize) -> f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), direct.len());
    for (bar, (found, direct)) in found.iter().zip(direct).enumerate() {
        let agree = (found - direct).abs() <= TOLERANCE * size(bar).max(direct.abs());
        prop_assert!(agree || found.is_nan() && direct.is_nan(), "bar {bar}: found {found}, expected {direct}");
    }
    Ok(())
}

fn direct_deviation(window: &[f64], ddof: usize) -> f64 {
    (squares(window) / (window.len() - ddof) as f64).sqrt()
}

/// Computes the sum of the products of distances from the means.
fn products(left: &[f64], right: &[f64]) -> f64 {
    distances(left).into_iter().zip(distances(right)).map(|(left, right)| left * right).sum()
}

/// Computes a figure at each bar from two windows of `n` bars that end there, one per series.
fn rolling_pairs(left: &[f64], right: &[f64], n: usize, figure: impl Fn(&[f64], &[f64]) -> f64) -> Vec<f64> {
    let mut out = undefined(n - 1, left.len());
    out.extend(left.windows(n).zip(right.windows(n)).map(|(left, right)| figure(left, right)));
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sums_means_and_extremes_equal_direct_computations(values in hostile(), n in 1usize..60) {
        assert_agree(&sum(&values, n), &rolling(&values, n, |window| window.iter().sum()), |_| 1.0)?;
        assert_agree(&sma(&values, n), &rolling(&values, n, mean), |_| 1.0)?;
        let largest = rolling(&values, n, |window| window.iter().copied().fold(0.0, f64::max));
        let smallest = rolling(&values, n, |window| window.iter().copied().fold(f64::INFINITY, f64::min));
        let exactly = |found: Vec<f64>, direct: Vec<f64>| {
            found.into_iter().zip(direct).all(|(found, direct)| found == direct || found.is_nan() && direct.is_nan())
        };
        prop_assert!(exactly(highest(&values, n), largest) && exactly(lowest(&values, n), smallest));
    }

    #[test]
    fn the_latest_of_equal_extremes_is_found(values in hostile(), n in 1usize..60) {
        let magnitudes: Vec<f64> = values.iter().map(|value| value.log10().round()).collect();
        for (found, exceeds) in [
            (last_highest(&magnitudes, n), (|older, newer| older > newer) as fn(f64, f64) -> bool),
            (last_lowest(&magnitudes, n), |older, newer| older < newer),
        ] {
            for (bar, window) in magnitudes.windows(n).enumerate().map(|(start, window)| (start + n - 1, window)) {
                let since = (0..n).find(|since| window.iter().all(|&other| !exceeds(other, window[n - 1 - since])));
                prop_assert_eq!(Some(found[bar]), since.map(|since| since as f64));
            }
        }
    }

    #[test]
    fn deviations_equal_two_pass_deviations_after_any_earlier_values(values in hostile(), n in 2usize..60) {
        for ddof in [0, 1] {
            let direct = rolling(&values, n, |window| direct_deviation(window, ddof));
            // A computation in two passes rounds the mean, which causes an error of this size.
            let rounding = |bar: usize| 1e-6 * values[bar];
            assert_agree(&deviation(&values, n, ddof), &direct, rounding)?;
        }
    }

    #[test]
    fn the_deviation_of_equal_values_is_exactly_zero(before in hostile(), value in 1e-6f64..1e9, n in 2usize..40) {
        let values = [before.clone(), vec![value; 2 * n]].concat();
        let constant = before.len() + n - 1;
        let (slopes, explained) = linear_fit(&values, n);
        let zeros = [deviation(&values, n, 0), deviation(&values, n, 1), slopes, explained];
        prop_assert!(zeros.iter().all(|found| found[constant..].iter().all(|&found| found == 0.0)));
        prop_assert!(sma(&values, n)[constant..].iter().all(|&found| found == value));
        let moving: Vec<f64> = (0..values.len()).map(|bar| (bar as f64).sin()).collect();
        for found in [beta(&moving, &values, n), correlation(&moving, &values, n)] {
            prop_assert!(found[constant..].iter().all(|&found| found == 0.0));
        }
    }

    #[test]
    fn correlations_and_slopes_equal_two_pass_computations(pairs in hostile_pairs(), n in 2usize..60) {
        let (left, right): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let spread = |values: &[f64], bar: usize| direct_deviation(&values[(bar + 1).saturating_sub(n)..=bar], 0);
        let changes = |values: &[f64]| direct_deviation(values, 0) > 1e-6 * mean(values);
        let direct = rolling_pairs(&left, &right, n, |left, right| {
            let known = changes(left) && changes(right);
            let both = squares(left).sqrt() * squares(right).sqrt();
            if known { products(left, right) / both } else { f64::INFINITY }
        });
        for (found, direct) in correlation(&left, &right, n).into_iter().zip(direct) {
            prop_assert!(!direct.is_finite() || (found - direct).abs() < TOLERANCE, "found {found}, expected {direct}");
            prop_assert!(found.is_nan() || (-1.0..=1.0).contains(&found));
        }
        let direct = rolling_pairs(&left, &right, n, |left, right| {
            if changes(right) { products(left, right) / squares(right) } else { f64::INFINITY }
        });
        for (bar, (found, direct)) in beta(&left, &right, n).into_iter().zip(direct).enumerate().skip(n - 1) {
            let size = direct.abs().max(spread(&left, bar) / spread(&right, bar));
            prop_assert!(!direct.is_finite() || (found - direct).abs() <= TOLERANCE * size, "found {found}, expected {direct}");
            prop_assert!(found.is_finite());
        }
    }

    #[test]
    fn lines_through_windows_are_least_squares_fits(values in hostile(), n in 2usize..60) {
        let bars: Vec<f64> = (0..n).map(|bar| bar as f64).collect();
        let (slopes, explained) = linear_fit(&values, n);
        for (bar, window) in values.windows(n).enumerate().map(|(start, window)| (start + n - 1, window)) {
            let both = products(&bars, window);
            let of_bars = squares(&bars);
            let of_values = squares(window);
            let size = (of_values / of_bars).sqrt() + 1e-6 * values[bar];
            prop_assert!((slopes[bar] - both / of_bars).abs() <= TOLERANCE * size);
            prop_assert!((0.0..=1.0).contains(&explained[bar]));
            if of_values.sqrt() > 1e-6 * values[bar] {
                prop_assert!((explained[bar] - both * both / (of_bars * of_values)).abs() < TOLERANCE);
            }
        }
    }

    #[test]
    fn the_average_of_a_constant_is_that_constant(value in 1e-6f64..1e9, n in 1usize..60) {
        let values = vec![value; 200];
        for found in [ema(&values, n), wilder(&values, n)] {
            prop_assert!(found[n - 1..].iter().all(|&found| found == value));
        }
    }
}

#[test]
fn a_series_shorter_than_the_window_has_no_values() {
    for n_bars in 0..5 {
        let values = vec![1.0; n_bars];
        let (slopes, explained) = linear_fit(&values, 5);
        let pairs = beta(&values, &values, 5);
        for found in [sma(&values, 5), ema(&values, 5), highest(&values, 5), slopes, explained, pairs] {
            assert!(found.len() == n_bars && found.iter().all(|value| value.is_nan()));
        }
    }
}

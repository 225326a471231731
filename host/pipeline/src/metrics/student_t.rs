//! Quantiles for intervals of few observations: of Student's t distribution, and of the beta
//! distribution, which gives exact limits of a share.
//!
//! In: a probability, and the parameters of the distribution. Out: the quantile. Invariant: no
//! argument causes a panic.

use statrs::distribution::{Beta, ContinuousCDF, StudentsT};

/// Returns the quantile of Student's t distribution; NaN if `p` is not between 0 and 1.
///
/// * `p`: probability.
/// * `dof`: degrees of freedom, which can be fractional. A value below 1 is treated as 1, because
///   fewer than two observations have no variance.
pub(crate) fn t_quantile(p: f64, dof: f64) -> f64 {
    // `max` returns 1 if `dof` is NaN.
    quantile(StudentsT::new(0.0, 1.0, dof.max(1.0)).ok(), p)
}

/// Returns the quantile of the beta distribution; NaN if `p` is not between 0 and 1, or if a shape
/// is not positive.
///
/// Exact limits of a share follow from it (Clopper and Pearson, *The Use of Confidence or Fiducial
/// Limits Illustrated in the Case of the Binomial*, 1934).
///
/// * `p`: probability.
/// * `a`, `b`: shapes of the distribution.
pub(crate) fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    quantile(Beta::new(a, b).ok(), p)
}

fn quantile(distribution: Option<impl ContinuousCDF<f64, f64>>, p: f64) -> f64 {
    // `inverse_cdf` panics if `p` is not a probability.
    let distribution = distribution.filter(|_| (0.0..=1.0).contains(&p));
    distribution.map_or(f64::NAN, |distribution| distribution.inverse_cdf(p))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// Golden values, written by `tests/golden/quantiles.py`.
    const GOLDEN: &str = include_str!("../../tests/golden/quantiles.json");

    #[derive(Deserialize)]
    struct Golden {
        t: Vec<GoldenT>,
        beta: Vec<GoldenBeta>,
    }

    #[derive(Deserialize)]
    struct GoldenT {
        p: f64,
        dof: f64,
        quantile: f64,
    }

    #[derive(Deserialize)]
    struct GoldenBeta {
        p: f64,
        a: f64,
        b: f64,
        quantile: f64,
    }

    fn assert_close(found: f64, expected: f64, of: &str) {
        assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{of}: {found}, expected {expected}");
    }

    #[test]
    fn quantiles_equal_the_values_of_scipy() {
        let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!((golden.t.len(), golden.beta.len()), (54, 14));
        for GoldenT { p, dof, quantile } in golden.t {
            assert_close(t_quantile(p, dof), quantile, &format!("t({dof}) at {p}"));
        }
        for GoldenBeta { p, a, b, quantile } in golden.beta {
            assert_close(beta_quantile(p, a, b), quantile, &format!("beta({a}, {b}) at {p}"));
        }
    }

    #[test]
    fn fewer_than_one_degree_of_freedom_is_treated_as_one() {
        for dof in [0.4, 0.0, -3.0, f64::NAN] {
            assert_close(t_quantile(0.975, dof), t_quantile(0.975, 1.0), &format!("{dof} degrees of freedom"));
        }
    }

    #[test]
    fn a_probability_or_shape_outside_its_range_has_no_quantile() {
        let found = [
            t_quantile(1.5, 3.0),
            t_quantile(f64::NAN, 3.0),
            beta_quantile(-0.1, 1.0, 1.0),
            beta_quantile(0.5, 0.0, 1.0),
        ];
        assert!(found.iter().all(|quantile| quantile.is_nan()), "{found:?}");
    }
}

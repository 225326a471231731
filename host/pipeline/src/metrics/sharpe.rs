//! Sharpe ratios and their statistical significance.
//!
//! In: one return per period, as a fraction. Out: figures per period, never annualised. The
//! formulae assume that the returns are independent draws from one distribution of any shape; for
//! dependent returns, the estimated errors are too small.

use statrs::distribution::{ContinuousCDF, Normal};

use super::figure::UndefinedError;

/// The Euler–Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
/// A variance below this share of the mean square is treated as a rounding error.
const ROUNDING: f64 = 1e-14;

/// Computes the Sharpe ratio per period: the mean divided by the standard deviation (divisor n − 1)
/// of the returns, not annualised (Sharpe, *The Sharpe Ratio*, 1994).
///
/// # Errors
/// Returns the reason if there are fewer than two returns, or if all returns are equal.
pub fn sharpe_ratio(returns: &[f64]) -> Result<f64, UndefinedError> {
    if returns.len() < 2 {
        return Err(UndefinedError::because(format!(
            "found {} returns, expected at least 2 for a Sharpe ratio",
            returns.len()
        )));
    }
    let n_returns = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n_returns;
    let squares = returns.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    // Equal returns such as 0.1 do not sum exactly, so their deviations are tiny instead of 0.
    if squares <= ROUNDING * n_returns * mean.powi(2) {
        return Err(UndefinedError::because("the returns are constant"));
    }
    Ok(mean / (squares / (n_returns - 1.0)).sqrt())
}

/// The moments of returns that determine the error of their Sharpe ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Number of returns.
    pub n_returns: usize,
    /// Sharpe ratio per period.
    pub sharpe: f64,
    /// Third standardised moment; 0 for a normal distribution.
    pub skewness: f64,
    /// Fourth standardised moment; 3 for a normal distribution.
    pub kurtosis: f64,
}

impl Moments {
    /// Computes the moments of returns. Skewness and kurtosis are those of the sample, with the
    /// divisor n.
    ///
    /// # Errors
    /// Returns the error of [`sharpe_ratio`] if the Sharpe ratio is undefined.
    pub fn from_returns(returns: &[f64]) -> Result<Self, UndefinedError> {
        let sharpe = sharpe_ratio(returns)?;
        let n_returns = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n_returns;
        let moment = |power| returns.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / n_returns;
        let variance = moment(2);
        let skewness = moment(3) / variance.powf(1.5);
        let kurtosis = moment(4) / variance.powi(2);
        Ok(Self { n_returns: returns.len(), sharpe, skewness, kurtosis })
    }

    /// Computes the probabilistic Sharpe ratio: the probability that the true Sharpe ratio is more
    /// than `benchmark`.
    ///
    /// The formula is `Φ((SR − SR*) · √(n − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4 · SR²))` with the
    /// skewness γ₃ and the kurtosis γ₄ (Bailey and López de Prado, *The Sharpe Ratio Efficient
    /// Frontier*, 2012).
    ///
    /// * `benchmark`: a Sharpe ratio per period of the same length.
    ///
    /// # Errors
    /// Returns the reason if the error of the Sharpe ratio is undefined for these moments.
    pub fn probabilistic_sharpe(&self, benchmark: f64) -> Result<f64, UndefinedError> {
        // `n_returns` is a public field, and the root of a negative number would be NaN.
        let n_free = (self.n_returns as f64 - 1.0).max(0.0);
        Ok(Normal::standard().cdf((self.sharpe - benchmark) * n_free.sqrt() / self.error_scale()?.sqrt()))
    }

    /// Computes the minimum track record length: the number of returns from which a Sharpe ratio
    /// like this one differs from `benchmark` at the given confidence.
    ///
    /// The formula is `1 + (1 − γ₃·SR + (γ₄ − 1)/4 · SR²) · (z / (SR − SR*))²` with the normal
    /// quantile z of `confidence` (Bailey and López de Prado, *The Sharpe Ratio Efficient
    /// Frontier*, 2012, eq. 13).
    ///
    /// * `confidence`: between 0.5 and 1, both exclusive.
    ///
    /// # Errors
    /// Returns the reason if the confidence is out of range, or if the Sharpe ratio is not above
    /// the benchmark.
    pub fn min_track_length(&self, benchmark: f64, confidence: f64) -> Result<f64, UndefinedError> {
        // At a confidence of 0.5, the quantile is 0 and any length would do; at 1, the quantile is
        // infinite.
        if !(0.5 < confidence && confidence < 1.0) {
            return Err(UndefinedError::because(format!(
                "found a confidence of {confidence}, expected between 0.5 and 1"
            )));
        }
        let gap = self.sharpe - benchmark;
        if gap <= 0.0 {
            let reason = format!("found a Sharpe ratio of {:.4}, expected more than {benchmark}", self.sharpe);
            return Err(UndefinedError::because(reason));
        }
        let quantile = Normal::standard().inverse_cdf(confidence);
        Ok(1.0 + self.error_scale()? * (quantile / gap).powi(2))
    }

    /// Computes the variance of the Sharpe ratio times the number of returns (Mertens, *Comments on
    /// Variance of the IID Estimator in Lo*, 2002).
    fn error_scale(&self) -> Result<f64, UndefinedError> {
        let Self { sharpe, skewness, kurtosis, .. } = *self;
        let scale = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe.powi(2);
        // The scale is 0 only for a distribution with two values (kurtosis 1 + skewness²) at the
        // Sharpe ratio 2 / skewness.
        let no_error = || {
            UndefinedError::because(
                "the returns have two distinct values only: the error of their Sharpe ratio is undefined",
            )
        };
        (scale > 0.0).then_some(scale).ok_or_else(no_error)
    }
}

/// Computes the Sharpe ratio that the best of several strategies without an edge is expected to
/// have.
///
/// The formula is `√V · ((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)))` with the Euler–Mascheroni
/// constant γ (Bailey and López de Prado, *The Deflated Sharpe Ratio*, 2014). For a single strategy
/// the result is 0, because there was no choice. The deflated Sharpe ratio is
/// [`Moments::probabilistic_sharpe`] of the chosen strategy with this value as the benchmark.
///
/// * `variance`: variance of the Sharpe ratios of all strategies tried.
///
/// # Errors
/// Returns the reason if there are no strategies.
pub fn expected_max_sharpe(n_strategies: usize, variance: f64) -> Result<f64, UndefinedError> {
    if n_strategies < 2 {
        let none = || UndefinedError::because("no strategy was tried");
        return (n_strategies == 1).then_some(0.0).ok_or_else(none);
    }
    let quantile = |n: f64| Normal::standard().inverse_cdf(1.0 - 1.0 / n);
    let n_strategies = n_strategies as f64;
    let standard_maximum =
        (1.0 - EULER_GAMMA) * quantile(n_strategies) + EULER_GAMMA * quantile(n_strategies * std::f64::consts::E);
    Ok(variance.sqrt() * standard_maximum)
}

#[cfg(test)]
mod tests;

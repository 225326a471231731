//! Sharpe ratios, and how far one can be trusted.
//!
//! In: returns of periods as fractions. Out: figures of a period, never annualised. The formulae take the returns for
//! independent draws of one distribution of any shape; dependent returns make every error here too small.

use statrs::distribution::{ContinuousCDF, Normal};

use super::figure::Undefined;

/// The Euler–Mascheroni constant.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
/// A variance below this share of the mean square is rounding.
const ROUNDING: f64 = 1e-14;

/// Sharpe ratio of a period: mean over deviation (n − 1) of its returns, not annualised (Sharpe 1994).
///
/// # Errors
/// With fewer than two returns, or without any spread.
pub fn sharpe_ratio(returns: &[f64]) -> Result<f64, Undefined> {
    if returns.len() < 2 {
        return Err(Undefined::because(format!("{} returns, a Sharpe ratio needs 2", returns.len())));
    }
    let n_returns = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n_returns;
    let squares = returns.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    if squares <= ROUNDING * n_returns * mean.powi(2) {
        return Err(Undefined::because("the returns never differ"));
    }
    Ok(mean / (squares / (n_returns - 1.0)).sqrt())
}

/// What the error of a Sharpe ratio depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Number of returns.
    pub n_returns: usize,
    /// Sharpe ratio of a period.
    pub sharpe: f64,
    /// Third standardised moment; 0 of a normal distribution.
    pub skewness: f64,
    /// Fourth standardised moment; 3 of a normal distribution.
    pub kurtosis: f64,
}

impl Moments {
    /// Measures returns. Skewness and kurtosis are the sample's own (divisor n).
    ///
    /// # Errors
    /// As [`sharpe_ratio`].
    pub fn from_returns(returns: &[f64]) -> Result<Self, Undefined> {
        let sharpe = sharpe_ratio(returns)?;
        let n_returns = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n_returns;
        let moment = |power| returns.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / n_returns;
        let variance = moment(2);
        let skewness = moment(3) / variance.powf(1.5);
        let kurtosis = moment(4) / variance.powi(2);
        Ok(Self { n_returns: returns.len(), sharpe, skewness, kurtosis })
    }

    /// Probabilistic Sharpe ratio: the probability that the true Sharpe ratio is more than `benchmark`.
    ///
    /// `Φ((SR − SR*) · √(n − 1) / √(1 − γ₃·SR + (γ₄ − 1)/4 · SR²))`, γ₃ being the skewness and γ₄ the kurtosis (Bailey and
    /// López de Prado, 2012, *The Sharpe Ratio Efficient Frontier*).
    ///
    /// * `benchmark`: a Sharpe ratio of the same period.
    ///
    /// # Errors
    /// Where these moments leave the Sharpe ratio without an error.
    pub fn probabilistic_sharpe(&self, benchmark: f64) -> Result<f64, Undefined> {
        let n_free = (self.n_returns as f64 - 1.0).max(0.0);
        Ok(Normal::standard().cdf((self.sharpe - benchmark) * n_free.sqrt() / self.error_scale()?.sqrt()))
    }

    /// Minimum track record length: the number of returns from which on a Sharpe ratio like this one is told from
    /// `benchmark`.
    ///
    /// `1 + (1 − γ₃·SR + (γ₄ − 1)/4 · SR²) · (z / (SR − SR*))²`, z being the normal quantile of `confidence` (Bailey and
    /// López de Prado, 2012, *The Sharpe Ratio Efficient Frontier*, eq. 13).
    ///
    /// * `confidence`: between 0.5 and 1, ends excluded.
    ///
    /// # Errors
    /// Where the Sharpe ratio is not above the benchmark.
    pub fn min_track_length(&self, benchmark: f64, confidence: f64) -> Result<f64, Undefined> {
        if !(0.5 < confidence && confidence < 1.0) {
            return Err(Undefined::because(format!("a confidence of {confidence} is not between 0.5 and 1")));
        }
        let gap = self.sharpe - benchmark;
        if gap <= 0.0 {
            let reason = format!("a Sharpe ratio of {:.4} is not above {benchmark}: no length tells it", self.sharpe);
            return Err(Undefined::because(reason));
        }
        let quantile = Normal::standard().inverse_cdf(confidence);
        Ok(1.0 + self.error_scale()? * (quantile / gap).powi(2))
    }

    /// Variance of the Sharpe ratio times the number of returns (Mertens, 2002).
    fn error_scale(&self) -> Result<f64, Undefined> {
        let Self { sharpe, skewness, kurtosis, .. } = *self;
        let scale = 1.0 - skewness * sharpe + (kurtosis - 1.0) / 4.0 * sharpe.powi(2);
        let no_error = || Undefined::because("the returns take two values only: their Sharpe ratio has no error");
        (scale > 0.0).then_some(scale).ok_or_else(no_error)
    }
}

/// The Sharpe ratio that the best of several strategies without any edge is expected to show.
///
/// `√V · ((1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e)))`, γ being the Euler–Mascheroni constant (Bailey and López de Prado,
/// 2014, *The Deflated Sharpe Ratio*); 0 for one strategy, of which nothing was chosen. The deflated Sharpe ratio
/// is [`Moments::probabilistic_sharpe`] of the chosen strategy with this as its benchmark.
///
/// * `variance`: of the Sharpe ratios of all strategies tried.
///
/// # Errors
/// Without a strategy.
pub fn expected_max_sharpe(n_strategies: usize, variance: f64) -> Result<f64, Undefined> {
    if n_strategies < 2 {
        let none = || Undefined::because("no strategy was tried");
        return (n_strategies == 1).then_some(0.0).ok_or_else(none);
    }
    let quantile = |n: f64| Normal::standard().inverse_cdf(1.0 - 1.0 / n);
    let n_strategies = n_strategies as f64;
    let of_unit =
        (1.0 - EULER_GAMMA) * quantile(n_strategies) + EULER_GAMMA * quantile(n_strategies * std::f64::consts::E);
    Ok(variance.sqrt() * of_unit)
}

#[cfg(test)]
mod tests;

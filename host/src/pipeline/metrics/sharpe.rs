//! Sharpe ratios, and how far one can be trusted.

use super::Undefined;

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
    let variance = returns.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n_returns - 1.0);
    if variance > 0.0 { Ok(mean / variance.sqrt()) } else { Err(Undefined::because("the returns never differ")) }
}

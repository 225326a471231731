//! Performance figures: return, risk, and how much was traded.
//!
//! In: returns of whole dates, round trips. Out: figures that are finite or null with a reason.

use serde::{Deserialize, Serialize};

use super::portfolio::PortfolioRun;
use crate::metrics::{Finite, Reasons, Undefined, sharpe_ratio};

/// Figures of returns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ReturnFigures {
    /// All returns compounded, in percent.
    pub total_return_pct: Option<Finite>,
    /// The same as a steady rate a year.
    pub annual_return_pct: Option<Finite>,
    /// Annualised Sharpe ratio, no rate of interest taken off (Sharpe 1994).
    pub sharpe: Option<Finite>,
    /// Annualised Sortino ratio with a target of 0 (Sortino and Price 1994).
    pub sortino: Option<Finite>,
    /// Largest fall from an earlier height, in percent.
    pub max_drawdown_pct: Option<Finite>,
    /// Why figures are null.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Performance of a strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Of its returns.
    #[serde(flatten)]
    pub figures: ReturnFigures,
    /// Round trips.
    pub n_trades: usize,
    /// Share of them that gained after costs.
    pub hit_rate: Option<Finite>,
    /// Mean gain of a round trip after costs, in percent.
    pub mean_trade_pct: Option<Finite>,
    /// Share of the capital that was invested, mean over the dates.
    pub exposure: Option<Finite>,
    /// What is traded in a year, in multiples of the capital; a purchase and its sale count as two.
    pub turnover_a_year: Option<Finite>,
}

/// Computes the figures of returns.
///
/// * `returns`: shape `[n_dates]`, as fractions.
/// * `dates_a_year`: 252, or 52 of weekly bars.
pub fn figures(returns: &[f64], dates_a_year: f64) -> ReturnFigures {
    let mut reasons = Reasons::default();
    let total = total_return(returns);
    let a_year = |ratio: f64| ratio * dates_a_year.sqrt();
    ReturnFigures {
        total_return_pct: reasons.figure("total_return_pct", Ok(100.0 * total)),
        annual_return_pct: reasons
            .figure("annual_return_pct", annual_return(returns, dates_a_year).map(|rate| 100.0 * rate)),
        sharpe: reasons.figure("sharpe", sharpe_ratio(returns).map(a_year)),
        sortino: reasons.figure("sortino", sortino_ratio(returns).map(a_year)),
        max_drawdown_pct: reasons.figure("max_drawdown_pct", Ok(100.0 * max_drawdown(returns))),
        reasons,
    }
}

/// Computes the performance of a strategy.
///
/// * `n_symbols`: mean number of symbols that the capital is split over.
pub(super) fn performance(run: &PortfolioRun, n_symbols: f64, dates_a_year: f64) -> Performance {
    let mut figures = figures(&run.returns, dates_a_year);
    let reasons = &mut figures.reasons;
    let n_trades = run.trades.len();
    let mean = |sum: f64| {
        if n_trades == 0 { Err(Undefined::because("there was no round trip")) } else { Ok(sum / n_trades as f64) }
    };
    let n_hits = run.trades.iter().filter(|trade| trade.trip.gain > 0.0).count();
    let gains: f64 = run.trades.iter().map(|trade| trade.trip.gain).sum();
    let years = run.returns.len() as f64 / dates_a_year;
    let turnover = 2.0 * n_trades as f64 / n_symbols.max(1.0) / years;
    Performance {
        n_trades,
        hit_rate: reasons.figure("hit_rate", mean(n_hits as f64)),
        mean_trade_pct: reasons.figure("mean_trade_pct", mean(100.0 * gains)),
        exposure: reasons.figure("exposure", Ok(run.mean_exposure())),
        turnover_a_year: reasons.figure("turnover_a_year", Ok(turnover)),
        figures,
    }
}

/// Returns the equity at the end of each date, starting from 1.
pub fn equity(returns: &[f64]) -> Vec<f64> {
    let compound = |worth: &mut f64, change: &f64| {
        *worth *= 1.0 + change;
        Some(*worth)
    };
    returns.iter().scan(1.0, compound).collect()
}

fn total_return(returns: &[f64]) -> f64 {
    equity(returns).last().map_or(0.0, |worth| worth - 1.0)
}

/// Returns the annual rate that compounds to the same: `(1 + total)^(dates a year / dates) - 1`.
fn annual_return(returns: &[f64], dates_a_year: f64) -> Result<f64, Undefined> {
    if returns.is_empty() {
        return Err(Undefined::because("no dates"));
    }
    let worth = (1.0 + total_return(returns)).max(0.0);
    Ok(worth.powf(dates_a_year / returns.len() as f64) - 1.0)
}

/// Returns the Sortino ratio of a period: mean over the root of the mean squared loss, all dates
/// counted (Sortino and Price 1994).
fn sortino_ratio(returns: &[f64]) -> Result<f64, Undefined> {
    let n_dates = returns.len().max(1) as f64;
    let mean = returns.iter().sum::<f64>() / n_dates;
    let loss = (returns.iter().map(|value| value.min(0.0).powi(2)).sum::<f64>() / n_dates).sqrt();
    if loss > 0.0 { Ok(mean / loss) } else { Err(Undefined::because("no date lost")) }
}

/// Returns the largest fall from an earlier peak of the equity, as a fraction; the start counts as
/// a peak.
fn max_drawdown(returns: &[f64]) -> f64 {
    let mut peak = 1.0_f64;
    let mut drawdown = 0.0_f64;
    for worth in equity(returns) {
        peak = peak.max(worth);
        drawdown = drawdown.max(1.0 - worth / peak);
    }
    drawdown
}

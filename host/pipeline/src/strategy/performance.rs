//! Performance figures: return, risk and turnover.
//!
//! In: one return per date, and the round trips. Out: figures, each finite, or null with a reason.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::portfolio::PortfolioRun;
use crate::metrics::{Finite, Reasons, UndefinedError, sharpe_ratio};

/// Return and risk figures of a series of returns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReturnFigures {
    /// Compounded return, in percent; null only if it overflows.
    pub total_return_pct: Option<Finite>,
    /// Constant annual rate that compounds to the total return, in percent; null if the dates cover
    /// less than a year.
    pub annual_return_pct: Option<Finite>,
    /// Annualised Sharpe ratio without a risk-free rate (Sharpe 1994); null if the returns are
    /// constant.
    pub sharpe: Option<Finite>,
    /// Annualised Sortino ratio with a target of 0 (Sortino and Price 1994); null if no date has a
    /// loss.
    pub sortino: Option<Finite>,
    /// Largest fall of the equity from an earlier peak, in percent; null only if it overflows.
    pub max_drawdown_pct: Option<Finite>,
    /// Reason for each null figure, by field name.
    #[serde(default, skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// Performance of a strategy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Performance {
    /// Return and risk figures.
    #[serde(flatten)]
    pub figures: ReturnFigures,
    /// Number of round trips.
    pub n_trades: usize,
    /// Share of round trips with a gain after costs, 0 to 1; null without round trips.
    pub hit_rate: Option<Finite>,
    /// Mean gain of a round trip after costs, in percent; null without round trips.
    pub mean_trade_pct: Option<Finite>,
    /// Mean share of the capital that was invested, over the dates, 0 to 1; null without dates.
    pub exposure: Option<Finite>,
    /// Traded value per year in multiples of the capital; a purchase and its sale count separately;
    /// null without dates.
    pub turnover_a_year: Option<Finite>,
}

/// Computes the return and risk figures of a series of returns.
///
/// * `returns`: shape `[n_dates]`, as fractions.
/// * `dates_per_year`: number of dates on which the market trades per year.
pub fn figures(returns: &[f64], dates_per_year: f64) -> ReturnFigures {
    let mut reasons = Reasons::default();
    let total = total_return(returns);
    let annualise = |ratio: f64| ratio * dates_per_year.sqrt();
    ReturnFigures {
        total_return_pct: reasons.figure("total_return_pct", Ok(100.0 * total)),
        annual_return_pct: reasons
            .figure("annual_return_pct", annual_return(returns, dates_per_year).map(|rate| 100.0 * rate)),
        sharpe: reasons.figure("sharpe", sharpe_ratio(returns).map(annualise)),
        sortino: reasons.figure("sortino", sortino_ratio(returns).map(annualise)),
        max_drawdown_pct: reasons.figure("max_drawdown_pct", Ok(100.0 * max_drawdown(returns))),
        reasons,
    }
}

/// Computes the performance of a strategy.
///
/// * `n_symbols`: mean number of symbols over which the capital is split.
pub(super) fn performance(run: &PortfolioRun, n_symbols: f64, dates_per_year: f64) -> Performance {
    let mut figures = figures(&run.returns, dates_per_year);
    let reasons = &mut figures.reasons;
    let n_trades = run.trades.len();
    let mean = |sum: f64| {
        if n_trades == 0 {
            Err(UndefinedError::because("there were no round trips"))
        } else {
            Ok(sum / n_trades as f64)
        }
    };
    let n_hits = run.trades.iter().filter(|trade| trade.trip.gain > 0.0).count();
    let gains: f64 = run.trades.iter().map(|trade| trade.trip.gain).sum();
    let years = run.returns.len() as f64 / dates_per_year;
    // A position uses the share 1 / n_symbols of the capital, and each round trip trades it twice.
    // Without dates, the result is not finite, and the figure becomes null with a reason.
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
    let compound = |equity: &mut f64, change: &f64| {
        *equity *= 1.0 + change;
        Some(*equity)
    };
    returns.iter().scan(1.0, compound).collect()
}

fn total_return(returns: &[f64]) -> f64 {
    equity(returns).last().map_or(0.0, |equity| equity - 1.0)
}

/// Returns the constant annual rate that compounds to the total return:
/// `(1 + total)^(dates_per_year / n_dates) - 1`.
///
/// # Errors
/// Returns the reason if the returns cover less than a year. A rate per year would state a return
/// that was never earned, such as 200 % from 12 % in five weeks.
fn annual_return(returns: &[f64], dates_per_year: f64) -> Result<f64, UndefinedError> {
    if (returns.len() as f64) < dates_per_year {
        let n_dates = returns.len();
        return Err(UndefinedError::because(format!(
            "found {n_dates} dates, expected at least a year of {dates_per_year:.0}: see the total return"
        )));
    }
    // The power of a negative number is NaN, so an equity below 0 is treated as a total loss.
    let equity = (1.0 + total_return(returns)).max(0.0);
    Ok(equity.powf(dates_per_year / returns.len() as f64) - 1.0)
}

/// Returns the Sortino ratio per date: the mean divided by the root of the mean squared loss over
/// all dates (Sortino and Price, *Performance Measurement in a Downside Risk Framework*, 1994).
fn sortino_ratio(returns: &[f64]) -> Result<f64, UndefinedError> {
    // Without dates all sums are 0, and the ratio is undefined because there is no loss.
    let n_dates = returns.len().max(1) as f64;
    let mean = returns.iter().sum::<f64>() / n_dates;
    let loss = (returns.iter().map(|value| value.min(0.0).powi(2)).sum::<f64>() / n_dates).sqrt();
    if loss > 0.0 { Ok(mean / loss) } else { Err(UndefinedError::because("none of the dates has a loss")) }
}

/// Returns the largest fall of the equity from an earlier peak, as a fraction; the start is a peak
/// too.
fn max_drawdown(returns: &[f64]) -> f64 {
    let mut peak = 1.0_f64;
    let mut drawdown = 0.0_f64;
    for equity in equity(returns) {
        peak = peak.max(equity);
        drawdown = drawdown.max(1.0 - equity / peak);
    }
    drawdown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_less_than_a_year_has_no_annual_return_and_a_reason() {
        let returns = [0.001; 252];
        let short = figures(&returns[..251], 252.0);
        assert_eq!(short.annual_return_pct, None);
        let reason = "found 251 dates, expected at least a year of 252: see the total return";
        assert_eq!(short.reasons.get("annual_return_pct"), Some(reason));
        assert!(short.total_return_pct.is_some());
        let year = figures(&returns, 252.0);
        assert!((year.annual_return_pct.unwrap().get() - year.total_return_pct.unwrap().get()).abs() < 1e-9);
        let two_years = figures(&[0.001; 504], 252.0);
        assert!((two_years.annual_return_pct.unwrap().get() - 100.0 * (1.001_f64.powi(252) - 1.0)).abs() < 1e-9);
    }
}

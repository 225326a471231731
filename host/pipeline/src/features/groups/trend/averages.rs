//! Computes averages of the close, the distance of the close from them, and their crossings.

use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{Average, nan_columns, percent, percent_above, push_through, sma, zip_into};

/// The simple average, and the distance of the close from it in percent.
pub(super) static SIMPLE: Shared = Shared {
    compute: |prices, p| {
        let average = sma(prices.close, p[0]);
        let above = percent_above(prices.close, &average);
        vec![average, above]
    },
};

/// The exponential average, and the distance of the close from it in percent.
pub(super) static EXPONENTIAL: Shared = Shared {
    compute: |prices, p| {
        let mut average = Average::exponential(p[0]);
        let [mut level, mut above] = nan_columns(prices.close.len());
        for ((&close, level), above) in prices.close.iter().zip(&mut level).zip(&mut above) {
            *level = average.push(close);
            *above = percent(close, *level);
        }
        vec![level, above]
    },
};

pub(super) fn sma_cross(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    zip_into(sma(prices.close, p[0]), &sma(prices.close, p[1]), percent)
}

pub(super) fn ema_cross(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let mut fast = Average::exponential(p[0]);
    let mut slow = Average::exponential(p[1]);
    let [mut out] = nan_columns(prices.close.len());
    for (out, &close) in out.iter_mut().zip(prices.close) {
        *out = percent(fast.push(close), slow.push(close));
    }
    out
}

/// Computes the change of a triple exponential average. Source: TA-Lib's TRIX.
pub(super) fn trix(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let mut averages = [0; 3].map(|_| Average::exponential(p[0]));
    let mut before = f64::NAN;
    let change = |&close: &f64| {
        let value = push_through(&mut averages, close);
        percent(value, std::mem::replace(&mut before, value))
    };
    prices.close.iter().map(change).collect()
}

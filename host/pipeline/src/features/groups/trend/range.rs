//! Computes features of the extremes of a window: their age (Aroon) and the midpoint between them
//! (Ichimoku).

use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{
    each_bar, highest, last_highest, last_lowest, lowest, percent, percent_above, zip, zip_into,
};

/// Aroon up, down and their difference. Source: TA-Lib's AROON. Of equal extremes, the latest is
/// used.
pub(super) static AROON: Shared = Shared {
    compute: |prices, p| {
        let percent = 100.0 / p[0] as f64;
        let recency = |mut age: Vec<f64>| {
            age.iter_mut().for_each(|age| *age = (p[0] as f64 - *age) * percent);
            age
        };
        let up = recency(last_highest(prices.high, p[0] + 1));
        let down = recency(last_lowest(prices.low, p[0] + 1));
        let difference = zip(&up, &down, |up, down| up - down);
        vec![up, down, difference]
    },
};

/// Ichimoku's line of one window, and the distance of the close from it in percent.
pub(super) static ICHIMOKU_LINE: Shared = Shared {
    compute: |prices, p| {
        let line = middle(prices, p[0]);
        let above = percent_above(prices.close, &line);
        vec![line, above]
    },
};

/// Computes the midpoint of the range of `n` bars.
fn middle(prices: &OhlcvView, n: usize) -> Vec<f64> {
    zip_into(highest(prices.high, n), &lowest(prices.low, n), |high, low| (high + low) / 2.0)
}

/// Returns the number of bars before the first value of the cloud, which is drawn `m` bars after
/// the bar at which it is computed.
pub(super) fn cloud_warm_up(p: &[usize]) -> usize {
    p[0].max(p[1]).max(p[2]) - 1 + p[1]
}

/// Computes the distance of the close from the cloud that was computed `m` bars before; 0 within
/// the cloud.
pub(super) fn cloud_dist(prices: &OhlcvView, p: &[usize]) -> Vec<f64> {
    let [conversion, base, long] = [p[0], p[1], p[2]].map(|n| middle(prices, n));
    each_bar(cloud_warm_up(p), prices.close.len(), |bar| {
        let drawn = bar - p[1];
        let one = (conversion[drawn] + base[drawn]) / 2.0;
        let other = long[drawn];
        let close = prices.close[bar];
        percent(close, close.max(one.min(other)).min(one.max(other)))
    })
}

//! Where the extremes of a window lie: Aroon's age of them, Ichimoku's middles between them.

use crate::features::kind::Shared;
use crate::features::prices::Prices;
use crate::features::window::{
    each_bar, highest, last_highest, last_lowest, lowest, percent, percent_above, zip, zip_into,
};

/// Aroon up, down and their difference. Source: TA-Lib's AROON: of equal extremes the latest counts.
pub(super) static AROON: Shared = Shared {
    compute: |prices, p| {
        let percent = 100.0 / p[0] as f64;
        let youth = |mut age: Vec<f64>| {
            age.iter_mut().for_each(|age| *age = (p[0] as f64 - *age) * percent);
            age
        };
        let up = youth(last_highest(prices.high, p[0] + 1));
        let down = youth(last_lowest(prices.low, p[0] + 1));
        let difference = zip(&up, &down, |up, down| up - down);
        vec![up, down, difference]
    },
};

/// Ichimoku's line of one window, and the close above it in percent.
pub(super) static ICHIMOKU_LINE: Shared = Shared {
    compute: |prices, p| {
        let line = middle(prices, p[0]);
        let above = percent_above(prices.close, &line);
        vec![line, above]
    },
};

/// Middle of the range of `n` bars.
fn middle(prices: &Prices, n: usize) -> Vec<f64> {
    zip_into(highest(prices.high, n), &lowest(prices.low, n), |high, low| (high + low) / 2.0)
}

/// Bars before the first value of the cloud, which is drawn `m` bars after the bar that it is computed at.
pub(super) fn cloud_warm_up(p: &[usize]) -> usize {
    p[0].max(p[1]).max(p[2]) - 1 + p[1]
}

/// The close above or below the cloud that was drawn `m` bars ago for this bar; 0 within it.
pub(super) fn cloud_dist(prices: &Prices, p: &[usize]) -> Vec<f64> {
    let [conversion, base, long] = [p[0], p[1], p[2]].map(|n| middle(prices, n));
    each_bar(cloud_warm_up(p), prices.close.len(), |bar| {
        let drawn = bar - p[1];
        let one = (conversion[drawn] + base[drawn]) / 2.0;
        let other = long[drawn];
        let close = prices.close[bar];
        percent(close, close.max(one.min(other)).min(one.max(other)))
    })
}

//! Computes stops that trail the price and reverse when the price reaches them.

use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{Average, direction, nan_columns};

/// Wilder's parabolic stop, and the side of the stop on which the close is: 1 above, -1 below, 0 if
/// the two are equal.
pub(super) static PARABOLIC: Shared = Shared {
    compute: |prices, p| {
        let [mut level, mut side] = nan_columns(prices.close.len());
        let mut stop = Parabolic::start(prices, p);
        for bar in 1..prices.close.len() {
            level[bar] = stop.step(prices, bar);
            side[bar] = direction(level[bar], prices.close[bar]);
        }
        vec![level, side]
    },
};

/// The state of the parabolic stop before a bar. Source: TA-Lib's SAR.
struct Parabolic {
    /// 1 while the stop trails a rise from below, -1 while it trails a fall from above.
    side: f64,
    stop: f64,
    /// Highest price of the rise, or lowest price of the fall.
    extreme: f64,
    acceleration: f64,
    step: f64,
    max_acceleration: f64,
}

impl Parabolic {
    /// Starts in the direction of the second bar. The stop is the low of the first bar for a rise,
    /// or its high for a fall.
    fn start(prices: &OhlcvView, p: &[usize]) -> Self {
        // As in TA-Lib, the first direction is a fall if the second bar has a downward movement.
        let falls = prices.close.len() > 1 && prices.directional_movement(1).1 > 0.0;
        let max_acceleration = p[1] as f64 / 100.0;
        // As in TA-Lib, a step above the limit is reduced to the limit.
        let step = p[0].min(p[1]) as f64 / 100.0;
        let side = if falls { -1.0 } else { 1.0 };
        let mut start = Self { side, stop: 0.0, extreme: 0.0, acceleration: step, step, max_acceleration };
        if prices.close.len() > 1 {
            start.stop = start.near(prices, 0);
            start.extreme = start.far(prices, 1);
        }
        start
    }

    /// Advances the state by one bar, which is not the first, and returns the stop at that bar.
    fn step(&mut self, prices: &OhlcvView, bar: usize) -> f64 {
        let far = self.far(prices, bar);
        if self.side * direction(self.stop, self.near(prices, bar)) <= 0.0 {
            self.side = -self.side;
            self.stop = self.limit(prices, self.extreme, bar);
            self.extreme = self.far(prices, bar);
            self.acceleration = self.step;
        } else if self.side * direction(self.extreme, far) > 0.0 {
            self.extreme = far;
            self.acceleration = (self.acceleration + self.step).min(self.max_acceleration);
        }
        let stop = self.stop;
        self.stop = self.limit(prices, stop + self.acceleration * (self.extreme - stop), bar);
        stop
    }

    /// Limits a stop to a price that the last two bars have not passed. The first bar of the series
    /// is ignored.
    fn limit(&self, prices: &OhlcvView, stop: f64, bar: usize) -> f64 {
        let before = self.near(prices, (bar - 1).max(1));
        let now = self.near(prices, bar);
        if self.side > 0.0 { stop.min(before).min(now) } else { stop.max(before).max(now) }
    }

    /// Returns the price of a bar on the side of the stop: its low during a rise, its high during a
    /// fall.
    fn near(&self, prices: &OhlcvView, bar: usize) -> f64 {
        if self.side > 0.0 { prices.low[bar] } else { prices.high[bar] }
    }

    /// Returns the price of a bar on the side of the extreme: its high during a rise, its low
    /// during a fall.
    fn far(&self, prices: &OhlcvView, bar: usize) -> f64 {
        if self.side > 0.0 { prices.high[bar] } else { prices.low[bar] }
    }
}

/// The band that trails the price, and its side: 1 while it trails from below, -1 while it trails
/// from above.
///
/// Each band is `m / 100` average true ranges away from the bar's midpoint. A band moves only
/// towards the price until a close is beyond it. The side changes when a close is beyond the
/// trailing band. It starts with 1.
pub(super) static SUPERTREND: Shared = Shared {
    compute: |prices, p| {
        let [mut level, mut side] = nan_columns(prices.close.len());
        let mut range = Average::wilder(p[0]);
        let mut upper = f64::INFINITY;
        let mut lower = f64::NEG_INFINITY;
        let mut now = 1.0;
        for bar in 1..prices.close.len() {
            let distance = p[1] as f64 / 100.0 * range.push(prices.true_range(bar));
            if bar < p[0] {
                continue;
            }
            let middle = (prices.high[bar] + prices.low[bar]) / 2.0;
            // A band that the previous close has passed starts again. Any other band can only move
            // towards the price.
            let before = prices.close[bar - 1];
            let close = prices.close[bar];
            upper = if direction(upper, before) > 0.0 { middle + distance } else { upper.min(middle + distance) };
            lower = if direction(lower, before) < 0.0 { middle - distance } else { lower.max(middle - distance) };
            let crossed = if now > 0.0 { direction(lower, close) < 0.0 } else { direction(upper, close) > 0.0 };
            if crossed {
                now = -now;
            }
            side[bar] = now;
            level[bar] = if now > 0.0 { lower } else { upper };
        }
        vec![level, side]
    },
};

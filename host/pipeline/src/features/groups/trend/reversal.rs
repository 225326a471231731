//! Stops that trail the price and turn when it reaches them.

use crate::features::kind::Shared;
use crate::features::prices::Prices;
use crate::features::window::{Average, columns, direction};

/// Wilder's parabolic stop, and the close's side of it: 1 above, -1 below, 0 upon it.
pub(super) static PARABOLIC: Shared = Shared {
    compute: |prices, p| {
        let [mut level, mut side] = columns(prices.close.len());
        let mut stop = Parabolic::start(prices, p);
        for bar in 1..prices.close.len() {
            level[bar] = stop.step(prices, bar);
            side[bar] = direction(level[bar], prices.close[bar]);
        }
        vec![level, side]
    },
};

/// State of the parabolic stop before a bar. Source: TA-Lib's SAR.
struct Parabolic {
    /// 1 while the stop trails a rise from below, -1 while it trails a fall from above.
    side: f64,
    stop: f64,
    /// The furthest price of the move.
    extreme: f64,
    acceleration: f64,
    step: f64,
    most: f64,
}

impl Parabolic {
    /// Starts with the direction of the second bar, from the far end of the first.
    fn start(prices: &Prices, p: &[usize]) -> Self {
        let falls = prices.close.len() > 1 && prices.directional_movement(1).1 > 0.0;
        let most = p[1] as f64 / 100.0;
        let step = p[0].min(p[1]) as f64 / 100.0;
        let side = if falls { -1.0 } else { 1.0 };
        let mut start = Self { side, stop: 0.0, extreme: 0.0, acceleration: step, step, most };
        if prices.close.len() > 1 {
            start.stop = start.near(prices, 0);
            start.extreme = start.far(prices, 1);
        }
        start
    }

    /// Advances past a bar other than the first, and returns the stop at that bar.
    fn step(&mut self, prices: &Prices, bar: usize) -> f64 {
        let far = self.far(prices, bar);
        if self.side * direction(self.stop, self.near(prices, bar)) <= 0.0 {
            self.side = -self.side;
            self.stop = self.clear(prices, self.extreme, bar);
            self.extreme = self.far(prices, bar);
            self.acceleration = self.step;
        } else if self.side * direction(self.extreme, far) > 0.0 {
            self.extreme = far;
            self.acceleration = (self.acceleration + self.step).min(self.most);
        }
        let stop = self.stop;
        self.stop = self.clear(prices, stop + self.acceleration * (self.extreme - stop), bar);
        stop
    }

    /// Limits a stop to a price that the last two bars have not reached; the first bar is ignored.
    fn clear(&self, prices: &Prices, stop: f64, bar: usize) -> f64 {
        let before = self.near(prices, (bar - 1).max(1));
        let now = self.near(prices, bar);
        if self.side > 0.0 { stop.min(before).min(now) } else { stop.max(before).max(now) }
    }

    /// Returns the end of a bar on the side of the stop.
    fn near(&self, prices: &Prices, bar: usize) -> f64 {
        if self.side > 0.0 { prices.low[bar] } else { prices.high[bar] }
    }

    /// Returns the end of a bar on the side of the extreme.
    fn far(&self, prices: &Prices, bar: usize) -> f64 {
        if self.side > 0.0 { prices.high[bar] } else { prices.low[bar] }
    }
}

/// The band that the price has not crossed, and its side: 1 while it trails from below, -1 from above.
///
/// Bands lie `m` hundredths of average true ranges from the bar's middle; each moves towards the
/// price alone, until a close is beyond it. The side turns when the close is beyond the band that
/// it trails. It starts with 1.
pub(super) static SUPERTREND: Shared = Shared {
    compute: |prices, p| {
        let [mut level, mut side] = columns(prices.close.len());
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

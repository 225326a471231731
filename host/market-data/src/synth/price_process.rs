//! The price process, which generates a synthetic series bar by bar.
//!
//! In: a kind and the random numbers of a bar. Out: the bar, and the distribution of the next
//! return. Invariant: a bar depends only on its random numbers and on [`PriceProcess`]. The oracle
//! copies the [`PriceProcess`] for each continuation.

use oculus_job::request::Timeframe;

use super::random_stream::Draws;
use super::recipe::Kind;

/// Standard deviation of a daily log return.
const DAILY_DEVIATION: f64 = 0.015;
/// Standard deviation of an opening gap, divided by the standard deviation of a bar's return.
const GAP_DEVIATION: f64 = 0.3;
/// Weight of the last gap in the exponential moving average of gaps: 2 / (n + 1) for n = 12 bars.
const GAP_SHARE: f64 = 2.0 / 13.0;
/// Number of bars after a signal to which a drift is added.
const BOOSTED_BARS: u32 = 5;
/// Period of ADX in bars.
const N: f64 = 14.0;
/// First price of a series.
const FIRST_PRICE: f64 = 100.0;
/// Beyond these prices, a series is reflected, so that the prices of a very long series stay
/// bounded.
const MIN_PRICE: f64 = 0.01;
const MAX_PRICE: f64 = 800_000.0;
/// Length of a session in seconds, 09:30 to 16:00.
pub(super) const SESSION_SECONDS: f64 = 23_400.0;

/// The state of a series after a bar.
#[derive(Clone, Copy, Debug)]
pub(super) struct PriceProcess {
    kind: Kind,
    /// Standard deviation of a bar's return, relative to a daily bar.
    scale: f64,
    close: f64,
    /// Variance of the next return, relative to the long-run variance.
    variance: f64,
    /// Number of further bars to which a drift is added.
    boosted_bars: u32,
    mean_gap: f64,
    /// Standardised mean gap times the position of the close in the range of its bar (-1 to 1).
    signal: f64,
    rsi: Rsi,
    adx: Adx,
}

impl PriceProcess {
    /// Creates the state before the first bar.
    pub(super) fn new(kind: Kind, timeframe: Timeframe) -> Self {
        // The variance of a random walk is proportional to time.
        let scale = match timeframe {
            Timeframe::Day1 => 1.0,
            Timeframe::Week1 => 5.0_f64.sqrt(),
            intraday => (intraday.seconds() as f64 / SESSION_SECONDS).sqrt(),
        };
        Self {
            kind,
            scale,
            close: FIRST_PRICE,
            variance: 1.0,
            boosted_bars: 0,
            mean_gap: 0.0,
            signal: 0.0,
            rsi: Rsi::default(),
            adx: Adx::default(),
        }
    }

    /// Returns the last close.
    pub(super) fn close(&self) -> f64 {
        self.close
    }

    /// Returns the standard deviation of the next log return.
    pub(super) fn deviation(&self) -> f64 {
        let long_run = self.scale * DAILY_DEVIATION;
        if matches!(self.kind, Kind::Garch { .. }) { long_run * self.variance.sqrt() } else { long_run }
    }

    /// Returns the mean of the next log return.
    pub(super) fn drift(&self) -> f64 {
        match self.kind {
            Kind::Rule { drift, .. } | Kind::Rebound { drift, .. } if self.boosted_bars > 0 => self.scale * drift,
            Kind::Gaps { strength } => strength * self.deviation() * self.signal,
            _ => 0.0,
        }
    }

    /// Generates the next bar: open, high, low, close and volume.
    pub(super) fn step(&mut self, draws: &Draws) -> [f64; 5] {
        let [shock, gap, upper, lower, activity] = *draws;
        let before = self.close;
        let deviation = self.deviation();
        // Beyond the bounds, a shock that leads further away is reversed.
        let leaves_bounds = before < MIN_PRICE && shock < 0.0 || before > MAX_PRICE && shock > 0.0;
        let change = self.drift() + deviation * if leaves_bounds { -shock } else { shock };
        let close = before * change.exp();
        let open = before * (GAP_DEVIATION * deviation * gap).exp();
        // Wicks extend the range beyond open and close, so that high and low are always consistent.
        let high = open.max(close) * (0.4 * deviation * upper.abs()).exp();
        let low = open.min(close) * (-0.4 * deviation * lower.abs()).exp();
        let volume = 1e6 * (0.3 * activity).exp();
        self.update([high, low, close], shock, gap);
        [open, high, low, close, volume]
    }

    /// Updates the state from which the next bars are generated.
    fn update(&mut self, [high, low, close]: [f64; 3], shock: f64, gap: f64) {
        let before = std::mem::replace(&mut self.close, close);
        self.boosted_bars = self.boosted_bars.saturating_sub(1);
        match self.kind {
            Kind::Walk => {}
            Kind::Garch { reaction, persistence } => {
                let squared = self.variance * shock * shock;
                self.variance = 1.0 - reaction - persistence + reaction * squared + persistence * self.variance;
            }
            Kind::Rule { rsi_below, adx_above, .. } => {
                // RSI and ADX are updated at every bar, even if one of them has no value yet.
                let levels = self.rsi.after(close - before).zip(self.adx.after([high, low, close]));
                if levels.is_some_and(|(rsi, adx)| rsi < rsi_below && adx > adx_above) {
                    self.boosted_bars = BOOSTED_BARS;
                }
            }
            Kind::Rebound { rsi_below, .. } => {
                if self.rsi.after(close - before).is_some_and(|level| level < rsi_below) {
                    self.boosted_bars = BOOSTED_BARS;
                }
            }
            Kind::Gaps { .. } => {
                self.mean_gap += GAP_SHARE * (gap - self.mean_gap);
                let close_location = 2.0 * (close - low) / (high - low) - 1.0;
                // An exponential moving average with weight w of independent standard normal terms
                // has the variance w / (2 − w).
                self.signal = self.mean_gap / (GAP_SHARE / (2.0 - GAP_SHARE)).sqrt() * close_location;
            }
        }
    }
}

/// RSI of 14 bars (Wilder 1978), updated bar by bar.
#[derive(Clone, Copy, Debug, Default)]
struct Rsi {
    n_changes: u32,
    gain: f64,
    loss: f64,
}

impl Rsi {
    /// Adds a change of the close and returns the RSI, or `None` before the 14th change.
    fn after(&mut self, change: f64) -> Option<f64> {
        self.n_changes += 1;
        // The first value is the simple mean of 14 changes. Wilder's smoothing then continues with
        // weight 1/14.
        let weight = 1.0 / f64::from(self.n_changes.min(14));
        self.gain += weight * (change.max(0.0) - self.gain);
        self.loss += weight * ((-change).max(0.0) - self.loss);
        (self.n_changes >= 14).then(|| 100.0 * self.gain / (self.gain + self.loss))
    }
}

/// ADX of 14 bars (Wilder 1978), updated bar by bar. Its first values are computed as in the
/// feature `ADX_14`.
#[derive(Clone, Copy, Debug, Default)]
struct Adx {
    n_bars: u32,
    last: [f64; 3],
    plus: f64,
    minus: f64,
    range: f64,
    average: f64,
}

impl Adx {
    /// Adds a bar, given as high, low and close, and returns the ADX, or `None` before the 28th
    /// bar.
    fn after(&mut self, bar: [f64; 3]) -> Option<f64> {
        let [high, low, close] = std::mem::replace(&mut self.last, bar);
        self.n_bars += 1;
        if self.n_bars == 1 {
            return None;
        }
        let up = bar[0] - high;
        let down = low - bar[1];
        // The values are sums over the first 14 bars. Wilder's smoothing of the sums then
        // continues.
        let keep = if self.n_bars <= 14 { 1.0 } else { 1.0 - 1.0 / N };
        self.plus = self.plus * keep + if up > down { up.max(0.0) } else { 0.0 };
        self.minus = self.minus * keep + if down > up { down.max(0.0) } else { 0.0 };
        self.range = self.range * keep + (bar[0] - bar[1]).max((bar[0] - close).abs()).max((bar[1] - close).abs());
        if self.n_bars <= 14 {
            return None;
        }
        let movement = self.plus + self.minus;
        let index = if movement > 0.0 { 100.0 * (self.plus - self.minus).abs() / movement } else { 0.0 };
        let weight = 1.0 / f64::from((self.n_bars - 14).min(14));
        self.average += weight * (index - self.average);
        (self.n_bars >= 28).then_some(self.average)
    }
}

#[cfg(test)]
mod tests {
    use oculus_pipeline::features::{OhlcvView, resolve};

    use super::*;
    use crate::synth::recipe::Recipe;
    use crate::synth::series::generate;
    use crate::synth::simulation::simulate;

    #[test]
    fn the_rsi_and_adx_of_the_rule_equal_the_features() {
        let kind = Kind::from_name("rule").unwrap();
        let recipe =
            Recipe { kind, symbol: "A".to_owned(), stream: 0, seed: 3, timeframe: Timeframe::Day1, n_bars: 600 };
        let bars = generate(&recipe).bars;
        let prices = OhlcvView::new(&bars, &[], &[]);
        let [rsi, adx] = ["RSI_14", "ADX_14"].map(|name| resolve(name).unwrap().compute(&prices));
        for (bar, (state, _)) in simulate(&recipe).take(600).enumerate().skip(200) {
            let mut process = state;
            // This is the RSI after the bar, computed from the averages in the state.
            let expected = 100.0 * process.rsi.gain / (process.rsi.gain + process.rsi.loss);
            assert!((expected - rsi[bar]).abs() < 1e-3, "{expected} and {} at {bar}", rsi[bar]);
            assert!((process.adx.average - adx[bar]).abs() < 1e-3, "{} and {} at {bar}", process.adx.average, adx[bar]);
            let signal = rsi[bar] < 38.0 && adx[bar] > 22.0;
            assert!(!signal || process.drift() > 0.0, "no drift after the signal at {bar}");
            process.boosted_bars = 0;
            assert_eq!(process.drift(), 0.0);
        }
    }
}

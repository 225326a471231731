//! Bars that tests make up: random walks, alone or with something to find in them.
//!
//! In: a seed. Out: the same files on every machine. Returns are independent normals of constant deviation, so that
//! neither direction nor volatility can be forecast, but for what [`Planted`] adds.

use std::fmt::Write;
use std::path::Path;

use oculus_host::pipeline::date::iso_date;

/// Deviation of a day's log return.
const DAILY_DEVIATION: f64 = 0.015;
/// 2010-01-04, a Monday, in days since 1970-01-01.
const FIRST_DAY: i32 = 14_613;

/// What is to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Planted {
    /// Nothing.
    Nothing,
    /// After a close at which RSI_14 is below `below`, each of the next five days rises by `daily_drift` more.
    OversoldRebound {
        /// Level of the RSI.
        below: f64,
        /// Log return added to each day.
        daily_drift: f64,
    },
    /// Each day's log return has a mean of `strength` deviations times the mean overnight gap of the last weeks (in its
    /// own deviations) times where in its range the day before closed. A row alone shows the last gap only.
    RememberedGaps {
        /// How much of it there is.
        strength: f64,
    },
}

/// Deviation of an overnight gap, in deviations of a day's return.
const GAP_DEVIATION: f64 = 0.3;
/// Share of the last gap in the mean of the gaps: an exponential mean of twelve days.
const GAP_SHARE: f64 = 2.0 / 13.0;

/// Writes `SYMBOL.csv` for each symbol: so many weekdays from 2010-01-04 on.
pub fn write(folder: &Path, symbols: &[&str], n_days: usize, seed: u64, planted: Planted) {
    for (idx, symbol) in symbols.iter().enumerate() {
        let mut noise = Noise(seed.wrapping_mul(1_000_003).wrapping_add(idx as u64));
        std::fs::write(folder.join(format!("{symbol}.csv")), series(n_days, &mut noise, planted)).unwrap();
    }
}

fn series(n_days: usize, noise: &mut Noise, planted: Planted) -> String {
    let mut text = "date,open,high,low,close,volume\n".to_owned();
    let mut rsi = Rsi::default();
    let (mut before, mut boosted_days, mut signal) = (100.0_f64, 0_u32, 0.0);
    let mut mean_gap = 0.0;
    for idx in 0..n_days {
        let drift = match planted {
            Planted::OversoldRebound { daily_drift, .. } if boosted_days > 0 => daily_drift,
            Planted::RememberedGaps { strength } => strength * DAILY_DEVIATION * signal,
            _ => 0.0,
        };
        boosted_days = boosted_days.saturating_sub(1);
        let close = before * (drift + DAILY_DEVIATION * noise.normal()).exp();
        let gap = noise.normal();
        let open = before * (GAP_DEVIATION * DAILY_DEVIATION * gap).exp();
        let high = open.max(close) * (0.4 * DAILY_DEVIATION * noise.normal().abs()).exp();
        let low = open.min(close) * (-0.4 * DAILY_DEVIATION * noise.normal().abs()).exp();
        let volume = 1e6 * (0.3 * noise.normal()).exp();
        let date = iso_date(FIRST_DAY + (idx / 5 * 7 + idx % 5) as i32);
        writeln!(text, "{date},{open:.6},{high:.6},{low:.6},{close:.6},{volume:.0}").unwrap();
        if let (Some(level), Planted::OversoldRebound { below, .. }) = (rsi.after(close - before), planted)
            && level < below
        {
            boosted_days = 5;
        }
        // In its own deviations: those of an exponential mean of independent terms.
        mean_gap += GAP_SHARE * (gap - mean_gap);
        let close_location = 2.0 * (close - low) / (high - low) - 1.0;
        signal = mean_gap / (GAP_SHARE / (2.0 - GAP_SHARE)).sqrt() * close_location;
        before = close;
    }
    text
}

/// Wilder's RSI of 14 days, one day's change after the other.
#[derive(Default)]
struct Rsi {
    n_changes: u32,
    gain: f64,
    loss: f64,
}

impl Rsi {
    /// The level after one more day; `None` in the first two weeks.
    fn after(&mut self, change: f64) -> Option<f64> {
        self.n_changes += 1;
        let weight = 1.0 / f64::from(self.n_changes.min(14));
        self.gain += weight * (change.max(0.0) - self.gain);
        self.loss += weight * ((-change).max(0.0) - self.loss);
        (self.n_changes >= 14).then(|| 100.0 * self.gain / (self.gain + self.loss))
    }
}

/// SplitMix64 (Steele, Lea and Flood 2014): small, seeded, the same everywhere.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    /// From 0, which is excluded, to 1.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller 1958.
    fn normal(&mut self) -> f64 {
        (-2.0 * self.uniform().ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

//! Computes Wilder's directional movement. Source: TA-Lib's PLUS_DI, MINUS_DI and ADX.

use crate::features::kind::Shared;
use crate::features::ohlcv::OhlcvView;
use crate::features::window::{nan_columns, ratio};

/// The average directional index, the upward and the downward movement, and their difference.
pub(super) static DIRECTIONAL: Shared = Shared { compute: directional };

/// Movements up to this many percent of the true range are treated as zero.
const NO_MOVEMENT: f64 = 1e-9;

/// Computes all outputs of [`DIRECTIONAL`].
///
/// The first `n − 1` movements are summed; the sums are smoothed from bar `n` on. The average of
/// the index is seeded by the mean of the first `n` index values. This average keeps its value
/// while both smoothed movements are 0.
fn directional(prices: &OhlcvView, p: &[usize]) -> Vec<Vec<f64>> {
    let n = p[0];
    let share = 1.0 / n as f64;
    let [mut adx, mut plus_di, mut minus_di, mut difference] = nan_columns(prices.close.len());
    let mut plus = 0.0;
    let mut minus = 0.0;
    let mut range = 0.0;
    let mut average = 0.0;
    for bar in 1..prices.close.len() {
        let (up, down) = prices.directional_movement(bar);
        let keep = if bar < n { 1.0 } else { 1.0 - share };
        plus = plus * keep + up;
        minus = minus * keep + down;
        range = range * keep + prices.true_range(bar);
        if bar < n {
            continue;
        }
        let per_range = ratio(100.0, range, prices.close[bar], 0.0);
        let up_pct = plus * per_range;
        let down_pct = minus * per_range;
        let between = up_pct - down_pct;
        let both = up_pct + down_pct;
        plus_di[bar] = up_pct;
        minus_di[bar] = down_pct;
        difference[bar] = between;
        let moves = both > NO_MOVEMENT;
        let index = if moves { 100.0 * between.abs() / both } else { 0.0 };
        if bar < 2 * n {
            average += index * share;
        } else if moves {
            average += (index - average) * share;
        }
        if bar + 1 >= 2 * n {
            adx[bar] = average;
        }
    }
    vec![adx, plus_di, minus_di, difference]
}

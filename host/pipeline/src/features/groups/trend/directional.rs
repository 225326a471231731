//! Wilder's directional movement. Source: TA-Lib's PLUS_DI, MINUS_DI and ADX.

use crate::features::kind::Shared;
use crate::features::prices::Prices;
use crate::features::window::{columns, ratio};

/// Average index, movement up, movement down, and their difference.
pub(super) static DIRECTIONAL: Shared = Shared { compute: directional };

/// Movements below this many percent of the true range are none.
const NO_MOVEMENT: f64 = 1e-9;

/// Sums of the first `n − 1` movements, smoothed from bar `n` on; the index's average is seeded by the mean of its
/// first `n` and kept where nothing moves.
fn directional(prices: &Prices, p: &[usize]) -> Vec<Vec<f64>> {
    let n = p[0];
    let share = 1.0 / n as f64;
    let [mut adx, mut plus_di, mut minus_di, mut difference] = columns(prices.close.len());
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
        let of_range = ratio(100.0, range, prices.close[bar], 0.0);
        let of_plus = plus * of_range;
        let of_minus = minus * of_range;
        let between = of_plus - of_minus;
        let both = of_plus + of_minus;
        plus_di[bar] = of_plus;
        minus_di[bar] = of_minus;
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

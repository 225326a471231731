//! Computes the least-squares line through the last closes.

use crate::features::kind::Shared;
use crate::features::window::{linear_fit, zip_into};

/// The slope of the line in percent of the close per bar, and the share of the closes' variance
/// that the line explains.
pub(super) static LINE: Shared = Shared {
    compute: |prices, p| {
        let (slope, explained) = linear_fit(prices.close, p[0]);
        vec![zip_into(slope, prices.close, |slope, close| 100.0 * slope / close), explained]
    },
};

//! The limit below which a difference of prices is rounding noise.

/// Differences below this share of a price are rounding noise: such a range counts as zero.
pub(super) const NOISE: f64 = 1e-12;

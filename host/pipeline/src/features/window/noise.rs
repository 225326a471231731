//! The limit below which a difference of prices is rounding noise.

/// Largest share of a price that is rounding noise. A range of this size is treated as zero.
pub(super) const NOISE: f64 = 1e-12;

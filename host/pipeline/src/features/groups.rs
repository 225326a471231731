//! The groups of the catalogue: each lists its kinds, and the defaults of every job.

pub(super) mod momentum;
pub(super) mod price;
pub(super) mod regime;
pub(super) mod trend;
pub(super) mod volatility;
pub(super) mod volume;

//! The groups of the catalogue. Each file lists the kinds of one group, and the default features of
//! that group.

pub(super) mod momentum;
pub(super) mod price;
pub(super) mod regime;
pub(super) mod trend;
pub(super) mod volatility;
pub(super) mod volume;

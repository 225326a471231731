//! What the plugins of this project share: seeded random draws.
//!
//! A library, not a plugin. What needs no further dependency is in `oculus-plugin-api` instead, where
//! third parties have it too: early stopping, standardised inputs, models as JSON.

mod draws;

pub use crate::draws::{Draws, IndexMethod};

//! Code that the plugins of this project share: seeded random draws, moments of features, models as
//! safetensors, and helpers of their tests.
//!
//! A library, not a plugin. What needs no further dependency is in `oculus-plugin-api` instead, where
//! third parties have it too: early stopping, standardised inputs, models as JSON.

mod draws;
mod feature_moments;
mod tensor_file;
pub mod testing;

pub use crate::draws::{Draws, IndexMethod};
pub use crate::feature_moments::{ConstantRule, feature_moments};
pub use crate::tensor_file::{Element, Format, Tensor, TensorFile, write_tensor_file};

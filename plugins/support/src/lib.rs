//! Shared code of this project's plugins: seeded random numbers, feature moments, safetensors
//! files, and test helpers.
//!
//! This crate is a library, not a plugin. Shared code that needs no further dependencies is in
//! `oculus-plugin-api` instead, so that third parties can use it. Examples are early stopping,
//! standardised inputs and models as JSON.

mod draws;
mod feature_moments;
mod tensor_file;
pub mod testing;

pub use crate::draws::{Draws, IndexMethod};
pub use crate::feature_moments::{ConstantRule, feature_moments};
pub use crate::tensor_file::{Element, Format, Tensor, TensorFile, write_tensor_file};

//! Warnings in a result: findings that did not stop the job.
//!
//! In: a code and a message. Out: an entry of `warnings` in the result. Invariant: a warning never
//! changes the status of the job.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::code::WarningCode;

/// A finding that did not stop the job but that a user should check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Warning {
    /// Stable code for programs.
    pub code: WarningCode,
    /// Message for people: the finding, and how the job continued.
    pub message: String,
}

impl Warning {
    /// Creates a warning from its code and message.
    pub fn new(code: WarningCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

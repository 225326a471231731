//! Warnings of a result: findings that did not stop the job.
//!
//! In: a code and a message. Out: an entry of `warnings` in the result. Invariant: a warning never
//! changes the outcome.

use serde::{Deserialize, Serialize};

pub use crate::code::WarningCode;

/// A finding that a user should check; the job continued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable code for programs.
    pub code: WarningCode,
    /// What happened and what was done about it.
    pub message: String,
}

impl Warning {
    /// Creates a warning.
    pub fn new(code: WarningCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

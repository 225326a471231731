//! Warnings of a result: the job succeeded, and its reader should know this.

use serde::{Deserialize, Serialize};

pub use crate::code::WarningCode;

/// Something that the reader of a result should know; the job went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A stable word for programs.
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

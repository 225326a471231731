//! The one error of the boundary: a code for programs, a message for people.

use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// Result of everything a plugin does.
pub type Result<T> = std::result::Result<T, PluginError>;

/// Codes of [`PluginError`]. An open set: a host treats a code that it does not know as [`code::ENGINE`].
pub mod code {
    /// A parameter is unknown, of the wrong type or out of range.
    pub const PARAMS: u32 = 1;
    /// The data cannot be learnt from: one class only, too few rows, a NaN.
    pub const DATA: u32 = 2;
    /// The host asked for the end.
    pub const CANCELLED: u32 = 3;
    /// The plugin panicked; the panic was caught inside it.
    pub const PANIC: u32 = 4;
    /// The plugin cannot do this at all.
    pub const UNSUPPORTED: u32 = 5;
    /// The engine behind the plugin failed.
    pub const ENGINE: u32 = 6;
    /// The bytes are no model of this plugin.
    pub const MODEL: u32 = 7;
    /// The device is missing or broken.
    pub const DEVICE: u32 = 8;
}

/// Why a plugin did not do what it was asked.
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct PluginError {
    /// One of [`code`].
    pub code: u32,
    /// What was found, what was needed.
    pub message: RString,
    /// More for programs as a JSON object, or empty.
    pub detail_json: RString,
}

impl PluginError {
    /// An error of any code.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into().into(), detail_json: RString::new() }
    }

    /// A parameter is unknown, of the wrong type or out of range.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(code::PARAMS, message)
    }

    /// The data cannot be learnt from.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(code::DATA, message)
    }

    /// The host asked for the end.
    pub fn cancelled() -> Self {
        Self::new(code::CANCELLED, "cancelled")
    }

    /// The plugin cannot do this at all.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::new(code::UNSUPPORTED, what)
    }

    /// The engine behind the plugin failed.
    pub fn engine(cause: impl std::fmt::Display) -> Self {
        Self::new(code::ENGINE, cause.to_string())
    }

    /// The bytes are no model of this plugin.
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(code::MODEL, message)
    }

    /// The device is missing or broken.
    pub fn device(message: impl Into<String>) -> Self {
        Self::new(code::DEVICE, message)
    }
}

impl std::fmt::Display for PluginError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for PluginError {}

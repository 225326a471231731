//! The error type of the boundary: a code for programs and a message for people.

use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// The result of every function of a plugin.
///
/// ```
/// use oculus_plugin_api::{PluginError, Result};
///
/// fn read_text(bytes: &[u8]) -> Result<&str> {
///     std::str::from_utf8(bytes).map_err(|error| PluginError::model(error.to_string()))
/// }
/// # assert_eq!(read_text(b"weights"), Ok("weights"));
/// ```
pub type Result<T> = std::result::Result<T, PluginError>;

/// Codes of [`PluginError`].
///
/// Later versions of the API may add codes. A host treats an unknown code as [`code::ENGINE`].
///
/// ```
/// use oculus_plugin_api::{PluginError, code};
///
/// let error = PluginError::data("found 3 rows, expected at least 10");
/// assert_eq!(error.code, code::DATA);
/// ```
pub mod code {
    /// A parameter is unknown, of the wrong type or out of range.
    pub const PARAMS: u32 = 1;
    /// The family cannot train on the data, which has only one class, too few rows, or a missing
    /// value.
    pub const DATA: u32 = 2;
    /// The job was cancelled.
    pub const CANCELLED: u32 = 3;
    /// The plugin panicked, and the SDK caught the panic inside the plugin.
    pub const PANIC: u32 = 4;
    /// The plugin does not implement this function.
    pub const UNSUPPORTED: u32 = 5;
    /// The plugin's engine failed.
    pub const ENGINE: u32 = 6;
    /// The bytes are not a model of this plugin.
    pub const MODEL: u32 = 7;
    /// The device is missing or broken.
    pub const DEVICE: u32 = 8;
}

/// The error of a plugin's function.
///
/// A message states what was found, what was expected and, if it is not obvious, what to do.
///
/// ```
/// use oculus_plugin_api::{PluginError, Result, code};
///
/// fn check_width(n_features: usize) -> Result<()> {
///     if n_features > 1000 {
///         return Err(PluginError::data(format!("found {n_features} features, expected at most 1000")));
///     }
///     Ok(())
/// }
/// assert_eq!(check_width(2000).unwrap_err().code, code::DATA);
/// ```
#[repr(C)]
#[derive(StableAbi, Clone, Debug, PartialEq, Eq)]
pub struct PluginError {
    /// One of [`code`].
    pub code: u32,
    /// A message for people, which states what was found and what was expected.
    pub message: RString,
    /// Further facts for programs, as a JSON object. The text is empty if there are none.
    pub detail_json: RString,
}

impl PluginError {
    /// Creates an error with any code.
    pub fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into().into(), detail_json: RString::new() }
    }

    /// Creates an error with [`code::PARAMS`]: a parameter is unknown, of the wrong type or out of
    /// range.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(code::PARAMS, message)
    }

    /// Creates an error with [`code::DATA`]: the family cannot train on the data.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(code::DATA, message)
    }

    /// Creates an error with [`code::CANCELLED`]: the job was cancelled.
    pub fn cancelled() -> Self {
        Self::new(code::CANCELLED, "cancelled")
    }

    /// Creates an error with [`code::UNSUPPORTED`]: the plugin does not implement this function.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(code::UNSUPPORTED, message)
    }

    /// Creates an error with [`code::PANIC`]. Its details contain the place of the panic, if it is
    /// known: `{"place": "src/lib.rs:12"}`.
    pub(crate) fn panic(message: &str, place: Option<String>) -> Self {
        let Some(place) = place else { return Self::new(code::PANIC, message) };
        let detail_json = serde_json::json!({ "place": place }).to_string().into();
        Self { detail_json, ..Self::new(code::PANIC, format!("{message} (at {place})")) }
    }

    /// Creates the error of a family that has no base score.
    pub(crate) fn no_base_score() -> Self {
        Self::unsupported("found a base score, but this family does not support one; call it without a base score")
    }

    /// Creates an error with [`code::ENGINE`]: the plugin's engine failed.
    pub fn engine(cause: impl std::fmt::Display) -> Self {
        Self::new(code::ENGINE, cause.to_string())
    }

    /// Creates an error with [`code::MODEL`]: the bytes are not a model of this plugin.
    pub fn model(message: impl Into<String>) -> Self {
        Self::new(code::MODEL, message)
    }

    /// Creates an error with [`code::DEVICE`]: the device is missing or broken.
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

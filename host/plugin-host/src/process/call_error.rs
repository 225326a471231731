//! Why a call of a plugin process has no result.

use oculus_pipeline::fitter::FitError;
use oculus_plugin_api::PluginError;

use super::death::Death;

/// A call without a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin refused the request.
    #[error("{message}")]
    Refused {
        /// One of [`oculus_plugin_api::code`].
        code: u32,
        /// The finding and the requirement.
        message: String,
    },
    /// The process died before or during the call.
    #[error("{}", .0.cause)]
    Died(Death),
}

impl From<Death> for CallError {
    fn from(death: Death) -> Self {
        Self::Died(death)
    }
}

impl From<PluginError> for CallError {
    fn from(PluginError { code, message, .. }: PluginError) -> Self {
        Self::Refused { code, message: message.into() }
    }
}

impl From<CallError> for FitError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { code, message } => Self::Refused { code, message },
            CallError::Died(death) => death.into(),
        }
    }
}

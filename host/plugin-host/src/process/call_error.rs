//! The reasons why a call of a plugin process has no result.

use oculus_pipeline::fitter::FitError;
use oculus_plugin_api::PluginError;

use super::death::Death;

/// The reason why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The plugin rejected the request.
    #[error("{message}")]
    Rejected {
        /// One of [`oculus_plugin_api::code`].
        code: u32,
        /// Message for people: the value found and the value expected.
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
        Self::Rejected { code, message: message.into() }
    }
}

impl From<CallError> for FitError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Rejected { code, message } => Self::Rejected { code, message },
            CallError::Died(death) => death.into(),
        }
    }
}

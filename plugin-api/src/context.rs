//! The services of the host during a call: progress, metrics, log and cancellation.

use crate::{PluginError, Result, abi};

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something is odd.
    Warn = 2,
    /// Something happened.
    Info = 3,
    /// For whoever looks for a fault.
    Debug = 4,
    /// Every step.
    Trace = 5,
}

/// The host's ear during one call.
pub struct Ctx<'c, 'a>(&'c abi::HostRef<'a>);

impl<'c, 'a> Ctx<'c, 'a> {
    /// Wraps what crossed the boundary. (A wrapper, since [`abi::HostRef`] is invariant in its lifetime.)
    pub fn new(host: &'c abi::HostRef<'a>) -> Self {
        Self(host)
    }

    /// Tells how far the work is: `fraction` from 0 to 1.
    pub fn progress(&self, fraction: f64, message: &str) {
        self.0.progress(fraction, message.into());
    }

    /// Tells a figure of the work, such as the loss at an epoch.
    pub fn metric(&self, name: &str, step: u64, value: f64) {
        self.0.metric(name.into(), step, value);
    }

    /// Writes a line to the host's log.
    pub fn log(&self, level: Level, message: &str) {
        self.0.log(level as u32, message.into());
    }

    /// Ends the work when the host asked for it: call it between steps, at least every 100 ms, with `?`.
    ///
    /// # Errors
    /// [`code::CANCELLED`](crate::code::CANCELLED).
    pub fn check(&self) -> Result<()> {
        if self.0.cancelled() { Err(PluginError::cancelled()) } else { Ok(()) }
    }
}

//! The services of the host during a call: progress, metrics, log and cancellation.

use crate::{PluginError, Result, abi};

/// Importance of a log line.
///
/// ```
/// use oculus_plugin_api::{Ctx, Level};
///
/// fn warn_of_few_rows(n_rows: usize, ctx: &Ctx<'_, '_>) {
///     if n_rows < 100 {
///         ctx.log(Level::Warn, &format!("only {n_rows} rows to train on"));
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A failure.
    Error = 1,
    /// An unusual condition.
    Warn = 2,
    /// A normal event.
    Info = 3,
    /// A detail that helps to find a fault.
    Debug = 4,
    /// A single step.
    Trace = 5,
}

/// The host's services during one call.
///
/// ```
/// use oculus_plugin_api::{Ctx, Result};
///
/// fn train(n_epochs: u64, ctx: &Ctx<'_, '_>) -> Result<()> {
///     for epoch in 1..=n_epochs {
///         ctx.check()?;
///         let loss = 1.0 / epoch as f64; // The result of the epoch.
///         ctx.metric("loss", epoch, loss);
///         ctx.progress(epoch as f64 / n_epochs as f64, &format!("epoch {epoch} of {n_epochs}"));
///     }
///     Ok(())
/// }
/// ```
pub struct Ctx<'c, 'a>(&'c abi::HostRef<'a>);

impl<'c, 'a> Ctx<'c, 'a> {
    /// Wraps the host's services in the form in which they cross the boundary. The second lifetime
    /// is necessary because [`abi::HostRef`] is invariant in its lifetime.
    pub fn new(host: &'c abi::HostRef<'a>) -> Self {
        Self(host)
    }

    /// Reports the progress of the call: `fraction` is from 0 to 1.
    pub fn progress(&self, fraction: f64, message: &str) {
        self.0.progress(fraction, message.into());
    }

    /// Reports a metric of one step, such as the loss of an epoch.
    pub fn metric(&self, name: &str, step: u64, value: f64) {
        self.0.metric(name.into(), step, value);
    }

    /// Writes a line to the host's log.
    pub fn log(&self, level: Level, message: &str) {
        self.0.log(level as u32, message.into());
    }

    /// Returns an error if the job was cancelled. Call it with `?` between steps, at least every
    /// 100 ms.
    ///
    /// # Errors
    /// [`code::CANCELLED`](crate::code::CANCELLED) if the job was cancelled.
    pub fn check(&self) -> Result<()> {
        if self.0.cancelled() { Err(PluginError::cancelled()) } else { Ok(()) }
    }
}

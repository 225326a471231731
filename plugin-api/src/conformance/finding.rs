//! The result of a claim, and how much is tried.

use serde::{Deserialize, Serialize};

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// What a library must do to be offered to jobs, in a fraction of a second.
    Probe,
    /// Everything.
    Suite,
}

/// The result of one claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The claim, such as `a saved model predicts the same`.
    pub claim: String,
    /// Whether it holds.
    pub verdict: Verdict,
}

/// Whether a claim holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not.
    Broken {
        /// What was found, what was needed, and what to do: three lines at most.
        reason: String,
    },
    /// It does not apply to this plugin.
    Inapplicable {
        /// Why.
        reason: String,
    },
}

/// What [`examine`](super::examine) reports while claims are tried.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// This claim is tried next: it is the one at fault where nothing more is reported.
    Begins(&'a str),
    /// The claim was tried, with this result.
    Ends(&'a Finding),
}

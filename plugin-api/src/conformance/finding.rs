//! The result of a claim, and the scope of a test run.

use serde::{Deserialize, Serialize};

/// The scope of a test run.
///
/// ```
/// use oculus_plugin_api::conformance::Depth;
///
/// let depth = if std::env::args().any(|arg| arg == "--all") { Depth::Suite } else { Depth::Probe };
/// assert_eq!(depth, Depth::Probe);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Depth {
    /// The claims that a library must meet before it is offered to jobs. Their tests take a
    /// fraction of a second.
    Probe,
    /// All claims.
    Suite,
}

/// The result of the test of one claim.
///
/// ```
/// use oculus_plugin_api::conformance::{Finding, Verdict};
///
/// fn is_broken(finding: &Finding) -> bool {
///     matches!(finding.verdict, Verdict::Broken { .. })
/// }
/// let finding = Finding { claim: "a saved model predicts the same".into(), verdict: Verdict::Holds };
/// assert!(!is_broken(&finding));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The claim as text, such as `a saved model predicts the same`.
    pub claim: String,
    /// The conclusion of the test.
    pub verdict: Verdict,
}

/// The conclusion of the test of a claim.
///
/// ```
/// use oculus_plugin_api::conformance::Verdict;
///
/// fn describe(verdict: &Verdict) -> String {
///     match verdict {
///         Verdict::Holds => "holds".to_owned(),
///         Verdict::Broken { reason } => format!("broken: {reason}"),
///         Verdict::Inapplicable { reason } => format!("does not apply: {reason}"),
///     }
/// }
/// assert_eq!(describe(&Verdict::Holds), "holds");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The claim holds.
    Holds,
    /// The claim does not hold.
    Broken {
        /// Three lines, which state what was found, what was expected, and what to do.
        reason: String,
    },
    /// The claim does not apply to this plugin.
    Inapplicable {
        /// The reason why it does not apply.
        reason: String,
    },
}

/// An event that [`examine`](super::examine) reports during a test run.
///
/// ```
/// use oculus_plugin_api::conformance::Step;
///
/// fn print(step: Step<'_>) {
///     match step {
///         Step::Begins(claim) => println!("{claim} …"),
///         Step::Ends(finding) => println!("{} {:?}", finding.claim, finding.verdict),
///     }
/// }
/// # print(Step::Begins("its manifest is valid"));
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// The test of this claim begins. If no further step is reported, this test crashed the
    /// process.
    Begins(&'a str),
    /// The test of a claim finished with this result.
    Ends(&'a Finding),
}

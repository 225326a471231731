//! What every plugin must do, as claims that are tried on it.
//!
//! In: a plugin through its real module. Out: one [`Finding`] per claim. The authors' own tests run all claims
//! ([`conformance!`](crate::conformance!)), and so does a host that is asked to check a library; the claims of
//! [`Depth::Probe`] are tried on every library before any job uses it.
//!
//! `claims` lists the claims, `author` makes them an author's tests. `fitting`, `models` and `extracting` hold the claims
//! on what a plugin makes, `refusing` those on what it refuses, `probe` the short ones, `cancelling` and `likeness` what
//! several need. `panel` is the table they are tried on, `subject` the plugin on trial, `claim_error` the reason why a
//! claim does not hold, `finding` the result.

mod author;
mod cancelling;
mod claim_error;
mod claims;
mod extracting;
mod finding;
mod fitting;
mod likeness;
mod models;
mod panel;
mod probe;
mod refusing;
mod subject;

#[doc(hidden)]
pub use self::author::{assert_holds, assert_silent};
use self::claim_error::ClaimResult;
use self::claims::{MANIFEST, readable_manifest, verdict};
pub use self::finding::{Depth, Finding, Step, Verdict};
use self::subject::Subject;
use crate::testing::Harness;

/// Tries the claims of a depth on a plugin, each to its end whatever the others found. Where its manifest cannot be worked
/// with, no other is tried.
pub fn examine(harness: &Harness, depth: Depth, on_step: &mut dyn FnMut(Step<'_>)) -> Vec<Finding> {
    let mut manifest = None;
    let read = || {
        manifest = Some(readable_manifest(harness)?);
        Ok(())
    };
    let mut findings = vec![try_claim(MANIFEST, read, on_step)];
    if let Some(manifest) = manifest {
        let claims = claims::all(depth, manifest.role);
        let subject = Subject::new(harness, manifest, depth);
        findings.extend(claims.iter().map(|claim| try_claim(claim.name, || (claim.holds)(&subject), on_step)));
    }
    findings
}

/// Tries one claim and reports it.
fn try_claim(name: &str, holds: impl FnOnce() -> ClaimResult, on_step: &mut dyn FnMut(Step<'_>)) -> Finding {
    let claim = name.replace('_', " ");
    on_step(Step::Begins(&claim));
    let finding = Finding { claim, verdict: verdict(holds) };
    on_step(Step::Ends(&finding));
    finding
}

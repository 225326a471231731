//! The claims that every plugin must meet, and their tests.
//!
//! In: a plugin behind its real interface. Out: one [`Finding`] per claim. All claims are tested by
//! `oculus-host plugin check` and by the tests that [`conformance!`](crate::conformance!) adds for
//! an author. A host tests the claims of [`Depth::Probe`] on every library before it offers the
//! plugin to jobs.
//!
//! | file | contents |
//! | --- | --- |
//! | `claims` | the list of claims |
//! | `author` | the claims as tests of an author's crate |
//! | `fitting`, `models`, `extracting` | claims about the results of a plugin |
//! | `base_score` | claims about base scores |
//! | `rejecting` | claims about invalid input |
//! | `probe` | the fast claims of a probe |
//! | `panel` | the synthetic table on which claims are tested |
//! | `subject` | the plugin under test |
//! | `cancelling`, `snapshot` | checks that several claims share |
//! | `claim_error`, `finding` | the reason for a broken claim, and the result |
//!
//! ```
//! # use oculus_plugin_api::prelude::*;
//! # struct Nothing;
//! # impl Extractor for Nothing {
//! #     fn manifest() -> Manifest { Manifest::new("nothing", "1.0.0").role(Role::Rules) }
//! #     fn extract(
//! #         _: &Table<'_>, _: &Task<'_>, _: &[f32], _: &Params, _: &Ctx<'_, '_>,
//! #     ) -> Result<Vec<MinedRule>> { Ok(Vec::new()) }
//! # }
//! use oculus_plugin_api::conformance::{Depth, Verdict, examine};
//! use oculus_plugin_api::testing::Harness;
//!
//! let findings = examine(&Harness::extractor::<Nothing>(), Depth::Probe, &mut |_| {});
//! assert!(findings.iter().all(|finding| finding.verdict == Verdict::Holds));
//! ```

mod author;
mod base_score;
mod cancelling;
mod claim_error;
mod claims;
mod extracting;
mod finding;
mod fitting;
mod models;
mod panel;
mod probe;
mod rejecting;
mod snapshot;
mod subject;

#[doc(hidden)]
pub use self::author::{assert_holds, assert_silent};
use self::claim_error::ClaimResult;
use self::claims::{MANIFEST, readable_manifest, verdict};
pub use self::finding::{Depth, Finding, Step, Verdict};
use self::subject::Subject;
use crate::testing::Harness;

/// Tests a plugin on the claims of a depth, and returns one finding per claim.
///
/// If a claim is broken, the other claims are still tested. The claim about the manifest is an
/// exception: if the manifest is invalid, no other claim is tested, because the other tests depend
/// on it.
pub fn examine(harness: &Harness, depth: Depth, on_step: &mut dyn FnMut(Step<'_>)) -> Vec<Finding> {
    let mut manifest = None;
    let read = || {
        manifest = Some(readable_manifest(harness)?);
        Ok(())
    };
    let mut findings = vec![test_claim(MANIFEST, read, on_step)];
    if let Some(manifest) = manifest {
        let claims = claims::all(depth, manifest.role);
        let subject = Subject::new(harness, manifest, depth);
        findings.extend(claims.iter().map(|claim| test_claim(claim.name, || (claim.test)(&subject), on_step)));
    }
    findings
}

/// Tests one claim and reports it before and after the test.
fn test_claim(name: &str, test: impl FnOnce() -> ClaimResult, on_step: &mut dyn FnMut(Step<'_>)) -> Finding {
    let claim = name.replace('_', " ");
    // The step is reported before the test, so that the host can name the claim if the plugin kills
    // the process.
    on_step(Step::Begins(&claim));
    let finding = Finding { claim, verdict: verdict(test) };
    on_step(Step::Ends(&finding));
    finding
}

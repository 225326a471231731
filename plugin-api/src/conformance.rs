//! What every plugin must do, as claims that are tried on it.
//!
//! In: a plugin through its real module. Out: a [`Finding`] a claim. The authors' own tests run all claims
//! ([`conformance!`](crate::conformance!)), and so does a host that is asked to check a library; the claims of
//! [`Depth::Probe`] are tried on every library before any job sees it.
//!
//! `author` makes the claims an author's tests. `fitting`, `models` and `extracting` hold the claims on what a plugin makes, `refusing` those on what it refuses, `probe`
//! the short ones, `cancelling` and `likeness` what several need. `panel` is the table they are tried on, `subject` how, `fault` how they say what is wrong.

mod author;
mod cancelling;
mod extracting;
mod fault;
mod fitting;
mod likeness;
mod models;
mod panel;
mod probe;
mod refusing;
mod subject;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

#[doc(hidden)]
pub use self::author::{assert_holds, assert_silent};
use self::fault::{Fault, Outcome, told};
use self::subject::Subject;
use crate::testing::Bench;
use crate::{Manifest, Role, code};

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
        /// What was found, what was needed, and what to do: three lines at most.
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

/// One claim: its words, joined by `_`, and how it is tried.
struct Claim {
    name: &'static str,
    holds: fn(&Subject<'_>) -> Outcome,
}

const MANIFEST: &str = "its_manifest_can_be_worked_with";

/// Tries the claims of a depth on a plugin, each to its end whatever came of the others. Where its manifest cannot be worked
/// with, no other is tried.
pub fn examine(bench: &Bench, depth: Depth, hear: &mut dyn FnMut(Step<'_>)) -> Vec<Finding> {
    let mut manifest = None;
    let read = || {
        manifest = Some(readable_manifest(bench)?);
        Ok(())
    };
    let mut findings = vec![heard(MANIFEST, read, hear)];
    if let Some(manifest) = manifest {
        let claims = claims(depth, manifest.role);
        let subject = Subject::new(bench, manifest, depth);
        findings.extend(claims.iter().map(|claim| heard(claim.name, || (claim.holds)(&subject), hear)));
    }
    findings
}

/// The claims that are tried on a plugin with this role, after that on its manifest.
fn claims(depth: Depth, role: Role) -> &'static [Claim] {
    match (depth, role) {
        (_, Role::Unknown) => &[],
        (Depth::Probe, Role::Rules) => &PROBE_OF_EXTRACTORS,
        (Depth::Probe, _) => &PROBE_OF_FAMILIES,
        (Depth::Suite, Role::Rules) => ON_EXTRACTORS,
        (Depth::Suite, _) => ON_FAMILIES,
    }
}

/// Tries one claim and tells of it.
fn heard(name: &str, holds: impl FnOnce() -> Outcome, hear: &mut dyn FnMut(Step<'_>)) -> Finding {
    let claim = name.replace('_', " ");
    hear(Step::Begins(&claim));
    let finding = Finding { claim, verdict: verdict(holds) };
    hear(Step::Ends(&finding));
    finding
}

/// What a claim comes to. A plugin that makes the claim itself panic has broken it.
fn verdict(holds: impl FnOnce() -> Outcome) -> Verdict {
    let outcome = catch_unwind(AssertUnwindSafe(holds)).unwrap_or_else(|payload| {
        // A payload whose own drop panics would abort.
        std::mem::forget(payload);
        Err(Fault::broken(
            "that trying this panics",
            "answers of the shape that was asked for",
            "see the lines on stderr",
        ))
    });
    match outcome {
        Ok(()) => Verdict::Holds,
        Err(Fault::Broken(reason)) => Verdict::Broken { reason },
        Err(Fault::Inapplicable(reason)) => Verdict::Inapplicable { reason },
    }
}

/// The manifest of a plugin whose role is what its module does.
fn readable_manifest(bench: &Bench) -> Result<Manifest, Fault> {
    let needed = "a manifest that a host can work with";
    let manifest = bench.manifest();
    let manifest = manifest.map_err(|error| Fault::broken(told(&error), needed, "see `Manifest` and `Param`"))?;
    let fits_models = !bench.load(&[]).is_err_and(|error| error.code == code::UNSUPPORTED);
    if fits_models == (manifest.role == Role::Rules) {
        let what = if fits_models { "fits models" } else { "fits no models" };
        let found = format!("role {:?} of a plugin that {what}", manifest.role);
        let remedy = "extractors say `role(Role::Rules)` and `export_extractor!`, families neither";
        return Err(Fault::broken(found, "the role of what it exports", remedy));
    }
    Ok(manifest)
}

static PROBE_OF_FAMILIES: [Claim; 2] = {
    use probe::*;
    crate::__claims!(@table () a_small_fit_is_the_same_after_saving_and_loading a_small_fit_ends_when_told_to)
};

static PROBE_OF_EXTRACTORS: [Claim; 2] = {
    use probe::*;
    crate::__claims!(@table () a_few_rules_name_features_of_the_table a_small_extraction_ends_when_told_to)
};

static ON_FAMILIES: &[Claim] = {
    use {fitting::*, models::*, refusing::*};
    &crate::__claims!(family table ())
};

static ON_EXTRACTORS: &[Claim] = {
    use {extracting::*, refusing::*};
    &crate::__claims!(extractor table ())
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_panics_is_broken() {
        let Verdict::Broken { reason } = verdict(|| panic!("out of bounds")) else { panic!("not broken") };
        assert_eq!(reason.lines().next(), Some("found that trying this panics"));
    }
}

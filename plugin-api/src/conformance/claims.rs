//! The list of claims and the run of their tests.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::claim_error::{ClaimError, ClaimResult, describe};
use super::finding::{Depth, Verdict};
use super::subject::Subject;
use super::{base_score, extracting, fitting, models, probe, rejecting};
use crate::testing::Harness;
use crate::{Manifest, Role, code};

/// A claim.
pub(super) struct Claim {
    /// The claim as text, with `_` instead of spaces.
    pub(super) name: &'static str,
    /// The test of the claim.
    pub(super) test: fn(&Subject<'_>) -> ClaimResult,
}

/// The claim that is tested before all others.
pub(super) const MANIFEST: &str = "its_manifest_is_valid";

/// The only list of claims. It expands either to the author's tests or to the list of tests that a
/// host runs.
#[doc(hidden)]
#[macro_export]
macro_rules! __claims {
    (family $as:ident $with:tt) => {
        $crate::__claims! { @$as $with
            a_fit_on_clean_rows_scores_later_rows
            the_same_seed_produces_the_same_model
            the_number_of_threads_does_not_change_the_model
            fits_do_not_change_the_prepared_table
            concurrent_fits_equal_sequential_fits
            later_rows_do_not_change_the_model
            rule_columns_do_not_change_the_model
            a_fit_stops_when_cancelled
            a_fit_with_more_rounds_checks_for_cancellation_more_often
            a_saved_model_predicts_the_same
            a_truncated_model_is_rejected
            bytes_that_are_not_a_model_are_rejected
            importance_is_one_share_per_column
            a_score_does_not_depend_on_the_other_requested_rows
            columns_are_found_by_name
            column_names_of_any_characters_are_accepted
            a_prediction_stops_when_cancelled
            a_base_score_is_part_of_the_scores
            only_base_scores_of_fitted_rows_change_the_model
            an_invalid_base_score_is_rejected
            a_missing_value_does_not_affect_other_symbols
            a_non_finite_feature_is_rejected_or_ignored
            an_invalid_label_is_rejected
            training_rows_of_one_class_are_rejected
            invalid_parameters_are_rejected_by_name
            invalid_input_is_rejected_without_a_panic
        }
    };
    (extractor $as:ident $with:tt) => {
        $crate::__claims! { @$as $with
            rules_are_proposed_for_clean_rows
            rules_are_conditions_on_features_of_the_table
            the_same_seed_produces_the_same_rules
            the_number_of_threads_does_not_change_the_rules
            later_rows_do_not_change_the_rules
            rules_name_columns_of_any_characters
            an_extraction_stops_when_cancelled
            a_non_finite_feature_is_rejected_or_ignored
            an_invalid_label_is_rejected
            training_rows_of_one_class_are_rejected
            invalid_parameters_are_rejected_by_name
            invalid_input_is_rejected_without_a_panic
        }
    };
    (@table () $($claim:ident)*) => {
        [$(Claim { name: stringify!($claim), test: $claim }),*]
    };
    (@tests ($harness:expr) $($claim:ident)*) => {
        #[cfg(test)]
        mod conformance {
            // `use super::*` is unused if the macro received a full path.
            #[allow(unused_imports)]
            use super::*;

            // A macro cannot build an identifier from a constant, so the name in `MANIFEST` is
            // repeated here.
            #[test]
            fn its_manifest_is_valid() {
                $crate::conformance::assert_holds(&$harness, "its_manifest_is_valid");
            }
            $(
                #[test]
                fn $claim() {
                    $crate::conformance::assert_holds(&$harness, stringify!($claim));
                }
            )*
            #[test]
            fn nothing_is_printed_on_stdout() {
                $crate::conformance::assert_silent(&$harness, concat!(module_path!(), "::nothing_is_printed_on_stdout"));
            }
        }
    };
}

/// The claims about a family that a probe tests.
static PROBE_OF_FAMILIES: [Claim; 2] = {
    use probe::*;
    crate::__claims!(@table () a_small_model_predicts_the_same_after_loading a_small_fit_stops_when_cancelled)
};

/// The claims about an extractor that a probe tests.
static PROBE_OF_EXTRACTORS: [Claim; 2] = {
    use probe::*;
    crate::__claims!(@table () rules_of_a_small_table_use_its_features a_small_extraction_stops_when_cancelled)
};

/// All claims about a family.
static ON_FAMILIES: &[Claim] = {
    use {base_score::*, fitting::*, models::*, rejecting::*};
    &crate::__claims!(family table ())
};

/// All claims about an extractor.
static ON_EXTRACTORS: &[Claim] = {
    use {extracting::*, rejecting::*};
    &crate::__claims!(extractor table ())
};

/// Returns the claims about a plugin with this role, except the claim about its manifest, which is
/// tested first.
pub(super) fn all(depth: Depth, role: Role) -> &'static [Claim] {
    match (depth, role) {
        // A role of a later API has functions that this version does not know.
        (_, Role::Unknown) => &[],
        (Depth::Probe, Role::Rules) => &PROBE_OF_EXTRACTORS,
        (Depth::Probe, _) => &PROBE_OF_FAMILIES,
        (Depth::Suite, Role::Rules) => ON_EXTRACTORS,
        (Depth::Suite, _) => ON_FAMILIES,
    }
}

/// Finds a claim of the suite by its name.
pub(super) fn find(name: &str) -> Option<&'static Claim> {
    ON_FAMILIES.iter().chain(ON_EXTRACTORS).find(|claim| claim.name == name)
}

/// Runs a claim and returns its verdict. A claim that panics is broken.
pub(super) fn verdict(test: impl FnOnce() -> ClaimResult) -> Verdict {
    let outcome = catch_unwind(AssertUnwindSafe(test)).unwrap_or_else(|payload| {
        // The payload is not dropped, because it may come from the plugin's code, and its `drop`
        // could panic again.
        std::mem::forget(payload);
        Err(ClaimError::broken(
            "a panic in the test of this claim",
            "results of the requested lengths",
            "see the panic message on stderr",
        ))
    });
    match outcome {
        Ok(()) => Verdict::Holds,
        Err(ClaimError::Broken(reason)) => Verdict::Broken { reason },
        Err(ClaimError::Inapplicable(reason)) => Verdict::Inapplicable { reason },
    }
}

/// Returns the manifest if it is readable and its role matches the module's functions.
pub(super) fn readable_manifest(harness: &Harness) -> Result<Manifest, ClaimError> {
    let expected = "a valid manifest";
    let manifest = harness.manifest();
    let manifest =
        manifest.map_err(|error| ClaimError::broken(describe(&error), expected, "see `Manifest` and `Param`"))?;
    // The module of an extractor returns UNSUPPORTED from every `load`. This reveals whether the
    // library exports a family or an extractor.
    let fits_models = !harness.load(&[]).is_err_and(|error| error.code == code::UNSUPPORTED);
    if fits_models == (manifest.role == Role::Rules) {
        let exported = if fits_models { "a family" } else { "an extractor" };
        let found = format!("role {:?} of a library that exports {exported}", manifest.role);
        let remedy = "use `role(Role::Rules)` with `export_extractor!`, and other roles with `export_family!`";
        return Err(ClaimError::broken(found, "the role of the exported trait", remedy));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_panics_is_broken() {
        let Verdict::Broken { reason } = verdict(|| panic!("out of bounds")) else { panic!("not broken") };
        assert_eq!(reason.lines().next(), Some("found a panic in the test of this claim"));
    }
}

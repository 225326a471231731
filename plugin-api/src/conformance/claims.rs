//! The list of claims, and how a claim is tested.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::claim_error::{ClaimError, ClaimResult, describe};
use super::finding::{Depth, Verdict};
use super::subject::Subject;
use super::{extracting, fitting, models, probe, refusing};
use crate::testing::Harness;
use crate::{Manifest, Role, code};

/// One claim: its words, joined by `_`, and its test.
pub(super) struct Claim {
    pub(super) name: &'static str,
    pub(super) holds: fn(&Subject<'_>) -> ClaimResult,
}

/// The claim that is tested before all others.
pub(super) const MANIFEST: &str = "its_manifest_can_be_worked_with";

/// The single list of claims, expanded to an author's tests or to the table that a host runs.
#[doc(hidden)]
#[macro_export]
macro_rules! __claims {
    (family $as:ident $with:tt) => {
        $crate::__claims! { @$as $with
            a_fit_on_clean_rows_scores_later_ones
            the_same_seed_gives_the_same_model
            threads_change_no_model
            one_prepared_table_gives_each_fit_the_same_model
            fits_side_by_side_equal_those_in_a_row
            later_rows_change_no_model
            columns_for_rules_change_no_model
            a_fit_ends_when_told_to
            a_fit_asks_more_often_the_more_rounds_it_has
            a_saved_model_predicts_the_same
            a_saved_model_cut_short_is_refused
            bytes_that_are_no_model_are_refused
            importance_is_shared_among_the_columns
            a_score_depends_on_no_other_row_asked_for
            columns_are_found_by_name
            a_hole_in_a_row_silences_no_other_symbol
            a_feature_that_is_no_number_is_refused_or_left_out
            a_label_that_is_no_number_is_refused
            training_rows_of_one_class_are_refused
            parameters_out_of_bounds_are_refused_by_name
            garbage_is_refused_without_a_panic
        }
    };
    (extractor $as:ident $with:tt) => {
        $crate::__claims! { @$as $with
            rules_are_proposed_for_clean_rows
            a_rule_is_conditions_on_features_of_the_table
            the_same_seed_gives_the_same_rules
            threads_change_no_rule
            later_rows_change_no_rule
            a_call_ends_when_told_to
            a_feature_that_is_no_number_is_refused_or_left_out
            a_label_that_is_no_number_is_refused
            training_rows_of_one_class_are_refused
            parameters_out_of_bounds_are_refused_by_name
            garbage_is_refused_without_a_panic
        }
    };
    (@table () $($claim:ident)*) => {
        [$(Claim { name: stringify!($claim), holds: $claim }),*]
    };
    (@tests ($harness:expr) $($claim:ident)*) => {
        #[cfg(test)]
        mod conformance {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn its_manifest_can_be_worked_with() {
                $crate::conformance::assert_holds(&$harness, "its_manifest_can_be_worked_with");
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

/// Returns the claims for a plugin with this role; they follow the claim on its manifest.
pub(super) fn all(depth: Depth, role: Role) -> &'static [Claim] {
    match (depth, role) {
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
pub(super) fn verdict(holds: impl FnOnce() -> ClaimResult) -> Verdict {
    let outcome = catch_unwind(AssertUnwindSafe(holds)).unwrap_or_else(|payload| {
        // A payload whose own drop panics would abort.
        std::mem::forget(payload);
        Err(ClaimError::broken(
            "that trying this panics",
            "answers of the shape that was asked for",
            "see the lines on stderr",
        ))
    });
    match outcome {
        Ok(()) => Verdict::Holds,
        Err(ClaimError::Broken(reason)) => Verdict::Broken { reason },
        Err(ClaimError::Inapplicable(reason)) => Verdict::Inapplicable { reason },
    }
}

/// Returns the manifest, once it is readable and its role matches the module's functions.
pub(super) fn readable_manifest(harness: &Harness) -> Result<Manifest, ClaimError> {
    let needed = "a manifest that a host can work with";
    let manifest = harness.manifest();
    let manifest =
        manifest.map_err(|error| ClaimError::broken(describe(&error), needed, "see `Manifest` and `Param`"))?;
    let fits_models = !harness.load(&[]).is_err_and(|error| error.code == code::UNSUPPORTED);
    if fits_models == (manifest.role == Role::Rules) {
        let what = if fits_models { "fits models" } else { "fits no models" };
        let found = format!("role {:?} of a plugin that {what}", manifest.role);
        let remedy = "extractors say `role(Role::Rules)` and `export_extractor!`, families neither";
        return Err(ClaimError::broken(found, "the role of what it exports", remedy));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_panics_is_broken() {
        let Verdict::Broken { reason } = verdict(|| panic!("out of bounds")) else { panic!("not broken") };
        assert_eq!(reason.lines().next(), Some("found that trying this panics"));
    }
}

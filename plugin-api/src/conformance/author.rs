//! The claims as tests of an author's crate, one a claim.

use std::io::Write as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::subject::Subject;
use super::{Depth, MANIFEST, ON_EXTRACTORS, ON_FAMILIES, Verdict, readable_manifest, verdict};
use crate::Manifest;
use crate::testing::Bench;

/// Tests of plugins whose fits must not run side by side wait for each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Set in the process that [`assert_silent`] starts.
const CHILD: &str = "OCULUS_CONFORMANCE_CHILD";
const START: &str = "-- the plugin works";
const END: &str = "-- the plugin is done";

/// Tries every claim on a plugin, a test a claim: one line in the author's crate, `conformance!(MyFamily)` or
/// `conformance!(extractor MyExtractor)`.
///
/// The line stands in the crate itself or in a file of its `tests` folder, once in each, and makes a module `conformance`.
/// Beside the claims that a host can try, it tests that fits print nothing on stdout.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct BaseRate;
/// # struct Share;
/// # impl Family for BaseRate {
/// #     type Model = Share;
/// #     fn manifest() -> Manifest { Manifest::new("base-rate", "1.0.0") }
/// #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Share> { Ok(Share) }
/// # }
/// # impl Model for Share {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { Ok(Vec::new()) }
/// #     fn load(_: &[u8]) -> Result<Self> { Ok(Share) }
/// # }
/// oculus_plugin_api::conformance!(BaseRate);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    (extractor $extractor:ty) => {
        $crate::__claims!(extractor tests ($crate::testing::Bench::extractor::<$extractor>()));
    };
    ($family:ty) => {
        $crate::__claims!(family tests ($crate::testing::Bench::family::<$family>()));
    };
}

/// The one list of claims: as tests of an author, and as the table that a host goes through.
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
    (@tests ($bench:expr) $($claim:ident)*) => {
        #[cfg(test)]
        mod conformance {
            #[allow(unused_imports)]
            use super::*;

            #[test]
            fn its_manifest_can_be_worked_with() {
                $crate::conformance::assert_holds(&$bench, "its_manifest_can_be_worked_with");
            }
            $(
                #[test]
                fn $claim() {
                    $crate::conformance::assert_holds(&$bench, stringify!($claim));
                }
            )*
            #[test]
            fn nothing_is_printed_on_stdout() {
                $crate::conformance::assert_silent(&$bench, concat!(module_path!(), "::nothing_is_printed_on_stdout"));
            }
        }
    };
}

/// Tries one claim.
///
/// # Panics
/// When it is broken, with the reason.
pub fn assert_holds(bench: &Bench, name: &str) {
    let tried = match readable_manifest(bench) {
        Err(fault) => verdict(|| Err(fault)),
        Ok(_) if name == MANIFEST => Verdict::Holds,
        Ok(manifest) => {
            let claim = ON_FAMILIES.iter().chain(ON_EXTRACTORS).find(|claim| claim.name == name);
            let holds = claim.unwrap_or_else(|| panic!("no claim {name}")).holds;
            alone(&manifest.clone(), || verdict(|| holds(&Subject::new(bench, manifest, Depth::Suite))))
        }
    };
    match tried {
        Verdict::Holds => {}
        Verdict::Inapplicable { reason } => println!("{name} says nothing here: {reason}"),
        Verdict::Broken { reason } => panic!("it is not so that {}:\n{reason}", name.replace('_', " ")),
    }
}

/// Runs while no other plugin does whose fits must not run side by side.
fn alone<T>(manifest: &Manifest, run: impl FnOnce() -> T) -> T {
    let _lock = (!manifest.concurrent_fits).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    run()
}

/// Tests that a plugin at work prints nothing on stdout, in a process of its own: the test with this path, run again.
///
/// # Panics
/// When it prints something, or the process fails.
pub fn assert_silent(bench: &Bench, path: &str) {
    if std::env::var_os(CHILD).is_some() {
        work_between_marks(bench);
    }
    // Tests are named without their crate.
    let (_, test) = path.split_once("::").unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    let output = Command::new(program).args(["--exact", test, "--nocapture"]).env(CHILD, "1").output();
    let output = output.unwrap_or_else(|error| panic!("the test could not be run again: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let Some((_, printed)) = stdout.split_once(START) else {
        panic!("the test {test} did not start:\n{stdout}{stderr}")
    };
    assert!(output.status.success(), "the plugin ended its process: {}\n{stderr}", output.status);
    let printed = printed.replacen(END, "", 1);
    let printed = printed.trim();
    assert!(printed.is_empty(), "stdout is not the plugin's; use `ctx.log`, or stderr. It printed:\n{printed}");
}

/// Ends the process, so that what C libraries hold back comes out behind the last mark, and nothing else.
fn work_between_marks(bench: &Bench) -> ! {
    mark(START);
    if let Ok(manifest) = bench.manifest() {
        let subject = Subject::new(bench, manifest, Depth::Suite);
        if subject.is_extractor() {
            drop(subject.rules());
            drop(subject.extract(&subject.panel.still(), &subject.task()));
        } else if let Ok(model) = subject.model() {
            drop(model.predict(&subject.frame, &subject.panel.later_elsewhere()));
            drop(model.save().and_then(|bytes| bench.load(&bytes)));
            // Engines have warnings for columns that never move.
            drop(subject.fit(&subject.panel.still(), &subject.task()));
        }
    }
    mark(END);
    std::process::exit(0)
}

/// A line straight to stdout, which the test harness would hold back.
fn mark(line: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "\n{line}").and_then(|()| stdout.flush());
}

//! Tests of the claims: a correct family and a correct extractor meet every claim, and each flaw
//! breaks exactly one.

mod flawed;

use flawed::*;
use oculus_plugin_api::conformance::{Depth, Finding, Step, Verdict, assert_silent, examine};
use oculus_plugin_api::testing::Harness;

oculus_plugin_api::conformance!(Linear<NONE>);

mod extractors {
    use super::*;

    oculus_plugin_api::conformance!(extractor Medians<NONE>);
}

fn suite(harness: &Harness) -> Vec<Finding> {
    examine(harness, Depth::Suite, &mut |_| {})
}

/// Returns the broken claims.
fn broken(findings: &[Finding]) -> Vec<&str> {
    let is_broken = |finding: &&Finding| matches!(finding.verdict, Verdict::Broken { .. });
    findings.iter().filter(is_broken).map(|finding| finding.claim.as_str()).collect()
}

fn reason(findings: &[Finding]) -> String {
    let reasons = findings.iter().find_map(|finding| match &finding.verdict {
        Verdict::Broken { reason } => Some(reason.clone()),
        _ => None,
    });
    reasons.unwrap_or_default()
}

/// Returns each flaw with the claim that it breaks and with a text that the reason contains.
fn flaws() -> Vec<(Harness, &'static str, &'static str)> {
    vec![
        (Harness::family::<Linear<RANDOM>>(), "the same seed produces the same model", "task.seed"),
        (Harness::family::<Linear<THREADS>>(), "the number of threads does not change the model", "task.threads"),
        (Harness::family::<Tallied>(), "fits do not change the prepared table", "`fit`"),
        (Harness::family::<Linear<SHARED_STATE>>(), "concurrent fits equal sequential fits", "concurrent_fits"),
        (Harness::family::<Linear<LOOKAHEAD>>(), "later rows do not change the model", "`learn_rows`"),
        (Harness::family::<Linear<RULE_COLUMNS>>(), "rule columns do not change the model", "model_features"),
        (Harness::family::<Linear<UNCANCELLABLE>>(), "a fit stops when cancelled", "`ctx.check()?`"),
        (Harness::family::<Linear<IGNORES_CANCEL>>(), "a fit stops when cancelled", "CANCELLED"),
        (
            Harness::family::<Linear<CHECKS_ONCE>>(),
            "a fit with more rounds checks for cancellation more often",
            "`ctx.check()?`",
        ),
        (Harness::family::<Linear<LOSSY_LOAD>>(), "a saved model predicts the same", "`predict`"),
        (Harness::family::<Linear<ACCEPTS_TRUNCATED>>(), "a truncated model is rejected", "`load`"),
        (Harness::family::<Linear<ACCEPTS_ANY_BYTES>>(), "bytes that are not a model are rejected", "`load`"),
        (Harness::family::<Linear<HALF_IMPORTANCE>>(), "importance is one share per column", "divide by the sum"),
        (Harness::family::<Linear<COUNTS_ROWS>>(), "a score does not depend on the other requested rows", "`rows`"),
        (Harness::family::<Linear<POSITIONAL>>(), "columns are found by name", "table.position"),
        (Harness::family::<Linear<PREDICTS_WHEN_CANCELLED>>(), "a prediction stops when cancelled", "`ctx.check()`"),
        (Harness::family::<Linear<IGNORES_BASE>>(), "a base score is part of the scores", "`predict_from`"),
        (
            Harness::family::<Linear<FITS_WITHOUT_BASE>>(),
            "only base scores of fitted rows change the model",
            "start the fit from",
        ),
        (
            Harness::family::<Linear<READS_LATER_BASE>>(),
            "only base scores of fitted rows change the model",
            "`tune_rows` only",
        ),
        (Harness::family::<Linear<PLAIN_NAMES>>(), "column names of any characters are accepted", "`escape_name`"),
        (Harness::family::<Linear<SPREADS_NAN>>(), "a missing value does not affect other symbols", "NaN"),
        (Harness::family::<Linear<ACCEPTS_NAN>>(), "a non finite feature is rejected or ignored", "DATA"),
        (
            Harness::family::<Linear<ACCEPTS_ONE_CLASS>>(),
            "training rows of one class are rejected",
            "needs_both_classes",
        ),
        (Harness::family::<Linear<PANICS>>(), "invalid input is rejected without a panic", "(PANIC)"),
        (Harness::family::<Linear<FAILS>>(), "a fit on clean rows scores later rows", "(ENGINE)"),
        (Harness::family::<Linear<BAD_DEFAULT>>(), "its manifest is valid", "rounds"),
        (Harness::family::<Linear<WRONG_ROLE>>(), "its manifest is valid", "Rules"),
        (Harness::extractor::<Medians<RANDOM>>(), "the same seed produces the same rules", "task.seed"),
        (Harness::extractor::<Medians<THREADS>>(), "the number of threads does not change the rules", "task.threads"),
        (Harness::extractor::<Medians<LOOKAHEAD>>(), "later rows do not change the rules", "train_rows"),
        (Harness::extractor::<Medians<UNCANCELLABLE>>(), "an extraction stops when cancelled", "`ctx.check()?`"),
        (Harness::extractor::<Medians<PANICS>>(), "invalid input is rejected without a panic", "(PANIC)"),
        (
            Harness::extractor::<Medians<ACCEPTS_ONE_CLASS>>(),
            "training rows of one class are rejected",
            "needs_both_classes",
        ),
        (Harness::extractor::<Medians<ACCEPTS_NAN>>(), "rules are conditions on features of the table", "\"NO_SUCH\""),
        (Harness::extractor::<Medians<FAILS>>(), "rules are proposed for clean rows", "(ENGINE)"),
        (Harness::extractor::<Medians<WRONG_ROLE>>(), "its manifest is valid", "Tabular"),
    ]
}

#[test]
fn each_flaw_breaks_exactly_one_claim() {
    for (harness, claim, name) in flaws() {
        let findings = suite(&harness);
        assert_eq!(broken(&findings), [claim], "{findings:?}");
        let reason = reason(&findings);
        assert!(reason.contains(name) && reason.lines().count() == 3, "{claim}: {reason}");
    }
}

#[test]
fn a_reason_states_what_was_found_what_is_needed_and_a_remedy() {
    let reason = reason(&suite(&Harness::family::<Linear<UNCANCELLABLE>>()));
    let expected = [
        "found no check for cancellation",
        "expected a check between steps, at least every 100 ms",
        "call `ctx.check()?` between steps",
    ];
    assert_eq!(reason.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn a_module_without_checks_breaks_the_claims_that_the_sdk_meets_for_authors() {
    let findings = suite(&Harness::from_module(module_without_checks()));
    let expected = [
        "a fit with more rounds checks for cancellation more often",
        "a base score is part of the scores",
        "only base scores of fitted rows change the model",
        "an invalid base score is rejected",
        "an invalid label is rejected",
        "training rows of one class are rejected",
        "invalid parameters are rejected by name",
        "invalid input is rejected without a panic",
    ];
    assert_eq!(broken(&findings), expected, "{findings:?}");
}

#[test]
fn a_probe_finds_flaws_that_break_jobs_and_accepts_a_fit_that_never_checks_for_cancellation() {
    let probe = |harness: &Harness| examine(harness, Depth::Probe, &mut |_| {});
    for correct in [
        Harness::family::<Linear<NONE>>(),
        Harness::family::<Linear<UNCANCELLABLE>>(),
        Harness::extractor::<Medians<NONE>>(),
    ] {
        let findings = probe(&correct);
        assert!(
            findings.len() == 3 && findings.iter().all(|finding| finding.verdict == Verdict::Holds),
            "{findings:?}"
        );
    }
    for (flawed, claim) in [
        (Harness::family::<Linear<LOSSY_LOAD>>(), "a small model predicts the same after loading"),
        (Harness::family::<Linear<FAILS>>(), "a small model predicts the same after loading"),
        (Harness::family::<Linear<IGNORES_CANCEL>>(), "a small fit stops when cancelled"),
        (Harness::family::<Linear<BAD_DEFAULT>>(), "its manifest is valid"),
        (Harness::extractor::<Medians<ACCEPTS_NAN>>(), "rules of a small table use its features"),
        (Harness::extractor::<Medians<IGNORES_CANCEL>>(), "a small extraction stops when cancelled"),
    ] {
        assert_eq!(broken(&probe(&flawed)), [claim]);
    }
}

#[test]
fn every_claim_is_reported_before_and_after_its_test() {
    let mut steps = Vec::new();
    let findings = examine(&Harness::family::<Linear<NONE>>(), Depth::Suite, &mut |step| {
        steps.push(match step {
            Step::Begins(claim) => claim.to_owned(),
            Step::Ends(finding) => format!("{} {:?}", finding.claim, finding.verdict),
        });
    });
    let expected = findings.iter().flat_map(|it| [it.claim.clone(), format!("{} {:?}", it.claim, it.verdict)]);
    assert_eq!(steps, expected.collect::<Vec<_>>());
    assert!(findings.len() == 27 && findings.iter().all(|finding| finding.verdict == Verdict::Holds), "{findings:?}");
}

#[test]
#[should_panic(expected = "a plugin must not print on stdout; use `ctx.log` or stderr. Found:\nfitting")]
fn a_print_is_detected() {
    assert_silent(&Harness::family::<Linear<PRINTS>>(), concat!(module_path!(), "::a_print_is_detected"));
}

#[test]
#[should_panic(expected = "printed by C")]
fn a_buffered_print_of_a_c_library_is_detected() {
    assert_silent(
        &Harness::family::<Linear<PRINTS_THROUGH_C>>(),
        concat!(module_path!(), "::a_buffered_print_of_a_c_library_is_detected"),
    );
}

#[test]
#[should_panic(expected = "did not start")]
fn a_missing_test_fails() {
    assert_silent(&Harness::family::<Linear<NONE>>(), concat!(module_path!(), "::no_such_test"));
}

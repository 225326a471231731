//! A correct family and a correct extractor fulfil every claim, and each flaw breaks the claim that it concerns.

mod flawed;

use flawed::*;
use oculus_plugin_api::conformance::{Depth, Finding, Step, Verdict, assert_silent, examine};
use oculus_plugin_api::testing::Harness;

oculus_plugin_api::conformance!(Linear<NONE>);

mod of_extractors {
    use super::*;

    oculus_plugin_api::conformance!(extractor Medians<NONE>);
}

fn suite(harness: &Harness) -> Vec<Finding> {
    examine(harness, Depth::Suite, &mut |_| {})
}

/// The claims that are broken.
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

/// Each flaw, the one claim it breaks, and a name or a code that the reason holds.
fn flaws() -> Vec<(Harness, &'static str, &'static str)> {
    vec![
        (Harness::family::<Linear<CHANCE>>(), "the same seed gives the same model", "task.seed"),
        (Harness::family::<Linear<THREADS>>(), "threads change no model", "task.threads"),
        (Harness::family::<Tallied>(), "one prepared table gives each fit the same model", "`fit`"),
        (Harness::family::<Linear<SHARED>>(), "fits side by side equal those in a row", "concurrent_fits"),
        (Harness::family::<Linear<LEAK>>(), "later rows change no model", "`learn_rows`"),
        (Harness::family::<Linear<GREEDY>>(), "columns for rules change no model", "model_features"),
        (Harness::family::<Linear<DEAF>>(), "a fit ends when told to", "`ctx.check()?`"),
        (Harness::family::<Linear<STUBBORN>>(), "a fit ends when told to", "CANCELLED"),
        (Harness::family::<Linear<HASTY>>(), "a fit asks more often the more rounds it has", "`ctx.check()?`"),
        (Harness::family::<Linear<FORGETFUL>>(), "a saved model predicts the same", "`predict`"),
        (Harness::family::<Linear<CREDULOUS>>(), "a saved model cut short is refused", "`load`"),
        (Harness::family::<Linear<TRUSTING>>(), "bytes that are no model are refused", "`load`"),
        (Harness::family::<Linear<VAIN>>(), "importance is shared among the columns", "divide by the sum"),
        (Harness::family::<Linear<SOCIABLE>>(), "a score depends on no other row asked for", "`rows`"),
        (Harness::family::<Linear<POSITIONAL>>(), "columns are found by name", "table.position"),
        (Harness::family::<Linear<SPREADING>>(), "a hole in a row silences no other symbol", "NaN"),
        (Harness::family::<Linear<BLIND>>(), "a feature that is no number is refused or left out", "DATA"),
        (Harness::family::<Linear<ONE_SIDED>>(), "training rows of one class are refused", "needs_both_classes"),
        (Harness::family::<Linear<FRAIL>>(), "garbage is refused without a panic", "(PANIC)"),
        (Harness::family::<Linear<MUTE>>(), "a fit on clean rows scores later ones", "(ENGINE)"),
        (Harness::family::<Linear<BACKWARDS>>(), "its manifest can be worked with", "rounds"),
        (Harness::family::<Linear<MISCAST>>(), "its manifest can be worked with", "Rules"),
        (Harness::extractor::<Medians<CHANCE>>(), "the same seed gives the same rules", "task.seed"),
        (Harness::extractor::<Medians<THREADS>>(), "threads change no rule", "task.threads"),
        (Harness::extractor::<Medians<LEAK>>(), "later rows change no rule", "train_rows"),
        (Harness::extractor::<Medians<DEAF>>(), "a call ends when told to", "`ctx.check()?`"),
        (Harness::extractor::<Medians<FRAIL>>(), "garbage is refused without a panic", "(PANIC)"),
        (Harness::extractor::<Medians<ONE_SIDED>>(), "training rows of one class are refused", "needs_both_classes"),
        (Harness::extractor::<Medians<BLIND>>(), "a rule is conditions on features of the table", "\"NO_SUCH\""),
        (Harness::extractor::<Medians<MUTE>>(), "rules are proposed for clean rows", "(ENGINE)"),
        (Harness::extractor::<Medians<MISCAST>>(), "its manifest can be worked with", "Tabular"),
    ]
}

#[test]
fn a_flaw_breaks_the_claim_that_it_concerns_and_no_other() {
    for (harness, claim, name) in flaws() {
        let findings = suite(&harness);
        assert_eq!(broken(&findings), [claim], "{findings:?}");
        let reason = reason(&findings);
        assert!(reason.contains(name) && reason.lines().count() == 3, "{claim}: {reason}");
    }
}

#[test]
fn a_reason_states_what_was_found_what_was_needed_and_a_remedy() {
    let reason = reason(&suite(&Harness::family::<Linear<DEAF>>()));
    let needed = [
        "found that it never asked whether to end",
        "needed a question between its steps, at least every 100 ms",
        "call `ctx.check()?` between steps",
    ];
    assert_eq!(reason.lines().collect::<Vec<_>>(), needed);
}

#[test]
fn a_module_without_checks_breaks_the_claims_that_the_sdk_fulfils_for_others() {
    let findings = suite(&Harness::from_module(yes_man()));
    let expected = [
        "a fit asks more often the more rounds it has",
        "a label that is no number is refused",
        "training rows of one class are refused",
        "parameters out of bounds are refused by name",
        "garbage is refused without a panic",
    ];
    assert_eq!(broken(&findings), expected, "{findings:?}");
}

#[test]
fn a_probe_finds_flaws_that_break_jobs_and_accepts_a_fit_that_never_checks_for_cancellation() {
    let probe = |harness: &Harness| examine(harness, Depth::Probe, &mut |_| {});
    for sound in
        [Harness::family::<Linear<NONE>>(), Harness::family::<Linear<DEAF>>(), Harness::extractor::<Medians<NONE>>()]
    {
        let findings = probe(&sound);
        assert!(
            findings.len() == 3 && findings.iter().all(|finding| finding.verdict == Verdict::Holds),
            "{findings:?}"
        );
    }
    for (flawed, claim) in [
        (Harness::family::<Linear<FORGETFUL>>(), "a small fit is the same after saving and loading"),
        (Harness::family::<Linear<MUTE>>(), "a small fit is the same after saving and loading"),
        (Harness::family::<Linear<STUBBORN>>(), "a small fit ends when told to"),
        (Harness::family::<Linear<BACKWARDS>>(), "its manifest can be worked with"),
        (Harness::extractor::<Medians<BLIND>>(), "a few rules name features of the table"),
        (Harness::extractor::<Medians<STUBBORN>>(), "a small extraction ends when told to"),
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
    assert!(findings.len() == 22 && findings.iter().all(|finding| finding.verdict == Verdict::Holds), "{findings:?}");
}

#[test]
#[should_panic(expected = "stdout is not the plugin's; use `ctx.log`, or stderr. It printed:\nfitting")]
fn a_print_is_found() {
    assert_silent(&Harness::family::<Linear<LOUD>>(), concat!(module_path!(), "::a_print_is_found"));
}

#[test]
#[should_panic(expected = "mumbling")]
fn a_print_that_c_holds_back_is_found() {
    assert_silent(
        &Harness::family::<Linear<MUMBLING>>(),
        concat!(module_path!(), "::a_print_that_c_holds_back_is_found"),
    );
}

#[test]
#[should_panic(expected = "did not start")]
fn a_test_that_is_not_there_is_no_silence() {
    assert_silent(&Harness::family::<Linear<NONE>>(), concat!(module_path!(), "::no_such_test"));
}

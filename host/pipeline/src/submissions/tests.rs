//! Claims about the number of designs, the rank, and the corrected significance.

use serde_json::json;

use super::*;

const START: &str = "2026-03-04T05:06:07";
/// Days of the test period of the job, from 2024-01-10 to 2024-06-10.
const TEST: Range<i32> = 19_732..19_885;

fn job() -> Job {
    Job::from_value(&json!({ "build_id": "b", "symbols": ["A"], "timeframe": "1d" })).unwrap()
}

fn earlier(design: &str, from: &str, to: &str, auc: impl Into<Option<f64>>) -> Submission {
    Submission {
        design_sha256: design.to_owned(),
        symbols: job().symbol_hashes(),
        test_months: [from.to_owned(), to.to_owned()],
        at: format!("2026-02-{:02}T00:00:00", design.len()),
        auc: auc.into(),
        auc_p: None,
        probabilistic_sharpe: None,
    }
}

fn figures(auc: f64, auc_p: f64) -> TestFigures {
    TestFigures { auc: Ok(auc), auc_p: Ok(auc_p), probabilistic_sharpe: Some(0.9) }
}

fn conclude(history: Vec<Submission>, figures: TestFigures) -> (Submissions, Submission) {
    TestPeriodUse::new(&SubmissionHistory::Known(history), &job(), &TEST, START).conclude(figures)
}

fn section(history: Vec<Submission>) -> Submissions {
    conclude(history, figures(0.55, 0.1)).0
}

#[test]
fn the_first_design_is_not_corrected() {
    let (section, own) = conclude(Vec::new(), figures(0.55, 0.25));
    assert_eq!((section.n, section.first.as_deref(), section.rank), (Some(1), Some(START), Some(1)));
    assert_eq!(section.auc_p_adjusted, Finite::new(0.25));
    assert_eq!(section.required_probabilistic_sharpe, Finite::new(0.975));
    assert!(section.reasons.is_empty() && section.warnings().is_empty());
    assert_eq!(own.test_months, ["2024-01", "2024-06"]);
    assert_eq!((own.auc, own.auc_p, own.probabilistic_sharpe), (Some(0.55), Some(0.25), Some(0.9)));
    assert_eq!((own.at.as_str(), own.design_sha256), (START, job().design_sha256()));
}

#[test]
fn a_design_counts_once_and_only_on_overlapping_test_periods() {
    let history = vec![
        earlier("a", "2024-01", "2024-06", 0.5),
        earlier("a", "2024-02", "2024-07", 0.5),
        earlier("bb", "2020-01", "2024-01", 0.5),
        earlier("ccc", "2024-07", "2024-12", 0.9),
        earlier("dddd", "2023-01", "2023-12", 0.9),
    ];
    let section = section(history);
    assert_eq!((section.n, section.rank, section.first.as_deref()), (Some(3), Some(1), Some("2026-02-01T00:00:00")));
}

#[test]
fn a_design_that_runs_again_keeps_the_number_and_the_first_time() {
    let own = Submission { at: "2026-01-01T00:00:00".to_owned(), ..conclude(Vec::new(), figures(0.5, 0.5)).1 };
    let again = section(vec![earlier("a", "2024-01", "2024-06", 0.6), own.clone()]);
    assert_eq!((again.n, again.first), (Some(2), Some(own.at)));
}

#[test]
fn designs_are_ranked_by_their_best_auc() {
    let history = vec![
        earlier("a", "2024-01", "2024-06", 0.5),
        earlier("a", "2024-01", "2024-07", 0.6),
        earlier("b", "2024-01", "2024-06", 0.55),
        earlier("c", "2024-01", "2024-06", 0.7),
        earlier("d", "2024-01", "2024-06", None),
    ];
    let section = section(history);
    assert_eq!((section.n, section.rank), (Some(5), Some(3)), "an equal AUC shares the rank");
}

#[test]
fn the_probability_by_chance_is_that_of_the_best_of_n_designs() {
    let history = (0..9).map(|idx| earlier(&format!("d{idx}"), "2024-01", "2024-06", 0.5)).collect();
    let section = conclude(history, figures(0.55, 0.01)).0;
    let adjusted = section.auc_p_adjusted.unwrap().get();
    assert!((adjusted - (1.0 - 0.99_f64.powi(10))).abs() < 1e-15, "{adjusted}");
    assert_eq!(adjusted_p(1.0, 3), 1.0);
    assert!((adjusted_p(1e-18, 4) - 4e-18).abs() < 1e-30, "a small probability keeps its digits");
    assert!((section.required_probabilistic_sharpe.unwrap().get() - 0.9975).abs() < 1e-15);
}

#[test]
fn the_tenth_design_has_a_warning_with_the_number_of_designs() {
    let after = |n: usize| {
        let history = (0..n).map(|idx| earlier(&format!("d{idx}"), "2024-01", "2024-06", 0.5)).collect();
        section(history).warnings()
    };
    assert!(after(8).is_empty());
    let [warning] = &after(9)[..] else { panic!("no warning") };
    assert_eq!(warning.code, WarningCode::TestReused);
    assert!(warning.message.contains("10 different designs since 2026-02-02T00:00:00 UTC"), "{}", warning.message);
}

#[test]
fn an_unreadable_ledger_makes_every_figure_null_with_its_reason_and_a_warning() {
    let history = SubmissionHistory::Unknown("the key has another type".to_owned());
    let test_use = TestPeriodUse::new(&history, &job(), &TEST, START);
    assert_eq!(test_use.n_designs(), None);
    let (section, own) = test_use.conclude(figures(0.55, 0.1));
    assert_eq!(own.auc, Some(0.55), "the submission itself is recorded");
    let fields = ["auc_p_adjusted", "first", "n", "rank", "required_probabilistic_sharpe"];
    assert_eq!(section.reasons.names(), fields);
    assert!(fields.iter().all(|name| section.reasons.get(name) == Some("the key has another type")));
    let [warning] = &section.warnings()[..] else { panic!("no warning") };
    assert_eq!(warning.code, WarningCode::SubmissionsUnknown);
}

#[test]
fn undefined_figures_have_no_rank_and_no_corrected_probability() {
    let missing = || Err(UndefinedError::because("one class is missing"));
    let undefined = TestFigures { auc: missing(), auc_p: missing(), probabilistic_sharpe: None };
    let section = conclude(Vec::new(), undefined).0;
    assert_eq!((section.n, section.rank, section.auc_p_adjusted), (Some(1), None, None));
    assert_eq!(section.reasons.names(), ["auc_p_adjusted", "rank"]);
    assert_eq!(section.reasons.get("rank"), Some("one class is missing"));
}

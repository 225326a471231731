//! Rules: mined walk-forward by an extractor, and the job's own, all judged by the host alike.
//!
//! In: a [`Study`], what the search found, a rule extractor, the job's rules. Out: [`Rules`]. Invariants: the rules of a
//! fold come from its training rows alone; no row of the test period has a part in any rule or list; an extractor
//! proposes conditions and nothing else, whatever it says of them.

mod book;
mod candidate;
mod evidence;
mod found;
mod lists;
mod meaning;
mod mining;
mod own;
mod recurrence;
mod score;
#[cfg(test)]
pub(crate) mod tests;
mod truth;
mod words;

use oculus_job::warning::Warning;
use oculus_job::warning::WarningCode;
use serde_json::{Map, Value};

pub use self::{
    book::{Clause, Conjunction, Lists, RuleBook, Sides},
    evidence::{Evidence, SymbolEvidence},
    found::{FoldMining, Found, FoundRule, ListName, ListWorth, SideLists},
    own::{RuleReport, ScoredRule, UnresolvedRule},
    score::RuleScore,
    truth::RuleSide,
};
use self::{
    evidence::Judge,
    mining::{Mined, Minings},
};
use super::{
    features::FeatureReport,
    fitter::FitError,
    metrics::Undefined,
    miner::Miner,
    search::{Outcome, Study},
};
use oculus_job::{failure::Failure, progress::Phase, request::Rule};

/// Complaints that a warning repeats.
const MAX_COMPLAINTS: usize = 5;

/// The judges of both sides.
type Judges<'a> = Sides<Result<Judge<'a>, Undefined>>;

/// The rules of a job, and what their names mean.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Rules that speak for opening.
    pub entry_rules: &'a [Rule],
    /// Rules that speak for closing.
    pub exit_rules: &'a [Rule],
    /// Entry rules that must hold at once.
    pub entry_score_threshold: u32,
    /// Exit rules that must hold at once.
    pub exit_score_threshold: u32,
    /// What became of the names.
    pub features: &'a FeatureReport,
}

impl<'a> Asked<'a> {
    /// The rules of one side, and how many of them must hold at once.
    fn of(&self, side: RuleSide) -> (&'a [Rule], u32) {
        match side {
            RuleSide::Entry => (self.entry_rules, self.entry_score_threshold),
            RuleSide::Exit => (self.exit_rules, self.exit_score_threshold),
        }
    }
}

/// Everything this stage found.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The job's own rules, scored.
    pub suggested: RuleReport,
    /// Mined rules of each side, judged.
    pub found: Sides<Found>,
    /// What a strategy may follow.
    pub book: RuleBook,
    /// What the reader should know.
    pub warnings: Vec<Warning>,
}

/// A rule extractor with the parameters that the job sets, or why there is none.
pub type Extractor<'a> = Result<(&'a dyn Miner, &'a Map<String, Value>), String>;

/// Mines rules, and scores them and the job's own on the chosen label.
///
/// # Errors
/// When the job is cancelled. An extractor that fails leaves the job's own rules.
pub fn find(
    study: &Study<'_>,
    outcome: &Outcome,
    extractor: Extractor<'_>,
    asked: &Asked<'_>,
) -> Result<Rules, Failure> {
    let mut warnings = Vec::new();
    let judges = Sides::of(|side| Judge::new(study, outcome.label_idx, side));
    let suggested = own::score(study, &judges, asked);
    let mined = mine(study, outcome, extractor, &mut warnings)?;
    let n_folds = study.splits[outcome.label_idx].folds.len();
    let job = Sides::of(|side| own::followed(study, asked, side));
    let book = RuleBook { job, ..lists::book(study, n_folds, &mined) };
    let found = Sides::of(|side| match (judges.get(side), mined.get(side)) {
        (Ok(judge), Ok(minings)) => found::judge(study, outcome.label_idx, side, (judge, minings, &book)),
        (Err(why), _) | (_, Err(why)) => Found::nothing(why),
    });
    Ok(Rules { suggested, found, book, warnings })
}

/// The minings of each side, or why there are none: whatever befalls the extractor, the job's own rules are left.
fn mine<'a>(
    study: &Study<'a>,
    outcome: &Outcome,
    extractor: Extractor<'_>,
    warnings: &mut Vec<Warning>,
) -> Result<Sides<Result<Minings<'a>, Undefined>>, Failure> {
    let none = |reason: &str| Sides::of(|_| Err(Undefined::because(reason)));
    let (miner, params) = match extractor {
        Ok(extractor) => extractor,
        Err(reason) => {
            let install = "put a plugin of the role `rules` into the plugins folder for rules of the bars' own";
            warnings.push(Warning::new(WarningCode::NoRuleExtractor, format!("{reason}; {install}")));
            return Ok(none(&reason));
        }
    };
    let title = miner.manifest().title();
    match mining::mine(study, outcome, (miner, params)) {
        Ok(Mined { sides, complaints }) => {
            warnings.extend(refused(title, complaints));
            Ok(sides)
        }
        Err(FitError::Cancelled) => Err(Failure::cancelled(Phase::RuleExtraction)),
        Err(error) => {
            let message = format!("{title} mined no rules: {error}; the job's own are scored all the same");
            warnings.push(Warning::new(WarningCode::RulesFailed, message.clone()));
            Ok(none(&message))
        }
    }
}

/// One warning of all that an extractor proposed and the host left out.
fn refused(title: &str, mut complaints: Vec<String>) -> Option<Warning> {
    let n_complaints = complaints.len();
    complaints.sort_unstable();
    complaints.dedup();
    complaints.truncate(MAX_COMPLAINTS);
    let message = format!("{title} proposed what cannot be followed, {n_complaints} times: {}", complaints.join("; "));
    (n_complaints > 0).then(|| Warning::new(WarningCode::MinedRulesRefused, message))
}

//! What mined rules are worth, one by one and as lists.
//!
//! A rule flatters itself on the rows that it was mined from. So a fold's rules are judged on the rows that the fold
//! holds back, and what the development rows say is called `in_sample`. The walk-forward figures of one rule are still
//! those of a selection: the rule is shown because the last mining found it again. Those of a list are not, since every
//! rule of every fold's list counts, whatever became of it. On the test each final rule and list is judged once.

use serde::Serialize;

use super::{
    book::{Conjunction, Lists, RuleBook, Sides},
    evidence::{Evidence, Judge},
    mining::{Mining, Minings},
    recurrence::found_again,
    truth::RuleSide,
    words,
};
use crate::{
    metrics::{Reasons, Undefined},
    search::Study,
};

/// A list that a mined rule is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListName {
    /// Those that come up again and again.
    Stable,
    /// Those that promise most.
    HighLift,
}

/// What mining one side came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The listed rules of the last mining: the stable list, then the rest of the high-lift list.
    pub rules: Vec<FoundRule>,
    /// What the lists are worth.
    pub lists: SideLists,
}

/// A mined rule with what it is worth.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRule {
    /// Its conditions.
    pub rule: Conjunction,
    /// What it says and did, in plain English.
    pub description: String,
    /// The lists that it is in.
    pub lists: Vec<ListName>,
    /// Share of the extractor's resamples in which it came up.
    pub stability: Result<f64, Undefined>,
    /// Folds that found it.
    pub n_folds_found: usize,
    /// Folds in all.
    pub n_folds: usize,
    /// On the validation rows of the folds that found it, by each fold's own thresholds.
    pub walk_forward: Result<Evidence, Undefined>,
    /// On the rows that it was mined from.
    pub in_sample: Evidence,
    /// In the test period.
    pub test: Evidence,
}

/// What the lists of one side are worth.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SideLists {
    /// Those that come up again and again.
    pub stable: ListWorth,
    /// Those that promise most.
    pub high_lift: ListWorth,
    /// What each fold's mining came to.
    pub folds: Vec<FoldMining>,
}

/// What a list is worth: figures over pairs of a rule and a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ListWorth {
    /// Rules in it after the last mining.
    pub n_rules: usize,
    /// Every rule of every fold's list on the rows that the fold holds back: the worth of the procedure.
    pub walk_forward: Option<Evidence>,
    /// The final list on the rows that it was mined from.
    pub in_sample: Option<Evidence>,
    /// The final list in the test period.
    pub test: Option<Evidence>,
    /// Why something is null.
    #[serde(skip_serializing_if = "Reasons::is_empty")]
    pub reasons: Reasons,
}

/// A fold's mining.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FoldMining {
    /// Rules found.
    pub n_rules: usize,
    /// Why there are none, where the extractor could not learn from the fold's rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The judge of one side, its minings, and the lists that they came to.
type Stage<'s> = (&'s Judge<'s>, &'s Minings<'s>, &'s RuleBook);

/// Judges what mining one side came to.
pub(super) fn judge(study: &Study<'_>, label_idx: usize, side: RuleSide, stage: Stage<'_>) -> Found {
    let (_, minings, book) = stage;
    let lists = book.last.get(side);
    let rules = listed(lists).map(|rule| {
        let found = found_rule(study, rule, lists, stage);
        FoundRule { description: words::describe(study, label_idx, side, &found), ..found }
    });
    let folds = minings.folds.iter();
    let folds = folds.map(|mining| FoldMining { n_rules: mining.rules.len(), reason: mining.reason.clone() });
    Found {
        rules: rules.collect(),
        lists: SideLists {
            stable: list_worth(stage, side, |lists| &lists.stable),
            high_lift: list_worth(stage, side, |lists| &lists.high_lift),
            folds: folds.collect(),
        },
    }
}

impl Found {
    /// What stands where nothing was mined.
    pub(super) fn nothing(why: &Undefined) -> Self {
        let list = || ListWorth::without_rules(why);
        Self { rules: Vec::new(), lists: SideLists { stable: list(), high_lift: list(), folds: Vec::new() } }
    }
}

impl ListWorth {
    fn without_rules(why: &Undefined) -> Self {
        let mut reasons = Reasons::default();
        for name in ["walk_forward", "in_sample", "test"] {
            let _: Option<Evidence> = reasons.value(name, Err(why.clone()));
        }
        Self { reasons, ..Self::default() }
    }
}

/// The rules of both lists, each once.
fn listed(lists: &Lists) -> impl Iterator<Item = &Conjunction> {
    lists.stable.iter().chain(lists.high_lift.iter().filter(|rule| !lists.stable.contains(rule)))
}

fn found_rule(study: &Study<'_>, rule: &Conjunction, lists: &Lists, (judge, minings, _): Stage<'_>) -> FoundRule {
    let again = |mining: &Mining<'_>| found_again(study.table, rule, &mining.rules, mining.train_rows).cloned();
    let again: Vec<(usize, Conjunction)> =
        minings.folds.iter().enumerate().filter_map(|(fold_idx, mining)| Some((fold_idx, again(mining)?))).collect();
    let found: Vec<(usize, &Conjunction)> = again.iter().map(|(fold_idx, rule)| (*fold_idx, rule)).collect();
    let holds = |row: u32| rule.holds(study.table, row);
    let is_in = [(ListName::Stable, &lists.stable), (ListName::HighLift, &lists.high_lift)];
    let candidate = minings.last.rules.iter().find(|candidate| candidate.rule == *rule);
    let stability = candidate.and_then(|candidate| candidate.stability);
    FoundRule {
        rule: rule.clone(),
        description: String::new(),
        lists: is_in.into_iter().filter(|(_, list)| list.contains(rule)).map(|(name, _)| name).collect(),
        stability: stability.ok_or_else(|| Undefined::because("the extractor tells no share of resamples")),
        n_folds_found: found.len(),
        n_folds: minings.folds.len(),
        walk_forward: match found.as_slice() {
            [] => Err(Undefined::because("no earlier fold found this rule; `in_sample` has what it was mined from")),
            found => Ok(judge.walk_forward(found)),
        },
        in_sample: judge.development(&holds),
        test: judge.test(&holds),
    }
}

fn list_worth((judge, minings, book): Stage<'_>, side: RuleSide, list: fn(&Lists) -> &Vec<Conjunction>) -> ListWorth {
    let of_fold = |(fold_idx, lists)| list(Sides::get(lists, side)).iter().map(move |rule| (fold_idx, rule));
    let all: Vec<(usize, &Conjunction)> = book.folds.iter().enumerate().flat_map(of_fold).collect();
    let walk_forward = match all.as_slice() {
        [] => Err(Undefined::because("no fold's list has a rule")),
        all => Ok(judge.walk_forward(all)),
    };
    let last = list(book.last.get(side));
    let (in_sample, test) = if last.is_empty() { None } else { Some(judge.pooled(last)) }.unzip();
    let why_empty = minings.last.reason.as_deref().unwrap_or("the list is empty");
    let empty = || Undefined::because(why_empty);
    let mut reasons = Reasons::default();
    ListWorth {
        n_rules: last.len(),
        walk_forward: reasons.value("walk_forward", walk_forward),
        in_sample: reasons.value("in_sample", in_sample.ok_or_else(empty)),
        test: reasons.value("test", test.ok_or_else(empty)),
        reasons,
    }
}

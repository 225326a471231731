//! Mines rules walk-forward: from each fold's training rows, then from all development rows, of both sides.
//!
//! In: a [`Study`], out-of-fold scores, an extractor. Out: [`Minings`] of each side. Invariant: an extractor is told
//! labels and scores of the rows that it is to learn from, and of no others.

use crate::parallel::side_by_side;
use oculus_plugin_api::{MinedRule, code};
use serde_json::{Map, Value};

use super::{
    book::Sides,
    candidate::{Candidate, checked},
    truth::{RuleSide, truth},
};
use crate::{
    features::FeatureTable,
    fitter::FitError,
    labels::Label,
    metrics::Undefined,
    miner::{MineRequest, Miner},
    search::{Outcome, Study},
    splits::{ClassCounts, n_episodes},
};

/// The rules that came out of some rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mining<'a> {
    /// What it learnt from.
    pub(super) train_rows: &'a [u32],
    /// What it found, the best first.
    pub(super) rules: Vec<Candidate>,
    /// Why it found nothing, where the extractor could not learn from these rows.
    pub(super) reason: Option<String>,
}

/// All minings of one side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Minings<'a> {
    /// From the training rows of each fold, oldest first.
    pub(super) folds: Vec<Mining<'a>>,
    /// From all development rows.
    pub(super) last: Mining<'a>,
}

impl<'a> Minings<'a> {
    /// A mining with those before it: that of a fold, or the last one behind all folds.
    pub(super) fn up_to(&self, n_earlier: usize) -> (&[Mining<'a>], &Mining<'a>) {
        match self.folds.get(n_earlier) {
            Some(mining) => (&self.folds[..n_earlier], mining),
            None => (&self.folds, &self.last),
        }
    }
}

/// What an extractor made of the rows of a job.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mined<'a> {
    /// The minings of each side, or why there are none.
    pub(super) sides: Sides<Result<Minings<'a>, Undefined>>,
    /// What was wrong with what the extractor proposed.
    pub(super) complaints: Vec<String>,
}

/// One mining that is to be done.
struct Piece<'p, 'a> {
    side: RuleSide,
    truth: &'p [f32],
    train_rows: &'a [u32],
}

/// Mines both sides, up to `n_side_by_side` minings at once.
///
/// Rows that the extractor cannot learn from leave that mining empty, with the reason.
///
/// # Errors
/// The extractor's, once it is cancelled, dies, or refuses for another reason.
pub(super) fn mine<'a>(
    study: &Study<'a>,
    outcome: &Outcome,
    extractor: (&dyn Miner, &Map<String, Value>),
) -> Result<Mined<'a>, FitError> {
    let (label, splits) = (&study.labels[outcome.label_idx], &study.splits[outcome.label_idx]);
    let truths = Sides::of(|side| truth(label, side));
    let of_folds = splits.folds.iter().map(|fold| fold.train_rows.as_slice());
    let parts: Vec<&'a [u32]> = of_folds.chain([splits.development.train_rows.as_slice()]).collect();
    let pieces = |side: RuleSide| {
        let truth = truths.get(side).as_deref().unwrap_or_default();
        let n_pieces = if truth.is_empty() { 0 } else { parts.len() };
        parts[..n_pieces].iter().map(move |&train_rows| Piece { side, truth, train_rows })
    };
    let pieces: Vec<Piece<'_, 'a>> = pieces(RuleSide::Entry).chain(pieces(RuleSide::Exit)).collect();
    let answers = side_by_side(study.n_side_by_side, &pieces, |piece| ask(study, outcome, extractor, piece));
    let (minings, complaints) = minings(study, &pieces, answers)?;
    let mut minings = minings.into_iter();
    let sides = Sides::of(|side| {
        truths.get(side).as_ref().map_err(Undefined::clone)?;
        let folds = minings.by_ref().take(splits.folds.len()).collect();
        let last = minings.next().ok_or_else(|| Undefined::because("the table has no rows"))?;
        Ok(Minings { folds, last })
    });
    Ok(Mined { sides, complaints })
}

fn ask(
    study: &Study<'_>,
    outcome: &Outcome,
    (miner, params): (&dyn Miner, &Map<String, Value>),
    piece: &Piece<'_, '_>,
) -> Result<Vec<MinedRule>, FitError> {
    let rows = piece.train_rows;
    enough_to_mine(study.table, &study.labels[outcome.label_idx], piece)
        .map_err(|message| FitError::Refused { code: code::DATA, message })?;
    let scores = match piece.side {
        RuleSide::Entry => within(&outcome.oof.standard_scores, rows),
        // A score of rises says nothing of falls.
        RuleSide::Exit => vec![f32::NAN; piece.truth.len()],
    };
    let label = within(piece.truth, rows);
    miner.mine(&MineRequest { label: &label, train_rows: rows, scores: &scores, params, seed: study.seed })
}

/// Refuses rows on which every rule would be one of a handful of hits: as few as a search does not judge either.
fn enough_to_mine(table: &FeatureTable, label: &Label, piece: &Piece<'_, '_>) -> Result<(), String> {
    let of_class = |class: f32| piece.train_rows.iter().copied().filter(move |&row| piece.truth[row as usize] == class);
    let counts = ClassCounts {
        n_positive: of_class(1.0).count(),
        n_negative: of_class(0.0).count(),
        n_episodes: n_episodes(table, label, of_class(1.0)),
    };
    let ClassCounts { n_positive, n_negative, n_episodes } = counts;
    let found = format!("{n_positive} hits in {n_episodes} episodes and {n_negative} others");
    counts.suffice(1).then_some(()).ok_or_else(|| format!("{found}; rules are mined from 10, 3 and 10 at least"))
}

/// The minings of all pieces, their rules checked, and what was wrong with others.
fn minings<'a>(
    study: &Study<'_>,
    pieces: &[Piece<'_, 'a>],
    answers: Vec<Result<Vec<MinedRule>, FitError>>,
) -> Result<(Vec<Mining<'a>>, Vec<String>), FitError> {
    // Whatever else went wrong, a job that was asked to end ends so.
    if answers.iter().any(|answer| answer.as_ref().is_err_and(is_cancelled)) {
        return Err(FitError::Cancelled);
    }
    let mut complaints = Vec::new();
    let mut minings = Vec::with_capacity(answers.len());
    for (Piece { train_rows, .. }, answer) in pieces.iter().zip(answers) {
        let (rules, reason) = match answer {
            Ok(rules) => (checked(study.table, &rules, &mut complaints), None),
            Err(FitError::Refused { code: code::DATA, message }) => (Vec::new(), Some(message)),
            Err(error) => return Err(error),
        };
        minings.push(Mining { train_rows, rules, reason });
    }
    Ok((minings, complaints))
}

/// A plugin that hears of the end in the midst of its work says so by its code.
fn is_cancelled(error: &FitError) -> bool {
    matches!(error, FitError::Cancelled | FitError::Refused { code: code::CANCELLED, .. })
}

/// The values of some rows, NaN for all others.
fn within(values: &[f32], rows: &[u32]) -> Vec<f32> {
    let mut within = vec![f32::NAN; values.len()];
    rows.iter().for_each(|&row| within[row as usize] = values[row as usize]);
    within
}

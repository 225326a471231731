//! Strategies to try: combinations of rules, a score threshold, a holding period, a stop and a
//! target.
//!
//! In: a [`SearchSpace`]. Out: [`StrategyCandidate`]s, all distinct. They are drawn at random,
//! independently of the results of other candidates (Bergstra and Bengio, *Random Search for
//! Hyper-Parameter Optimization*, 2012), because the deflated Sharpe ratio assumes independent
//! tries.

use std::fmt;

use crate::{
    metrics::{MIN_RANKED_SYMBOLS, Random},
    rules::RuleListName,
};

/// Possible values of [`ScoreGate::Share`].
const SCORE_SHARES: [f64; 5] = [0.05, 0.1, 0.2, 0.3, 0.5];
/// Possible values of [`ScoreGate::BestOfDate`], each at most half of the symbols.
const BEST_SYMBOLS: [usize; 4] = [1, 2, 5, 10];
/// Maximum number of rules that a drawn candidate requires at once.
const MAX_THRESHOLD: u32 = 3;
/// Stops in multiples of the label's threshold.
const STOPS: [Option<f64>; 3] = [None, Some(1.0), Some(2.0)];
/// Targets in multiples of the label's threshold.
const TARGETS: [Option<f64>; 4] = [None, Some(1.0), Some(2.0), Some(3.0)];

/// A strategy to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StrategyCandidate {
    /// Rules that must hold for an entry, in addition to the score.
    pub(super) entry: Option<RuleCount>,
    /// Rules that must hold for an exit.
    pub(super) exit: Option<RuleCount>,
    /// Condition on the model's score for an entry. `None` if scores are not read.
    pub(super) score: Option<ScoreGate>,
    /// Bars after which a position is closed.
    pub(super) holding_bars: usize,
    /// Fall at which a position is closed, in percent.
    pub(super) stop_pct: Option<f64>,
    /// Rise at which a position is closed, in percent.
    pub(super) target_pct: Option<f64>,
}

impl StrategyCandidate {
    /// Returns the share of the development period's scores at which the candidate may enter;
    /// `None` without such a share.
    pub(super) fn score_share(&self) -> Option<f64> {
        match self.score? {
            ScoreGate::Share(share) => Some(share),
            ScoreGate::BestOfDate(_) => None,
        }
    }

    /// Returns the number of best symbols of each date at which the candidate may enter; `None` if
    /// symbols are not ranked.
    pub(super) fn best_symbols(&self) -> Option<usize> {
        match self.score? {
            ScoreGate::Share(_) => None,
            ScoreGate::BestOfDate(n_symbols) => Some(n_symbols),
        }
    }

    /// Returns the score from which the candidate enters; `None` if no score is such a threshold.
    ///
    /// * `scores`: the scores of the development period, highest first.
    pub(super) fn score_threshold(&self, scores: &[f32]) -> Option<f32> {
        // At least one score must pass, even if the share is less than one row.
        let n_passing = (self.score_share()? * scores.len() as f64).round().max(1.0) as usize;
        scores.get(n_passing.min(scores.len()).checked_sub(1)?).copied()
    }
}

/// A condition on the model's score for an entry.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ScoreGate {
    /// The score is among this share of the development period's scores, counted from the highest.
    Share(f64),
    /// The score is among this many highest scores of all symbols at the same time.
    BestOfDate(usize),
}

/// A number of rules of one source that must hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleCount {
    /// Source of the rules.
    pub(super) source: RuleSource,
    /// Number that must hold, at least 1.
    pub(super) threshold: u32,
}

/// Source of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleSource {
    /// The job.
    Job,
    /// The stable list of mined rules.
    Stable,
    /// The high-lift list of mined rules.
    HighLift,
}

impl RuleSource {
    /// All sources, in the order in which rules are counted.
    pub(super) const ALL: [Self; 3] = [Self::Job, Self::Stable, Self::HighLift];

    /// Returns the list of mined rules; `None` for the job's rules.
    pub(super) fn list(self) -> Option<RuleListName> {
        match self {
            Self::Job => None,
            Self::Stable => Some(RuleListName::Stable),
            Self::HighLift => Some(RuleListName::HighLift),
        }
    }
}

impl fmt::Display for RuleSource {
    /// Writes the name that descriptions of candidates use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Job => "job",
            Self::Stable => "stable",
            Self::HighLift => "high-lift",
        })
    }
}

/// The ranges from which the candidates of a job are drawn.
#[derive(Clone, Debug)]
pub(super) struct SearchSpace {
    /// Number of entry rules of each source, in the order of [`RuleSource::ALL`].
    pub(super) n_entry_rules: [usize; 3],
    /// Number of exit rules of each source, in the order of [`RuleSource::ALL`].
    pub(super) n_exit_rules: [usize; 3],
    /// Number of entry rules that must hold at once in the job's own strategy.
    pub(super) entry_score_threshold: u32,
    /// Number of exit rules that must hold at once in the job's own strategy.
    pub(super) exit_score_threshold: u32,
    /// Share of positives among the scored rows of the development period; `None` without such
    /// rows.
    pub(super) base_rate: Option<f64>,
    /// Number of symbols with scores in the development period. Symbols are ranked only in panels
    /// of at least five of them.
    pub(super) n_scored_symbols: usize,
    /// Horizon of the label in bars.
    pub(super) horizon_bars: usize,
    /// Absolute value of the label's threshold in percent, at least 1.
    pub(super) threshold_pct: f64,
}

impl SearchSpace {
    /// Draws candidates: first the job's own strategy, the model alone and the best symbols alone,
    /// if they exist, then random ones.
    pub(super) fn draw(&self, n_candidates: usize, seed: u64) -> Vec<StrategyCandidate> {
        let best_alone = self.best_symbols().map(|n_symbols| self.plain(None, Some(ScoreGate::BestOfDate(n_symbols))));
        let named = self.job_strategy().into_iter().chain(self.model_alone()).chain(best_alone);
        let mut drawn: Vec<StrategyCandidate> = named.collect();
        let mut remaining = self.grid();
        remaining.retain(|candidate| !drawn.contains(candidate));
        let mut random = Random::new(seed, "strategies");
        // A budget of one leaves only the job's own strategy.
        drawn.truncate(n_candidates);
        // A drawn candidate is removed from the list, so that all are distinct. `swap_remove` is
        // deterministic and takes constant time.
        while drawn.len() < n_candidates && !remaining.is_empty() {
            drawn.push(remaining.swap_remove(random.below(remaining.len())));
        }
        drawn
    }

    /// Returns the job's rules with the job's thresholds; `None` if the job has fewer entry rules
    /// than its threshold requires. If the job has too few exit rules for its threshold, they are
    /// left out, because they would never close a position.
    fn job_strategy(&self) -> Option<StrategyCandidate> {
        let count = |n_rules: usize, threshold: u32| {
            let threshold = threshold.max(1);
            (threshold as usize <= n_rules).then_some(RuleCount { source: RuleSource::Job, threshold })
        };
        // Index 0 counts the job's own rules: see `RuleSource::ALL`.
        let entry = count(self.n_entry_rules[0], self.entry_score_threshold)?;
        let exit = count(self.n_exit_rules[0], self.exit_score_threshold);
        Some(StrategyCandidate { exit, ..self.plain(Some(entry), None) })
    }

    /// Returns the strategy that enters at the highest scores; their share equals the base rate.
    fn model_alone(&self) -> Option<StrategyCandidate> {
        self.base_rate.filter(|&share| share > 0.0).map(|share| self.plain(None, Some(ScoreGate::Share(share))))
    }

    /// Iterates over the numbers of best symbols per date, ascending.
    fn best_symbols(&self) -> impl Iterator<Item = usize> + use<> {
        let n_scored = self.n_scored_symbols;
        // More than half of the symbols would hardly be a choice.
        BEST_SYMBOLS.into_iter().filter(move |n| n_scored >= MIN_RANKED_SYMBOLS && 2 * n <= n_scored)
    }

    /// Returns a strategy that holds for the label's horizon, without exit rules, stop or target.
    fn plain(&self, entry: Option<RuleCount>, score: Option<ScoreGate>) -> StrategyCandidate {
        let holding_bars = self.horizon_bars.max(1);
        StrategyCandidate { entry, exit: None, score, holding_bars, stop_pct: None, target_pct: None }
    }

    /// Returns all candidates. An entry needs rules or a score.
    fn grid(&self) -> Vec<StrategyCandidate> {
        let mut scores = vec![None];
        if self.base_rate.is_some() {
            scores.extend(SCORE_SHARES.map(|share| Some(ScoreGate::Share(share))));
        }
        scores.extend(self.best_symbols().map(|n_symbols| Some(ScoreGate::BestOfDate(n_symbols))));
        let holding_bars = self.holding_bars();
        let exits = rule_counts(&self.n_exit_rules);
        // Candidates are drawn by index, so the order of these loops determines the results.
        let mut grid = Vec::new();
        for &entry in &rule_counts(&self.n_entry_rules) {
            for &score in scores.iter().filter(|score| entry.is_some() || score.is_some()) {
                for &exit in &exits {
                    for &holding_bars in &holding_bars {
                        let candidate = StrategyCandidate { exit, holding_bars, ..self.plain(entry, score) };
                        grid.extend(self.with_stops_and_targets(candidate));
                    }
                }
            }
        }
        grid
    }

    /// Returns half the horizon, the horizon and twice the horizon, without duplicates.
    fn holding_bars(&self) -> Vec<usize> {
        let mut bars =
            [self.horizon_bars / 2, self.horizon_bars, 2 * self.horizon_bars].map(|bars| bars.max(1)).to_vec();
        // The list ascends, so equal numbers are adjacent.
        bars.dedup();
        bars
    }

    fn with_stops_and_targets(&self, candidate: StrategyCandidate) -> impl Iterator<Item = StrategyCandidate> {
        let unit = self.threshold_pct;
        let scaled = move |multiple: Option<f64>| multiple.map(|multiple| multiple * unit);
        // A stop at or below a price of 0 can never be reached.
        let stops = STOPS.into_iter().filter(move |stop| scaled(*stop).is_none_or(|stop_pct| stop_pct < 100.0));
        stops.flat_map(move |stop| {
            TARGETS.into_iter().map(move |target| StrategyCandidate {
                stop_pct: scaled(stop),
                target_pct: scaled(target),
                ..candidate
            })
        })
    }
}

/// Returns `None` (no rules), then each number of rules of each source.
fn rule_counts(n_rules: &[usize; 3]) -> Vec<Option<RuleCount>> {
    let mut counts = vec![None];
    for (source, &n_rules) in RuleSource::ALL.into_iter().zip(n_rules) {
        let max_threshold = MAX_THRESHOLD.min(u32::try_from(n_rules).unwrap_or(u32::MAX));
        counts.extend((1..=max_threshold).map(|threshold| Some(RuleCount { source, threshold })));
    }
    counts
}

//! Strategies to try: which rules, which scores, how long, with which orders.
//!
//! In: what there is to choose from. Out: [`Candidate`]s, all distinct. Drawn at random and without a look at what others
//! achieved (Bergstra and Bengio 2012): so the number of tries is what the deflated Sharpe ratio takes it for.

use crate::metrics::Random;

/// Shares of rows that a gate on the model's score may let through.
const GATES: [f64; 5] = [0.05, 0.1, 0.2, 0.3, 0.5];
/// Rules that must hold at once, at most, in drawn candidates.
const MAX_THRESHOLD: u32 = 3;
/// Stops in sizes of the label's threshold.
const STOPS: [Option<f64>; 3] = [None, Some(1.0), Some(2.0)];
/// Targets in sizes of the label's threshold.
const TARGETS: [Option<f64>; 4] = [None, Some(1.0), Some(2.0), Some(3.0)];

/// A strategy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    /// Rules that must hold to enter, beside the gate.
    pub(super) entry: Option<RuleCount>,
    /// Rules that must hold to leave.
    pub(super) exit: Option<RuleCount>,
    /// Share of the development's scores that let a position be entered; `None` where scores have no say.
    pub(super) gate_share: Option<f64>,
    /// Bars that a position is held at most.
    pub(super) holding_bars: usize,
    /// Fall at which it is sold, in percent.
    pub(super) stop_pct: Option<f64>,
    /// Rise at which it is sold, in percent.
    pub(super) target_pct: Option<f64>,
}

impl Candidate {
    /// The score from which it enters; `None` where scores have no say.
    ///
    /// * `scores`: those of the development period, highest first.
    pub(super) fn gate(&self, scores: &[f32]) -> Option<f32> {
        let n_passing = (self.gate_share? * scores.len() as f64).round().max(1.0) as usize;
        scores.get(n_passing.min(scores.len()).checked_sub(1)?).copied()
    }
}

/// So many rules of one source hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RuleCount {
    /// Whose rules.
    pub(super) source: Source,
    /// How many must hold, at least 1.
    pub(super) threshold: u32,
}

/// Where rules come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The job.
    Job,
    /// The mined list of rules that come up again and again.
    Stable,
    /// The mined list of rules that promise most.
    HighLift,
}

impl Source {
    /// All of them, in the order in which rules are counted.
    pub(super) const ALL: [Self; 3] = [Self::Job, Self::Stable, Self::HighLift];

    /// The word on the wire.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Stable => "stable",
            Self::HighLift => "high_lift",
        }
    }
}

/// What there is to choose from.
#[derive(Clone, Debug)]
pub(super) struct Space {
    /// Entry rules of each source, in the order of [`Source::ALL`].
    pub(super) n_entry_rules: [usize; 3],
    /// Exit rules of each source.
    pub(super) n_exit_rules: [usize; 3],
    /// Entry rules that the job wants to hold at once.
    pub(super) entry_score_threshold: u32,
    /// Exit rules that the job wants to hold at once.
    pub(super) exit_score_threshold: u32,
    /// Share of positives among the scored rows of the development; `None` without such rows.
    pub(super) base_rate: Option<f64>,
    /// The label's horizon.
    pub(super) horizon_bars: usize,
    /// Size of the label's threshold, at least 1 %.
    pub(super) threshold_pct: f64,
}

impl Space {
    /// The job's own strategy, then the model alone, where there are such; then others in the order of their draw.
    pub(super) fn draw(&self, n_candidates: usize, seed: u64) -> Vec<Candidate> {
        let mut drawn: Vec<Candidate> = self.as_asked().into_iter().chain(self.model_alone()).collect();
        let mut left: Vec<Candidate> = self.all().into_iter().filter(|candidate| !drawn.contains(candidate)).collect();
        let mut random = Random::new(seed, "strategies");
        drawn.truncate(n_candidates);
        while drawn.len() < n_candidates && !left.is_empty() {
            drawn.push(left.swap_remove(random.below(left.len())));
        }
        drawn
    }

    /// The job's rules and thresholds as they are; `None` where so many of its entry rules can never hold. Exit rules that
    /// can never hold at once close nothing, so they are left out.
    fn as_asked(&self) -> Option<Candidate> {
        let count = |n_rules: usize, threshold: u32| {
            let threshold = threshold.max(1);
            (threshold as usize <= n_rules).then_some(RuleCount { source: Source::Job, threshold })
        };
        let entry = count(self.n_entry_rules[0], self.entry_score_threshold)?;
        let exit = count(self.n_exit_rules[0], self.exit_score_threshold);
        Some(Candidate { exit, ..self.plain(Some(entry), None) })
    }

    /// Enters wherever the score is among the highest, as many as the label has positives.
    fn model_alone(&self) -> Option<Candidate> {
        self.base_rate.filter(|&share| share > 0.0).map(|share| self.plain(None, Some(share)))
    }

    fn plain(&self, entry: Option<RuleCount>, gate_share: Option<f64>) -> Candidate {
        let holding_bars = self.horizon_bars.max(1);
        Candidate { entry, exit: None, gate_share, holding_bars, stop_pct: None, target_pct: None }
    }

    /// The whole grid. An entry needs rules or a gate.
    fn all(&self) -> Vec<Candidate> {
        let gates: Vec<Option<f64>> =
            [None].into_iter().chain(GATES.map(Some).into_iter().filter(|_| self.base_rate.is_some())).collect();
        let mut holding_bars =
            [self.horizon_bars / 2, self.horizon_bars, 2 * self.horizon_bars].map(|bars| bars.max(1)).to_vec();
        holding_bars.dedup();
        let exits = counts(&self.n_exit_rules);
        let mut all = Vec::new();
        for &entry in &counts(&self.n_entry_rules) {
            for &gate_share in gates.iter().filter(|gate| entry.is_some() || gate.is_some()) {
                for &exit in &exits {
                    for &holding_bars in &holding_bars {
                        let candidate = Candidate { exit, holding_bars, ..self.plain(entry, gate_share) };
                        all.extend(self.with_orders(candidate));
                    }
                }
            }
        }
        all
    }

    fn with_orders(&self, candidate: Candidate) -> impl Iterator<Item = Candidate> {
        let size = self.threshold_pct;
        let scaled = move |times: Option<f64>| times.map(|times| times * size);
        // A stop below a price of 0 is none.
        let stops = STOPS.into_iter().filter(move |stop| scaled(*stop).is_none_or(|stop_pct| stop_pct < 100.0));
        stops.flat_map(move |stop| {
            TARGETS.into_iter().map(move |target| Candidate {
                stop_pct: scaled(stop),
                target_pct: scaled(target),
                ..candidate
            })
        })
    }
}

/// No rules, or so many of each source.
fn counts(n_rules: &[usize; 3]) -> Vec<Option<RuleCount>> {
    let of_source = |(source, &n_rules): (Source, &usize)| {
        let most = MAX_THRESHOLD.min(u32::try_from(n_rules).unwrap_or(u32::MAX));
        (1..=most).map(move |threshold| Some(RuleCount { source, threshold }))
    };
    [None].into_iter().chain(Source::ALL.into_iter().zip(n_rules).flat_map(of_source)).collect()
}

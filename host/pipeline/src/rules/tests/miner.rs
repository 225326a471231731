//! A real extractor, small and in this process: the best decile of either end of each column, the most precise first.

use parking_lot::Mutex;

use oculus_plugin_api::{Condition, Manifest, MinedRule, Operator};
use serde_json::{Map, Value};

use crate::{
    features::FeatureTable,
    fitter::FitError,
    miner::{MineRequest, Miner},
};

/// Rules that it proposes at most.
pub(super) const N_RULES: usize = 6;

/// What it was asked to learn.
pub(super) struct Heard {
    pub(super) train_rows: Vec<u32>,
    /// Rows of which it was told a label.
    pub(super) labelled: Vec<u32>,
    /// Rows of which it was told a score.
    pub(super) scored: Vec<u32>,
}

type Answer = Result<Vec<MinedRule>, FitError>;

pub(crate) struct Deciles<'a> {
    manifest: Manifest,
    table: &'a FeatureTable,
    resamples: bool,
    distort: fn(&MineRequest<'_>, Vec<MinedRule>) -> Answer,
    heard: Mutex<Vec<Heard>>,
}

impl<'a> Deciles<'a> {
    pub(crate) fn new(table: &'a FeatureTable) -> Self {
        let manifest = Manifest::new("deciles", "1.0.0").named(["Deciles"]);
        Self { manifest, table, resamples: false, distort: |_, rules| Ok(rules), heard: Mutex::default() }
    }

    /// The same telling a stability of each rule: 0.5, 0.6 and so on, the least precise being the most stable.
    pub(super) fn resampling(self) -> Self {
        Self { resamples: true, ..self }
    }

    /// The same with something else in place of its answers.
    pub(super) fn distorted(self, distort: fn(&MineRequest<'_>, Vec<MinedRule>) -> Answer) -> Self {
        Self { distort, ..self }
    }

    /// What it was asked, entries first, by the number of rows.
    pub(super) fn heard(self) -> Vec<Heard> {
        let mut heard = self.heard.into_inner();
        heard.sort_by_key(|heard| heard.train_rows.len());
        heard
    }

    fn precision(&self, request: &MineRequest<'_>, condition: &Condition) -> Option<f64> {
        let column = self.table.by_name(&condition.feature)?;
        let holds = |row: &&u32| condition.holds(f64::from(column[**row as usize]));
        let held: Vec<&u32> = request.train_rows.iter().filter(holds).collect();
        let n_hits = held.iter().filter(|row| request.label[***row as usize] == 1.0).count();
        (20 * held.len() >= request.train_rows.len()).then(|| n_hits as f64 / held.len() as f64)
    }
}

impl Miner for Deciles<'_> {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn mine(&self, request: &MineRequest<'_>) -> Answer {
        let told = |values: &[f32]| (0..values.len() as u32).filter(|&row| !values[row as usize].is_nan()).collect();
        self.heard.lock().push(Heard {
            train_rows: request.train_rows.to_vec(),
            labelled: told(request.label),
            scored: told(request.scores),
        });
        let mut scored = Vec::new();
        for feature in &self.table.names {
            let Some(column) = self.table.by_name(feature) else { continue };
            let mut values: Vec<f32> = request.train_rows.iter().map(|&row| column[row as usize]).collect();
            values.sort_by(f32::total_cmp);
            for (operator, tenths) in [(Operator::AtMost, 1..6), (Operator::AtLeast, 5..10)] {
                let conditions = tenths.filter_map(|tenth: usize| {
                    let threshold = f64::from(values[values.len() * tenth / 10]);
                    let condition = Condition { feature: feature.clone(), operator, threshold };
                    Some((self.precision(request, &condition)?, condition))
                });
                scored.extend(conditions.max_by(|a, b| a.0.total_cmp(&b.0)));
            }
        }
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.truncate(N_RULES);
        let rule = |(idx, (_, condition)): (usize, (f64, Condition))| MinedRule {
            conditions: vec![condition],
            stability: self.resamples.then_some((5 + idx) as f64 / 10.0),
        };
        (self.distort)(request, scored.into_iter().enumerate().map(rule).collect())
    }
}

/// Nothing set by the job.
pub(crate) fn no_params() -> Map<String, Value> {
    Map::new()
}

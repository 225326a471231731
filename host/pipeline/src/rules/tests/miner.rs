//! A small rule extractor that runs in the test process: it proposes the most precise decile
//! threshold of each column and direction, the most precise rule first.

use oculus_plugin_api::{Condition, Manifest, MinedRule, Operator};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::{
    features::FeatureTable,
    fitter::FitError,
    miner::{MineRequest, Miner},
};

/// Maximum number of rules that the extractor proposes.
pub(super) const N_RULES: usize = 6;

/// A request that the extractor received.
pub(super) struct ReceivedRequest {
    pub(super) train_rows: Vec<u32>,
    /// Rows with a label in the request.
    pub(super) labelled: Vec<u32>,
    /// Rows with a score in the request.
    pub(super) scored: Vec<u32>,
}

type DecileProposals = Result<Vec<MinedRule>, FitError>;

/// The extractor, opened on a feature table.
pub(crate) struct Deciles<'a> {
    manifest: Manifest,
    table: &'a FeatureTable,
    resamples: bool,
    distort: fn(&MineRequest<'_>, Vec<MinedRule>) -> DecileProposals,
    received: Mutex<Vec<ReceivedRequest>>,
}

impl<'a> Deciles<'a> {
    pub(crate) fn new(table: &'a FeatureTable) -> Self {
        let manifest = Manifest::new("deciles", "1.0.0").named(["Deciles"]);
        Self { manifest, table, resamples: false, distort: |_, rules| Ok(rules), received: Mutex::default() }
    }

    /// Makes the extractor report a stability per rule: 0.5 for the most precise rule, 0.6 for the
    /// next one, and so on.
    pub(super) fn resampling(self) -> Self {
        Self { resamples: true, ..self }
    }

    /// Replaces the proposals of the extractor.
    pub(super) fn distorted(self, distort: fn(&MineRequest<'_>, Vec<MinedRule>) -> DecileProposals) -> Self {
        Self { distort, ..self }
    }

    /// Returns the received requests, sorted by the number of rows.
    pub(super) fn received(self) -> Vec<ReceivedRequest> {
        let mut received = self.received.into_inner();
        received.sort_by_key(|request| request.train_rows.len());
        received
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

    fn mine(&self, request: &MineRequest<'_>) -> DecileProposals {
        let known = |values: &[f32]| (0..values.len() as u32).filter(|&row| !values[row as usize].is_nan()).collect();
        self.received.lock().push(ReceivedRequest {
            train_rows: request.train_rows.to_vec(),
            labelled: known(request.label),
            scored: known(request.scores),
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

/// Returns the parameters of a job that sets none.
pub(crate) fn no_params() -> Map<String, Value> {
    Map::new()
}

//! The measured speeds of this machine, in a small JSON file that all jobs share.
//!
//! In: measured amounts, such as the seconds of a step, with their units of work. Out: forecasts.
//! Invariant: a missing or unreadable file is treated as an empty one, and an error of writing is
//! logged and has no further effect.

use std::path::Path;

use oculus_system::files::{Access, write_durably};
use serde::{Deserialize, Serialize};

/// Maximum number of entries in the file. The entry that was updated the longest time ago is
/// removed first.
const MAX_ENTRIES: usize = 500;

/// Number of measurements that determine a mean. With more measurements, the weight of the newest
/// stays at one over this number, so that a change of the machine or of a plugin becomes visible.
const MEMORY: u32 = 4;

/// Speeds of a machine whose own speeds are not known yet, from runs on two cores of a server: of
/// `examples/job.json`, and of the same job with eight symbols and four years. Their ratios matter
/// more than their level, because the job itself corrects the level.
const INITIAL: &str = include_str!("initial_speeds.json");

/// The measured speeds of this machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SpeedHistory {
    /// The latest updated entry is the first.
    entries: Vec<MeanSpeed>,
}

/// A mean of measurements of one kind of work at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct MeanSpeed {
    /// Name of the work.
    work: String,
    /// Binary logarithm of the units, rounded. Small amounts of work take more seconds per unit, so
    /// each size has its own mean.
    size: i32,
    /// Mean amount per unit.
    per_unit: f64,
    /// Number of measurements.
    n: u32,
}

impl MeanSpeed {
    /// Returns whether the numbers can be used: a file that a user has edited may contain any.
    fn is_usable(&self) -> bool {
        self.per_unit.is_finite() && self.per_unit > 0.0
    }
}

impl SpeedHistory {
    /// Reads the history from a file.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut history: Self = serde_json::from_str(&text).unwrap_or_default();
        history.entries.retain(MeanSpeed::is_usable);
        history
    }

    /// Returns the speeds that apply to an unknown machine.
    pub(super) fn initial() -> Self {
        serde_json::from_str(INITIAL).unwrap_or_default()
    }

    /// Adds measurements to the history in a file. Two jobs that end at the same moment may lose the
    /// measurements of one of them.
    pub(super) fn add(path: &Path, measurements: &[Measurement]) {
        let mut history = Self::read(path);
        measurements.iter().for_each(|measurement| history.record(measurement));
        let written = serde_json::to_vec(&history)
            .map_err(std::io::Error::from)
            .and_then(|text| write_durably(path, &text, Access::Umask));
        if let Err(error) = written {
            let path = path.display();
            tracing::debug!("cannot write `{path}`: {error}; later estimates of the remaining time are less exact");
        }
    }

    /// Adds one measurement.
    pub(super) fn record(&mut self, measurement: &Measurement) {
        let Measurement { work, units, amount } = measurement;
        let size = size(*units);
        let known = self.entries.iter().position(|entry| entry.work == *work && entry.size == size);
        let mut entry = match known {
            Some(idx) => self.entries.remove(idx),
            None => MeanSpeed { work: work.clone(), size, per_unit: 0.0, n: 0 },
        };
        entry.n = entry.n.saturating_add(1);
        entry.per_unit += (amount / units.max(1.0) - entry.per_unit) / f64::from(entry.n.min(MEMORY));
        if entry.is_usable() {
            self.entries.insert(0, entry);
            self.entries.truncate(MAX_ENTRIES);
        }
    }

    /// Returns the expected amount of this work, or `None` if it was never measured. Of all measured
    /// sizes, the nearest is used.
    pub(super) fn forecast(&self, work: &str, units: f64) -> Option<f64> {
        let distance = |entry: &&MeanSpeed| entry.size.abs_diff(size(units));
        let nearest = self.entries.iter().filter(|entry| entry.work == work).min_by_key(distance)?;
        Some(nearest.per_unit * units.max(1.0))
    }
}

/// One measured amount of work.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measurement {
    /// Name of the work.
    pub(super) work: String,
    /// Units of the work, at least 1.
    pub(super) units: f64,
    /// The measured amount, such as seconds.
    pub(super) amount: f64,
}

fn size(units: f64) -> i32 {
    units.max(1.0).log2().round() as i32
}

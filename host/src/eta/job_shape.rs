//! The shape of a job: what is known of its duration before it starts.
//!
//! In: a payload. Out: a [`JobShape`], by which the durations of similar jobs are found.

use oculus_job::request::{Job, parse_payload};

use super::history::{Measurement, SpeedHistory};

/// The shape of a job. Two jobs with equal families, trials, folds and timeframe have equal names.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JobShape {
    name: String,
    /// Number of symbols times years.
    units: f64,
}

impl JobShape {
    /// Returns the shape of a job.
    pub(crate) fn from_job(job: &Job) -> Self {
        let config = &job.design.ml_training_config;
        let mut families: Vec<&str> = config.families.iter().map(String::as_str).collect();
        families.insert(0, &config.config_search_model);
        // Flags select families. Other options, such as a number of epochs, change the duration
        // less and would separate similar jobs.
        let flags = config.options.iter().filter(|(_, value)| value.as_bool() == Some(true));
        families.extend(flags.map(|(name, _)| name.as_str()));
        let name = format!(
            "{}, {} trials, {} folds, {}",
            families.join("+"),
            job.design.n_iter_search,
            config.cv_folds,
            job.timeframe.name()
        );
        Self { name, units: job.symbols.len() as f64 * job.design.years }
    }

    /// Returns the shape of the job in a payload, or `None` if the payload is not a valid job.
    pub(crate) fn from_payload(payload: &str) -> Option<Self> {
        Some(Self::from_job(&Job::from_value(&parse_payload(payload).ok()?).ok()?))
    }

    /// Returns the expected seconds of the whole job, or `None` if no similar job has run.
    pub(crate) fn forecast_s(&self, history: &SpeedHistory) -> Option<f64> {
        self.forecast(history).map(|(prepare_s, work_s)| prepare_s + work_s)
    }

    /// Returns the expected seconds until the features are computed, and from then to the end.
    pub(super) fn forecast(&self, history: &SpeedHistory) -> Option<(f64, f64)> {
        let [prepare, work] = self.works();
        Some((history.forecast(&prepare, self.units)?, history.forecast(&work, self.units)?))
    }

    /// Returns the measured seconds of a job of this shape.
    pub(super) fn measurements(&self, prepare_s: f64, work_s: f64) -> impl Iterator<Item = Measurement> {
        let units = self.units;
        self.works().into_iter().zip([prepare_s, work_s]).map(move |(work, amount)| Measurement { work, units, amount })
    }

    fn works(&self) -> [String; 2] {
        ["prepare", "work"].map(|part| format!("{part} of {}", self.name))
    }
}

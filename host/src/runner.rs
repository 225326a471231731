//! One job from its payload to its result: what a job process and `train` do.
//!
//! In: the job's text, its plugins, what it may use. Out: an [`Ending`], whatever happens. Here, around the pure
//! pipeline, are the clock, the host's name and the plugin processes.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::job::channel::JobSpec;
use crate::job::failure::{Failure, Kind};
use crate::job::progress::{Phase, Progress};
use crate::job::request::Job;
use crate::pipeline::features::FeatureTable;
use crate::pipeline::fitter::Fitter;
use crate::pipeline::{self, Inputs, Member};
use crate::plugins::process::Listener;
use crate::plugins::protocol::Event;
use crate::plugins::selection::{self, Selection};
use crate::plugins::session::Session;
use crate::plugins::table::SharedTable;

/// How a job ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// `None` for a success.
    pub failure: Option<Kind>,
    /// The result object, of a success as of a failure.
    pub result: Value,
}

/// Runs a job to its end.
pub fn run(spec: &JobSpec, report: &(dyn Fn(Progress) + Sync)) -> Ending {
    let clock = Clock::start();
    let timed = |progress: Progress| {
        clock.note(progress.phase);
        report(progress);
    };
    let job = match Job::parse(&spec.payload) {
        Ok(job) => job,
        Err(failure) => return failed(&failure, &spec.job_id, Value::Null),
    };
    match train(&job, spec, &timed) {
        Ok(mut result) => {
            result["run"] = Value::Object(run_block(spec, &clock));
            Ending { failure: None, result }
        }
        Err(failure) => failed(&failure, &job.build_id, job.design_config()),
    }
}

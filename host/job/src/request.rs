//! The job as the backend writes it, checked once into types that need no further check.
//!
//! In: the payload's text. Out: a [`Job`] with every default resolved, or one refusal that names all its problems.
//! Invariant: every value of a [`Job`] is within its range.
//!
//! Jobs are written by a language model, so numbers may be texts, whole numbers may end in `.0`,
//! `null` means absent, and unknown fields are ignored. `docs/job.md` has the table of fields.

mod cursor;
mod design;
mod job;
mod parse;
mod read;
mod rule;
#[cfg(test)]
mod tests;
mod timeframe;
mod training_config;

pub use oculus_plugin_api::Operator;

pub use self::design::Design;
pub use self::job::Job;
pub use self::parse::{MAX_PAYLOAD_BYTES, parse_payload};
pub use self::read::is_symbol;
pub use self::rule::Rule;
pub use self::timeframe::Timeframe;
pub use self::training_config::{CONTRACT_FLAGS, DEFAULT_LEAD, DEFAULT_SEED, TrainingConfig};

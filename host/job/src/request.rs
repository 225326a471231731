//! Parses and validates a job once, into types that need no further validation.
//!
//! In: the text of the payload. Out: a [`Job`] with every default filled in, or one failure that
//! names the problems. Invariant: every value of a [`Job`] is within its range.
//!
//! Jobs are written by a language model. The parser therefore accepts numbers in strings and whole
//! numbers that end in `.0`, treats `null` as absent, and ignores unknown fields. `docs/job.md`
//! lists the fields.

mod cursor;
mod design;
pub mod design_config;
mod identity;
mod job;
mod parse;
pub mod payload;
mod read;
mod rule;
#[cfg(test)]
mod tests;
mod timeframe;
mod training_config;
mod unit_warnings;

pub use oculus_plugin_api::Operator;

pub use self::design::Design;
pub use self::job::Job;
pub use self::parse::{MAX_PAYLOAD_BYTES, parse_payload};
pub use self::read::{SYMBOL_RULE, is_symbol};
pub use self::rule::{Rule, operator_schema};
pub use self::timeframe::Timeframe;
pub use self::training_config::{CONTRACT_FLAGS, DEFAULT_SEARCH_MODEL, DEFAULT_SEED, TrainingConfig};

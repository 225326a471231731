//! Chaos suite: runs workers, injects faults, and checks that no job is lost or accepted twice.
//!
//! In: [`Options`]. Out: a [`Report`]. The faults, their times and their targets follow from the
//! seed. The append-only file of Redis is the witness of the run: it contains every push, claim and
//! result in the order in which Redis committed them, and it survives a kill of Redis. After a
//! fail-over, the file of the new primary is the witness.

mod append_only_file;
mod checker;
mod event;
mod fail_over;
mod fault;
mod fleet;
mod full_disk;
mod injector;
mod job_record;
mod jobs;
mod ledger;
mod options;
mod producer;
mod progress;
mod proxy;
mod random;
mod recovery;
mod report;
mod restored;
mod schedule;
mod server;
mod server_group;
mod suite;
mod witness;

pub use fault::FaultKind;
pub use options::Options;
pub use report::Report;
pub use suite::run;

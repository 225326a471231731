//! The exit codes of the program beyond 0 (done) and 1 (failed).

/// Invalid usage or configuration.
pub(super) const USAGE: u8 = 2;
/// A refused job, or bars that a job would refuse.
pub(super) const REFUSED: u8 = 3;

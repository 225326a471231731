//! Exit codes of the program other than 0 (success) and 1 (failure).

/// Exit code for invalid usage or configuration.
pub(super) const USAGE: u8 = 2;
/// Exit code for a refused job, or for bars that a job would refuse.
pub(super) const REFUSED: u8 = 3;

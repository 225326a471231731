//! The state of the market around a bar: its calendar, and a benchmark beside it.

use super::catalogue::{Defaults, Kind};

pub(super) static KINDS: &[Kind] = &[];

pub(super) static DEFAULTS: Defaults = &[];

//! Claims about what is kept.
#![allow(clippy::unwrap_used)]

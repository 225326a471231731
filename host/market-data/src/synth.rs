//! Synthetic bars: random walks with or without a planted pattern, and the probabilities that an
//! oracle computes for them.
//!
//! In: a [`Recipe`]. Out: a [`Synthetic`] series. Invariant: a recipe gives the same series on
//! every machine. Returns are normal and independent except for the pattern of the [`Kind`]. Prices
//! have six decimals, volumes none.

mod calendar;
pub mod files;
mod label;
mod noise;
mod oracle;
mod price_process;
mod recipe;
mod series;
mod simulation;
#[cfg(test)]
mod tests;

pub use self::calendar::most_bars;
pub use self::label::{base_rate, oracle_auc};
pub use self::oracle::Oracle;
pub use self::recipe::{Kind, Recipe};
pub use self::series::{Synthetic, generate};

//! Synthetic bars: random walks with or without a planted pattern, and an oracle that forecasts
//! them.
//!
//! In: a [`Recipe`]. Out: a [`SyntheticSeries`]. Invariant: a recipe generates the same series on
//! every machine. The returns are normally distributed and independent, except for the pattern of
//! the [`Kind`]. Prices are rounded to six decimals, volumes to whole numbers.

mod calendar;
pub mod files;
mod label;
mod oracle;
mod price_process;
mod random_stream;
mod recipe;
mod series;
mod simulation;
#[cfg(test)]
mod tests;

pub use self::calendar::max_bars;
pub use self::label::{base_rate, oracle_auc};
pub use self::oracle::Oracle;
pub use self::recipe::{Kind, Recipe};
pub use self::series::{SyntheticSeries, generate};

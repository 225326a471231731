//! Writes the golden rows and labels that `tests/golden/sklearn_ridge.py` reads.
//!
//! `cargo run -p oculus-plugin-linear --example linear_golden plugins/linear/tests/golden`

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::path::PathBuf;

use oculus_plugin_support::testing::csv_from_columns;
use support::{Data, NAMES};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("missing argument: the output folder")?);
    let Data { mut columns, label } = Data::planted(400, 42);
    columns.push(label);
    let names: Vec<&str> = NAMES.into_iter().chain(["label"]).collect();
    std::fs::write(folder.join("rows.csv"), csv_from_columns(&names, &columns, 0..400))?;
    Ok(())
}

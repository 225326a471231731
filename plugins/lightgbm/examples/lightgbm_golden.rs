//! Writes the golden model and rows that `tests/golden/predict.py` loads into Python's LightGBM.
//!
//! `cargo run -p oculus-plugin-lightgbm --example lightgbm_golden plugins/lightgbm/tests/golden`

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::path::PathBuf;

use oculus_plugin_support::testing::csv_from_columns;
use support::{Data, NAMES, rows};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("missing argument: the output folder")?);
    let data = Data::planted(360, 42);
    let model = data.fit(&rows(0, 300), r#"{"num_iterations": 25, "learning_rate": 0.2}"#)?;
    std::fs::write(folder.join("model.txt"), model.save()?)?;

    std::fs::write(folder.join("rows.csv"), csv_from_columns(&NAMES, &data.columns, 300..360))?;
    Ok(())
}

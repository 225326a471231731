//! Writes the golden model and rows that `tests/golden/numpy_mlp.py` reads.
//!
//! `cargo run -p oculus-plugin-mlp --example mlp_golden plugins/mlp/tests/golden`

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::path::PathBuf;

use oculus_plugin_support::testing::csv_from_columns;
use support::{Data, NAMES, rows};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("missing argument: the output folder")?);
    let data = Data::planted(360, 42);
    let model = data.fit(&rows(0, 300), r#"{"hidden_sizes": [8, 4], "learning_rate": 0.01, "epochs": 60}"#)?;
    std::fs::write(folder.join("ours.safetensors"), model.save()?)?;

    std::fs::write(folder.join("rows.csv"), csv_from_columns(&NAMES, &data.columns, 300..360))?;
    Ok(())
}

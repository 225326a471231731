//! Writes the model and the rows that `tests/golden/numpy_mlp.py` reads.
//!
//! `cargo run -p oculus-plugin-mlp --example mlp_golden plugins/mlp/tests/golden`

#[path = "../tests/support/mod.rs"]
mod support;

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use support::{Data, NAMES, rows};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("needed a folder to write to")?);
    let data = Data::planted(360, 42);
    let model = data.fit(&rows(0, 300), r#"{"hidden_sizes": [8, 4], "learning_rate": 0.01, "epochs": 60}"#)?;
    std::fs::write(folder.join("ours.safetensors"), model.save()?)?;

    let mut csv = NAMES.join(",") + "\n";
    for row in 300..360 {
        let values: Vec<_> = data.columns.iter().map(|column| column[row].to_string()).collect();
        writeln!(csv, "{}", values.join(","))?;
    }
    std::fs::write(folder.join("rows.csv"), csv)?;
    Ok(())
}

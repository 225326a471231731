//! Writes the golden model and rows that `tests/golden/pytorch.py` loads into PyTorch.
//!
//! `cargo run -p oculus-plugin-lstm --example lstm_golden plugins/lstm/tests/golden`

#[path = "../tests/support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::error::Error;
use std::path::PathBuf;

use oculus_plugin_api::testing::{Harness, Listener};
use oculus_plugin_lstm::Lstm;
use oculus_plugin_support::testing::csv_from_columns;
use support::{Data, Memory, Size};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("missing argument: the output folder")?);
    let data = Data::planted(Memory::Short, Size::new(1, 400, 4), 42);
    let frame = data.frame();
    let train_rows = data.days(0, 340);
    let params = r#"{"hidden_size": 8, "sequence_length": 15, "epochs": 20, "learning_rate": 0.01}"#;
    let prepared = Harness::family::<Lstm>().prepare(&frame, &train_rows)?;
    let model = prepared.fit(&data.task(&train_rows, &[]), params, &Listener::default())?;
    std::fs::write(folder.join("ours.safetensors"), model.save()?)?;

    let names = ["F_0", "F_1", "F_2", "F_3"];
    std::fs::write(folder.join("rows.csv"), csv_from_columns(&names, &data.columns, 340..400))?;
    Ok(())
}

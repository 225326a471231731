//! Measures the times of preparing, fitting and predicting on a table of typical size: 2 symbols ×
//! 500 rows × 47 features.
//!
//! The network has two layers of 128 units and reads sequences of 100 rows. The fit uses one thread
//! and no rows for early stopping.
//!
//! `cargo run -p oculus-plugin-lstm --example lstm_timing`

#[path = "../tests/support/mod.rs"]
#[allow(dead_code)]
mod support;

use std::error::Error;

use oculus_plugin_api::testing::{Harness, Listener};
use oculus_plugin_lstm::Lstm;
use support::{Data, Memory, Size, seconds};

const N_EPOCHS: u32 = 4;

fn main() -> Result<(), Box<dyn Error>> {
    let data = Data::planted(Memory::None, Size::new(2, 500, 47), 1);
    let frame = data.frame();
    let rows = data.days(0, 500);
    let start = seconds();
    let prepared = Harness::family::<Lstm>().prepare(&frame, &rows)?;
    println!("prepare             {:7.3} s", (seconds() - start));
    for training in ["segments", "windowed"] {
        let params = format!(r#"{{"training": "{training}", "epochs": {N_EPOCHS}}}"#);
        let start = seconds();
        let model = prepared.fit(&data.task(&rows, &[]), &params, &Listener::default())?;
        println!("{training:8}, one epoch {:7.3} s", (seconds() - start) / f64::from(N_EPOCHS));
        let start = seconds();
        let scores = model.predict(&frame, &rows)?;
        println!("scores of {} rows {:6.3} s", scores.len(), (seconds() - start));
    }
    Ok(())
}

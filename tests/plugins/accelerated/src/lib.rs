//! A family that claims a GPU for one fit at a time, for the tests of exclusive GPU access.
//!
//! The GPU is represented by a file in the temporary folder, which a fit locks while it runs. A
//! concurrent fit finds the lock and fails. The score is the value of the first model feature.

use std::fs::{File, TryLockError};
use std::time::Duration;

use oculus_plugin_api::prelude::*;

/// The family that claims a GPU.
pub struct Accelerated;

/// Name of the file in the temporary folder that represents the GPU.
pub const DEVICE_FILE: &str = "oculus-test-device";

impl Family for Accelerated {
    type Model = FirstFeature;

    fn manifest() -> Manifest {
        let devices = ["auto", "cpu", "cuda"];
        Manifest::new("accelerated", "1.0.0")
            .named(["Accelerated"])
            .prefixed("acc_")
            .devices(["cpu", "cuda"])
            .rounds_param("epochs")
            .param(Param::int("epochs", 10).range(1, 1_000_000).help("number of steps of 20 ms"))
            .param(Param::choice("device", "auto", devices).help("device of a fit"))
    }

    fn fit(table: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<FirstFeature> {
        task.needs_both_classes()?;
        let device = if task.device == "cpu" { "cpu" } else { "cuda" };
        let gpu = (device == "cuda").then(lock_device).transpose()?;
        let n_epochs = params.count("epochs")?;
        for epoch in 1..=n_epochs {
            ctx.check()?;
            std::thread::sleep(Duration::from_millis(20));
            ctx.metric("loss", epoch as u64, 1.0 / epoch as f64);
            ctx.progress(epoch as f64 / n_epochs as f64, "steps");
        }
        drop(gpu);
        let column = table.model_features().first().map(|&idx| table.name(idx).to_owned());
        let column = column.ok_or_else(|| PluginError::data("found no model feature, expected at least one"))?;
        Ok(FirstFeature { column, device })
    }
}

/// Locks the GPU's file, or returns [`code::DEVICE`](oculus_plugin_api::code::DEVICE) if another
/// fit has locked it.
fn lock_device() -> Result<File> {
    let file = File::create(std::env::temp_dir().join(DEVICE_FILE)).map_err(PluginError::engine)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(PluginError::device("another fit uses the device")),
        Err(TryLockError::Error(error)) => Err(PluginError::engine(error)),
    }
}

/// The fitted model.
pub struct FirstFeature {
    column: String,
    device: &'static str,
}

impl Model for FirstFeature {
    fn predict(&self, table: &Table<'_>, rows: &[u32], out: &mut [f32]) -> Result<()> {
        let idx = table.position(&self.column);
        let idx = idx.ok_or_else(|| PluginError::data(format!("the table lacks {}", self.column)))?;
        let column = table.column(idx);
        rows.iter().zip(out).for_each(|(&row, out)| *out = column[row as usize]);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        json::save(&self.column)
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        json::load(bytes).map(|column| Self { column, device: "cpu" })
    }

    fn summary(&self) -> Summary {
        Summary { rounds: None, device: Some(self.device.to_owned()) }
    }
}

oculus_plugin_api::export_family!(Accelerated);

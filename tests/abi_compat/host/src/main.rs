//! A host of API 1.2: it opens a library with the loader of oculus-host, and prints which old and
//! new functions the library has.

use std::path::Path;

use abi_stable::erased_types::TD_Opaque;
use abi_stable::std_types::{RSlice, RSliceMut, RStr};
use oculus_plugin_api::testing::{Frame, Harness};
use oculus_plugin_api::{PluginError, abi};

mod loader;

fn main() {
    let library = std::env::args().nth(1).expect("missing argument: the path of a library");
    match loader::load(Path::new(&library)) {
        Ok(module) => report(&module).unwrap_or_else(|error| panic!("{error}")),
        Err(error) => println!("rejected: {error}"),
    }
}

/// Prints one line per function, which states whether the library has the function.
fn report(module: &abi::Module_Ref) -> Result<(), PluginError> {
    let manifest = Harness::from_module(*module).manifest()?;
    println!("{} of API {}", manifest.id, manifest.api);
    let explained = module.explain().map(|explain| explain("a module".into()).into_result());
    println!("function of the module: {explained:?}");

    let frame = Frame::new(1, 6).column("RSI_14", vec![0.5, 0.25, 0.75, 0.125, 0.875, 0.625]);
    let rows = [0, 1, 2, 3, 4, 5];
    let all = RSlice::from_slice(&rows);
    let host = Services;
    let services = || abi::Host_TO::from_ptr(&host, TD_Opaque);
    let prepared = module.prepare()(frame.table(), all, "{}".into(), services()).into_result()?;
    let task = abi::Task {
        label: RSlice::from_slice(&[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]),
        train_rows: all,
        tune_rows: RSlice::from_slice(&[]),
        seed: 1,
        threads: 1,
        device: "auto".into(),
    };
    let fitted = prepared.fit(task, "{}".into(), services()).into_result()?;
    println!("method of the model: {:?}", fitted.explain().into_result().map_err(|error| error.message));
    let scores = |model: &abi::ModelBox| {
        let mut scores = [f32::NAN; 6];
        model.predict(frame.table(), all, RSliceMut::from_mut_slice(&mut scores)).into_result()?;
        Ok::<_, PluginError>(scores)
    };
    println!("scores: {:?}", scores(&fitted)?);
    let loaded = module.load()(fitted.save().into_result()?.as_rslice(), "{}".into()).into_result()?;
    println!("scores of the saved model: {:?}", scores(&loaded)?);
    Ok(())
}

/// The services of a host of API 1.2, including the new one.
struct Services;

impl abi::Host for Services {
    fn progress(&self, _: f64, _: RStr<'_>) {}

    fn metric(&self, _: RStr<'_>, _: u64, _: f64) {}

    fn log(&self, _: u32, message: RStr<'_>) {
        println!("log of the plugin: {message}");
    }

    fn cancelled(&self) -> bool {
        false
    }

    // The service that 1.2 adds. The default implementation returns infinity, so the result 7 shows
    // that the plugin called this host's implementation.
    fn seconds_left(&self) -> f64 {
        7.0
    }
}

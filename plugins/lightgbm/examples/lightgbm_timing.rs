//! Times one preparation and its fits: `cargo run -p oculus-plugin-lightgbm --example lightgbm_timing`
//!
//! 1,000 rows × 40 features, 150 rounds of 7 leaves.

use std::error::Error;
use std::time::{Duration, Instant};

use oculus_plugin_api::Task;
use oculus_plugin_api::testing::{Frame, Harness, Listener, Noise};
use oculus_plugin_lightgbm::LightGbm;

const N_ROWS: u32 = 1000;
const N_FEATURES: u32 = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let mut noise = Noise::new(1);
    let mut column = || (0..N_ROWS).map(|_| noise.unit_f32()).collect::<Vec<_>>();
    let label: Vec<f32> = column().into_iter().map(|value| f32::from(value > 0.7)).collect();
    let name = |idx: u32| -> &'static str { format!("F_{idx}").leak() };
    let frame = (0..N_FEATURES).fold(Frame::new(1, N_ROWS), |frame, idx| frame.column(name(idx), column()));
    let rows: Vec<u32> = (0..N_ROWS).collect();

    let harness = Harness::family::<LightGbm>();
    let (prepared, took) = timed(|| harness.prepare(&frame, &rows));
    let prepared = prepared?;
    println!("prepare          {took:?}");
    let fit = &|seed| {
        let task = Task { label: &label, train_rows: &rows, tune_rows: &[], seed, threads: 1, device: "cpu" };
        prepared.fit(&task, r#"{"num_iterations": 150, "num_leaves": 7}"#, &Listener::default())
    };
    fit(0)?;
    let (model, took) = timed(|| fit(1));
    println!("fit              {took:?}");
    let (_, took) = timed(|| std::thread::scope(|scope| (2..6).for_each(|seed| _ = scope.spawn(move || fit(seed)))));
    println!("4 side by side   {took:?}");
    let model = model?;
    let (scores, took) = timed(|| model.predict(&frame, &rows));
    println!("predict {} rows {took:?}", scores?.len());
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

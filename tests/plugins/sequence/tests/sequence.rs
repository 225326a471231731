//! Tests of the sequence family through its plugin module. They cover properties of every family
//! that reads earlier rows.

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_api::{PluginError, Role, Task, code};
use oculus_test_sequence::WindowMean;

oculus_plugin_api::conformance!(WindowMean);

const N_DAYS: u32 = 120;

/// Returns a table of two symbols. One feature is a slow sine, and the other is a sawtooth
/// unrelated to the label.
fn frame() -> Frame {
    let rows = 0..2 * N_DAYS;
    let slow = rows.clone().map(|row| ((row % N_DAYS) as f32 / 9.0).sin()).collect();
    Frame::new(2, N_DAYS).column("SLOW", slow).column("SAW", rows.map(|row| (row * 7 % 13) as f32).collect())
}

fn labels() -> Vec<f32> {
    (0..2 * N_DAYS).map(|row| f32::from(((row % N_DAYS) as f32 / 9.0).sin() > 0.0)).collect()
}

fn fit(frame: &Frame, params: &str, listener: &Listener) -> Result<Fitted, PluginError> {
    let label = labels();
    let train_rows = (0..100).collect::<Vec<_>>();
    let task = Task { label: &label, train_rows: &train_rows, tune_rows: &[], seed: 1, threads: 1, device: "auto" };
    Harness::family::<WindowMean>().prepare(frame, &train_rows)?.fit(&task, params, listener)
}

#[test]
fn the_manifest_declares_lookback_and_rounds() {
    let manifest = Harness::family::<WindowMean>().manifest().unwrap();
    assert_eq!(manifest.role, Role::Sequence);
    assert_eq!((manifest.flag.as_deref(), manifest.prefix.as_deref()), (Some("train_sequence"), Some("seq_")));
    assert_eq!(
        (manifest.lookback_param.as_deref(), manifest.rounds_param.as_deref()),
        (Some("length"), Some("epochs"))
    );
    assert!(!manifest.concurrent_fits && !manifest.leads_search);
}

#[test]
fn a_row_with_a_short_history_of_its_symbol_scores_nan() {
    let frame = self::frame();
    let model = fit(&frame, r#"{"length": 8}"#, &Listener::default()).unwrap();
    let rows: Vec<u32> = (0..2 * N_DAYS).collect();
    let scores = model.predict(&frame, &rows).unwrap();
    let nan_rows: Vec<u32> = rows.into_iter().filter(|&row| scores[row as usize].is_nan()).collect();
    assert_eq!(nan_rows, (0..7).chain(N_DAYS..N_DAYS + 7).collect::<Vec<_>>());
}

#[test]
fn windows_never_cross_symbols() {
    let frame = self::frame();
    let mut other = self::frame();
    let model = fit(&frame, "{}", &Listener::default()).unwrap();
    let n_rows = frame.n_rows();
    let rows = (N_DAYS..2 * N_DAYS).collect::<Vec<_>>();
    for column in other.values_mut().chunks_mut(n_rows) {
        column[..N_DAYS as usize].fill(99.0);
    }
    let bits = |frame| model.predict(frame, &rows).unwrap().iter().map(|score| score.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&frame), bits(&other));
}

#[test]
fn a_fitted_model_separates_the_classes_and_loads_unchanged() {
    let frame = self::frame();
    let model = fit(&frame, r#"{"epochs": 40}"#, &Listener::default()).unwrap();
    let rows: Vec<u32> = (N_DAYS + 10..2 * N_DAYS).collect();
    let scores = model.predict(&frame, &rows).unwrap();
    let label = labels();
    let hits = rows.iter().zip(&scores).filter(|&(&row, &score)| (score > 0.5) == (label[row as usize] == 1.0)).count();
    assert!(hits * 10 > rows.len() * 8, "{hits} hits of {}", rows.len());

    let loaded = Harness::family::<WindowMean>().load(&model.save().unwrap()).unwrap();
    assert_eq!(loaded.predict(&frame, &rows).unwrap(), scores);
    assert_eq!(loaded.summary().unwrap().rounds, Some(40));
    assert_eq!(Harness::family::<WindowMean>().load(b"3 four").err().unwrap().code, code::MODEL);
}

//! The sequence family through its module: what holds for every family that looks back over rows.

use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_api::{PluginError, Role, Task, code};
use oculus_test_sequence::WindowMean;

oculus_plugin_api::conformance!(WindowMean);

const N_DAYS: u32 = 120;

/// Two symbols; one feature walks up and down slowly, the other is a sawtooth without meaning.
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
fn the_manifest_says_how_far_it_looks_back() {
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
fn a_short_history_of_the_own_symbol_has_no_score() {
    let frame = self::frame();
    let model = fit(&frame, r#"{"length": 8}"#, &Listener::default()).unwrap();
    let rows: Vec<u32> = (0..2 * N_DAYS).collect();
    let scores = model.predict(&frame, &rows).unwrap();
    let without: Vec<u32> = rows.into_iter().filter(|&row| scores[row as usize].is_nan()).collect();
    assert_eq!(without, (0..7).chain(N_DAYS..N_DAYS + 7).collect::<Vec<_>>());
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
fn it_learns_and_survives_its_own_bytes() {
    let frame = self::frame();
    let model = fit(&frame, r#"{"epochs": 40}"#, &Listener::default()).unwrap();
    let rows: Vec<u32> = (N_DAYS + 10..2 * N_DAYS).collect();
    let scores = model.predict(&frame, &rows).unwrap();
    let label = labels();
    let hits = rows.iter().zip(&scores).filter(|&(&row, &score)| (score > 0.5) == (label[row as usize] == 1.0)).count();
    assert!(hits * 10 > rows.len() * 8, "{hits} hits of {}", rows.len());

    let again = Harness::family::<WindowMean>().load(&model.save().unwrap()).unwrap();
    assert_eq!(again.predict(&frame, &rows).unwrap(), scores);
    assert_eq!(again.summary().unwrap().rounds, Some(40));
    assert_eq!(Harness::family::<WindowMean>().load(b"3 four").err().unwrap().code, code::MODEL);
}

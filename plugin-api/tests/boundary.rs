//! Tests of the boundary: every argument is checked, and no panic crosses it.

use std::ptr::NonNull;

use oculus_plugin_api::prelude::*;
use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_api::{Manifest, code};

/// A family that panics in the function that its parameter `at` names.
struct Fragile;

/// A model that panics in the function whose name it contains.
struct FragileModel(String);

impl FragileModel {
    fn panic_if_chosen(&self, function: &str) {
        assert!(self.0 != function, "panic in {function}");
    }
}

impl Drop for FragileModel {
    fn drop(&mut self) {
        self.panic_if_chosen("drop");
    }
}

impl Family for Fragile {
    type Model = FragileModel;

    fn manifest() -> Manifest {
        let functions = ["nowhere", "fit", "predict", "save", "importance", "summary", "drop"];
        Manifest::new("fragile", "1.0.0")
            .param(Param::choice("at", "nowhere", functions))
            .param(Param::int("steps", 3).range(1, 10))
    }

    fn fit(_: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<FragileModel> {
        let model = FragileModel(params.choice("at")?.to_owned());
        for step in 1..=params.count("steps")? {
            ctx.check()?;
            ctx.metric("seed", step as u64, task.seed as f64);
        }
        ctx.log(Level::Warn, "few rows");
        model.panic_if_chosen("fit");
        Ok(model)
    }
}

impl Model for FragileModel {
    fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> {
        self.panic_if_chosen("predict");
        out.fill(0.5);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.panic_if_chosen("save");
        Ok(self.0.clone().into_bytes())
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        Ok(Self(String::from_utf8(bytes.to_vec()).expect("text in")))
    }

    fn load_with(bytes: &[u8], setting: &Setting) -> Result<Self> {
        Self::load(bytes).map(|model| Self(model.0.clone() + setting.device.trim_start_matches("auto")))
    }

    fn importance(&self) -> Result<Vec<f64>> {
        self.panic_if_chosen("importance");
        Ok(vec![1.0])
    }

    fn summary(&self) -> Summary {
        self.panic_if_chosen("summary");
        Summary { rounds: Some(3), device: None }
    }
}

/// A family with an extension. Its prepared table panics in its `drop`.
struct PanicsInDrop;

impl PreparedFamily for PanicsInDrop {
    type Prepared<'a> = PanicOnDrop;
    type Model = FragileModel;

    fn manifest() -> Manifest {
        Manifest::new("panics-in-drop", "1.0.0").devices(["cpu", "cuda"])
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], setting: &Setting, ctx: &Ctx<'_, '_>) -> Result<PanicOnDrop> {
        assert!(learn_rows != [3], "panic in prepare");
        let Setting { device, threads, seed } = setting;
        ctx.log(Level::Trace, &format!("{device} {threads} {seed} {:?}", table.time()));
        ctx.check()?;
        Ok(PanicOnDrop)
    }

    fn fit(_: &PanicOnDrop, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<FragileModel> {
        Ok(FragileModel("nowhere".to_owned()))
    }

    fn extension(name: &str) -> Option<Extension> {
        assert!(name != "panic", "panic in extension");
        (name == "test.arithmetic/1").then(|| Extension::of(&ARITHMETIC))
    }
}

/// The value of an extension.
#[repr(C)]
struct Arithmetic {
    double: extern "C" fn(u32) -> u32,
}

static ARITHMETIC: Arithmetic = Arithmetic { double };

extern "C" fn double(value: u32) -> u32 {
    value.wrapping_mul(2)
}

/// A family without a manifest. It panics with a payload that is not a text and that panics again
/// in its `drop`.
struct WithoutManifest;

/// A value that panics in its `drop`.
struct PanicOnDrop;

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl Family for WithoutManifest {
    type Model = FragileModel;

    fn manifest() -> Manifest {
        std::panic::panic_any(PanicOnDrop)
    }

    fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<FragileModel> {
        Err(PluginError::unsupported("no fit"))
    }
}

/// A family with a reversed search range.
struct ReversedRange;

impl Family for ReversedRange {
    type Model = FragileModel;

    fn manifest() -> Manifest {
        Manifest::new("reversed-range", "1.0.0").param(Param::int("steps", 3).search(9, 2))
    }

    fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<FragileModel> {
        Ok(FragileModel("nowhere".to_owned()))
    }
}

const LABEL: [f32; 4] = [0.0, 1.0, 0.0, 1.0];

fn frame() -> Frame {
    Frame::new(2, 2).column("RSI_14", vec![1.0, 2.0, 3.0, 4.0])
}

fn task<'a>(label: &'a [f32], train_rows: &'a [u32]) -> Task<'a> {
    Task { label, train_rows, tune_rows: &[], seed: 5, threads: 1, device: "auto" }
}

fn fit(params: &str) -> Result<Fitted> {
    let frame = frame();
    Harness::family::<Fragile>().prepare(&frame, &[0, 1])?.fit(&task(&LABEL, &[0, 1, 3]), params, &Listener::default())
}

fn error<T>(result: Result<T>) -> (u32, String) {
    let Err(error) = result else { panic!("the call succeeded") };
    (error.code, error.message.into())
}

/// Returns the name of the parameter in each problem of an error.
fn named_params(message: &str) -> Vec<&str> {
    message.split("; ").filter_map(|problem| problem.split(':').next()).collect()
}

#[test]
fn panics_become_errors_with_their_message_and_place() {
    // The line of the assertion in `panic_if_chosen`.
    let line = include_str!("boundary.rs").lines().position(|line| line.contains("assert!(self.0 != function"));
    let place = format!("{}:{}", file!(), line.unwrap() + 1);
    let panicked = |function: &str| (code::PANIC, format!("panic in {function} (at {place})"));
    let fragile = |function| fit(&format!(r#"{{"at": "{function}"}}"#));
    assert_eq!(error(fragile("fit")), panicked("fit"));
    assert_eq!(error(fragile("predict").unwrap().predict(&frame(), &[0])), panicked("predict"));
    assert_eq!(error(fragile("save").unwrap().save()), panicked("save"));
    assert_eq!(error(fragile("summary").unwrap().summary()), panicked("summary"));
    assert_eq!(error(fragile("importance").unwrap().importance()), panicked("importance"));
    let (code, message) = error(Harness::family::<PanicsInDrop>().prepare(&frame(), &[3]));
    assert!(code == code::PANIC && message.starts_with(&format!("panic in prepare (at {}:", file!())), "{message}");
    let detail = fragile("fit").err().unwrap().detail_json;
    assert_eq!(detail.as_str(), format!(r#"{{"place":"{place}"}}"#));
    let (code, message) = error(Harness::family::<Fragile>().load(&[0xff]));
    assert!(code == code::PANIC && message.starts_with("text in: "), "{message}");
}

#[test]
fn prepare_receives_the_setting_and_the_times_of_the_bars() {
    let harness = Harness::family::<PanicsInDrop>();
    let frame = frame();
    let listener = Listener::default();
    let setting = Setting { device: "cuda".to_owned(), threads: 4, seed: u64::MAX };
    assert!(harness.prepare_with(&frame, &[0], &setting, &listener).is_ok());
    assert_eq!(listener.reports(), ["log 5 cuda 4 18446744073709551615 [0, 86400, 0, 86400]"]);

    let cancelled = Listener::cancelling_at(1);
    assert_eq!(error(harness.prepare_with(&frame, &[0], &setting, &cancelled)).0, code::CANCELLED);
    let on_mps = Setting { device: "mps".to_owned(), ..setting };
    assert_eq!(error(harness.prepare_with(&frame, &[0], &on_mps, &listener)).0, code::DEVICE);
    assert_eq!(error(harness.load_with(b"nowhere", &on_mps)).0, code::DEVICE);
}

#[test]
fn a_model_can_be_loaded_onto_a_device() {
    let harness = Harness::family::<PanicsInDrop>();
    let on_gpu = Setting { device: "cuda".to_owned(), ..Setting::default() };
    assert_eq!(harness.load_with(b"nowhere", &on_gpu).unwrap().save().unwrap(), b"nowherecuda");
    assert_eq!(harness.load(b"nowhere").unwrap().save().unwrap(), b"nowhere");
}

#[test]
fn an_extension_is_found_by_its_name() {
    let harness = Harness::family::<PanicsInDrop>();
    let pointer: NonNull<Arithmetic> = harness.extension("test.arithmetic/1").unwrap().unwrap().cast();
    // SAFETY: the name of the extension determines this layout, and the value is a static.
    let arithmetic = unsafe { pointer.as_ref() };
    assert_eq!((arithmetic.double)(21), 42);

    assert_eq!(harness.extension("test.arithmetic/2").unwrap(), None);
    let (code, message) = error(harness.extension("panic"));
    assert!(code == code::PANIC && message.starts_with("panic in extension (at "), "{message}");
    assert_eq!(Harness::family::<Fragile>().extension("test.arithmetic/1").unwrap(), None);
}

#[test]
fn the_harness_rejects_a_manifest_that_a_host_would_reject() {
    let (code, message) = error(Harness::family::<ReversedRange>().manifest());
    assert_eq!((code, named_params(&message)), (code::PARAMS, vec!["steps"]));
}

#[test]
fn a_panic_in_drop_is_caught() {
    let model = fit(r#"{"at": "drop"}"#).unwrap();
    assert_eq!(model.predict(&frame(), &[0]).unwrap(), [0.5]);
    drop(model);

    let frame = frame();
    let prepared = Harness::family::<PanicsInDrop>().prepare(&frame, &[0]).unwrap();
    assert!(prepared.fit(&task(&LABEL, &[0, 1]), "{}", &Listener::default()).is_ok());
    drop(prepared);
}

#[test]
fn a_panic_without_text_has_a_default_message() {
    let (code, message) = error(Harness::family::<WithoutManifest>().manifest());
    assert!(code == code::PANIC && message.starts_with("panicked without a message (at "), "{message}");
}

#[test]
fn all_invalid_parameters_are_reported_together() {
    let (code, message) = error(fit(r#"{"at": "loading", "steps": 11, "depth": 1}"#));
    assert_eq!((code, named_params(&message)), (code::PARAMS, vec!["at", "depth", "steps"]));
    assert_eq!(error(fit("[]")).0, code::PARAMS);
}

#[test]
fn invalid_rows_and_labels_are_rejected() {
    let harness = Harness::family::<Fragile>();
    let frame = frame();
    let data = |message: &str| (code::DATA, message.to_owned());
    assert_eq!(
        error(harness.prepare(&frame, &[1, 0])),
        data("learn_rows must be strictly ascending, found row 1 before row 0")
    );
    assert_eq!(error(harness.prepare(&frame, &[4])), data("learn_rows contains row 4, but the table has 4 rows"));
    assert_eq!(error(harness.prepare(&frame, &[])), data("learn_rows is empty, expected at least one row"));

    let prepared = harness.prepare(&frame, &[0, 1]).unwrap();
    let fit = |label: &[f32], rows: &[u32]| error(prepared.fit(&task(label, rows), "{}", &Listener::default()));
    assert_eq!(fit(&LABEL, &[2, 2]), data("train_rows must be strictly ascending, found row 2 before row 2"));
    assert_eq!(fit(&LABEL, &[]), data("train_rows is empty, expected at least one row"));
    assert_eq!(fit(&LABEL[..3], &[0]), data("found 3 labels for 4 rows, expected one per row"));
    let unlabelled = [0.0, f32::NAN, 1.0, 1.0];
    assert_eq!(fit(&unlabelled, &[0, 1]), data("row 1 has label NaN, expected 0 or 1 in train_rows and tune_rows"));

    let model = prepared.fit(&task(&LABEL, &[0, 1]), "{}", &Listener::default()).unwrap();
    assert_eq!(
        error(model.predict(&frame, &[3, 1])),
        data("rows to predict must be strictly ascending, found row 3 before row 1")
    );
    let short = Frame::new(1, 3).column("RSI_14", vec![1.0]);
    assert_eq!(error(harness.prepare(&short, &[0])).0, code::DATA);
}

#[test]
fn a_device_outside_the_manifest_is_rejected() {
    let frame = frame();
    let prepared = Harness::family::<Fragile>().prepare(&frame, &[0, 1]).unwrap();
    let on_gpu = Task { device: "cuda", ..task(&LABEL, &[0, 1]) };
    let found = error(prepared.fit(&on_gpu, "{}", &Listener::default()));
    assert_eq!(
        found,
        (
            code::DEVICE,
            "unknown device `cuda`: on this machine the plugin has cpu; use auto or one of these".to_owned()
        )
    );
}

#[test]
fn the_host_receives_reports_until_it_cancels() {
    let frame = frame();
    let prepared = Harness::family::<Fragile>().prepare(&frame, &[0, 1]).unwrap();
    let task = task(&LABEL, &[0, 1]);
    let complete = Listener::default();
    assert!(prepared.fit(&task, "{}", &complete).is_ok());
    assert_eq!(complete.reports(), ["metric seed 1 5", "metric seed 2 5", "metric seed 3 5", "log 2 few rows"]);

    let cancelled = Listener::cancelling_at(3);
    assert_eq!(error(prepared.fit(&task, "{}", &cancelled)), (code::CANCELLED, "cancelled".to_owned()));
    assert_eq!(cancelled.reports(), ["metric seed 1 5", "metric seed 2 5"]);
}

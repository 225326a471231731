//! What crosses the boundary is checked, and no panic ever does.

use std::ptr::NonNull;

use oculus_plugin_api::prelude::*;
use oculus_plugin_api::testing::{Fitted, Frame, Harness, Listener};
use oculus_plugin_api::{Manifest, code};

/// Panics where its parameter `at` says.
struct Fragile;

struct Glass(String);

impl Glass {
    fn crack(&self, place: &str) {
        assert!(self.0 != place, "cracked in {place}");
    }
}

impl Drop for Glass {
    fn drop(&mut self) {
        self.crack("drop");
    }
}

impl Family for Fragile {
    type Model = Glass;

    fn manifest() -> Manifest {
        let places = ["nowhere", "fit", "predict", "save", "importance", "summary", "drop"];
        Manifest::new("fragile", "1.0.0")
            .param(Param::choice("at", "nowhere", places))
            .param(Param::int("steps", 3).range(1, 10))
    }

    fn fit(_: &Table<'_>, task: &Task<'_>, params: &Params, ctx: &Ctx<'_, '_>) -> Result<Glass> {
        let glass = Glass(params.choice("at")?.to_owned());
        for step in 1..=params.count("steps")? {
            ctx.check()?;
            ctx.metric("seed", step as u64, task.seed as f64);
        }
        ctx.log(Level::Warn, "thin ice");
        glass.crack("fit");
        Ok(glass)
    }
}

impl Model for Glass {
    fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> {
        self.crack("predict");
        out.fill(0.5);
        Ok(())
    }

    fn save(&self) -> Result<Vec<u8>> {
        self.crack("save");
        Ok(self.0.clone().into_bytes())
    }

    fn load(bytes: &[u8]) -> Result<Self> {
        Ok(Self(String::from_utf8(bytes.to_vec()).expect("text in")))
    }

    fn load_with(bytes: &[u8], setting: &Setting) -> Result<Self> {
        Self::load(bytes).map(|glass| Self(glass.0.clone() + setting.device.trim_start_matches("auto")))
    }

    fn importance(&self) -> Result<Vec<f64>> {
        self.crack("importance");
        Ok(vec![1.0])
    }

    fn summary(&self) -> Summary {
        self.crack("summary");
        Summary { rounds: Some(3), device: None }
    }
}

/// Its prepared form panics when dropped.
struct Unsteady;

impl PreparedFamily for Unsteady {
    type Prepared<'a> = Bomb;
    type Model = Glass;

    fn manifest() -> Manifest {
        Manifest::new("unsteady", "1.0.0").devices(["cpu", "cuda"])
    }

    fn prepare<'a>(table: Table<'a>, learn_rows: &[u32], setting: &Setting, ctx: &Ctx<'_, '_>) -> Result<Bomb> {
        assert!(learn_rows != [3], "cracked in prepare");
        let Setting { device, threads, seed } = setting;
        ctx.log(Level::Trace, &format!("{device} {threads} {seed} {:?}", table.time()));
        ctx.check()?;
        Ok(Bomb)
    }

    fn fit(_: &Bomb, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Glass> {
        Ok(Glass("nowhere".to_owned()))
    }

    fn extension(name: &str) -> Option<Extension> {
        assert!(name != "crack", "cracked in extension");
        (name == "unsteady.arithmetic/1").then(|| Extension::of(&ARITHMETIC))
    }
}

/// What an extension points at.
#[repr(C)]
struct Arithmetic {
    double: extern "C" fn(u32) -> u32,
}

static ARITHMETIC: Arithmetic = Arithmetic { double };

extern "C" fn double(value: u32) -> u32 {
    value.wrapping_mul(2)
}

/// Cannot even say who it is; its panics carry no text, and panic again when dropped.
struct Nameless;

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

impl Family for Nameless {
    type Model = Glass;

    fn manifest() -> Manifest {
        std::panic::panic_any(Bomb)
    }

    fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Glass> {
        Err(PluginError::unsupported("no fit"))
    }
}

/// Is searched from the wrong end.
struct Backwards;

impl Family for Backwards {
    type Model = Glass;

    fn manifest() -> Manifest {
        Manifest::new("backwards", "1.0.0").param(Param::int("steps", 3).search(9, 2))
    }

    fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Glass> {
        Ok(Glass("nowhere".to_owned()))
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

fn refusal<T>(result: Result<T>) -> (u32, String) {
    let Err(error) = result else { panic!("nothing was refused") };
    (error.code, error.message.into())
}

/// The parameters that a refusal names, one per problem.
fn named(message: &str) -> Vec<&str> {
    message.split("; ").filter_map(|problem| problem.split(':').next()).collect()
}

#[test]
fn panics_become_errors_with_their_message() {
    let panicked = |place: &str| (code::PANIC, format!("cracked in {place}"));
    let fragile = |place| fit(&format!(r#"{{"at": "{place}"}}"#));
    assert_eq!(refusal(fragile("fit")), panicked("fit"));
    assert_eq!(refusal(fragile("predict").unwrap().predict(&frame(), &[0])), panicked("predict"));
    assert_eq!(refusal(fragile("save").unwrap().save()), panicked("save"));
    assert_eq!(refusal(fragile("summary").unwrap().summary()), panicked("summary"));
    assert_eq!(refusal(fragile("importance").unwrap().importance()), panicked("importance"));
    assert_eq!(refusal(Harness::family::<Unsteady>().prepare(&frame(), &[3])), panicked("prepare"));
    let (code, message) = refusal(Harness::family::<Fragile>().load(&[0xff]));
    assert!(code == code::PANIC && message.starts_with("text in: "), "{message}");
}

#[test]
fn the_setting_and_the_times_of_bars_reach_the_preparation() {
    let harness = Harness::family::<Unsteady>();
    let frame = frame();
    let listener = Listener::default();
    let setting = Setting { device: "cuda".to_owned(), threads: 4, seed: u64::MAX };
    assert!(harness.prepare_with(&frame, &[0], &setting, &listener).is_ok());
    assert_eq!(listener.heard(), ["log 5 cuda 4 18446744073709551615 [0, 86400, 0, 86400]"]);

    let hasty = Listener::cancelling_at(1);
    assert_eq!(refusal(harness.prepare_with(&frame, &[0], &setting, &hasty)).0, code::CANCELLED);
    let on_phone = Setting { device: "mps".to_owned(), ..setting };
    assert_eq!(refusal(harness.prepare_with(&frame, &[0], &on_phone, &listener)).0, code::DEVICE);
    assert_eq!(refusal(harness.load_with(b"nowhere", &on_phone)).0, code::DEVICE);
}

#[test]
fn a_model_can_be_loaded_onto_a_device() {
    let harness = Harness::family::<Unsteady>();
    let on_gpu = Setting { device: "cuda".to_owned(), ..Setting::default() };
    assert_eq!(harness.load_with(b"nowhere", &on_gpu).unwrap().save().unwrap(), b"nowherecuda");
    assert_eq!(harness.load(b"nowhere").unwrap().save().unwrap(), b"nowhere");
}

#[test]
fn an_extension_is_found_by_its_name() {
    let harness = Harness::family::<Unsteady>();
    let pointer: NonNull<Arithmetic> = harness.extension("unsteady.arithmetic/1").unwrap().unwrap().cast();
    // SAFETY: the name stands for this layout, and the value is a static.
    let arithmetic = unsafe { pointer.as_ref() };
    assert_eq!((arithmetic.double)(21), 42);

    assert_eq!(harness.extension("unsteady.arithmetic/2").unwrap(), None);
    assert_eq!(refusal(harness.extension("crack")), (code::PANIC, "cracked in extension".to_owned()));
    assert_eq!(Harness::family::<Fragile>().extension("unsteady.arithmetic/1").unwrap(), None);
}

#[test]
fn an_author_hears_what_a_host_would_refuse() {
    let (code, message) = refusal(Harness::family::<Backwards>().manifest());
    assert_eq!((code, named(&message)), (code::PARAMS, vec!["steps"]));
}

#[test]
fn a_drop_that_panics_does_no_harm() {
    let model = fit(r#"{"at": "drop"}"#).unwrap();
    assert_eq!(model.predict(&frame(), &[0]).unwrap(), [0.5]);
    drop(model);

    let frame = frame();
    let prepared = Harness::family::<Unsteady>().prepare(&frame, &[0]).unwrap();
    assert!(prepared.fit(&task(&LABEL, &[0, 1]), "{}", &Listener::default()).is_ok());
    drop(prepared);
}

#[test]
fn a_panic_without_text_is_said_to_have_none() {
    let (code, message) = refusal(Harness::family::<Nameless>().manifest());
    assert_eq!((code, message.as_str()), (code::PANIC, "panicked without a message"));
}

#[test]
fn all_bad_parameters_are_named_at_once() {
    let (code, message) = refusal(fit(r#"{"at": "sea", "steps": 11, "depth": 1}"#));
    assert_eq!((code, named(&message)), (code::PARAMS, vec!["at", "depth", "steps"]));
    assert_eq!(refusal(fit("[]")).0, code::PARAMS);
}

#[test]
fn rows_and_labels_that_do_not_fit_are_refused() {
    let harness = Harness::family::<Fragile>();
    let frame = frame();
    let data = |message: &str| (code::DATA, message.to_owned());
    assert_eq!(refusal(harness.prepare(&frame, &[1, 0])), data("learn_rows must ascend, found row 1 before 0"));
    assert_eq!(refusal(harness.prepare(&frame, &[4])), data("learn_rows names row 4 of a table of 4 rows"));
    assert_eq!(refusal(harness.prepare(&frame, &[])), data("no rows to learn from"));

    let prepared = harness.prepare(&frame, &[0, 1]).unwrap();
    let fit = |label: &[f32], rows: &[u32]| refusal(prepared.fit(&task(label, rows), "{}", &Listener::default()));
    assert_eq!(fit(&LABEL, &[2, 2]), data("train_rows must ascend, found row 2 before 2"));
    assert_eq!(fit(&LABEL, &[]), data("no rows to train on"));
    assert_eq!(fit(&LABEL[..3], &[0]), data("found 3 labels for 4 rows"));
    let unlabelled = [0.0, f32::NAN, 1.0, 1.0];
    assert_eq!(fit(&unlabelled, &[0, 1]), data("row 1 is to be learnt from and has label NaN, not 0 or 1"));

    let model = prepared.fit(&task(&LABEL, &[0, 1]), "{}", &Listener::default()).unwrap();
    assert_eq!(refusal(model.predict(&frame, &[3, 1])), data("rows to predict must ascend, found row 3 before 1"));
    let short = Frame::new(1, 3).column("RSI_14", vec![1.0]);
    assert_eq!(refusal(harness.prepare(&short, &[0])).0, code::DATA);
}

#[test]
fn a_device_that_the_plugin_does_not_know_is_refused() {
    let frame = frame();
    let prepared = Harness::family::<Fragile>().prepare(&frame, &[0, 1]).unwrap();
    let on_gpu = Task { device: "cuda", ..task(&LABEL, &[0, 1]) };
    let refused = refusal(prepared.fit(&on_gpu, "{}", &Listener::default()));
    assert_eq!(
        refused,
        (code::DEVICE, "device `cuda`: this plugin has cpu on this machine; say auto, or one of these".to_owned())
    );
}

#[test]
fn the_host_hears_what_the_plugin_says_until_it_cancels() {
    let frame = frame();
    let prepared = Harness::family::<Fragile>().prepare(&frame, &[0, 1]).unwrap();
    let task = task(&LABEL, &[0, 1]);
    let patient = Listener::default();
    assert!(prepared.fit(&task, "{}", &patient).is_ok());
    assert_eq!(patient.heard(), ["metric seed 1 5", "metric seed 2 5", "metric seed 3 5", "log 2 thin ice"]);

    let hasty = Listener::cancelling_at(3);
    assert_eq!(refusal(prepared.fit(&task, "{}", &hasty)), (code::CANCELLED, "cancelled".to_owned()));
    assert_eq!(hasty.heard(), ["metric seed 1 5", "metric seed 2 5"]);
}

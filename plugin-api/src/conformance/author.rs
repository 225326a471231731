//! The claims as tests of an author's crate, one a claim.

use std::io::Write as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::claims::{self, MANIFEST, readable_manifest, verdict};
use super::finding::{Depth, Verdict};
use super::subject::{Extraction, Subject};
use crate::Manifest;
use crate::testing::Harness;

/// Tests of plugins whose fits must not run side by side wait for each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Set in the process that [`assert_silent`] starts.
const CHILD: &str = "OCULUS_CONFORMANCE_CHILD";
const START: &str = "-- the plugin works";
const END: &str = "-- the plugin is done";

/// Tries every claim on a plugin, a test a claim: one line in the author's crate, `conformance!(MyFamily)` or
/// `conformance!(extractor MyExtractor)`.
///
/// The line stands in the crate itself or in a file of its `tests` folder, once in each, and makes a module `conformance`.
/// Beside the claims that a host can try, it tests that fits print nothing on stdout.
///
/// ```
/// # use oculus_plugin_api::prelude::*;
/// # struct BaseRate;
/// # struct Share;
/// # impl Family for BaseRate {
/// #     type Model = Share;
/// #     fn manifest() -> Manifest { Manifest::new("base-rate", "1.0.0") }
/// #     fn fit(_: &Table<'_>, _: &Task<'_>, _: &Params, _: &Ctx<'_, '_>) -> Result<Share> { Ok(Share) }
/// # }
/// # impl Model for Share {
/// #     fn predict(&self, _: &Table<'_>, _: &[u32], out: &mut [f32]) -> Result<()> { out.fill(0.5); Ok(()) }
/// #     fn save(&self) -> Result<Vec<u8>> { Ok(Vec::new()) }
/// #     fn load(_: &[u8]) -> Result<Self> { Ok(Share) }
/// # }
/// oculus_plugin_api::conformance!(BaseRate);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! conformance {
    (extractor $extractor:ty) => {
        $crate::__claims!(extractor tests ($crate::testing::Harness::extractor::<$extractor>()));
    };
    ($family:ty) => {
        $crate::__claims!(family tests ($crate::testing::Harness::family::<$family>()));
    };
}

/// Tries one claim.
///
/// # Panics
/// When it is broken, with the reason.
pub fn assert_holds(harness: &Harness, name: &str) {
    let tried = match readable_manifest(harness) {
        Err(fault) => verdict(|| Err(fault)),
        Ok(_) if name == MANIFEST => Verdict::Holds,
        Ok(manifest) => {
            let holds = claims::find(name).unwrap_or_else(|| panic!("no claim {name}")).holds;
            alone(&manifest.clone(), || verdict(|| holds(&Subject::new(harness, manifest, Depth::Suite))))
        }
    };
    match tried {
        Verdict::Holds => {}
        Verdict::Inapplicable { reason } => println!("{name} says nothing here: {reason}"),
        Verdict::Broken { reason } => panic!("it is not so that {}:\n{reason}", name.replace('_', " ")),
    }
}

/// Runs while no other plugin does whose fits must not run side by side.
fn alone<T>(manifest: &Manifest, run: impl FnOnce() -> T) -> T {
    let _lock = (!manifest.concurrent_fits).then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    run()
}

/// Tests that a plugin at work prints nothing on stdout, in a process of its own: the test with this path, run again.
///
/// # Panics
/// When it prints something, or the process fails.
pub fn assert_silent(harness: &Harness, path: &str) {
    if std::env::var_os(CHILD).is_some() {
        work_between_marks(harness);
    }
    // Tests are named without their crate.
    let (_, test) = path.split_once("::").unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    let output = Command::new(program).args(["--exact", test, "--nocapture"]).env(CHILD, "1").output();
    let output = output.unwrap_or_else(|error| panic!("the test could not be run again: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let Some((_, printed)) = stdout.split_once(START) else {
        panic!("the test {test} did not start:\n{stdout}{stderr}")
    };
    assert!(output.status.success(), "the plugin ended its process: {}\n{stderr}", output.status);
    let printed = printed.replacen(END, "", 1);
    let printed = printed.trim();
    assert!(printed.is_empty(), "stdout is not the plugin's; use `ctx.log`, or stderr. It printed:\n{printed}");
}

/// Ends the process, so that what C libraries hold back comes out behind the last mark, and nothing else.
fn work_between_marks(harness: &Harness) -> ! {
    mark(START);
    if let Ok(manifest) = harness.manifest() {
        let subject = Subject::new(harness, manifest, Depth::Suite);
        if subject.is_extractor() {
            drop(subject.rules());
            let still = subject.panel.still();
            drop(subject.extract(&Extraction { frame: &still, ..subject.extraction() }));
        } else if let Ok(model) = subject.model() {
            drop(model.predict(&subject.frame, &subject.panel.later_elsewhere()));
            drop(model.save().and_then(|bytes| harness.load(&bytes)));
            // Engines have warnings for columns that never move.
            drop(subject.fit(&subject.panel.still(), &subject.task()));
        }
    }
    mark(END);
    std::process::exit(0)
}

/// A line straight to stdout, which the test harness would hold back.
fn mark(line: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "\n{line}").and_then(|()| stdout.flush());
}

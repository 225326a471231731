//! The claims as tests of an author's crate, one test per claim.

use std::io::Write as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::claims::{self, MANIFEST, readable_manifest, verdict};
use super::finding::{Depth, Verdict};
use super::subject::{Extraction, Subject};
use crate::Manifest;
use crate::testing::Harness;

/// Lock for plugins whose fits must not run at the same time. It is necessary because `cargo test`
/// runs tests in parallel.
static SEQUENTIAL: Mutex<()> = Mutex::new(());

/// Environment variable that marks the process started by [`assert_silent`].
const CHILD: &str = "OCULUS_CONFORMANCE_CHILD";
/// The line that is printed on stdout before the calls of the plugin.
const START: &str = "-- plugin calls begin";
/// The line that is printed on stdout after the calls of the plugin.
const END: &str = "-- plugin calls end";

/// Adds one test per claim for a plugin: `conformance!(MyFamily)` or
/// `conformance!(extractor MyExtractor)`.
///
/// Call the macro in the crate itself or in a file of its `tests` folder, once per file. It creates
/// a module `conformance`. The module tests the claims that a host tests, and also that the plugin
/// prints nothing on stdout.
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

/// Tests one claim.
///
/// # Panics
/// Panics with the reason if the claim is broken.
pub fn assert_holds(harness: &Harness, name: &str) {
    let verdict = match readable_manifest(harness) {
        Err(error) => verdict(|| Err(error)),
        Ok(_) if name == MANIFEST => Verdict::Holds,
        Ok(manifest) => {
            let test = claims::find(name).unwrap_or_else(|| panic!("unknown claim {name}")).test;
            run_exclusively(&manifest.clone(), || verdict(|| test(&Subject::new(harness, manifest, Depth::Suite))))
        }
    };
    match verdict {
        Verdict::Holds => {}
        Verdict::Inapplicable { reason } => println!("{name} does not apply: {reason}"),
        Verdict::Broken { reason } => panic!("broken claim: {}\n{reason}", name.replace('_', " ")),
    }
}

/// Runs a test. If the plugin does not allow concurrent fits, this test waits until no other test
/// of such a plugin is running.
fn run_exclusively<T>(manifest: &Manifest, run: impl FnOnce() -> T) -> T {
    // A failed test poisons the lock. The lock protects no data, so the other tests can run.
    let _lock = (!manifest.concurrent_fits).then(|| SEQUENTIAL.lock().unwrap_or_else(PoisonError::into_inner));
    run()
}

/// Tests that a plugin prints nothing on stdout.
///
/// It runs the test at `path` again in a new process, because only the stdout of a whole process
/// includes the output of C libraries.
///
/// # Panics
/// Panics if the plugin prints something on stdout, or if the process fails.
pub fn assert_silent(harness: &Harness, path: &str) {
    if std::env::var_os(CHILD).is_some() {
        call_plugin_between_markers(harness);
    }
    // The names of tests in a test binary do not include the crate.
    let (_, test) = path.split_once("::").unwrap_or_default();
    let program = std::env::current_exe().unwrap_or_default();
    // Without `--nocapture` the test harness would capture the output of Rust code.
    let output = Command::new(program).args(["--exact", test, "--nocapture"]).env(CHILD, "1").output();
    let output = output.unwrap_or_else(|error| panic!("cannot start the test again: {error}"));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let Some((_, printed)) = stdout.split_once(START) else {
        panic!("the test {test} did not start:\n{stdout}{stderr}")
    };
    assert!(output.status.success(), "the plugin terminated its process: {}\n{stderr}", output.status);
    // C libraries flush their buffers at exit, so their text may follow the end marker.
    let printed = printed.replacen(END, "", 1);
    let printed = printed.trim();
    assert!(printed.is_empty(), "a plugin must not print on stdout; use `ctx.log` or stderr. Found:\n{printed}");
}

/// Calls the functions of the plugin and exits the process.
///
/// The exit flushes the buffers of C libraries before the test harness can print more. Therefore,
/// all text after the start marker comes from the plugin.
fn call_plugin_between_markers(harness: &Harness) -> ! {
    print_marker(START);
    if let Ok(manifest) = harness.manifest() {
        let subject = Subject::new(harness, manifest, Depth::Suite);
        if subject.is_extractor() {
            drop(subject.rules());
            let constant = subject.panel.constant();
            drop(subject.extract(&Extraction { frame: &constant, ..subject.extraction() }));
        } else if let Ok(model) = subject.model() {
            drop(model.predict(&subject.frame, &subject.panel.later_rows_of_other_symbols()));
            drop(model.save().and_then(|bytes| harness.load(&bytes)));
            // Constant columns are tested, because some engines print warnings about them.
            drop(subject.fit(&subject.panel.constant(), &subject.task()));
        }
    }
    print_marker(END);
    std::process::exit(0)
}

/// Prints a line on stdout. This function writes to the stream directly, because the test harness
/// captures `println!`.
fn print_marker(line: &str) {
    let mut stdout = std::io::stdout();
    let _ = writeln!(stdout, "\n{line}").and_then(|()| stdout.flush());
}

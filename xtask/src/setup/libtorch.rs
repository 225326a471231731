//! libtorch, which the LSTM plugin is built and run with, from PyTorch's wheel.
//!
//! Out: `.tools/libtorch` with `lib/` and `include/`. On Linux the wheel of PyTorch is made for NVIDIA GPUs, with three
//! gigabytes of CUDA beside it. A machine without such a GPU gets the part that works on the CPU: two libraries, the
//! OpenMP runtime, the two small CUDA libraries that one of them names, and the headers. Anything else gets the whole.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages::has;
use super::wheels::{self, Needs};
use crate::shell::{output, run as run_command};

/// The version that `tch` binds.
const VERSION: &str = "2.13.0";
/// What `libtorch_cpu.so` of that version names of CUDA, without the rest of it.
const CUDA_PART: &str = "cuda-toolkit[cudart,cupti]==13.0.3";
/// The libraries of that part.
const CUDA_LIBRARIES: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];
/// Says which layout is complete in the folder that holds it; `torch-sys` compares the version of the small one.
const MARK: &str = "build-version";

/// The folder of libtorch, fetched where it is not there yet.
pub fn place(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("libtorch");
    if is_complete(&folder) {
        return Ok(folder);
    }
    clear(&folder)?;
    if is_for_cpu_only() {
        part(tools, &folder)?;
        if loads(&folder) {
            fs::write(folder.join(MARK), VERSION).context("cannot write into .tools/libtorch")?;
            return Ok(folder);
        }
        eprintln!("setup: the small form of libtorch does not load here; taking the whole");
        clear(&folder)?;
    }
    whole(tools, &folder)?;
    if !loads(&folder) {
        bail!("libtorch in {} does not load; set LIBTORCH to a libtorch {VERSION} of your own", folder.display());
    }
    Ok(folder)
}

/// A folder that an earlier set-up finished, and that suits this machine.
fn is_complete(folder: &Path) -> bool {
    let is_small = fs::read_to_string(folder.join(MARK)).is_ok_and(|version| version == VERSION);
    // The whole one is a link, made last, into the unpacked wheel.
    let is_whole = fs::read_link(folder).is_ok() && folder.join("lib").is_dir();
    is_whole || (is_small && is_for_cpu_only())
}

/// Linux without an NVIDIA GPU.
fn is_for_cpu_only() -> bool {
    let has_gpu = Path::new("/proc/driver/nvidia/version").exists()
        || (has("nvidia-smi") && output(Command::new("nvidia-smi").arg("-L")).is_some());
    cfg!(target_os = "linux") && !has_gpu
}

/// The part of the wheel that works without a GPU.
fn part(tools: &Path, folder: &Path) -> Result<()> {
    let wheel = tools.join("libtorch-wheel");
    clear(&wheel)?;
    wheels::unpack("libtorch (0.5 GB)", &format!("torch=={VERSION}"), &wheel, Needs::Nothing)?;
    wheels::unpack("its CUDA runtime (13 MB)", CUDA_PART, &wheel, Needs::Everything)?;
    let lib = folder.join("lib");
    fs::create_dir_all(&lib).with_context(|| format!("cannot make {}", lib.display()))?;
    let wanted = |name: &str| name == "libtorch_cpu.so" || name == "libc10.so" || name.starts_with("libgomp");
    for entry in fs::read_dir(wheel.join("torch/lib")).context("the wheel of torch brought no libraries")? {
        let from = entry?.path();
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if wanted(&name) {
            move_to(&from, &lib.join(name))?;
        }
    }
    for library in CUDA_LIBRARIES {
        move_to(&wheel.join("nvidia/cu13/lib").join(library), &lib.join(library))?;
    }
    move_to(&wheel.join("torch/include"), &folder.join("include"))?;
    clear(&wheel)?;
    link_library(&lib)
}

/// `libtorch.so`, which everybody links: it holds nothing and needs the other two. The wheel's own needs CUDA.
fn link_library(lib: &Path) -> Result<()> {
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-Wl,--no-as-needed", "-Wl,-soname,libtorch.so", "-Wl,-rpath,$ORIGIN"])
        .args(["-Wl,--allow-shlib-undefined", "-x", "c", "/dev/null", "-ltorch_cpu", "-lc10", "-L"])
        .arg(lib)
        .arg("-o")
        .arg(lib.join("libtorch.so"));
    run_command(&mut cc).context("cannot link libtorch.so")
}

/// The wheel as it is; on Linux with the CUDA that it needs.
fn whole(tools: &Path, folder: &Path) -> Result<()> {
    let wheel = tools.join("libtorch-wheel");
    clear(&wheel)?;
    let needs = if cfg!(target_os = "macos") { Needs::Nothing } else { Needs::Everything };
    wheels::unpack("libtorch (3 GB with CUDA)", &format!("torch=={VERSION}"), &wheel, needs)?;
    std::os::unix::fs::symlink("libtorch-wheel/torch", folder).context("cannot link .tools/libtorch")
}

/// Whether the dynamic loader takes it. Python is there: its pip has just unpacked the wheel.
fn loads(folder: &Path) -> bool {
    let library = folder.join("lib").join(format!("libtorch{}", std::env::consts::DLL_SUFFIX));
    let script = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
    output(Command::new("python3").args(["-c", script]).arg(library)).is_some()
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// Removes a folder, or the link that stands in its place.
fn clear(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.with_context(|| format!("cannot clear {}", path.display()))
}

//! Installs libtorch, which the LSTM plugin links to, from PyTorch's wheel.
//!
//! Out: `.tools/libtorch` with `lib/` and `include/`. On Linux, PyTorch's wheel is built for NVIDIA
//! GPUs and depends on three gigabytes of CUDA. On a Linux machine without such a GPU, only the
//! part for the CPU is installed: two libraries of libtorch, the OpenMP runtime, two small CUDA
//! libraries, and the headers. On other machines the complete wheel is installed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages::has;
use super::wheels::{self, Dependencies};
use crate::shell::{output, run as run_command};

/// libtorch version that `tch` binds.
const VERSION: &str = "2.13.0";
/// Wheel with the part of CUDA that `libtorch_cpu.so` of this version links to.
const CUDA_PART: &str = "cuda-toolkit[cudart,cupti]==13.0.3";
/// Libraries of [`CUDA_PART`] that are installed.
const CUDA_LIBRARIES: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];
/// File that marks a complete CPU installation. It contains the version, which `torch-sys` compares
/// with the version that it expects.
const VERSION_FILE: &str = "build-version";

/// Returns the folder of libtorch. Installs libtorch if it is absent or unsuitable.
pub(super) fn fetch(tools: &Path) -> Result<PathBuf> {
    let folder = tools.join("libtorch");
    if is_complete(&folder) {
        return Ok(folder);
    }
    remove(&folder)?;
    if is_cpu_only() {
        install_cpu_part(tools, &folder)?;
        // The marker is written only after libtorch has been loaded, so an interrupted installation
        // is repeated.
        if is_loadable(&folder) {
            fs::write(folder.join(VERSION_FILE), VERSION).context("cannot write into .tools/libtorch")?;
            return Ok(folder);
        }
        eprintln!("setup: cannot load the CPU part of libtorch on this machine; installing the complete wheel");
        remove(&folder)?;
    }
    install_complete_wheel(tools, &folder)?;
    if !is_loadable(&folder) {
        bail!(
            "cannot load libtorch in {}; set LIBTORCH to the folder of an installed libtorch {VERSION}",
            folder.display()
        );
    }
    Ok(folder)
}

/// Returns whether a complete installation exists that suits this machine.
fn is_complete(folder: &Path) -> bool {
    let is_cpu_part = fs::read_to_string(folder.join(VERSION_FILE)).is_ok_and(|version| version == VERSION);
    // An installation of the complete wheel is a link into the unpacked wheel. The link is created
    // last.
    let is_complete_wheel = fs::read_link(folder).is_ok() && folder.join("lib").is_dir();
    is_complete_wheel || (is_cpu_part && is_cpu_only())
}

/// Returns whether this machine runs Linux and has no NVIDIA GPU.
fn is_cpu_only() -> bool {
    let has_gpu = Path::new("/proc/driver/nvidia/version").exists()
        || (has("nvidia-smi") && output(Command::new("nvidia-smi").arg("-L")).is_some());
    cfg!(target_os = "linux") && !has_gpu
}

/// Installs the part of the wheel that is needed on a CPU.
fn install_cpu_part(tools: &Path, folder: &Path) -> Result<()> {
    let wheel = tools.join("libtorch-wheel");
    // An interrupted set-up may have left a part of the wheel.
    remove(&wheel)?;
    wheels::unpack("libtorch (0.5 GB)", &format!("torch=={VERSION}"), &wheel, Dependencies::Skip)?;
    wheels::unpack("the CUDA runtime of libtorch (13 MB)", CUDA_PART, &wheel, Dependencies::Include)?;
    let lib = folder.join("lib");
    fs::create_dir_all(&lib).with_context(|| format!("cannot create {}", lib.display()))?;
    let is_needed = |name: &str| name == "libtorch_cpu.so" || name == "libc10.so" || name.starts_with("libgomp");
    for entry in fs::read_dir(wheel.join("torch/lib")).context("cannot read the libraries of the torch wheel")? {
        let from = entry?.path();
        let name = from.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_needed(&name) {
            move_to(&from, &lib.join(name))?;
        }
    }
    for library in CUDA_LIBRARIES {
        move_to(&wheel.join("nvidia/cu13/lib").join(library), &lib.join(library))?;
    }
    move_to(&wheel.join("torch/include"), &folder.join("include"))?;
    remove(&wheel)?;
    link_library(&lib)
}

/// Links an empty `libtorch.so` that depends on the two CPU libraries.
// Plugins link to `libtorch.so`, but the one in the wheel depends on CUDA.
fn link_library(lib: &Path) -> Result<()> {
    // The linker drops libraries whose symbols are not used; `--no-as-needed` keeps both as
    // dependencies.
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-Wl,--no-as-needed", "-Wl,-soname,libtorch.so", "-Wl,-rpath,$ORIGIN"])
        .args(["-Wl,--allow-shlib-undefined", "-x", "c", "/dev/null", "-ltorch_cpu", "-lc10", "-L"])
        .arg(lib)
        .arg("-o")
        .arg(lib.join("libtorch.so"));
    run_command(&mut cc).context("cannot link libtorch.so")
}

/// Installs the complete wheel, on Linux with its CUDA dependencies.
fn install_complete_wheel(tools: &Path, folder: &Path) -> Result<()> {
    let wheel = tools.join("libtorch-wheel");
    remove(&wheel)?;
    let dependencies = if cfg!(target_os = "macos") { Dependencies::Skip } else { Dependencies::Include };
    wheels::unpack("libtorch (3 GB with CUDA)", &format!("torch=={VERSION}"), &wheel, dependencies)?;
    std::os::unix::fs::symlink("libtorch-wheel/torch", folder).context("cannot link .tools/libtorch")
}

/// Returns whether the dynamic loader can open libtorch.
// Uses Python, which is present because its pip has just unpacked the wheel.
fn is_loadable(folder: &Path) -> bool {
    let library = folder.join("lib").join(format!("libtorch{}", std::env::consts::DLL_SUFFIX));
    let script = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
    output(Command::new("python3").args(["-c", script]).arg(library)).is_some()
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// Removes a folder or a link, if it exists.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    removed.with_context(|| format!("cannot remove {}", path.display()))
}
